"""Identity verification through PortOne, by its own server SDK: ``pip install 'jigap[portone]'``.

PortOne sends the code by SMS through the channel of the store and confirms what the person typed.
Our id of the check is PortOne's too, so that asking again finds the first asking: "already sent"
and "already verified" are good news. What it verified is compared with what was asked.

Of an SDK error only its kind, and the channel's own code, are logged: texts hold what was sent.

Whatever the channel has against a code arrives as one kind of error, with a code and a text of the
channel's own. Only what clearly says so is a wrong code, the end of the time or of the tries; every
other trouble of the channel is a doubt, and the same code may be sent again.
"""

import asyncio
import logging
import re
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

from jigap.members import phone_digits
from jigap.realname.agency import agency_address
from jigap.realname.provider import (
    Approved,
    CodeAnswer,
    CodeInquiry,
    CodeSent,
    InDoubt,
    Inquiry,
    Reason,
    Rejected,
    RequestAnswer,
    WrongCode,
)
from jigap.realname.verification import CENTURIES, Details
from jigap.refusal import Kind, Refusal

log = logging.getLogger("jigap.realname")

#: Words in channels' messages, in the order in which they are looked for.
_SAYS: tuple[tuple[re.Pattern[str], CodeAnswer], ...] = (
    (re.compile("횟수|too many|attempts", re.I), Rejected(Reason.BURNT)),
    (re.compile("만료|시간|expired", re.I), Rejected(Reason.EXPIRED)),
    (
        re.compile("인증 ?번호.*(불일치|일치하지|틀|다릅|잘못|오류)|(wrong|invalid) otp", re.I),
        WrongCode(),
    ),
)
DEFAULT_URL = "https://api.portone.io"
T = TypeVar("T")


class PortOneMissing(Refusal):
    """The package that speaks to PortOne is not installed."""

    code = "portone_missing"
    kind = Kind.UNAVAILABLE
    hint = "Install it: pip install 'jigap[portone]'."


class PortOne:
    """The store's identity verification channel."""

    name = "portone"

    def __init__(
        self,
        secret: str,
        channel_key: str,
        *,
        store_id: str = "",
        url: str = "",
        timeout_ms: int = 10_000,
        wrong_codes: Collection[str] = (),
    ) -> None:
        """``wrong_codes``: the channel's own codes (pgCode) for a wrong code.

        Raises ``PortOneMissing`` or ``AgencySettingInvalid``."""
        try:
            from portone_server_sdk import IdentityVerificationClient, errors
        except ImportError:
            raise PortOneMissing("PortOne's package is not installed.") from None
        self._errors: Any = errors
        self._client: Any = IdentityVerificationClient(
            secret=secret, base_url=agency_address(url or DEFAULT_URL), store_id=store_id or None
        )
        self._channel_key = channel_key
        self._wrong_codes = frozenset(wrong_codes)
        self._timeout_s = timeout_ms / 1000

    async def request(self, asked: Inquiry) -> RequestAnswer:
        """Have a code sent; see ``provider``."""
        details = asked.details
        if details.carrier is None:
            return Rejected(Reason.NOT_SUPPORTED)
        try:
            await self._within(self._send(asked))
        except self._errors.IdentityVerificationAlreadySentError:
            return CodeSent(asked.request_id)
        except self._errors.PgProviderError:
            return Rejected(Reason.MISMATCH)
        except Exception as error:
            return self._trouble(error)
        return CodeSent(asked.request_id)

    async def confirm(self, asked: CodeInquiry) -> CodeAnswer:
        """Have a code checked; see ``provider``."""
        try:
            answer = await self._within(
                self._client.confirm_identity_verification_async(
                    identity_verification_id=asked.reference, otp=asked.code
                )
            )
            return _compared(answer.identity_verification, asked.details)
        except self._errors.IdentityVerificationAlreadyVerifiedError:
            return await self._verified_before(asked)
        except self._errors.PgProviderError as error:
            return self._judged(error)
        except self._errors.IdentityVerificationNotFoundError:
            return Rejected(Reason.FORGOTTEN)
        except self._errors.IdentityVerificationNotSentError:
            return Rejected(Reason.FORGOTTEN)
        except Exception as error:
            return self._trouble(error)

    def _judged(self, error: Any) -> CodeAnswer:
        """What the channel has against a code."""
        if error.pg_code in self._wrong_codes:
            return WrongCode()
        for words, answer in _SAYS:
            if words.search(error.pg_message):
                return answer
        kind = re.sub(r"[^A-Za-z0-9_-]", "", str(error.pg_code))[:20]
        log.warning("PortOne's channel had trouble with a code (pgCode %s)", kind)
        return InDoubt(f"PortOne's channel had trouble (pgCode {kind})")

    async def close(self) -> None:
        """Give the connections back."""
        await self._client._async_client.aclose()
        self._client._sync_client.close()

    def _send(self, asked: Inquiry) -> Coroutine[Any, Any, Any]:
        details = asked.details
        customer = {
            "name": details.name,
            "phoneNumber": phone_digits(details.phone),
            "identityNumber": details.birth + details.sex,
            "ipAddress": asked.address or "127.0.0.1",
        }
        sending: Coroutine[Any, Any, Any] = self._client.send_identity_verification_async(
            identity_verification_id=asked.request_id,
            channel_key=self._channel_key,
            customer=customer,
            operator=details.carrier,
            method="SMS",
        )
        return sending

    async def _verified_before(self, asked: CodeInquiry) -> CodeAnswer:
        """An answer was lost: look at what was verified."""
        try:
            found = await self._within(
                self._client.get_identity_verification_async(
                    identity_verification_id=asked.reference
                )
            )
            return _compared(found, asked.details)
        except Exception as error:
            return self._trouble(error)

    async def _within(self, call: Coroutine[Any, Any, T]) -> T:
        async with asyncio.timeout(self._timeout_s):
            return await call

    def _trouble(self, error: Exception) -> Rejected | InDoubt:
        """What every other end of a call means."""
        kind = type(error).__name__
        errors = self._errors
        if isinstance(error, errors.UnauthorizedError | errors.ForbiddenError):
            log.error("PortOne does not accept our credentials (%s)", kind)
            return Rejected(Reason.CREDENTIALS)
        if isinstance(error, errors.ChannelNotFoundError):
            log.error("PortOne does not know our channel (%s)", kind)
            return Rejected(Reason.CREDENTIALS)
        if isinstance(error, errors.InvalidRequestError):
            return Rejected(Reason.NOT_SUPPORTED)
        return InDoubt(f"no usable answer of PortOne ({kind})")


def _compared(found: Any, details: Details) -> CodeAnswer:
    """Whether the person whom PortOne verified is the one we asked about."""
    customer = getattr(found, "verified_customer", None)
    if customer is None:
        return InDoubt("PortOne answered, but not with a verified person")
    year = CENTURIES[details.sex] + int(details.birth[:2])
    born = f"{year}-{details.birth[2:4]}-{details.birth[4:]}"
    same = (
        customer.name.replace(" ", "") == details.name.replace(" ", "")
        and customer.birth_date in (None, born)
        and customer.phone_number in (None, phone_digits(details.phone))
    )
    return Approved() if same else Rejected(Reason.MISMATCH)

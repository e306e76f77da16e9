"""The real-name agency over HTTP: signed JSON, as docs/reference/agency.md has it.

What counts is whether the agency may have acted. A connection that breaks, an answer that comes too
late, is not signed or makes no sense leaves that open: the same question is put again, under the
same id and with a fresh nonce, and then it is ``InDoubt``.
"""

import asyncio
import ipaddress
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from jigap import entropy
from jigap.clock import Clock
from jigap.members import phone_digits
from jigap.realname import signing
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
from jigap.refusal import Kind, Refusal

log = logging.getLogger("jigap.realname")

REQUESTS_PATH = "/v1/realname/requests"
ANSWER_MAX_BYTES = 64 * 1024
SECRET_MIN_CHARS = 16
#: Before the second, third, … time of asking.
PAUSES_S = (0.1, 0.3, 1.0)
TIMES_MAX = len(PAUSES_S) + 1

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
#: What the agency's words for a no mean.
REASONS: Mapping[str, Reason] = {
    "MISMATCH": Reason.MISMATCH,
    "DECLINED": Reason.DECLINED,
    "NOT_SUPPORTED": Reason.NOT_SUPPORTED,
    "EXPIRED": Reason.EXPIRED,
    "BURNT": Reason.BURNT,
    "UNKNOWN": Reason.FORGOTTEN,
}


class AgencySettingInvalid(Refusal):
    """The address or the secret of the real-name agency cannot be used."""

    code = "agency_setting_invalid"
    kind = Kind.INVALID
    hint = "Look at agency_url, agency_secret and agency_times in `jigap config show`."


class _Trouble(Exception):
    """No usable answer; its text holds nothing of the request."""


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: dict[str, Any]

    @property
    def result(self) -> str:
        return str(self.body.get("result", ""))


class HttpAgency:
    """An agency at ``{url}/v1/realname/requests``. ``times`` is how often a question is put."""

    name = "agency"

    def __init__(
        self,
        url: str,
        client: str,
        secret: str,
        clock: Clock,
        *,
        timeout_ms: int = 3_000,
        times: int = 2,
    ) -> None:
        """Raises ``AgencySettingInvalid``."""
        if len(secret) < SECRET_MIN_CHARS:
            raise AgencySettingInvalid(f"agency_secret must have {SECRET_MIN_CHARS} characters.")
        if not 1 <= times <= TIMES_MAX:
            raise AgencySettingInvalid(f"agency_times must be 1 to {TIMES_MAX}.")
        self._url = agency_address(url)
        self._client = client
        self._secret = secret.encode()
        self._clock = clock
        self._times = times
        self._timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        self._session: aiohttp.ClientSession | None = None

    async def request(self, asked: Inquiry) -> RequestAnswer:
        """Ask for a code; see ``provider``."""
        details = asked.details
        body = {
            "requestId": asked.request_id,
            "name": details.name,
            "phone": phone_digits(details.phone),
            "birth": details.birth,
            "sex": details.sex,
            "carrier": details.carrier,
        }
        try:
            reply = await self._ask(REQUESTS_PATH, body)
        except _Trouble as trouble:
            return InDoubt(str(trouble))
        reference = reply.body.get("transactionId")
        if reply.result != "CODE_SENT":
            return _rejection(reply)
        if not isinstance(reference, str) or _REFERENCE.fullmatch(reference) is None:
            return InDoubt("the agency sent a code and did not name the check")
        return CodeSent(reference)

    async def confirm(self, asked: CodeInquiry) -> CodeAnswer:
        """Ask whether a code is right; see ``provider``."""
        body = {"requestId": asked.try_id, "code": asked.code}
        try:
            reply = await self._ask(f"{REQUESTS_PATH}/{asked.reference}/confirm", body)
        except _Trouble as trouble:
            return InDoubt(str(trouble))
        if reply.result == "CONFIRMED":
            return Approved()
        if reply.result in ("WRONG_CODE", "ALREADY_USED"):
            return WrongCode()
        return _rejection(reply)

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, path: str, body: dict[str, Any]) -> _Reply:
        """The first usable answer of ``times`` times of asking. Raises ``_Trouble``."""
        content = msgspec.json.encode(body)
        for pause_s in PAUSES_S[: self._times - 1]:
            try:
                return await self._ask_once(path, content)
            except _Trouble as trouble:
                log.info("asking the agency again: %s", trouble)
            await asyncio.sleep(pause_s)
        return await self._ask_once(path, content)

    async def _ask_once(self, path: str, content: bytes) -> _Reply:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        url = self._url + path
        headers = self._signed(urlsplit(url).path, content)
        try:
            async with self._session.post(
                url, data=content, headers=headers, allow_redirects=False
            ) as response:
                found = await _read(response.content)
                signature = response.headers.get(signing.SIGNATURE)
                return self._reply(response.status, found, headers[signing.NONCE], signature)
        except TimeoutError:
            raise _Trouble("the agency did not answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise _Trouble(f"no connection to the agency ({type(error).__name__})") from None

    def _signed(self, path: str, content: bytes) -> dict[str, str]:
        timestamp, nonce = str(self._clock.now_ms()), entropy.random_bytes(16).hex()
        signature = signing.of_request(self._secret, "POST", path, timestamp, nonce, content)
        return {
            "Content-Type": "application/json",
            signing.CLIENT: self._client,
            signing.TIMESTAMP: timestamp,
            signing.NONCE: nonce,
            signing.SIGNATURE: signature,
        }

    def _reply(self, status: int, content: bytes, nonce: str, signature: str | None) -> _Reply:
        """What an answer says, if it is the agency's own. Raises ``_Trouble``."""
        if status in (401, 403):
            log.error("the agency does not accept our credentials (HTTP %d)", status)
            return _Reply(status, {})
        if status in (408, 425, 429) or status >= 500:
            raise _Trouble(f"the agency cannot answer now (HTTP {status})")
        if not signing.matches(signing.of_answer(self._secret, nonce, status, content), signature):
            raise _Trouble("the answer is not signed by the agency")
        try:
            body = msgspec.json.decode(content, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _Trouble("the agency's answer is not JSON") from None
        return _Reply(status, body)


def agency_address(url: str) -> str:
    """The address without its last slash; personal data goes there, so it is HTTPS or this machine.

    Raises ``AgencySettingInvalid``.
    """
    try:
        parsed = urlsplit(url)
        host = parsed.hostname or ""
    except ValueError:
        raise AgencySettingInvalid("The agency's address cannot be read.") from None
    if host and (parsed.scheme == "https" or (parsed.scheme == "http" and _is_here(host))):
        return url.rstrip("/")
    raise AgencySettingInvalid("The agency's address must begin with https:// .")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _rejection(reply: _Reply) -> Rejected | InDoubt:
    if reply.status in (401, 403):
        return Rejected(Reason.CREDENTIALS)
    reason = REASONS.get(reply.result)
    if reason is None:
        return InDoubt(f"the agency's answer is unknown to us (HTTP {reply.status})")
    return Rejected(reason)


async def _read(content: aiohttp.StreamReader) -> bytes:
    found = b""
    while len(found) <= ANSWER_MAX_BYTES and (some := await content.read(ANSWER_MAX_BYTES)):
        found += some
    if len(found) > ANSWER_MAX_BYTES:
        raise _Trouble("the agency's answer is too long")
    return found

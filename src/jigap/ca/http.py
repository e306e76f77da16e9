"""Certificate authorities over HTTP: the two APIs that Symverse documents.

``CitizenInfoCa`` is the one of the paper (4.2): name and phone go along, so it must be HTTPS
outside a test. ``PartnerCa`` is the ID node's: the key hash is all it wants, the secret is in the
path.

What counts is whether the authority may have issued. A connection that breaks, an answer that comes
too late or that makes no sense leaves that open: ``InDoubt``. A clear 4xx says that it did not.
"""

from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from jigap.ca.authority import (
    DUPLICATE_KEY,
    AlreadyIssued,
    Answer,
    CitizenRequest,
    InDoubt,
    Issued,
    RefusedByCa,
)
from jigap.chain import symid
from jigap.chain.invalid import Invalid
from jigap.refusal import Kind, Refusal

ANSWER_SIZE_MAX = 64 * 1024
KOREA = "82"


class CaSettingInvalid(Refusal):
    """The address or the secret of the HTTP authority cannot be used."""

    code = "ca_setting_invalid"
    kind = Kind.INVALID
    hint = "Look at ca_url, ca_kind and ca_secret in `jigap config show`."


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: Any  # the JSON, None when it is not JSON

    @property
    def message(self) -> str:
        text = self.body.get("message") if isinstance(self.body, dict) else None
        return text[:200] if isinstance(text, str) else ""

    @property
    def result(self) -> dict[str, Any]:
        found = self.body.get("result") if isinstance(self.body, dict) else None
        return found if isinstance(found, dict) else {}


class _Trouble(Exception):
    """No usable answer; its text holds nothing of the request."""


class _Http:
    """One connection pool to one authority."""

    def __init__(self, url: str, timeout_ms: int) -> None:
        if not url.startswith(("http://", "https://")):
            raise CaSettingInvalid("ca_url must begin with http:// or https://.")
        self._url = url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: bytes) -> _Reply:
        """The answer to one POST. Raises ``_Trouble``."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            async with self._session.post(
                self._url + path, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await _read(response.content)
                return _Reply(response.status, _json(content))
        except TimeoutError:
            raise _Trouble("the CA did not answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise _Trouble(f"no connection to the CA ({type(error).__name__})") from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


class CitizenInfoCa:
    """``POST {url}/ca/v1/citizenInfo``."""

    def __init__(self, url: str, timeout_ms: int = 10_000) -> None:
        """``url`` is the origin, or the whole address. Raises ``CaSettingInvalid``."""
        path = "/ca/v1/citizenInfo"
        self._http = _Http(url.rstrip("/").removesuffix(path), timeout_ms)
        self._path = path

    async def issue(self, request: CitizenRequest) -> Answer:
        """Ask for a SymID; see ``authority``."""
        body = msgspec.json.encode(
            {
                "id": request.number,
                "mobileNum": national_digits(request.phone),
                "publicKeyHash": request.public_key_hash.hex(),
                "userNm": request.name,
                "verificationType": "CELL_PHONE",
            }
        )
        try:
            reply = await self._http.post(self._path, body)
        except _Trouble as trouble:
            return InDoubt(str(trouble))
        return _answer(reply, "symId", None, request.public_key_hash)

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.close()


class PartnerCa:
    """``POST {url}/caii/d1/{secret}/account/new/{public key hash}``."""

    def __init__(self, url: str, secret: str, timeout_ms: int = 10_000) -> None:
        """``secret`` is 32 hex characters. Raises ``CaSettingInvalid``."""
        if len(secret) != 32 or any(one not in "0123456789abcdefABCDEF" for one in secret):
            raise CaSettingInvalid("ca_secret must be 32 hex characters.")
        self._http = _Http(url, timeout_ms)
        self._path = f"/caii/d1/{secret}/account/new/"

    async def issue(self, request: CitizenRequest) -> Answer:
        """Ask for a SymID; see ``authority``."""
        try:
            reply = await self._http.post(self._path + request.public_key_hash.hex(), b"")
        except _Trouble as trouble:
            return InDoubt(str(trouble))
        return _answer(reply, "symid", "txhash", request.public_key_hash)

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.close()


def national_digits(phone: str) -> str:
    """A phone number as the authority wants it: ``+82 10-1234-5678`` is ``01012345678``."""
    digits = "".join(one for one in phone if one.isascii() and one.isdigit())
    if phone.lstrip().startswith("+" + KOREA):
        return "0" + digits.removeprefix(KOREA).removeprefix("0")
    return digits


def _answer(
    reply: _Reply, symid_name: str, hash_name: str | None, public_key_hash: bytes
) -> Answer:
    """What a status and a body mean, the same for both APIs."""
    if DUPLICATE_KEY in reply.message:
        return AlreadyIssued()
    if reply.status in (200, 201):
        return _issued(reply.result, symid_name, hash_name, public_key_hash)
    if reply.status in (401, 403):
        return RefusedByCa(f"the CA does not accept our credentials (HTTP {reply.status})")
    if reply.status in (408, 425, 429) or reply.status >= 500:
        return InDoubt(f"the CA cannot answer now (HTTP {reply.status})")
    said = f": {reply.message}" if reply.message else ""
    return RefusedByCa(f"the CA refused (HTTP {reply.status}){said}")


def _issued(
    result: dict[str, Any], symid_name: str, hash_name: str | None, public_key_hash: bytes
) -> Answer:
    try:
        issued = symid.parse(str(result[symid_name]))
        transaction_hash = None
        if hash_name is not None and result.get(hash_name) is not None:
            transaction_hash = bytes.fromhex(str(result[hash_name]).removeprefix("0x"))
        if transaction_hash is not None and len(transaction_hash) != 32:
            raise ValueError
        hashes = {_key_hash(one) for one in result.get("citizenBlockList") or ()}
    except (Invalid, KeyError, TypeError, ValueError, AttributeError):
        return InDoubt("the CA answered, but not with a SymID")
    if not symid.is_user(issued):
        return InDoubt("the CA answered with something that is no SymID of a person")
    if hashes and public_key_hash not in hashes:
        return InDoubt("the CA answered with the SymID of another key")
    return Issued(issued, transaction_hash)


def _key_hash(citizen: Any) -> bytes:
    return bytes.fromhex(str(citizen["publicKeyHash"]).removeprefix("0x"))


async def _read(content: aiohttp.StreamReader) -> bytes:
    found = b""
    while len(found) <= ANSWER_SIZE_MAX and (some := await content.read(ANSWER_SIZE_MAX)):
        found += some
    if len(found) > ANSWER_SIZE_MAX:
        raise _Trouble("the CA's answer is too long")
    return found


def _json(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (ValueError, RecursionError):
        return None

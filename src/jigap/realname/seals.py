"""What must not be read in the database: the details of a check, and the codes that were typed."""

import hmac
from typing import Any

import msgspec

from jigap import members
from jigap.keys import KeyRing
from jigap.realname.verification import Details

TRY_BYTES = 16


class Seals:
    """Seals details under the member's data key; hashes codes under a key of the ring."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._try_key = ring.derive("realname-try")

    def seal(self, row: Any, check_id: str, details: Details) -> bytes:
        """The details of a check of the member of ``row``."""
        text = msgspec.json.encode(details).decode()
        return members.seal(self._ring, row.id, row.data_key_sealed, _field(check_id), text)

    def details(self, row: Any, check: Any) -> Details:
        """What ``seal`` sealed."""
        sealed = bytes(check.details_sealed)
        field = _field(check.id)
        text = members.unseal(self._ring, row.id, row.data_key_sealed, field, sealed)
        return msgspec.json.decode(text, type=Details)

    def try_id(self, check_id: str, code: str) -> bytes:
        """The same for the same code of the same check, and nothing to learn the code from."""
        digest = hmac.digest(self._try_key, f"{check_id}\0{code}".encode(), "sha3_256")
        return digest[:TRY_BYTES]


def _field(check_id: str) -> str:
    return f"realname:{check_id}"

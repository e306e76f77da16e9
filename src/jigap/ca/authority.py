"""What a certificate authority does: give a SymID to a key.

Its answer is one of four, and every adapter gives exactly one of them; trouble on the way is an
answer too (``InDoubt``), never an exception. Asking again after a doubt is always safe: no
authority registers one key twice, and what it did register shows up in a citizen block.
"""

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class CitizenRequest:
    """For whom and for which key. ``phone`` is in any written form, ``v_flag`` as in chain.citizen.

    Name and phone are personal: they stay out of representations.
    """

    number: int
    phone: str = field(repr=False)
    name: str = field(repr=False)
    public_key_hash: bytes
    v_flag: int


@dataclass(frozen=True, slots=True)
class Issued:
    """The authority gave this SymID; it is usable once it is in a citizen block."""

    symid: bytes
    transaction_hash: bytes | None


@dataclass(frozen=True, slots=True)
class AlreadyIssued:
    """The key has a SymID already: look for its hash in the citizen blocks."""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody knows whether a SymID was given. Look for the key hash, then ask again."""

    reason: str


@dataclass(frozen=True, slots=True)
class RefusedByCa:
    """The authority said no, for a reason that asking again will not change."""

    reason: str


Answer: TypeAlias = Issued | AlreadyIssued | InDoubt | RefusedByCa


class CertificateAuthority(Protocol):
    """Whoever may give SymIDs."""

    async def issue(self, request: CitizenRequest) -> Answer: ...

    async def close(self) -> None: ...


#: What every known authority and node says when a key is registered already.
DUPLICATE_KEY = "already existed pub_key_hash"

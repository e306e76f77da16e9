"""SymIDs: the 10-byte account names that a certificate authority gives out.

::

    bytes 0-1   2 bits version (0) + 14 bits id of the issuing CA
    bytes 2-7   6 random bytes the CA chose for the person; 0-7 together are the citizen id
    bytes 8-9   sequence number of the account among the person's accounts, 2 to 9999

A SymID is not derived from a key: the CA binds the two in a citizen record. Contracts have
addresses of the same length that follow no layout; so do accounts in old documents. Decoding
therefore only ever asks for 10 bytes, and ``is_user`` tells the ones a CA may issue today.

Inside the program a SymID is ``bytes``; hex exists at the edges, lower case with ``0x``.
"""

import re
from typing import TypeAlias

from jigap.chain import rlp
from jigap.chain.hashing import sha3_256
from jigap.chain.invalid import MalformedSymId

SymId: TypeAlias = bytes

SYMID_BYTES = 10
CITIZEN_ID_BYTES = 8
RANDOM_BYTES = 6

CA_ID_MAX = 0x1400
SEQUENCE_FIRST = 2
SEQUENCE_MAX = 9999

ZERO: SymId = bytes(SYMID_BYTES)
MASTER_CA: SymId = bytes.fromhex("00010000000000010002")
ORACLE: SymId = bytes.fromhex("00010000000000020002")
REWARD: SymId = bytes.fromhex("00010000000000030002")
FIRST_CA: SymId = bytes.fromhex("00020000000000010002")

_HEX = re.compile(r"(?:0[xX])?([0-9a-fA-F]{20})", re.ASCII)


def parse(value: str | bytes) -> SymId:
    """The SymID that ``value`` writes: 20 hex digits in any case, ``0x`` optional, or 10 raw bytes.

    Raises ``MalformedSymId``. The layout is not judged; see ``is_user``.
    """
    if isinstance(value, bytes):
        if len(value) != SYMID_BYTES:
            raise MalformedSymId("invalid SymID: want 10 bytes", found=len(value))
        return value
    match = _HEX.fullmatch(value)
    if match is None:
        raise MalformedSymId("invalid SymID: want 20 hex digits", value=value[:64])
    return bytes.fromhex(match[1])


def to_hex(symid: SymId) -> str:
    """The canonical text: ``0x`` and 20 lower-case digits."""
    return "0x" + symid.hex()


def make(ca_id: int, random6: bytes, sequence: int = SEQUENCE_FIRST) -> SymId:
    """The SymID of account number ``sequence`` of the person to whom CA ``ca_id`` gave ``random6``.

    Raises ``MalformedSymId`` for anything a CA may not issue.
    """
    if len(random6) != RANDOM_BYTES or not 0 <= ca_id < 1 << 14 or not 0 <= sequence < 1 << 16:
        raise MalformedSymId(
            "invalid SymID parts", ca_id=ca_id, random_bytes=len(random6), sequence=sequence
        )
    symid = ca_id.to_bytes(2, "big") + random6 + sequence.to_bytes(2, "big")
    if not is_user(symid):
        raise MalformedSymId("invalid SymID parts", symid=to_hex(symid))
    return symid


def version(symid: SymId) -> int:
    """The two highest bits; 0 in every id in use."""
    return symid[0] >> 6


def ca_id(symid: SymId) -> int:
    """The number of the issuing CA, 14 bits."""
    return int.from_bytes(symid[:2], "big") & 0x3FFF


def citizen_id(symid: SymId) -> bytes:
    """The 8 bytes shared by all accounts of one person."""
    return symid[:CITIZEN_ID_BYTES]


def sequence(symid: SymId) -> int:
    """Which of the person's accounts this is; the first is 2."""
    return int.from_bytes(symid[CITIZEN_ID_BYTES:], "big")


def is_user(symid: SymId) -> bool:
    """Whether a CA may issue this SymID: the layout above, every part in its range."""
    return (
        len(symid) == SYMID_BYTES
        and version(symid) == 0
        and 1 <= ca_id(symid) <= CA_ID_MAX
        and any(symid[2:CITIZEN_ID_BYTES])
        and SEQUENCE_FIRST <= sequence(symid) <= SEQUENCE_MAX
    )


def contract_address(creator: SymId, nonce: int) -> SymId:
    """The address of the contract that ``creator`` makes with the transaction of this ``nonce``.

    Known before sending: the last 10 bytes of SHA3-256(RLP([creator, nonce])).
    """
    return sha3_256(rlp.encode([creator, nonce]))[-SYMID_BYTES:]

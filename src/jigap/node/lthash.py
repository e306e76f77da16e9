"""LtHash: one hash over a whole set, updated in constant time when one element changes.

An element becomes 1024 numbers of 16 bits (SHAKE-128); the sum of all elements, lane by lane modulo
2^16, is the state of the hash and its SHA3-256 the root. Adding and removing commute, so the order
of changes does not matter and the root can be recomputed from any snapshot by one scan. Finding two
sets with one sum is a lattice problem believed to be beyond 200 bits of work (Lewi, Kim, Maykov,
Weis: "Securing Update Propagation with Homomorphic Hashing").

Python has no vector instructions, but its big integers add a thousand lanes at once. A sum is kept
as two of them, the even and the odd lanes, each lane in a slot of 32 bits: the upper half of a slot
takes the carries of up to 2^16 additions before anybody has to look.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from jigap.chain.hashing import sha3_256

LANES = 1024
SUM_BYTES = LANES * 2
#: Additions that fit into a slot before it is reduced.
_BATCH = 1 << 15

_LOW = int.from_bytes(b"\xff\xff\x00\x00" * (LANES // 2), "little")
_ONE_EACH = int.from_bytes(b"\x00\x00\x01\x00" * (LANES // 2), "little")  # 2^16 in every slot


@dataclass(frozen=True, slots=True, repr=False)
class LtHash:
    """The sum over a set; a value, never changed in place."""

    even: int = 0
    odd: int = 0

    def changed(self, removed: Iterable[bytes], added: Iterable[bytes]) -> "LtHash":
        """The sum after these elements left and those came.

        An element must have been added before it is removed; nothing here can know.
        """
        less_even, less_odd = _total(removed)
        more_even, more_odd = _total(added)
        return LtHash(
            _slots(self.even + more_even + _ONE_EACH - less_even),
            _slots(self.odd + more_odd + _ONE_EACH - less_odd),
        )

    def root(self) -> bytes:
        """The 32 bytes that stand for the set."""
        return sha3_256(self.encode())

    def __repr__(self) -> str:
        return f"LtHash(root=0x{self.root().hex()})"

    def encode(self) -> bytes:
        """The sum in 2048 bytes, little-endian lanes in order."""
        return (self.even | self.odd << 16).to_bytes(SUM_BYTES, "little")

    @classmethod
    def decode(cls, data: bytes) -> "LtHash":
        """The sum from its 2048 bytes."""
        if len(data) != SUM_BYTES:
            raise ValueError(f"an LtHash sum has {SUM_BYTES} bytes, not {len(data)}")
        number = int.from_bytes(data, "little")
        return cls(number & _LOW, (number >> 16) & _LOW)


def _slots(total: int) -> int:
    return total & _LOW


def _total(elements: Iterable[bytes]) -> tuple[int, int]:
    """The lane-wise sum of elements, each lane below 2^16."""
    even = odd = 0
    waiting = iter(elements)
    while batch := list(islice(waiting, _BATCH)):
        for element in batch:
            number = int.from_bytes(hashlib.shake_128(element).digest(SUM_BYTES), "little")
            even += number & _LOW
            odd += (number >> 16) & _LOW
        even &= _LOW
        odd &= _LOW
    return even, odd

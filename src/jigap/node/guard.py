"""The double-sign guard: what this signer has last put its name under.

A block signer that signs two blocks of one height has forked its chain. So the block itself, whole,
is written to a file of the guard and synced *before* the store hears of it, and no other block at
or below that height is ever let through. After a crash between the two the same block is taken from
here and committed; it is not made again, since another second would give another block.

Two slots are written in turn, each with a checksum: a torn write destroys the older slot only.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from jigap.chain.hashing import HASH_BYTES, sha3_256
from jigap.refusal import Kind, Refusal

_MAGIC = b"jigap guard 1\n\0\0"
_HEAD_BYTES = len(_MAGIC) + 8 + HASH_BYTES + 4


class DoubleSign(Refusal):
    """Another block at or below the height last signed."""

    code: ClassVar[str] = "double_sign"
    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    hint: ClassVar[str] = (
        "The chain store is older than the guard beside it. Restore both from the same backup."
    )


class GuardDamaged(Refusal):
    """Neither slot can be read, which no crash explains: nobody knows what was signed."""

    code: ClassVar[str] = "guard_damaged"
    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    hint: ClassVar[str] = (
        "Put the guard files back from a backup. Deleting them lets the node sign anything above "
        "its store again: do so only if no newer copy of the chain exists anywhere."
    )


@dataclass(frozen=True, slots=True)
class SignedBlock:
    """What was last signed: height, block hash, encoded block."""

    number: int
    hash: bytes
    block: bytes


class Guard:
    """The guard files in ``folder``. One process only; the caller holds the folder's lock.

    Raises ``GuardDamaged``.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = (folder / "signed.0", folder / "signed.1")
        found = [signed for path in self._paths if (signed := _read(path)) is not None]
        if not found and all(path.exists() for path in self._paths):
            raise GuardDamaged(f"neither guard file in {folder} can be read", folder=str(folder))
        self.last: SignedBlock | None = max(found, key=lambda one: one.number, default=None)

    def check(self, number: int, block_hash: bytes) -> None:
        """Raises ``DoubleSign`` unless this block may be signed."""
        last = self.last
        if last is None or number > last.number:
            return
        if number == last.number and block_hash == last.hash:
            return
        raise DoubleSign(
            f"block {number} was asked for, but block {last.number} is already signed",
            number=number,
            last_number=last.number,
        )

    def sign(self, number: int, block_hash: bytes, block: bytes) -> None:
        """Remember this block, synced, before anybody may see it; raises ``DoubleSign``."""
        self.check(number, block_hash)
        if self.last is not None and number == self.last.number:
            return
        _write(self._paths[number % 2], SignedBlock(number, block_hash, block))
        self.last = SignedBlock(number, block_hash, block)


def _read(path: Path) -> SignedBlock | None:
    """The block in a slot; None where there is none or its write was cut short."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    head = data[:_HEAD_BYTES]
    if len(head) < _HEAD_BYTES or not head.startswith(_MAGIC):
        return None
    at = len(_MAGIC)
    size = int.from_bytes(head[-4:], "big")
    block = data[_HEAD_BYTES : _HEAD_BYTES + size]
    checksum = data[_HEAD_BYTES + size : _HEAD_BYTES + size + HASH_BYTES]
    if checksum != sha3_256(head + block):
        return None
    return SignedBlock(int.from_bytes(head[at : at + 8], "big"), head[at + 8 : -4], block)


def _write(path: Path, signed: SignedBlock) -> None:
    head = (
        _MAGIC
        + signed.number.to_bytes(8, "big")
        + signed.hash
        + len(signed.block).to_bytes(4, "big")
    )
    data = head + signed.block + sha3_256(head + signed.block)
    new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        written = 0
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], written)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

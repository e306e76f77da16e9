"""Merkle trees: showing that something is in a block without showing the block.

The tree has the shape of RFC 6962: leaves in order, hashed in pairs, the odd one carried up.
Leaves and inner nodes are hashed under different prefixes, so neither can pass for the other. The
root also commits to the number of leaves: without it a path could be read as that of another
position in a tree of another size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jigap.chain.hashing import HASH_BYTES, sha3_256

_LEAF = b"\x00"
_NODE = b"\x01"
_ROOT = b"\x02"

LEAVES_MAX = 2**32


@dataclass(frozen=True, slots=True)
class Path:
    """The way from leaf ``index`` of ``size`` up to the root: the other side at each level."""

    index: int
    size: int
    siblings: tuple[bytes, ...]


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The 32-byte root over the leaves in order; an empty list has a root too."""
    level = [sha3_256(_LEAF + leaf) for leaf in leaves]
    while len(level) > 1:
        level = _parents(level)
    return _root(len(leaves), level[0] if level else b"")


def merkle_path(leaves: Sequence[bytes], index: int) -> Path:
    """The path of leaf ``index``; raises ``IndexError`` if there is no such leaf."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} among {len(leaves)}")
    siblings = []
    level = [sha3_256(_LEAF + leaf) for leaf in leaves]
    position = index
    while len(level) > 1:
        if position ^ 1 < len(level):
            siblings.append(level[position ^ 1])
        level = _parents(level)
        position >>= 1
    return Path(index, len(leaves), tuple(siblings))


def verify_path(root: bytes, leaf: bytes, path: Path) -> bool:
    """Whether ``leaf`` is at ``path.index`` among the ``path.size`` leaves under ``root``."""
    if not 0 <= path.index < path.size <= LEAVES_MAX:
        return False
    node = sha3_256(_LEAF + leaf)
    position, width = path.index, path.size
    siblings = iter(path.siblings)
    while width > 1:
        if position ^ 1 < width:
            sibling = next(siblings, b"")
            if len(sibling) != HASH_BYTES:
                return False
            node = _join(sibling, node) if position & 1 else _join(node, sibling)
        position >>= 1
        width = (width + 1) >> 1
    return next(siblings, None) is None and _root(path.size, node) == root


def _parents(level: list[bytes]) -> list[bytes]:
    parents = [_join(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    if len(level) % 2:
        parents.append(level[-1])
    return parents


def _join(left: bytes, right: bytes) -> bytes:
    return sha3_256(_NODE + left + right)


def _root(size: int, top: bytes) -> bytes:
    return sha3_256(_ROOT + size.to_bytes(8, "big") + top)

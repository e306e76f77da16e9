"""Merkle paths: every leaf can be shown, and nothing else can."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jigap.chain.hashing import sha3_256
from jigap.chain.proof import Path, merkle_path, merkle_root, verify_path

FAST = settings(max_examples=150, deadline=None)

leaf_lists = st.lists(st.binary(max_size=40), min_size=1, max_size=40)


def rfc_6962(leaves: list[bytes]) -> bytes:
    """The tree head as RFC 6962 defines it, by recursion on the largest power of two."""
    if len(leaves) == 1:
        return sha3_256(b"\0" + leaves[0])
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha3_256(b"\1" + rfc_6962(leaves[:split]) + rfc_6962(leaves[split:]))


@FAST
@given(leaf_lists)
@example([b""])
@example([b"a"] * 33)
def test_the_root_is_the_rfc_6962_tree_under_its_size(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == sha3_256(
        b"\2" + len(leaves).to_bytes(8, "big") + rfc_6962(leaves)
    )


@FAST
@given(leaf_lists)
def test_every_leaf_has_a_path_that_verifies(leaves: list[bytes]) -> None:
    root = merkle_root(leaves)
    for index, leaf in enumerate(leaves):
        assert verify_path(root, leaf, merkle_path(leaves, index))


@st.composite
def proven(draw: st.DrawFn) -> tuple[bytes, bytes, Path]:
    leaves = draw(leaf_lists)
    index = draw(st.integers(0, len(leaves) - 1))
    return merkle_root(leaves), leaves[index], merkle_path(leaves, index)


def changed(data: bytes, draw: st.DataObject) -> bytes:
    position = draw.draw(st.integers(0, len(data) - 1))
    mask = draw.draw(st.integers(1, 255))
    return data[:position] + bytes((data[position] ^ mask,)) + data[position + 1 :]


@FAST
@given(proven(), st.binary(max_size=40))
def test_another_leaf_fails(claim: tuple[bytes, bytes, Path], other: bytes) -> None:
    root, leaf, path = claim
    assert verify_path(root, other, path) == (other == leaf)


@FAST
@given(st.lists(st.sampled_from([b"", b"a", b"b"]), min_size=1, max_size=20), st.data())
def test_another_index_fails(leaves: list[bytes], data: st.DataObject) -> None:
    """A path serves another index only if the very same leaf has the very same path there."""
    path = merkle_path(leaves, data.draw(st.integers(0, len(leaves) - 1)))
    leaf = leaves[path.index]
    index = data.draw(st.integers(-2, 2 * len(leaves)))
    twin = 0 <= index < len(leaves) and leaves[index] == leaf
    twin = twin and merkle_path(leaves, index).siblings == path.siblings
    assert verify_path(merkle_root(leaves), leaf, replace(path, index=index)) == twin


@FAST
@given(proven(), st.integers(-2, 2**40))
def test_another_size_fails(claim: tuple[bytes, bytes, Path], size: int) -> None:
    root, leaf, path = claim
    assert verify_path(root, leaf, replace(path, size=size)) == (size == path.size)


@FAST
@given(proven(), st.data())
def test_any_changed_byte_fails(claim: tuple[bytes, bytes, Path], data: st.DataObject) -> None:
    root, leaf, path = claim
    assert not verify_path(changed(root, data), leaf, path)
    if path.siblings:
        number = data.draw(st.integers(0, len(path.siblings) - 1))
        siblings = list(path.siblings)
        siblings[number] = changed(siblings[number], data)
        assert not verify_path(root, leaf, replace(path, siblings=tuple(siblings)))


@FAST
@given(proven(), st.binary(max_size=33))
def test_a_longer_or_shorter_path_fails(claim: tuple[bytes, bytes, Path], extra: bytes) -> None:
    root, leaf, path = claim
    assert not verify_path(root, leaf, replace(path, siblings=(*path.siblings, extra)))
    if path.siblings:
        assert not verify_path(root, leaf, replace(path, siblings=path.siblings[:-1]))


@FAST
@given(leaf_lists)
def test_an_inner_node_is_not_a_leaf(leaves: list[bytes]) -> None:
    """The concatenation under a pair of leaves cannot be shown as a leaf of a smaller tree."""
    doubled = [*leaves, *leaves]
    inner = sha3_256(b"\0" + doubled[0]) + sha3_256(b"\0" + doubled[1])
    path = merkle_path(doubled, 0)
    short = Path(0, (path.size + 1) // 2, path.siblings[1:])
    assert not verify_path(merkle_root(doubled), inner, short)


def test_no_path_for_a_leaf_that_is_not_there() -> None:
    for index in (-1, 1):
        with pytest.raises(IndexError):
            merkle_path([b"a"], index)

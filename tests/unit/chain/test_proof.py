from jigap.chain.hashing import sha3_256
from jigap.chain.proof import Path, merkle_path, merkle_root, verify_path


def test_an_empty_list_has_a_root_and_no_leaf() -> None:
    root = merkle_root([])
    assert root == sha3_256(b"\x02" + bytes(8))
    assert not verify_path(root, b"", Path(0, 0, ()))


def test_a_single_leaf_needs_no_siblings() -> None:
    assert merkle_path([b"only"], 0) == Path(0, 1, ())
    assert verify_path(merkle_root([b"only"]), b"only", Path(0, 1, ()))


def test_the_order_of_leaves_matters() -> None:
    assert merkle_root([b"a", b"b"]) != merkle_root([b"b", b"a"])


def test_repeating_the_odd_leaf_gives_another_root() -> None:
    """Trees that double the last leaf confuse three leaves with four; this one does not."""
    assert merkle_root([b"a", b"b", b"c"]) != merkle_root([b"a", b"b", b"c", b"c"])


def test_a_path_claiming_a_huge_tree_is_refused_at_once() -> None:
    assert not verify_path(bytes(32), b"", Path(0, 2**70, ()))

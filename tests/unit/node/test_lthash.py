"""The set hash: order does not matter, removing undoes adding, lanes as defined."""

import hashlib

import pytest

from jigap.chain.hashing import sha3_256
from jigap.node import lthash
from jigap.node.lthash import LANES, SUM_BYTES, LtHash


def plain_sum(elements: list[bytes]) -> bytes:
    """The definition, lane by lane."""
    lanes = [0] * LANES
    for element in elements:
        stream = hashlib.shake_128(element).digest(SUM_BYTES)
        for lane in range(LANES):
            number = int.from_bytes(stream[2 * lane : 2 * lane + 2], "little")
            lanes[lane] = (lanes[lane] + number) % (1 << 16)
    return b"".join(number.to_bytes(2, "little") for number in lanes)


def test_agrees_with_the_definition_lane_by_lane() -> None:
    elements = [bytes([number]) * number for number in range(1, 40)]
    assert LtHash().changed((), elements).encode() == plain_sum(elements)


def test_removing_takes_lanes_below_zero_around() -> None:
    left = [b"a", b"b"]
    gone = [bytes([number]) for number in range(100)]
    both = LtHash().changed((), left + gone)
    assert both.changed(gone, ()).encode() == plain_sum(left)
    assert both.changed(gone, ()) == LtHash().changed((), left)


def test_order_does_not_matter() -> None:
    one = LtHash().changed((), [b"x", b"y", b"z"])
    other = LtHash().changed((), [b"z"]).changed((), [b"y"]).changed((), [b"x"])
    assert one == other and one.root() == other.root()


def test_a_batch_larger_than_a_slot_can_carry_is_reduced_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elements = [number.to_bytes(2, "big") for number in range(50)]
    expected = LtHash().changed((), elements)
    monkeypatch.setattr(lthash, "_BATCH", 3)
    assert LtHash().changed((), elements) == expected


def test_the_root_of_nothing_is_that_of_zero_lanes() -> None:
    assert LtHash().root() == sha3_256(bytes(SUM_BYTES))


def test_the_kept_form_reads_back() -> None:
    sum_ = LtHash().changed((), [b"x", b"y"])
    assert LtHash.decode(sum_.encode()) == sum_
    with pytest.raises(ValueError, match="2048"):
        LtHash.decode(b"short")

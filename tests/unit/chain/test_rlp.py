import pytest

from jigap.chain import rlp
from jigap.chain.invalid import MalformedRlp


@pytest.mark.parametrize(
    ("item", "encoded"),
    [
        (b"", "80"),
        (b"\x00", "00"),
        (b"\x7f", "7f"),
        (b"\x80", "8180"),
        (b"dog", "83646f67"),
        (b"a" * 55, "b7" + "61" * 55),
        (b"a" * 56, "b838" + "61" * 56),
        (b"a" * 1024, "b90400" + "61" * 1024),
        ([], "c0"),
        ([b"cat", b"dog"], "c88363617483646f67"),
        ([[], [[]], [[], [[]]]], "c7c0c1c0c3c0c1c0"),
        ([b"a"] * 56, "f838" + "61" * 56),
    ],
)
def test_writes_and_reads_the_documented_forms(item: rlp.Item, encoded: str) -> None:
    assert rlp.encode(item).hex() == encoded
    assert rlp.decode(bytes.fromhex(encoded)) == item


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "80"),
        (1, "01"),
        (127, "7f"),
        (128, "8180"),
        (1024, "820400"),
        (2**64, "89" + "01" + "00" * 8),
    ],
)
def test_writes_integers_in_their_shortest_form(number: int, encoded: str) -> None:
    assert rlp.encode(number).hex() == encoded


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ("", "rlp: empty input"),
        ("8100", "rlp: non-canonical size information"),
        ("817f", "rlp: non-canonical size information"),
        ("81", "rlp: value size exceeds available input length"),
        ("8261", "rlp: value size exceeds available input length"),
        ("b801ff", "rlp: non-canonical size information"),
        ("b837" + "00" * 55, "rlp: non-canonical size information"),
        ("b90038" + "00" * 56, "rlp: non-canonical size information"),
        ("b8", "rlp: value size exceeds available input length"),
        ("bfffffffffffffffff", "rlp: value size exceeds available input length"),
        ("c1", "rlp: value size exceeds available input length"),
        ("c28261", "rlp: value size exceeds available input length"),
        ("c2826161", "rlp: value size exceeds available input length"),
        ("f800", "rlp: non-canonical size information"),
        ("f90038" + "00" * 56, "rlp: non-canonical size information"),
        ("8080", "rlp: input contains more than one value"),
    ],
)
def test_refuses_every_other_form(encoded: str, message: str) -> None:
    with pytest.raises(MalformedRlp) as refusal:
        rlp.decode(bytes.fromhex(encoded))
    assert str(refusal.value) == message


def nested(depth: int) -> rlp.Item:
    item: rlp.Item = []
    for _ in range(depth - 1):
        item = [item]
    return item


def test_reads_lists_down_to_the_depth_limit_and_no_deeper() -> None:
    deepest = nested(rlp.DEPTH_MAX)
    assert rlp.decode(rlp.encode(deepest)) == deepest
    with pytest.raises(MalformedRlp, match="nested too deeply"):
        rlp.decode(rlp.encode(nested(rlp.DEPTH_MAX + 1)))


def test_a_bomb_of_nested_lists_is_refused_without_recursion_error() -> None:
    bomb = b""
    for _ in range(5000):
        bomb = rlp.wrap(bomb)
    with pytest.raises(MalformedRlp, match="nested too deeply"):
        rlp.decode(bomb)


def test_leading_zeros_are_tolerated_only_on_request() -> None:
    assert rlp.decode_int(b"\x00\x05", lenient=True) == 5
    for data in (b"\x00", b"\x00\x05"):
        with pytest.raises(MalformedRlp, match="leading zero"):
            rlp.decode_int(data)


def test_readers_name_the_field_and_the_numbers_that_disagree() -> None:
    with pytest.raises(MalformedRlp) as refusal:
        rlp.read_list([b""], "workNodes", 2)
    assert str(refusal.value) == "rlp: too few elements for workNodes"
    assert refusal.value.facts == {"expected": 2, "found": 1}


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: rlp.read_list(b"", "x"), "rlp: expected input list for x"),
        (lambda: rlp.read_list([b"", b""], "x", 1), "rlp: input list has too many elements for x"),
        (lambda: rlp.read_bytes([], "x"), "rlp: expected input string or byte for x"),
        (lambda: rlp.read_bytes(b"ab", "x", 1), "rlp: input string too long for x"),
        (lambda: rlp.read_bytes(b"ab", "x", 3), "rlp: input string too short for x"),
        (lambda: rlp.read_int([], "x"), "rlp: expected input string or byte for x"),
        (lambda: rlp.read_int(b"\x01" * 9, "x"), "rlp: input string too long for x"),
        (
            lambda: rlp.read_int(b"\x00", "x"),
            "rlp: non-canonical integer (leading zero bytes) for x",
        ),
    ],
)
def test_readers_refuse_the_wrong_shape(read, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MalformedRlp) as refusal:
        read()
    assert str(refusal.value) == message

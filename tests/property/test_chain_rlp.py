"""RLP: one encoding per item, and nothing else is accepted."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from jigap.chain import rlp
from jigap.chain.invalid import MalformedRlp

FAST = settings(max_examples=200, deadline=None)

items = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=8), max_leaves=30
)


def decoded(data: bytes) -> rlp.Item | None:
    try:
        return rlp.decode(data)
    except MalformedRlp as refusal:
        assert str(refusal).startswith("rlp: ")
        return None


@FAST
@given(items)
@example(b"")
@example([])
@example(b"\x7f")
@example(b"\x80")
@example(bytes(55))
@example(bytes(56))
@example(bytes(2**16))
@example([bytes(54)])
@example([bytes(55)])
def test_what_is_encoded_is_decoded(item: rlp.Item) -> None:
    assert rlp.decode(rlp.encode(item)) == item


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=80))
@example(b"\x81\x01")
@example(b"\xb8\x01\xff")
@example(b"\xb8\x37" + bytes(55))
@example(b"\xb9\x00\x38" + bytes(56))
@example(b"\xf8\x00")
@example(b"\xf8\x37" + bytes(55))
@example(b"\xc0\xc0")
@example(b"\xbf" + b"\xff" * 8)
@example(b"\xff" * 9)
@example(b"\xc1" * 80)
def test_any_bytes_are_the_one_encoding_or_refused(data: bytes) -> None:
    """If bytes decode at all, encoding gives exactly these bytes back."""
    item = decoded(data)
    assert item is None or rlp.encode(item) == data


@FAST
@given(items, st.data())
def test_a_changed_byte_is_another_item_or_refused(item: rlp.Item, data: st.DataObject) -> None:
    encoded = bytearray(rlp.encode(item))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= data.draw(st.integers(1, 255))
    assert decoded(bytes(encoded)) != item


@FAST
@given(items, st.data())
def test_a_prefix_is_refused(item: rlp.Item, data: st.DataObject) -> None:
    encoded = rlp.encode(item)
    assert decoded(encoded[: data.draw(st.integers(0, len(encoded) - 1))]) is None


@FAST
@given(items, st.binary(min_size=1, max_size=8))
def test_trailing_bytes_are_refused(item: rlp.Item, trailing: bytes) -> None:
    assert decoded(rlp.encode(item) + trailing) is None


@FAST
@given(st.binary(min_size=1, max_size=300), st.booleans())
def test_a_longer_length_than_needed_is_refused(content: bytes, as_list: bool) -> None:
    """The same content under a length field that is one byte too wide."""
    short, long = (0xC0, 0xF7) if as_list else (0x80, 0xB7)
    payload = b"".join([rlp.encode(bytes((byte,))) for byte in content]) if as_list else content
    size = rlp.encode_int(len(payload))
    wide = b"\x00" + size if len(payload) > 55 else size
    assert decoded(bytes((long + len(wide),)) + wide + payload) is None
    if len(payload) <= 55 and (as_list or payload[0] >= 0x80 or len(payload) > 1):
        assert decoded(bytes((short + len(payload),)) + payload) is not None


@FAST
@given(st.integers(0, 2**300))
def test_integers_round_trip_in_their_shortest_form(number: int) -> None:
    encoded = rlp.encode_int(number)
    assert rlp.decode_int(encoded) == number
    assert encoded[:1] != b"\0"
    assert rlp.decode_int(b"\0" + encoded, lenient=True) == number


@FAST
@given(st.integers(0, 2**256 - 1))
def test_an_integer_encodes_like_its_bytes(number: int) -> None:
    assert rlp.encode([number]) == rlp.encode([rlp.encode_int(number)])

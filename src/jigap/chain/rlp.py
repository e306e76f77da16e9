"""RLP, the encoding of everything that is hashed or signed.

An item is a byte string or a list of items. There is exactly one encoding of an item; every other
byte sequence is refused, because two encodings of one transaction would be two hashes of it.
Integers are not known to RLP: they travel as their shortest big-endian bytes, zero as the empty
string, and whoever expects an integer reads it with ``decode_int`` or ``read_int``.

Every error is a ``MalformedRlp`` whose message begins with ``rlp: ``.
"""

from collections.abc import Sequence
from typing import TypeAlias

from jigap.chain.invalid import MalformedRlp

Item: TypeAlias = bytes | list["Item"]
"""What decoding gives."""

Encodable: TypeAlias = bytes | int | Sequence["Encodable"]
"""What encoding takes: an ``int`` is written as its shortest big-endian bytes."""

DEPTH_MAX = 16
"""Deepest nesting of lists that is decoded; the deepest known message needs four."""

_SHORT_MAX = 55
_STRING = 0x80
_LONG_STRING = 0xB7
_LIST = 0xC0
_LONG_LIST = 0xF7


def encode(item: Encodable) -> bytes:
    """The canonical encoding of a byte string, a non-negative integer or a list of these."""
    if isinstance(item, bytes):
        return _encode_string(item)
    if isinstance(item, int):
        return _encode_string(encode_int(item))
    return wrap(b"".join([encode(part) for part in item]))


def wrap(payload: bytes) -> bytes:
    """The list whose already encoded elements are ``payload``."""
    return _head(len(payload), _LIST) + payload


def encode_int(number: int) -> bytes:
    """The shortest big-endian bytes of a non-negative integer; zero is the empty string."""
    return number.to_bytes((number.bit_length() + 7) >> 3, "big")


def decode(data: bytes) -> Item:
    """The one item that ``data`` encodes, all of it; raises ``MalformedRlp``."""
    if not data:
        raise MalformedRlp("rlp: empty input")
    items = _decode_payload(data, 0, len(data), 0)
    if len(items) != 1:
        raise MalformedRlp("rlp: input contains more than one value", values=len(items))
    return items[0]


def decode_int(data: bytes, *, lenient: bool = False) -> int:
    """The integer in ``data``; leading zero bytes are refused unless ``lenient``."""
    if data[:1] == b"\0" and not lenient:
        raise MalformedRlp("rlp: non-canonical integer (leading zero bytes)")
    return int.from_bytes(data, "big")


def read_list(item: Item, what: str, count: int | None = None) -> list[Item]:
    """``item`` as a list, of ``count`` elements if given; ``what`` names it in the error."""
    if not isinstance(item, list):
        raise MalformedRlp(f"rlp: expected input list for {what}")
    if count is not None and len(item) != count:
        words = "too few elements" if len(item) < count else "input list has too many elements"
        raise MalformedRlp(f"rlp: {words} for {what}", expected=count, found=len(item))
    return item


def read_bytes(item: Item, what: str, size: int | None = None) -> bytes:
    """``item`` as a byte string, of exactly ``size`` bytes if given."""
    if not isinstance(item, bytes):
        raise MalformedRlp(f"rlp: expected input string or byte for {what}")
    if size is not None and len(item) != size:
        words = "too short" if len(item) < size else "too long"
        raise MalformedRlp(f"rlp: input string {words} for {what}", expected=size, found=len(item))
    return item


def read_int(item: Item, what: str, size_max: int = 8, *, lenient: bool = False) -> int:
    """``item`` as an integer of at most ``size_max`` bytes (8: unsigned 64-bit, 32: 256-bit)."""
    if not isinstance(item, bytes):
        raise MalformedRlp(f"rlp: expected input string or byte for {what}")
    if len(item) > size_max:
        raise MalformedRlp(
            f"rlp: input string too long for {what}", size_max=size_max, found=len(item)
        )
    if not lenient and item[:1] == b"\0":
        raise MalformedRlp(f"rlp: non-canonical integer (leading zero bytes) for {what}")
    return int.from_bytes(item, "big")


def _encode_string(data: bytes) -> bytes:
    size = len(data)
    if size == 1 and data[0] < _STRING:
        return data
    return _head(size, _STRING) + data


def _head(size: int, offset: int) -> bytes:
    if size <= _SHORT_MAX:
        return bytes((offset + size,))
    length = encode_int(size)
    return bytes((offset + _SHORT_MAX + len(length),)) + length


def _decode_payload(data: bytes, start: int, end: int, depth: int) -> list[Item]:
    """The items that fill ``data[start:end]`` exactly."""
    items: list[Item] = []
    position = start
    while position < end:
        head = data[position]
        position += 1
        if head < _STRING:
            items.append(data[position - 1 : position])
            continue
        position, stop = _bounds(data, position, end, head)
        if head >= _LIST:
            if depth == DEPTH_MAX:
                raise MalformedRlp("rlp: lists nested too deeply", depth_max=DEPTH_MAX)
            items.append(_decode_payload(data, position, stop, depth + 1))
        else:
            if head == _STRING + 1 and data[position] < _STRING:
                raise MalformedRlp("rlp: non-canonical size information")
            items.append(data[position:stop])
        position = stop
    return items


def _bounds(data: bytes, position: int, end: int, head: int) -> tuple[int, int]:
    """Where the content of the item with this head byte begins and ends."""
    if head <= _LONG_STRING:
        stop = position + head - _STRING
    elif head < _LIST:
        position, stop = _long_bounds(data, position, end, head - _LONG_STRING)
    elif head <= _LONG_LIST:
        stop = position + head - _LIST
    else:
        position, stop = _long_bounds(data, position, end, head - _LONG_LIST)
    if stop > end:
        raise MalformedRlp("rlp: value size exceeds available input length")
    return position, stop


def _long_bounds(data: bytes, position: int, end: int, length_bytes: int) -> tuple[int, int]:
    start = position + length_bytes
    if start > end:
        raise MalformedRlp("rlp: value size exceeds available input length")
    size = int.from_bytes(data[position:start], "big")
    if data[position] == 0 or size <= _SHORT_MAX:
        raise MalformedRlp("rlp: non-canonical size information")
    return start, start + size

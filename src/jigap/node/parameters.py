"""Reading the parameters of a JSON-RPC call.

Every reader takes the list of parameters and a position, and answers with a value of the right kind
or raises ``InvalidParams`` with the words a Symverse node uses.
"""

import re
from typing import Any, TypeAlias

from jigap.chain.hashing import HASH_BYTES
from jigap.chain.symid import SYMID_BYTES, SymId

Params: TypeAlias = list[Any]

#: Decoded data longer than this is refused before it is looked at.
DATA_BYTES_MAX = 64 << 10

_HEX = re.compile(r"0[xX][0-9a-fA-F]*", re.ASCII)
_HEX_DATA = re.compile(r"(?:0[xX])?([0-9a-fA-F]*)", re.ASCII)


class InvalidParams(Exception):
    """The parameters are missing or of the wrong kind."""


def required(params: Params, at: int) -> Any:
    """A parameter that must be there."""
    if len(params) <= at or params[at] is None:
        raise InvalidParams(f"missing value for required argument {at}")
    return params[at]


def refuse(at: int, why: str) -> InvalidParams:
    """The refusal of one parameter."""
    return InvalidParams(f"invalid argument {at}: {why}")


def read_data(params: Params, at: int, length: int | None = None) -> bytes:
    """Hex data, with or without ``0x``; of exactly ``length`` bytes if given."""
    text = required(params, at)
    match = _HEX_DATA.fullmatch(text) if isinstance(text, str) else None
    if match is None or len(match[1]) % 2:
        raise refuse(at, "expected hex data")
    if len(match[1]) > 2 * DATA_BYTES_MAX:
        raise refuse(at, "too long")
    value = bytes.fromhex(match[1])
    if length is not None and len(value) != length:
        raise refuse(at, f"expected {length} bytes, got {len(value)}")
    return value


def read_symid(params: Params, at: int) -> SymId:
    """A SymID or contract address."""
    return read_data(params, at, SYMID_BYTES)


def read_hash(params: Params, at: int) -> bytes:
    """A 32-byte hash."""
    return read_data(params, at, HASH_BYTES)


def read_number(value: Any, at: int) -> int:
    """A hex quantity or a JSON number."""
    if isinstance(value, str) and _HEX.fullmatch(value) and 2 < len(value) <= 66:
        return int(value, 16)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise refuse(at, "expected a hex quantity")


def read_flag(params: Params, at: int) -> bool:
    """A flag that is off unless it is ``true``."""
    return len(params) > at and params[at] is True


def read_mapping(params: Params, at: int) -> dict[str, Any]:
    """A JSON object."""
    value = required(params, at)
    if not isinstance(value, dict):
        raise refuse(at, "expected an object")
    return value

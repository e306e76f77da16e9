"""The SCT templates: which methods each has, what they take and what they cost.

A Symverse contract has no code of its own. It is an instance of a *template* that the node knows,
and a call is ``RLP([template, method, [parameters...]])``. This module is the table of all
templates, enough to write a call of any of them and to price it. Only SCT-20 is also executed here
(see ``sct20``).

Where published lists disagree (SCT-22 numbering, some SCT-21 and SCT-40 costs) the table follows
the document tables.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from jigap.chain import rlp, symid
from jigap.chain.invalid import MalformedCall, MalformedRlp, MalformedSymId, UnsupportedTemplate

SCT20 = 20
SCT21 = 21
SCT22 = 22
SCT30 = 30
SCT40 = 40

AMOUNT_BYTES_MAX = 32

_QUANTITY = re.compile(r"0[xX][0-9a-fA-F]{1,64}", re.ASCII)

Parameter: TypeAlias = int | str | bytes | Sequence["Parameter"]
"""An integer, a UTF-8 text, raw bytes (such as a SymID), or a list of these."""


class Kind(Enum):
    """How a parameter is written."""

    TEXT = "text"
    SYMID = "symid"
    INTEGER = "integer"
    ITEMS = "items"  # the parameter list *is* a list of items


@dataclass(frozen=True, slots=True)
class MethodForm:
    """One method of a template: its name, its parameters in order, and its operation gas.

    The gas of a method that creates items is per item.
    """

    name: str
    gas: int
    parameters: tuple[tuple[str, Kind], ...]


_KINDS = {
    "name": Kind.TEXT,
    "symbol": Kind.TEXT,
    "owner": Kind.SYMID,
    "to": Kind.SYMID,
    "from": Kind.SYMID,
    "amount": Kind.INTEGER,
    "lockAmount": Kind.INTEGER,
    "cpoint": Kind.INTEGER,
    "index": Kind.INTEGER,
    "items": Kind.ITEMS,
}


def _method(name: str, gas: int, parameters: str = "") -> MethodForm:
    return MethodForm(name, gas, tuple((word, _KINDS[word]) for word in parameters.split()))


TEMPLATES: Mapping[int, Mapping[int, MethodForm]] = {
    SCT20: {
        0: _method("CREATE", 49_000, "name symbol amount owner"),
        1: _method("TRANSFER", 7_000, "to amount"),
        2: _method("TRANSFER_FROM", 9_000, "from to amount"),
        3: _method("APPROVE", 7_000, "to amount"),
        4: _method("DECREASE_APPROVE", 7_000, "to amount"),
        5: _method("MINT", 7_000, "to amount"),
        6: _method("BURN", 7_000, "from amount"),
        7: _method("PAUSE", 4_000),
        8: _method("UNPAUSE", 4_000),
        9: _method("TRANSFER_OWNER", 4_000, "to"),
    },
    SCT21: {
        0: _method("CREATE", 50_000, "name symbol amount lockAmount owner"),
        1: _method("TRANSFER", 8_000, "to amount"),
        2: _method("TRANSFER_FROM", 10_000, "from to amount"),
        3: _method("APPROVE", 8_000, "to amount"),
        4: _method("DECREASE_APPROVE", 8_000, "to amount"),
        5: _method("MINT", 9_000, "to amount"),
        6: _method("BURN", 9_000, "from amount"),
        7: _method("PAUSE", 4_000),
        8: _method("UNPAUSE", 4_000),
        9: _method("TRANSFER_OWNER", 4_000, "to"),
        10: _method("LOCK_TRANSFER", 9_000, "to amount lockAmount"),
        11: _method("UNLOCK_AMOUNT", 9_000, "to amount"),
        12: _method("RESTORE_LOCK_AMOUNT", 9_000, "to amount"),
        13: _method("ADD_LOCK_AMOUNT", 6_000, "amount"),
        14: _method("SUB_LOCK_AMOUNT", 6_000, "amount"),
        15: _method("ACCOUNT_LOCK", 7_000, "to"),
        16: _method("ACCOUNT_UNLOCK", 7_000, "to"),
    },
    SCT22: {
        0: _method("CREATE", 49_000, "name symbol amount owner"),
        1: _method("TRANSFER", 7_000, "to amount"),
        2: _method("MINT", 7_000, "to amount"),
        3: _method("BURN", 7_000, "from amount"),
        4: _method("PAUSE", 4_000),
        5: _method("UNPAUSE", 4_000),
        6: _method("TRANSFER_OWNER", 4_000, "to"),
        7: _method("SET_AUTHORITY", 4_000, "to"),
    },
    SCT30: {
        0: _method("CREATE", 79_000, "name symbol owner"),
        1: _method("CREATE_ITEM", 30_000, "items"),
        2: _method("TRANSFER", 14_000, "to index"),
        3: _method("TRANSFER_FROM", 16_000, "from to index"),
        4: _method("APPROVE", 14_000, "to index"),
        5: _method("ITEM_PAUSE", 9_000, "index"),
        6: _method("ITEM_UNPAUSE", 9_000, "index"),
        7: _method("TRANSFER_OWNER", 4_000, "to"),
    },
    SCT40: {
        0: _method("CREATE", 79_000, "name symbol cpoint owner"),
        1: _method("CREATE_COUPON", 30_000, "items"),
        2: _method("TRANSFER", 14_000, "to index"),
        3: _method("TRANSFER_FROM", 16_000, "from to index"),
        4: _method("APPROVE", 14_000, "to index"),
        5: _method("COUPON_USE", 9_000, "index"),
        6: _method("COUPON_PAUSE", 9_000, "index"),
        7: _method("COUPON_UNPAUSE", 9_000, "index"),
        8: _method("TRANSFER_OWNER", 4_000, "to"),
    },
}


def form(template: int, method: int) -> MethodForm:
    """The form of a method; raises ``UnsupportedTemplate``."""
    found = TEMPLATES.get(template, {}).get(method)
    if found is None:
        raise UnsupportedTemplate(
            f"unsupported sct template {template} method {method}",
            template=template,
            method=method,
        )
    return found


def encode_template(template: int, method: int, parameters: Sequence[Parameter]) -> bytes:
    """The input that calls ``method`` of ``template`` with parameters already in order."""
    return rlp.encode([template, method, [_encodable(parameter) for parameter in parameters]])


def encode_named(template: int, method: int, parameters: Mapping[str, Any]) -> bytes:
    """The input for parameters as JSON names them: ``{"to": "0x...", "amount": "0x..."}``.

    Integers are numbers or ``0x`` quantities; a decimal string is refused, since clients differ in
    what they make of it. Raises ``MalformedCall`` or ``UnsupportedTemplate``.
    """
    named = dict(parameters)
    values = [
        parameter
        for name, kind in form(template, method).parameters
        for parameter in _read(kind, name, _take(named, name))
    ]
    if named:
        raise MalformedCall(f"unknown sct parameter {min(named)!r}", unknown=sorted(named))
    return encode_template(template, method, values)


def decode_template(data: bytes) -> tuple[int, int, list[rlp.Item]]:
    """Template, method and raw parameters of a call; raises ``MalformedCall``.

    Leading zero bytes are tolerated in the two numbers: one widespread client writes the number 0
    as the byte ``00``.
    """
    try:
        call = rlp.read_list(rlp.decode(data), "sct input", 3)
        return (
            rlp.read_int(call[0], "sct type", AMOUNT_BYTES_MAX, lenient=True),
            rlp.read_int(call[1], "sct method", AMOUNT_BYTES_MAX, lenient=True),
            rlp.read_list(call[2], "sct parameters"),
        )
    except MalformedRlp as error:
        raise MalformedCall(f"invalid sct input: {error}") from error


def _encodable(parameter: Parameter) -> rlp.Encodable:
    if isinstance(parameter, str):
        return _utf8(parameter)
    if isinstance(parameter, bytes | int):
        return parameter
    return [_encodable(part) for part in parameter]


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:  # half a surrogate pair, which JSON can carry
        raise MalformedCall("a text parameter is not Unicode") from error


def _take(named: dict[str, Any], name: str) -> Any:
    if name not in named and name == "to" and "from" in named:
        name = "from"  # so does a published SCT-21 example call the receiver of a MINT
    if name not in named:
        raise MalformedCall(f"missing sct parameter {name!r}", missing=name)
    return named.pop(name)


def _read(kind: Kind, name: str, value: Any) -> list[Parameter]:
    if kind is Kind.TEXT and isinstance(value, str):
        return [value]
    if kind is Kind.SYMID and isinstance(value, str):
        try:
            return [symid.parse(value)]
        except MalformedSymId as error:
            raise MalformedCall(f"sct parameter {name!r}: {error}") from error
    if kind is Kind.INTEGER:
        return [_read_integer(name, value)]
    if kind is Kind.ITEMS and isinstance(value, list):
        return [_read_item(item) for item in value]
    raise MalformedCall(f"sct parameter {name!r} is not a {kind.value}", parameter=name)


def _read_integer(name: str, value: Any) -> int:
    number = -1
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _QUANTITY.fullmatch(value):
        number = int(value, 16)
    if not 0 <= number < 1 << (8 * AMOUNT_BYTES_MAX):
        raise MalformedCall(f"sct parameter {name!r} is not an integer", parameter=name)
    return number


def _read_item(item: Any) -> Parameter:
    values = list(item.values()) if isinstance(item, Mapping) else item
    if not isinstance(values, list):
        raise MalformedCall("an sct item is a list or an object")
    return [
        value
        if isinstance(value, str) and value[:2] not in ("0x", "0X")
        else _read_integer("item", value)
        for value in values
    ]

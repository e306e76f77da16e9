from typing import Any

import pytest

from jigap.chain import rlp, template
from jigap.chain.invalid import MalformedCall, UnsupportedTemplate

BOB = "0x00020000000000060002"


def test_parameters_may_be_numbers_texts_bytes_and_lists() -> None:
    encoded = template.encode_template(30, 1, [["gold", 5, b"\x01\x02", ""]])
    assert rlp.decode(encoded) == [b"\x1e", b"\x01", [[b"gold", b"\x05", b"\x01\x02", b""]]]


def test_the_order_of_names_does_not_matter() -> None:
    one = template.encode_named(20, 1, {"to": BOB, "amount": 5})
    other = template.encode_named(20, 1, {"amount": "0x5", "to": BOB.upper()})
    assert one == other


def test_items_are_lists_or_objects() -> None:
    values = ["kind", "title", "0x64", "0x1", "0x2", "text"]
    names = ["type", "name", "point", "groupNo", "couponNo", "etc"]
    one = template.encode_named(40, 1, {"items": [values]})
    other = template.encode_named(40, 1, {"items": [dict(zip(names, values, strict=True))]})
    assert one == other
    assert rlp.decode(one) == [
        b"\x28",
        b"\x01",
        [[b"kind", b"title", b"\x64", b"\x01", b"\x02", b"text"]],
    ]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"to": BOB}, "missing sct parameter 'amount'"),
        ({"amount": 1}, "missing sct parameter 'to'"),
        ({"to": BOB, "amount": 1, "memo": "x"}, "unknown sct parameter 'memo'"),
        ({"to": BOB, "amount": "500"}, "sct parameter 'amount' is not an integer"),
        ({"to": BOB, "amount": "0x"}, "sct parameter 'amount' is not an integer"),
        ({"to": BOB, "amount": "0xzz"}, "sct parameter 'amount' is not an integer"),
        ({"to": BOB, "amount": "0x-1"}, "sct parameter 'amount' is not an integer"),
        ({"to": BOB, "amount": "0x 1"}, "sct parameter 'amount' is not an integer"),
        ({"to": BOB, "amount": "0x1_0"}, "sct parameter 'amount' is not an integer"),
        ({"to": BOB, "amount": -1}, "sct parameter 'amount' is not an integer"),
        ({"to": BOB, "amount": 2**256}, "sct parameter 'amount' is not an integer"),
        ({"to": BOB, "amount": True}, "sct parameter 'amount' is not an integer"),
        ({"to": BOB, "amount": 1.0}, "sct parameter 'amount' is not an integer"),
        ({"to": BOB, "amount": None}, "sct parameter 'amount' is not an integer"),
        ({"to": 5, "amount": 1}, "sct parameter 'to' is not a symid"),
        ({"to": "bob", "amount": 1}, "sct parameter 'to': invalid SymID: want 20 hex digits"),
    ],
)
def test_refuses_a_wrong_parameter_by_name(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedCall) as refusal:
        template.encode_named(20, 1, parameters)
    assert str(refusal.value) == message


def test_refuses_half_a_surrogate_pair() -> None:
    with pytest.raises(MalformedCall, match="not Unicode"):
        template.encode_named(30, 0, {"name": "\ud800", "symbol": "SCN", "owner": BOB})


@pytest.mark.parametrize("items", ["x", [5], [{"a": None}], [[["deep"]]]])
def test_refuses_wrong_items(items: Any) -> None:
    with pytest.raises(MalformedCall):
        template.encode_named(30, 1, {"items": items})


def test_refuses_an_unknown_template_or_method() -> None:
    for number, method in ((31, 0), (20, 10), (20, -1)):
        with pytest.raises(UnsupportedTemplate):
            template.encode_named(number, method, {})


@pytest.mark.parametrize(
    "item", [b"", [], [20, 1], [20, 1, b""], [20, 1, [], []], [[], 1, []], [20, bytes(33), []]]
)
def test_refuses_what_is_not_a_call(item: rlp.Encodable) -> None:
    with pytest.raises(MalformedCall, match="invalid sct input: rlp: "):
        template.decode_template(rlp.encode(item))

import pytest

from jigap.chain import gas, sct20
from jigap.chain.invalid import UnsupportedTemplate
from jigap.chain.sct20 import Method
from jigap.chain.template import SCT20, SCT30, SCT40, TEMPLATES, encode_template
from jigap.chain.transaction import TYPE_DEPOSIT, TYPE_REMIT, TYPE_SCT

BOB = bytes.fromhex("00020000000000060002")
TRANSFER = sct20.encode(sct20.Transfer(BOB, 50 * 10**18))


def test_the_base_of_a_creation_replaces_that_of_a_call() -> None:
    assert gas.gas_used(False, TYPE_REMIT, b"") == 49_000
    assert gas.gas_used(True, TYPE_DEPOSIT, b"") == 8_000_000


def test_zero_bytes_are_cheaper() -> None:
    assert gas.data_gas(b"\x00\x00\x01") == 2 * 40 + 680


def test_a_memo_pays_for_its_bytes_only() -> None:
    """Even a memo that looks like a token call."""
    assert gas.gas_used(False, TYPE_REMIT, TRANSFER) == 49_000 + gas.data_gas(TRANSFER)


def test_intrinsic_and_operation_add_up() -> None:
    whole = gas.gas_used(False, TYPE_SCT, TRANSFER)
    assert whole == 67_240
    assert gas.intrinsic_gas(False, TRANSFER) == 67_240 - 7_000
    assert gas.input_operation_gas(TYPE_SCT, TRANSFER) == 7_000


@pytest.mark.parametrize(
    "input_", [b"", b"\x80", b"\xc3\x14\x0b\xc0", b"\xc3\x13\x01\xc0", b"junk"]
)
def test_an_unreadable_call_pays_for_no_operation(input_: bytes) -> None:
    assert gas.gas_used(False, TYPE_SCT, input_) == 49_000 + gas.data_gas(input_)


@pytest.mark.parametrize(
    ("method", "price"),
    [
        (Method.CREATE, 49_000),
        (Method.TRANSFER, 7_000),
        (Method.TRANSFER_FROM, 9_000),
        (Method.APPROVE, 7_000),
        (Method.DECREASE_APPROVE, 7_000),
        (Method.MINT, 7_000),
        (Method.BURN, 7_000),
        (Method.PAUSE, 4_000),
        (Method.UNPAUSE, 4_000),
        (Method.TRANSFER_OWNER, 4_000),
    ],
)
def test_sct20_operation_prices(method: Method, price: int) -> None:
    assert gas.operation_gas(SCT20, method) == price


@pytest.mark.parametrize("template", [SCT30, SCT40])
def test_items_are_paid_one_by_one(template: int) -> None:
    assert gas.operation_gas(template, 1, items=3) == 90_000
    assert gas.operation_gas(template, 2, items=3) == 14_000


def test_every_item_of_an_input_is_paid() -> None:
    item = ["kind", "title", 100, 1, 1, ""]
    input_ = encode_template(SCT40, 1, [item, item])
    assert gas.input_operation_gas(TYPE_SCT, input_) == 60_000


@pytest.mark.parametrize(("template", "method"), [(20, 10), (22, 8), (30, 8), (31, 0), (0, 0)])
def test_refuses_to_price_an_unknown_method(template: int, method: int) -> None:
    with pytest.raises(UnsupportedTemplate) as refusal:
        gas.operation_gas(template, method)
    assert refusal.value.facts == {"template": template, "method": method}


def test_every_template_numbers_its_methods_without_gaps() -> None:
    for methods in TEMPLATES.values():
        assert sorted(methods) == list(range(len(methods)))


def test_the_fee_is_gas_times_the_fixed_price() -> None:
    assert gas.fee_hug(67_240) == 6_724 * 10**12  # 0.006724 SYM

from dataclasses import replace

import pytest

from jigap.chain import rlp, transaction
from jigap.chain.gas import GAS_PRICE_HUG
from jigap.chain.invalid import (
    HighS,
    Invalid,
    InvalidField,
    InvalidSignature,
    MalformedRlp,
    OversizedData,
    UnsupportedType,
)
from jigap.chain.signature import CURVE_ORDER, PrivateKey
from jigap.chain.transaction import TYPE_DEPOSIT, TYPE_REMIT, TYPE_SCT, Transaction

KEY = PrivateKey(bytes(31) + b"\x07")
ALICE = bytes.fromhex("00020000000000070002")
BOB = bytes.fromhex("00020000000000060002")
NODE = bytes.fromhex("00024f48413a322b0002")

REMIT = Transaction(ALICE, 0, GAS_PRICE_HUG, 49_000, BOB, 5, b"", TYPE_REMIT, (NODE,))

LEADING_ZERO = "rlp: non-canonical integer (leading zero bytes) for "

FIELDS = {name: position for position, name in enumerate([*Transaction.__slots__, "v", "r", "s"])}


def raw_with(**changes: rlp.Encodable) -> bytes:
    """REMIT, signed, with some elements replaced by others of any shape."""
    signed = transaction.sign(REMIT, KEY, 7777)
    elements: list[rlp.Encodable] = [getattr(REMIT, name) for name in Transaction.__slots__]
    elements += [signed.v, signed.r, signed.s]
    for name, value in changes.items():
        elements[FIELDS[name]] = value
    return rlp.encode(elements)


def refusal_of(raw: bytes) -> Invalid:
    with pytest.raises(Invalid) as refusal:
        transaction.decode(raw)
    return refusal.value


def test_the_unchanged_transaction_is_accepted() -> None:
    assert transaction.decode(raw_with()).transaction == REMIT


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"sender": b""}, MalformedRlp, "rlp: input string too short for from"),
        ({"sender": bytes(11)}, MalformedRlp, "rlp: input string too long for from"),
        ({"sender": []}, MalformedRlp, "rlp: expected input string or byte for from"),
        ({"nonce": 2**64}, MalformedRlp, "rlp: input string too long for nonce"),
        ({"nonce": b"\0"}, MalformedRlp, LEADING_ZERO + "nonce"),
        ({"nonce": [1]}, MalformedRlp, "rlp: expected input string or byte for nonce"),
        ({"gas_price": 2**256}, MalformedRlp, "rlp: input string too long for gasPrice"),
        ({"gas_limit": 2**64}, MalformedRlp, "rlp: input string too long for gas"),
        ({"to": bytes(20)}, MalformedRlp, "rlp: input string of wrong length for to"),
        ({"to": []}, MalformedRlp, "rlp: expected input string or byte for to"),
        ({"value": 2**256}, MalformedRlp, "rlp: input string too long for value"),
        ({"input": []}, MalformedRlp, "rlp: expected input string or byte for input"),
        ({"type": b"\0"}, MalformedRlp, LEADING_ZERO + "type"),
        ({"type": 3}, UnsupportedType, "unsupported type"),
        ({"type": 11}, UnsupportedType, "unsupported type"),
        ({"work_nodes": b""}, MalformedRlp, "rlp: expected input list for workNodes"),
        ({"work_nodes": [b"x"]}, MalformedRlp, "rlp: input string too short for workNode"),
        ({"work_nodes": []}, InvalidField, "invalid work nodes: want exactly one"),
        ({"work_nodes": [NODE, NODE]}, InvalidField, "invalid work nodes: want exactly one"),
        ({"extra_data": [b""]}, MalformedRlp, "rlp: expected input string or byte for extraData"),
        ({"v": 2}, InvalidSignature, "invalid transaction v, r, s values"),
        ({"v": 27}, InvalidSignature, "invalid transaction v, r, s values"),
        ({"r": 0}, InvalidSignature, "invalid transaction v, r, s values"),
        ({"r": CURVE_ORDER}, InvalidSignature, "invalid transaction v, r, s values"),
        ({"r": 2**256}, MalformedRlp, "rlp: input string too long for r"),
        ({"r": b"\0\1"}, MalformedRlp, LEADING_ZERO + "r"),
        ({"s": 0}, InvalidSignature, "invalid transaction v, r, s values"),
        ({"s": CURVE_ORDER - 1}, HighS, "invalid transaction v, r, s values"),
        ({"to": b""}, InvalidField, "contract creation by code is not supported"),
        ({"type": TYPE_SCT}, InvalidField, "an SCT transaction carries no value"),
        ({"type": TYPE_DEPOSIT}, InvalidField, "a deposit goes to nobody or back to its sender"),
        (
            {"type": TYPE_DEPOSIT, "to": NODE},
            InvalidField,
            "a deposit goes to nobody or back to its sender",
        ),
    ],
)  # fmt: skip
def test_refuses_a_wrong_field_by_name(
    changes: dict[str, rlp.Encodable], error: type[Invalid], message: str
) -> None:
    refusal = refusal_of(raw_with(**changes))
    assert (type(refusal), str(refusal)) == (error, message)


def test_refuses_the_old_format_of_twelve_elements() -> None:
    elements = rlp.read_list(rlp.decode(raw_with()), "transaction")
    refusal = refusal_of(rlp.encode(elements[:9] + elements[10:]))
    assert str(refusal) == "rlp: too few elements for transaction"
    assert refusal.facts == {"expected": 13, "found": 12}


def test_refuses_a_single_string() -> None:
    assert str(refusal_of(b"\x80")) == "rlp: expected input list for transaction"


def test_refuses_more_than_32_kilobytes_before_looking_inside() -> None:
    largest = 32 * 1024 - len(raw_with(input=b"")) - 4
    assert len(transaction.decode(raw_with(input=bytes(largest))).raw) <= 32 * 1024
    assert isinstance(refusal_of(raw_with(input=bytes(32 * 1024))), OversizedData)
    assert str(refusal_of(b"\xff" * (32 * 1024 + 1))) == "oversized data"


@pytest.mark.parametrize("to", [b"", ALICE])
def test_a_deposit_is_set_to_nobody_and_restored_to_its_sender(to: bytes) -> None:
    signed = transaction.sign(replace(REMIT, type=TYPE_DEPOSIT, to=to), KEY, 7777)
    assert transaction.decode(signed.raw) == signed


def test_the_sender_must_own_value_and_whole_gas_limit() -> None:
    assert REMIT.cost_max_hug() == 49_000 * 100 * 10**9 + 5


def test_raw_bytes_over_55_bytes_and_over_255_bytes_keep_their_signer() -> None:
    """The signed fields are cut from the raw bytes behind list heads of every width."""
    for size in (0, 100, 300, 20_000):
        signed = transaction.sign(replace(REMIT, input=b"m" * size), KEY, 7777)
        found = transaction.recover_public_key_hash(transaction.decode(signed.raw), 7777)
        assert found == KEY.public_key_hash


def test_values_are_frozen() -> None:
    with pytest.raises(AttributeError):
        REMIT.nonce = 1  # type: ignore[misc]

"""Our signer and that of symjs 1.0.6 give the same bytes.

symjs is fed as it wants to be: integers as 0x quantities, ``extra`` for the field that documents
call extraData, nothing at all for empty fields.
"""

import json
import random
from typing import Any

import pytest

from jigap.chain.signature import CURVE_ORDER, PrivateKey
from jigap.chain.transaction import (
    TYPE_DEPOSIT,
    TYPE_REMIT,
    TYPE_SCT,
    Transaction,
    decode,
    recover_public_key_hash,
    sign,
)
from tests.interop.conftest import SYMJS, RunJs

pytestmark = pytest.mark.node_js

COUNT = 200
CHAIN_IDS = (1, 2, 7777)


def test_two_hundred_random_transactions_have_the_same_bytes(symjs: RunJs) -> None:
    chance = random.Random(20231)
    cases = [_case(chance, number) for number in range(COUNT)]
    lines = [
        json.dumps({"params": _params(asked, chain_id), "key": secret.hex()})
        for asked, secret, chain_id in cases
    ]
    raws = symjs("sign.js", given="\n".join(lines) + "\n").split()
    assert len(raws) == COUNT
    for (asked, secret, chain_id), raw in zip(cases, raws, strict=True):
        key = PrivateKey(secret)
        ours = sign(asked, key, chain_id)
        assert "0x" + ours.raw.hex() == raw, (asked, chain_id)
        read = decode(bytes.fromhex(raw[2:]))
        assert read.transaction == asked
        assert recover_public_key_hash(read, chain_id) == key.public_key_hash


def test_the_random_transactions_meet_the_rare_shapes() -> None:
    """The comparison would prove little if no r or s began with a zero byte."""
    chance = random.Random(20231)
    cases = [_case(chance, number) for number in range(COUNT)]
    signed = [sign(asked, PrivateKey(secret), chain_id) for asked, secret, chain_id in cases]
    assert any(one.r < 1 << 248 or one.s < 1 << 248 for one in signed)
    assert {one.v for one in signed} == {0, 1}
    assert {asked.type for asked, _, _ in cases} == {TYPE_REMIT, TYPE_SCT, TYPE_DEPOSIT}
    assert any(asked.nonce == 0 for asked, _, _ in cases)
    assert any(asked.extra_data for asked, _, _ in cases)


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((SYMJS / "package-lock.json").read_text())
    assert lock["packages"]["node_modules/symjs"]["version"] == "1.0.6"
    assert all("resolved" not in package for package in lock["packages"].values())
    assert all("integrity" in one for name, one in lock["packages"].items() if name)


def _case(chance: random.Random, number: int) -> tuple[Transaction, bytes, int]:
    secret = chance.randrange(1, CURVE_ORDER).to_bytes(32, "big")
    return _transaction(chance, number % 3), secret, chance.choice(CHAIN_IDS)


def _transaction(chance: random.Random, type_: int) -> Transaction:
    sender = _symid(chance)
    creates = chance.random() < 0.3
    to = {TYPE_REMIT: _symid(chance), TYPE_SCT: b"" if creates else _symid(chance)}.get(
        type_, b"" if creates else sender
    )
    return Transaction(
        sender=sender,
        nonce=chance.choice((0, 1, 127, 128, chance.randrange(1 << 48))),
        gas_price=chance.choice((100_000_000_000, 10**12, 1)),
        gas_limit=chance.randrange(21_000, 10_000_000),
        to=to,
        value=0 if type_ == TYPE_SCT else chance.choice((0, 1, chance.randrange(1 << 200))),
        input=chance.randbytes(chance.choice((0, 1, 4, 55, 56, 200))),
        type=type_,
        work_nodes=(_symid(chance),),
        extra_data=chance.randbytes(chance.choice((0, 0, 1, 16, 60))),
    )


def _symid(chance: random.Random) -> bytes:
    return b"\x00\x02" + chance.randbytes(6) + b"\x00\x02"


def _params(asked: Transaction, chain_id: int) -> dict[str, Any]:
    params: dict[str, Any] = {
        "from": "0x" + asked.sender.hex(),
        "nonce": hex(asked.nonce),
        "gasPrice": hex(asked.gas_price),
        "gasLimit": hex(asked.gas_limit),
        "value": hex(asked.value),
        "type": asked.type,
        "workNodes": ["0x" + node.hex() for node in asked.work_nodes],
        "chainId": chain_id,
    }
    optional = {"to": asked.to, "input": asked.input, "extra": asked.extra_data}
    return params | {name: "0x" + value.hex() for name, value in optional.items() if value}

"""Nothing that a client sends can stop the node, and every answer is JSON-RPC.

An internal error would be an answer too, but it is a bug of ours: it must never be the answer.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.node.people import ALICE, BOB, STRANGER, create, open_chain, registered, remit

from jigap.chain import sct20, symid
from jigap.node import rpc
from jigap.node.methods import METHODS
from jigap.node.solo import SoloChain

TOKEN = symid.contract_address(ALICE.symid, 0)
VALID = [
    "0x" + ALICE.symid.hex(),
    "0x" + BOB.symid.hex(),
    "0x" + TOKEN.hex(),
    "0x" + "00" * 32,
    "latest",
    "pending",
    "earliest",
    "0x0",
    "0x1",
    True,
    0,
    "0x" + sct20.encode(sct20.Transfer(BOB.symid, 1)).hex(),
    "0x" + remit(ALICE, 1, BOB.symid).raw.hex(),
    "0x" + registered(STRANGER, 1).raw.hex(),
    {"type": 20, "method": 1, "params": {"to": "0x" + BOB.symid.hex(), "amount": "0x1"}},
]

anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=2**62, max_value=2**300),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
        st.binary(max_size=40).map(lambda data: "0x" + data.hex()),
        st.sampled_from(VALID),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
methods = st.one_of(st.sampled_from(sorted(METHODS)), st.text(max_size=20), anything)
requests = st.one_of(
    anything,
    st.fixed_dictionaries(
        {"id": anything, "method": methods},
        optional={
            "params": st.one_of(st.lists(anything, max_size=5), anything),
            "jsonrpc": anything,
        },
    ),
)
fuzz = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[SoloChain]:
    chain = open_chain(tmp_path)
    chain.submit(create(ALICE, 0).raw)
    yield chain
    chain.close()


def check_answer(answer: Any) -> None:
    assert isinstance(answer, dict) and answer["jsonrpc"] == "2.0" and "id" in answer
    assert ("result" in answer) != ("error" in answer)
    if "error" in answer:
        error = answer["error"]
        assert isinstance(error["code"], int) and isinstance(error["message"], str)
        assert error["code"] != rpc.INTERNAL_ERROR, answer


def ask(chain: SoloChain, body: bytes) -> Any:
    return json.loads(rpc.answer(chain, body).content)


@fuzz
@given(requests)
def test_any_json_is_answered(chain: SoloChain, request: Any) -> None:
    answer = ask(chain, json.dumps(request).encode())
    if isinstance(request, list) and request:
        assert isinstance(answer, list) and len(answer) == len(request)
    for one in answer if isinstance(answer, list) else [answer]:
        check_answer(one)


@fuzz
@given(st.lists(requests, min_size=1, max_size=6))
def test_any_batch_is_answered_one_by_one(chain: SoloChain, batch: list[Any]) -> None:
    answers = ask(chain, json.dumps(batch).encode())
    assert len(answers) == len(batch)
    for answer in answers:
        check_answer(answer)


@fuzz
@given(st.sampled_from(sorted(METHODS)), st.lists(anything, max_size=5), st.integers())
def test_any_parameters_of_any_method_are_answered(
    chain: SoloChain, method: str, params: list[Any], id_: int
) -> None:
    answer = ask(chain, json.dumps({"id": id_, "method": method, "params": params}).encode())
    check_answer(answer)
    assert answer["id"] == id_


@fuzz
@given(st.sampled_from(sorted(METHODS)), st.lists(st.sampled_from(VALID), max_size=4))
def test_plausible_parameters_of_any_method_are_answered(
    chain: SoloChain, method: str, params: list[Any]
) -> None:
    check_answer(ask(chain, json.dumps({"id": 1, "method": method, "params": params}).encode()))


@fuzz
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(chain: SoloChain, body: bytes) -> None:
    answer = ask(chain, body)
    for one in answer if isinstance(answer, list) else [answer]:
        check_answer(one)


@fuzz
@given(
    st.sampled_from([remit(ALICE, 1, BOB.symid).raw, registered(STRANGER, 0).raw]),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), min_size=1, max_size=3),
    st.sampled_from(["sym_sendRawTransaction", "citizen_sendRawCitizen"]),
)
def test_any_damage_to_a_raw_transaction_is_refused(
    chain: SoloChain, raw: bytes, damage: list[tuple[int, int]], method: str
) -> None:
    broken = bytearray(raw)
    for at, value in damage:
        broken[at % len(broken)] = value
    if bytes(broken) == raw:
        return
    answer = ask(
        chain,
        json.dumps({"id": 1, "method": method, "params": ["0x" + broken.hex()]}).encode(),
    )
    check_answer(answer)
    assert answer["error"]["code"] == rpc.REFUSED

"""What no client should send to a node: refused with the documented words, and blocks go on."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from jigap.chain import rlp, transaction
from jigap.chain.signature import CURVE_ORDER
from jigap.chain.transaction import SignedTransaction
from jigap.node.rpc import BATCH_CALLS_MAX
from jigap.node.server import BODY_BYTES_MAX
from tests.fault.node_load import Payers, start_node


@dataclass
class Node:
    """A node, its first citizen, and that citizen's next transaction, which would be good."""

    rpc: str
    payers: Payers

    def post(self, content: bytes, **headers: str) -> httpx.Response:
        given = {"Content-Type": "application/json"} | headers
        return httpx.post(self.rpc, content=content, headers=given, timeout=60)

    def call(self, method: str, *params: Any) -> dict[str, Any]:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = self.post(json.dumps(asked).encode())
        assert answer.status_code == 200
        return dict(answer.json())

    def send(self, raw: bytes) -> tuple[int, str]:
        """Code and words of the refusal."""
        answer = self.call("sym_sendRawTransaction", "0x" + raw.hex())
        assert "error" in answer, answer
        return answer["error"]["code"], answer["error"]["message"]

    def height(self) -> int:
        return int(self.call("sym_blockNumber")["result"], 16)

    def holdings(self) -> list[tuple[str, str]]:
        """Nonce and balance of everybody."""
        return [
            (
                self.call("sym_getTransactionCount", one["symid"], "pending")["result"],
                self.call("sym_getBalance", one["symid"], "latest")["result"],
            )
            for one in self.payers.accounts
        ]

    def good(self, **change: Any) -> SignedTransaction:
        """The next transaction of the first citizen, changed and signed."""
        mine = self.payers.accounts[0]["symid"]
        nonce = int(self.call("sym_getTransactionCount", mine, "latest")["result"], 16)
        asked = replace(self.payers.sign(0, nonce).transaction, **change)
        return transaction.sign(asked, self.payers.keys[mine], self.payers.chain_id)

    def fields(self) -> list[Any]:
        """The thirteen fields of the next transaction, to be spoilt."""
        decoded = rlp.decode(self.good().raw)
        assert isinstance(decoded, list)
        return list(decoded)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = start_node(tmp_path_factory.mktemp("node"))
    try:
        yield Node(running.rpc, Payers.of(running))
        assert running.stop() == 0
        assert running.errors == []
    finally:
        running.kill()


@pytest.fixture
def untouched(node: Node) -> Iterator[Node]:
    """The node; afterwards nobody has paid anything and nothing waits."""
    before = node.holdings()
    yield node
    assert node.holdings() == before
    assert node.call("sym_pendingTransactions")["result"] == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda raw: b"", "rlp: empty input"),
        (lambda raw: raw[:-1], "rlp: value size exceeds available input length"),
        (lambda raw: raw + b"\0", "rlp: input contains more than one value"),
        (lambda raw: raw + raw, "rlp: input contains more than one value"),
        (lambda raw: b"\xf9\0" + raw[1:], "rlp: non-canonical size information"),
        (lambda raw: b"\xb8" + raw[1:], "rlp: expected input list for transaction"),
        (lambda raw: b"\xc0", "rlp: too few elements for transaction"),
        (lambda raw: b"\x80", "rlp: expected input list for transaction"),
        (lambda raw: b"\xff" * 9, "rlp: value size exceeds available input length"),
        (lambda raw: b"\xbf" + b"\xff" * 8, "rlp: value size exceeds available input length"),
        (lambda raw: nested(2_000), "rlp: lists nested too deeply"),
        (lambda raw: rlp.encode(b"\0" * 33_000), "oversized data"),
    ],
)
def test_malformed_rlp_is_refused(
    untouched: Node, spoil: Callable[[bytes], bytes], words: str
) -> None:
    assert untouched.send(spoil(untouched.good().raw)) == (-32000, words)


NUMBERS = {1: "nonce", 2: "gasPrice", 3: "gas", 5: "value", 7: "type", 10: "v", 11: "r", 12: "s"}


@pytest.mark.parametrize("at", NUMBERS)
def test_an_integer_has_one_encoding(untouched: Node, at: int) -> None:
    name = NUMBERS[at]
    for spoilt, words in (
        (b"\0", f"rlp: non-canonical integer (leading zero bytes) for {name}"),
        (b"\0\1", f"rlp: non-canonical integer (leading zero bytes) for {name}"),
        (b"\1" * 33, f"rlp: input string too long for {name}"),
        ([], f"rlp: expected input string or byte for {name}"),
    ):
        fields = untouched.fields()
        fields[at] = spoilt
        assert untouched.send(rlp.encode(fields)) == (-32000, words)


def test_another_signature_over_the_same_is_refused(untouched: Node) -> None:
    good = untouched.good()
    fields = untouched.fields()[:10]
    for v, r, s in (
        (1 - good.v, good.r, CURVE_ORDER - good.s),  # the malleable twin
        (good.v + 27, good.r, good.s),
        (2, good.r, good.s),
        (good.v, 0, good.s),
        (good.v, good.r, 0),
        (good.v, CURVE_ORDER, good.s),
        (good.v, good.r, CURVE_ORDER),
    ):
        refusal = untouched.send(rlp.encode([*fields, v, r, s]))
        assert refusal == (-32000, "invalid transaction v, r, s values")
    twisted = rlp.encode([*fields, 1 - good.v, good.r, good.s])
    assert untouched.send(twisted) in (
        (-32000, "invalid sender"),
        (-32000, "invalid transaction v, r, s values"),
    )


def test_a_transaction_for_another_chain_is_refused(untouched: Node) -> None:
    payers, good = untouched.payers, untouched.good()
    key = payers.keys[payers.accounts[0]["symid"]]
    for chain_id in (0, 1, payers.chain_id + 1, 2**64):
        elsewhere = transaction.sign(good.transaction, key, chain_id)
        assert untouched.send(elsewhere.raw) == (-32000, "invalid sender")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gas_price": 1}, "transaction underpriced"),
        ({"gas_price": 10**12}, "gas price is fixed at 100000000000"),
        ({"gas_limit": 1}, "intrinsic gas too low"),
        ({"gas_limit": 10**12}, "exceeds block gas limit"),
        ({"value": 10**40}, "insufficient funds for gas * price + value"),
        ({"value": 2**256 - 1}, "insufficient funds for gas * price + value"),
        ({"nonce": 5_000}, "nonce too high"),
        ({"nonce": 2**64 - 1}, "nonce too high"),
        ({"type": 3}, "unsupported type"),
        ({"type": 2**63}, "unsupported type"),
        ({"to": bytes(10)}, "invalid recipient"),
        ({"to": b""}, "contract creation by code is not supported"),
        ({"to": b"\1" * 20}, "rlp: input string of wrong length for to"),
        ({"sender": b"\2" * 10}, "invalid sender"),
        ({"work_nodes": ()}, "invalid work nodes: want exactly one"),
        ({"input": b"x" * 40_000}, "oversized data"),
        ({"extra_data": b"x" * 40_000}, "oversized data"),
        (
            {"type": 1, "value": 0, "input": b"junk", "gas_limit": 10**6},
            "invalid sct input: rlp: input contains more than one value",
        ),
    ],
)
def test_a_transaction_against_the_rules_is_refused(
    untouched: Node, change: dict[str, Any], words: str
) -> None:
    assert untouched.send(untouched.good(**change).raw) == (-32000, words)


def test_nobody_signs_for_somebody_else(untouched: Node) -> None:
    other = bytes.fromhex(untouched.payers.accounts[1]["symid"][2:])
    assert untouched.send(untouched.good(sender=other).raw) == (-32000, "invalid sender")


def test_a_transaction_is_mined_once_however_often_it_is_sent(node: Node) -> None:
    good = node.good()
    _, before = node.holdings()[0]
    assert node.call("sym_sendRawTransaction", "0x" + good.raw.hex())["result"]
    code, words = node.send(good.raw)
    assert code == -32000
    assert words in (f"known transaction: {good.hash.hex()}", "nonce too low")
    await_receipt(node, good)
    assert node.send(good.raw) == (-32000, "nonce too low")
    other = replace(good.transaction, value=2)
    key = node.payers.keys[node.payers.accounts[0]["symid"]]
    assert node.send(transaction.sign(other, key, node.payers.chain_id).raw)[1] == "nonce too low"
    cost = good.transaction.gas_limit * good.transaction.gas_price + good.transaction.value
    assert int(node.holdings()[0][1], 16) == int(before, 16) - cost


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"5", -32600),
        (b"{}", -32600),
        (b'{"id":1,"method":5}', -32600),
        (b'{"id":true,"method":"net_version"}', -32600),
        (b"[" + b"1," * BATCH_CALLS_MAX + b"1]", -32600),
        (b'{"id":1,"method":"no_such"}', -32601),
        (b'{"id":1,"method":"admin_stopRPC"}', -32601),
        (b'{"id":1,"method":"personal_unlockAccount","params":["0x00","",1]}', -32601),
        (b'{"id":1,"method":"__class__"}', -32601),
        (b'{"id":1,"method":"sym_getBalance"}', -32602),
        (b'{"id":1,"method":"sym_getBalance","params":"0x00"}', -32602),
        (b'{"id":1,"method":"sym_getBalance","params":["0x12"]}', -32602),
        (b'{"id":1,"method":"sym_getBlockByNumber","params":["-0x1"]}', -32602),
        (b'{"id":1,"method":"sym_getBlockByNumber","params":["1e3"]}', -32602),
        (b'{"id":1,"method":"sym_sendRawTransaction","params":["0x1"]}', -32602),
        (b'{"id":1,"method":"sym_sendRawTransaction","params":[{}]}', -32602),
    ],
)
def test_a_call_that_is_none_is_an_error_object(untouched: Node, content: bytes, code: int) -> None:
    answer = untouched.post(content)
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code


def test_a_call_that_is_too_large_or_not_json_is_not_read(untouched: Node) -> None:
    call = b'{"id":1,"method":"net_version"}'
    assert untouched.post(call + b" " * BODY_BYTES_MAX).status_code == 413
    assert untouched.post(call, **{"Content-Type": "text/plain"}).status_code == 415


def test_after_all_this_the_node_makes_blocks(node: Node) -> None:
    """Runs last."""
    height, good = node.height(), node.good()
    assert node.call("sym_sendRawTransaction", "0x" + good.raw.hex())["result"]
    await_receipt(node, good)
    assert node.height() > height


def await_receipt(node: Node, sent: SignedTransaction) -> None:
    end = time.monotonic() + 60
    while node.call("sym_getTransactionReceipt", "0x" + sent.hash.hex())["result"] is None:
        assert time.monotonic() < end, "it was never mined"
        time.sleep(0.05)


def nested(depth: int) -> bytes:
    """That many lists, each the only element of the one around it."""
    content = b"\xc0"
    for _ in range(depth):
        content = rlp.wrap(content)
    return content

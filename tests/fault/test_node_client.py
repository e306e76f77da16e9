"""The client of a chain, against a node that tells the truth and one that does not."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from jigap.chain import sct20, symid
from jigap.chain.symid import FIRST_CA
from jigap.node import wire
from jigap.node.client import (
    NodeClient,
    NodeMalformed,
    NodeTimeout,
    NodeUnreachable,
    RpcError,
)
from jigap.node.rpc import answer
from jigap.node.solo import SoloChain
from tests.unit.node.people import (
    ALICE,
    BOB,
    FUNDS_HUG,
    STRANGER,
    SYM,
    call,
    create,
    deposit,
    genesis,
    open_chain,
    registered,
    remit,
)

TOKEN = symid.contract_address(ALICE.symid, 0)
NOW_MS = 1_800_000_000_123


class FakeNode:
    """A real chain behind HTTP; ``lie`` may replace the answer to a batch."""

    def __init__(self, chain: SoloChain) -> None:
        self.chain = chain
        self.batches: list[list[dict[str, Any]]] = []
        self.lie: Callable[[list[dict[str, Any]], bytes], Any] | None = None
        self.url = ""

    async def respond(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        calls = json.loads(body)
        self.batches.append(calls)
        content = answer(self.chain, body).content
        if self.lie is None:
            return web.Response(body=content, content_type="application/json")
        told = self.lie(calls, content)
        if asyncio.iscoroutine(told):
            told = await told
        if isinstance(told, web.StreamResponse):
            return told
        return web.Response(body=told, content_type="application/json")

    def methods(self) -> list[list[str]]:
        return [[one["method"] for one in batch] for batch in self.batches]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[FakeNode]:
    chain = open_chain(tmp_path)
    fake = FakeNode(chain)
    application = web.Application(client_max_size=2**21)
    application.router.add_post("/", fake.respond)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield fake
    await runner.cleanup()
    chain.close()


@pytest.fixture
async def client(node: FakeNode) -> AsyncIterator[NodeClient]:
    async with NodeClient(node.url, timeout_ms=2000) as client:
        yield client


async def some_history(node: FakeNode) -> None:
    chain = node.chain
    chain.submit(create(ALICE, 0, 1000).raw)
    chain.submit_citizen(registered(STRANGER, 0).raw)
    await chain.extend(NOW_MS)
    chain.submit(call(ALICE, 1, TOKEN, sct20.Transfer(BOB.symid, 10)).raw)
    chain.submit(call(ALICE, 2, TOKEN, sct20.Transfer(BOB.symid, 5000)).raw)
    chain.submit(call(ALICE, 3, TOKEN, sct20.Approve(BOB.symid, 7)).raw)
    chain.submit(deposit(BOB, 0, SYM).raw)
    await chain.extend(NOW_MS + 1000)
    await chain.extend(NOW_MS + 2000)


# -- the truth ----------------------------------------


async def test_reads_what_the_chain_knows(node: FakeNode, client: NodeClient) -> None:
    await some_history(node)
    assert await client.chain_id() == 7777
    assert await client.genesis_hash() == node.chain.view.header(0).signed.hash  # type: ignore[union-attr]
    assert await client.block_number() == 3
    assert await client.balance(ALICE.symid, "earliest") == FUNDS_HUG
    assert await client.balance(ALICE.symid, 0) == FUNDS_HUG
    assert await client.balance(ALICE.symid) < FUNDS_HUG
    assert await client.nonce(ALICE.symid) == 4
    assert await client.nonce(ALICE.symid, 1) == 1
    assert await client.deposit(BOB.symid) == SYM
    assert await client.token_balance(TOKEN, BOB.symid) == 10
    assert await client.token_balance(TOKEN, BOB.symid, 1) == 0
    assert await client.allowance(TOKEN, ALICE.symid, BOB.symid) == 7
    assert await client.citizen_nonce(FIRST_CA) == 1
    contract = await client.contract(TOKEN)
    assert contract is not None
    assert (contract.name, contract.symbol, contract.total) == ("Won", "WON", 1000)
    assert contract.creator == contract.owner == ALICE.symid and not contract.paused
    assert await client.contract(BOB.symid) is None
    citizen = await client.citizen(STRANGER.symid)
    assert citizen is not None and citizen.active and citizen.hash is None
    assert citizen.key_hash == STRANGER.key.public_key_hash and citizen.ca == FIRST_CA
    assert await client.citizen(symid.make(2, b"nobody")) is None
    with pytest.raises(RpcError, match="not kept"):
        await client.balance(ALICE.symid, 99)


async def test_reads_a_whole_block(node: FakeNode, client: NodeClient) -> None:
    await some_history(node)
    block = await client.block(2)
    stored = node.chain.view.block(2)
    assert block is not None and stored is not None
    assert (block.number, block.hash, block.time_ms) == (2, stored.hash, NOW_MS + 1000)
    assert block.parent_hash == stored.header.parent_hash and block.citizens == ()
    assert [one.hash for one in block.transactions] == [
        one.hash for one in stored.body.transactions
    ]
    first, failed, _, kept = block.transactions
    asked = stored.body.transactions[0].transaction
    assert (first.sender, first.nonce, first.to) == (ALICE.symid, 1, TOKEN)
    assert (first.input, first.type, first.extra_data) == (asked.input, 1, b"")
    assert (first.gas_price, first.gas_limit) == (asked.gas_price, asked.gas_limit)
    assert (first.status, first.err_code, first.contract_address) == (True, None, None)
    assert first.fee_hug == stored.receipts[0].gas_used * asked.gas_price
    assert (failed.status, failed.err_code, failed.index) == (False, 2000, 1)
    assert (kept.to, kept.type, kept.value) == (b"", 2, SYM)


async def test_reads_citizens_with_the_block_that_carries_them(
    node: FakeNode, client: NodeClient
) -> None:
    await some_history(node)
    first, second, third = [await client.block(number) for number in (0, 1, 2)]
    assert first is not None and second is not None and third is not None
    assert len(first.citizens) == len(genesis().accounts) and third.citizens == ()
    (citizen,) = second.citizens
    assert citizen.symid == STRANGER.symid and citizen.hash == registered(STRANGER, 0).hash
    assert citizen.ca == FIRST_CA and citizen.write_time == 1_700_000_000
    assert second.transactions[0].contract_address == TOKEN
    assert await client.block(4) is None


async def test_blocks_read_alike_in_any_order_and_all_at_once(
    node: FakeNode, client: NodeClient
) -> None:
    await some_history(node)
    in_order = [await client.block(number) for number in range(4)]
    async with NodeClient(node.url) as other:
        backwards = [await other.block(number) for number in (3, 2, 1, 0)]
    async with NodeClient(node.url) as other:
        at_once = await asyncio.gather(*(other.block(number) for number in range(4)))
    assert in_order == backwards[::-1] == at_once


async def test_following_takes_one_round_trip_per_block(node: FakeNode, client: NodeClient) -> None:
    await some_history(node)
    await client.block(1)
    node.batches.clear()
    await client.block(2)
    assert node.methods() == [["sym_getBlockByNumber", "sym_getBlockReceipts"]]


async def test_a_node_without_our_method_is_asked_receipt_by_receipt(
    node: FakeNode, client: NodeClient
) -> None:
    await some_history(node)

    def plain_gsym(calls: list[dict[str, Any]], content: bytes) -> bytes:
        answers = json.loads(content)
        for asked, told in zip(calls, answers, strict=True):
            if asked["method"] == "sym_getBlockReceipts":
                told.pop("result")
                told["error"] = {"code": -32601, "message": "does not exist"}
        return json.dumps(answers).encode()

    expected = await client.block(2)
    node.lie = plain_gsym
    async with NodeClient(node.url) as other:
        assert await other.block(2) == expected
        node.batches.clear()
        await other.block(1)
        assert all("sym_getBlockReceipts" not in names for names in node.methods())


async def test_a_remote_block_without_milliseconds_has_whole_seconds(
    node: FakeNode, client: NodeClient
) -> None:
    await some_history(node)
    node.lie = lambda calls, content: content.replace(b'"timeMs"', b'"other"')
    header = await client.header(1)
    assert header is not None and header.time_ms == NOW_MS // 1000 * 1000


async def test_submits_and_tells_what_became_of_it(node: FakeNode, client: NodeClient) -> None:
    one = remit(ALICE, 0, BOB.symid)
    assert (await client.submit(one.raw)).kind == "accepted"
    assert (await client.submit(one.raw)).kind == "known"
    other = await client.submit(remit(ALICE, 0, ALICE.symid, 0).raw)
    assert (other.kind, other.message) == ("rejected", "replacement transaction underpriced")
    receipt = await client.receipt(one.hash)
    assert receipt is None
    await node.chain.extend(NOW_MS)
    receipt = await client.receipt(one.hash)
    assert receipt is not None and receipt.status and receipt.block_number == 1
    citizen = registered(STRANGER, 0)
    assert (await client.submit_citizen(citizen.raw)).kind == "accepted"
    assert (await client.submit_citizen(b"junk")).kind == "rejected"


async def test_calls_of_one_turn_leave_together(node: FakeNode, client: NodeClient) -> None:
    balances = await asyncio.gather(*(client.balance(ALICE.symid) for _ in range(100)))
    assert balances == [FUNDS_HUG] * 100
    assert [len(batch) for batch in node.batches] == [100]


async def test_batches_are_bounded_in_calls_bytes_and_number(
    node: FakeNode, client: NodeClient
) -> None:
    under_way = most = 0

    async def slowly(calls: list[dict[str, Any]], content: bytes) -> bytes:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        return content

    node.lie = slowly
    await asyncio.gather(*(client.balance(ALICE.symid) for _ in range(700)))
    assert max(len(batch) for batch in node.batches) == wire.BATCH_CALLS_MAX
    assert most == wire.BATCHES_IN_FLIGHT_MAX
    node.batches.clear()
    large = b"\1" * 20_000
    await asyncio.gather(*(client.submit(large) for _ in range(7)))
    assert sum(map(len, node.batches)) == 7
    assert all(len(json.dumps(batch)) <= wire.BATCH_BYTES_MAX * 1.01 for batch in node.batches)


# -- lies and silence ----------------------------------------


async def test_nobody_listening_is_unreachable(free_port: int) -> None:
    async with NodeClient(f"http://127.0.0.1:{free_port}") as client:
        with pytest.raises(NodeUnreachable):
            await client.block_number()
        assert (await client.submit(b"\1")).kind == "unknown"


async def test_silence_is_a_timeout(node: FakeNode) -> None:
    async def never(calls: list[dict[str, Any]], content: bytes) -> bytes:
        await asyncio.sleep(60)
        return content

    node.lie = never
    async with NodeClient(node.url, timeout_ms=100) as client:
        with pytest.raises(NodeTimeout):
            await client.block_number()
        assert (await client.submit(remit(ALICE, 0, BOB.symid).raw)).kind == "unknown"
        node.lie = None
        # It had reached the node all the same, which is why unknown is not a "no".
        assert (await client.submit(remit(ALICE, 0, BOB.symid).raw)).kind == "known"


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"not json",
        b"[" * 100_000,
        b"{}",
        b"[]",
        b"[5]",
        b'[{"id":1}]',
        b'{"result":"0x1"}',
        web.Response(status=404),
        web.Response(status=500),
    ],
    ids=str,
)
async def test_what_is_no_answer_is_malformed(
    node: FakeNode, client: NodeClient, told: Any
) -> None:
    node.lie = lambda calls, content: (
        web.Response(status=told.status) if isinstance(told, web.Response) else told
    )
    with pytest.raises(NodeMalformed):
        await client.block_number()
    assert (await client.submit(b"\1")).kind == "unknown"


async def test_an_answer_without_result_or_error_is_malformed(
    node: FakeNode, client: NodeClient
) -> None:
    node.lie = lambda calls, content: json.dumps([{"id": calls[0]["id"]}]).encode()
    with pytest.raises(NodeMalformed):
        await client.block_number()


@pytest.mark.parametrize("value", [None, True, -1, 1.5, "12", "0xzz", [], {}])
async def test_a_result_of_the_wrong_kind_is_malformed(
    node: FakeNode, client: NodeClient, value: Any
) -> None:
    node.lie = lambda calls, content: json.dumps(
        [{"id": one["id"], "result": value} for one in calls]
    ).encode()
    with pytest.raises(NodeMalformed):
        await client.block_number()
    with pytest.raises(NodeMalformed):
        await client.balance(ALICE.symid)
    if value is not None:
        for ask in (client.header(0), client.block(0), client.receipt(bytes(32))):
            with pytest.raises(NodeMalformed):
                await ask
        for ask2 in (client.contract(TOKEN), client.citizen(ALICE.symid)):
            with pytest.raises(NodeMalformed):
                await ask2


async def test_a_receipt_of_another_transaction_is_malformed(
    node: FakeNode, client: NodeClient
) -> None:
    await some_history(node)

    def swapped(calls: list[dict[str, Any]], content: bytes) -> bytes:
        answers = json.loads(content)
        for asked, told in zip(calls, answers, strict=True):
            if asked["method"] == "sym_getBlockReceipts":
                told["result"].reverse()
        return json.dumps(answers).encode()

    node.lie = swapped
    with pytest.raises(NodeMalformed, match="another transaction"):
        await client.block(2)


async def test_a_batch_refused_whole_is_an_error_for_each(
    node: FakeNode, client: NodeClient
) -> None:
    node.lie = lambda calls, content: (
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}'
    )
    told = await asyncio.gather(client.block_number(), client.chain_id(), return_exceptions=True)
    assert [type(one) for one in told] == [RpcError, RpcError]
    assert told[0] is not told[1], "each caller has an exception of its own"
    assert (await client.submit(b"\1")).kind == "unknown", "no batch, no verdict"


async def test_one_bad_answer_spoils_only_its_own_call(node: FakeNode, client: NodeClient) -> None:
    node.lie = lambda calls, content: json.dumps(json.loads(content)[1:]).encode()
    lost, good = await asyncio.gather(
        client.block_number(), client.chain_id(), return_exceptions=True
    )
    assert isinstance(lost, NodeMalformed) and good == 7777


async def test_a_caller_that_gave_up_harms_nobody(node: FakeNode, client: NodeClient) -> None:
    impatient = asyncio.ensure_future(client.block_number())
    patient = asyncio.ensure_future(client.chain_id())
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == 7777
    assert await client.block_number() == 0


async def test_closing_fails_what_waits(node: FakeNode) -> None:
    async def never(calls: list[dict[str, Any]], content: bytes) -> bytes:
        await asyncio.sleep(60)
        return content

    node.lie = never
    client = NodeClient(node.url)
    waiting = asyncio.ensure_future(client.block_number())
    await asyncio.sleep(0.1)
    await client.close()
    with pytest.raises(NodeUnreachable):
        await waiting
    with pytest.raises(NodeUnreachable):
        await client.block_number()


async def test_a_flood_is_told_that_the_node_does_not_keep_up(
    node: FakeNode, client: NodeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "WAITING_MAX", 5)
    told = await asyncio.gather(*(client.block_number() for _ in range(8)), return_exceptions=True)
    assert [type(one) for one in told] == [int] * 5 + [NodeTimeout] * 3

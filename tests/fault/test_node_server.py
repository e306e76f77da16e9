"""The node as a process on a machine: HTTP, ports, folders, damage, and a clean end."""

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jigap.chain.signature import PrivateKey
from jigap.clock import SimulatedClock
from jigap.node import NodeClient, NodeConfig, RunningNode, dev_chain, run_node
from jigap.node.dev import DEV_FILE, DevAccountsMalformed
from jigap.node.genesis import GenesisAccount, first_block
from jigap.node.guard import DoubleSign
from jigap.node.server import (
    BATCH_BODY_BYTES_MAX,
    BODY_BYTES_MAX,
    GENESIS_FILE,
    STORE_FOLDER,
    FolderInUse,
    FolderUnusable,
    NoGenesis,
    PortInUse,
)
from jigap.node.solo import StoreFailed, WrongSigner
from jigap.node.store import OtherGenesis, Store
from jigap.node.view import StoreDamaged
from jigap.refusal import Refusal
from tests import processes
from tests.unit.node.people import (
    ALICE,
    BOB,
    SIGNER_KEY,
    STRANGER,
    genesis,
    key,
    remit,
)

JSON = {"Content-Type": "application/json"}
VERSION = b'{"jsonrpc":"2.0","id":1,"method":"net_version"}'


def config(folder: Path, **more: Any) -> NodeConfig:
    given: dict[str, Any] = {
        "data_dir": folder,
        "proposer_key": SIGNER_KEY,
        "genesis": genesis(),
        "port": 0,
        "block_interval_ms": 100,
        "block_min_ms": 10,
    }
    return NodeConfig(**given | more)


@asynccontextmanager
async def serving(folder: Path, **more: Any) -> AsyncIterator[RunningNode]:
    """A node in this process; cancelled at the end, as a stop is."""
    ready: asyncio.Future[RunningNode] = asyncio.get_running_loop().create_future()
    running = asyncio.ensure_future(
        run_node(config(folder, **more), ready.set_result, handle_signals=False)
    )
    await asyncio.wait((ready, running), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    try:
        yield ready.result()
    finally:
        running.cancel()
        await asyncio.wait((running,))


async def refused(kind: type[Refusal], folder: Path, **more: Any) -> Refusal:
    """The refusal to start; it has one line to show."""
    with pytest.raises(kind) as error:
        async with serving(folder, **more):
            pass
    assert "\n" not in error.value.detail
    return error.value


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[RunningNode]:
    async with serving(tmp_path) as running:
        yield running


Post = Callable[..., Awaitable[tuple[int, bytes]]]


@pytest.fixture
async def post(node: RunningNode) -> AsyncIterator[Post]:
    async with aiohttp.ClientSession() as session:

        async def post(body: bytes, headers: dict[str, str] = JSON) -> tuple[int, bytes]:
            async with session.post(node.rpc_url, data=body, headers=headers) as response:
                return response.status, await response.read()

        yield post


# -- HTTP ----------------------------------------


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON-RPC", 200),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
    ],
)
async def test_takes_any_type_that_claims_json(post: Post, content_type: str, status: int) -> None:
    assert (await post(VERSION, {"Content-Type": content_type}))[0] == status


async def test_errors_are_still_http_200(post: Post) -> None:
    for body in (b"{", b"[]", b"5", b'{"id":1,"method":"no_such"}'):
        status, content = await post(body)
        assert status == 200 and b'"error"' in content


async def test_a_health_probe_is_answered(node: RunningNode) -> None:
    async with aiohttp.ClientSession() as session:
        for method in ("GET", "HEAD", "OPTIONS"):
            async with session.request(method, node.rpc_url + "/anything") as response:
                assert response.status == 200 and await response.read() == b""


async def test_a_single_call_is_bounded_below_a_batch(post: Post) -> None:
    padding = b" " * (BODY_BYTES_MAX - len(VERSION))
    assert (await post(VERSION + padding))[0] == 200
    assert (await post(VERSION + padding + b" "))[0] == 413
    batch = b"[" + VERSION + b" " * (BATCH_BODY_BYTES_MAX - len(VERSION) - 2) + b"]"
    assert (await post(batch))[0] == 200
    assert (await post(batch + b" "))[0] == 413


async def test_an_endless_body_is_cut_off(node: RunningNode) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65_536

    async with aiohttp.ClientSession() as session:
        try:
            async with session.post(node.rpc_url, data=endless(), headers=JSON) as response:
                assert response.status == 413
        except aiohttp.ClientError:
            pass  # the connection was closed on us: just as good


async def test_garbage_on_the_socket_stops_nothing(node: RunningNode, post: Post) -> None:
    for garbage in (
        b"\0" * 100,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(garbage)
        await writer.drain()
        writer.close()
    assert await post(VERSION) == (200, b'{"jsonrpc":"2.0","id":1,"result":"7777"}')


async def test_a_disconnect_in_the_middle_stops_nothing(node: RunningNode, post: Post) -> None:
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(
            b"POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
        )
        await writer.drain()
        writer.transport.abort()
    assert (await post(VERSION))[0] == 200


# -- blocks ----------------------------------------


async def test_blocks_come_at_a_beat_even_when_nothing_happens(node: RunningNode) -> None:
    async with NodeClient(node.rpc_url) as client:
        start = await client.block_number()
        await asyncio.sleep(0.6)
        made = await client.block_number() - start
        assert 2 <= made <= 7, "one per 100 ms, on a machine that may be busy"


async def test_a_transaction_does_not_wait_for_the_beat(tmp_path: Path) -> None:
    one = remit(ALICE, 0, BOB.symid)
    slow = serving(tmp_path, block_interval_ms=60_000)
    async with slow as running, NodeClient(running.rpc_url) as client:
        assert (await client.submit(one.raw)).kind == "accepted"
        async with asyncio.timeout(30):
            while await client.receipt(one.hash) is None:
                await asyncio.sleep(0.01)


async def test_what_can_not_be_mined_yet_makes_no_blocks(tmp_path: Path) -> None:
    slow = serving(tmp_path, block_interval_ms=60_000)
    async with slow as running, NodeClient(running.rpc_url) as client:
        for nonce in range(1, 5):
            assert (await client.submit(remit(ALICE, nonce, BOB.symid).raw)).kind == "accepted"
            await asyncio.sleep(0.05)
        assert await client.block_number() == 0


async def test_time_goes_on_where_the_clock_stands_still_or_goes_back(tmp_path: Path) -> None:
    clock = SimulatedClock(genesis().time_ms - 1_000_000)
    ready: asyncio.Future[RunningNode] = asyncio.get_running_loop().create_future()
    running = asyncio.ensure_future(
        run_node(config(tmp_path), ready.set_result, clock=clock, handle_signals=False)
    )
    async with NodeClient((await ready).rpc_url) as client:
        while await client.block_number() < 3:
            await asyncio.sleep(0.02)
        headers = [await client.header(number) for number in range(4)]
    running.cancel()
    await asyncio.wait((running,))
    times = [header.time_ms for header in headers if header]
    assert times == [genesis().time_ms + number for number in range(4)]


async def test_what_waits_survives_a_restart(tmp_path: Path) -> None:
    one = remit(ALICE, 1, BOB.symid)  # waits for nonce 0
    async with serving(tmp_path) as running, NodeClient(running.rpc_url) as client:
        assert (await client.submit(one.raw)).kind == "accepted"
    async with serving(tmp_path) as running, NodeClient(running.rpc_url) as client:
        assert (await client.submit(one.raw)).kind == "known"
        assert (await client.submit(remit(ALICE, 0, BOB.symid).raw)).kind == "accepted"
        async with asyncio.timeout(30):
            while await client.receipt(one.hash) is None:
                await asyncio.sleep(0.01)
    async with serving(tmp_path) as running, NodeClient(running.rpc_url) as client:
        assert (await client.submit(one.raw)).message == "nonce too low"
        assert await client.nonce(ALICE.symid) == 2


# -- starting and ending ----------------------------------------


async def test_refuses_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        error = await refused(PortInUse, tmp_path, port=taken.getsockname()[1])
    assert "127.0.0.1" in error.detail


async def test_two_nodes_never_share_a_folder(tmp_path: Path) -> None:
    async with serving(tmp_path):
        await refused(FolderInUse, tmp_path)
    async with serving(tmp_path):
        pass


async def test_refuses_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    await refused(FolderUnusable, tmp_path / "file")


async def test_refuses_another_genesis_and_goes_on_without_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as running:
        begun = running.genesis_hash
    more = GenesisAccount(STRANGER.symid, STRANGER.key.public_key_hash)
    await refused(OtherGenesis, tmp_path, genesis=genesis(more))
    async with serving(tmp_path, genesis=None) as running:
        assert running.genesis_hash == begun
    await refused(NoGenesis, tmp_path / "elsewhere", genesis=None)


async def test_a_first_start_that_was_cut_short_starts_again(tmp_path: Path) -> None:
    Store(tmp_path / STORE_FOLDER).close()  # the file was made, nothing was written
    async with serving(tmp_path) as running:
        begun = running.genesis_hash
    (tmp_path / GENESIS_FILE).unlink()  # block 0 was written, the document was not
    async with serving(tmp_path) as running:
        assert running.genesis_hash == begun
    assert (tmp_path / GENESIS_FILE).read_bytes() == genesis().to_json()


async def test_refuses_the_key_of_somebody_else(tmp_path: Path) -> None:
    await refused(WrongSigner, tmp_path, proposer_key=key(77))


async def test_refuses_a_store_older_than_what_was_signed(tmp_path: Path) -> None:
    """The store was put back from a backup and the guard was not."""
    async with serving(tmp_path) as running, NodeClient(running.rpc_url) as client:
        while await client.block_number() < 3:
            await asyncio.sleep(0.02)
    for file in (tmp_path / STORE_FOLDER).iterdir():
        file.unlink()
    Store.open(tmp_path / STORE_FOLDER, first_block(genesis())).close()
    await refused(DoubleSign, tmp_path)


async def _some_blocks(folder: Path) -> Path:
    async with serving(folder) as running, NodeClient(running.rpc_url) as client:
        await client.submit(remit(ALICE, 0, BOB.symid).raw)
        while await client.block_number() < 3:
            await asyncio.sleep(0.02)
    return folder / STORE_FOLDER / "data.mdb"


@pytest.mark.parametrize("left", [0, 100, 4096, 8192, 20_000, -4096])
async def test_refuses_a_store_that_was_cut_short(tmp_path: Path, left: int) -> None:
    file = await _some_blocks(tmp_path)
    os.truncate(file, left if left >= 0 else file.stat().st_size + left)
    error = await refused(StoreDamaged, tmp_path)
    assert "damaged" in error.detail or "cut short" in error.detail


@pytest.mark.parametrize("filling", [b"\0", b"\xff", b"\xa5", b"\1\2"])
async def test_refuses_a_store_overwritten_with_garbage(tmp_path: Path, filling: bytes) -> None:
    file = await _some_blocks(tmp_path)
    size = file.stat().st_size
    with open(file, "r+b") as damaged:
        damaged.seek(8192)
        damaged.write((filling * size)[: size - 8192])
    await refused(StoreDamaged, tmp_path)


async def test_refuses_a_store_whose_head_is_gone(tmp_path: Path) -> None:
    file = await _some_blocks(tmp_path)
    with open(file, "r+b") as damaged:
        damaged.write(b"\xa5" * 8192)
    await refused(StoreDamaged, tmp_path)


async def test_a_page_of_garbage_is_found_or_harmless(tmp_path: Path, seed: int) -> None:
    """The node refuses to start, or the chain is the one it was and goes on."""
    file = await _some_blocks(tmp_path)
    whole = file.read_bytes()
    pages = range(2, len(whole) // 4096)
    for page in random.Random(seed).sample(pages, 8):
        with open(file, "r+b") as damaged:
            damaged.write(whole[: page * 4096] + b"\xa5" * 4096 + whole[(page + 1) * 4096 :])
        try:
            async with serving(tmp_path) as running, NodeClient(running.rpc_url) as client:
                assert await client.nonce(ALICE.symid) == 1
                height = running.block_number
                while await client.block_number() < height + 3:
                    await asyncio.sleep(0.02)
        except StoreDamaged:
            pass
        file.write_bytes(whole)
        for signed in tmp_path.glob("signed.*"):
            signed.unlink()


async def test_a_disk_that_fails_stops_the_node_and_acknowledges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Store, waiting: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "keep", full)
    ready: asyncio.Future[RunningNode] = asyncio.get_running_loop().create_future()
    running = asyncio.ensure_future(
        run_node(config(tmp_path, block_interval_ms=60_000), ready.set_result, handle_signals=False)
    )
    async with NodeClient((await ready).rpc_url) as client:
        submitted = await client.submit(remit(ALICE, 0, BOB.symid).raw)
        assert submitted.kind == "unknown"
    with pytest.raises(StoreFailed, match="No space left"):
        async with asyncio.timeout(30):
            await running


def test_sigterm_ends_a_node_cleanly(tmp_path: Path) -> None:
    running = processes.start("node", "--data", tmp_path, "--port", "0", "--dev-accounts", "1")
    assert running.stop() == 0
    again = processes.start("node", "--data", tmp_path, "--port", "0", "--dev-accounts", "1")
    assert again.ready["accounts"] == running.ready["accounts"]
    again.process.send_signal(signal.SIGINT)
    assert again.process.wait(60) in (0, 130)


# -- development accounts ----------------------------------------


def test_development_accounts_are_made_once(tmp_path: Path) -> None:
    first, again = dev_chain(tmp_path, 3), dev_chain(tmp_path, 5, chain_id=1)
    assert first.accounts == again.accounts and first.genesis == again.genesis
    assert len(first.accounts) == 3
    assert (tmp_path / DEV_FILE).stat().st_mode & 0o777 == 0o600
    assert first.accounts[0].key.public_key_hash in {
        account.key_hash for account in first.genesis.accounts
    }
    assert isinstance(first.proposer_key, PrivateKey)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"accounts": 5}'])
def test_refuses_a_file_that_is_no_list_of_accounts(tmp_path: Path, content: str) -> None:
    (tmp_path / DEV_FILE).write_text(content)
    with pytest.raises(DevAccountsMalformed):
        dev_chain(tmp_path, 1)

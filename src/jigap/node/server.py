"""The node as a process: folder, chain, block production and JSON-RPC over HTTP.

``run_node`` runs until it is asked to stop (SIGTERM, SIGINT, or cancelled) or the disk fails.
Everything a client may see over HTTP is status 200 with a JSON-RPC answer, 413 for a body that is
too large and 415 for one that does not claim to be JSON. Requests are answered one after the other
on the event loop; only submissions wait, for the disk.
"""

import asyncio
import fcntl
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import uvicorn

from jigap.chain.signature import PrivateKey
from jigap.clock import Clock, SystemClock
from jigap.node import inspection, rpc
from jigap.node.genesis import Genesis, first_block
from jigap.node.guard import Guard, sync_folder
from jigap.node.producer import Producer
from jigap.node.solo import SoloChain, StoreFailed
from jigap.node.store import Store
from jigap.node.view import StoreDamaged
from jigap.refusal import Kind, Refusal

BODY_BYTES_MAX = 128 << 10
BATCH_BODY_BYTES_MAX = 1 << 20

GENESIS_FILE = "genesis.json"
LOCK_FILE = "lock"
STORE_FOLDER = "chain"
STOP_TIMEOUT_S = 5

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Scope = MutableMapping[str, Any]


class PortInUse(Refusal):
    """Something else listens there."""

    code: ClassVar[str] = "port_in_use"
    kind: ClassVar[Kind] = Kind.CONFLICT
    hint: ClassVar[str] = "Choose another port, or stop the program that uses it."


class FolderInUse(Refusal):
    """Another node runs on this data folder."""

    code: ClassVar[str] = "folder_in_use"
    kind: ClassVar[Kind] = Kind.CONFLICT
    hint: ClassVar[str] = "Stop the other node, or choose another data folder."


class FolderUnusable(Refusal):
    """The data folder cannot be made or written."""

    code: ClassVar[str] = "folder_unusable"
    kind: ClassVar[Kind] = Kind.UNAVAILABLE


class NoGenesis(Refusal):
    """A new chain needs a genesis."""

    code: ClassVar[str] = "no_genesis"
    kind: ClassVar[Kind] = Kind.MISSING


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """How to run a node.

    ``genesis`` may be left out where the folder holds a chain. ``port`` 0 takes any free one.
    """

    data_dir: Path
    proposer_key: PrivateKey
    genesis: Genesis | None = None
    host: str = "127.0.0.1"
    port: int = 8545
    block_interval_ms: int = 1000
    block_min_ms: int = 100


@dataclass(frozen=True, slots=True)
class RunningNode:
    """What ``on_ready`` is told."""

    rpc_url: str
    port: int
    chain_id: int
    genesis_hash: bytes
    block_number: int


async def run_node(
    config: NodeConfig,
    on_ready: Callable[[RunningNode], None] = lambda node: None,
    *,
    clock: Clock | None = None,
    handle_signals: bool = True,
) -> None:
    """Serve a chain until asked to stop, then leave the folder clean.

    Raises a ``Refusal`` with one line to show: ``PortInUse``, ``FolderInUse``, ``FolderUnusable``,
    ``NoGenesis``, ``OtherGenesis``, ``StoreDamaged``, ``WrongSigner``, ``DoubleSign``,
    ``StoreFailed``.
    """
    with locked_folder(config.data_dir), _listening(config.host, config.port) as listener:
        chain = open_chain(config.data_dir, config.genesis, config.proposer_key)
        try:
            await _serve(chain, config, listener, on_ready, clock or SystemClock(), handle_signals)
        finally:
            chain.close()


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold the data folder for this process alone; raises ``FolderInUse``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FolderUnusable(f"cannot use {folder}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderInUse(f"another node runs on {folder}") from error
        yield
    finally:
        os.close(descriptor)


def open_chain(folder: Path, genesis: Genesis | None, key: PrivateKey) -> SoloChain:
    """The chain in a locked folder, begun with ``genesis`` if there is none yet.

    Raises as ``run_node`` does. A damaged file is found out here, in a process of its own, because
    reading one can kill the process that does.
    """
    kept = folder / GENESIS_FILE
    begun = kept.exists()
    if not begun and genesis is None:
        raise NoGenesis(f"there is no chain in {folder}, and no genesis to begin one")
    given = genesis or Genesis.from_json(kept.read_bytes())
    if begun:
        inspection.check_store(folder / STORE_FOLDER)
    elif (folder / STORE_FOLDER / "data.mdb").exists():
        # A first start that was cut short has written nothing yet but an empty file.
        inspection.check_store(folder / STORE_FOLDER, may_be_empty=True)
    store = Store.open(folder / STORE_FOLDER, first_block(given) if genesis or not begun else None)
    try:
        if not begun:
            _write_synced(kept, given.to_json())
        return SoloChain.start(store, Guard(folder), key)
    except BaseException:
        store.close()
        raise


def _write_synced(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".new")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except (OSError, OverflowError) as error:
            raise PortInUse(f"cannot listen on {host}:{port}: {error}", port=port) from error
        listener.listen(2048)
        listener.setblocking(False)
        yield listener


async def _serve(
    chain: SoloChain,
    config: NodeConfig,
    listener: socket.socket,
    on_ready: Callable[[RunningNode], None],
    clock: Clock,
    handle_signals: bool,
) -> None:
    producer = Producer(chain, clock.now_ms, config.block_interval_ms, config.block_min_ms)
    server = _Server(_uvicorn_config(application(chain)))
    producing = asyncio.ensure_future(producer.run())
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    signals = _stop_on_signals(server) if handle_signals else nullcontext()
    try:
        with signals:
            await _started(server, serving)
            on_ready(_running(chain, config.host, listener))
            await asyncio.wait((producing, serving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        producing.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait((serving, producing))
    for task in (producing, serving):
        if not task.cancelled():
            task.result()  # a failure of the disk is ours to tell


async def _started(server: "_Server", serving: "asyncio.Task[None]") -> None:
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)


def _running(chain: SoloChain, host: str, listener: socket.socket) -> RunningNode:
    port = int(listener.getsockname()[1])
    shown = f"[{host}]" if ":" in host else host
    first = chain.view.header(0)
    assert first is not None
    return RunningNode(
        rpc_url=f"http://{shown}:{port}",
        port=port,
        chain_id=chain.rules.chain_id,
        genesis_hash=first.signed.hash,
        block_number=chain.tip.header.number,
    )


def _uvicorn_config(app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )


class _Server(uvicorn.Server):
    """Uvicorn without signal handlers of its own: the node is stopped as a whole."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


@contextmanager
def _stop_on_signals(server: _Server) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    caught = (signal.SIGTERM, signal.SIGINT)
    for number in caught:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


def application(chain: SoloChain) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI application that answers for a chain."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        status, content = await _answer(chain, scope, receive)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return respond


async def _answer(chain: SoloChain, scope: Scope, receive: Receive) -> tuple[int, bytes]:
    body = await _read_body(receive)
    if body is None:
        return 413, b""
    if not body:
        return (200, b"") if scope["method"] != "POST" else (200, rpc.answer(chain, body).content)
    if not _claims_json(scope):
        return 415, b""
    if len(body) > BODY_BYTES_MAX and body.lstrip()[:1] != b"[":
        return 413, b""
    reply = rpc.answer(chain, body)
    if reply.submitted:
        try:
            await chain.keep_accepted()
        except StoreFailed as error:
            return 200, rpc.failed(body, error.detail)
    return 200, reply.content


async def _read_body(receive: Receive) -> bytes | None:
    """The body; None when it is too large."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body if len(body) <= BATCH_BODY_BYTES_MAX else None
    parts, size = [body], len(body)
    while message.get("more_body") and size <= BATCH_BODY_BYTES_MAX:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    return b"".join(parts) if size <= BATCH_BODY_BYTES_MAX else None


def _claims_json(scope: Scope) -> bool:
    return any(
        name == b"content-type" and b"json" in value.lower() for name, value in scope["headers"]
    )


__all__ = [
    "FolderInUse",
    "FolderUnusable",
    "NoGenesis",
    "NodeConfig",
    "PortInUse",
    "RunningNode",
    "StoreDamaged",
    "application",
    "locked_folder",
    "open_chain",
    "run_node",
]

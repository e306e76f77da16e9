"""`jigap web` and `jigap dispatcher`: the platform as several processes on one PostgreSQL database.

Both need the same data folder (keystores, master key) and a node that runs already. Workers of
`jigap web` share one listening socket; a worker that dies is started again.
"""

import asyncio
import json
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from jigap import settings
from jigap.app import build, install
from jigap.cli.child import Child, die_with_parent
from jigap.cli.failure import CommandFailed
from jigap.cli.listening import listen, url_of
from jigap.cli.options import Data, Json, ParentPid, Port
from jigap.cli.platform import dispatching, serving
from jigap.cli.serving import end, run, say, settle_memory, until
from jigap.settings import Settings


class NeedsPostgresql(CommandFailed):
    """An SQLite database has one owner, so the platform cannot be split."""

    code = "needs_postgresql"
    hint = "Set database_url to a PostgreSQL database, or use `jigap up`."


def web(
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes.")] = 1,
    data: Data = None,
    port: Port = None,
    json_: Json = False,
    socket_fd: Annotated[int | None, typer.Option("--socket-fd", hidden=True)] = None,
    parent_pid: ParentPid = None,
) -> None:
    """Answer HTTP, beside a dispatcher and a node that run elsewhere."""
    if parent_pid is not None:
        die_with_parent(parent_pid)
    given = _split_settings(data, port)
    if socket_fd is not None:
        run(_worker(given, socket.socket(fileno=socket_fd)), given.log_level)
    else:
        run(_workers(given, workers, json_), given.log_level)


def dispatcher(data: Data = None, json_: Json = False, parent_pid: ParentPid = None) -> None:
    """Follow the chain and broadcast, beside web servers and a node that run elsewhere.

    A second dispatcher on the same database waits until the first one is gone.
    """
    if parent_pid is not None:
        die_with_parent(parent_pid)
    given = _split_settings(data, None)
    run(_dispatcher(given, json_), given.log_level)


def _split_settings(data: Path | None, port: int | None) -> Settings:
    given = settings.load(data, port=port)
    if not given.database_url:
        raise NeedsPostgresql("The platform can only be split on PostgreSQL.")
    install(given)
    return given


async def _workers(given: Settings, count: int, json_: bool) -> None:
    listener = listen(given.host, given.port)
    workers = [Child("web worker", _worker_command(given, listener), say) for _ in range(count)]
    keeping: list[asyncio.Task[None]] = []
    try:
        await asyncio.gather(*(worker.start(listener.fileno()) for worker in workers))
        keeping = [asyncio.create_task(worker.keep_running()) for worker in workers]
        _ready(json_, url=url_of(listener))
        await until(*keeping)
    finally:
        await end(*keeping)
        await asyncio.gather(*(worker.stop() for worker in workers))


def _worker_command(given: Settings, listener: socket.socket) -> list[str]:
    command = [sys.executable, "-m", "jigap.cli", "web", "--data", str(given.data)]
    return [*command, "--socket-fd", str(listener.fileno())]


async def _worker(given: Settings, listener: socket.socket) -> None:
    app = build(given)
    try:
        async with serving(app, listener) as answering:
            settle_memory()
            _ready(True)
            await until(answering)
    finally:
        await app.close()


async def _dispatcher(given: Settings, json_: bool) -> None:
    app = build(given)
    try:
        async with dispatching(app) as parts:
            settle_memory()
            _ready(json_)
            await until(*parts)
    finally:
        await app.close()


def _ready(json_: bool, **facts: str) -> None:
    if json_:
        print(json.dumps({"ready": True, **facts}), flush=True)
    else:
        say(" ".join(["Ready.", *facts.values()]))

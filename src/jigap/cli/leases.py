"""One dispatcher per database, enforced by the database itself.

On SQLite the data folder has one owner and the dispatcher is inside it. On PostgreSQL the
dispatcher holds an advisory lock on a connection of its own for as long as it works; another one
waits for it, ready to take over.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from jigap.app import App
from jigap.cli.failure import CommandFailed
from jigap.cli.serving import end

_KEY = 0x6A69_6469_7370
RETRY_S = 1.0
CHECK_S = 1.0


@asynccontextmanager
async def dispatcher_lease(
    app: App, say: Callable[[str], None]
) -> AsyncIterator["asyncio.Task[None]"]:
    """Hold the lease; the task ends with ``CommandFailed`` when it is lost."""
    if app.database.dialect != "postgresql":
        watching = asyncio.create_task(_forever())
        try:
            yield watching
        finally:
            await end(watching)
        return
    connection = app.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        await _take(connection, say)
        watching = asyncio.create_task(_watch(connection))
        try:
            yield watching
        finally:
            await end(watching)
    finally:
        connection.close()


async def _take(connection: Connection, say: Callable[[str], None]) -> None:
    told = False
    while not await asyncio.to_thread(_try, connection):
        if not told:
            say("Another dispatcher works on this database; waiting to take over.")
            told = True
        await asyncio.sleep(RETRY_S)


def _try(connection: Connection) -> bool:
    taken = connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY})
    return bool(taken)


async def _watch(connection: Connection) -> None:
    """The lock lives as long as the connection."""
    while True:
        await asyncio.sleep(CHECK_S)
        try:
            await asyncio.to_thread(connection.execute, text("SELECT 1"))
        except DBAPIError:
            raise CommandFailed(
                "The connection that holds the dispatcher's lease is gone."
            ) from None


async def _forever() -> None:
    await asyncio.Event().wait()

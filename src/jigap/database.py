"""The platform's database: one way to read, one way to write, on SQLite and PostgreSQL alike.

An operation on the database is a plain function ``fn(connection, *args)`` that only talks SQL. It
is run off the event loop, whole or not at all, and may be run again from the start if the database
asks for it, so it must have no other effect.

* On SQLite all writes go through one thread. What is waiting when the thread is free goes out as
  one transaction, a savepoint each, and is acknowledged after the one sync: group commit. Readers
  have their own connections and see the last commit (WAL).
* On PostgreSQL each write is a transaction of its own at READ COMMITTED; operations that decide
  about money lock the row they decide by (``SELECT … FOR UPDATE``): first the lane, then the rest.
"""

import asyncio
import inspect
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import CHAR, Connection, Engine, MetaData, Table, bindparam, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.types import TypeDecorator

from jigap.refusal import Kind, Refusal

P = ParamSpec("P")
T = TypeVar("T")

GROUP_MAX = 128
WRITE_QUEUE_MAX = 10_000
RETRY_MAX = 12

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Amount(TypeDecorator[int]):
    """An unsigned 256-bit integer as 78 decimal digits: readable, and it sorts as a number does."""

    impl = CHAR(78)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Any) -> str | None:
        if value is None:
            return None
        if not 0 <= value < 2**256:
            raise ValueError(f"amount {value} is not an unsigned 256-bit integer")
        return f"{value:078d}"

    def process_result_value(self, value: str | None, dialect: Any) -> int | None:
        return None if value is None else int(value)


class DatabaseBusy(Refusal):
    """More writes wait than can be done soon."""

    code = "database_busy"
    kind = Kind.BUSY
    retryable = True
    hint = "Send the same request again in a moment."


class DatabaseUnavailable(Refusal):
    """The database cannot be reached, or cannot write: its disk is full or does not answer."""

    code = "database_unavailable"
    kind = Kind.UNAVAILABLE
    retryable = True
    hint = "Send the same request again later; nothing is known to be lost."


class Database:
    """A handle on one database. Close it when done."""

    def __init__(self, url: str, *, readers: int = 4) -> None:
        self.url = url
        self._engine = _engine(url)
        self.dialect: str = self._engine.dialect.name
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="db-read")
        self._reading: _KeptOpen | None = None
        self._writer: _GroupCommit | None = None
        self._writers: ThreadPoolExecutor | None = None
        if self.dialect == "sqlite":
            self._writer = _GroupCommit(self._engine)
            self._reading = _KeptOpen(self._engine)
        else:
            self._writers = ThreadPoolExecutor(8, thread_name_prefix="db-write")

    @property
    def engine(self) -> Engine:
        """For migrations and for tools that own the database alone."""
        return self._engine

    async def read(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``fn`` on one snapshot of the database. Raises ``DatabaseUnavailable``."""
        work = self._readers.submit(self._read, fn, args, kwargs)
        with _trouble_refused():
            return await asyncio.wrap_future(work)

    async def write(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``fn`` in a transaction; when this returns, what it wrote is durable.

        ``fn`` runs in another thread, but in this task's context (``contextvars``).
        Raises ``DatabaseBusy``, and ``DatabaseUnavailable`` when it may or may not have happened.
        """
        run = copy_context().run
        if self._writer is not None:
            work = self._writer.submit(lambda connection: run(fn, connection, *args, **kwargs))
        else:
            assert self._writers is not None
            work = self._writers.submit(run, self._write_alone, fn, args, kwargs)
        # A cancelled request must not leave a half-known write behind: the write goes on.
        with _trouble_refused():
            return await asyncio.shield(asyncio.wrap_future(work))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._writers is not None:
            self._writers.shutdown()
        self._readers.shutdown()
        if self._reading is not None:
            self._reading.close()
        self._engine.dispose()

    def _read(self, fn: Callable[..., T], args: Any, kwargs: Any) -> T:
        if self._reading is not None:
            with self._reading.snapshot() as connection:
                return fn(connection, *args, **kwargs)
        with self._engine.connect() as connection:
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
            return fn(connection, *args, **kwargs)

    def _write_alone(self, fn: Callable[..., T], args: Any, kwargs: Any) -> T:
        for attempt in range(RETRY_MAX):
            try:
                with self._engine.begin() as connection:
                    return fn(connection, *args, **kwargs)
            except DBAPIError as error:
                if attempt + 1 == RETRY_MAX or not _may_retry(error):
                    raise
                time.sleep(random.uniform(0, 0.002 * 2 ** min(attempt, 6)))
        raise AssertionError("unreachable")


class _KeptOpen:
    """A connection for each of SQLite's reading threads: opening one costs more than most reads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._own = threading.local()
        self._all: list[Connection] = []

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """This thread's connection, on one snapshot of the database."""
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None or connection.closed or connection.invalidated:
            connection = self._own.connection = self._opened()
        # Straight to the driver: a transaction of SQLAlchemy costs ten times as much.
        driver: Any = connection.connection.driver_connection
        driver.execute("BEGIN")
        try:
            yield connection
        except Exception as error:
            # Its traceback may hold a cursor that was not read to its end. As long as that lives
            # SQLite keeps this snapshot, whatever is rolled back, and all later reads would see it.
            if not isinstance(error, Refusal):
                self._drop(connection)
            raise
        finally:
            if not connection.closed and driver.in_transaction:
                driver.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of all of them; no thread may be reading any more."""
        for connection in self._all:
            connection.close()

    def _drop(self, connection: Connection) -> None:
        """Close it for good: in the pool it would be taken again."""
        self._all.remove(connection)
        connection.invalidate()
        connection.close()

    def _opened(self) -> Connection:
        connection = self._engine.connect().execution_options(snapshots=True)
        connection.begin()
        self._all.append(connection)
        return connection


class _GroupCommit:
    """SQLite's one writing thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: queue.Queue[tuple[Callable[[Connection], Any], Future[Any]] | None] = (
            queue.Queue(WRITE_QUEUE_MAX)
        )
        self._thread = threading.Thread(target=self._run, name="db-write", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        promise: Future[T] = Future()
        try:
            self._waiting.put_nowait((work, promise))
        except queue.Full:
            raise DatabaseBusy("Too many writes are waiting.", waiting=WRITE_QUEUE_MAX) from None
        return promise

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        with self._engine.connect().execution_options(writes=True) as connection:
            while (first := self._waiting.get()) is not None:
                group = [first]
                stop = False
                while len(group) < GROUP_MAX and not self._waiting.empty():
                    another = self._waiting.get()
                    if another is None:
                        stop = True
                        break
                    group.append(another)
                self._commit(connection, group)
                if stop:
                    return

    def _commit(self, connection: Connection, waiting: list[Any]) -> None:
        # From here on nobody can cancel: an answer nobody takes must not end this thread.
        group = [one for one in waiting if one[1].set_running_or_notify_cancel()]
        done: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with connection.begin():
                for work, promise in group:
                    done.append((promise, *_in_savepoint(connection, work)))
        except BaseException as failure:
            done = [(promise, None, failure) for _, promise in group]
        for promise, result, error in done:
            if error is None:
                promise.set_result(result)
            else:
                promise.set_exception(error)


def _in_savepoint(
    connection: Connection, work: Callable[[Connection], Any]
) -> tuple[Any, BaseException | None]:
    # Straight to the driver: a nested transaction of SQLAlchemy costs ten times as much.
    driver: Any = connection.connection.driver_connection
    driver.execute("SAVEPOINT one")
    try:
        result = work(connection)
        driver.execute("RELEASE one")
        return result, None
    except BaseException as error:
        if not driver.in_transaction:
            raise  # the disk is full, say: SQLite took back the whole group
        driver.execute("ROLLBACK TO one")
        driver.execute("RELEASE one")
        return None, error


def prepared(build: Callable[..., T]) -> Callable[..., tuple[T, dict[str, Any]]]:
    """A statement that is built once, as a function of its values.

    ``build`` is given a bind parameter for each of its arguments. What it becomes takes the values
    and answers what ``Connection.execute`` and ``scalar`` want: ``execute(*by_id(id_))``. Building
    a statement costs five times what running a built one does.
    """
    names = [f"given_{name}" for name in inspect.signature(build).parameters]

    @cache
    def statement() -> T:
        return build(*map(bindparam, names))

    def with_values(*values: Any) -> tuple[T, dict[str, Any]]:
        return statement(), dict(zip(names, values, strict=True))

    return with_values


def for_each(
    statement: Callable[..., tuple[T, dict[str, Any]]], rows: Iterable[tuple[Any, ...]]
) -> tuple[T, list[dict[str, Any]]]:
    """A ``prepared`` statement with the values of many rows (one at least), to be run in one go."""
    made = [statement(*row) for row in rows]
    return made[0][0], [values for _, values in made]


def insert_if_absent(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert a row unless one with its key is there; whether it was. Races are harmless."""
    # Without the option an implicit RETURNING leaves the count unknown on PostgreSQL.
    done = connection.execute(
        _insert_or_nothing(connection.dialect.name, table),
        values,
        execution_options={"preserve_rowcount": True},
    )
    return done.rowcount == 1


@cache
def _insert_or_nothing(dialect_name: str, table: Table) -> Any:
    dialect = postgresql if dialect_name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing()


def sqlite_url(path: Path) -> str:
    """The address of an SQLite file."""
    return f"sqlite+pysqlite:///{path}"


def _engine(url: str) -> Engine:
    # Values stay out of error messages: they reach logs, and some are personal.
    if url.startswith("postgresql://"):
        url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
    if not url.startswith("sqlite"):
        return create_engine(
            url, pool_size=16, max_overflow=8, pool_pre_ping=True, hide_parameters=True
        )
    engine = create_engine(
        url, connect_args={"check_same_thread": False}, pool_size=8, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def configure(raw: Any, _: Any) -> None:
        raw.isolation_level = None
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=10000")
        cursor.execute("PRAGMA cache_size=-32000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: a read that later turns into a write could be refused.
        options = connection.get_execution_options()
        if options.get("snapshots", False):
            return  # each read begins and ends its own
        writes = options.get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _may_retry(error: DBAPIError) -> bool:
    """Serialization failures and deadlocks: PostgreSQL asks for the transaction again."""
    state = getattr(error.orig, "sqlstate", None)
    return state in ("40001", "40P01") or (state is None and isinstance(error, OperationalError))


#: Not our mistake: busy, locked, no memory, read-only, I/O error, full, cannot open.
_SQLITE_TROUBLE = frozenset({5, 6, 7, 8, 10, 13, 14})
#: Classes of PostgreSQL: connection, resources, operator intervention, system.
_POSTGRESQL_TROUBLE = ("08", "53", "57", "58")


@contextmanager
def _trouble_refused() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not _is_trouble(error):
            raise
        why = str(error.orig).strip().splitlines()[0]
        raise DatabaseUnavailable("The database does not work now.") from DatabaseTrouble(why)


class DatabaseTrouble(Exception):
    """What the database said, without the statement and its values."""


def _is_trouble(error: DBAPIError) -> bool:
    """Whether the machine failed and not a statement of ours."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_TROUBLE
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return isinstance(error, OperationalError)
    return str(state).startswith(_POSTGRESQL_TROUBLE)

"""One way to write: whole or not at all, durable when it returns, on both databases."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from jigap.database import Amount, Database, DatabaseUnavailable, prepared, sqlite_url

tables = MetaData()  # not the platform's own: migrations are compared with that one
purses = Table(
    "purses",
    tables,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("balance", Amount, nullable=False),
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    tables.create_all(opened.engine)
    yield opened
    opened.close()


def put(connection: Connection, id_: int, balance: int) -> None:
    connection.execute(insert(purses).values(id=id_, balance=balance))


def add(connection: Connection, id_: int, amount: int) -> int:
    row = select(purses.c.balance).where(purses.c.id == id_).with_for_update()
    balance = connection.scalar(row) or 0
    changed = update(purses).where(purses.c.id == id_).values(balance=balance + amount)
    connection.execute(changed)
    return balance + amount


def put_then_fail(connection: Connection, id_: int) -> None:
    put(connection, id_, 1)
    raise ValueError("after the insert")


def balances(connection: Connection) -> dict[int, int]:
    return {row.id: row.balance for row in connection.execute(select(purses))}


async def test_read_sees_what_write_returned_from(database: Database):
    await database.write(put, 1, 5)
    assert await database.read(balances) == {1: 5}


async def test_failed_write_leaves_nothing(database: Database):
    with pytest.raises(ValueError, match="after the insert"):
        await database.write(put_then_fail, 1)
    assert await database.read(balances) == {}


async def test_one_failed_write_of_a_group_does_not_harm_its_neighbours(database: Database):
    results = await asyncio.gather(
        *(database.write(put, n, n) for n in range(50)),
        *(database.write(put_then_fail, n + 100) for n in range(50)),
        database.write(put, 1, 7),
        return_exceptions=True,
    )
    assert set(await database.read(balances)) == set(range(50))
    assert sum(isinstance(result, ValueError) for result in results) == 50
    assert sum(isinstance(result, IntegrityError) for result in results) == 1


async def test_concurrent_read_then_write_under_a_row_lock_loses_nothing(database: Database):
    await database.write(put, 1, 0)
    results = await asyncio.gather(*(database.write(add, 1, 1) for _ in range(100)))
    assert sorted(results) == list(range(1, 101))
    assert await database.read(balances) == {1: 100}


async def test_cancelled_caller_does_not_leave_a_half_known_write(database: Database):
    writing = asyncio.create_task(database.write(put, 1, 5))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await database.write(put, 2, 6)  # on SQLite: behind the first one in the same queue
    for _ in range(200):
        if await database.read(balances) == {1: 5, 2: 6}:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the cancelled write never arrived")


async def test_amount_keeps_256_bits_and_sorts_as_a_number(database: Database):
    amounts = [2**256 - 1, 10**18, 9, 10, 0]
    for id_, amount in enumerate(amounts):
        await database.write(put, id_, amount)
    query = select(purses.c.balance).order_by(purses.c.balance)
    found = await database.read(lambda connection: list(connection.scalars(query)))
    assert found == sorted(amounts)


@pytest.mark.parametrize("amount", [-1, 2**256])
async def test_refuses_an_amount_that_is_not_unsigned_256_bit(database: Database, amount: int):
    with pytest.raises(StatementError, match="256-bit"):
        await database.write(put, 1, amount)
    assert await database.read(lambda c: c.scalar(select(func.count()).select_from(purses))) == 0


async def test_what_is_written_outlives_the_handle(database_url: str):
    first = Database(database_url)
    tables.create_all(first.engine)
    await first.write(put, 3, 4)
    first.close()
    second = Database(database_url)
    assert await second.read(balances) == {3: 4}
    second.close()


async def test_a_writer_nobody_waits_for_any_more_does_not_stop_the_others(database):
    """A promise cancelled while it waits is left out; the thread goes on."""
    if database.dialect != "sqlite":
        return
    started, go_on = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        started.set()
        go_on.wait(5)

    first = asyncio.ensure_future(database.write(hold))
    await asyncio.to_thread(started.wait, 5)
    ran: list[str] = []
    promise = database._writer.submit(lambda _: ran.append("cancelled"))
    assert promise.cancel()
    last = asyncio.ensure_future(database.write(lambda _: ran.append("last")))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(first, last)
    assert ran == ["last"]


async def test_a_prepared_statement_is_built_once_and_keeps_no_value(database):
    built = []

    @prepared
    def balance_of(id_):
        built.append(id_)
        return select(purses.c.balance).where(purses.c.id == id_)

    await database.write(put, 1, 10)
    await database.write(put, 2, 2**255)
    for id_, balance in ((1, 10), (2, 2**255), (3, None), (1, 10)):
        found = await database.read(lambda connection, id_=id_: connection.scalar(*balance_of(id_)))
        assert found == balance
    assert len(built) == 1


def test_a_prepared_statement_wants_all_of_its_values():
    by_id = prepared(lambda id_: select(purses).where(purses.c.id == id_))
    with pytest.raises(ValueError, match="shorter"):
        by_id()


async def test_a_full_disk_refuses_what_it_cannot_keep_and_goes_on_when_there_is_room(tmp_path):
    database = Database(sqlite_url(tmp_path / "full.sqlite"))
    tables.create_all(database.engine)

    def allow(connection: Connection, pages: int) -> int:
        present = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        return int(connection.exec_driver_sql(f"PRAGMA max_page_count={present + pages}").scalar())

    def fill(connection: Connection, first: int) -> None:
        for number in range(first, first + 500):
            put(connection, number, 10**60)

    await database.write(allow, 1)
    with pytest.raises(DatabaseUnavailable) as refused:
        await database.write(fill, 1)
    assert refused.value.retryable
    assert await database.read(balances) == {}
    await database.write(allow, 10_000)
    await database.write(fill, 1)
    assert len(await database.read(balances)) == 500
    database.close()


async def test_a_mistake_of_ours_is_not_called_trouble(database: Database):
    with pytest.raises(DBAPIError, match="no_such_table"):
        await database.read(
            lambda connection: connection.execute(text("SELECT * FROM no_such_table"))
        )


async def test_a_lost_connection_is_told_as_trouble(postgres_url: str):
    """Every connection is cut while it works, and again each time the write is tried anew."""
    database = Database(postgres_url)

    def cut(connection: Connection) -> None:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(DatabaseUnavailable):
        await database.read(cut)
    assert await database.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
    database.close()


async def test_errors_do_not_tell_the_values_that_were_written(database: Database):
    """They end in logs."""
    words = "blue river 42 stones"

    def fail(connection: Connection) -> None:
        connection.execute(text("SELECT :value FROM there_is_no_such_table"), {"value": words})

    with pytest.raises((DBAPIError, DatabaseUnavailable)) as told:
        await database.write(fail)
    assert words not in str(told.value)


async def test_each_read_sees_the_last_commit(database: Database):
    """Reading connections stay open; their snapshots do not."""
    for number in range(8):
        await database.write(put, number, number)
        assert await database.read(balances) == {one: one for one in range(number + 1)}


async def test_a_read_that_fails_leaves_its_connection_as_good_as_new(database: Database):
    def fail(connection: Connection) -> None:
        balances(connection)
        raise ValueError("no")

    for _ in range(8):
        with pytest.raises(ValueError, match="no"):
            await database.read(fail)
    await database.write(put, 1, 5)
    for _ in range(8):
        assert await database.read(balances) == {1: 5}


async def test_a_bug_in_the_middle_of_rows_keeps_no_later_read_in_the_past(tmp_path):
    database = Database(sqlite_url(tmp_path / "test.sqlite"), readers=1)
    await database.write(lambda connection: connection.execute(text("CREATE TABLE row (n)")))
    add, count = text("INSERT INTO row VALUES (1), (2)"), text("SELECT count(*) FROM row")
    await database.write(lambda connection: connection.execute(add))

    def stumble(connection):
        rows = connection.exec_driver_sql("SELECT n FROM row")
        rows.fetchone()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as kept:  # and with it the rows that were not read
        await database.read(stumble)
    await database.write(lambda connection: connection.execute(add))
    assert await database.read(lambda connection: connection.scalar(count)) == 4
    assert kept.value.__traceback__
    database.close()


async def test_what_one_read_sees_does_not_change_under_it(database: Database):
    def twice(connection: Connection) -> bool:
        before = balances(connection)
        read.set()
        written.wait(5)
        return balances(connection) == before

    read, written = threading.Event(), threading.Event()
    reading = asyncio.create_task(database.read(twice))
    await asyncio.to_thread(read.wait, 5)
    await database.write(put, 1, 5)
    written.set()
    assert await reading

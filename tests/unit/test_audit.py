"""The audit trail shows any later change to itself."""

import asyncio

import pytest
from sqlalchemy import Connection, Executable, delete, insert, select, update

from jigap import audit
from jigap.audit import audit_trail
from jigap.database import Database


def append(connection: Connection, number: int) -> None:
    audit.append(
        connection,
        now_ms=number,
        actor="mb_operator",
        action="member:verify",
        object_=f"mb_{number}",
        detail=f"number {number}",
    )


def run(connection: Connection, statement: Executable) -> None:
    connection.execute(statement)


async def filled(database: Database, rows: int = 5) -> list[int]:
    for number in range(rows):
        await database.write(append, number)
    query = select(audit_trail.c.id).order_by(audit_trail.c.id)
    return await database.read(lambda connection: list(connection.scalars(query)))


async def test_untouched_trail_has_no_broken_link(database: Database):
    await filled(database)
    assert await database.read(audit.broken_link) is None


async def test_empty_trail_has_no_broken_link(database: Database):
    assert await database.read(audit.broken_link) is None


@pytest.mark.parametrize(
    "column", ["created_ms", "actor", "action", "object", "address", "outcome", "detail"]
)
async def test_any_changed_field_is_found(sqlite_database: Database, column: str):
    ids = await filled(sqlite_database)
    value = 99 if column == "created_ms" else "someone:else"
    change = update(audit_trail).where(audit_trail.c.id == ids[2]).values({column: value})
    await sqlite_database.write(run, change)
    assert await sqlite_database.read(audit.broken_link) == ids[2]


async def test_removed_row_is_found(database: Database):
    ids = await filled(database)
    removal = delete(audit_trail).where(audit_trail.c.id == ids[1])
    await database.write(run, removal)
    assert await database.read(audit.broken_link) == ids[2]


async def test_row_put_in_with_a_forged_hash_is_found(database: Database):
    ids = await filled(database)
    forged = insert(audit_trail).values(
        created_ms=1, actor="x", action="a:b", object="", address="", outcome="", detail="",
        hash=b"\1" * 32,
    )  # fmt: skip
    await database.write(run, forged)
    assert await database.read(audit.broken_link) == max(ids) + 1


async def test_concurrent_appends_form_one_chain(database: Database):
    await asyncio.gather(*(database.write(append, number) for number in range(40)))
    assert await database.read(audit.broken_link) is None

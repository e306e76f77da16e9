"""Seals over the trail: what was sealed cannot be changed, removed or cut without it showing."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, Executable, delete, insert, select, update

from jigap import audit
from jigap.audit import Head, HeadMalformed, Sealer, TrailBroken, audit_seals, audit_trail
from jigap.audit.trail import GENESIS, follow, link
from jigap.chain.signature import PrivateKey
from jigap.clock import SimulatedClock
from jigap.database import Database

KEY, STRANGER = PrivateKey(b"\1" * 32), PrivateKey(b"\2" * 32)


def append(connection: Connection, number: int) -> None:
    audit.append(
        connection, now_ms=number, actor="mb_1", action="member:verify", object_=f"mb_{number}"
    )


def run(connection: Connection, statement: Executable) -> None:
    connection.execute(statement)


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


@dataclass
class Here:
    """A database, its sealer and the file with the newest head."""

    database: Database
    sealer: Sealer
    clock: SimulatedClock
    path: Path

    async def rows(self, *numbers: int) -> None:
        for number in numbers:
            await self.database.write(append, number)

    async def sealed(self, rounds: int = 3) -> None:
        """``rounds`` seals, each over two more rows."""
        for number in range(rounds):
            await self.rows(2 * number, 2 * number + 1)
            self.clock.advance(1_000)
            await self.sealer.seal()

    async def do(self, *statements: Executable) -> None:
        for one in statements:
            await self.database.write(run, one)

    async def verify(self, *known: Head, key: PrivateKey = KEY) -> audit.Report:
        return await self.database.read(audit.inspect, key.public_key_hash, known)

    async def broken(self, *known: Head) -> str:
        found = (await self.verify(*known)).broken
        return "" if found is None else found.what


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Here:
    return world(database, tmp_path)


@pytest.fixture
def light(sqlite_database: Database, tmp_path: Path) -> Here:
    """Where the database does not matter."""
    return world(sqlite_database, tmp_path)


def world(database: Database, folder: Path, key: PrivateKey = KEY) -> Here:
    clock, path = SimulatedClock(1_000_000), folder / "audit.head"
    return Here(database, Sealer(database, key, clock, path, write), clock, path)


def rewrite(connection: Connection) -> None:
    """What a thief with the database can do: change a row, and every hash after it."""
    connection.execute(update(audit_trail).where(audit_trail.c.id == 2).values(actor="mb_2"))
    previous = GENESIS
    for entry, fields in list(follow(connection, 0)):
        previous = link(previous, fields)
        changed = update(audit_trail).where(audit_trail.c.id == entry.id)
        connection.execute(changed.values(hash=previous))


async def test_a_seal_covers_every_row_and_says_when(here: Here):
    await here.sealed(3)
    report = await here.verify()
    assert (report.broken, report.rows, report.seals, report.unsealed) == (None, 6, 3, 0)
    assert report.last_sealed_ms == here.clock.now_ms()
    await here.rows(7)
    assert (await here.verify()).unsealed == 1
    assert await here.database.read(audit.unsealed_rows) == 1


async def test_nothing_new_is_not_sealed_again(here: Here):
    assert await here.sealer.seal() is None
    await here.sealed(1)
    assert await here.sealer.seal() is None
    assert (await here.verify()).seals == 1


async def test_an_empty_trail_is_intact(here: Here):
    report = await here.verify()
    assert (report.broken, report.rows, report.last_sealed_ms) == (None, 0, None)


async def test_a_rewritten_chain_is_found_by_its_seals(here: Here):
    await here.sealed()
    await here.database.write(rewrite)
    assert await here.broken() == "row_changed"


async def test_a_rewritten_chain_with_seals_of_another_key_is_found(light: Here):
    await light.sealed()
    await light.database.write(rewrite)
    await light.do(delete(audit_seals))
    light.path.unlink()
    await world(light.database, light.path.parent, STRANGER).sealer.seal()
    assert await light.broken() == "seal_forged"
    assert (await light.verify(key=STRANGER)).broken is None


async def test_sealed_rows_that_were_cut_off_are_missed(here: Here):
    await here.sealed()
    await here.do(delete(audit_trail).where(audit_trail.c.id > 4))
    assert await here.broken() == "rows_missing"


async def test_rows_cut_off_with_their_seals_are_missed_by_the_head_in_the_file(here: Here):
    await here.sealed()
    kept = audit.read_head(here.path)
    assert kept is not None
    await here.do(
        delete(audit_trail).where(audit_trail.c.id > 4), delete(audit_seals).where(
            audit_seals.c.id > 2
        )
    )  # fmt: skip
    assert await here.broken() == "", "a shorter trail is sound in itself"
    assert await here.broken(kept) == "rows_missing"
    await here.rows(10, 11)
    assert await here.broken(kept) in ("row_changed", "rows_missing")
    with pytest.raises(TrailBroken):
        await here.sealer.seal()


@pytest.mark.parametrize("number", [1, 2])
async def test_a_removed_seal_is_missed(here: Here, number: int):
    await here.sealed()
    await here.do(delete(audit_seals).where(audit_seals.c.id == number))
    assert await here.broken() == "seal_missing"


@pytest.mark.parametrize("column", ["created_ms", "row_id", "head", "previous", "signature"])
async def test_any_changed_field_of_a_seal_is_found(light: Here, column: str):
    await light.sealed()
    value = {"created_ms": 5, "row_id": 3, "signature": b"\1" * 65}.get(column, b"\3" * 32)
    await light.do(update(audit_seals).where(audit_seals.c.id == 2).values({column: value}))
    assert await light.broken() == "seal_forged"


async def test_a_seal_put_in_is_found(light: Here):
    await light.sealed()
    forged = {"created_ms": 1, "row_id": 9, "head": b"\1" * 32, "previous": b"\2" * 32}
    await light.do(insert(audit_seals).values(**forged, signature=b"\0" * 65))
    assert await light.broken() == "seal_forged"


async def test_seals_without_any_key_are_nobodys(light: Here):
    await light.sealed()
    report = await light.database.read(audit.inspect, None)
    assert report.broken is not None and report.broken.what == "seal_forged"


async def test_a_head_that_was_kept_finds_a_replaced_key(light: Here):
    await light.rows(1)
    kept = await light.database.read(audit.newest_head, STRANGER.public_key_hash)
    assert await light.broken(kept) == "key_changed"
    own = await light.database.read(audit.newest_head, KEY.public_key_hash)
    assert await light.broken(own) == ""


async def test_a_head_that_was_kept_finds_a_rewritten_trail_without_seals(light: Here):
    await light.rows(1, 2, 3)
    kept = await light.database.read(audit.newest_head, KEY.public_key_hash)
    await light.database.write(rewrite)
    assert await light.broken() == ""
    assert await light.broken(kept) == "row_changed"


def changes() -> dict[str, Callable[[Connection], object]]:
    last = select(audit_trail.c.id).order_by(audit_trail.c.id.desc()).limit(1).scalar_subquery()
    return {
        "tail": lambda connection: connection.execute(
            update(audit_trail).where(audit_trail.c.id == last).values(actor="mb_9")
        ),
        "sealed": rewrite,
    }


@pytest.mark.parametrize("what", ["tail", "sealed"])
async def test_a_broken_trail_is_said_once_and_not_sealed(
    here: Here, what: str, caplog: pytest.LogCaptureFixture
):
    await here.sealed()
    await here.rows(10)
    await here.database.write(changes()[what])
    task = asyncio.create_task(here.sealer.run(0.01))
    await asyncio.sleep(0.1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert [one.levelname for one in caplog.records if one.name == "jigap.audit"] == ["ERROR"]
    found = await here.database.read(
        lambda connection: connection.execute(select(audit_seals)).all()
    )
    assert len(found) == 3


async def test_a_file_that_cannot_be_used_stops_nobody_and_is_said_once(
    here: Here, caplog: pytest.LogCaptureFixture
):
    """The sealer runs beside the dispatcher, and payments must not end with a full disk."""
    here.path.mkdir()
    await here.rows(1)
    task = asyncio.create_task(here.sealer.run(0.01))
    await asyncio.sleep(0.1)
    assert not task.done()
    assert [one.levelname for one in caplog.records if one.name == "jigap.audit"] == ["ERROR"]
    here.path.rmdir()
    for _ in range(200):
        if here.path.exists():
            break
        await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    report = await here.verify()
    assert (report.seals, report.unsealed) == (1, 0)


async def test_what_is_new_when_the_sealer_is_stopped_is_sealed(here: Here):
    task = asyncio.create_task(here.sealer.run(3600))
    await asyncio.sleep(0.05)
    await here.rows(1, 2)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    report = await here.verify()
    assert (report.seals, report.unsealed) == (1, 0)


async def test_rows_appended_while_sealing_are_sealed_in_their_order(here: Here):
    async def seal() -> None:
        for _ in range(10):
            await here.sealer.seal()
            await asyncio.sleep(0.002)

    await asyncio.gather(seal(), *(here.database.write(append, number) for number in range(60)))
    await here.sealer.seal()
    report = await here.verify()
    assert (report.broken, report.rows, report.unsealed) == (None, 60, 0)


def test_a_head_reads_as_it_was_written():
    head = Head(12, os.urandom(32), os.urandom(20))
    assert Head.parse(f" {head}\n") == head


@pytest.mark.parametrize("text", ["", "jigap-audit-1:1:2:3", "jigap-audit-2:", "x" * 500])
def test_refuses_what_is_no_head(text: str):
    with pytest.raises(HeadMalformed):
        Head.parse(text)

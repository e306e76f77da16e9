"""Events are saved with the change and numbered without gaps, by one party."""

import asyncio

import msgspec
import pytest
from sqlalchemy import Connection, select

from jigap import events
from jigap.database import Database


def numbers(connection: Connection) -> list[tuple[str, int | None]]:
    query = select(events.events.c.subject, events.events.c.seq).order_by(events.events.c.id)
    return [tuple(row) for row in connection.execute(query)]


def record(connection: Connection, subject: str) -> None:
    events.record(
        connection, "wallet.active", subject=subject, member_id="mb_1", now_ms=5, symid="0x00"
    )


def record_then_fail(connection: Connection) -> None:
    record(connection, "lost")
    raise ValueError("after the event")


async def test_event_is_saved_with_its_body(database: Database):
    await database.write(record, "wa_1")
    row = await database.read(lambda connection: connection.execute(select(events.events)).one())
    assert (row.kind, row.subject, row.member_id, row.created_ms) == (
        "wallet.active",
        "wa_1",
        "mb_1",
        5,
    )
    assert msgspec.json.decode(row.body) == {"symid": "0x00"}
    assert row.seq is None


async def test_event_of_a_failed_change_is_not_saved(database: Database):
    with pytest.raises(ValueError, match="after the event"):
        await database.write(record_then_fail)
    assert await database.read(numbers) == []


async def test_numbers_have_no_gap_and_never_change(database: Database):
    for subject in "abc":
        await database.write(record, subject)
    assert await database.write(events.number_new, 2) == 2
    await database.write(record, "d")
    assert await database.write(events.number_new) == 2
    assert await database.write(events.number_new) == 0
    assert await database.read(numbers) == [("a", 1), ("b", 2), ("c", 3), ("d", 4)]


async def test_concurrent_writers_get_distinct_numbers(database: Database):
    await asyncio.gather(*(database.write(record, str(n)) for n in range(40)))
    await database.write(events.number_new)
    assert sorted(number for _, number in await database.read(numbers)) == list(range(1, 41))


async def test_many_events_keep_their_order(database: Database):
    def tell(connection: Connection) -> None:
        events.record_all(connection, [])
        told = (
            events.event("wallet.active", subject=f"wa_{n}", member_id="mb_1", now_ms=n, n=n)
            for n in range(3)
        )
        events.record_all(connection, told)
        events.number_new(connection)

    await database.write(tell)
    assert await database.read(numbers) == [("wa_0", 1), ("wa_1", 2), ("wa_2", 3)]


async def test_unlisted_kind_is_a_bug(database: Database):
    def unlisted(connection: Connection) -> None:
        events.record(connection, "wallet.vanished", subject="", member_id=None, now_ms=0)

    with pytest.raises(AssertionError, match="not listed"):
        await database.write(unlisted)


async def test_a_ring_about_one_thing_wakes_only_who_waits_for_it_or_for_anything():
    bell = events.Bell()
    mine, other, anything = (
        asyncio.create_task(bell.wait(timeout_s, subject))
        for timeout_s, subject in ((5, "tr_1"), (0.05, "tr_2"), (5, None))
    )
    await asyncio.sleep(0)
    bell.ring({"tr_1"})
    assert await asyncio.gather(mine, other, anything) == [True, False, True]


async def test_a_ring_about_everything_wakes_everybody():
    bell = events.Bell()
    waiting = [asyncio.create_task(bell.wait(5, subject)) for subject in ("tr_1", None)]
    await asyncio.sleep(0)
    bell.ring()
    assert await asyncio.gather(*waiting) == [True, True]


async def test_what_rings_while_one_looks_is_heard():
    bell = events.Bell()
    with bell.listening("tr_1") as heard:
        await asyncio.sleep(0.01)  # looking takes a while
        bell.ring({"tr_1"})
        assert await heard(0)
    assert not await bell.wait(0, "tr_1")


async def test_a_bell_is_near_for_a_while_after_it_rang(monkeypatch):
    bell = events.Bell()
    assert not bell.is_near
    bell.ring({"tr_1"})
    assert bell.is_near
    late_s = events.time.monotonic() + events.NEAR_S
    monkeypatch.setattr(events.time, "monotonic", lambda: late_s)
    assert not bell.is_near

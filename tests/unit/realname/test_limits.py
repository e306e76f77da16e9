"""Checks are counted by member, address, number, prefix and in all."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select

from jigap.keys import KeyRing
from jigap.realname import RealNameLimit
from jigap.realname.limits import DAY_MS, Caps, note_refused, take
from jigap.realname.tables import realname_days
from jigap.settings import Settings

NOW_MS = 1_700_000_000_000
RING = KeyRing({1: bytes(32)}, 1, bytes([7]) * 32)


def caps(**settings):
    return Caps(RING, Settings(**settings))


@pytest.mark.parametrize("scope", ["member", "number", "address", "prefix", "total"])
async def test_each_cap_stops_and_says_how_long(database, scope):
    few = caps(**{f"realname_day_{scope}": 2}).of("mb_1", "+821012345678", "203.0.113.9")
    await database.write(take, few, NOW_MS)
    await database.write(take, few, NOW_MS)
    with pytest.raises(RealNameLimit) as refused:
        await database.write(take, few, NOW_MS)
    assert refused.value.facts == {"limit": scope}
    assert refused.value.retry_after_s == (DAY_MS - NOW_MS % DAY_MS) // 1000
    await database.write(take, few, NOW_MS + DAY_MS)


async def test_a_refused_check_counts_under_no_cap(sqlite_database):
    few = caps(realname_day_total=1).of("mb_1", "+821012345678", "203.0.113.9")
    await sqlite_database.write(take, few, NOW_MS)
    for _ in range(3):
        with pytest.raises(RealNameLimit):
            await sqlite_database.write(take, few, NOW_MS)
        await sqlite_database.write(note_refused, few[-1], NOW_MS)
    rows = await sqlite_database.read(lambda c: c.execute(select(realname_days)).all())
    assert {row.scope: (row.checks, row.refused) for row in rows} == {
        "member": (1, 0),
        "address": (1, 0),
        "number": (1, 0),
        "prefix": (1, 0),
        "total": (1, 3),
    }


async def test_a_hundred_at_once_are_no_more_than_the_cap(database):
    few = caps(realname_day_number=7, realname_day_member=1000).of("mb_1", "+821012345678", "::1")
    done = await asyncio.gather(
        *(database.write(take, few, NOW_MS) for _ in range(100)), return_exceptions=True
    )
    assert sum(one is None for one in done) == 7
    assert {type(one) for one in done if one is not None} == {RealNameLimit}


async def test_others_are_not_counted_with_me(sqlite_database):
    made = caps(realname_day_member=1, realname_day_number=1, realname_day_address=1)
    await sqlite_database.write(take, made.of("mb_1", "+821012345678", "203.0.113.9"), NOW_MS)
    await sqlite_database.write(take, made.of("mb_2", "+821012345679", "203.0.113.10"), NOW_MS)


def test_one_member_alone_cannot_use_up_a_strangers_number():
    default = Settings()
    assert default.realname_day_member < default.realname_day_number


def test_keys_hold_no_number_and_no_member():
    for cap in caps().of("mb_1", "+821012345678", "203.0.113.9"):
        assert len(cap.key) == 32
        assert b"1012345678" not in cap.key
    other = Caps(KeyRing({1: bytes(32)}, 1, bytes([8]) * 32), Settings())
    mine = caps().of("mb_1", "+821012345678", "::1")
    assert mine != other.of("mb_1", "+821012345678", "::1")
    assert replace(mine[0], most=0).most == 0

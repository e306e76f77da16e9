"""People a member keeps to pay again."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from jigap.database import Database
from jigap.members import (
    FavouriteIsSelf,
    FavouritesFull,
    FavouriteUnknown,
    LabelMalformed,
    Member,
    MemberFrozen,
    RecipientExpired,
    RecipientUnknown,
    favourites,
    get,
    records,
    rewrap_data_keys,
)
from jigap.members.directory import RECIPIENT_TTL_MS
from jigap.members.tables import directory_days
from jigap.members.tables import favourites as table

from .people import People, people


@pytest.fixture
def crowd(database: Database, tmp_path: Path) -> People:
    return people(database, tmp_path)


async def _member(crowd: People, login: str, phone: str, name: str = "김민지") -> Member:
    member = await crowd.database.read(get, await crowd.verified(login, name, phone))
    assert member is not None
    return member


async def _two(crowd: People) -> tuple[Member, Member]:
    return (
        await _member(crowd, "asker", "010-9999-0000", "박민수"),
        await _member(crowd, "minji", "010-1234-5678"),
    )


def _recipient(crowd: People, asker: Member, other: Member) -> str:
    return crowd.directory.make_recipient(other.id, asker.id, crowd.clock.now_ms())


async def test_a_favourite_gives_a_fresh_recipient_id_each_time(crowd: People) -> None:
    me, minji = await _two(crowd)
    added = await crowd.favourites.add(me, _recipient(crowd, me, minji), " 우리  엄마 ")
    assert (added.label, added.found.masked_name) == ("우리 엄마", "김*지")
    crowd.clock.advance(RECIPIENT_TTL_MS)
    (kept,) = await crowd.favourites.every(me.id)
    assert (kept.id, kept.label) == (added.id, "우리 엄마")
    opened = crowd.directory.open_recipient(kept.found.recipient_id, me.id, crowd.clock.now_ms())
    assert opened == minji.id
    lookups = await crowd.database.read(lambda c: c.scalar(select(directory_days.c.lookups)))
    assert lookups is None, "favourites are no searches"


async def test_a_favourite_is_its_owner_s_alone(crowd: People) -> None:
    me, minji = await _two(crowd)
    added = await crowd.favourites.add(me, _recipient(crowd, me, minji), "엄마")
    assert await crowd.favourites.every(minji.id) == []
    with pytest.raises(FavouriteUnknown):
        await crowd.favourites.remove(minji.id, added.id)
    await crowd.favourites.remove(me.id, added.id)
    assert await crowd.favourites.every(me.id) == []
    with pytest.raises(FavouriteUnknown):
        await crowd.favourites.remove(me.id, added.id)


async def test_a_label_is_stored_sealed_and_follows_a_new_master_key(crowd: People) -> None:
    me, minji = await _two(crowd)
    await crowd.favourites.add(me, _recipient(crowd, me, minji), "엄마")
    sealed = await crowd.database.read(lambda c: c.scalar(select(table.c.label_sealed)))
    assert "엄마".encode() not in sealed
    crowd.ring.add_version()
    await crowd.database.write(rewrap_data_keys, crowd.ring)
    assert [one.label for one in await crowd.favourites.every(me.id)] == ["엄마"]


async def test_keeping_somebody_again_changes_the_label(crowd: People) -> None:
    me, minji = await _two(crowd)
    first = await crowd.favourites.add(me, _recipient(crowd, me, minji), "엄마")
    second = await crowd.favourites.add(me, _recipient(crowd, me, minji))
    assert (second.id, second.label) == (first.id, "")
    assert [one.label for one in await crowd.favourites.every(me.id)] == [""]


async def test_racing_to_keep_somebody_keeps_them_once(crowd: People) -> None:
    me, minji = await _two(crowd)
    recipient = _recipient(crowd, me, minji)
    added = await asyncio.gather(*(crowd.favourites.add(me, recipient) for _ in range(8)))
    assert len({one.id for one in added}) == 1
    assert len(await crowd.favourites.every(me.id)) == 1


async def test_two_who_keep_each_other_do_not_wait_for_each_other(crowd: People) -> None:
    """A row that refers to a member may be written while that member's own row is held."""
    me, minji = await _two(crowd)
    if crowd.database.dialect == "sqlite":
        return  # one writes at a time
    mine, hers = (crowd.database.engine.connect() for _ in range(2))
    with mine, hers:
        records.row_of(mine, me.id, lock=True)
        records.row_of(hers, minji.id, lock=True)
        mine.execute(text("SET LOCAL lock_timeout = '1s'"))
        for id_, owner, payee, it in (("fv_1", me, minji, mine), ("fv_2", minji, me, hers)):
            values = {"id": id_, "member_id": owner.id, "payee_id": payee.id, "created_ms": 1}
            it.execute(insert(table).values(**values))


async def test_who_has_left_is_not_shown_and_not_kept(crowd: People) -> None:
    me, minji = await _two(crowd)
    recipient = _recipient(crowd, me, minji)
    await crowd.favourites.add(me, recipient)
    await crowd.database.write(records.close, minji.id, crowd.clock.now_ms())
    assert await crowd.favourites.every(me.id) == []
    with pytest.raises(RecipientUnknown):
        await crowd.favourites.add(me, recipient)


async def test_refuses_what_cannot_be_kept(crowd: People, monkeypatch: pytest.MonkeyPatch) -> None:
    me, minji = await _two(crowd)
    recipient = _recipient(crowd, me, minji)
    with pytest.raises(FavouriteIsSelf):
        await crowd.favourites.add(me, _recipient(crowd, me, me))
    with pytest.raises(RecipientUnknown):
        await crowd.favourites.add(minji, recipient)
    for label in ("x" * 51, "a\0b"):
        with pytest.raises(LabelMalformed):
            await crowd.favourites.add(me, recipient, label)
    crowd.clock.advance(RECIPIENT_TTL_MS)
    with pytest.raises(RecipientExpired):
        await crowd.favourites.add(me, recipient)
    await crowd.freezing.freeze("mb_operator", me.id, "lost phone")
    frozen = (await crowd.members.profile(me.id)).member
    with pytest.raises(MemberFrozen):
        await crowd.favourites.add(frozen, _recipient(crowd, me, minji))


async def test_there_is_an_end_to_the_list(crowd: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(favourites, "FAVOURITES_MAX", 2)
    me, minji = await _two(crowd)
    others = [await _member(crowd, f"other{n}", f"010-1234-000{n}") for n in range(2)]
    for other in (minji, others[0]):
        await crowd.favourites.add(me, _recipient(crowd, me, other))
    with pytest.raises(FavouritesFull):
        await crowd.favourites.add(me, _recipient(crowd, me, others[1]))
    await crowd.favourites.add(me, _recipient(crowd, me, minji), "엄마")

"""Whom a member can find, and what a recipient_id is worth."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from jigap.audit import audit_trail
from jigap.clock import SimulatedClock
from jigap.database import Database
from jigap.keys import KeyRing
from jigap.members import (
    Directory,
    DirectoryBudget,
    Member,
    MemberFrozen,
    MemberUnverified,
    PhoneMalformed,
    RecipientExpired,
    RecipientUnknown,
    SearchMalformed,
    get,
    records,
)
from jigap.members.directory import RECIPIENT_TTL_MS

from .people import PASSWORD, People, people

NOW_MS = 1_700_000_000_000


@pytest.fixture
def crowd(sqlite_database: Database, tmp_path: Path) -> People:
    return people(sqlite_database, tmp_path, lookups_per_day=5)


async def _asker(crowd: People) -> Member:
    member_id = await crowd.verified("asker", "박민수", "010-9999-0000")
    member = await crowd.database.read(get, member_id)
    assert member is not None
    return member


async def test_finds_a_verified_member_in_each_way(crowd: People) -> None:
    asker = await _asker(crowd)
    wanted = await crowd.verified("minji", "김민지", "010-1234-5678")
    for found in (
        await crowd.directory.by_phone(asker, "+82-10-1234-5678"),
        await crowd.directory.by_login(asker, "MinJi"),
        await crowd.directory.by_name(asker, "김민지", "5678"),
    ):
        assert [(one.masked_name, one.masked_phone) for one in found] == [
            ("김*지", "010-****-5678")
        ]
        opened = crowd.directory.open_recipient(
            found[0].recipient_id, asker.id, crowd.clock.now_ms()
        )
        assert opened == wanted


async def test_looking_oneself_up_gives_the_mask_too(crowd: People) -> None:
    asker = await _asker(crowd)
    found = await crowd.directory.by_phone(asker, "01099990000")
    assert found[0].masked_name == "박*수"


async def test_an_unverified_member_is_not_here(crowd: People) -> None:
    """The answer is the one for somebody who does not exist."""
    asker = await _asker(crowd)
    await crowd.members.sign_up("minji", PASSWORD, "김민지", "010-1234-5678")
    assert await crowd.directory.by_phone(asker, "010-1234-5678") == []
    assert await crowd.directory.by_login(asker, "minji") == []
    assert await crowd.directory.by_name(asker, "김민지", "5678") == []
    assert await crowd.directory.by_login(asker, "nobody") == []


async def test_only_verified_members_may_look(crowd: People) -> None:
    profile = await crowd.members.sign_up("minji", PASSWORD)
    with pytest.raises(MemberUnverified):
        await crowd.directory.by_login(profile.member, "minji")
    asker = await _asker(crowd)
    await crowd.freezing.freeze("mb_operator", asker.id, "lost phone")
    frozen = (await crowd.members.profile(asker.id)).member
    with pytest.raises(MemberFrozen):
        await crowd.directory.by_login(frozen, "minji")


async def test_the_budget_is_per_member_and_day(crowd: People) -> None:
    asker = await _asker(crowd)
    for _ in range(5):
        await crowd.directory.by_login(asker, "nobody")
    with pytest.raises(DirectoryBudget):
        await crowd.directory.by_login(asker, "nobody")
    other = (await crowd.members.find(await crowd.verified("o-o", "이수", "010-5555-1111"))).member
    assert await crowd.directory.by_login(other, "asker")
    crowd.clock.advance(24 * 3600 * 1000)
    assert await crowd.directory.by_login(asker, "asker")


async def test_malformed_searches_are_refused(crowd: People) -> None:
    asker = await _asker(crowd)
    with pytest.raises(PhoneMalformed):
        await crowd.directory.by_phone(asker, "12")
    for last4 in ("567", "56789", "５６７８", "abcd"):
        with pytest.raises(SearchMalformed):
            await crowd.directory.by_name(asker, "김민지", last4)


async def test_who_hides_is_not_found_by_name_only(crowd: People) -> None:
    asker = await _asker(crowd)
    minji = await crowd.verified("minji", "김민지", "010-1234-5678")
    assert await crowd.directory.is_found_by_name(minji)
    await crowd.directory.let_find_by_name(minji, False)
    assert not await crowd.directory.is_found_by_name(minji)
    assert await crowd.directory.by_name(asker, "김민지", "5678") == []
    assert await crowd.directory.by_phone(asker, "010-1234-5678")
    assert await crowd.directory.by_login(asker, "minji")
    await crowd.directory.let_find_by_name(minji, True)
    assert await crowd.directory.by_name(asker, "김민지", "5678")


async def test_who_hides_stays_hidden_when_verified_again(crowd: People) -> None:
    asker = await _asker(crowd)
    hidden = await crowd.members.sign_up("minji", PASSWORD, "김민지", "010-1234-5678")
    await crowd.directory.let_find_by_name(hidden.member.id, False)
    await crowd.members.verify("mb_operator", "minji")
    assert await crowd.directory.by_name(asker, "김민지", "5678") == []
    await crowd.directory.let_find_by_name(hidden.member.id, True)
    assert await crowd.directory.by_name(asker, "김민지", "5678")


async def test_an_unverified_member_who_lets_themselves_be_found_is_not(crowd: People) -> None:
    asker = await _asker(crowd)
    profile = await crowd.members.sign_up("minji", PASSWORD, "김민지", "010-1234-5678")
    for wanted in (False, True):
        await crowd.directory.let_find_by_name(profile.member.id, wanted)
        assert await crowd.directory.by_name(asker, "김민지", "5678") == []


async def test_hiding_twice_is_written_down_once(crowd: People) -> None:
    minji = await crowd.verified("minji", "김민지", "010-1234-5678")
    for wanted in (False, False, True, True):
        await crowd.directory.let_find_by_name(minji, wanted)
    actions = await crowd.database.read(
        lambda c: c.scalars(
            select(audit_trail.c.action)
            .where(audit_trail.c.action.startswith("directory:"))
            .order_by(audit_trail.c.id)
        ).all()
    )
    assert actions == ["directory:hide", "directory:show"]


async def test_the_number_of_who_left_belongs_to_whoever_has_it_now(crowd: People) -> None:
    asker = await _asker(crowd)
    gone = await crowd.verified("minji", "김민지", "010-1234-5678")
    await crowd.database.write(records.close, gone, crowd.clock.now_ms())
    assert await crowd.directory.by_phone(asker, "010-1234-5678") == []
    await crowd.verified("minji2", "이서연", "010-1234-5678")
    found = await crowd.directory.by_phone(asker, "010-1234-5678")
    assert [one.masked_name for one in found] == ["이*연"]


def _directory(database: Database | None = None) -> Directory:
    ring = KeyRing({1: bytes(32)}, 1, bytes([7]) * 32)
    return Directory(database, ring, SimulatedClock(), 5)  # type: ignore[arg-type]


def test_a_recipient_id_is_the_asker_s_only() -> None:
    text = _directory().make_recipient("mb_wanted", "mb_asker", NOW_MS)
    with pytest.raises(RecipientUnknown):
        _directory().open_recipient(text, "mb_other", NOW_MS)


def test_a_recipient_id_expires_but_for_replays() -> None:
    text = _directory().make_recipient("mb_wanted", "mb_asker", NOW_MS)
    late_ms = NOW_MS + RECIPIENT_TTL_MS
    assert _directory().open_recipient(text, "mb_asker", late_ms - 1) == "mb_wanted"
    with pytest.raises(RecipientExpired):
        _directory().open_recipient(text, "mb_asker", late_ms)
    assert _directory().open_recipient(text, "mb_asker", None) == "mb_wanted"


def test_a_recipient_id_names_nobody() -> None:
    first = _directory().make_recipient("mb_wanted", "mb_asker", NOW_MS)
    second = _directory().make_recipient("mb_wanted", "mb_asker", NOW_MS)
    assert first != second
    assert "wanted" not in first
    assert len(first) == len(second)


@given(st.text(max_size=120))
@settings(deadline=None, max_examples=200)
def test_no_other_text_is_a_recipient_id(text: str) -> None:
    with pytest.raises(RecipientUnknown):
        _directory().open_recipient(text, "mb_asker", NOW_MS)


@given(st.integers(3, 60), st.integers(1, 63))
@settings(deadline=None, max_examples=100)
def test_a_changed_recipient_id_is_refused(position: int, shift: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = _directory().make_recipient("mb_wanted", "mb_asker", NOW_MS)
    changed = alphabet[(alphabet.index(text[position]) + shift) % 64]
    with pytest.raises(RecipientUnknown):
        _directory().open_recipient(
            text[:position] + changed + text[position + 1 :], "mb_asker", NOW_MS
        )

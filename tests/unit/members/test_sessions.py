"""Sessions: listed, ended, and ended by themselves."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import event, select

from jigap import audit
from jigap.database import Database
from jigap.members import SessionMissing, SessionUnknown, SignedIn, Visitor
from jigap.members.tables import sessions

from .people import PASSWORD, People, people


@pytest.fixture
def crowd(database: Database, tmp_path: Path) -> People:
    return people(database, tmp_path)


async def opened(crowd: People, visitor: Visitor = Visitor()) -> tuple[str, SignedIn]:  # noqa: B008
    session = await crowd.sign_ins.sign_in("minji", PASSWORD, None, visitor)
    return session.token, await crowd.sessions.authenticate(session.token)


async def test_sessions_are_listed_with_what_is_known_of_them(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    _, first = await opened(crowd, Visitor("203.0.113.9", "Mozilla/5.0 (Android 14) Chrome/126"))
    crowd.clock.advance(5_000)
    _, second = await opened(crowd)
    listed = await crowd.sessions.of(second)
    assert [one.id for one in listed] == [second.session_id, first.session_id]
    assert [one.current for one in listed] == [True, False]
    assert (listed[1].address, listed[1].device) == ("203.0.113.9", "Chrome on Android")
    assert listed[0].created_ms - listed[1].created_ms == 5_000


async def test_one_session_ends_or_all_others_do(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    all_ = [await opened(crowd) for _ in range(4)]
    (mine, me), rest = all_[0], all_[1:]
    await crowd.sessions.end(me, rest[0][1].session_id)
    with pytest.raises(SessionMissing):
        await crowd.sessions.authenticate(rest[0][0])
    with pytest.raises(SessionUnknown):
        await crowd.sessions.end(me, rest[0][1].session_id)
    assert await crowd.sessions.authenticate(rest[1][0])
    await crowd.sessions.end_others(me)
    for token, _ in rest:
        with pytest.raises(SessionMissing):
            await crowd.sessions.authenticate(token)
    assert await crowd.sessions.authenticate(mine)
    assert len(await crowd.sessions.of(me)) == 1


async def test_nobody_ends_the_session_of_another(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    await crowd.members.sign_up("other", PASSWORD)
    token, me = await opened(crowd)
    session = await crowd.sign_ins.sign_in("other", PASSWORD)
    other = await crowd.sessions.authenticate(session.token)
    with pytest.raises(SessionUnknown):
        await crowd.sessions.end(other, me.session_id)
    await crowd.sessions.end_others(other)
    assert await crowd.sessions.authenticate(token)


async def test_a_session_that_is_not_used_ends(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    used, me = await opened(crowd)
    unused, _ = await opened(crowd)
    for _ in range(3):
        crowd.clock.advance(900_000)
        await crowd.sessions.authenticate(used)
    with pytest.raises(SessionMissing):
        await crowd.sessions.authenticate(unused)
    assert [one.id for one in await crowd.sessions.of(me)] == [me.session_id]


async def test_ended_in_whatever_way_is_told_the_same(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    idle, _ = await opened(crowd)
    crowd.clock.advance(1_800_000)
    revoked, me = await opened(crowd)
    await crowd.sessions.end(me, me.session_id)
    told = set()
    for token in (idle, revoked, "never was", "\udcff"):
        with pytest.raises(SessionMissing) as refused:
            await crowd.sessions.authenticate(token)
        told.add((refused.value.detail, str(refused.value.facts)))
    assert len(told) == 1


async def test_asking_is_one_statement_and_seeing_one_write_a_minute(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    token, _ = await opened(crowd)
    said: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            said.append(statement.split()[0])

    event.listen(crowd.database.engine, "before_cursor_execute", note)
    for _ in range(5):
        crowd.clock.advance(20_000)
        await crowd.sessions.authenticate(token)
    assert said == ["SELECT"] * 3 + ["UPDATE"] + ["SELECT"] * 2
    row = await crowd.database.read(lambda c: c.execute(select(sessions)).one())
    assert crowd.clock.now_ms() - row.last_seen_ms == 40_000


async def test_many_who_ask_at_once_are_each_told_who_they_are(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    await crowd.members.sign_up("other", PASSWORD)
    tokens = [
        (await crowd.sign_ins.sign_in(who, PASSWORD)).token for who in ("minji", "other", "minji")
    ]
    answers = await asyncio.gather(
        *map(crowd.sessions.authenticate, [*tokens, "unknown", tokens[0]]), return_exceptions=True
    )
    assert isinstance(answers[3], SessionMissing)
    signed_in = [one for one in answers if isinstance(one, SignedIn)]
    assert [one.member.login for one in signed_in] == ["minji", "other", "minji", "minji"]
    assert len({one.session_id for one in signed_in}) == 3


async def test_a_session_that_was_just_ended_is_not_let_in_by_an_earlier_look(
    crowd: People,
) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    token, me = await opened(crowd)
    for _ in range(20):
        assert await crowd.sessions.authenticate(token)
    await crowd.sessions.end(me, me.session_id)
    with pytest.raises(SessionMissing):
        await crowd.sessions.authenticate(token)


async def test_one_session_too_many_ends_the_oldest_and_says_so_in_the_trail(crowd: People):
    await crowd.verified("minji", "김민지", "010-1234-5678")
    all_ = []
    for _ in range(7):
        all_.append(await crowd.sign_ins.sign_in("minji", PASSWORD, None))
        crowd.clock.advance(1)
    for gone in all_[:2]:
        with pytest.raises(SessionMissing):
            await crowd.sessions.authenticate(gone.token)
    living = [await crowd.sessions.authenticate(one.token) for one in all_[2:]]
    assert len(await crowd.sessions.of(living[0])) == 5
    rows = await crowd.database.read(audit.page, None, 10, action="session:replace")
    assert [one.object for one in reversed(rows)] == [one.id for one in all_[:2]]
    assert {one.actor for one in rows} == {living[0].member.id}


async def test_ended_sessions_take_no_place(crowd: People):
    await crowd.verified("minji", "김민지", "010-1234-5678")
    first = await crowd.sign_ins.sign_in("minji", PASSWORD, None)
    for _ in range(10):
        another = await crowd.sign_ins.sign_in("minji", PASSWORD, None)
        asker = await crowd.sessions.authenticate(another.token)
        await crowd.sessions.end(asker, another.id)
    await crowd.sessions.authenticate(first.token)
    assert await crowd.database.read(audit.page, None, 10, action="session:replace") == []

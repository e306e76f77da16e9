"""Changing the sign-in password."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from jigap import audit, events
from jigap.database import Database
from jigap.members import (
    PasswordWeak,
    PasswordWrong,
    SessionMissing,
    SignInFailed,
    SignInWait,
)
from jigap.members.attempts import FREE_FAILURES

from .people import PASSWORD, People, people

NEW = "another horse battery"


@pytest.fixture
async def crowd(database: Database, tmp_path: Path) -> People:
    here = people(database, tmp_path)
    await here.members.sign_up("minji", PASSWORD)
    return here


async def test_a_new_password_takes_the_place_of_the_old_one(crowd: People) -> None:
    mine, other = [await crowd.sign_ins.sign_in("minji", PASSWORD) for _ in range(2)]
    me = await crowd.sessions.authenticate(mine.token)
    await crowd.sign_ins.change_password(me, PASSWORD, NEW)
    with pytest.raises(SignInFailed):
        await crowd.sign_ins.sign_in("minji", PASSWORD)
    assert await crowd.sign_ins.sign_in("minji", NEW)
    assert await crowd.sessions.authenticate(mine.token)
    with pytest.raises(SessionMissing):
        await crowd.sessions.authenticate(other.token)
    kinds = await crowd.database.read(lambda c: c.scalars(select(events.events.c.kind)).all())
    assert kinds == ["password.changed"]
    actions = [one.action for one in await crowd.database.read(audit.page, None, 50)]
    assert actions.count("password:change") == actions.count("session:end_all") == 1


async def test_the_old_password_is_needed_and_guesses_cost(crowd: People) -> None:
    session = await crowd.sign_ins.sign_in("minji", PASSWORD)
    me = await crowd.sessions.authenticate(session.token)
    for _ in range(FREE_FAILURES + 1):
        with pytest.raises(PasswordWrong):
            await crowd.sign_ins.change_password(me, "wrong password", NEW)
    with pytest.raises(SignInWait):
        await crowd.sign_ins.change_password(me, PASSWORD, NEW)
    crowd.clock.advance(1_000)
    await crowd.sign_ins.change_password(me, PASSWORD, NEW)


async def test_a_weak_password_is_refused_and_costs_nothing(crowd: People) -> None:
    session = await crowd.sign_ins.sign_in("minji", PASSWORD)
    me = await crowd.sessions.authenticate(session.token)
    for _ in range(FREE_FAILURES * 2):
        with pytest.raises(PasswordWeak):
            await crowd.sign_ins.change_password(me, PASSWORD, "short")


async def test_of_two_changes_at_once_one_wins(crowd: People) -> None:
    sessions = [await crowd.sign_ins.sign_in("minji", PASSWORD) for _ in range(2)]
    both = [await crowd.sessions.authenticate(one.token) for one in sessions]
    answers = await asyncio.gather(
        *(
            crowd.sign_ins.change_password(me, PASSWORD, f"{NEW} {number}")
            for number, me in enumerate(both)
        ),
        return_exceptions=True,
    )
    assert [isinstance(one, PasswordWrong) for one in answers].count(True) == 1
    winner = next(number for number, one in enumerate(answers) if one is None)
    assert await crowd.sign_ins.sign_in("minji", f"{NEW} {winner}")


async def test_a_sign_in_with_the_old_password_does_not_outlive_the_change(
    crowd: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await crowd.sign_ins.sign_in("minji", PASSWORD)
    me = await crowd.sessions.authenticate(session.token)
    real = crowd.passwords.matches

    async def slowly(password: str, hash_: str | None) -> bool:
        found = await real(password, hash_)
        monkeypatch.setattr(crowd.passwords, "matches", real)
        await crowd.sign_ins.change_password(me, PASSWORD, NEW)
        return found

    monkeypatch.setattr(crowd.passwords, "matches", slowly)
    with pytest.raises(SignInFailed):
        await crowd.sign_ins.sign_in("minji", PASSWORD)

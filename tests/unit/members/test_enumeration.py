"""What a question costs says nothing about who is here.

Not by the clock, which is noisy and slow, but by counting what there is to measure: statements of
SQL, AES-GCM and HMAC operations, argon2 passes. Timing is measured by `make bench`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jigap.database import Database
from jigap.members import (
    Argon2Pool,
    DirectoryBudget,
    Member,
    SignInFailed,
    SignInLocked,
    SignIns,
    SignInWait,
    directory,
    get,
    records,
    tables,
)
from jigap.members.attempts import FAILURES_MAX, FREE_FAILURES, WAIT_MAX_S
from jigap.settings import Settings

from .counting import Counted
from .people import PASSWORD, People, people

NAME, LAST4 = "김민지", "5678"


@pytest.fixture
def counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    yield Counted(database, monkeypatch)


@pytest.fixture
def crowd(counted: Counted, database: Database, tmp_path: Path) -> People:
    """After ``counted``: ciphers that are made once must be counted, too."""
    return people(database, tmp_path)


async def _asker(crowd: People) -> Member:
    member_id = await crowd.verified("asker", "박민수", "010-9999-0000")
    member = await crowd.database.read(get, member_id)
    assert member is not None
    await crowd.directory.by_login(member, "asker")  # the first look of a day begins its count
    return member


async def _everybody(crowd: People) -> dict[str, tuple[str, str, str]]:
    """Who was set up how: login, name, phone; names and numbers of the same lengths."""
    found = {
        "known": ("minji", NAME, "010-1234-5678"),
        "frozen": ("soyeo", "이서연", "010-2234-5678"),
        "closed": ("junho", "박준호", "010-3234-5678"),
        "hidden": ("hyunw", "최현우", "010-4234-5678"),
        "unverified": ("jiyoo", "정지유", "010-5234-5678"),
        "unknown": ("nobod", "오하늘", "010-6234-5678"),
    }
    for how, (login, name, phone) in found.items():
        if how == "unverified":
            await crowd.members.sign_up(login, PASSWORD, name, phone)
        elif how != "unknown":
            await crowd.verified(login, name, phone)
    await crowd.freezing.freeze("mb_operator", found["frozen"][0], "lost phone")
    hidden = (await crowd.members.find(found["hidden"][0])).member
    await crowd.directory.let_find_by_name(hidden.id, False)
    await close(crowd, found["closed"][0])
    return found


async def close(crowd: People, login: str) -> None:
    member = (await crowd.members.find(login)).member
    await crowd.database.write(records.close, member.id, crowd.clock.now_ms())


def _same(costs: dict[str, dict[str, int]]) -> None:
    first, *rest = costs.values()
    assert first
    assert all(one == first for one in rest), costs


async def test_each_way_of_looking_costs_the_same_whoever_is_there(
    crowd: People, counted: Counted
) -> None:
    asker, everybody = await _asker(crowd), await _everybody(crowd)
    look = crowd.directory
    ways: dict[str, Callable[[str, str, str], Awaitable[list[Any]]]] = {
        "phone": lambda login, name, phone: look.by_phone(asker, phone),
        "login": lambda login, name, phone: look.by_login(asker, login),
        "name": lambda login, name, phone: look.by_name(asker, name, LAST4),
    }
    found = {"phone": {"known", "frozen", "hidden"}, "name": {"known", "frozen"}}
    found["login"] = found["phone"]
    for way, question in ways.items():
        costs = {}
        for how, person in everybody.items():
            costs[how] = await counted.of(lambda ask=question, who=person: ask(*who))
            assert bool(await question(*person)) is (how in found[way]), (way, how)
        _same(costs)
        assert any(what.startswith("aes") for what in costs["unknown"])
        assert any(what.startswith("sql") for what in costs["unknown"])


async def test_namesakes_cost_what_one_person_does(crowd: People, counted: Counted) -> None:
    asker = await _asker(crowd)
    costs = {}
    for count in range(directory.NAMESAKES_MAX + 2):
        if count:
            await crowd.verified(f"minji{count}", NAME, f"010-12{count:02d}-5678")
        costs[str(count)] = await counted.of(lambda: crowd.directory.by_name(asker, NAME, LAST4))
        found = await crowd.directory.by_name(asker, NAME, LAST4)
        assert len(found) == min(count, directory.NAMESAKES_MAX)
    _same(costs)


async def test_looking_oneself_up_costs_the_same(crowd: People, counted: Counted) -> None:
    asker = await _asker(crowd)
    _same(
        {
            "self": await counted.of(lambda: crowd.directory.by_phone(asker, "010-9999-0000")),
            "unknown": await counted.of(lambda: crowd.directory.by_phone(asker, "010-9999-0001")),
        }
    )


async def test_the_budget_holds_however_many_search_at_once(
    database: Database, tmp_path: Path
) -> None:
    crowd = people(database, tmp_path, lookups_per_day=10)
    asker = await _asker(crowd)  # has looked once
    answers = await asyncio.gather(
        *(crowd.directory.by_login(asker, f"nobody{n}") for n in range(30)), return_exceptions=True
    )
    refused = [one for one in answers if isinstance(one, DirectoryBudget)]
    assert (len(refused), answers.count([])) == (21, 9)


async def test_a_failed_sign_in_costs_the_same_whoever_is_there(
    crowd: People, counted: Counted
) -> None:
    everybody = await _everybody(crowd)
    pool = Argon2Pool()
    door = SignIns(crowd.database, crowd.ring, crowd.clock, pool, crowd.sessions, Settings())
    hash_ = await pool.hash(PASSWORD)
    await crowd.database.write(_set_passwords, hash_)

    async def fail(login: str) -> None:
        with pytest.raises(SignInFailed):
            await door.sign_in(login, "another password")

    costs = {how: await counted.of(lambda who=who: fail(who[0])) for how, who in everybody.items()}
    _same(costs)
    assert costs["unknown"]["argon2"] == 1
    pool.close()


async def test_a_refused_sign_in_costs_the_same_whoever_is_there(
    crowd: People, counted: Counted
) -> None:
    everybody = await _everybody(crowd)

    async def refuse(login: str, refusal: type[Exception]) -> None:
        with pytest.raises(refusal):
            await crowd.sign_ins.sign_in(login, PASSWORD)

    for failures, refusal in ((FREE_FAILURES + 1, SignInWait), (FAILURES_MAX, SignInLocked)):
        costs = {}
        for how, (login, *_) in everybody.items():
            for _ in range(failures):
                crowd.clock.advance(WAIT_MAX_S * 1000)
                with contextlib.suppress(SignInFailed, SignInLocked):
                    await crowd.sign_ins.sign_in(login, "another password")
            costs[how] = await counted.of(lambda: refuse(login, refusal))  # noqa: B023
        _same(costs)
        assert "argon2" not in costs["unknown"]


def _set_passwords(connection: Any, hash_: str) -> None:
    open_ones = tables.members.c.closed_ms.is_(None)
    connection.execute(tables.members.update().where(open_ones).values(password_hash=hash_))

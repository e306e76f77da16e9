"""Guessing at passwords: what it costs strangers, known devices and sessions."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from jigap.clock import DAY_MS, day_of
from jigap.database import Database
from jigap.members import (
    OtpRequired,
    PasswordsBusy,
    PasswordWrong,
    SignInFailed,
    SignInLimit,
    SignInLocked,
    SignIns,
    SignInWait,
    Visitor,
    code_of,
    reset_password,
    step_of,
)
from jigap.members.attempts import (
    FAILURES_MAX,
    FREE_FAILURES,
    WAIT_MAX_S,
    forget_old,
    may_guess,
    of_login,
    wait_s,
)
from jigap.members.devices import DEVICES_MAX
from jigap.members.personal import Indexes
from jigap.members.tables import devices, sign_in_attempts, sign_in_days
from jigap.settings import Settings

from .people import PASSWORD, People, people

LOGINS = ["minji", "nobody"]


@pytest.fixture
async def crowd(database: Database, tmp_path: Path) -> People:
    here = people(database, tmp_path)
    await here.members.sign_up("minji", PASSWORD)
    return here


async def guess(crowd: People, login: str = "minji", device: str | None = None) -> None:
    with pytest.raises(SignInFailed):
        await crowd.sign_ins.sign_in(login, "wrong password", device=device)


async def lock(crowd: People, login: str = "minji", device: str | None = None) -> None:
    """As many guesses as there are, as fast as they are let."""
    for _ in range(FAILURES_MAX):
        await guess(crowd, login, device)
        crowd.clock.advance(WAIT_MAX_S * 1000)


async def test_waits_grow_to_a_limit() -> None:
    waits = [wait_s(n) for n in range(FAILURES_MAX)]
    assert waits == sorted(waits)
    assert (waits[FREE_FAILURES], waits[FREE_FAILURES + 1], waits[-1]) == (0, 1, 900)


def test_a_hundred_in_a_row_is_the_end_whatever_the_clock_says() -> None:
    may_guess(FAILURES_MAX - 1, 5, 5)
    with pytest.raises(SignInWait):
        may_guess(FAILURES_MAX - 1, 6, 5)
    with pytest.raises(SignInLocked):
        may_guess(FAILURES_MAX, 0, 2**60)


def test_logins_that_nobody_has_share_a_million_places() -> None:
    places = {of_login(bytes([n, n, n, n]) + bytes(28), exists=False).key for n in range(256)}
    assert max(places) == (2**20 - 1).to_bytes(32, "big")
    high = bytes([255]) * 32
    assert of_login(high, exists=True).key == high


@pytest.mark.parametrize("login", LOGINS)
async def test_guessing_is_slowed_down_known_or_not(crowd: People, login: str) -> None:
    for _ in range(FREE_FAILURES + 1):
        await guess(crowd, login)
    with pytest.raises(SignInWait) as refused:
        await crowd.sign_ins.sign_in(login, PASSWORD)
    assert refused.value.retry_after_s == 1


@pytest.mark.parametrize("login", LOGINS)
async def test_after_a_hundred_there_are_no_more_known_or_not(crowd: People, login: str) -> None:
    await lock(crowd, login)
    crowd.clock.advance(400 * 24 * 3600 * 1000)
    with pytest.raises(SignInLocked) as refused:
        await crowd.sign_ins.sign_in(login, PASSWORD)
    assert refused.value.facts == {}
    assert refused.value.retry_after_s is None


@pytest.mark.parametrize("login", LOGINS)
async def test_a_thousand_guesses_at_once_are_as_many_failures_as_are_free(
    crowd: People, login: str
) -> None:
    answers = await asyncio.gather(
        *(crowd.sign_ins.sign_in(login, f"guess number {n}") for n in range(1_000)),
        return_exceptions=True,
    )
    looked_at = [one for one in answers if isinstance(one, SignInFailed)]
    refused = [one for one in answers if isinstance(one, SignInWait)]
    assert len(looked_at) == len(crowd.passwords.checked) == FREE_FAILURES + 1
    assert len(refused) == 1_000 - len(looked_at)
    rows = await crowd.database.read(lambda c: c.execute(select(sign_in_attempts)).all())
    assert [row.failures for row in rows] == [FREE_FAILURES + 1]


async def test_being_right_forgets_failures(crowd: People) -> None:
    for _ in range(FREE_FAILURES):
        await guess(crowd)
    await crowd.sign_ins.sign_in("minji", PASSWORD)
    for _ in range(FREE_FAILURES):
        await guess(crowd)
    assert await crowd.sign_ins.sign_in("minji", PASSWORD)


async def test_ten_thousand_strangers_do_not_lock_the_owner_out(crowd: People) -> None:
    home = (await crowd.sign_ins.sign_in("minji", PASSWORD)).device
    await lock(crowd)
    with pytest.raises(SignInLocked):
        await crowd.sign_ins.sign_in("minji", PASSWORD)
    session = await crowd.sign_ins.sign_in("minji", PASSWORD, device=home)
    assert session.device == home
    assert await crowd.sign_ins.sign_in("minji", PASSWORD), "and that opens it to everybody again"


async def test_a_known_device_has_waits_and_a_hundred_of_its_own(crowd: People) -> None:
    home = (await crowd.sign_ins.sign_in("minji", PASSWORD)).device
    for _ in range(FREE_FAILURES + 1):
        await guess(crowd, device=home)
    with pytest.raises(SignInWait):
        await crowd.sign_ins.sign_in("minji", PASSWORD, device=home)
    assert await crowd.sign_ins.sign_in("minji", PASSWORD), "strangers have failed at nothing"
    crowd.clock.advance(WAIT_MAX_S * 1000)
    for _ in range(FAILURES_MAX - FREE_FAILURES - 1):
        await guess(crowd, device=home)
        crowd.clock.advance(WAIT_MAX_S * 1000)
    with pytest.raises(SignInLocked):
        await crowd.sign_ins.sign_in("minji", PASSWORD, device=home)


@pytest.mark.parametrize("whose", ["nobody's", "another's"])
async def test_a_token_of_somebody_else_is_no_token(crowd: People, whose: str) -> None:
    await crowd.members.sign_up("other", PASSWORD)
    theirs = (await crowd.sign_ins.sign_in("other", PASSWORD)).device
    device = theirs if whose == "another's" else "x" * 43
    for _ in range(FREE_FAILURES + 1):
        await guess(crowd, device=device)
    with pytest.raises(SignInWait):
        await crowd.sign_ins.sign_in("minji", PASSWORD)
    assert await crowd.sign_ins.sign_in("other", PASSWORD, device=theirs)


async def test_a_stolen_table_holds_no_device_token(crowd: People) -> None:
    home = (await crowd.sign_ins.sign_in("minji", PASSWORD)).device
    row = await crowd.database.read(lambda c: c.execute(select(devices)).one())
    assert home.encode() not in bytes(row.token_hash)


async def test_devices_do_not_pile_up(crowd: People) -> None:
    first = (await crowd.sign_ins.sign_in("minji", PASSWORD)).device
    for _ in range(DEVICES_MAX + 3):
        crowd.clock.advance(1)
        await crowd.sign_ins.sign_in("minji", PASSWORD, device=first)
        await crowd.sign_ins.sign_in("minji", PASSWORD)
    count = select(func.count()).select_from(devices)
    assert await crowd.database.read(lambda c: c.scalar(count)) == DEVICES_MAX
    again = await crowd.sign_ins.sign_in("minji", PASSWORD, device=first)
    assert again.device == first, "the one in use stays"


async def test_a_network_has_a_limit_a_day_for_strangers_only(crowd: People) -> None:
    await crowd.members.sign_up("other", PASSWORD)
    home = (await crowd.sign_ins.sign_in("minji", PASSWORD)).device
    door = SignIns(
        crowd.database,
        crowd.ring,
        crowd.clock,
        crowd.passwords,
        crowd.sessions,
        Settings(sign_in_day_address=3),
    )
    here, there = Visitor("2001:db8::1"), Visitor("203.0.113.9")
    for login in ("minji", "other", "nobody"):
        with pytest.raises(SignInFailed):
            await door.sign_in(login, "wrong password", visitor=here)
    neighbour = Visitor("2001:db8::2")
    with pytest.raises(SignInLimit) as refused:
        await door.sign_in("other", PASSWORD, visitor=neighbour)
    assert 0 < (refused.value.retry_after_s or 0) <= 24 * 3600
    assert await door.sign_in("minji", PASSWORD, visitor=here, device=home)
    assert await door.sign_in("other", PASSWORD, visitor=there)
    crowd.clock.advance(24 * 3600 * 1000)
    assert await door.sign_in("other", PASSWORD, visitor=here)
    rows = await crowd.database.read(lambda c: c.execute(select(sign_in_days)).all())
    assert {row.day: row.failures for row in rows if row.network.startswith("2001")} == {
        day_of(crowd.clock.now_ms()): 0,
        day_of(crowd.clock.now_ms() - DAY_MS): 3,
    }, "being right counts nothing"


async def test_half_a_sign_in_does_not_count_against_the_network(crowd: People) -> None:
    session = await crowd.sign_ins.sign_in("minji", PASSWORD)
    me = await crowd.sessions.authenticate(session.token)
    new = await crowd.factors.begin(me, PASSWORD, None)
    step = step_of(crowd.clock.now_ms())
    await crowd.factors.confirm(me, new.id, code_of(new.secret, step))
    with pytest.raises(OtpRequired):
        await crowd.sign_ins.sign_in("minji", PASSWORD)
    days = await crowd.database.read(lambda c: c.execute(select(sign_in_days)).all())
    assert [row.failures for row in days] == [0]
    rows = await crowd.database.read(lambda c: c.execute(select(sign_in_attempts)).all())
    assert [row.failures for row in rows] == [1]


async def test_time_forgets_no_failures(crowd: People) -> None:
    await guess(crowd)
    await crowd.sign_ins.sign_in("minji", PASSWORD)
    await guess(crowd, "nobody")
    later_ms = crowd.clock.now_ms() + 2 * 24 * 3600 * 1000
    await crowd.database.write(forget_old, later_ms)
    rows = await crowd.database.read(lambda c: c.execute(select(sign_in_attempts)).all())
    assert [row.failures for row in rows] == [1]
    assert await crowd.database.read(lambda c: c.execute(select(sign_in_days)).all()) == []


async def test_what_was_never_looked_at_is_no_failure(
    crowd: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(password: str, hash_: str | None) -> bool:
        raise PasswordsBusy("too many")

    with monkeypatch.context() as patch:
        patch.setattr(crowd.passwords, "matches", busy)
        for _ in range(FREE_FAILURES * 2):
            with pytest.raises(PasswordsBusy):
                await crowd.sign_ins.sign_in("minji", PASSWORD)
    assert await crowd.sign_ins.sign_in("minji", PASSWORD)


async def test_guesses_inside_a_session_are_the_session_s(crowd: People) -> None:
    stolen = await crowd.sign_ins.sign_in("minji", PASSWORD)
    thief = await crowd.sessions.authenticate(stolen.token)
    with pytest.raises(SignInWait):
        for _ in range(FREE_FAILURES + 2):
            with pytest.raises(PasswordWrong):
                await crowd.factors.begin(thief, "wrong password", None)
    again = await crowd.sign_ins.sign_in("minji", PASSWORD)
    owner = await crowd.sessions.authenticate(again.token)
    assert await crowd.factors.begin(owner, PASSWORD, None)


async def test_a_password_set_anew_lets_everybody_begin_again(crowd: People) -> None:
    home = (await crowd.sign_ins.sign_in("minji", PASSWORD)).device
    await lock(crowd)
    await lock(crowd, device=home)

    def reset(connection: Connection) -> None:
        reset_password(
            connection,
            member_id,
            "1:another password",
            indexes=Indexes(crowd.ring),
            address="",
            now_ms=crowd.clock.now_ms(),
        )

    member_id = (await crowd.members.find("minji")).member.id
    await crowd.database.write(reset)
    assert await crowd.sign_ins.sign_in("minji", "another password", device=home)
    assert await crowd.sign_ins.sign_in("minji", "another password")

"""How likely somebody is to guess a code: computed from the settings, and tried on the real code.

The trial has codes of three digits instead of six, so that luck can be counted.
"""

import random
from math import sqrt

import pytest

from jigap.realname import (
    Approved,
    CodeBurnt,
    CodeSent,
    CodeWrong,
    RealNameLimit,
    State,
    WrongCode,
)
from jigap.realname.codes import CODE_DIGITS, TRIES_MAX, challenge, judge
from jigap.settings import Settings

from .world import Scripted, world

SPACE = 1_000
CHECKS = 150
HOUR_MS = 3_600_000


def chance(tries: int, checks: int = 1, space: int = 10**CODE_DIGITS) -> float:
    """At most this likely is one of the guesses right, each check having a code of its own."""
    return 1 - (1 - tries / space) ** checks


def test_a_guess_at_one_check_succeeds_five_times_in_a_million():
    assert chance(Settings().realname_tries) == pytest.approx(5e-6)
    assert Settings().realname_tries == TRIES_MAX


def test_guessing_at_one_number_all_day_succeeds_once_in_ten_thousand_days():
    """Every purse of the number is used up: strangers', the owner's, and forgotten passwords."""
    default = Settings()
    a_day = default.realname_day_number + default.realname_day_owner + default.realname_day_reset
    assert chance(default.realname_tries, a_day) <= 1.0001e-4


class FewCodes(Scripted):
    """An agency whose codes are three digits, another for each check."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.codes_of: dict[str, str] = {}

    async def request(self, asked):
        self.asked.append(asked)
        self.codes_of[asked.request_id] = f"{self.random.randrange(SPACE):03d}"
        return CodeSent(f"ag_{len(self.asked)}")

    async def confirm(self, asked):
        self.typed.append(asked)
        return Approved() if asked.code == self.codes_of[asked.request_id] else WrongCode()


async def attack(here, member, guesses: random.Random) -> bool:
    """One check and as many guesses as there are; whether one was right."""
    check = await here.request(member)
    for guess in guesses.sample(range(SPACE), 20):
        try:
            done = await here.realname.confirm(member, check.id, f"{guess:03d}")
            return done.state is State.CONFIRMED
        except CodeWrong:
            continue
        except CodeBurnt:
            return False
    raise AssertionError("twenty guesses were looked at")


async def test_an_attack_on_the_real_code_is_as_lucky_as_computed(sqlite_database):
    """A fixed seed, and a bound that luck passes once in some ten thousand seeds."""
    seed = 20261121
    agency, guesses = FewCodes(seed), random.Random(seed + 1)
    many = {f"realname_day_{one}": 10**6 for one in ("member", "number", "owner", "prefix")}
    here = world(sqlite_database, agency, **many, realname_day_address=10**6)
    member = await here.member()
    lucky = 0
    for _ in range(CHECKS):
        lucky += await attack(here, member, guesses)
    p = chance(5, space=SPACE)
    assert abs(lucky - CHECKS * p) <= 4 * sqrt(CHECKS * p * (1 - p))
    assert len(agency.typed) <= CHECKS * 5


async def test_a_days_attack_on_one_number_ends_at_its_caps(sqlite_database):
    """Many accounts together, from many addresses, and the clock does not help before midnight."""
    agency = FewCodes(7)
    here = world(sqlite_database, agency)
    attackers = [await here.member(f"attacker-{number}") for number in range(4)]
    guesses = random.Random(8)
    for _ in range(3):
        for number, member in enumerate(attackers * 5):
            try:
                check = await here.request(member, address=f"203.0.113.{number}")
            except RealNameLimit:
                continue
            for guess in guesses.sample(range(10_000, 20_000), 7):
                with pytest.raises((CodeWrong, CodeBurnt)):
                    await here.realname.confirm(member, check.id, f"{guess:05d}")
        here.clock.advance(HOUR_MS // 6)
    most = Settings().realname_day_number
    assert len(agency.asked) == most
    assert len(agency.typed) == most * Settings().realname_tries


async def test_the_owner_of_a_number_still_gets_a_code_after_such_a_day(database):
    here = world(database)
    owner = await here.verified("owner")
    attackers = [await here.member(f"attacker-{number}") for number in range(3)]
    for member in attackers * 6:
        try:
            await here.request(member)
        except RealNameLimit as refused:
            assert refused.facts["limit"] == "number"
    for _ in range(Settings().realname_day_owner):
        check = await here.request(owner)
        assert check.state is State.CODE_SENT
    with pytest.raises(RealNameLimit) as refused:
        await here.request(owner)
    assert refused.value.facts == {"limit": "owner"}


async def test_a_refusal_by_a_cap_is_one_line_in_the_log_however_often(database):
    here = world(database, realname_day_member=1)
    member = await here.member()
    await here.request(member)
    for _ in range(30):
        with pytest.raises(RealNameLimit):
            await here.request(member, address="203.0.113.9")
    line = next(one for one in await here.realname.page(None, 10) if one.times > 1)
    assert (line.member_id, line.state, line.reason, line.times, line.address) == (
        member.id,
        State.REFUSED,
        "refused_by_cap:member",
        30,
        "203.0.113.9",
    )
    assert line.masked_phone == "010-****-5678"
    here.clock.advance(24 * HOUR_MS)
    await here.request(member)
    with pytest.raises(RealNameLimit):
        await here.request(member)
    assert sorted(one.times for one in await here.realname.page(None, 10)) == [1, 1, 1, 30]


async def test_a_day_has_only_so_many_lines_about_refusals(sqlite_database, monkeypatch):
    monkeypatch.setattr("jigap.realname.limits.REFUSED_LINES_MAX", 3)
    here = world(sqlite_database, realname_day_total=0)
    for number in range(5):
        with pytest.raises(RealNameLimit):
            await here.request(await here.member(f"member-{number}"))
    assert len(await here.realname.page(None, 10)) == 3


def test_the_agencys_own_rule_is_as_strict():
    sent = challenge(bytes(16), 0)
    for number in range(1, 6):
        _, sent = judge(sent, f"{number:06d}", 0)
    verdict, _ = judge(sent, "000000", 0)
    assert verdict.value == "burnt"

"""How much a member may send: levels, what members set themselves, and when a raise holds."""

from dataclasses import replace

import pytest

from jigap.clock import DAY_MS, day_of, next_day_ms
from jigap.members.limits import (
    LevelLimits,
    LimitAboveLevel,
    Limits,
    OwnLimits,
    changed,
    in_force,
    raises,
)
from jigap.settings import SettingInvalid, Settings

ONE = 10**18
NOW_MS = 1_700_000_000_000
DELAY_MS = 3_600_000
CEILING = Limits(100, 500)
LEVELS = LevelLimits(
    Settings(
        payment_limit_level_1="10",
        daily_limit_level_1="20",
        payment_limit_level_2="30",
        daily_limit_level_2="60",
        payment_limit_minor="5",
        daily_limit_minor="50",
    )
)


def ask(own: OwnLimits, payment: int | None, daily: int | None) -> OwnLimits:
    wanted = OwnLimits(payment, daily)
    return changed(CEILING, own, wanted, now_ms=NOW_MS, delay_ms=DELAY_MS)


@pytest.mark.parametrize(
    ("level", "minor", "limits"),
    [
        (0, None, Limits(0, 0)),
        (1, None, Limits(10 * ONE, 20 * ONE)),
        (2, False, Limits(30 * ONE, 60 * ONE)),
        (2, True, Limits(5 * ONE, 50 * ONE)),
        (1, True, Limits(5 * ONE, 20 * ONE)),
        (7, None, Limits(0, 0)),
    ],
)
def test_a_level_has_limits_and_minors_have_lower_ones(level, minor, limits):
    assert LEVELS.of(level, minor) == limits


def test_a_setting_that_is_no_amount_is_refused_at_start():
    with pytest.raises(SettingInvalid) as refused:
        LevelLimits(Settings(daily_limit_minor="lots"))
    assert refused.value.facts == {"setting": "daily_limit_minor"}


def test_limits_of_a_token_with_fewer_decimals_are_rounded_down():
    assert Limits(ONE + ONE // 2, 2 * ONE).at(0) == Limits(1, 2)
    assert Limits(ONE, 2 * ONE).at(18) == Limits(ONE, 2 * ONE)


def test_a_lower_limit_holds_at_once():
    own = ask(OwnLimits(), 10, 20)
    assert in_force(CEILING, own, NOW_MS) == Limits(10, 20)
    assert own.raised_from_ms is None


def test_a_higher_limit_waits_and_then_holds_without_anybody_doing_anything():
    own = ask(OwnLimits(10, 20), 50, 20)
    assert in_force(CEILING, own, NOW_MS + DELAY_MS - 1) == Limits(10, 20)
    assert in_force(CEILING, own, NOW_MS + DELAY_MS) == Limits(50, 20)


def test_lowering_one_and_raising_the_other_does_each_in_its_time():
    own = ask(OwnLimits(50, 100), 10, 200)
    assert in_force(CEILING, own, NOW_MS) == Limits(10, 100)
    assert in_force(CEILING, own, NOW_MS + DELAY_MS) == Limits(10, 200)


def test_lowering_again_takes_a_pending_raise_back():
    pending = ask(OwnLimits(10, 20), 50, 100)
    own = ask(pending, 10, 20)
    assert in_force(CEILING, own, NOW_MS + DELAY_MS) == Limits(10, 20)


def test_asking_for_the_same_is_no_raise():
    assert not raises(OwnLimits(10, 20), OwnLimits(10, 20), NOW_MS)
    assert not raises(OwnLimits(), OwnLimits(), NOW_MS)


def test_no_limit_of_ones_own_is_the_highest():
    assert raises(OwnLimits(10, 20), OwnLimits(None, 20), NOW_MS)
    assert not raises(OwnLimits(), OwnLimits(100, 500), NOW_MS)


def test_a_raise_whose_time_has_come_is_what_is_set():
    own = OwnLimits(10, 20, 50, 100, NOW_MS)
    assert not raises(own, OwnLimits(50, 100), NOW_MS)
    assert raises(own, OwnLimits(50, 100), NOW_MS - 1)
    assert own.at(NOW_MS) == OwnLimits(50, 100)


@pytest.mark.parametrize("wanted", [(101, 200), (100, 501)])
def test_nobody_sets_more_than_their_level_has(wanted):
    with pytest.raises(LimitAboveLevel):
        ask(OwnLimits(), *wanted)


def test_a_level_that_falls_takes_ones_own_limits_with_it():
    own = OwnLimits(100, 500)
    assert in_force(replace(CEILING, payment=40), own, NOW_MS) == Limits(40, 500)


def test_the_day_is_that_of_utc():
    midnight = NOW_MS // DAY_MS * DAY_MS
    assert (day_of(midnight - 1), day_of(midnight)) == ("2023-11-13", "2023-11-14")
    assert next_day_ms(midnight) == next_day_ms(midnight + DAY_MS - 1) == midnight + DAY_MS

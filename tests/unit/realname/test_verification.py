"""States are a table; birth date and sex digit only make sense together."""

from datetime import date

import pytest

from jigap.realname import BirthMalformed, State
from jigap.realname.verification import (
    OPEN,
    TRANSITIONS,
    Details,
    becomes,
    birth_date,
    is_foreigner,
    is_minor,
    today_in_korea,
)

TODAY = date(2026, 11, 22)


def test_every_state_has_its_row():
    assert set(TRANSITIONS) == set(State)
    assert {State.REQUESTED, State.CODE_SENT} == OPEN


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("next_", State)
def test_only_the_table_moves_a_check(state: State, next_: State):
    if next_ in TRANSITIONS[state]:
        assert becomes(state, next_) is next_
    else:
        with pytest.raises(AssertionError):
            becomes(state, next_)


def test_nothing_is_confirmed_without_a_code():
    assert [one for one in State if State.CONFIRMED in TRANSITIONS[one]] == [State.CODE_SENT]


@pytest.mark.parametrize(
    ("birth", "sex", "born"),
    [
        ("900131", "1", date(1990, 1, 31)),
        ("900131", "2", date(1990, 1, 31)),
        ("040229", "3", date(2004, 2, 29)),
        ("040229", "4", date(2004, 2, 29)),
        ("850615", "5", date(1985, 6, 15)),
        ("850615", "6", date(1985, 6, 15)),
        ("150615", "7", date(2015, 6, 15)),
        ("150615", "8", date(2015, 6, 15)),
        ("991231", "9", date(1899, 12, 31)),
        ("991231", "0", date(1899, 12, 31)),
        ("261122", "3", TODAY),
    ],
)
def test_the_sex_digit_names_the_century(birth: str, sex: str, born: date):
    assert birth_date(birth, sex, TODAY) == born


@pytest.mark.parametrize(
    ("birth", "sex"),
    [
        ("900230", "1"),  # no such day
        ("010229", "3"),  # 2001 is no leap year
        ("000229", "1"),  # 1900 was none
        ("901301", "1"),
        ("900100", "1"),
        ("261123", "3"),  # tomorrow
        ("90013", "1"),
        ("9001311", "1"),
        ("90013a", "1"),
        ("٩٠٠١٣١", "1"),  # digits, but not of ASCII
        ("900131", ""),
        ("900131", "10"),
        ("900131", "x"),
    ],
)
def test_refuses_what_is_no_birth_date(birth: str, sex: str):
    with pytest.raises(BirthMalformed):
        birth_date(birth, sex, TODAY)


def test_somebody_is_a_minor_until_the_19th_birthday():
    assert is_minor(date(2007, 11, 23), TODAY)
    assert not is_minor(date(2007, 11, 22), TODAY)


def test_whoever_was_born_on_a_leap_day_comes_of_age_in_march():
    assert is_minor(date(2004, 2, 29), date(2023, 2, 28))
    assert not is_minor(date(2004, 2, 29), date(2023, 3, 1))


def test_digits_5_to_8_are_foreigners():
    assert [one for one in "0123456789" if is_foreigner(one)] == ["5", "6", "7", "8"]


def test_a_day_begins_in_seoul_nine_hours_earlier():
    before_midnight_ms = 1_700_060_399_999  # 2023-11-15T14:59:59.999Z
    assert today_in_korea(before_midnight_ms) == date(2023, 11, 15)
    assert today_in_korea(before_midnight_ms + 1) == date(2023, 11, 16)


def test_details_do_not_show_themselves():
    shown = repr(Details("김민지", "+821012345678", "900131", "2"))
    assert not any(part in shown for part in ("김민지", "12345678", "900131", "2"))

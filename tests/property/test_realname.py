"""What must hold of every birth date, code and signature."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from jigap.realname import BirthMalformed, signing
from jigap.realname.codes import RANDOM_BYTES, TRIES_MAX, Challenge, Verdict, judge, make_code
from jigap.realname.verification import (
    ADULT_YEARS,
    CENTURIES,
    TRANSITIONS,
    State,
    becomes,
    birth_date,
    is_minor,
)

TODAY = date(2026, 11, 22)
FEW = settings(max_examples=100, deadline=None)


@FEW
@given(st.dates(date(1800, 1, 1), TODAY), st.sampled_from(sorted(CENTURIES)))
def test_a_date_survives_exactly_under_the_digits_of_its_century(born: date, sex: str) -> None:
    written = born.strftime("%y%m%d")
    try:
        read = birth_date(written, sex, TODAY)
    except BirthMalformed:
        assert CENTURIES[sex] != born.year // 100 * 100
    else:
        assert (read == born) == (CENTURIES[sex] == born.year // 100 * 100)
        assert read.strftime("%y%m%d") == written


@FEW
@given(st.text(max_size=8), st.text(max_size=2))
def test_any_text_is_a_date_or_a_refusal(birth: str, sex: str) -> None:
    try:
        born = birth_date(birth, sex, TODAY)
    except BirthMalformed:
        return
    assert date(1800, 1, 1) <= born <= TODAY


@FEW
@given(st.dates(date(1900, 1, 1), TODAY), st.dates(TODAY, date(2100, 1, 1)))
def test_coming_of_age_happens_once(born: date, today: date) -> None:
    if not is_minor(born, TODAY):
        assert not is_minor(born, today)
    assert is_minor(born, today) or today.year - born.year >= ADULT_YEARS


@FEW
@given(st.lists(st.sampled_from(State), max_size=8))
def test_no_way_through_the_table_leaves_an_end(path: list[State]) -> None:
    state = State.REQUESTED
    for wish in path:
        if wish in TRANSITIONS[state]:
            state = becomes(state, wish)
        if state in (State.CONFIRMED, State.REFUSED, State.EXPIRED):
            assert not TRANSITIONS[state]


@FEW
@given(st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_every_code_is_six_digits(randomness: bytes) -> None:
    code = make_code(randomness)
    assert len(code) == 6
    assert code.isascii() and code.isdigit()


@FEW
@given(st.integers(0, 999_999), st.lists(st.integers(0, 999_999), max_size=20))
def test_no_more_than_five_guesses_are_ever_looked_at(code: int, guesses: list[int]) -> None:
    sent, right, looked_at = Challenge(f"{code:06d}", expires_ms=1), 0, 0
    for guess in guesses:
        verdict, after = judge(sent, f"{guess:06d}", 0)
        looked_at += after != sent
        right += verdict is Verdict.RIGHT
        sent = after
    assert looked_at <= TRIES_MAX
    assert right == (code in guesses[:TRIES_MAX])


@FEW
@given(
    st.binary(min_size=1, max_size=40),
    st.lists(st.text(max_size=20).filter(lambda one: "\n" not in one), min_size=4, max_size=4),
    st.binary(max_size=60),
    st.integers(0, 4),
)
def test_whatever_is_changed_changes_the_signature(
    secret: bytes, parts: list[str], body: bytes, which: int
) -> None:
    method, path, timestamp, nonce = parts
    signed = signing.of_request(secret, method, path, timestamp, nonce, body)
    if which == 4:
        body += b"x"
    else:
        parts = [one + "x" if at == which else one for at, one in enumerate(parts)]
    assert not signing.matches(signing.of_request(secret, *parts, body), signed)
    assert not signing.matches(signed, None)

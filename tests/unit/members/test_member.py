"""Rules about member ids and passwords."""

import unicodedata

import pytest

from jigap.members import (
    LoginMalformed,
    Member,
    MemberFrozen,
    MemberUnverified,
    PasswordWeak,
    login_of,
    may_act,
    password_of,
)


@pytest.mark.parametrize("text", ["minji", "a1b", "kim.min-ji_7", "x" * 32, " MinJi "])
def test_accepts_member_ids_in_any_case(text: str) -> None:
    assert login_of(text) == text.strip().lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ab",
        "x" * 33,
        "-abc",
        "abc-",
        "민지민지",
        "a b c",
        "a\0bc",
        "a/b/c",
        "ａｂｃ",
        "abc\n d",
    ],
)
def test_refuses_other_member_ids(text: str) -> None:
    with pytest.raises(LoginMalformed):
        login_of(text)


@pytest.mark.parametrize("text", ["treasury", "TOKEN_OWNER", "operator", "0x12345", "a" * 20])
def test_refuses_what_could_be_taken_for_an_account_of_ours(text: str) -> None:
    """An operator who mints to ``treasury`` must not pay a member of that name."""
    with pytest.raises(LoginMalformed):
        login_of(text)


def test_lets_the_console_use_reserved_names() -> None:
    assert login_of("operator", reserved_allowed=True) == "operator"


@pytest.mark.parametrize("text", ["short", "지갑지갑지갑지", "x" * 257, "지" * 86])
def test_refuses_short_and_endless_passwords(text: str) -> None:
    with pytest.raises(PasswordWeak):
        password_of(text)


def test_a_password_is_the_same_however_it_is_composed() -> None:
    composed = "비밀번호비밀번호"
    decomposed = unicodedata.normalize("NFD", composed)
    assert decomposed != composed
    assert password_of(decomposed) == password_of(composed)


def test_only_verified_members_who_are_not_frozen_may_act() -> None:
    may_act(_member(level=1, frozen=False))
    with pytest.raises(MemberUnverified):
        may_act(_member(level=0, frozen=False))
    with pytest.raises(MemberFrozen):
        may_act(_member(level=1, frozen=True))


def _member(level: int, frozen: bool) -> Member:
    return Member("mb_1", 1, "minji", frozenset({"payer"}), level, frozen, None)

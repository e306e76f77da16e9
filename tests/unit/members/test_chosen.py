"""The passwords that are guessed first cannot be chosen; nothing else is asked of one."""

import pytest

from jigap.members import PasswordWeak
from jigap.members.chosen import OUR_WORDS, _common, chosen_password


@pytest.mark.parametrize(
    "text",
    [
        *("password", "12345678", "PassWord1", "qwertyuiop", "iloveyou", "ｐａｓｓｗｏｒｄ"),
        *("jigap2026!", "Symverse-1234", "지갑지갑12"[:2] + "123456", "!!Operator!!"),
        *("minji1234567", "MINJI-99"),
    ],
)
def test_refuses_what_everybody_guesses(text: str) -> None:
    with pytest.raises(PasswordWeak):
        chosen_password(text, "minji")


@pytest.mark.parametrize(
    "text",
    [
        *("correct horse", "blue river 42 stones", "파란 강 마흔두 개의 돌", "x" * 64, "a" * 256),
        *("minji likes her wallet", "        ㅎ", "🐎🔋📎🐎🔋📎🐎🔋", "kvqzjwxy", "83629174056"),
    ],
)
def test_takes_any_other_composition(text: str) -> None:
    assert chosen_password(text, "minji") == text


def test_the_member_id_counts_only_where_it_is_known() -> None:
    assert chosen_password("minji1234567") == "minji1234567"


def test_the_list_is_longer_than_three_thousand_that_could_be_chosen() -> None:
    assert sum(len(one) >= 8 for one in _common()) > 10_000


def test_our_words_are_in_the_form_that_is_compared() -> None:
    assert {one for one in OUR_WORDS if one != one.casefold()} == set()

"""A code is good once, for five minutes, and for five tries."""

import pytest

from jigap.realname.codes import (
    CODE_TTL_MS,
    RANDOM_BYTES,
    TRIES_MAX,
    Challenge,
    Verdict,
    challenge,
    judge,
    make_code,
)


def test_a_code_has_six_digits_and_keeps_its_zeros():
    assert make_code((42).to_bytes(RANDOM_BYTES, "big")) == "000042"
    assert make_code(b"\xff" * RANDOM_BYTES) == str((2**128 - 1) % 10**6).zfill(6)


def test_the_right_code_is_good_once():
    sent = Challenge("123456", expires_ms=10)
    verdict, after = judge(sent, "123456", 0)
    assert verdict is Verdict.RIGHT
    assert judge(after, "123456", 0)[0] is Verdict.USED


def test_the_fifth_wrong_code_burns_it():
    sent, verdicts = Challenge("123456", expires_ms=10), []
    for _ in range(TRIES_MAX):
        verdict, sent = judge(sent, "654321", 0)
        verdicts.append(verdict)
    assert verdicts == [Verdict.WRONG] * 4 + [Verdict.BURNT]
    assert judge(sent, "123456", 0)[0] is Verdict.BURNT


def test_a_code_is_too_old_at_the_end_of_the_fifth_minute():
    sent = challenge(bytes(RANDOM_BYTES), now_ms=1000)
    assert judge(sent, "000000", 1000 + CODE_TTL_MS - 1)[0] is Verdict.RIGHT
    assert judge(sent, "000000", 1000 + CODE_TTL_MS)[0] is Verdict.EXPIRED


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "１２３４５６", "12345x"])
def test_nothing_but_the_code_is_the_code(typed: str):
    assert judge(Challenge("123456", 10), typed, 0)[0] is Verdict.WRONG


def test_a_challenge_does_not_show_its_code():
    assert "123456" not in repr(Challenge("123456", 10))

"""Codes that are sent to a phone: how one is made, and what a typed one is worth. Pure.

A code has six digits from the system's randomness, is good once, for five minutes, and is burnt by
the fifth wrong try. Guessing one therefore succeeds five times in a million.
"""

import hmac
from dataclasses import dataclass, field, replace
from enum import StrEnum

CODE_DIGITS = 6
CODE_TTL_MS = 5 * 60 * 1000
TRIES_MAX = 5
RANDOM_BYTES = 16  # so many more than six digits need that every code is equally likely


class Verdict(StrEnum):
    """What a typed code is worth."""

    RIGHT = "right"
    WRONG = "wrong"
    BURNT = "burnt"
    EXPIRED = "expired"
    USED = "used"


@dataclass(frozen=True, slots=True)
class Challenge:
    """One code that was sent, and what has been tried."""

    code: str = field(repr=False)
    expires_ms: int
    wrong_tries: int = 0
    used: bool = False


def make_code(randomness: bytes) -> str:
    """Six digits out of ``RANDOM_BYTES`` random bytes."""
    assert len(randomness) == RANDOM_BYTES
    return f"{int.from_bytes(randomness, 'big') % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


def challenge(randomness: bytes, now_ms: int) -> Challenge:
    """A fresh code, sent now."""
    return Challenge(make_code(randomness), now_ms + CODE_TTL_MS)


def judge(sent: Challenge, typed: str, now_ms: int) -> tuple[Verdict, Challenge]:
    """What ``typed`` is worth, and the challenge after it."""
    if sent.used:
        return Verdict.USED, sent
    if sent.wrong_tries >= TRIES_MAX:
        return Verdict.BURNT, sent
    if now_ms >= sent.expires_ms:
        return Verdict.EXPIRED, sent
    if hmac.compare_digest(sent.code.encode(), typed.encode()):
        return Verdict.RIGHT, replace(sent, used=True)
    tried = replace(sent, wrong_tries=sent.wrong_tries + 1)
    return (Verdict.BURNT if tried.wrong_tries >= TRIES_MAX else Verdict.WRONG), tried

"""Sending a text message to a phone: the protocol, and an inbox that only pretends.

The inbox is what development and tests read the code from; ``solapi`` is the real thing.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

INBOX_MESSAGES_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Sms:
    """A message for a number in E.164 or national digits."""

    to: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """The sender took the message; it is on its way."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The sender will not send this message. ``why`` holds nothing personal."""

    why: str


@dataclass(frozen=True, slots=True)
class PerhapsTaken:
    """Nobody knows whether the message goes out. Sending again may send it twice."""

    why: str


SmsAnswer: TypeAlias = Taken | NotTaken | PerhapsTaken


class SmsSender(Protocol):
    """Whoever brings messages to phones."""

    async def send(self, message: Sms) -> SmsAnswer: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it lies on a simulated phone."""

    phone: str
    text: str
    received_ms: int


class SimulatedInbox:
    """Every phone there is, in memory; the oldest messages fall out."""

    def __init__(self, now_ms: "NowMs") -> None:
        self._now_ms = now_ms
        self._received: deque[Received] = deque(maxlen=INBOX_MESSAGES_MAX)

    async def send(self, message: Sms) -> SmsAnswer:
        """Deliver it at once."""
        digits = phone_digits(message.to)
        self._received.append(Received(digits, message.text, self._now_ms()))
        return Taken()

    async def close(self) -> None:
        """Nothing is held open."""

    def messages(self, phone: str | None = None) -> list[Received]:
        """Messages on one phone, or on all of them, the newest first."""
        wanted = None if phone is None else phone_digits(phone)
        return [one for one in reversed(self._received) if wanted in (None, one.phone)]


class NowMs(Protocol):
    """Whoever knows the time."""

    def __call__(self) -> int: ...


def phone_digits(written: str) -> str:
    """A number as it is dialled in Korea, however it is written: ``+82 10-…`` is ``010…``."""
    digits = re.sub(r"[^0-9]", "", written)
    if digits.startswith("82") and len(digits) > 10:
        return "0" + digits[2:].removeprefix("0")
    return digits

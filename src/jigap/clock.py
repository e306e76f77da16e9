"""The only reader of system time, and what a day is.

Rules take ``now_ms`` as an argument; operations at the edge hold a ``Clock`` and ask it. Tests hold
a ``SimulatedClock`` and move it. Whatever is counted by the day (limits, budgets, searches) is
counted by the day of UTC, the same for everybody and on every machine.
"""

import time
from datetime import UTC, datetime
from typing import Protocol

DAY_MS = 24 * 3600 * 1000


class Clock(Protocol):
    """Milliseconds since 1970-01-01T00:00Z."""

    def now_ms(self) -> int: ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class SimulatedClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, ms: int) -> None:
        self._now_ms += ms


def day_of(now_ms: int) -> str:
    """The UTC day of a moment, such as ``2026-11-21``."""
    return datetime.fromtimestamp(now_ms // 1000, UTC).date().isoformat()


def next_day_ms(now_ms: int) -> int:
    """When the day after that of a moment begins."""
    return (now_ms // DAY_MS + 1) * DAY_MS

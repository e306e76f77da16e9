"""The only reader of system time.

Rules take ``now_ms`` as an argument; operations at the edge hold a ``Clock`` and ask it. Tests hold
a ``SimulatedClock`` and move it.
"""

import time
from typing import Protocol


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

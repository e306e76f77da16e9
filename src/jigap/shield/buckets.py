"""Token buckets: how much somebody may ask for in a while. Pure; the time is an argument.

A bucket holds ``burst`` tokens and gets ``rate_per_s`` new ones each second; a request takes one.
It is kept as one number, the moment at which it will be full again (the generic cell rate
algorithm), so a bucket that is full need not be kept at all.

However many addresses ask, the memory is bounded: buckets live in two generations of at most half
of ``places_max`` each. When the younger one is full it becomes the older one, and what the older
one held is forgotten: the buckets that nobody took from for the longest time. Whoever would have an
empty bucket forgotten, to begin anew, must first be half of ``places_max`` other people.
"""

PLACES_MAX = 200_000
_ROUNDING_S = 1e-6


class Buckets:
    """Many buckets of one size, each under a number."""

    __slots__ = ("_half", "_old", "_slack_s", "_token_s", "_young")

    def __init__(self, rate_per_s: float, burst: float, places_max: int = PLACES_MAX) -> None:
        assert rate_per_s > 0
        assert burst >= 1
        assert places_max >= 2
        self._token_s = 1 / rate_per_s
        self._slack_s = (burst - 1) / rate_per_s
        self._half = places_max // 2
        self._young: dict[object, float] = {}
        self._old: dict[object, float] = {}

    def take(self, key: object, now_s: float) -> float:
        """Take a token: 0.0, or after how many seconds there will be one (then none is taken)."""
        full_s = self._young.get(key)
        if full_s is None:
            full_s = self._grown_up(key, now_s)
        if full_s < now_s:
            full_s = now_s
        wait_s = full_s - now_s - self._slack_s
        if wait_s > _ROUNDING_S:
            return wait_s
        self._young[key] = full_s + self._token_s
        return 0.0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _grown_up(self, key: object, now_s: float) -> float:
        """When a bucket will be full that the younger generation does not have; it gets a place."""
        full_s = self._old.pop(key, now_s)
        if len(self._young) >= self._half:
            self._young, self._old = {}, self._young
        self._young[key] = full_s
        return full_s

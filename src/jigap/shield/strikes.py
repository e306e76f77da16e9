"""Who is banned without being asked: points for what goes wrong, and ever longer bans. Pure.

Each refused sign-in, wrong code, malformed or too slow request gives its sender points, some more
than others; points fade, half of them each two minutes. Nobody who mistypes a password gets there:
the threshold is reached by what only a program does. Then the address (of IPv6, the /64) is banned,
ten minutes the first time and six times longer each further time, up to a week. Each week without
one takes a step back.

Points are in the memory of one process and bounded; bans and their steps are in the store.
"""

from dataclasses import dataclass

from jigap.shield.verdict import Rule

HALF_LIFE_S = 120.0
THRESHOLD = 100.0
BAN_FIRST_MS = 10 * 60 * 1000
BAN_FACTOR = 6
BAN_MAX_MS = 7 * 24 * 3600 * 1000
CLEAN_MS = 7 * 24 * 3600 * 1000
PLACES_MAX = 100_000

#: Any answer that says the caller was wrong.
POINTS_4XX = 0.5
#: Codes of refusals that tell of guessing.
POINTS: dict[str, float] = {
    "sign_in_failed": 4.0,
    "sign_in_wait": 2.0,
    "sign_in_locked": 4.0,
    "sign_in_limit": 4.0,
    "password_wrong": 4.0,
    "otp_wrong": 5.0,
    "realname_code_wrong": 5.0,
    "password_reset_code_wrong": 5.0,
    "passphrase_wrong": 4.0,
    "request_malformed": 2.0,
    #: Nobody guesses a token; a page that was left open asks on when its session has ended.
    "session_missing": 0.1,
}
#: What a page of another site can make a browser do, over and over, to have its owner banned. To
#: guess at a secret it cannot: that takes JSON, which no browser sends there without asking.
CAUSED_BY_OTHERS = frozenset({"request_malformed", "session_missing"})
#: What the shield itself turned away, without those who are turned away anyhow, and without a
#: network that asks too much or a server that is full: that may be the neighbours.
POINTS_OF_RULE: dict[Rule, float] = {
    Rule.RATE_ADDRESS: 0.2,
    Rule.RATE_ROUTE: 1.0,
    Rule.CONNECTIONS: 0.5,
    Rule.SILENCE: 0.5,
    Rule.HEADER_TIME: 10.0,
    Rule.BODY_TIME: 10.0,
    Rule.HEADER_SIZE: 5.0,
    Rule.MALFORMED: 5.0,
}


@dataclass(frozen=True, slots=True)
class Step:
    """How often an address has been banned of late, and when the last ban ends or ended."""

    step: int
    until_ms: int


class Scores:
    """The points of everybody, in two generations as in ``buckets``."""

    def __init__(self, places_max: int = PLACES_MAX) -> None:
        self._half = places_max // 2
        self._young: dict[int, tuple[float, float]] = {}
        self._old: dict[int, tuple[float, float]] = {}

    def add(self, key: int, points: float, now_s: float) -> bool:
        """Whether these points are the ones too many; if so, counting begins anew."""
        before = self._young.get(key) or self._old.pop(key, None)
        total = points if before is None else points + faded(before[0], now_s - before[1])
        if total >= THRESHOLD:
            self._young.pop(key, None)
            return True
        if len(self._young) >= self._half:
            self._young, self._old = {}, self._young
        self._young[key] = (total, now_s)
        return False

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


def faded(points: float, elapsed_s: float) -> float:
    """What is left of points after a while."""
    return float(points * 0.5 ** (max(elapsed_s, 0.0) / HALF_LIFE_S))


def points_of(status: int, code: str, *, cross_site: bool = False) -> float:
    """The points of an answer: by its problem's code, or else by its status.

    ``cross_site``: the browser says that a page of another site asked.
    """
    if status < 400 or status >= 500:
        return 0.0
    if cross_site and (code not in POINTS or code in CAUSED_BY_OTHERS):
        return 0.0
    return POINTS.get(code, POINTS_4XX)


def next_step(before: Step | None, now_ms: int) -> Step:
    """The ban that follows after this one; one that has not ended yet is not begun again."""
    if before is None:
        return Step(1, now_ms + BAN_FIRST_MS)
    if before.until_ms > now_ms:
        return before
    clean_weeks = (now_ms - before.until_ms) // CLEAN_MS
    step = max(before.step - clean_weeks, 0) + 1
    return Step(step, now_ms + min(BAN_FIRST_MS * BAN_FACTOR ** min(step - 1, 9), BAN_MAX_MS))


class Neighbours:
    """Which addresses have many people behind them: so many accounts signed in from there on a
    day, this one or the one before.

    Such an address belongs to a carrier, a school or an office. What one of them does wrong is no
    reason to shut the others out: it gets smaller buckets instead of a ban.
    """

    def __init__(self, accounts_min: int, places_max: int = 20_000) -> None:
        self._accounts_min = accounts_min
        self._places_max = places_max
        self._day = ""
        self._seen: dict[int, set[str]] = {}
        self._before: dict[int, set[str]] = {}

    def signed_in(self, key: int, member_id: str, day: str) -> None:
        """Somebody signed in from this address."""
        self._turn_to(day)
        found = self._seen.get(key)
        if found is None:
            if len(self._seen) >= self._places_max:
                return
            found = self._seen[key] = set()
        if len(found) < self._accounts_min:
            found.add(member_id)

    def are_many(self, key: int, day: str) -> bool:
        """Whether the address counts as shared on this day."""
        self._turn_to(day)
        most = max(len(seen.get(key, ())) for seen in (self._seen, self._before))
        return most >= self._accounts_min

    def _turn_to(self, day: str) -> None:
        """A new day forgets the one before the last, not the last: nobody has signed in yet."""
        if day != self._day:
            self._day, self._seen, self._before = day, {}, self._seen

"""Who was turned away in the last minutes, counted in bounded memory. Pure."""

from collections import Counter

MINUTE_S = 60
MINUTES = 5
PLACES_MAX = 2_000


class Recent:
    """Counts of each minute; of very many different ones in a minute only the first are told."""

    def __init__(self) -> None:
        self._minutes: dict[int, dict[str, int]] = {}

    def note(self, what: str, now_s: float) -> None:
        """Count one."""
        minute = int(now_s) // MINUTE_S
        counts = self._minutes.get(minute)
        if counts is None:
            counts = self._minutes[minute] = {}
            for old in [one for one in self._minutes if one <= minute - MINUTES]:
                del self._minutes[old]
        if what in counts:
            counts[what] += 1
        elif len(counts) < PLACES_MAX:
            counts[what] = 1

    def top(self, count: int, now_s: float) -> list[tuple[str, int]]:
        """Those counted most in the last minutes, most first."""
        oldest = int(now_s) // MINUTE_S - MINUTES
        total: Counter[str] = Counter()
        for minute, counts in self._minutes.items():
            if minute > oldest:
                total.update(counts)
        return total.most_common(count)

"""Searches for a phone number somebody has, against searches for one nobody has.

One after the other over HTTP, each time one of both in an order that chance decides, so that what
the machine does differently meanwhile meets both. The ratio of the medians says how large a
difference is; the Mann-Whitney statistic, as the share of pairs in which the number that somebody
has took longer, says how well one answer could be told from another by its time: 0.5 is not at all.
"""

import math
import random
import time
from collections.abc import Sequence
from itertools import cycle
from statistics import median

from bench.machine import Meter
from bench.platform import Caller, Client, phone_of
from bench.rounds import Measure, Round

LOOKUPS = Measure(
    "directory_lookups",
    "Directory, a number somebody has",
    "s",
    "a number nobody has",
)

#: Numbers from here on belong to nobody.
_NOBODYS = 70_000_000
#: A member may search 200 times a day, over all rounds.
ASKERS = 40


async def lookups_round(
    client: Client, meter: Meter, people: Sequence[Caller], pairs: int, *, seed: int
) -> Round:
    """Time ``pairs`` searches of both kinds, asked by the first members for the others' numbers."""
    chance, askers = random.Random(seed), cycle(people[:ASKERS])
    known_s: list[float] = []
    unknown_s: list[float] = []
    wrong = 0
    meter.start()
    for _ in range(pairs):
        asker = next(askers)
        somebodys = phone_of(chance.randrange(len(people)))
        nobodys = phone_of(_NOBODYS + chance.randrange(1_000_000))
        both = [(somebodys, known_s, 1), (nobodys, unknown_s, 0)]
        chance.shuffle(both)
        for phone, taken, found in both:
            begun = time.perf_counter()
            answer = await client.call(asker, "GET", f"recipients?phone={phone}")
            taken.append(time.perf_counter() - begun)
            wrong += answer is not None and len(answer) != found
    use = meter.use()
    errors = client.taken_errors() | ({"found whom nobody has": wrong} if wrong else {})
    slower, p = mann_whitney(known_s, unknown_s)
    details = {
        "lookups": 2 * pairs,
        "known_slower_share": round(slower, 4),
        "p": round(p, 4),
        "use": use.shown(2 * pairs),
    }
    return Round(median(known_s), median(unknown_s), use.foreign, errors, details)


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """The share of pairs in which ``first`` is the larger (ties count half), and a p-value.

    The p-value says how likely so much difference is by chance alone: two-sided, by the normal
    approximation.
    """
    ranked = sorted([(one, 0) for one in first] + [(one, 1) for one in second])
    rank_sum, at = 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        rank_sum += (at + 1 + end) / 2 * sum(group == 0 for _, group in ranked[at:end])
        at = end
    n, m = len(first), len(second)
    u = rank_sum - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return u / (n * m), math.erfc(abs(z) / math.sqrt(2))

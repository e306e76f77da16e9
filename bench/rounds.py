"""Repeating a measure, and what is said of it.

A round is one value beside one reference taken next to it; their ratio cancels most of what the
machine does differently today. A round that others disturbed is repeated, a few times at most, and
all are kept in the results with a mark.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

#: A share of the machine's processor time; more of it used by others disturbs a round.
FOREIGN_MAX = 0.05


@dataclass(frozen=True, slots=True)
class Round:
    """One value, its reference in the same unit (or None), and what else is worth keeping."""

    value: float
    reference: float | None
    foreign: float
    errors: dict[str, int]
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def is_disturbed(self) -> bool:
        return self.foreign > FOREIGN_MAX

    @property
    def ratio(self) -> float | None:
        return None if self.reference is None else self.value / self.reference

    def shown(self) -> dict[str, Any]:
        ratio = self.ratio
        return {
            "value": round(self.value, 4),
            "reference": None if self.reference is None else round(self.reference, 4),
            "ratio": None if ratio is None else round(ratio, 4),
            "foreign": round(self.foreign, 4),
            "disturbed": self.is_disturbed,
            "errors": self.errors,
            **self.details,
        }


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured: words for people, units, and the aim if there is one.

    ``aim`` is for ``aim_of``: ``value`` or ``ratio``; ``at_most`` says in which direction.
    """

    name: str
    title: str
    unit: str
    reference: str
    aim: float | None = None
    aim_of: str = "value"
    at_most: bool = False


async def repeat(take: Callable[[], Awaitable[Round]], times: int, repeats_max: int) -> list[Round]:
    """``times`` undisturbed rounds, if ``repeats_max`` more are enough for that."""
    taken: list[Round] = []
    while sum(not one.is_disturbed for one in taken) < times and len(taken) < times + repeats_max:
        taken.append(await take())
    return taken


def summary(measure: Measure, taken: Sequence[Round]) -> dict[str, Any]:
    """Medians over the undisturbed rounds (over all, if fewer than half are), and the aim."""
    quiet = [one for one in taken if not one.is_disturbed]
    counted = quiet if 2 * len(quiet) >= len(taken) else list(taken)
    ratios = [one.ratio for one in counted if one.ratio is not None]
    references = [one.reference for one in counted if one.reference is not None]
    values = [one.value for one in counted]
    found = {
        "value": round(median(values), 4),
        "spread": [round(min(values), 4), round(max(values), 4)],
        "reference": round(median(references), 4) if references else None,
        "ratio": round(median(ratios), 4) if ratios else None,
    }
    return {
        "name": measure.name,
        "title": measure.title,
        "unit": measure.unit,
        "reference_is": measure.reference,
        "aim": measure.aim,
        "aim_of": measure.aim_of if measure.aim is not None else None,
        "at_most": measure.at_most,
        "met": _met(measure, found),
        **found,
        "counted": len(counted),
        "errors": sum(sum(one.errors.values()) for one in taken),
        "rounds": [one.shown() for one in taken],
    }


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the longest of some durations, in milliseconds."""
    if not seconds:
        return {}
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000, 1)

    return {"p50": at(0.50), "p95": at(0.95), "p99": at(0.99), "max": at(1.0)}


def _met(measure: Measure, found: dict[str, Any]) -> bool | None:
    reached = found[measure.aim_of]
    if measure.aim is None or reached is None:
        return None
    return bool(reached <= measure.aim if measure.at_most else reached >= measure.aim)

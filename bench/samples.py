"""Every request of a run, and the columns that the paper prints of them.

The columns are those of JMeter's aggregate report, and so is how they are counted: a percentile
lies between two samples where it falls between them, throughput is samples over the time from the
first start to the last end, KO is every sample that was not answered with a success.
"""

import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import floor
from pathlib import Path
from typing import Any, BinaryIO

#: The status of a request whose connection broke.
BROKEN = 0
#: The status of a request that was still not answered when the run was given up.
UNANSWERED = 1

_KINDS = "ddHLLH"


@dataclass(slots=True)
class Samples:
    """Rows as columns: seconds of start and end, status, bytes in and out, clients then active."""

    start_s: "array[float]" = field(default_factory=lambda: array("d"))
    end_s: "array[float]" = field(default_factory=lambda: array("d"))
    status: "array[int]" = field(default_factory=lambda: array("H"))
    received: "array[int]" = field(default_factory=lambda: array("L"))
    sent: "array[int]" = field(default_factory=lambda: array("L"))
    active: "array[int]" = field(default_factory=lambda: array("H"))

    def __len__(self) -> int:
        return len(self.end_s)

    def _columns(self) -> "tuple[array[Any], ...]":
        return (self.start_s, self.end_s, self.status, self.received, self.sent, self.active)

    def keep(self, path: Path) -> None:
        """Write them to a file of our own."""
        with path.open("wb") as file:
            file.write(len(self).to_bytes(8, sys.byteorder))
            for column in self._columns():
                column.tofile(file)

    @classmethod
    def kept(cls, path: Path) -> "Samples":
        with path.open("rb") as file:
            return cls(*_columns_of(file))

    @property
    def elapsed_s(self) -> float:
        """From the first start to the last end."""
        return max(self.end_s) - min(self.start_s) if len(self) else 0.0

    @property
    def ko(self) -> int:
        return sum(not 200 <= status < 300 for status in self.status)


def _columns_of(file: BinaryIO) -> "list[array[Any]]":
    rows = int.from_bytes(file.read(8), sys.byteorder)
    columns = [array(kind) for kind in _KINDS]
    for column in columns:
        column.fromfile(file, rows)
    return columns


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Of values in order: the one at ``percent`` of n + 1, between two where it falls between."""
    at = percent * (len(ordered) + 1) / 100
    below = floor(at)
    if below < 1:
        return ordered[0]
    if below >= len(ordered):
        return ordered[-1]
    return ordered[below - 1] + (at - below) * (ordered[below] - ordered[below - 1])


def columns(label: str, runs: Sequence[Samples]) -> dict[str, Any]:
    """The paper's columns of one run, or of several that came one after the other (a Total)."""
    took = sorted(
        (end - start) * 1000
        for run in runs
        for start, end in zip(run.start_s, run.end_s, strict=True)
    )
    if not took:
        return {"label": label, "samples": 0, "ko": 0}
    elapsed_s = max(sum(run.elapsed_s for run in runs), 1e-9)
    ko = sum(run.ko for run in runs)
    figures = {
        "average_ms": sum(took) / len(took),
        "min_ms": took[0],
        "max_ms": took[-1],
        "median_ms": percentile(took, 50),
        "p90_ms": percentile(took, 90),
        "p95_ms": percentile(took, 95),
        "p99_ms": percentile(took, 99),
        "throughput_per_s": len(took) / elapsed_s,
        "received_kb_per_s": sum(sum(run.received) for run in runs) / 1024 / elapsed_s,
        "sent_kb_per_s": sum(sum(run.sent) for run in runs) / 1024 / elapsed_s,
        "elapsed_s": elapsed_s,
    }
    return {
        "label": label,
        "samples": len(took),
        "ko": ko,
        "error_percent": round(100 * ko / len(took), 4),
        **{name: round(value, 3) for name, value in figures.items()},
    }


def errors(run: Samples) -> dict[str, int]:
    """How many of each kind were no success."""
    names = {BROKEN: "connection broken", UNANSWERED: "not answered"}
    counted = Counter(status for status in run.status if not 200 <= status < 300)
    return {names.get(status, str(status)): number for status, number in counted.items()}


def by_active(run: Samples, points: int = 60) -> list[list[float]]:
    """[clients active, mean milliseconds, samples], as Figures 17 and 18 draw it.

    Neighbouring numbers of clients are taken together until at most ``points`` remain.
    """
    sums: dict[int, list[float]] = {}
    most = max(run.active, default=0)
    width = max(1, -(-most // points))
    for start, end, active in zip(run.start_s, run.end_s, run.active, strict=True):
        one = sums.setdefault((active - 1) // width, [0.0, 0.0, 0])
        one[0] += active
        one[1] += end - start
        one[2] += 1
    return [
        [round(clients / number, 1), round(seconds * 1000 / number, 3), int(number)]
        for _, (clients, seconds, number) in sorted(sums.items())
    ]

"""What the rounds of the paper's cases come to: medians, and what the aims ask of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.paper_figures import COLUMNS

OURS, PAPERS, BARE = "ours", "paper_stack", "bare_server"
TOTAL = 0

Row = dict[str, Any]


def counted(rows: Sequence[Row]) -> list[Row]:
    """The undisturbed rounds, or all if fewer than half are."""
    quiet = [row for row in rows if not row["disturbed"]]
    return quiet if 2 * len(quiet) >= len(rows) else list(rows)


def medians(rows: Sequence[Row]) -> list[Row]:
    """One row for each case, stack and number of clients; the Total has 0 clients.

    Columns are medians over rounds, KO and errors are sums. The curve over active clients is that
    of the round with the median throughput.
    """
    groups: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        if row["samples"]:
            groups.setdefault((row["case"], row["stack"], row["clients"] or 10**9), []).append(row)
    return [_median(group) for _, group in sorted(groups.items())]


def _median(group: list[Row]) -> Row:
    kept = counted(group)
    by_speed = sorted(kept, key=lambda row: float(row["throughput_per_s"]))
    middle = by_speed[len(by_speed) // 2]
    samples, ko = sum(row["samples"] for row in group), sum(row["ko"] for row in group)
    found = {
        "case": middle["case"],
        "stack": middle["stack"],
        "clients": middle["clients"],
        "label": middle["label"],
        "rounds": len(group),
        "counted": len(kept),
        "samples": round(median(row["samples"] for row in kept)),
        "ko": ko,
        "error_percent": round(100 * ko / samples, 4),
        **{name: round(median(row[name] for row in kept), 3) for name in COLUMNS},
    }
    if middle["clients"] == TOTAL:
        return found
    uses = [row["use"] for row in kept]
    found |= {
        "errors": _added([row["errors"] for row in group]),
        "without_symid": sum(row.get("without_symid", 0) for row in group),
        "cut_short": any(row["cut_short"] for row in group),
        "by_active": middle["by_active"],
        "cpu_ms_each": {
            name: round(median(use["cpu_ms_each"][name] for use in uses), 4)
            for name in uses[0]["cpu_ms_each"]
        },
        **{
            name: round(median(use[name] for use in uses), 4)
            for name in ("busy", "foreign", "stolen")
        },
    }
    bounds = [row["bound_per_s"] for row in kept if "bound_per_s" in row]
    if bounds:
        ratios = [row["throughput_per_s"] / row["bound_per_s"] for row in kept]
        found |= {"bound_per_s": round(median(bounds), 2), "of_bound": round(median(ratios), 4)}
    return found


def _added(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in counts:
        for what, number in one.items():
            found[what] = found.get(what, 0) + number
    return found


def find(cells: Sequence[Row], case: str, stack: str, clients: int) -> Row | None:
    return next(
        (
            one
            for one in cells
            if (one["case"], one["stack"], one["clients"]) == (case, stack, clients)
        ),
        None,
    )


@dataclass(frozen=True, slots=True)
class Aim:
    """One line of the table of aims; ``at_most``: smaller is better."""

    quantity: str
    least: float
    aim: float
    value: float | None
    at_most: bool = False
    percent: bool = False

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        if self._reaches(self.aim):
            return "aim met"
        return "least met" if self._reaches(self.least) else "missed"

    def _reaches(self, wanted: float) -> bool:
        assert self.value is not None
        return self.value <= wanted if self.at_most else self.value >= wanted

    def shown(self) -> Row:
        return {
            "quantity": self.quantity,
            "least": self.least,
            "aim": self.aim,
            "value": None if self.value is None else round(self.value, 5),
            "at_most": self.at_most,
            "percent": self.percent,
            "verdict": self.verdict,
        }


def aims(cells: Sequence[Row], rows: Sequence[Row], measures: Sequence[Row]) -> list[Row]:
    """All aims, from what was measured; ratios are of figures of this one run."""
    measured = {one["name"]: one for one in measures}

    def ratio_of(name: str) -> float | None:
        return measured[name]["ratio"] if name in measured else None

    most = max((one["clients"] for one in cells if one["case"] in ("tc3", "tc4")), default=0)
    at_most = f"at {most or 300} clients"
    return [
        one.shown()
        for one in (
            Aim("Wallet creation : scrypt on all cores, least of the numbers of clients",
                0.75, 0.88, _least(cells, "tc1", lambda one: one.get("of_bound"))),
            Aim("Wallet creation : the paper's stack, without protection",
                1.3, 1.5, _least_to_papers(cells, "tc1")),
            Aim("Wallet creation : the paper's stack, with protection",
                2.5, 3, _least_to_papers(cells, "tc2")),
            Aim(f"Balance inquiry : the paper's stack, without protection, {at_most}",
                5, 10, _to_papers(cells, "tc3", most, "throughput_per_s")),
            Aim(f"Balance inquiry : the paper's stack, with protection, {at_most}",
                60, 150, _to_papers(cells, "tc4", most, "throughput_per_s")),
            Aim(f"Balance p99 : that of the paper's stack, with protection, {at_most}",
                1 / 20, 1 / 100, _to_papers(cells, "tc4", most, "p99_ms"), at_most=True),
            Aim("Errors of ours, in all that was measured",
                0, 0, _errors(cells, measures), at_most=True),
            Aim("Processor time of a balance inquiry that the shield adds",
                0.05, 0.02, shield_share(rows), at_most=True, percent=True),
            Aim("Payments final, own passphrase each : scrypt on all cores",
                0.5, 0.8, ratio_of("payments")),
            Aim("Balance p99 while wallets are made at full speed : when nothing else happens",
                10, 4, ratio_of("mixed_balance_p99"), at_most=True),
        )
    ]  # fmt: skip


def _least(cells: Sequence[Row], case: str, of: Any) -> float | None:
    found = [
        value
        for one in cells
        if one["case"] == case and one["stack"] == OURS and (value := of(one)) is not None
    ]
    return min(found, default=None)


def _least_to_papers(cells: Sequence[Row], case: str) -> float | None:
    return _least(
        [one for one in cells if one["clients"] != TOTAL],
        case,
        lambda one: _to_papers(cells, case, one["clients"], "throughput_per_s"),
    )


def _to_papers(cells: Sequence[Row], case: str, clients: int, what: str) -> float | None:
    ours, papers = find(cells, case, OURS, clients), find(cells, case, PAPERS, clients)
    if ours is None or papers is None or not papers[what]:
        return None
    return float(ours[what] / papers[what])


def _errors(cells: Sequence[Row], measures: Sequence[Row]) -> float | None:
    ours = [one for one in cells if one["stack"] == OURS and one["clients"] != TOTAL]
    if not ours and not measures:
        return None
    without = sum(one["ko"] + one["without_symid"] for one in ours)
    return float(without + sum(one["errors"] for one in measures))


def shield_share(rows: Sequence[Row]) -> float | None:
    """What the shield adds to the platform's processor time of one balance inquiry, as a share.

    The median over rounds and numbers of clients: each compares two runs taken one after the other.
    """
    pairs = _shield_pairs(rows)
    return median((on - off) / off for off, on in pairs) if pairs else None


def shield_us(rows: Sequence[Row]) -> float | None:
    """The same in microseconds."""
    pairs = _shield_pairs(rows)
    return median((on - off) * 1000 for off, on in pairs) if pairs else None


def _shield_pairs(rows: Sequence[Row]) -> list[tuple[float, float]]:
    used = {
        (row["case"], row["clients"], row["round"]): float(row["use"]["cpu_ms_each"]["platform"])
        for row in rows
        if row["stack"] == OURS and row["case"] in ("tc3", "tc4") and row["clients"] != TOTAL
    }
    return [
        (off, used["tc4", clients, number])
        for (case, clients, number), off in used.items()
        if case == "tc3" and off and ("tc4", clients, number) in used
    ]

"""The paper's tables and figures, with our rows, the paper's stack's, and the printed ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.charts import Series, chart
from bench.medians import BARE, OURS, PAPERS, TOTAL, find, shield_share, shield_us
from bench.paper_figures import COLUMNS, PRINTED, SLIPS

TITLES = {
    "tc1": "TC1: a wallet is made, without protection",
    "tc2": "TC2: a wallet is made, with protection",
    "tc3": "TC3: a balance is asked for, without protection",
    "tc4": "TC4: a balance is asked for, with protection",
}
_NAMES = {OURS: "ours", PAPERS: "the paper's stack, here", BARE: "a server that only answers"}
_HEAD = (
    "Stack", "Label", "Samples", "KO", "Error %", "Average", "Min", "Max", "Median", "90th",
    "95th", "99th", "Throughput /s", "KB/s received", "KB/s sent",
)  # fmt: skip

_WORDS = """\
## The paper's four cases

Every client sends {loops} requests, each when the one before is answered; all begin at once
(ramp-up 0). Times are milliseconds. Samples are those of one round, the other columns medians over
{rounds} rounds, KO and error % those of all rounds. A Total is all samples of a round together, its
rates over the time in which requests were under way. Clients have a session each; a wallet is made
by a member who is verified and has none, a balance is that of a member with a wallet and tokens.
`python -m bench.jmeter tc1` runs the same with JMeter.

"""


def sections(result: dict[str, Any]) -> str:
    """All that docs/performance.md says of the cases; "" if none was measured."""
    cases = result.get("cases")
    if not cases or not cases["medians"]:
        return ""
    cells = cases["medians"]
    parts = [_WORDS.format(**cases)]
    for case in PRINTED:
        rows = _rows_of(cells, case)
        if not rows:
            continue
        printed = PRINTED[case]
        parts += [
            f"### {TITLES[case]}\n\n",
            _table(_HEAD, rows),
            f"\nPrinted: Table {printed.number}, \u201c{printed.caption}\u201d.",
            _bound_words(cells, case, cases["signatures_per_s"]),
            f"\n\n![Response time over active clients, {case.upper()}]",
            f"(images/bench-{case}.svg)\n\n",
        ]
    parts.append(_stack_words(cases) + _disturbed_words(cases["rows"]))
    parts.append("### What the paper's tables say against each other\n\n")
    parts += [f"* {slip}\n" for slip in SLIPS]
    parts += ["\n### Processor time of the cases\n\n", _use_table(cells), _shield_words(cases)]
    return "".join(parts)


def _rows_of(cells: Sequence[dict[str, Any]], case: str) -> list[tuple[str, ...]]:
    rows = []
    for stack in (OURS, PAPERS, BARE):
        own = [one for one in cells if (one["case"], one["stack"]) == (case, stack)]
        rows += [_row(_NAMES[stack] + ("*" if one.get("cut_short") else ""), one) for one in own]
    if rows:
        rows += [_row("the paper, printed", one) for one in PRINTED[case].shown()]
    return rows


def _row(stack: str, one: dict[str, Any]) -> tuple[str, ...]:
    return (
        stack,
        str(one["label"]),
        f"{one['samples']:,}",
        str(one["ko"]),
        f"{one['error_percent']:.2f}",
        *(_figure(float(one[name])) for name in COLUMNS),
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}" if value < 100 else f"{value:.1f}"


def _bound_words(cells: Sequence[dict[str, Any]], case: str, signatures_per_s: float) -> str:
    shares = [
        f"{one['of_bound']:.2f} at {one['clients']} clients"
        for one in cells
        if one["case"] == case and one["stack"] == OURS and "of_bound" in one
    ]
    if shares:
        bound = next(one["bound_per_s"] for one in cells if "bound_per_s" in one)
        return (
            f" The physical bound is scrypt on all cores, {bound:.0f}/s beside these runs: ours "
            f"reaches {', '.join(shares)}. Loading a key and signing once would go "
            f"{signatures_per_s:,.0f} times a second."
        )
    shares = []
    for one in cells:
        bare = find(cells, "tc3", BARE, one["clients"])
        if one["case"] == case and one["stack"] == OURS and one["clients"] != TOTAL and bare:
            share = one["throughput_per_s"] / bare["throughput_per_s"]
            shares.append(f"{share:.2f} at {one['clients']} clients")
    if not shares:
        return ""
    return (
        " The bound is the same web server with an application that only answers: ours reaches "
        f"{', '.join(shares)} of its throughput."
    )


def _stack_words(cases: dict[str, Any]) -> str:
    missing = cases["paper_stack_missing"]
    if missing:
        return (
            "The paper's stack was not there when this was measured. To have it beside ours: "
            f"`apt-get install {' '.join(missing)}`.\n\n"
        )
    if not any(one["stack"] == PAPERS for one in cases["medians"]):
        return "The paper's stack was left out of this run.\n\n"
    return (
        f"\\* At most {cases['paper_stack_s']:g} s for each run of the paper's stack: with its "
        "protection a request takes 10 ms and more of a core, and the hundred requests of each "
        "client would take minutes. Ours did all of them. What this stack is: "
        "[bench/paper-php](../bench/paper-php/README.md).\n\n"
    )


def _disturbed_words(rows: Sequence[dict[str, Any]]) -> str:
    runs = [row for row in rows if row["clients"] != TOTAL]
    disturbed = sum(row["disturbed"] for row in runs)
    kinds = sorted(
        f"{number} x {what} ({_NAMES[row['stack']]}, {row['case'].upper()})"
        for row in runs
        for what, number in row["errors"].items()
    )
    return (f"Errors: {', '.join(kinds)}.\n\n" if kinds else "") + (
        f"Other programs took more than 5 % of the machine in {disturbed} of {len(runs)} runs; "
        "those are left out where enough others remain.\n\n"
    )


def _use_table(cells: Sequence[dict[str, Any]]) -> str:
    rows = []
    for one in cells:
        if one["clients"] == TOTAL:
            continue
        used = one["cpu_ms_each"]
        rows.append(
            (
                one["case"].upper(),
                _NAMES[one["stack"]],
                str(one["clients"]),
                ", ".join(
                    f"{name.replace('_', ' ')} {1000 * ms:,.0f}"
                    for name, ms in used.items()
                    if name != "load"
                ),
                f"{1000 * used['load']:,.0f}",
                f"{one['busy']:.0%}",
                f"{one['foreign']:.1%}",
            )
        )
    head = ("Case", "Stack", "Clients", "Its processes", "Load", "Cores busy", "Others' share")
    words = "Microseconds of processor time for each request, medians of the rounds.\n\n"
    return words + _table(head, rows)


def _shield_words(cases: dict[str, Any]) -> str:
    share, micro_s = shield_share(cases["rows"]), shield_us(cases["rows"])
    if share is None or micro_s is None:
        return "\n"
    return (
        f"\nThe shield adds {micro_s:.1f} µs ({share:.1%}) to the platform's processor time of a "
        "balance inquiry: the median over pairs of runs, off and on, of one round.\n\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def draw(result: dict[str, Any], folder: Path) -> None:
    """Figures 17 and 18: response time over active clients, one chart for each case."""
    cells = (result.get("cases") or {}).get("medians", [])
    for case in PRINTED:
        drawn = _chart_of(cells, case)
        if drawn:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"bench-{case}.svg").write_text(drawn, encoding="utf-8")


def _chart_of(cells: Sequence[dict[str, Any]], case: str) -> str:
    series: list[Series] = []
    for colour, stack in enumerate((OURS, PAPERS)):
        own = [one for one in cells if (one["case"], one["stack"]) == (case, stack)]
        for one in own:
            if one["clients"] != TOTAL:
                curve = [(point[0], point[1]) for point in one["by_active"]]
                series.append(Series(_NAMES[stack], curve, colour))
        means = [(one["clients"], one["average_ms"]) for one in own if one["clients"] != TOTAL]
        if means:
            series.append(Series(f"{_NAMES[stack]}: mean of a run", means, colour, 1, True))
    if not series:
        return ""
    printed = [
        (float(str(row["label"]).removeprefix("User")), float(row["average_ms"]))
        for row in PRINTED[case].shown()
        if row["label"] != "Total"
    ]
    series.append(Series("the paper, printed: mean of a run", printed, 2, 2, True))
    return chart(TITLES[case], "active clients", "response time, ms", series, log_y=True)

"""What is shown of a result: tables on the terminal, docs/performance.md, and its charts."""

from pathlib import Path
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench import case_report
from bench.charts import Series, chart

WIDTH_MIN = 120
#: What people found out with these measures, written by hand; there need not be any.
FINDINGS = Path(__file__).parent / "findings.md"

#: Measures whose processor time is worth a table, where a result has them.
_TIMED = ("wallet_creation", "payments", "seconds_to_final")

_HEAD = """\
<!-- Made by `make bench`; the words are in bench/report.py. -->
# Performance

The figures of one run of `make bench`, taken {taken_at} in {elapsed_s:.0f} s. Ratios are what
counts: a value and its reference were taken beside each other on one machine, so run it on yours
rather than compare with the absolute figures here.
"""

_NOTES = """\
## How it is measured

* The platform is a real `jigap up` with default settings, but for the access log, which is on, and
  the rates of one address and one account, which are raised for the load: SQLite with every commit
  synced, both copies of every key synced, its own node as a second process, every block signed,
  guarded and synced, audit as always. A third process makes the load over HTTP on loopback. All
  three share the cores; bare scrypt, where it is the reference, has them alone.
* **The paper's cases** come from a load process of our own (bench/load.py), one connection for each
  client, every request recorded; a connection that breaks is a KO, connecting is part of the time
  of the request that needs it. The platform is started anew for each look, on a copy of one
  prepared folder, the shield off or on. With the shield each client is somebody else's: requests
  come as through a proxy that the settings list and name a Korean address, of another network for
  each client, so that address, country, ban and rates are looked at for every single request, as
  the paper's stack does; without it the same bytes are sent and nobody reads the name. Ours off,
  ours on, the paper's stack off, on, and the bare server alternate, every other round the other
  way. A few requests before each look do not count.
* A value is the median over rounds; reference and value alternate. The processor time that other
  programs took is read from the kernel: rounds in which it was more than 5 % of the machine are
  repeated, twice at most, and left out where enough others remain. Stolen time is the host's.
* Errors are answers other than success, payments that were not confirmed when answered, and
  wallets left without a SymID. After the last payment the balances of all payers are added up.
* **Wallets** are made by {clients} clients at once. Members are signed up and verified before. The
  answer means that both copies are durable. SymIDs are asked for, mined and recorded meanwhile, on
  the same cores. The bound is what the cores do in scrypt (N=4096, r=8, p=1) alone.
* **Payments** unlock the payer's key with the passphrase each time. Each is one request that is
  answered when the payment is confirmed in the index; {payers} payers keep one under way each. A
  payer without SYM is given gas by the platform first, which is a transaction of its own, about one
  for every four payments. A payment cannot cost less than one derivation, hence the same bound.
* **Seconds to final** are taken in an open loop: a payment every {gap_ms:.0f} ms whether or not
  earlier ones are answered, counted from when it was due. The limit is `block_min_ms` =
  {block_min_ms:.0f}, the shortest time between two blocks: a payment waits for the next one, half
  of that on average, and one that needs gas first waits for one block more.
* **Directory lookups** are one after the other, a number that somebody has and one that nobody
  has, in an order that chance decides. Their answers differ; their time should not.
* **Refused requests** come on a connection each, from ever other addresses that an operator has
  denied: all of them are shown the whole page. The no-op answer is asked in the same way. During
  the **flood** 2,000 of them a second come beside 100 balances a second in an open loop.
* **The chain's rules** run on one core, without network or disk: recover the signer, check, apply a
  token transfer. Blocks add what a node does: decode, pool, keep on disk, make, sign, guard,
  commit.
"""


def table(result: dict[str, Any]) -> Table:
    """The medians, for the terminal."""
    shown = _terminal_table(
        "jigap bench",
        "Measure",
        "Median",
        "Lowest - highest",
        "Reference",
        "Ratio",
        "Aim",
        "Errors",
    )
    for one in result["measures"]:
        shown.add_row(*(text.replace("**", "") for text in _cells(one)))
    return shown


def _terminal_table(title: str, *names: str) -> Table:
    shown = Table(title=title, title_justify="left", box=box.SIMPLE)
    for name in names:
        is_text = name in ("Measure", "Aim", "Quantity", "Case", "Stack", "Verdict")
        shown.add_column(name, justify="left" if is_text else "right")
    return shown


def _cases_table(result: dict[str, Any]) -> Table:
    shown = _terminal_table(
        "the paper's cases", "Case", "Stack", "Label", "Samples", "KO", "Average", "p99 ms", "Per s"
    )
    for one in result["cases"]["medians"]:
        shown.add_row(
            one["case"],
            one["stack"],
            one["label"],
            str(one["samples"]),
            str(one["ko"]),
            f"{one['average_ms']:.1f}",
            f"{one['p99_ms']:.1f}",
            f"{one['throughput_per_s']:,.1f}",
        )
    return shown


def show(result: dict[str, Any]) -> None:
    """Everything a person wants to see at the end of a run."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_MIN)
    if result["cases"]:
        console.print(_cases_table(result))
    if result["measures"]:
        console.print(table(result))
    aims = _terminal_table("aims", "Quantity", "At least", "Aim", "Reached", "Verdict")
    for one in _aim_rows(result):
        aims.add_row(*one)
    console.print(aims)
    for one in result["failures"]:
        console.print(f"failed: {one['part']}: {one['why']}", style="bold red", markup=False)
    machine = result["machine"]
    console.print(
        f"{machine['cores']} x {machine['processor']}, {machine['system']}, "
        f"Python {machine['python']}; {result['elapsed_s']:.0f} s, {result['errors']} errors",
        style="dim",
    )


def _aim_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Every aim: the quantity, what it should be, what it is, and whether that will do."""

    def figure(value: float | None, one: dict[str, Any]) -> str:
        if value is None:
            return ""
        return f"{value:.1%}" if one["percent"] else f"{value:.3g}"

    return [
        (
            one["quantity"],
            ("<= " if one["at_most"] else ">= ") + figure(one["least"], one),
            ("<= " if one["at_most"] else ">= ") + figure(one["aim"], one),
            figure(one["value"], one),
            one["verdict"],
        )
        for one in result["aims"]
    ]


def markdown(result: dict[str, Any]) -> str:
    """docs/performance.md."""
    by_name = {one["name"]: one for one in result["measures"]}
    parts = [
        _HEAD.format(**result),
        "## Aims\n",
        "Ratios of figures of this one run.\n",
        _rows(("Quantity", "At least", "Aim", "Reached", ""), _aim_rows(result)),
        _failure_words(result),
        case_report.sections(result),
        "## Everything else\n",
        _rows(
            ("Measure", "Median", "Lowest - highest", "Reference", "Ratio", "Aim", "Errors"),
            [_cells(one) for one in result["measures"]],
        ),
        _said(result),
        *(_more(one) for one in result["measures"]),
        "## Where the time goes\n",
        "Milliseconds of processor time for each wallet or payment, median of the rounds, and how\n"
        "long clients waited.\n",
        _rows(
            ("Measure", "Platform", "Node", "Load", "Cores busy", "p50 / p95 / p99 ms"),
            [_times(by_name[name]) for name in _TIMED if name in by_name],
        ),
        FINDINGS.read_text(encoding="utf-8") if FINDINGS.exists() else "",
        _NOTES.format(**result["settings"]),
        "## Machine\n",
        _rows(("", ""), [(f"{k}".replace("_", " "), f"{v}") for k, v in result["machine"].items()]),
        "## Rounds\n",
        _rows(
            ("Measure", "Value", "Reference", "Ratio", "Others' share", "Errors"),
            [row for one in result["measures"] for row in _each_round(one)],
        ),
    ]
    return "\n".join(part for part in parts if part)


def draw(result: dict[str, Any], folder: Path) -> None:
    """The charts of the page."""
    case_report.draw(result, folder)
    for one in result["measures"]:
        if "chart" in one:
            given = one["chart"]
            series = [
                Series(line["name"], [(x, y) for x, y in line["points"]], number, number % 3, True)
                for number, line in enumerate(given["series"])
            ]
            drawn = chart(
                given["title"],
                given["x"],
                given["y"],
                series,
                log_x=given.get("log_x", False),
                log_y=given.get("log_y", False),
            )
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"bench-{one['name']}.svg").write_text(drawn, encoding="utf-8")


def _more(one: dict[str, Any]) -> str:
    """A measure's own table and chart, if it has some."""
    parts = []
    if "table" in one:
        given = one["table"]
        rows = [tuple(str(cell) for cell in row) for row in given["rows"]]
        parts += [f"### {given['title']}\n", _rows(tuple(given["head"]), rows)]
        if given.get("note"):
            parts.append(f"{given['note']}\n")
    if "chart" in one:
        parts.append(f"![{one['chart']['title']}](images/bench-{one['name']}.svg)\n")
    return "\n".join(parts)


def _failure_words(result: dict[str, Any]) -> str:
    return "".join(f"* **Failed**: {one['part']}: {one['why']}\n" for one in result["failures"])


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    ratio = "" if one["ratio"] is None else f"{one['ratio']:.2f}"
    reference = "" if one["reference"] is None else _number(one["reference"], one["unit"])
    return (
        one["title"],
        _number(one["value"], one["unit"]),
        " - ".join(_number(value, one["unit"]) for value in one["spread"]),
        f"{reference}: {one['reference_is']}",
        ratio,
        _aim(one),
        str(one["errors"]),
    )


def _aim(one: dict[str, Any]) -> str:
    if one["aim"] is None:
        return ""
    sign = "<=" if one["at_most"] else ">="
    what = "ratio " if one["aim_of"] == "ratio" else ""
    return f"{what}{sign} {one['aim']:g}: " + ("met" if one["met"] else "**missed**")


def _number(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value:.3f} s"
    return f"{value:,.0f}{unit}" if value >= 1000 else f"{value:.1f}{unit}"


def _said(result: dict[str, Any]) -> str:
    """In words: which aims were missed, how much was disturbed, what went wrong."""
    said = []
    missed = [one for one in result["measures"] if one["met"] is False]
    for one in missed:
        reached = one[one["aim_of"]]
        said.append(f"* **Aim missed**: {one['title']}, {reached:.2f} instead of {one['aim']:g}.")
    if not missed:
        said.append("* All aims were met in this run.")
    said += _wallet_words(result)
    said += _lookup_words(result)
    noisy = sum(row["disturbed"] for one in result["measures"] for row in one["rounds"])
    total = sum(len(one["rounds"]) for one in result["measures"])
    said.append(f"* Other programs disturbed {noisy} of {total} rounds.")
    said.append(f"* {result['errors']} errors in all.")
    return "\n".join(said) + "\n"


def _wallet_words(result: dict[str, Any]) -> list[str]:
    """What the aim for wallets leaves for all that is not scrypt, and what that takes."""
    one = next((one for one in result["measures"] if one["name"] == "wallet_creation"), None)
    if one is None:
        return []
    quiet = [row for row in one["rounds"] if not row["disturbed"]]
    if not quiet:
        return []
    scrypt_ms = result["machine"]["cores"] * 1000 / median(row["reference"] for row in quiet)
    used_ms = median(sum(row["use"]["cpu_ms_each"].values()) for row in quiet)
    return [
        f"* A derivation takes {scrypt_ms:.1f} ms of a core. An aim of {one['aim']:g} leaves "
        f"{scrypt_ms * (1 / one['aim'] - 1):.1f} ms for everything else a wallet needs on these "
        f"cores; load, platform (request, two synced copies, SymID) and node took "
        f"{max(used_ms - scrypt_ms, 0):.1f} ms besides."
    ]


def _lookup_words(result: dict[str, Any]) -> list[str]:
    """How well a search for somebody can be told from one for nobody; older results lack it."""
    for one in result["measures"]:
        if one["name"] == "directory_lookups":
            shares = [row["known_slower_share"] for row in one["rounds"]]
            return [
                f"* Whether a phone number is anybody's can be told by its time in "
                f"{max(median(shares), 1 - median(shares)):.1%} of guesses; 50 % is chance "
                f"(Mann-Whitney; rounds {min(shares):.3f} - {max(shares):.3f})."
            ]
    return []


def _times(one: dict[str, Any]) -> tuple[str, ...]:
    rows = one["rounds"]

    def each(who: str) -> str:
        return f"{median(row['use']['cpu_ms_each'][who] for row in rows):.1f}"

    waited = [row.get("to_final_ms") or row.get("answer_ms") for row in rows]
    delays = " / ".join(
        f"{median(one[name] for one in waited if one):.0f}" for name in ("p50", "p95", "p99")
    )
    busy = f"{median(row['use']['busy'] for row in rows):.0%}"
    return one["title"], each("platform"), each("node"), each("load"), busy, delays


def _each_round(one: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            one["title"],
            _number(row["value"], one["unit"]),
            "" if row["reference"] is None else _number(row["reference"], one["unit"]),
            "" if row["ratio"] is None else f"{row['ratio']:.2f}",
            f"{row['foreign']:.1%}" + (" (disturbed)" if row["disturbed"] else ""),
            ", ".join(f"{n} x {what}" for what, n in row["errors"].items()) or "0",
        )
        for row in one["rounds"]
    ]


def _rows(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"

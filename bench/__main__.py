"""Run the measures: `python -m bench`, or `make bench`. A quarter of an hour to twenty minutes.

The result goes to bench/results/latest.json, docs/performance.md and docs/images. With --quick
every measure runs once with next to nothing to do: the figures mean nothing and only go to --json.
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from bench import (
    chain,
    everyday,
    explorer,
    flood,
    growth,
    machine,
    medians,
    mixed,
    paper_stack,
    population,
    report,
    wallets,
)
from bench.cases import CASES, Cases
from bench.plan import FULL, QUICK, Plan, Say
from jigap.settings import Settings

HERE = Path(__file__).parent
LATEST = HERE / "results" / "latest.json"
PARTIAL = HERE / "results" / "partial.json"
PAGE = HERE.parent / "docs" / "performance.md"
IMAGES = HERE.parent / "docs" / "images"

Part = Callable[[Plan, Say, Path], Awaitable[list[dict[str, Any]]]]
#: What is measured besides the paper's cases, in this order. Each gets a folder of its own.
PARTS: dict[str, Part] = {
    "chain": chain.run,
    "tc5": everyday.run,
    "tc6": mixed.run,
    "tc7": population.run,
    "tc8": explorer.run,
    "tc9": growth.run,
    "shield": flood.run,
}


@dataclass(slots=True)
class Bench:
    """One run."""

    plan: Plan
    only: Sequence[str]
    with_paper_stack: bool
    console: Console
    measures: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    cases: dict[str, Any] = field(default_factory=dict)
    _begun: float = field(default_factory=time.monotonic)
    _taken_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _facts: dict[str, Any] = field(default_factory=dict)

    async def run(self, folder: Path) -> dict[str, Any]:
        """Everything that is wanted, and the result. What fails is written down."""
        self._facts = machine.describe(folder)
        wanted = [name for name in CASES if name in self.only]
        if wanted:
            await self._cases(folder / "cases", wanted)
        for name, part in PARTS.items():
            if name in self.only:
                await self._part(name, part, folder / name)
        return self.result()

    async def _cases(self, folder: Path, wanted: Sequence[str]) -> None:
        folder.mkdir()
        missing = paper_stack.missing()
        has_stack = self.with_paper_stack and not missing
        if self.with_paper_stack and missing:
            self.say(f"the paper's stack is not here: apt-get install {' '.join(missing)}")

        def keep(cases: Cases) -> None:
            self.cases = {
                "loops": self.plan.loops,
                "rounds": self.plan.case_rounds,
                "paper_stack_s": self.plan.paper_stack_s,
                "paper_stack_missing": missing,
                "signatures_per_s": cases.signatures_per_s,
                "medians": medians.medians(cases.rows),
                "rows": cases.rows,
            }
            self._keep()

        cases = Cases(self.plan, self.say, folder, wanted, has_stack, keep)
        try:
            await cases.run()
        except Exception as error:
            self._failed(", ".join(wanted), error)
        self.failures += cases.failures
        shutil.rmtree(folder, ignore_errors=True)

    async def _part(self, name: str, part: Part, folder: Path) -> None:
        folder.mkdir()
        try:
            self.measures += await part(self.plan, self.say, folder)
        except Exception as error:
            self._failed(name, error)
        shutil.rmtree(folder, ignore_errors=True)
        self._keep()

    def _failed(self, name: str, error: Exception) -> None:
        self.console.print("".join(traceback.format_exception(error)), markup=False)
        why = f"{type(error).__name__}: {error}"
        self.failures.append({"part": name, "why": why})

    def _keep(self) -> None:
        """What there is stays whatever comes."""
        PARTIAL.parent.mkdir(exist_ok=True)
        PARTIAL.write_text(_json(self.result()), encoding="utf-8")

    def result(self) -> dict[str, Any]:
        plan = self.plan
        cells, rows = self.cases.get("medians", []), self.cases.get("rows", [])
        ko = sum(row["ko"] for row in rows if row["stack"] == medians.OURS and row["clients"])
        late = sum(row.get("without_symid", 0) for row in rows)
        return {
            "taken_at": self._taken_at.strftime("%Y-%m-%d %H:%M UTC"),
            "elapsed_s": round(time.monotonic() - self._begun, 1),
            "machine": self._facts,
            "settings": {
                "clients": wallets.CLIENTS,
                "payers": plan.payers,
                "gap_ms": 1000 / plan.delay_per_second,
                "block_min_ms": Settings.block_min_ms,
            },
            "aims": medians.aims(cells, rows, self.measures),
            "cases": self.cases,
            "measures": self.measures,
            "failures": self.failures,
            "errors": sum(one["errors"] for one in self.measures) + ko + late,
        }

    def say(self, text: str) -> None:
        elapsed_s = time.monotonic() - self._begun
        self.console.print(f"bench {elapsed_s:5.0f} s: {text}", style="dim", markup=False)


def main() -> None:
    asked = _asked()
    if asked.render:
        _page(json.loads(LATEST.read_text()))
        return
    machine.require_linux()
    plan = QUICK if asked.quick else FULL
    if asked.rounds:
        plan = replace(plan, case_rounds=asked.rounds)
    bench = Bench(plan, asked.only, asked.paper_stack, Console(stderr=True))
    folder = Path(tempfile.mkdtemp(prefix="jigap-bench-"))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            result = runner.run(_cancelled_by_sigterm(bench.run(folder)))
    except asyncio.CancelledError:
        sys.exit(f"bench: ended; the rounds and parts that were whole are in {PARTIAL}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report.show(result)
    is_whole = set(asked.only) == {*CASES, *PARTS}
    _write(result, asked.json, keep=is_whole and not asked.quick)
    sys.exit(1 if result["errors"] or result["failures"] else 0)


async def _cancelled_by_sigterm(run: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Whoever ends us ends what we started, too."""
    task = asyncio.ensure_future(run)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _asked() -> argparse.Namespace:
    parts = [*CASES, *PARTS]

    def some_of(text: str) -> list[str]:
        names = text.lower().split(",")
        if unknown := [name for name in names if name not in parts]:
            raise argparse.ArgumentTypeError(f"{unknown} is none of {', '.join(parts)}")
        return names

    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once, and hardly any of it")
    parser.add_argument(
        "--only", type=some_of, default=parts, metavar="NAMES", help=f"some of {','.join(parts)}"
    )
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="of the paper's cases, instead of the usual 3"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result there")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    parser.add_argument(
        "--paper-stack",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="the paper's stack beside ours, where it is installed (not with --quick)",
    )
    asked = parser.parse_args()
    if asked.paper_stack is None:
        asked.paper_stack = not asked.quick
    return asked


def _write(result: dict[str, Any], asked: Path | None, *, keep: bool) -> None:
    if asked is not None:
        asked.write_text(_json(result), encoding="utf-8")
    if keep:
        LATEST.parent.mkdir(exist_ok=True)
        LATEST.write_text(_json(result), encoding="utf-8")
        _page(result)


def _page(result: dict[str, Any]) -> None:
    PAGE.write_text(report.markdown(result), encoding="utf-8")
    report.draw(result, IMAGES)


def _json(result: dict[str, Any]) -> str:
    return json.dumps(result, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()

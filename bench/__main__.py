"""Run the measures: `python -m bench`, or `make bench`. Two to four minutes.

The result goes to bench/results/latest.json and docs/performance.md. With --quick every measure
runs once with next to nothing to do: the figures mean nothing and only go to --json.
"""

import argparse
import asyncio
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from bench import chain, directory, machine, payments, report, wallets
from bench.machine import Meter
from bench.platform import People, Platform, all_active, connected, prepare, running
from bench.rounds import Round, repeat, summary
from jigap.settings import Settings

HERE = Path(__file__).parent
LATEST = HERE / "results" / "latest.json"
PAGE = HERE.parent / "docs" / "performance.md"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    rounds: int
    repeats_max: int
    scrypt_s: float
    chain_rounds: int
    chain_payments: int
    wallets_each_round: int
    payers: int
    payments_s: float
    delay_per_second: float
    delay_s: float
    lookup_pairs: int

    @property
    def wallet_rounds_max(self) -> int:
        return self.rounds + self.repeats_max

    @property
    def members(self) -> int:
        return self.wallets_each_round * self.wallet_rounds_max


FULL = Plan(
    rounds=3,
    repeats_max=2,
    scrypt_s=1.0,
    chain_rounds=5,
    chain_payments=6_000,
    wallets_each_round=400,
    payers=96,
    payments_s=8,
    delay_per_second=20,
    delay_s=20,
    lookup_pairs=400,
)
QUICK = Plan(
    rounds=1,
    repeats_max=0,
    scrypt_s=0.1,
    chain_rounds=1,
    chain_payments=400,
    wallets_each_round=8,
    payers=6,
    payments_s=1.5,
    delay_per_second=5,
    delay_s=1,
    lookup_pairs=10,
)


class Bench:
    """One run."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._measures: list[dict[str, Any]] = []
        self._missing = ""

    async def run(self, folder: Path) -> dict[str, Any]:
        """Everything, and the result."""
        begun, taken_at = time.monotonic(), datetime.now(UTC)
        facts = machine.describe(folder)
        await self._chain(folder / "scenario")
        self._say("preparing members")
        people = await prepare(folder / "data", self._plan.members)
        with running(folder / "data") as platform:
            await self._platform(platform, people)
        return self._result(facts, taken_at, time.monotonic() - begun)

    async def _chain(self, folder: Path) -> None:
        self._say("the chain's rules")
        given = chain.scenario(folder, self._plan.chain_payments)

        async def applied() -> Round:
            return chain.apply_round(given)

        rounds = (self._plan.chain_rounds, self._plan.repeats_max)
        self._keep(summary(chain.APPLY, await repeat(applied, *rounds)))
        blocks = await repeat(lambda: chain.blocks_round(given), *rounds)
        self._keep(summary(chain.BLOCKS, blocks))

    async def _platform(self, platform: Platform, people: People) -> None:
        plan = self._plan
        meter = Meter({"load": os.getpid(), **platform.processes})
        joining = iter(people.members)

        def next_members(count: int) -> list[Any]:
            return [one for one, _ in zip(joining, range(count), strict=False)]

        async with connected(platform, 256) as client:
            self._say("wallets")
            taken = await repeat(
                lambda: wallets.wallets_round(
                    client, meter, next_members(plan.wallets_each_round), plan.scrypt_s
                ),
                plan.rounds,
                plan.repeats_max,
            )
            self._keep(summary(wallets.WALLETS, taken))

            self._say("funding the payers")
            made = people.members[: plan.payers]
            assert len(made) <= plan.wallets_each_round * plan.rounds, "payers have wallets"
            await all_active(client, made)
            payers = await payments.fund(client, people, made)

            self._say("directory lookups")
            seeds = itertools.count()
            taken = await repeat(
                lambda: directory.lookups_round(
                    client, meter, people.members, plan.lookup_pairs, seed=next(seeds)
                ),
                plan.rounds,
                plan.repeats_max,
            )
            self._keep(summary(directory.LOOKUPS, taken))

            self._say("payments")
            taken = await repeat(
                lambda: payments.rate_round(client, meter, payers, plan.payments_s, plan.scrypt_s),
                plan.rounds,
                plan.repeats_max,
            )
            self._keep(summary(payments.RATE, taken))

            self._say("seconds to final")
            taken = await repeat(
                lambda: payments.delay_round(
                    client,
                    meter,
                    payers,
                    plan.delay_per_second,
                    plan.delay_s,
                    Settings.block_min_ms,
                ),
                plan.rounds,
                plan.repeats_max,
            )
            self._keep(summary(payments.DELAY, taken))
            self._missing = await payments.missing(client, payers)

    def _result(
        self, facts: dict[str, Any], taken_at: datetime, elapsed_s: float
    ) -> dict[str, Any]:
        plan = self._plan
        by_name = {one["name"]: one for one in self._measures}

        def done(what: str, *names: str) -> int:
            return sum(row[what] for name in names for row in by_name[name]["rounds"])

        return {
            "taken_at": taken_at.strftime("%Y-%m-%d %H:%M UTC"),
            "elapsed_s": round(elapsed_s, 1),
            "machine": facts,
            "settings": {
                "clients": wallets.CLIENTS,
                "payers": plan.payers,
                "gap_ms": 1000 / plan.delay_per_second,
                "block_min_ms": Settings.block_min_ms,
            },
            "wallets": done("wallets", "wallet_creation"),
            "payments": done("payments", "payments", "seconds_to_final"),
            "missing": self._missing,
            "errors": sum(one["errors"] for one in self._measures) + (self._missing != "0"),
            "measures": self._measures,
        }

    def _keep(self, measured: dict[str, Any]) -> None:
        self._measures.append(measured)

    def _say(self, text: str) -> None:
        self._console.print(f"bench: {text}", style="dim")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once, and hardly any of it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result there")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    asked = parser.parse_args()
    if asked.render:
        PAGE.write_text(report.markdown(json.loads(LATEST.read_text())), encoding="utf-8")
        return
    machine.require_linux()
    folder = Path(tempfile.mkdtemp(prefix="jigap-bench-"))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            bench = Bench(QUICK if asked.quick else FULL, Console(stderr=True))
            result = runner.run(bench.run(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report.show(result)
    _write(result, asked.json, keep=not asked.quick)
    sys.exit(1 if result["errors"] else 0)


def _write(result: dict[str, Any], asked: Path | None, *, keep: bool) -> None:
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    if asked is not None:
        asked.write_text(text, encoding="utf-8")
    if keep:
        LATEST.parent.mkdir(exist_ok=True)
        LATEST.write_text(text, encoding="utf-8")
        PAGE.write_text(report.markdown(result), encoding="utf-8")


if __name__ == "__main__":
    main()

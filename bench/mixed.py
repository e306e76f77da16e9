"""TC6: how long a balance takes while wallets are made as fast as they can be.

Balances are asked for in an open loop, one every few milliseconds whether or not earlier ones are
answered, each by another member in turn; a delay counts from when the question was due. First
nothing else is asked for, then the load process lets clients make wallets in a closed loop, and
balances are counted only while all of those are at work. Both are taken in every round, one after
the other.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import payments
from bench.load import Job, Load, loading, request
from bench.machine import Meter
from bench.plan import Plan, Say
from bench.platform import (
    PASSPHRASE,
    Caller,
    Client,
    People,
    Platform,
    all_active,
    connected,
    prepare,
    running,
)
from bench.rounds import Measure, Round, percentiles_ms, repeat, summary

BALANCES = Measure(
    "mixed_balance_p99",
    "Balance p99 while wallets are made",
    " ms",
    "p99 when nothing else is asked",
    aim=4.0,
    aim_of="ratio",
    at_most=True,
)

PER_SECOND = 100
READERS = 50
#: Clients that make wallets, and how many wallets each has to make in a round.
MAKERS = 20
QUICK_MAKERS = 4
WALLETS_EACH = 60
QUICK_WALLETS_EACH = 2
IDLE_S = 5.0
QUICK_IDLE_S = 0.5


@dataclass(slots=True)
class Mix:
    """The platform, who reads, and who makes wallets."""

    plan: Plan
    platform: Platform
    client: Client
    load: Load
    readers: Sequence[Caller]
    joining: Iterator[Caller]
    meter: Meter
    makers: int
    wallets_each: int
    rows: list[list[str]] = field(default_factory=list)

    async def round(self) -> Round:
        """Balances alone, then beside wallets."""
        idle = _Asking(self.client, self.readers)
        idle_s = QUICK_IDLE_S if self.plan.quick else IDLE_S
        await idle.ask(asyncio.create_task(asyncio.sleep(idle_s)))
        job = self._job()
        busy = _Asking(self.client, self.readers)
        making = asyncio.create_task(self.load.run(job, self.meter.start))
        await busy.ask(making)
        use = self.meter.use()
        made, _ = await making
        makers = [one for who in job.clients for one in who]
        errors = self.client.taken_errors()
        errors |= {f"wallets: {what}": n for what, n in made["errors"].items()}
        alone, beside = percentiles_ms(idle.took_s), percentiles_ms(busy.took_s)
        self.rows.append(
            [
                *(f"{alone[name]:.1f}" for name in ("p50", "p95", "p99", "max")),
                *(f"{beside[name]:.1f}" for name in ("p50", "p95", "p99", "max")),
                f"{made['throughput_per_s']:.1f}",
            ]
        )
        details = {
            "balances": len(idle.took_s) + len(busy.took_s),
            "idle_ms": alone,
            "answer_ms": beside,
            "wallets": len(makers),
            "wallets_per_s": made["throughput_per_s"],
            "use": use.shown(len(makers)),
        }
        return Round(beside["p99"], alone["p99"], use.foreign, errors, details)

    def _job(self) -> Job:
        body = b'{"passphrase":"%s"}' % PASSPHRASE.encode()
        port = self.platform.port

        def make(who: Caller) -> bytes:
            return request("POST", "/api/v1/wallet", port, token=who.token, body=body)

        clients = [
            [make(who) for who in itertools.islice(self.joining, self.wallets_each)]
            for _ in range(self.makers)
        ]
        return Job("wallets beside balances", port, clients, self.wallets_each)


@dataclass(slots=True)
class _Asking:
    """Balances at a fixed rate, and how long each took from when it was due."""

    client: Client
    readers: Sequence[Caller]
    took_s: list[float] = field(default_factory=list)

    async def ask(self, meanwhile: "asyncio.Task[Any]") -> None:
        """Ask until ``meanwhile`` has ended; what is asked in its last moments does not count."""
        begun, asked = time.perf_counter(), []
        for number in itertools.count():
            due = begun + number / PER_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if meanwhile.done():
                break
            asked.append(asyncio.create_task(self._one(number, due, meanwhile)))
        await asyncio.gather(*asked)

    async def _one(self, number: int, due: float, meanwhile: "asyncio.Task[Any]") -> None:
        who = self.readers[number % len(self.readers)]
        shown = await self.client.call(who, "GET", f"balances/{payments.SYMBOL}")
        took = time.perf_counter() - due
        if shown is not None and shown["total"] != str(payments.GRANT):
            self.client.errors["another balance"] += 1
        if shown is not None and not meanwhile.done():
            self.took_s.append(took)


async def run(plan: Plan, say: Say, folder: Path) -> list[dict[str, Any]]:
    """The measure, with a table of its rounds."""
    makers = QUICK_MAKERS if plan.quick else MAKERS
    each = QUICK_WALLETS_EACH if plan.quick else WALLETS_EACH
    readers = min(READERS, plan.payers)
    say("preparing members")
    people = await prepare(
        folder / "data", readers + (plan.rounds + plan.repeats_max) * makers * each
    )
    with running(folder / "data") as platform:
        async with connected(platform, 256) as client, loading(folder / "load") as load:
            who = people.members[:readers]
            await _endow(client, people, who)
            mix = Mix(
                plan=plan,
                platform=platform,
                client=client,
                load=load,
                readers=who,
                joining=iter(people.members[readers:]),
                meter=Meter({"asking": os.getpid(), **platform.processes, "load": load.pid}),
                makers=makers,
                wallets_each=each,
            )
            say("balances while wallets are made")
            taken = await repeat(mix.round, plan.rounds, plan.repeats_max)
    return [summary(BALANCES, taken) | {"table": _table(mix)}]


async def _endow(client: Client, people: People, readers: Sequence[Caller]) -> None:
    """Wallets and tokens for those who read."""
    for who in readers:
        await client.call(who, "POST", "wallet", {"passphrase": PASSPHRASE})
    late = await all_active(client, readers)
    if late or client.errors:
        raise RuntimeError(f"{late} readers without a wallet: {dict(client.errors)}")
    await payments.issue(client, people, readers)


def _table(mix: Mix) -> dict[str, Any]:
    head = [f"{when}, {what} ms" for when in ("Alone", "Beside wallets") for what in _WHAT]
    return {
        "title": "Balances alone, and beside wallets",
        "head": [*head, "Wallets/s meanwhile"],
        "rows": mix.rows,
        "note": (
            f"One row for each round: {PER_SECOND} balances a second in an open loop, by "
            f"{len(mix.readers)} members; {mix.makers} clients make wallets in a closed loop."
        ),
    }


_WHAT = ("p50", "p95", "p99", "longest")

"""TC8: reading the chain as an explorer does: transactions, blocks, accounts and their histories.

Real payments are made first, so there is something to read. Then clients in a closed loop read one
sort of thing after the other, each client things of its own in turn. Transactions and blocks are
everybody's and are asked for without a session; an account is read by its owner. Where an answer
carries an ``ETag``, the same is asked again with ``If-None-Match``, as a browser does: the answer
is then 304 and has no body.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench import payments
from bench.load import Job, Load, loading
from bench.machine import Meter
from bench.payments import Payer
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
from bench.rounds import Measure, Round, repeat, summary

READS = Measure("explorer_reads", "Explorer, transactions read", "/s", "the same, 304")

CLIENTS = (10, 50, 100)
QUICK_CLIENTS = (4,)
LOOPS = 30
QUICK_LOOPS = 3
MEMBERS = 20
QUICK_MEMBERS = 4
#: Payments that each of them makes first.
PAYMENTS_EACH = 10
QUICK_PAYMENTS_EACH = 1


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort of thing to read: paths, each with the token of who may read it ("" for anybody)."""

    name: str
    paths: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Cell:
    """What one sort, read by so many clients, was like."""

    sort: str
    clients: int
    found: dict[str, Any]
    not_modified: int
    errors: dict[str, int]
    cpu_ms: float
    foreign: float

    @property
    def per_s(self) -> float:
        return float(self.found["throughput_per_s"])

    def row(self) -> list[str]:
        ms = (f"{self.found[f'{what}_ms']:.1f}" for what in ("median", "p95", "p99", "max"))
        kib = self.found["received_kb_per_s"] / max(self.per_s, 1e-9)
        return [
            self.sort,
            str(self.clients),
            str(self.found["samples"]),
            str(sum(self.errors.values())),
            f"{self.per_s:,.0f}",
            *ms,
            f"{self.cpu_ms:.2f}",
            f"{kib:.2f}",
        ]


async def run(plan: Plan, say: Say, folder: Path) -> list[dict[str, Any]]:
    """The measure, with a table of everything that was read."""
    count = QUICK_MEMBERS if plan.quick else MEMBERS
    say("preparing members")
    people = await prepare(folder / "data", count)
    with running(folder / "data") as platform:
        async with connected(platform, 256) as client, loading(folder / "load") as load:
            say("making payments to read")
            payers = await _with_tokens(client, people)
            await _pay(client, payers, QUICK_PAYMENTS_EACH if plan.quick else PAYMENTS_EACH)
            sorts = await _sorts(client, people.members)
            reading = _Reading(plan, platform, load, sorts)
            say("explorer reads")
            taken = await repeat(reading.round, plan.rounds, plan.repeats_max)
            errors = client.taken_errors()
    if errors:
        taken[0].errors.update(errors)
    return [summary(READS, taken) | reading.shown()]


class _Reading:
    """Rounds over all sorts and numbers of clients."""

    def __init__(self, plan: Plan, platform: Platform, load: Load, sorts: Sequence[Sort]) -> None:
        self._clients = QUICK_CLIENTS if plan.quick else CLIENTS
        self._loops = QUICK_LOOPS if plan.quick else LOOPS
        self._platform = platform
        self._load = load
        self._sorts = sorts
        self._meter = Meter({**platform.processes, "load": load.pid, "bench": os.getpid()})
        self._cells: list[Cell] = []

    async def round(self) -> Round:
        """Everything once; its value is of the first sort with most clients."""
        cells = []
        for sort in self._sorts:
            etags = await _etags(self._platform, sort)
            for clients in self._clients:
                cells.append(await self._cell(sort, clients, [""] * len(sort.paths)))
                if all(etags):
                    again = Sort(f"{sort.name}, unchanged", sort.paths)
                    cells.append(await self._cell(again, clients, etags))
        self._cells += cells
        most = max(self._clients)
        first, *same = (one for one in cells if one.clients == most)
        unchanged = [one for one in same if one.sort == f"{first.sort}, unchanged"]
        errors: dict[str, int] = {}
        for one in cells:
            for what, number in one.errors.items():
                errors[f"{one.sort}: {what}"] = errors.get(f"{one.sort}: {what}", 0) + number
        reference = unchanged[0].per_s if unchanged else None
        return Round(first.per_s, reference, max(one.foreign for one in cells), errors)

    async def _cell(self, sort: Sort, clients: int, etags: Sequence[str]) -> Cell:
        asked = [
            _request(self._platform, path, token, etag)
            for (path, token), etag in zip(sort.paths, etags, strict=True)
        ]
        each = [asked[at % len(asked) :] + asked[: at % len(asked)] for at in range(clients)]
        job = Job(sort.name, self._platform.port, each, self._loops)
        found, _ = await self._load.run(job, self._meter.start)
        use = self._meter.use()
        errors = dict(found["errors"])
        not_modified = errors.pop("304", 0) if any(etags) else 0
        if any(etags) and not_modified != found["samples"]:
            errors["not 304"] = found["samples"] - not_modified
        cpu_ms = 1000 * use.cpu_s["platform"] / max(found["samples"], 1)
        return Cell(sort.name, clients, found, not_modified, errors, cpu_ms, use.foreign)

    def shown(self) -> dict[str, Any]:
        """The table of the last round, and the chart of all sorts."""
        last = self._cells[-len(self._cells) // max(self._rounds, 1) :]
        names = dict.fromkeys(one.sort for one in last)
        return {
            "table": {
                "title": "Explorer reads",
                "head": [
                    *("What", "Clients", "Samples", "KO", "Reads/s"),
                    *("Median ms", "95th ms", "99th ms", "Max ms"),
                    *("Platform, CPU ms each", "KiB each"),
                ],
                "rows": [one.row() for one in last],
                "note": "The last round. Unchanged: asked with the ETag of the answer, 304.",
            },
            "chart": {
                "title": "Explorer reads by clients",
                "x": "clients",
                "y": "reads per second",
                "series": [
                    {
                        "name": name,
                        "points": [[one.clients, one.per_s] for one in last if one.sort == name],
                    }
                    for name in names
                ],
                "log_x": False,
                "log_y": False,
            },
        }

    @property
    def _rounds(self) -> int:
        first = (self._cells[0].sort, self._cells[0].clients)
        return sum((one.sort, one.clients) == first for one in self._cells)


async def _with_tokens(client: Client, people: People) -> list[Payer]:
    for who in people.members:
        await client.call(who, "POST", "wallet", {"passphrase": PASSPHRASE})
    if late := await all_active(client, people.members):
        raise RuntimeError(f"{late} members without a wallet: {dict(client.errors)}")
    return await payments.fund(client, people, people.members)


async def _pay(client: Client, payers: Sequence[Payer], each: int) -> None:
    for _ in range(each):
        paid = await asyncio.gather(*(payments.pay(client, one) for one in payers))
        if not all(paid):
            raise RuntimeError(f"payments that were to be read failed: {dict(client.errors)}")


async def _sorts(client: Client, members: Sequence[Caller]) -> list[Sort]:
    """What there is to read, as the members themselves are told of it."""
    accounts, histories, hashes, blocks = [], [], [], []
    for who in members:
        me = await client.call(who, "GET", "me")
        account = f"/api/v1/accounts/{me['wallet']['symid']}"
        accounts.append((account, who.token))
        histories.append((f"{account}/transactions?limit=20", who.token))
        seen = await client.call(who, "GET", f"accounts/{me['wallet']['symid']}/transactions")
        hashes += [one["hash"] for one in seen["items"]]
        blocks += [one["block_number"] for one in seen["items"]]
    return [
        Sort("transaction", [(f"/api/v1/transactions/{one}", "") for one in sorted(set(hashes))]),
        Sort("block", [(f"/api/v1/blocks/{one}", "") for one in sorted(set(blocks))]),
        Sort("latest block", [("/api/v1/blocks/latest", "")]),
        Sort("account", accounts),
        Sort("history of an account", histories),
    ]


async def _etags(platform: Platform, sort: Sort) -> list[str]:
    """The ETag of each answer; "" where it has none, or where it is not the same twice."""
    found = []
    async with aiohttp.ClientSession(platform.url) as session:
        for path, token in sort.paths:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with session.get(path, headers=headers) as response:
                found.append(response.headers.get("ETag", ""))
    return found


def _request(platform: Platform, path: str, token: str, etag: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{platform.port}"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"If-None-Match: {etag}"] if etag else []
    return "\r\n".join([*lines, "", ""]).encode()

"""The paper's four cases: wallets (TC1, TC2) and balances (TC3, TC4), without and with protection.

As in the paper every client sends a hundred requests, each when the one before is answered, and all
begin at once. Our platform is started anew for every look, with the shield off or on, on a copy of
one prepared folder; the paper's stack stands beside it if it is installed. Looks alternate: ours
off and on, the paper's stack off and on, the bare server; the next round goes the other way.
"""

import asyncio
import shutil
import subprocess
import traceback
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp

from bench import noop, paper_stack, payments, scrypt
from bench.load import Job, Load, loading, request
from bench.machine import Meter
from bench.paper_stack import PaperStack
from bench.plan import Plan, Say
from bench.platform import (
    PASSPHRASE,
    Caller,
    People,
    Platform,
    all_active,
    connected,
    prepare,
    running,
)
from bench.rounds import FOREIGN_MAX
from bench.samples import Samples, columns

OURS, PAPERS, BARE = "ours", "paper_stack", "bare_server"
WITHOUT, WITH = "off", "on"
#: (what, protection) of each case.
CASES = {
    "tc1": ("wallet", WITHOUT),
    "tc2": ("wallet", WITH),
    "tc3": ("balance", WITHOUT),
    "tc4": ("balance", WITH),
}
SETTLE_S_MAX = 120.0
WARM_UP_LOOPS = 3


def korean(client: int) -> str:
    """An address in Korea, of another network for each client."""
    return f"211.{104 + client // 256}.{client % 256}.7"


def case_of(what: str, protection: str) -> str:
    return next(name for name, is_ in CASES.items() if is_ == (what, protection))


@dataclass(slots=True)
class Cases:
    """The cases that are wanted, under way."""

    plan: Plan
    say: Say
    folder: Path
    wanted: Sequence[str]
    with_paper_stack: bool
    #: Called after every round, to keep what there is.
    keep: Callable[["Cases"], None]
    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    signatures_per_s: float = 0.0
    _samples: dict[tuple[str, str], list[Samples]] = field(default_factory=dict)

    async def run(self) -> None:
        """All rounds; what fails is written down and the rest goes on."""
        template = Template(self.folder / "template")
        self.signatures_per_s = round(scrypt.signatures_per_second(self.plan.scrypt_s))
        self.say("preparing members")
        await template.make(self.plan, self.say, self.wanted)
        with ExitStack() as stack:
            paper = self._paper_stack(stack)
            async with loading(self.folder / "load") as load:
                for number in range(self.plan.case_rounds):
                    looks = self._looks(load, template, paper, number)
                    for name, look in looks if number % 2 == 0 else reversed(looks):
                        self.say(f"round {number + 1} of {self.plan.case_rounds}: {name}")
                        await self._guarded(name, look)
                    self._add_totals(number)
                    self.keep(self)

    def _paper_stack(self, stack: ExitStack) -> PaperStack | None:
        if not self.with_paper_stack:
            return None
        self.say("building the paper's stack")
        try:
            return stack.enter_context(paper_stack.standing())
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            self._failed("the paper's stack", str(error))
            return None

    def _looks(
        self, load: Load, template: "Template", paper: PaperStack | None, number: int
    ) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        found: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        for protection in (WITHOUT, WITH):
            if self._whats(protection):
                look = _Ours(self, load, template, protection, number)
                found.append((f"ours, shield {protection}", look.take))
        for protection in (WITHOUT, WITH):
            if paper is not None and self._whats(protection):
                theirs = _Papers(self, load, paper, protection, number)
                found.append((f"the paper's stack, protection {protection}", theirs.take))
        if {"tc3", "tc4"} & set(self.wanted):
            found.append(("the bare server", _Bare(self, load, number).take))
        return found

    def _whats(self, protection: str) -> list[str]:
        """What is wanted with this protection; balances first, they leave nothing behind."""
        return [what for what in ("balance", "wallet") if case_of(what, protection) in self.wanted]

    async def _guarded(self, name: str, look: Callable[[], Awaitable[None]]) -> None:
        try:
            await look()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self._failed(name, f"{type(error).__name__}: {error} ({where.name}:{where.lineno})")

    def _failed(self, part: str, why: str) -> None:
        self.say(f"FAILED {part}: {why}")
        self.failures.append({"part": part, "why": why})

    async def cell(
        self, look: "_Look", what: str, clients: Sequence[Sequence[bytes]], **more: Any
    ) -> None:
        """One cell: so many clients, one case, one stack, one round."""
        case = case_of(what, look.protection)
        job = Job(
            f"User{len(clients)}",
            look.port,
            clients,
            self.plan.loops,
            more.pop("seconds_max", None),
        )
        meter = Meter({**look.processes, "load": look.load.pid})
        found, samples = await look.load.run(job, meter.start)
        use = meter.use()
        self._samples.setdefault((case, look.stack), []).append(samples)
        wanted = len(clients) * self.plan.loops
        self.rows.append(
            {
                "case": case,
                "stack": look.stack,
                "clients": len(clients),
                "round": look.number,
                **found,
                "cut_short": found["samples"] < wanted,
                "foreign": round(use.foreign, 4),
                "disturbed": use.foreign > FOREIGN_MAX,
                "use": use.shown(found["samples"]),
                **more,
            }
        )

    def _add_totals(self, number: int) -> None:
        """The Total row of each table of a round: all its samples together."""
        for (case, stack), runs in sorted(self._samples.items()):
            disturbed = any(
                row["disturbed"]
                for row in self.rows
                if (row["case"], row["stack"], row["round"]) == (case, stack, number)
            )
            self.rows.append(
                {
                    "case": case,
                    "stack": stack,
                    "clients": 0,
                    "round": number,
                    **columns("Total", runs),
                    "disturbed": disturbed,
                }
            )
        self._samples.clear()


@dataclass(slots=True)
class Template:
    """A prepared folder that every look begins with a copy of."""

    folder: Path
    joining: list[Caller] = field(default_factory=list)
    holders: list[Caller] = field(default_factory=list)

    async def make(
        self, plan: Plan, say: Say, wanted: Sequence[str], loops: int | None = None
    ) -> None:
        """Members who make wallets, and members who have one, and tokens."""
        loops = plan.loops if loops is None else loops
        joining = loops * sum(plan.wallet_clients) if {"tc1", "tc2"} & set(wanted) else 0
        holders = max(plan.balance_clients) if {"tc3", "tc4"} & set(wanted) else 0
        people = await prepare(self.folder, joining + holders)
        self.holders, self.joining = people.members[:holders], people.members[holders:]
        if holders:
            say("giving members wallets and tokens")
            with running(self.folder, WITHOUT) as platform:
                await _endow(platform, people, self.holders)

    def copy(self, to: Path) -> Path:
        """A copy that may be changed; holes in files stay holes."""
        subprocess.run(["cp", "-a", "--sparse=always", str(self.folder), str(to)], check=True)
        return to


async def _endow(platform: Platform, people: People, holders: Sequence[Caller]) -> None:
    async with connected(platform, 64) as client:
        free = asyncio.Semaphore(20)

        async def make_wallet(who: Caller) -> None:
            async with free:
                await client.call(who, "POST", "wallet", {"passphrase": PASSPHRASE})

        await asyncio.gather(*(make_wallet(who) for who in holders))
        late = await all_active(client, holders)
        if late or client.errors:
            raise RuntimeError(f"{late} members without a wallet: {dict(client.errors)}")
        await payments.issue(client, people, holders)


@dataclass(slots=True)
class _Look:
    """One look at one stack: where it answers, and which processes it is."""

    cases: Cases
    load: Load
    number: int = 0
    protection: str = WITHOUT
    stack: str = OURS
    port: int = 0
    processes: dict[str, int] = field(default_factory=dict)

    async def warm_up(self, clients: Sequence[Sequence[bytes]]) -> None:
        """A few requests that do not count."""
        await self.load.run(Job("warm-up", self.port, clients, WARM_UP_LOOPS, 5.0))


class _Ours(_Look):
    """Our platform, started for this look."""

    def __init__(
        self, cases: Cases, load: Load, template: Template, protection: str, number: int
    ) -> None:
        super().__init__(cases, load, number, protection)
        self._template = template

    async def take(self) -> None:
        folder = self._template.copy(self.cases.folder / "data")
        try:
            with running(folder, self.protection, behind_proxy=self.protection == WITH) as platform:
                self.port, self.processes = platform.port, dict(platform.processes)
                for what in self.cases._whats(self.protection):
                    await (self._wallets if what == "wallet" else self._balances)(platform)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _balances(self, platform: Platform) -> None:
        path = f"/api/v1/balances/{payments.SYMBOL}"
        asked = [
            [request("GET", path, self.port, token=one.token, source=korean(number))]
            for number, one in enumerate(self._template.holders)
        ]
        await self.warm_up(asked[:50])
        for clients in self.cases.plan.balance_clients:
            await self.cases.cell(self, "balance", asked[:clients])
        await _check_balances(platform, self._template.holders[:20])

    async def _wallets(self, platform: Platform) -> None:
        plan, joining = self.cases.plan, iter(self._template.joining)
        made = len(self._template.holders)
        before = scrypt.per_second(plan.scrypt_s)
        for clients in plan.wallet_clients:
            asked = [
                [self._wallet(one, korean(number)) for one in islice(joining, plan.loops)]
                for number in range(clients)
            ]
            await self.cases.cell(self, "wallet", asked)
            row = self.cases.rows[-1]
            made += row["samples"] - row["ko"]
            late = await _unsettled(platform, made)
            after = scrypt.per_second(plan.scrypt_s)
            row["bound_per_s"] = round((before + after) / 2, 2)
            row["without_symid"] = late
            before = after

    def _wallet(self, who: Caller, source: str) -> bytes:
        body = b'{"passphrase":"%s"}' % PASSPHRASE.encode()
        path = "/api/v1/wallet"
        return request("POST", path, self.port, token=who.token, body=body, source=source)


async def _check_balances(platform: Platform, holders: Sequence[Caller]) -> None:
    """That what was answered so fast is what they have."""
    async with connected(platform, 4) as client:
        for one in holders:
            shown = await client.call(one, "GET", f"balances/{payments.SYMBOL}")
            if not shown or shown["total"] != str(payments.GRANT):
                raise RuntimeError(f"{one.login} has {shown}, not {payments.GRANT}")


async def _unsettled(platform: Platform, made: int) -> int:
    """Wait until all wallets that were made have their SymIDs; how many have none in the end."""
    active = 0.0
    async with aiohttp.ClientSession(platform.url) as session:
        for _ in range(int(SETTLE_S_MAX / 0.2)):
            async with session.get("/metrics") as response:
                shown = await response.text()
            for line in shown.splitlines():
                if line.startswith('jigap_wallets{state="active"}'):
                    active = float(line.rpartition(" ")[2])
            if active >= made:
                break
            await asyncio.sleep(0.2)
    return max(made - int(active), 0)


class _Papers(_Look):
    """The paper's stack, which stands all the time; protection is another address."""

    def __init__(
        self, cases: Cases, load: Load, paper: PaperStack, protection: str, number: int
    ) -> None:
        super().__init__(cases, load, number, protection, PAPERS, paper.port, paper.processes)
        self._paper = paper

    async def take(self) -> None:
        plan, protected = self.cases.plan, self.protection == WITH
        for what in self.cases._whats(self.protection):
            if what == "balance":
                most = max(plan.balance_clients)
                asked = [[self._paper.balance(n, protected=protected)] for n in range(most)]
                await self.warm_up(asked[:50])
            for clients in plan.balance_clients if what == "balance" else plan.wallet_clients:
                requests = asked[:clients] if what == "balance" else self._new_wallets(clients)
                await self.cases.cell(self, what, requests, seconds_max=plan.paper_stack_s)

    def _new_wallets(self, clients: int) -> list[list[bytes]]:
        run, protected = uuid.uuid4().hex[:12], self.protection == WITH
        return [
            [
                self._paper.wallet(f"w{run}-{client}-{loop}", protected=protected)
                for loop in range(self.cases.plan.loops)
            ]
            for client in range(clients)
        ]


class _Bare(_Look):
    """A server that only answers, under the same load."""

    def __init__(self, cases: Cases, load: Load, number: int) -> None:
        super().__init__(cases, load, number, WITHOUT, BARE)

    async def take(self) -> None:
        plan = self.cases.plan
        with noop.serving() as (pid, self.port):
            self.processes = {"bare_server": pid}
            path = f"/api/v1/balances/{payments.SYMBOL}"
            asked = [request("GET", path, self.port, token="x" * 43)]
            await self.warm_up([asked] * 50)
            for clients in plan.balance_clients:
                await self.cases.cell(self, "balance", [asked] * clients)

"""TC7: memory and start-up of a platform with 10, 10,000 and 100,000 members.

The members are made up by `jigap seed members`, with valid keystores and real SymIDs, and then a
real `jigap up` is started on them, twice: the first start may find cold files. Start-up is the time
until it says that it is ready, and what the processors did for it. Memory is what the kernel counts
for each process: ``resident`` is all of it, ``own`` is without the files it has mapped or loaded,
which the machine can take back. After that some of the members sign in and read, so that what a
platform only loads when it is asked is counted too.
"""

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import Meter
from bench.plan import Plan, Say
from bench.platform import Caller, Client, Platform, connected, running
from bench.rounds import Measure, Round, summary

START = Measure(
    "population_start",
    "Processor seconds until ready, most members",
    " s",
    "fewest members",
    aim=2.0,
    aim_of="ratio",
    at_most=True,
)
MEMORY = Measure(
    "population_memory",
    "Memory of its own, most members",
    " MiB",
    "fewest members",
    aim=1.5,
    aim_of="ratio",
    at_most=True,
)

SIZES = (10, 10_000, 100_000)
QUICK_SIZES = (8,)
#: Starts of each platform; the last one's memory counts.
STARTS = 2
QUICK_STARTS = 1
READERS = 40
SETTLE_S = 2.0
SEED_TIMEOUT_S = 900
_PASSWORD = "nobody's password in the bench"
_PASSPHRASE = "nobody's passphrase in the bench"


@dataclass(frozen=True, slots=True)
class Start:
    """One start; ``cpu_s`` is of both processes until ready."""

    ready_s: float
    cpu_s: float
    foreign: float


@dataclass(frozen=True, slots=True)
class Size:
    """What one size of platform took. MiB by process: (resident, own), idle and after reading."""

    members: int
    seed_s: float
    disk_mib: float
    starts: list[Start]
    idle: dict[str, tuple[float, float]]
    used: dict[str, tuple[float, float]]
    errors: dict[str, int]

    @property
    def own_mib(self) -> float:
        return sum(own for _, own in self.used.values())

    def row(self) -> list[str]:
        last = self.starts[-1]

        def mib(of: dict[str, tuple[float, float]], who: str) -> str:
            return " / ".join(f"{one:.0f}" for one in of[who])

        return [
            f"{self.members:,}",
            f"{self.seed_s:.1f}",
            f"{self.disk_mib:,.0f}",
            " / ".join(f"{one.ready_s:.2f}" for one in self.starts),
            f"{last.cpu_s:.2f}",
            mib(self.idle, "platform"),
            mib(self.used, "platform"),
            mib(self.idle, "node"),
            mib(self.used, "node"),
        ]


async def run(plan: Plan, say: Say, folder: Path) -> list[dict[str, Any]]:
    """Both measures, and a table of all sizes."""
    taken = []
    for count in QUICK_SIZES if plan.quick else SIZES:
        say(f"making up {count:,} members")
        data = folder / f"{count}"
        seed_s = await asyncio.to_thread(seeded, data, count)
        say(f"starting with {count:,} members")
        times = QUICK_STARTS if plan.quick else STARTS
        taken.append(await _measured(data, count, seed_s, times))
        shutil.rmtree(data)
    first, last = taken[0], taken[-1]
    errors = {what: n for one in taken for what, n in one.errors.items()}
    starts = [
        Round(after.cpu_s, before.cpu_s, after.foreign, {})
        for before, after in zip(first.starts, last.starts, strict=True)
    ]
    memory = [Round(last.own_mib, first.own_mib, 0.0, errors)]
    return [summary(START, starts) | _shown(taken), summary(MEMORY, memory)]


def seeded(data: Path, count: int) -> float:
    """Make up members in a new folder; how many seconds that took."""
    command = [sys.executable, "-m", "jigap.cli", "seed", "members", str(count)]
    command += ["--data", str(data), "--password", _PASSWORD, "--passphrase", _PASSPHRASE]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--json"],
        env={k: v for k, v in os.environ.items() if not k.startswith("JIGAP_")},
        capture_output=True,
        text=True,
        timeout=SEED_TIMEOUT_S,
    )
    if done.returncode:
        raise RuntimeError(f"seeding failed: {done.stderr[-2000:]}")
    assert json.loads(done.stdout)["members"] == count
    return time.perf_counter() - began


async def _measured(data: Path, count: int, seed_s: float, times: int) -> Size:
    starts: list[Start] = []
    for number in range(times):
        meter = Meter({})
        with running(data) as platform:
            use = meter.use()
            cpu_s = sum(_used_s(pid) for pid in platform.processes.values())
            mine = cpu_s / (use.elapsed_s * (os.cpu_count() or 1))
            starts.append(Start(use.elapsed_s, cpu_s, max(use.busy - mine, 0.0)))
            if number + 1 == times:
                await asyncio.sleep(SETTLE_S)
                idle = _memory(platform)
                errors = await _read(platform, count)
                used = _memory(platform)
    disk_mib = sum(one.stat().st_size for one in data.rglob("*") if one.is_file()) / 2**20
    return Size(count, seed_s, disk_mib, starts, idle, used, errors)


async def _read(platform: Platform, count: int) -> dict[str, int]:
    """Some of them, whoever it is, sign in, read who they are and find somebody."""
    numbers = random.Random(count).sample(range(1, count + 1), min(READERS, count))
    async with connected(platform, 8) as client:
        for number in numbers:
            await _read_one(client, number, numbers)
        return client.taken_errors()


async def _read_one(client: Client, number: int, numbers: Sequence[int]) -> None:
    login = f"seed-{number:07d}"
    body = {"member_id": login, "password": _PASSWORD}
    signed_in = await client.call(Caller(login, ""), "POST", "session", body)
    if signed_in is None:
        return
    who = Caller(login, str(signed_in["token"]))
    me = await client.call(who, "GET", "me")
    if me and me["wallet"]["state"] != "active":
        client.errors["wallet without SymID"] += 1
    other = next(one for one in reversed(numbers) if one != number)
    found = await client.call(who, "GET", f"recipients?phone=0100{other:07d}")
    if found is not None and len(found) != 1:
        client.errors["not found"] += 1


def _memory(platform: Platform) -> dict[str, tuple[float, float]]:
    return {name: memory_mib(pid) for name, pid in platform.processes.items()}


def memory_mib(pid: int) -> tuple[float, float]:
    """Resident MiB of a process, and how many of them are its own: not of a file."""
    kib = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "RssAnon"):
            kib[name] = int(value.split()[0])
    return kib["VmRSS"] / 1024, kib["RssAnon"] / 1024


def _used_s(pid: int) -> float:
    """Processor seconds of a process since it was started, with what its ended children used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _shown(taken: Sequence[Size]) -> dict[str, Any]:
    """The table and the chart for the report."""
    few, many = taken[0], taken[-1]
    each = 1024 * (many.own_mib - few.own_mib) / max(many.members - few.members, 1)
    return {
        "table": {
            "title": "Memory and start-up by members",
            "head": [
                "Members",
                "Seeding, s",
                "Disk, MiB",
                "Ready, s: each start",
                "CPU s until ready",
                "Platform idle, MiB: resident / own",
                "after reading",
                "Node idle, MiB: resident / own",
                "after reading",
            ],
            "rows": [one.row() for one in taken],
            "note": (
                f"Own memory grows by {each:.2f} KiB for each member. Seeding includes starting "
                f"and stopping a platform's parts. Reading: {min(READERS, many.members)} members "
                "sign in, read who they are and find another by phone number."
            ),
        },
        "chart": {
            "title": "Memory of its own by members, after reading",
            "x": "members",
            "y": "MiB",
            "series": [
                {
                    "name": who,
                    "points": [[one.members, round(one.used[who][1], 1)] for one in taken],
                }
                for who in few.used
            ],
            "log_x": True,
            "log_y": False,
        },
    }

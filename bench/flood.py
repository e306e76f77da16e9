"""The shield under attack: what a refusal costs, and what a flood does to those in good faith.

The foes are addresses of loopback that an operator has denied (127.66.0.0/16). Each connection is
from another of them and asks once, which is the dearest way to be turned away: nobody is known yet,
and everybody is shown the whole page. A refusal is compared with an ASGI application that only
answers, asked in the same way: one connection for each request. Then ``RATE`` refused connections a
second come while members ask for their balances at ``GOOD_PER_S``, a twentieth of that.

``python -m bench.flood PORT COUNT RATE`` is the flood by itself; it ends by itself.
"""

import asyncio
import itertools
import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import noop, payments
from bench.machine import Meter, Use
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
from jigap import settings
from jigap.app import Folder
from jigap.clock import SystemClock
from jigap.shield import EntryKind, ShieldStore
from jigap.shield.shield import FILE_NAME

REFUSAL = Measure(
    "refusal_cpu",
    "Processor time of a refused request",
    " us",
    "a no-op ASGI answer",
    aim=2.0,
    aim_of="ratio",
    at_most=True,
)
FLOODED = Measure(
    "flooded_balance_p99",
    "Balance p99 during a flood of 20 refused for each in good faith",
    " ms",
    "p99 without the flood",
    aim=2.0,
    aim_of="ratio",
    at_most=True,
)

DENIED = "127.66.0.0/16"
GOOD_PER_S = 100
RATE = 20 * GOOD_PER_S
READERS = 20
THREADS = 4
#: Requests of a look at what a refusal costs; the clocks of processes tick in hundredths.
REFUSALS, QUICK_REFUSALS = 10_000, 200
FLOOD_S, QUICK_FLOOD_S = 8.0, 0.5
_REQUEST = b"GET /api/v1/balances HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_ANSWER_S = 20.0


@dataclass(slots=True)
class Flood:
    """One request on each connection, from ever other addresses, not faster than ``rate``."""

    port: int
    rate: float
    answers: Counter[str] = field(default_factory=Counter)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def run(self, count: int) -> dict[str, int]:
        begun = time.perf_counter()
        threads = [threading.Thread(target=self._send, args=(count, begun)) for _ in range(THREADS)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return dict(self.answers)

    def _send(self, count: int, begun: float) -> None:
        while (number := next(self._numbers)) < count:
            if self.rate:
                time.sleep(max(0.0, begun + number / self.rate - time.perf_counter()))
            self.answers[_ask(self.port, number)] += 1


def _ask(port: int, number: int) -> str:
    """The status of what comes back, or what happened instead."""
    foe = f"127.66.{number // 250 % 250}.{1 + number % 250}"
    with socket.socket() as connection:
        connection.settimeout(_ANSWER_S)
        connection.bind((foe, 0))
        try:
            connection.connect(("127.0.0.1", port))
            connection.sendall(_REQUEST)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        except (ConnectionError, BrokenPipeError):
            return "cut"
        except TimeoutError:
            return "no answer"
    return answer[9:12].decode() or "cut"


async def _flooding(
    port: int, count: int, rate: float = 0.0
) -> tuple[asyncio.subprocess.Process, "asyncio.Task[dict[str, int]]"]:
    """A flood in a process of its own, and what became of it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.flood", str(port), str(count), str(rate)),
        stdout=asyncio.subprocess.PIPE,
    )

    async def ended() -> dict[str, int]:
        said, _ = await process.communicate()
        return dict(json.loads(said))

    return process, asyncio.create_task(ended())


async def refusal_round(platform: Platform, bare: tuple[int, int], count: int) -> Round:
    """Refusals and no-op answers, the same requests to either."""
    bare_us, bare_answers, foreign = await _cost_us(*bare, count)
    ours_us, ours, ours_foreign = await _cost_us(
        platform.processes["platform"], platform.port, count
    )
    errors = {f"no-op: {what}": n for what, n in bare_answers.items() if what != "200"}
    errors |= {what: n for what, n in ours.items() if what not in ("403", "cut")}
    details = {"answers": ours, "refusals": count}
    return Round(ours_us, bare_us, max(foreign, ours_foreign), errors, details)


async def _cost_us(process: int, port: int, count: int) -> tuple[float, dict[str, int], float]:
    """Microseconds of a server for each request, without what it uses when nobody asks."""
    idle = Meter({"server": process})
    await asyncio.sleep(1.0)
    at_rest = idle.use()
    flood, ended = await _flooding(port, count)
    use, said = await _until_it_ends(ended, Meter({"server": process, "load": flood.pid}))
    rest_s = at_rest.cpu_s["server"] / at_rest.elapsed_s * use.elapsed_s
    return (use.cpu_s["server"] - rest_s) * 1e6 / count, said, use.foreign


async def _until_it_ends(
    ended: "asyncio.Task[dict[str, int]]", meter: Meter
) -> tuple[Use, dict[str, int]]:
    """What was used, read while the process of the load can still be read."""
    use = meter.use()
    while not ended.done():
        try:
            use = meter.use()
        except OSError:  # it has just ended
            break
        await asyncio.wait([ended], timeout=0.02)
    return use, await ended


@dataclass(slots=True)
class Good:
    """Members who ask for their balances at a fixed rate, in an open loop."""

    client: Client
    readers: Sequence[Caller]

    async def ask(self, seconds: float) -> list[float]:
        """How long each answer took from when its question was due."""
        begun = time.perf_counter()
        asked = []
        for number in range(int(seconds * GOOD_PER_S)):
            due = begun + number / GOOD_PER_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.create_task(self._one(number, due)))
        return [took for took in await asyncio.gather(*asked) if took is not None]

    async def _one(self, number: int, due: float) -> float | None:
        who = self.readers[number % len(self.readers)]
        shown = await self.client.call(who, "GET", f"balances/{payments.SYMBOL}")
        return None if shown is None else time.perf_counter() - due


async def flooded_round(platform: Platform, good: Good, seconds: float) -> Round:
    """Balances by themselves, then during the flood."""
    alone = percentiles_ms(await good.ask(seconds))
    count = int(RATE * (seconds + 1))
    flood, ended = await _flooding(platform.port, count, RATE)
    await asyncio.sleep(0.5)
    meter = Meter({"asking": os.getpid(), **platform.processes, "flood": flood.pid})
    during = percentiles_ms(await good.ask(seconds - 0.5))
    use = meter.use()
    answers = await ended
    errors = good.client.taken_errors()
    errors |= {what: n for what, n in answers.items() if what not in ("403", "cut")}
    details = {
        "idle_ms": alone,
        "answer_ms": during,
        "refused": answers,
        "use": use.shown(int(RATE * (seconds - 0.5))),
    }
    return Round(during["p99"], alone["p99"], use.foreign, errors, details)


async def run(plan: Plan, say: Say, folder: Path) -> list[dict[str, Any]]:
    """Both measures, on one platform."""
    people = await prepare(folder / "data", READERS)
    _deny(folder / "data")
    count = QUICK_REFUSALS if plan.quick else REFUSALS
    seconds = 1.0 + (QUICK_FLOOD_S if plan.quick else FLOOD_S)
    with running(folder / "data", "on") as platform, noop.serving() as bare:
        async with connected(platform, 64) as client:
            await _endow(client, people)
            say("what a refusal costs")
            refusals = await repeat(
                lambda: refusal_round(platform, bare, count), plan.rounds, plan.repeats_max
            )
            say(f"{RATE} refused a second beside {GOOD_PER_S} in good faith")
            good = Good(client, people.members)
            flooded = await repeat(
                lambda: flooded_round(platform, good, seconds), plan.rounds, plan.repeats_max
            )
    return [summary(REFUSAL, refusals), summary(FLOODED, flooded)]


def _deny(folder: Path) -> None:
    """What an operator does with `jigap shield deny`."""
    given = settings.load(folder, environment={})
    store = ShieldStore(Folder.of(given).shield / FILE_NAME)
    now_ms = SystemClock().now_ms()
    store.put_entry(DENIED, EntryKind.DENY, "the foes of the bench", "bench", now_ms)
    store.close()


async def _endow(client: Client, people: People) -> None:
    """Wallets and tokens for those who ask."""
    for who in people.members:
        await client.call(who, "POST", "wallet", {"passphrase": PASSPHRASE})
    late = await all_active(client, people.members)
    if late or client.errors:
        raise RuntimeError(f"{late} members without a wallet: {dict(client.errors)}")
    await payments.issue(client, people, people.members)


if __name__ == "__main__":
    port, count, rate = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    print(json.dumps(Flood(port, rate).run(count)))

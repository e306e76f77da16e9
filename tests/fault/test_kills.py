"""The whole platform killed at random moments under load: what it said is true, once and for good.

20 kills in the suite, 500 by ``make fault``, from a printed seed. Killed are the platform, its
node, or both, while they serve or while they start. Nobody repairs anything in between: it is only
started again.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jigap.cli.seed import SUPPLY, TOKEN_SYMBOL
from jigap.money import parse_amount
from jigap.node.client import NodeClient
from tests import processes
from tests.e2e.test_cli_up import arguments, node_pid
from tests.fault.platform_load import TIMEOUT_S, Promise, Town, mined
from tests.leaks import LEAKS

#: Faults of wallet keys that a kill may leave and nobody has to look at: a file too many.
HARMLESS = {"file_stray", "row_missing"}
#: Kills of the node alone in a row: its parent gives up after the fifth.
NODE_KILLS_MAX = 4
PATIENCE_S = 600
#: Nobody is to be stopped by a budget here: that is tested elsewhere.
GENEROUS = {f"JIGAP_GAS_BUDGET_{name}": str(10**15) for name in ("TOTAL", "DAY", "MEMBER_DAY")} | {
    "JIGAP_DAILY_LIMIT": "1000000000",
    # What takes long on a busy machine that is killed all the time is not to be cancelled for it.
    "JIGAP_TRANSFER_DEADLINE_MS": str(3600 * 1000),
}


class Killer:
    """Starts the platform of one data folder, and kills it."""

    def __init__(self, data: Path, chance: random.Random, town: Town) -> None:
        self.data = data
        self.running: processes.Running | None = None
        self.killed: dict[str, int] = {}
        self._chance = chance
        self._town = town
        self._node_kills = 0

    async def start(self) -> processes.Running:
        command = arguments(self.data)
        self.running = await asyncio.to_thread(processes.start, *command, **GENEROUS)
        self._town.opens(self.running.url)
        self._node_kills = 0
        return self.running

    async def pause(self) -> None:
        """Let people pay for a moment."""
        await asyncio.sleep(self._chance.uniform(0.05, 1.5))

    async def kill(self) -> None:
        """One kill of a random kind; afterwards the platform runs again, or its node soon will."""
        ended = self.running.process.poll()
        assert ended is None, f"it ended by itself, {ended}: {self.running.errors[-5:]}"
        kind = self._chance.choice(("everything", "platform", "node", "starting"))
        node = self._node()
        if kind == "node" and (node is None or self._node_kills >= NODE_KILLS_MAX):
            kind = "everything"
        self.killed[kind] = self.killed.get(kind, 0) + 1
        if kind == "node":
            self._node_kills += 1
            with suppress(ProcessLookupError):
                os.kill(node, signal.SIGKILL)
            return
        self._kill_all([] if kind == "platform" or node is None else [node])
        if kind == "starting":
            await self._kill_while_it_starts()
        await self.start()

    def _node(self) -> int | None:
        with suppress(AssertionError, FileNotFoundError):
            return node_pid(self.running)
        return None

    def _kill_all(self, more: list[int]) -> None:
        """The platform, and with it or first ``more``."""
        self._town.closes()
        ids = [self.running.process.pid, *more]
        self._chance.shuffle(ids)
        for one in ids:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        self.running.process.wait(20)

    async def _kill_while_it_starts(self) -> None:
        said = self.data.parent / "killed.log"
        with said.open("w") as stderr:
            process = subprocess.Popen(
                [*processes.JIGAP, *arguments(self.data)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=processes.environment(GENEROUS),
            )
        await asyncio.sleep(self._chance.uniform(0.5, 4.0))
        process.kill()
        process.wait(20)
        LEAKS.words("stderr of a killed `up`", said.read_text(errors="replace"))


@pytest.fixture
async def town(seed: int) -> AsyncIterator[Town]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        yield Town(http, random.Random(f"{seed} town"))


@pytest.mark.slow
async def test_kills_under_load_lose_nothing_and_repeat_nothing(
    town: Town, stopped: Path, seed: int, kills: int
) -> None:
    killer = Killer(stopped, random.Random(f"{seed} kills"), town)
    try:
        running = await killer.start()
        async with NodeClient(running.rpc) as client:
            before = await client.block_number()
        await town.begin()
        began = time.monotonic()
        for _ in range(kills):
            await killer.pause()
            await killer.kill()
        took_s = time.monotonic() - began
        await asyncio.wait_for(town.end(), PATIENCE_S)
        killer.running.kill()
        running = await killer.start()
        promises = await asyncio.wait_for(town.check_promises(), PATIENCE_S)
        print(f"{killer.killed} in {took_s:.0f} s: {len(promises)} promises, {town.doubts} doubts")
        await the_members_agree(town, promises)
        await the_chain_agrees(town, promises, running.rpc, before)
        the_commands_agree(stopped, running.rpc)
        assert running.stop() == 0
        assert running.errors == []
    finally:
        if killer.running is not None:
            killer.running.kill()


async def the_members_agree(town: Town, promises: list[Promise]) -> None:
    """Everybody has what the promises add up to, and nothing was paid that nobody ordered."""
    assert len(promises) > len(town.people), "nothing was promised, so nothing was shown"
    balances = await town.balances()
    assert balances == town.expected(promises)
    token = await town.insist("GET", f"tokens/{TOKEN_SYMBOL}", None)
    issued = parse_amount(SUPPLY) + sum(one.units for one in promises if not one.payer)
    assert parse_amount(token.body["total"]) == issued == sum(balances.values())
    for person in town.people:
        made = {one.answer["id"] for one in promises if one.payer == person.login}
        assert len(made) == len(person.paid)
        history = await town.listed(person)
        assert made <= history
        assert person.login.startswith("demo-") or made == history
    assert all(one.symid for one in town.joined)


async def the_chain_agrees(town: Town, promises: list[Promise], rpc: str, before: int) -> None:
    """Since block ``before`` it holds one payment for each promise and no other, none cancelled."""
    senders = {one.symid for one in town.people}
    found = await mined(rpc, senders, before)
    assert all(one.status for one in found)
    paid = [one.answer["transaction_hash"] for one in promises if one.payer]
    assert sorted(f"0x{one.hash.hex()}" for one in found) == sorted(paid)


def the_commands_agree(data: Path, rpc: str) -> None:
    """The audit of money and of the trail, and both copies of every key."""
    money = said("audit", "money", "--data", data, "--rpc", rpc, "--json")
    assert money["clean"] and money["conserved"], money["differences"]
    assert said("audit", "verify", "--data", data, "--json")["intact"]
    keys = said("keys", "verify", "--data", data, "--json")
    assert [one for one in keys["findings"] if one["fault"] not in HARMLESS] == []
    assert set(keys["service_keys"].values()) == {"sound"}


def said(*command: str | Path) -> dict[str, Any]:
    """What a command printed as JSON."""
    done = processes.run(*command)
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))

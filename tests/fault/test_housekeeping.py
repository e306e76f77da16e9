"""What is not money may go wrong in any way: payments go on, and it is tried again."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

import pytest

from jigap import housekeeping, realname, recovery, transfers
from jigap.database import Database
from jigap.refusal import Kind, Refusal
from jigap.transfers import Standing
from tests.fault.world import World, world

PATIENCE_S = 30
TASKS = {
    "telling what is stuck": (transfers.stuck, "is_due"),
    "ending overdue real-name checks": (realname, "has_overdue"),
    "settling recoveries": (recovery, "has_unsettled"),
}


class Busy(Refusal):
    code = "busy"
    kind = Kind.UNAVAILABLE


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "PAUSE_S", 0.01)


async def confirmed(one: World, payer: str, payee: str, key: str) -> None:
    """A payment, made and mined while the dispatcher runs by itself."""
    made = await one.pay(payer, payee, "1", key)
    async with asyncio.timeout(PATIENCE_S):
        while (await one.payments.get(payer, made.id)).state is not Standing.CONFIRMED:
            one.node.mine()
            one.work.ring()
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("trouble", [ZeroDivisionError("a bug"), Busy("Too much to do.")])
@pytest.mark.usefixtures("quick")
async def test_whatever_goes_wrong_beside_it_payments_go_on_and_it_is_tried_again(
    sqlite_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    trouble: Exception,
):
    room, function = TASKS[name]
    right, tries = getattr(room, function), 0

    def fail(*given: object) -> bool:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise trouble
        return bool(right(*given))

    async with world(sqlite_database, tmp_path) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        monkeypatch.setattr(room, function, fail)
        running = asyncio.create_task(one.dispatcher.run())
        await confirmed(one, payer, payee, "key-0000")
        async with asyncio.timeout(PATIENCE_S):
            while tries < 5:
                await asyncio.sleep(0.01)
        await confirmed(one, payer, payee, "key-0001")
        assert not running.done()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    said = [one for one in caplog.records if one.getMessage().startswith(f"{name} failed")]
    assert len(said) == 3
    unexpected = not isinstance(trouble, Refusal)
    assert all((one.levelno == logging.ERROR) == unexpected for one in said)
    assert all(bool(one.exc_info) == unexpected for one in said)


async def test_a_bug_in_asking_for_symids_stops_no_payment(
    sqlite_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    async def fail(*_: object) -> int:
        raise ZeroDivisionError

    async with world(sqlite_database, tmp_path) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        monkeypatch.setattr("jigap.members.request_citizens", fail)
        running = asyncio.create_task(one.dispatcher.run())
        await confirmed(one, payer, payee, "key-0000")
        assert not running.done()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert "asking for SymIDs failed unexpectedly" in caplog.text

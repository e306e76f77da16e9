"""The day's limit under races, ends of all kinds, midnights and lost records."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from jigap.clock import DAY_MS, day_of
from jigap.database import Database
from jigap.members import OwnLimits, SpendingLimits
from jigap.node.client import Submitted
from jigap.transfers import Standing, refusals
from jigap.transfers.records import spending_days
from tests.fault.world import PASSPHRASE, LyingNode, World, dump, load, world

ONE = 10**18
DELAY_S = 3600
RISKY = {"new_payee_warn": "50", "new_payee_delay_s": DELAY_S}


async def spent(one: World, payer: str) -> dict[str, int]:
    """Whole tokens that count against each day."""
    query = select(spending_days.c.day, spending_days.c.amount).where(
        spending_days.c.member_id == payer
    )
    rows = await one.database.read(lambda connection: connection.execute(query).all())
    return {row.day: row.amount // ONE for row in rows if row.amount}


async def test_50_sends_of_two_processes_never_pass_the_days_limit(
    database: Database, tmp_path: Path
):
    rules = {"daily_limit_level_1": "20"}
    async with (
        world(database, tmp_path, **rules) as one,
        world(database, tmp_path, one.node, **rules) as two,
    ):
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        answers = await asyncio.gather(
            *(
                (one if number % 2 else two).pay(payer, payee, "3", f"key-{number:04}")
                for number in range(50)
            ),
            return_exceptions=True,
        )
        made = [answer for answer in answers if not isinstance(answer, BaseException)]
        refused = {type(answer) for answer in answers if isinstance(answer, BaseException)}
        assert len(made) == 6
        assert refusals.DailyLimit in refused
        assert sum((await spent(one, payer)).values()) == 18
        await one.turn(4)
        assert await one.held(payee) == 18 * ONE


async def test_a_void_payment_gives_its_part_of_the_day_back_once(
    database: Database, tmp_path: Path
):
    async with world(database, tmp_path, daily_limit_level_1="100") as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "500")
        await one.pay(payer, payee, "30", "key-0001")
        await one.turn(3)
        one.node.answer = lambda signed: (
            Submitted("rejected", "never") if signed.transaction.type else None
        )
        made = await one.pay(payer, payee, "60", "key-0002")
        with pytest.raises(refusals.DailyLimit):
            await one.pay(payer, payee, "60", "key-0003")
        one.clock.advance(one.settings.transfer_deadline_ms)
        await one.turn(4)
        assert (await one.payments.get(payer, made.id)).state is Standing.VOID
        assert await spent(one, payer) == {day_of(one.clock.now_ms()): 30}
        await one.turn(2)
        assert await spent(one, payer) == {day_of(one.clock.now_ms()): 30}


async def test_what_ends_after_midnight_is_given_back_to_its_own_day(
    database: Database, tmp_path: Path
):
    async with world(database, tmp_path, daily_limit_level_1="100", **RISKY) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "500")
        yesterday = day_of(one.clock.now_ms())
        made = await one.pay(payer, payee, "60", "key-0001", acknowledged=True)
        one.clock.advance(DAY_MS)
        await one.pay(payer, payee, "40", "key-0002")
        today = day_of(one.clock.now_ms())
        assert await spent(one, payer) == {yesterday: 60, today: 40}
        await one.payments.withdraw(payer, made.id)
        await one.payments.withdraw(payer, made.id)
        assert await spent(one, payer) == {today: 40}


async def test_a_delayed_payment_counts_on_the_day_it_is_confirmed(
    database: Database, tmp_path: Path
):
    """Else delayed payments of many days could all leave on one."""
    async with world(database, tmp_path, daily_limit_level_1="100", **RISKY) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "500")
        first = await one.pay(payer, payee, "60", "key-0001", acknowledged=True)
        one.clock.advance(DAY_MS)
        second = await one.pay(payer, payee, "60", "key-0002", acknowledged=True)
        one.clock.advance(DELAY_S * 1000)
        assert (await one.payments.confirm(payer, second.id, PASSPHRASE)).state is Standing.SIGNED
        with pytest.raises(refusals.DailyLimit):
            await one.payments.confirm(payer, first.id, PASSPHRASE)
        await one.turn(3)
        one.clock.advance(DAY_MS)
        await one.payments.confirm(payer, first.id, PASSPHRASE)
        assert set((await spent(one, payer)).values()) == {60}
        await one.turn(3)
        assert await one.held(payee) == 120 * ONE


@pytest.mark.parametrize("delayed", [False, True])
async def test_a_payment_found_again_on_the_chain_counts_against_the_day(
    database: Database, tmp_path: Path, delayed: bool
):
    node = LyingNode()
    rules = {"daily_limit_level_1": "100"} | (RISKY if delayed else {})
    async with world(database, tmp_path, node, **rules) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "500")
        kept = await dump(database)
        made = await one.pay(payer, payee, "60", "key-0001", acknowledged=True)
        if delayed:
            kept = await dump(database)
            one.clock.advance(DELAY_S * 1000)
            await one.payments.confirm(payer, made.id, PASSPHRASE)
        await one.turn(3)
    await load(database, kept)
    async with world(database, tmp_path, node, **rules) as again:
        assert await again.balance(payer) == (440, 0)
        assert sum((await spent(again, payer)).values()) == 60
        mined_ms = node.blocks[-1].time_ms
        assert set(await spent(again, payer)) == {day_of(mined_ms)}


async def test_a_payment_after_a_limit_was_lowered_has_seen_the_lower_one(
    database: Database, tmp_path: Path
):
    async with world(database, tmp_path) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "500")
        limits = SpendingLimits(database, one.vault, one.clock, one.settings)
        await limits.change(payer, OwnLimits(10 * ONE, 15 * ONE), None)
        with pytest.raises(refusals.PaymentLimit):
            await one.pay(payer, payee, "11", "key-0001")
        await one.pay(payer, payee, "10", "key-0001")
        with pytest.raises(refusals.DailyLimit):
            await one.pay(payer, payee, "6", "key-0002")
        await limits.change(payer, OwnLimits(), PASSPHRASE)
        with pytest.raises(refusals.DailyLimit):
            await one.pay(payer, payee, "6", "key-0002")
        one.clock.advance(one.settings.limits_raise_delay_s * 1000)
        await one.pay(payer, payee, "11", "key-0002")


async def test_unverified_members_send_nothing_and_minors_little(
    database: Database, tmp_path: Path
):
    from jigap.members.records import change

    async with world(database, tmp_path, payment_limit_minor="5") as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "500")
        await database.write(change, payer, level=2, minor=True)
        with pytest.raises(refusals.PaymentLimit):
            await one.pay(payer, payee, "6", "key-0001")
        await database.write(change, payer, minor=False)
        await one.pay(payer, payee, "6", "key-0001")

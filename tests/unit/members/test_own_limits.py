"""Members set their own limits: lowering is free, raising takes the passphrase and time."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from jigap import audit, events
from jigap.database import Database
from jigap.keys import PassphraseWrong
from jigap.members import (
    LimitRaiseLocked,
    Limits,
    MemberFrozen,
    OwnLimits,
    SpendingLimits,
    WalletMissing,
)
from jigap.settings import Settings

from .people import PASSPHRASE, People, people

ONE = 10**18
DELAY_S = 3600


@pytest.fixture
def crowd(database: Database, tmp_path: Path) -> People:
    return people(database, tmp_path)


@pytest.fixture
def limits(crowd: People) -> SpendingLimits:
    settings = Settings(
        payment_limit_level_1="100", daily_limit_level_1="500", limits_raise_delay_s=DELAY_S
    )
    return SpendingLimits(crowd.database, crowd.vault, crowd.clock, settings)


async def member(crowd: People) -> str:
    member_id = await crowd.verified("minji", "김민지", "010-1234-5678")
    await crowd.wallets.make(member_id, PASSPHRASE)
    return member_id


async def test_lowering_needs_no_passphrase_and_is_told(crowd: People, limits: SpendingLimits):
    who = await member(crowd)
    assert (await limits.of(who)).present == Limits(100 * ONE, 500 * ONE)
    with audit.asked_from("203.0.113.9"):
        view = await limits.change(who, OwnLimits(10 * ONE, None), None)
    assert view.present == Limits(10 * ONE, 500 * ONE)
    assert await kinds(crowd) == ["limits.changed"]
    row = await crowd.database.read(
        lambda c: c.execute(
            select(audit.audit_trail).where(audit.audit_trail.c.action == "limits:change")
        ).one()
    )
    assert (row.actor, row.object, row.address) == (who, who, "203.0.113.9")


async def test_raising_needs_the_passphrase_and_waits(crowd: People, limits: SpendingLimits):
    who = await member(crowd)
    await limits.change(who, OwnLimits(10 * ONE, 10 * ONE), None)
    wanted = OwnLimits(50 * ONE, None)
    with pytest.raises(LimitRaiseLocked):
        await limits.change(who, wanted, None)
    with pytest.raises(PassphraseWrong):
        await limits.change(who, wanted, "not the passphrase")
    view = await limits.change(who, wanted, PASSPHRASE)
    assert view.present == Limits(10 * ONE, 10 * ONE)
    assert view.raised == Limits(50 * ONE, 500 * ONE)
    assert view.raised_from_ms == crowd.clock.now_ms() + DELAY_S * 1000
    crowd.clock.advance(DELAY_S * 1000)
    view = await limits.of(who)
    assert (view.present, view.raised) == (Limits(50 * ONE, 500 * ONE), None)
    assert await kinds(crowd) == ["limits.changed", "limits.raise_asked"]


async def test_a_pending_raise_is_taken_back_once(crowd: People, limits: SpendingLimits):
    who = await member(crowd)
    await limits.change(who, OwnLimits(10 * ONE, 10 * ONE), None)
    await limits.change(who, OwnLimits(), PASSPHRASE)
    for _ in range(2):
        assert (await limits.cancel(who)).raised is None
    crowd.clock.advance(DELAY_S * 1000)
    assert (await limits.of(who)).present == Limits(10 * ONE, 10 * ONE)
    assert await kinds(crowd) == ["limits.changed", "limits.raise_asked", "limits.changed"]


async def test_a_frozen_member_lowers_and_does_not_raise(crowd: People, limits: SpendingLimits):
    who = await member(crowd)
    await crowd.freezing.freeze("mb_operator", who, "lost phone")
    await limits.change(who, OwnLimits(10 * ONE, 10 * ONE), None)
    with pytest.raises(MemberFrozen):
        await limits.change(who, OwnLimits(), PASSPHRASE)


async def test_without_a_wallet_nothing_is_raised(crowd: People, limits: SpendingLimits):
    who = await crowd.verified("minji", "김민지", "010-1234-5678")
    await limits.change(who, OwnLimits(10 * ONE, 10 * ONE), None)
    with pytest.raises(WalletMissing):
        await limits.change(who, OwnLimits(), PASSPHRASE)


async def test_a_raise_without_passphrase_never_wins_a_race(crowd: People, limits: SpendingLimits):
    """Two requests that each only lower, seen from where they began: the lower one holds."""
    who = await member(crowd)
    await asyncio.gather(
        *(limits.change(who, OwnLimits(n * ONE, n * ONE), None) for n in (90, 20, 70, 40)),
        return_exceptions=True,
    )
    present = (await limits.of(who)).present
    assert present.payment == 20 * ONE


async def kinds(crowd: People) -> list[str]:
    query = select(events.events.c.kind).where(events.events.c.kind.startswith("limits."))
    return list(
        await crowd.database.read(lambda c: c.scalars(query.order_by(events.events.c.id)).all())
    )

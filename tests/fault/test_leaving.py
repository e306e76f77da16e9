"""Closing an account with money about: what stops it, what it stops, and what is left for ever."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from jigap import members
from jigap.clock import DAY_MS
from jigap.database import Database, metadata
from jigap.members import MemberClosed, MemberFrozen, SessionMissing
from jigap.privacy import BalanceLeft, Closed, Closing, Holdings, PaymentsUnfinished, Retention
from jigap.transfers import Standing, refusals, rewrap_memos, transfers
from tests.fault.world import PASSPHRASE, World, world


class AnyProof:
    """Proving oneself is tested elsewhere."""

    async def password(self, asker: Any, password: str) -> None:
        pass

    def succeeded(self, connection: Any, asker: Any) -> None:
        pass


async def close(one: World, member_id: str, *, leave_balance: bool = False) -> Closed:
    closing = Closing(one.database, one.ring, one.clock, one.settings, AnyProof())  # type: ignore[arg-type]
    asker = SimpleNamespace(member=await one.database.read(members.get, member_id))
    return await closing.close(asker, "", leave_balance=leave_balance)  # type: ignore[arg-type]


async def two(one: World, amount: str = "100") -> tuple[str, str]:
    payer, payee = await one.add_member("payer"), await one.add_member("payee")
    await one.add_token("EST", "payer", amount)
    return payer, payee


async def test_refuses_while_payments_of_either_side_are_under_way(database, tmp_path):
    async with world(database, tmp_path) as one:
        payer, payee = await two(one)
        await one.pay(payer, payee, "100", "key-0001")
        for who in (payer, payee):
            with pytest.raises(PaymentsUnfinished):
                await close(one, who, leave_balance=True)
        await one.turn(3)
        await close(one, payer)
        with pytest.raises(BalanceLeft) as left:
            await close(one, payee)
        assert left.value.facts["balances"] == {"EST": "100"}


async def test_refuses_while_a_payment_waits_for_its_delay(database, tmp_path):
    settings = {"new_payee_warn": "50", "new_payee_delay_s": 3600}
    async with world(database, tmp_path, **settings) as one:
        payer, payee = await two(one)
        made = await one.pay(payer, payee, "60", "key-0001", acknowledged=True)
        with pytest.raises(PaymentsUnfinished):
            await close(one, payer, leave_balance=True)
        await close(one, payee)  # nothing is coming to them yet, and now never will
        one.clock.advance(3600 * 1000)
        with pytest.raises(refusals.RecipientNotReady):
            await one.payments.confirm(payer, made.id, PASSPHRASE)
        withdrawn = await one.payments.withdraw(payer, made.id)
        assert withdrawn.state is Standing.WITHDRAWN


async def test_nobody_pays_and_nobody_is_paid_from_then_on(database, tmp_path):
    async with world(database, tmp_path) as one:
        payer, payee = await two(one)
        await close(one, payee)
        with pytest.raises(refusals.RecipientNotReady):
            await one.pay(payer, payee, "1", "key-0001")
        await close(one, payer, leave_balance=True)
        with pytest.raises(MemberClosed):
            await one.pay(payer, payee, "1", "key-0002")
        with pytest.raises(SessionMissing):
            await close(one, payer)


async def test_a_frozen_member_does_not_slip_away(database, tmp_path):
    async with world(database, tmp_path) as one:
        payer = await one.add_member("payer")
        await one.database.write(members.change, payer, frozen_ms=1)
        with pytest.raises(MemberFrozen):
            await close(one, payer)


async def test_a_payment_and_a_closing_at_once_are_never_both(database, tmp_path):
    async with world(database, tmp_path) as one:
        payer, payee = await two(one)
        paid, closed = await asyncio.gather(
            one.pay(payer, payee, "1", "key-0001"),
            close(one, payer, leave_balance=True),
            return_exceptions=True,
        )
        if isinstance(paid, BaseException):
            assert isinstance(paid, MemberClosed)
            assert isinstance(closed, Closed)
        else:
            assert isinstance(closed, PaymentsUnfinished)


async def test_after_erasing_the_books_are_whole_and_name_nobody(database, tmp_path):
    async with world(database, tmp_path) as one:
        payer, payee = await two(one)
        await one.pay(payer, payee, "40", "key-0001", memo="고마워 minji")
        await one.turn(3)
        await one.pay(payee, payer, "10", "key-0002", memo="내 답장")
        await one.turn(3)
        closed = await close(one, payer, leave_balance=True)
        assert closed.erased_after_ms - closed.closed_ms == one.settings.retention_days * DAY_MS
        keeper = Retention(one.database, one.vault.files, one.clock, one.settings)
        assert await keeper.forget(closed.erased_after_ms - 1) == 0
        assert await keeper.forget(closed.erased_after_ms) == 1
        found, _ = await one.payments.page(payee, None, 10)
        assert {(p.amount // 10**18, p.memo, p.state) for p in found} == {
            (10, "내 답장", Standing.CONFIRMED),
            (40, "", Standing.CONFIRMED),
        }
        assert await one.held(payer) == 70 * 10**18, "what stays behind is still counted"
        await one.turn(2)
        token, _ = await one.tokens.find("EST")
        assert not token.stopped_reason, "the auditor finds nothing wrong"


async def test_memos_follow_a_new_master_key(database, tmp_path):
    async with world(database, tmp_path) as one:
        payer, payee = await two(one)
        for number in range(3):
            await one.pay(payer, payee, "1", f"key-{number}", memo=f"memo {number}")
        await one.pay(payer, payee, "1", "key-none")
        version = one.ring.add_version()
        first = await database.write(rewrap_memos, one.ring, "", 2)
        rest = await database.write(rewrap_memos, one.ring, first[-1], 2)
        assert (len(first), len(rest)) == (2, 1)
        assert await database.write(rewrap_memos, one.ring) == []
        sealed = await database.read(lambda c: c.scalars(select(transfers.c.memo_sealed)).all())
        assert {one.ring.sealed_with(memo) for memo in sealed if memo} == {version}
        found, _ = await one.payments.page(payer, None, 10)
        assert sorted(p.memo for p in found) == ["", "memo 0", "memo 1", "memo 2"]
        await one.turn(3)


async def test_every_kind_of_record_of_a_payer_can_be_told(database, tmp_path):
    async with world(database, tmp_path) as one:
        payer, payee = await two(one)
        await one.pay(payer, payee, "40", "key-0001")
        await one.turn(3)
        reader = Holdings(one.database, one.ring, one.clock)
        await reader.begin(payer)
        told = {
            section: [row async for page in reader.rows(payer, section) for row in page]
            for section in reader.sections()
        }
        assert json.loads(msgspec.json.encode(told)) == told  # as strictly as the server
        (spent,) = told["spending_days"]
        assert spent["amount"] == "40"
        assert told["gas_refills"][0]["amount_hug"].isdigit()
        assert told["wallets"][0]["symid"] == "0x" + (await one.symid(payer)).hex()
        assert payee not in json.dumps(told)


async def test_a_payment_to_whoever_closes_at_once_arrives_or_is_refused(database, tmp_path):
    """Never does a payment go to an account that nobody can open any more."""
    async with world(database, tmp_path) as one:
        payer, _ = await two(one)
        for number in range(4):
            payee = await one.add_member(f"leaving-{number}")
            paid, closed = await asyncio.gather(
                one.pay(payer, payee, "1", f"key-{number}"),
                close(one, payee, leave_balance=True),
                return_exceptions=True,
            )
            if isinstance(closed, Closed):
                assert isinstance(paid, refusals.RecipientNotReady), paid
            else:
                assert isinstance(closed, PaymentsUnfinished), closed
                assert not isinstance(paid, BaseException)
            await one.turn(3)


async def test_who_is_being_paid_cannot_leave_meanwhile(postgres_url, tmp_path):
    """The two orders in which a closing and a payment can meet on PostgreSQL."""
    database = Database(postgres_url)
    metadata.create_all(database.engine)
    async with world(database, tmp_path) as one:
        payee = await one.add_member("payee")
        with database.engine.connect() as paying:
            assert members.keep_from_leaving(paying, payee)
            closing = asyncio.create_task(close(one, payee))
            await asyncio.sleep(0.3)
            assert not closing.done()
            paying.rollback()
        await closing
        with database.engine.connect() as paying:
            assert not members.keep_from_leaving(paying, payee)
    database.close()

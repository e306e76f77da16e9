"""Much money for somebody new: a warning, a delay, the passphrase again, or the money back."""

import pytest

from jigap.transfers import Standing, refusals
from tests.fault.world import PASSPHRASE, LyingNode, dump, load, world

DELAY_S = 3600
RISKY = {"new_payee_warn": "50", "new_payee_delay_s": DELAY_S}


async def test_much_money_for_somebody_new_is_warned_of_once(database, tmp_path):
    async with world(database, tmp_path, new_payee_warn="50") as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "200")
        with pytest.raises(refusals.NewPayeeWarning):
            await one.pay(payer, payee, "50", "key-0001")
        await one.pay(payer, payee, "49", "key-0002")  # not much
        made = await one.pay(payer, payee, "50", "key-0001", acknowledged=True)
        assert made.state is Standing.SIGNED
        await one.turn(3)
        known = await one.pay(payer, payee, "60", "key-0003")  # not new any more
        assert known.state is Standing.SIGNED


async def test_a_delayed_payment_holds_its_amount_and_is_nowhere_on_the_wire(database, tmp_path):
    async with world(database, tmp_path, **RISKY) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        made = await one.pay(payer, payee, "60", "key-0001", acknowledged=True)
        again = await one.pay(payer, payee, "60", "key-0001", acknowledged=True)
        assert (made.state, made.transaction_hash, again.id) == (Standing.DELAYED, None, made.id)
        assert await one.balance(payer) == (40, 60)
        await one.turn(3)
        assert await one.unfinished() == []
        with pytest.raises(refusals.TransferUnknown):
            await one.payments.get(payee, made.id)  # nothing is coming yet
        with pytest.raises(refusals.DelayNotOver) as early:
            await one.payments.confirm(payer, made.id, PASSPHRASE)
        assert early.value.retry_after_s == DELAY_S


async def test_the_payer_confirms_after_the_delay_with_the_passphrase(database, tmp_path):
    async with world(database, tmp_path, **RISKY) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        made = await one.pay(payer, payee, "60", "key-0001", acknowledged=True)
        one.clock.advance(DELAY_S * 1000)
        with pytest.raises(Exception, match="passphrase"):
            await one.payments.confirm(payer, made.id, "not the passphrase")
        confirmed = await one.payments.confirm(payer, made.id, PASSPHRASE)
        assert (confirmed.id, confirmed.state) == (made.id, Standing.SIGNED)
        assert (await one.payments.confirm(payer, made.id, PASSPHRASE)).nonce == confirmed.nonce
        await one.turn(3)
        assert await one.held(payee) == 60 * 10**18
        assert await one.balance(payer) == (40, 0)
        with pytest.raises(refusals.NotDelayed):
            await one.payments.withdraw(payer, made.id)


async def test_the_payer_takes_a_delayed_payment_back(database, tmp_path):
    async with world(database, tmp_path, daily_limit_level_1="100", **RISKY) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        made = await one.pay(payer, payee, "60", "key-0001", acknowledged=True)
        back = await one.payments.withdraw(payer, made.id)
        assert (back.state, back.state.is_final) == (Standing.WITHDRAWN, True)
        assert (await one.payments.withdraw(payer, made.id)).state is Standing.WITHDRAWN
        assert await one.balance(payer) == (100, 0)
        one.clock.advance(DELAY_S * 1000)
        with pytest.raises(refusals.NotDelayed):
            await one.payments.confirm(payer, made.id, PASSPHRASE)
        # Its part of the day's limit came back, too.
        await one.pay(payer, payee, "45", "key-0002")
        await one.pay(payer, payee, "45", "key-0003")


async def test_nobody_else_confirms_or_withdraws(database, tmp_path):
    async with world(database, tmp_path, **RISKY) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        made = await one.pay(payer, payee, "60", "key-0001", acknowledged=True)
        for act in (
            one.payments.confirm(payee, made.id, PASSPHRASE),
            one.payments.withdraw(payee, made.id),
        ):
            with pytest.raises(refusals.TransferUnknown):
                await act


async def test_a_payment_confirmed_after_the_backup_is_the_one_that_was_delayed_in_it(
    database, tmp_path
):
    node = LyingNode()
    async with world(database, tmp_path, node, **RISKY) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        made = await one.pay(payer, payee, "60", "key-0001", acknowledged=True)
        kept = await dump(database)
        one.clock.advance(DELAY_S * 1000)
        await one.payments.confirm(payer, made.id, PASSPHRASE)
        await one.turn(3)
    await load(database, kept)
    async with world(database, tmp_path, node, **RISKY) as again:
        found = await again.pay(payer, payee, "60", "key-0001", acknowledged=True)
        assert (found.id, found.state) == (made.id, Standing.CONFIRMED)
        assert await again.balance(payer) == (40, 0)

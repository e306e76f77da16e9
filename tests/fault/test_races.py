"""Many at once: one key has one effect, nobody overdraws, no nonce and no budget is lost."""

import asyncio

import pytest

from jigap.money import format_amount
from jigap.transfers import Standing, refusals
from tests.fault.world import world


async def test_32_copies_of_one_request_have_one_effect(database, tmp_path):
    async with world(database, tmp_path) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        copies = await asyncio.gather(*(one.pay(payer, payee, "10", "key-0001") for _ in range(32)))
        assert len({copy.id for copy in copies}) == 1
        await one.turn(3)
        assert await one.balance(payer) == (90, 0)
        assert await one.held(payee) == 10 * 10**18


async def test_50_sends_near_the_balance_never_overdraw_nor_leave_a_gap(database, tmp_path):
    async with world(database, tmp_path) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        answers = await asyncio.gather(
            *(one.pay(payer, payee, "3", f"key-{number:04}") for number in range(50)),
            return_exceptions=True,
        )
        made = [answer for answer in answers if not isinstance(answer, BaseException)]
        refused = [answer for answer in answers if isinstance(answer, BaseException)]
        assert len(made) == 33
        assert {type(answer) for answer in refused} == {refusals.BalanceInsufficient}
        waiting = await one.unfinished()
        sender = await one.symid(payer)
        assert sorted(w.nonce for w in waiting if w.sender == sender) == list(range(33))
        await one.turn(4)
        states = {(await one.payments.get(payer, t.id)).state for t in made}
        assert states == {Standing.CONFIRMED}
        assert await one.balance(payer) == (1, 0)
        assert await one.held(payee) == 99 * 10**18


async def test_a_refusal_gives_amounts_as_people_write_them(database, tmp_path):
    async with world(database, tmp_path) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        with pytest.raises(refusals.BalanceInsufficient) as refused:
            await one.pay(payer, payee, "100.5", "key-0001")
        assert refused.value.facts == {"amount": "100.5", "available": format_amount(10**20)}


async def test_64_payments_share_the_last_unit_of_the_gas_budget(database, tmp_path):
    """One refill fits into what is left of the budget; 64 members ask for it at once."""
    async with world(database, tmp_path) as one:
        payee = await one.add_member("payee")
        payers = [await one.add_member(f"payer{number}") for number in range(64)]
        await one.add_token("EST", "payer0", "1")
        for number in range(1, 64):
            await one.tokens.mint("mb_operator", f"mint-{number:04}", "EST", "1", f"payer{number}")
        await one.turn(3)
    one_refill = 4 * _gas_of_a_payment() + 49_000
    async with world(
        database, tmp_path, one.node, gas_budget_total=one_refill + one_refill // 2
    ) as poor:
        made = await asyncio.gather(*(poor.pay(p, payee, "1", "key-0001") for p in payers))
        served = [t for t in made if not t.queued_reason]
        assert len(served) == 1
        assert {t.queued_reason for t in made} == {"", "gas_budget_spent"}
        await poor.turn(4)
        assert await poor.held(payee) == 10**18
        assert len(await poor.unfinished()) == 63


def _gas_of_a_payment() -> int:
    """The most a payment of one token can use: its SymIDs and tag decide the zero bytes."""
    from jigap.chain import gas, sct20

    return gas.gas_used(False, 1, sct20.encode(sct20.Transfer(b"\xff" * 10, 10**18)))


async def test_lanes_of_two_platform_processes_never_share_a_nonce(database, tmp_path):
    """Two web processes with locks of their own, one database."""
    async with world(database, tmp_path) as one, world(database, tmp_path, one.node) as two:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        answers = await asyncio.gather(
            *(
                (one if number % 2 else two).pay(payer, payee, "3", f"key-{number:04}")
                for number in range(24)
            ),
            return_exceptions=True,
        )
        made = [answer for answer in answers if not isinstance(answer, BaseException)]
        sender = await one.symid(payer)
        nonces = sorted(w.nonce for w in await one.unfinished() if w.sender == sender)
        assert nonces == list(range(len(made)))
        assert len(made) >= 1
        assert Standing.SIGNED in {t.state for t in made}

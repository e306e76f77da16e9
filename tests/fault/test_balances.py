"""A balance is the node's, of the block that our holds are of; it never shows more than is free."""

import asyncio
import logging
import random

import pytest

from jigap import transfers
from jigap.node.client import NodeUnreachable
from jigap.transfers import balances, refusals
from tests.fault.world import World, world

ONE = 10**18


async def _of(one: World, member_id: str) -> dict[str, transfers.Balance]:
    return {found.token: found for found in await one.balances.of(await one.symid(member_id))}


async def _town(one: World) -> tuple[str, str]:
    payer, payee = await one.add_member("payer"), await one.add_member("payee")
    await one.add_token("EST", "payer", "100")
    return payer, payee


async def test_the_node_is_asked_for_the_block_that_the_holds_are_of(database, tmp_path):
    """The payment is in a block that we have not taken in: still on hold, and not yet paid."""
    async with world(database, tmp_path) as one:
        payer, payee = await _town(one)
        await one.pay(payer, payee, "30", "key-0001")
        await one.dispatcher.turn()
        one.node.mine()
        seen = (await _of(one, payer))["EST"]
        assert (seen.total, seen.on_hold, seen.available) == (100 * ONE, 30 * ONE, 70 * ONE)
        assert seen.asked and seen.height == one.node.blocks[-1].number - 1
        await one.turn()
        seen = (await _of(one, payer))["EST"]
        assert (seen.total, seen.on_hold, seen.available) == (70 * ONE, 0, 70 * ONE)
        assert (await _of(one, payee))["EST"].available == 30 * ONE


async def test_every_token_is_asked_for(database, tmp_path):
    async with world(database, tmp_path) as one:
        payer, payee = await _town(one)
        await one.add_token("WON", "payee", "7")
        both = await asyncio.gather(*(_of(one, who) for who in (payer, payee, payer)))
        shown = [{name: seen.available // ONE for name, seen in each.items()} for each in both]
        assert shown == [{"EST": 100, "WON": 0}, {"EST": 0, "WON": 7}, {"EST": 100, "WON": 0}]
        assert all(seen.asked for each in both for seen in each.values())


async def test_who_has_no_account_has_nothing_and_nobody_is_asked(database, tmp_path):
    async with world(database, tmp_path) as one:
        await _town(one)
        (seen,) = await one.balances.of(None)
        assert (seen.total, seen.available, seen.asked) == (0, 0, False)


async def test_what_the_node_cannot_say_is_from_the_index_and_marked(database, tmp_path):
    """A node restored from an older copy does not have our block."""
    async with world(database, tmp_path) as one:
        payer, payee = await _town(one)
        await one.pay(payer, payee, "30", "key-0001")
        gone = one.node.states.pop()
        seen = (await _of(one, payer))["EST"]
        assert (seen.total, seen.on_hold, seen.available) == (100 * ONE, 30 * ONE, 70 * ONE)
        assert not seen.asked
        one.node.states.append(gone)
        await one.turn(2)


@pytest.mark.parametrize("trouble", ["away", "silent"])
async def test_a_node_that_is_away_is_left_in_peace_and_then_asked_again(
    database, tmp_path, monkeypatch, trouble
):
    monkeypatch.setattr(balances, "NODE_WAIT_S", 0.05)
    asked, now_s = [], 100.0

    class Node:
        async def token_balances(self, pairs, tag):
            asked.append(tag)
            if trouble == "away":
                raise NodeUnreachable("no node")
            await asyncio.sleep(60)

    async with world(database, tmp_path) as one:
        payer, _ = await _town(one)
        one.balances = transfers.Balances(database, Node(), lambda: now_s)
        for _ in range(3):
            seen = (await _of(one, payer))["EST"]
            assert (seen.available, seen.asked) == (100 * ONE, False)
        assert len(asked) == 1
        now_s += balances.NODE_PAUSE_S
        await _of(one, payer)
        assert len(asked) == 2


@pytest.mark.parametrize(("said", "free"), [(90, 90), (110, 100)])
async def test_where_node_and_index_differ_the_lesser_is_free_and_it_is_logged(
    database, tmp_path, caplog, said, free
):
    async with world(database, tmp_path) as one:
        payer, _ = await _town(one)

        class Node:
            async def token_balances(self, pairs, tag):
                return [said * ONE for _ in pairs]

        one.balances = transfers.Balances(database, Node())
        with caplog.at_level(logging.ERROR, logger="jigap.balances"):
            seen = (await _of(one, payer))["EST"]
        assert (seen.total, seen.available) == (said * ONE, free * ONE)
        assert "differ about EST" in caplog.text
        assert (await one.symid(payer)).hex() not in caplog.text


@pytest.mark.parametrize("seed", range(4))
async def test_it_never_shows_more_nor_less_than_is_free_while_payments_are_under_way(
    database, tmp_path, seed
):
    """Whatever happens in between: what was there, less all that was ever accepted."""
    dice = random.Random(seed)
    async with world(database, tmp_path) as one:
        payer, payee = await _town(one)
        free = 100

        async def check() -> None:
            seen = (await _of(one, payer))["EST"]
            assert seen.asked
            assert (seen.available, seen.total - seen.on_hold) == (free * ONE, free * ONE)

        for number in range(20):
            match dice.randrange(4):
                case 0:
                    amount = dice.randrange(1, 12)
                    try:
                        await one.pay(payer, payee, str(amount), f"key-{number:04}")
                        free -= amount
                    except refusals.BalanceInsufficient:
                        assert amount > free
                case 1:
                    one.node.mine()
                case 2:
                    await one.dispatcher.turn()
                case 3:
                    one.node.hidden = dice.randrange(3)
            await check()
        one.node.hidden = 0
        await one.turn(4)
        await check()

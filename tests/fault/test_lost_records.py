"""Records older than the chain, and an outsider who makes the chain look as if they were.

After a restore from backup the chain and the node's pool hold payments that the records have lost.
They are found by their tags; but a tag is public once it is on the chain, and the owner of an
exported key may copy it.
"""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from jigap import members, transfers
from jigap.chain import sct20, transaction
from jigap.database import Database
from jigap.lanes import outgoing
from jigap.transfers import Standing, refusals
from tests.fault.world import CHAIN_ID, PASSPHRASE, LyingNode, World, dump, load, world


@pytest.mark.parametrize("order", ["ab", "ba", "b"])
async def test_payments_that_wait_in_the_pool_are_found_before_new_ones_are_taken(
    database: Database, tmp_path: Path, order: str
) -> None:
    """Two payments are in the pool, in no block, and the records know neither."""
    amounts = {"a": "10", "b": "20"}
    node = LyingNode()
    async with world(database, tmp_path, node) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        await one.pay(payer, payee, "1", "key-first")
        await one.turn(3)
        kept = await dump(database)
        made = {name: await one.pay(payer, payee, amounts[name], f"key-{name}") for name in "ab"}
        await one.dispatcher.turn()
        assert len(node.pool) == 2
    await load(database, kept)

    again = World(database, node, tmp_path)
    starting = asyncio.create_task(again.dispatcher.start())
    await asyncio.sleep(0.2)
    assert not starting.done()
    with pytest.raises(refusals.CatchingUp):
        await again.pay(payer, payee, "20", "key-b")
    node.mine()
    await asyncio.wait_for(starting, 10)
    for name in order:
        found = await again.pay(payer, payee, amounts[name], f"key-{name}")
        assert found.state is Standing.CONFIRMED
        assert found.transaction_hash == made[name].transaction_hash
    await again.pay(payer, payee, "5", "key-new")
    await again.turn(3)
    assert await again.balance(payer) == (64, 0)
    assert await again.held(payee) == 36 * 10**18
    again.close()


@pytest.mark.parametrize("at", ["behind", "instead"])
async def test_a_copied_tag_is_a_strangers_payment_and_stops_nothing(
    database: Database, tmp_path: Path, at: str
) -> None:
    """The owner of an exported key sends a payment of their own with the tag of one of ours."""
    async with world(database, tmp_path) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        await one.pay(payer, payee, "1", "key-first")
        await one.turn(3)
        made = await one.pay(payer, payee, "30", "key-0001")
        if at == "behind":
            await one.turn(2)
        nonce = await one.node.nonce(await one.symid(payer), -1)
        copy = await copied(one, made, nonce, 7)
        assert (await one.node.submit(copy.raw)).kind == "accepted"
        if at == "instead":
            one.node.mine()
        await one.turn(3)

        ended = await one.payments.get(payer, made.id)
        mined = at == "behind"
        assert ended.state is (Standing.CONFIRMED if mined else Standing.VOID)
        assert await one.held(payee) == (38 if mined else 8) * 10**18
        again = await one.pay(payer, payee, "30", "key-0001")
        assert (again.id, again.state) == (ended.id, ended.state)
        after = await one.pay(payer, payee, "2", "key-0002")
        await one.turn(3)
        assert (await one.payments.get(payer, after.id)).state is Standing.CONFIRMED


async def copied(
    one: World, made: transfers.Transfer, nonce: int, amount: int
) -> transaction.SignedTransaction:
    """A payment signed outside, with the tag of ``made``."""
    raw = await one.database.read(_raw, made.transaction_hash)
    ours = transaction.decode(raw).transaction
    outside = transaction.Transaction(
        sender=made.sender_symid,
        nonce=nonce,
        gas_price=ours.gas_price,
        gas_limit=100_000,
        to=ours.to,
        value=0,
        input=sct20.encode(sct20.Transfer(made.recipient_symid, amount * 10**18)),
        type=ours.type,
        work_nodes=ours.work_nodes,
        extra_data=ours.extra_data,
    )
    owner = await one.database.read(members.get, made.member_id)
    async with one.vault.unlocked(owner.wallet.id, PASSPHRASE) as key:
        return key.sign(outside, CHAIN_ID)


def _raw(connection: Connection, hash_: bytes) -> bytes:
    return connection.scalar(select(outgoing.c.raw).where(outgoing.c.hash == hash_))

"""A void that looks like a confirmation, and the reverse: only a block ends a payment.

Receipts are withheld, pools refuse, answers are lost, a node answers from an older height, an
outsider uses the same nonce. Whatever the node says, nothing is paid twice, nothing accepted is
forgotten, and the amount on hold becomes free only when the payment can never happen any more.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jigap import tokens, transfers
from jigap.chain import sct20, transaction
from jigap.database import Database
from jigap.node.client import Submitted
from jigap.tokens import KeyReused
from jigap.transfers import Standing, refusals
from tests.fault.world import CHAIN_ID, PASSPHRASE, LyingNode, World, dump, load, world


@pytest.fixture
async def one(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    async with world(database, tmp_path) as made:
        made.payer = await made.add_member("payer")
        made.payee = await made.add_member("payee")
        await made.add_token("EST", "payer", "100")
        yield made


async def state_of(one: World, transfer: transfers.Transfer) -> Standing:
    return (await one.payments.get(transfer.member_id, transfer.id)).state


async def test_a_payment_goes_from_accepted_to_confirmed(one):
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    assert made.state is Standing.SIGNED
    assert await one.balance(one.payer) == (70, 30)
    assert made.gas_refill_hug > 0
    await one.turn(2)
    done = await one.payments.get(one.payer, made.id)
    assert (done.state, done.reason) == (Standing.CONFIRMED, "")
    assert done.block_number == await one.height()
    assert await one.balance(one.payer) == (70, 0)
    assert await one.balance(one.payee) == (30, 0)


async def test_a_replay_is_the_same_payment_in_its_present_state(one):
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    await one.turn(2)
    again = await one.pay(one.payer, one.payee, "30", "key-0001")
    assert (again.id, again.state) == (made.id, Standing.CONFIRMED)
    with pytest.raises(KeyReused):
        await one.pay(one.payer, one.payee, "31", "key-0001")
    assert await one.balance(one.payer) == (70, 0)


async def test_a_wrong_passphrase_binds_nothing(one):
    recipient = one.directory.make_recipient(one.payee, one.payer, one.clock.now_ms())
    order = transfers.Order(recipient, "EST", "30")
    with pytest.raises(Exception, match="passphrase"):
        await one.payments.send(one.payer, "key-0001", order, "not the passphrase")
    assert await one.balance(one.payer) == (100, 0)
    assert (await one.payments.send(one.payer, "key-0001", order, PASSPHRASE)).state


async def test_a_lost_answer_is_followed_by_the_same_bytes(one):
    one.node.answer = lambda _: Submitted("unknown", "kept")
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    await one.dispatcher.turn()  # the refill leaves
    one.node.mine()
    await one.dispatcher.turn()  # the payment leaves; its answer is lost, the node has it
    assert await state_of(one, made) is Standing.UNKNOWN
    one.node.mine()
    await one.dispatcher.turn()
    assert await state_of(one, made) is Standing.CONFIRMED
    assert await one.held(one.payee) == 30 * 10**18


async def test_bytes_that_were_lost_are_sent_again_until_they_are_mined(one):
    one.node.answer = lambda _: Submitted("unknown", "dropped")
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    for _ in range(5):
        await one.turn()
        one.clock.advance(1_000)
    assert await state_of(one, made) is not Standing.CONFIRMED
    assert await one.balance(one.payer) == (70, 30)
    one.node.answer = lambda _: None
    await one.turn(3)
    assert await state_of(one, made) is Standing.CONFIRMED


async def test_a_payment_the_pool_never_takes_ends_void_by_its_cancel(one):
    payment_hash = None

    def refuse_calls(signed: transaction.SignedTransaction) -> Submitted | None:
        refused = signed.transaction.type == 1
        return Submitted("rejected", "not a member of the club") if refused else None

    one.node.answer = refuse_calls
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    payment_hash = made.transaction_hash
    await one.turn(2)
    one.clock.advance(1_000)
    await one.turn(2)
    ended = await one.payments.get(one.payer, made.id)
    assert (ended.state, ended.reason) == (Standing.VOID, "cancelled")
    assert await one.balance(one.payer) == (100, 0)
    # The payment can never be mined later: its nonce is gone.
    one.node.answer = lambda _: None
    (raw,) = [r for h, r in await _raws(one) if h == payment_hash]
    assert (await one.node.submit(raw)).message == "nonce too low"


async def test_a_payment_that_is_mined_although_its_cancel_was_sent_is_confirmed(one):
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    await one.turn()
    one.node.answer = lambda _: Submitted("unknown", "kept")
    await one.dispatcher.turn()
    one.clock.advance(one.settings.transfer_deadline_ms)
    await one.dispatcher.turn()
    assert await state_of(one, made) is Standing.CANCELLING
    one.node.mine()  # the pool had the payment all along
    await one.dispatcher.turn()
    assert await state_of(one, made) is Standing.CONFIRMED
    assert await one.balance(one.payer) == (70, 0)


async def test_a_deadline_cancels_what_never_reached_a_pool(one):
    one.node.answer = lambda signed: (
        Submitted("unknown", "dropped") if signed.transaction.type == 1 else None
    )
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    await one.turn(2)
    one.clock.advance(one.settings.transfer_deadline_ms)
    await one.turn(2)
    assert await state_of(one, made) is Standing.VOID
    assert await one.balance(one.payer) == (100, 0)


async def test_withheld_blocks_end_nothing(one):
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    await one.turn()
    one.node.mine()
    one.node.hidden = 1
    await one.dispatcher.turn()
    assert not (await state_of(one, made)).is_final
    assert await one.balance(one.payer) == (70, 30)
    one.node.hidden = 0
    await one.dispatcher.turn()
    assert await state_of(one, made) is Standing.CONFIRMED


async def test_a_node_that_answers_from_an_older_height_changes_nothing(one):
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    await one.turn(2)
    height = await one.height()
    one.node.hidden = 3
    await one.turn(blocks=False)
    assert await one.height() == height
    assert await state_of(one, made) is Standing.CONFIRMED
    assert await one.balance(one.payer) == (70, 0)


async def test_an_outsider_on_the_same_nonce_voids_the_payment(one):
    """The key was exported, and its owner pays with it elsewhere at the same moment."""
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    await one.dispatcher.turn()
    one.node.mine()  # the refill
    sender = await one.symid(one.payer)
    stranger = transaction.Transaction(
        sender=sender,
        nonce=made.nonce,
        gas_price=10**11,
        gas_limit=100_000,
        to=(await one.database.read(_token)).contract or b"",
        value=0,
        input=sct20.encode(sct20.Transfer(await one.symid(one.payee), 5 * 10**18)),
        type=1,
        work_nodes=(sender,),
        extra_data=b"",
    )
    async with one.vault.unlocked((await _wallet(one)).id, PASSPHRASE) as key:
        signed = key.sign(stranger, CHAIN_ID)
    assert (await one.node.submit(signed.raw)).kind == "accepted"
    await one.turn(2)
    ended = await one.payments.get(one.payer, made.id)
    assert (ended.state, ended.reason) == (Standing.VOID, "nonce_used_elsewhere")
    assert await one.balance(one.payer) == (95, 0)
    assert await one.balance(one.payee) == (5, 0)
    # The lane goes on behind the outsider.
    after = await one.pay(one.payer, one.payee, "10", "key-0002")
    assert after.nonce == made.nonce + 1
    await one.turn(3)
    assert await state_of(one, after) is Standing.CONFIRMED


async def test_a_payment_the_contract_refuses_frees_its_amount(one):
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    await one.tokens.burn("mb_operator", "burn-0001", "EST", "80", "payer")
    await one.turn(4)
    ended = await one.payments.get(one.payer, made.id)
    assert ended.state in (Standing.CONFIRMED, Standing.REFUSED)
    holds = await one.balance(one.payer)
    assert holds[1] == 0
    assert holds[0] == await one.held(one.payer) // 10**18


async def test_an_overdraft_is_refused_and_holds_count(one):
    await one.pay(one.payer, one.payee, "60", "key-0001")
    with pytest.raises(refusals.BalanceInsufficient):
        await one.pay(one.payer, one.payee, "50", "key-0002")
    await one.pay(one.payer, one.payee, "40", "key-0003")
    assert await one.balance(one.payer) == (0, 100)
    await one.turn(3)
    assert await one.balance(one.payee) == (100, 0)


async def test_a_restored_database_finds_its_payments_on_the_chain(
    database: Database, tmp_path: Path
):
    """A platform whose records are older than the chain pays nothing twice."""
    node = LyingNode()
    async with world(database, tmp_path, node) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        kept = await dump(database)
        made = await one.pay(payer, payee, "30", "key-0001")
        await one.turn(3)
        assert await one.balance(payer) == (70, 0)
    await load(database, kept)
    async with world(database, tmp_path, node) as again:
        found = await again.pay(payer, payee, "30", "key-0001")
        assert found.state is Standing.CONFIRMED
        assert found.transaction_hash == made.transaction_hash
        with pytest.raises(KeyReused):
            await again.pay(payer, payee, "31", "key-0001")
        await again.turn(2)
        assert await again.balance(payer) == (70, 0)
        assert await again.held(payee) == 30 * 10**18


async def test_a_gas_budget_that_is_spent_queues_and_loses_nothing(
    database: Database, tmp_path: Path
):
    async with world(database, tmp_path, gas_budget_day=1) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        made = await one.pay(payer, payee, "30", "key-0001")
        assert made.queued_reason == "gas_budget_spent"
        await one.turn(2)
        assert await one.balance(payer) == (70, 30)
    async with world(database, tmp_path, one.node) as richer:
        richer.clock.advance(2_000)
        await richer.turn(4)
        assert (await richer.payments.get(payer, made.id)).state is Standing.CONFIRMED


async def _raws(one: World) -> list[tuple[bytes, bytes]]:
    from jigap.lanes import outgoing

    return await one.database.read(
        lambda connection: [
            (row.hash, row.raw) for row in connection.execute(outgoing.select()).all()
        ]
    )


def _token(connection):
    from jigap import tokens

    return tokens.find(connection, "EST")


async def _wallet(one: World):
    from jigap import members

    return (await one.database.read(members.get, one.payer)).wallet


async def test_a_lost_database_finds_tokens_and_refills_on_the_chain(
    database: Database, tmp_path: Path
):
    """Nothing but the keys and the chain is left: the books still agree."""
    node = LyingNode()
    async with world(database, tmp_path, node) as one:
        empty = await dump(database)
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        await one.pay(payer, payee, "30", "key-0001")
        await one.turn(3)
    await load(database, {name: [] for name in empty})
    async with world(database, tmp_path, node):
        found = await database.read(tokens.find, "EST")
        assert found.contract

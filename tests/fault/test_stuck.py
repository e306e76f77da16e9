"""A payment that neither goes nor can be undone is seen by operators, and ends if it still can."""

from pathlib import Path

from sqlalchemy import select

from jigap import events, transfers
from jigap.chain import symid
from jigap.chain.citizen import CitizenTransaction
from jigap.chain.citizen import sign as sign_citizen
from jigap.database import Database
from jigap.node.client import Submitted
from jigap.node.transition import CitizenCandidate
from jigap.transfers import Standing
from jigap.transfers.stuck import Why
from tests.fault.world import CHAIN_ID, KEYS, world


async def test_a_payer_revoked_after_signing_keeps_the_amount_on_hold_and_operators_see_why(
    database: Database, tmp_path: Path
):
    async with world(database, tmp_path, stuck_after_s=60) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        await one.pay(payer, payee, "1", "key-0000")
        await one.turn(4)
        made = await one.pay(payer, payee, "30", "key-0001")
        who = await one.symid(payer)
        revoking = CitizenTransaction(
            sender=symid.FIRST_CA,
            to=who,
            nonce=one.node.state.citizen_nonce(symid.FIRST_CA),
            symid=who,
            key_hash=one.node.state.citizen(who).key_hash,
            status=4,
        )
        signed = sign_citizen(revoking, KEYS["ca"], CHAIN_ID)
        one.node.citizens.append(CitizenCandidate(signed, KEYS["ca"].public_key_hash))
        one.node.mine()
        await one.turn(1)
        one.clock.advance(one.settings.transfer_deadline_ms + 61_000)
        await one.turn(2)
        assert (await one.payments.get(payer, made.id)).state is Standing.CANCELLING
        assert await one.balance(payer) == (69, 30)
        (stuck,) = await database.read(transfers.stuck.listed, one.settings)
        assert (stuck.outgoing.subject_id, stuck.why) == (made.id, Why.REVOKED)


async def test_what_the_node_never_takes_is_told_of_once(database: Database, tmp_path: Path):
    async with world(database, tmp_path, stuck_after_s=60) as one:
        payer, payee = await one.add_member("payer"), await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        await one.pay(payer, payee, "1", "key-0000")
        await one.turn(4)
        made = await one.pay(payer, payee, "30", "key-0001")
        one.node.answer = lambda _: Submitted("rejected", "sender is not an active citizen")
        await one.turn(1)
        one.clock.advance(one.settings.transfer_deadline_ms + 59_000)
        await one.turn(1)
        assert await database.read(transfers.stuck.listed, one.settings) == []
        for _ in range(3):
            one.clock.advance(2_000)
            await one.turn(1)
        (stuck,) = await database.read(transfers.stuck.listed, one.settings)
        assert stuck.outgoing.subject_id == made.id
        assert (stuck.member_id, stuck.token, stuck.amount) == (payer, "EST", 30 * 10**18)
        assert stuck.why is Why.NODE
        assert stuck.outgoing.message == "sender is not an active citizen"
        told = select(events.events).where(events.events.c.kind == "transaction.stuck")
        (event,) = await database.read(lambda c: c.execute(told).all())
        assert (event.subject, event.member_id) == (made.id, payer)
        # The amount stays on hold: the chain decides. Here it does in the end.
        assert await one.balance(payer) == (69, 30)
        one.node.answer = lambda _: None
        one.clock.advance(2_000)
        await one.turn(2)
        assert (await one.payments.get(payer, made.id)).state is Standing.VOID
        assert await database.read(transfers.stuck.listed, one.settings) == []
        assert await one.balance(payer) == (99, 0)

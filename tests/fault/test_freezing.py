"""A frozen member's money stands still, wherever a payment had come to, and none of it is lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from jigap import audit, events, members, transfers
from jigap.database import Database
from jigap.lanes import State
from jigap.members import Freezing, MemberFrozen, OwnLimits, SpendingLimits
from jigap.node.client import Submitted
from jigap.transfers import Standing
from tests.fault.world import CHAIN_ID, PASSPHRASE, PaperCa, World, world

DELAY_S = 3600
RISKY = {"new_payee_warn": "50", "new_payee_delay_s": DELAY_S}
BOSS = "mb_operator"


class NoPasswords:
    """Nobody signs in here."""

    async def hash(self, password: str) -> str:
        raise NotImplementedError

    async def matches(self, password: str, hash_: str | None) -> bool:
        return False

    def is_outdated(self, hash_: str) -> bool:
        return False


class Frozen:
    """A world with a payer who has paid before, so that there is gas."""

    def __init__(self, world: World, payer: str, payee: str) -> None:
        self.world, self.payer, self.payee = world, payer, payee
        self.freezing = freezing_in(world)

    async def pay(self, amount: str, key: str) -> transfers.Transfer:
        return await self.world.pay(self.payer, self.payee, amount, key, acknowledged=True)

    async def state(self, transfer: transfers.Transfer) -> Standing:
        return (await self.world.payments.get(self.payer, transfer.id)).state


def freezing_in(one: World) -> Freezing:
    proofs = members.Proofs(one.database, one.clock, NoPasswords())
    return Freezing(one.database, one.ring, one.clock, CHAIN_ID, proofs)


async def begin(one: World, *, gas: bool = True) -> Frozen:
    payer, payee = await one.add_member("payer"), await one.add_member("payee")
    await one.add_token("EST", "payer", "100")
    if gas:
        await one.pay(payer, payee, "1", "key-0000")
        await one.turn(4)
    return Frozen(one, payer, payee)


async def test_a_payment_that_waits_to_leave_ends_void_and_its_amount_comes_back(
    database: Database, tmp_path: Path
):
    async with world(database, tmp_path) as one:
        town = await begin(one)
        made = await town.pay("30", "key-0001")
        await town.freezing.freeze_oneself(town.payer, "lost phone")
        assert await one.balance(town.payer) == (69, 30)
        await one.turn(2)
        assert made.transaction_hash not in one.node.seen
        assert await town.state(made) is Standing.VOID
        assert await one.balance(town.payer) == (99, 0)
        assert await one.held(town.payee) == 10**18


async def test_lifting_the_freeze_at_once_pays_nothing_by_surprise(
    database: Database, tmp_path: Path
):
    async with world(database, tmp_path) as one:
        town = await begin(one)
        made = await town.pay("30", "key-0001")
        await town.freezing.freeze(BOSS, town.payer, "asked by phone")
        await town.freezing.unfreeze(BOSS, town.payer)
        await one.turn(3)
        assert await town.state(made) is Standing.VOID
        again = await town.pay("30", "key-0002")
        await one.turn(3)
        assert await town.state(again) is Standing.CONFIRMED


async def test_a_freeze_while_the_dispatcher_is_about_to_send_is_in_time(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with world(database, tmp_path) as one:
        town = await begin(one)
        made = await town.pay("30", "key-0001")
        read = database.read

        async def freezing(fn: Any, *args: Any, **kwargs: Any) -> Any:
            found = await read(fn, *args, **kwargs)
            if fn == one.dispatcher._departures:
                await town.freezing.freeze_oneself(town.payer)
            return found

        monkeypatch.setattr(database, "read", freezing)
        await one.turn(3)
        monkeypatch.setattr(database, "read", read)
        assert made.transaction_hash not in one.node.seen
        assert await town.state(made) is Standing.VOID


async def test_what_is_on_the_wire_already_goes_on(database: Database, tmp_path: Path):
    async with world(database, tmp_path) as one:
        town = await begin(one)
        made = await town.pay("30", "key-0001")
        await one.dispatcher.turn()
        await town.freezing.freeze_oneself(town.payer)
        await one.turn(2)
        assert await town.state(made) is Standing.CONFIRMED


async def test_an_answer_that_was_lost_is_asked_for_again_though_frozen(
    database: Database, tmp_path: Path
):
    """The bytes may be anywhere: only the chain says what became of them."""
    async with world(database, tmp_path) as one:
        town = await begin(one)
        made = await town.pay("30", "key-0001")
        one.node.answer = lambda _: Submitted("unknown", "lost")
        await one.dispatcher.turn()
        await town.freezing.freeze_oneself(town.payer)
        assert await town.state(made) is Standing.UNKNOWN
        one.node.answer = lambda _: None
        one.clock.advance(1_000)
        await one.turn(2)
        assert await town.state(made) is Standing.CONFIRMED


async def test_a_delayed_payment_is_not_confirmed_but_may_be_withdrawn(
    database: Database, tmp_path: Path
):
    async with world(database, tmp_path, **RISKY) as one:
        town = await begin(one, gas=False)
        kept, dropped = await town.pay("50", "key-0001"), await town.pay("50", "key-0002")
        await town.freezing.freeze_oneself(town.payer)
        one.clock.advance(DELAY_S * 1000)
        with pytest.raises(MemberFrozen):
            await one.payments.confirm(town.payer, kept.id, PASSPHRASE)
        await one.payments.withdraw(town.payer, dropped.id)
        assert await one.balance(town.payer) == (50, 50)
        await town.freezing.unfreeze(BOSS, town.payer)
        await one.turn(1)
        assert await town.state(kept) is Standing.DELAYED  # nothing leaves by itself
        await one.payments.confirm(town.payer, kept.id, PASSPHRASE)
        await one.turn(4)
        assert await town.state(kept) is Standing.CONFIRMED


async def test_no_gas_is_given_and_the_payment_ends_once_it_may_be(
    database: Database, tmp_path: Path
):
    """The first payment needs gas, its cancel too: it waits, visibly, and is never paid."""
    async with world(database, tmp_path, stuck_after_s=60) as one:
        town = await begin(one, gas=False)
        made = await town.pay("30", "key-0001")
        await town.freezing.freeze_oneself(town.payer)
        await one.turn(3)
        assert one.node.seen.count(made.transaction_hash) == 0
        sender = await one.symid(town.payer)
        assert one.node.state.account(sender).balance == 0
        assert await town.state(made) is Standing.SIGNED
        one.clock.advance(61_000)
        await one.turn(1)
        (stuck,) = await database.read(transfers.stuck.listed, one.settings)
        assert (stuck.why, stuck.member_id) == (transfers.stuck.Why.FROZEN, town.payer)
        await town.freezing.unfreeze(BOSS, town.payer)
        one.clock.advance(2_000)
        await one.turn(4)
        assert await town.state(made) is Standing.VOID
        assert await one.balance(town.payer) == (100, 0)
        assert await database.read(transfers.stuck.listed, one.settings) == []


async def test_no_wallet_is_made_for_a_frozen_member(database: Database, tmp_path: Path):
    async with world(database, tmp_path) as one:
        who = await database.write(
            members.create_member,
            ring=one.ring,
            login="newcomer",
            password_hash="!",
            roles=frozenset({"payer"}),
            name="김지갑",
            phone="+821012345678",
            now_ms=one.clock.now_ms(),
        )
        await database.write(members.records.change, who, level=1)
        await one.wallets.make(who, PASSPHRASE)
        freezing = freezing_in(one)
        await freezing.freeze_oneself(who)
        ask = (database, PaperCa(one.node), one.ring, one.clock.now_ms())
        assert await members.request_citizens(*ask) == 0
        await freezing.unfreeze(BOSS, who)
        assert await members.request_citizens(*ask) == 1


async def test_an_operator_moves_nothing_out_of_a_frozen_account(
    database: Database, tmp_path: Path
):
    async with world(database, tmp_path) as one:
        town = await begin(one)
        wish = (BOSS, "key-from-1", "EST", "5", "payer", "payee")
        waiting = await one.tokens.transfer_from(*wish)
        await town.freezing.freeze(BOSS, town.payer, "court order")
        with pytest.raises(MemberFrozen):
            await one.tokens.transfer_from(BOSS, "key-from-2", *wish[2:])
        assert (await one.tokens.transfer_from(*wish)).id == waiting.id
        await one.turn(2)
        assert (await one.tokens.operation(waiting.id)).state == "wished"
        await town.freezing.unfreeze(BOSS, town.payer)
        await one.turn(2)
        assert (await one.tokens.operation(waiting.id)).state == State.REFUSED  # nothing allowed


async def test_who_froze_is_kept_told_and_audited_and_an_operator_has_the_last_word(
    database: Database, tmp_path: Path
):
    async with world(database, tmp_path) as one:
        town = await begin(one, gas=False)
        limits = SpendingLimits(database, one.vault, one.clock, one.settings)
        await limits.change(town.payer, OwnLimits(5, 5), None)
        await limits.change(town.payer, OwnLimits(), PASSPHRASE)
        await town.freezing.freeze_oneself(town.payer, "lost\nphone")
        assert (await limits.of(town.payer)).raised is None, "a thief may have asked for it"
        await town.freezing.freeze_oneself(town.payer)
        await town.freezing.freeze(BOSS, town.payer, "court order")
        await town.freezing.freeze(BOSS, town.payer, "again")
        row = await database.read(members.row_of, town.payer)
        assert (row.frozen_by, row.frozen_reason) == ("operator", "court order")
        await town.freezing.freeze_oneself(town.payer)
        found = await database.read(members.get, town.payer)
        assert found.frozen_by is members.FrozenBy.OPERATOR
        await town.freezing.unfreeze(BOSS, town.payer)
        await town.freezing.unfreeze(BOSS, town.payer)
        kinds = select(events.events.c.kind, events.events.c.body).where(
            events.events.c.kind.like("member.%frozen")
        )
        told = await database.read(lambda c: c.execute(kinds).all())
        assert [(one.kind, one.body) for one in told] == [
            ("member.frozen", '{"by":"member"}'),
            ("member.frozen", '{"by":"operator"}'),
            ("member.unfrozen", '{"by":"operator"}'),
        ]
        trail = select(audit.audit_trail).where(audit.audit_trail.c.action.like("member:%freeze"))
        rows = await database.read(lambda c: c.execute(trail).all())
        assert [(row.actor, row.action) for row in rows] == [
            (town.payer, "member:freeze"),
            (BOSS, "member:freeze"),
            (BOSS, "member:unfreeze"),
        ]


async def test_a_freeze_among_many_payments_lets_none_of_them_leave(
    database: Database, tmp_path: Path
):
    """Each payment is either refused or accepted before the freeze, and then undone by it."""
    async with world(database, tmp_path) as one, world(database, tmp_path, one.node) as two:
        town = await begin(one)

        async def freeze() -> None:
            await asyncio.sleep(0.05)
            await town.freezing.freeze_oneself(town.payer)

        answers = await asyncio.gather(
            freeze(),
            *(
                (one if number % 2 else two).pay(town.payer, town.payee, "1", f"key-{number:04}")
                for number in range(1, 31)
            ),
            return_exceptions=True,
        )
        made = [each for each in answers if isinstance(each, transfers.Transfer)]
        refused = {type(each) for each in answers if isinstance(each, Exception)}
        assert refused <= {MemberFrozen}
        assert {each.deadline_ms for each in await one.unfinished()} <= {one.clock.now_ms()}
        await town.freezing.unfreeze(BOSS, town.payer)
        await one.turn(4)
        assert {await town.state(each) for each in made} <= {Standing.VOID}
        assert await one.held(town.payee) == 10**18
        assert await one.balance(town.payer) == (99, 0)

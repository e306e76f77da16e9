"""What a chain participant, an old backup or bad timing may do to the money path.

Nothing in a block may stop the dispatcher for ever; what a backup had only wished for and the chain
has done since is one thing, not two; and a race never leaves a payment that is neither made nor
refused.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from jigap import index, lanes, members, tokens, transfers
from jigap.chain import gas, sct20, symid, transaction
from jigap.chain.citizen import CitizenTransaction
from jigap.chain.citizen import sign as sign_citizen
from jigap.chain.signature import PrivateKey
from jigap.database import Database, DatabaseBusy
from jigap.keys import attempts
from jigap.keys.copies import keystores
from jigap.members.records import change
from jigap.node.client import Submitted
from jigap.node.genesis import OPERATOR
from jigap.node.transition import CitizenCandidate
from jigap.transfers import Standing, refusals
from tests.fault.world import CHAIN_ID, KEYS, PASSPHRASE, LyingNode, World, dump, load, world

EST = 10**18


@pytest.fixture
async def one(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    async with world(database, tmp_path) as made:
        made.payer = await made.add_member("payer")
        made.payee = await made.add_member("payee")
        await made.add_token("EST", "payer", "100")
        yield made


async def sign_outside(one: World, member_id: str, nonce: int, **changes: Any):
    """A transaction that a member signs with the exported key, behind the platform's back."""
    member = await one.database.read(members.get, member_id)
    sender = member.wallet.symid
    fields: dict[str, Any] = {
        "sender": sender,
        "nonce": nonce,
        "gas_price": 10**11,
        "gas_limit": 200_000,
        "to": (await one.database.read(tokens.find, "EST")).contract,
        "value": 0,
        "type": 1,
        "work_nodes": (sender,),
        "extra_data": b"",
    } | changes
    async with one.vault.unlocked(member.wallet.id, PASSPHRASE) as key:
        return key.sign(transaction.Transaction(**fields), CHAIN_ID)


async def tag_of(one: World, transfer: transfers.Transfer) -> bytes:
    mined = await one.database.read(index.transaction, transfer.transaction_hash)
    return mined.extra_data


# --- what anybody may put into a block


@pytest.mark.parametrize("what", ["transfer", "creation", "unreadable"])
async def test_a_copied_tag_is_an_outsiders_transaction_and_stops_nothing(one, what):
    """Our tag stands in public; the owner of an exported key may copy it."""
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    await one.turn(4)
    payee = await one.symid(one.payee)
    create = sct20.Create("Fake", "FAKE", 10**30, payee)
    changes = {
        "transfer": {"input": sct20.encode(sct20.Transfer(payee, 5 * EST))},
        "creation": {"to": b"", "input": sct20.encode(create)},
        "unreadable": {"to": b"", "input": b"\xc1\xc1"},
    }[what]
    await fund(one, await one.symid(one.payer))
    changes["gas_limit"] = gas.gas_used(what != "transfer", 1, changes["input"])
    tag = await tag_of(one, made)
    copy = await sign_outside(one, one.payer, made.nonce + 1, extra_data=tag, **changes)
    assert (await one.node.submit(copy.raw)).message == ""
    await one.turn(2)
    assert (await one.database.read(index.transaction, copy.hash)) is not None
    assert [token.symbol for token in await one.database.read(tokens.every)] == ["EST"]
    assert len((await one.payments.page(one.payer, None, 10))[0]) == 1
    after = await one.pay(one.payer, one.payee, "1", "key-0002")
    await one.turn(4)
    assert (await one.payments.get(one.payer, after.id)).state is Standing.CONFIRMED


async def test_a_member_who_moves_others_tokens_stops_no_token(one):
    """transfer_from between strangers, sent from a member's account, concerns no books of ours."""
    keys = [transaction_key(7), transaction_key(8)]
    strangers = [
        one.node.register(key.public_key_hash, bytes([9, number]) * 3)
        for number, key in enumerate(keys)
    ]
    await one.turn(2)
    await one.pay(one.payer, one.payee, "1", "key-0001")
    await one.turn(4)
    member = await one.symid(one.payer)
    to_symid = "0x" + strangers[0].hex()
    await one.tokens.mint("mb_operator", "mint-0002", "EST", "10", to_symid)
    await one.turn(2)
    contract = (await one.database.read(tokens.find, "EST")).contract
    await fund(one, strangers[0])
    approve = transaction.Transaction(
        sender=strangers[0],
        nonce=0,
        gas_price=10**11,
        gas_limit=200_000,
        to=contract,
        value=0,
        input=sct20.encode(sct20.Approve(member, 5 * EST)),
        type=1,
        work_nodes=(member,),
        extra_data=b"",
    )
    signed = transaction.sign(approve, keys[0], CHAIN_ID)
    assert (await one.node.submit(signed.raw)).kind == "accepted"
    await one.turn(1)
    call = sct20.TransferFrom(strangers[0], strangers[1], 5 * EST)
    nonce = one.node.state.account(member).nonce
    moved = await sign_outside(one, one.payer, nonce, input=sct20.encode(call))
    assert (await one.node.submit(moved.raw)).kind == "accepted"
    await one.turn(1)
    assert one.node.state.token_balance(contract, strangers[1]) == 5 * EST
    assert (await one.database.read(tokens.find, "EST")).stopped_reason == ""


def transaction_key(number: int):
    return PrivateKey(bytes([number + 40]) * 32)


async def fund(one: World, target: bytes) -> None:
    remit = transaction.Transaction(
        sender=OPERATOR,
        nonce=one.node.state.account(OPERATOR).nonce,
        gas_price=10**11,
        gas_limit=200_000,
        to=target,
        value=10**19,
        input=b"",
        type=0,
        work_nodes=(OPERATOR,),
        extra_data=b"",
    )
    signed = transaction.sign(remit, KEYS["operator"], CHAIN_ID)
    assert (await one.node.submit(signed.raw)).kind == "accepted"
    await one.turn(1)


async def test_a_payer_whose_symid_was_revoked_is_refused_before_anything_is_signed(one):
    """The chain would take neither the payment nor its cancel, and the amount would stay held."""
    who = await one.symid(one.payer)
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
    await one.turn(1)
    with pytest.raises(refusals.WalletNotReady):
        await one.pay(one.payer, one.payee, "30", "key-0001")
    assert await one.balance(one.payer) == (100, 0)


# --- what a backup knew only half of


@asynccontextmanager
async def two_people(database: Database, root: Path, node: LyingNode, **changes: Any):
    async with world(database, root, node, **changes) as one:
        one.payer = await one.add_member("payer")
        one.payee = await one.add_member("payee")
        await one.add_token("EST", "payer", "100")
        yield one


async def test_an_operation_wished_in_the_backup_and_done_since_is_done_once(
    database: Database, tmp_path: Path
):
    node = LyingNode()
    async with two_people(database, tmp_path, node) as one:
        wished = await one.tokens.mint("mb_operator", "mint-0002", "EST", "10", "payer")
        created = await one.tokens.create("mb_operator", "create-2", "Two", "TWO", "5")
        kept = await dump(database)
        await one.turn(3)
    await load(database, kept)
    async with world(database, tmp_path, node) as again:
        await again.turn(3)
        found = await again.tokens.operation(wished.id)
        assert found.state == "confirmed"
        assert (await again.tokens.operation(created.id)).state == "confirmed"
        assert (await database.read(tokens.find, "TWO")).contract
        repeated = await again.tokens.mint("mb_operator", "mint-0002", "EST", "10", "payer")
        assert repeated.id == wished.id
        assert await again.held(one.payer) == 110 * EST


def given_in_all(connection: Connection) -> int:
    """Gas units reserved of the budget that no day ends."""
    query = select(transfers.gas_budgets.c.reserved_gas)
    return connection.scalar(query.where(transfers.gas_budgets.c.scope == "total")) or 0


async def test_a_refill_wished_in_the_backup_and_done_since_is_done_once(
    database: Database, tmp_path: Path
):
    node = LyingNode()
    async with two_people(database, tmp_path, node) as one:
        made = await one.pay(one.payer, one.payee, "30", "key-0001")
        kept = await dump(database)
        await one.turn(3)
        used = await database.read(given_in_all)
    await load(database, kept)
    async with world(database, tmp_path, node) as again:
        await again.turn(3)
        assert (await again.payments.get(one.payer, made.id)).state is Standing.CONFIRMED
        assert await database.read(given_in_all) == used


async def test_a_refill_queued_in_the_backup_and_done_since_is_done_once(
    database: Database, tmp_path: Path
):
    node = LyingNode()
    async with two_people(database, tmp_path, node, gas_budget_day=1) as one:
        made = await one.pay(one.payer, one.payee, "30", "key-0001")
        assert made.queued_reason
        kept = await dump(database)
    async with world(database, tmp_path, node) as richer:
        richer.clock.advance(2_000)
        await richer.turn(4)
        used = await database.read(given_in_all)
    await load(database, kept)
    async with world(database, tmp_path, node) as again:
        again.clock.advance(4_000)
        await again.turn(4)
        assert (await again.payments.get(one.payer, made.id)).state is Standing.CONFIRMED
        assert await database.read(given_in_all) == used


async def test_a_delayed_payment_confirmed_after_the_backup_waits_no_more(
    database: Database, tmp_path: Path
):
    node = LyingNode()
    rules = {"new_payee_warn": "20", "new_payee_delay_s": 60}
    async with two_people(database, tmp_path, node, **rules) as one:
        made = await one.pay(one.payer, one.payee, "30", "key-0001", acknowledged=True)
        kept = await dump(database)
        one.clock.advance(60_000)
        await one.payments.confirm(one.payer, made.id, PASSPHRASE)
        await one.turn(3)
        assert await one.held(one.payee) == 30 * EST
    await load(database, kept)
    async with world(database, tmp_path, node, **rules) as again:
        found = await again.payments.get(one.payer, made.id)
        assert found.state is Standing.CONFIRMED
        assert await again.balance(one.payer) == (70, 0)
        replayed = await again.pay(one.payer, one.payee, "30", "key-0001", acknowledged=True)
        assert replayed.id == made.id
        assert len((await again.payments.page(one.payer, None, 10))[0]) == 1


async def test_a_forgotten_payment_that_was_still_in_the_pool_voids_and_is_found(
    database: Database, tmp_path: Path
):
    """Of a node that does not tell its pool, an old payment may yet take a new one's nonce."""

    async def tells_nothing():
        return []

    node = LyingNode()
    async with two_people(database, tmp_path, node) as one:
        await one.pay(one.payer, one.payee, "1", "key-0000")
        await one.turn(4)
        kept = await dump(database)
        old = await one.pay(one.payer, one.payee, "30", "key-0001")
        await one.dispatcher.turn()
        assert old.transaction_hash in node.pool
    node.pending = tells_nothing  # type: ignore[method-assign]
    await load(database, kept)
    async with world(database, tmp_path, node) as again:
        new = await again.pay(one.payer, one.payee, "20", "key-0002")
        assert new.nonce == old.nonce
        await again.turn(3)
        ended = await again.payments.get(one.payer, new.id)
        assert (ended.state, ended.reason) == (Standing.VOID, "nonce_used_elsewhere")
        found = await again.pay(one.payer, one.payee, "30", "key-0001")
        assert (found.state, found.transaction_hash) == (
            Standing.CONFIRMED,
            old.transaction_hash,
        )
        replayed = await again.pay(one.payer, one.payee, "20", "key-0002")
        assert (replayed.id, replayed.state) == (new.id, Standing.VOID)
        await again.turn(2)
        assert await again.held(one.payee) == 31 * EST
        assert (await database.read(lanes.next_nonce, CHAIN_ID, old.sender_symid)) == old.nonce + 1


# --- bad timing


async def test_a_payment_that_was_to_wait_waits_although_the_payee_is_paid_meanwhile(
    database: Database, tmp_path: Path, monkeypatch
):
    rules = {"new_payee_warn": "20", "new_payee_delay_s": 60}
    async with two_people(database, tmp_path, LyingNode(), **rules) as one:
        first = await one.pay(one.payer, one.payee, "1", "key-0001")
        unlocked = one.vault.unlocked

        @asynccontextmanager
        async def slowly(wallet_id: str, passphrase: str):
            async with unlocked(wallet_id, passphrase) as key:
                yield key
            await one.turn(3)

        monkeypatch.setattr(one.vault, "unlocked", slowly)
        made = await one.pay(one.payer, one.payee, "30", "key-0002", acknowledged=True)
        assert (await one.payments.get(one.payer, first.id)).state is Standing.CONFIRMED
        assert made.state is Standing.DELAYED
        assert await one.balance(one.payer) == (69, 30)


async def test_an_operation_on_a_token_that_never_came_to_be_ends_refused(one):
    """The creation was cancelled; what was asked of the token meanwhile must not stop the rest."""
    one.node.answer = lambda signed: (
        Submitted("rejected", "not a member of the club") if signed.transaction.type == 1 else None
    )
    await one.tokens.create("mb_operator", "create-2", "Two", "TWO", "5")
    await one.turn(1)
    one.clock.advance(1_000)
    await one.dispatcher.turn()
    one.node.mine()
    asked = await one.tokens.mint("mb_operator", "mint-two", "TWO", "10", "payer")
    one.node.answer = lambda _: None
    await one.turn(3)
    assert (await one.tokens.operation(asked.id)).state == "refused"
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    await one.turn(4)
    assert (await one.payments.get(one.payer, made.id)).state is Standing.CONFIRMED


async def test_a_clock_that_is_set_back_delays_no_resending(one):
    one.node.answer = lambda _: Submitted("unknown", "dropped")
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    await one.turn(2)
    one.clock.advance(-3_600_000)
    one.node.answer = lambda _: None
    await one.turn(4)
    assert (await one.payments.get(one.payer, made.id)).state is Standing.CONFIRMED


async def test_parallel_copies_of_one_operation_are_one_operation(one):
    asked = await asyncio.gather(
        *(one.tokens.mint("mb_operator", "mint-0002", "EST", "10", "payer") for _ in range(16))
    )
    assert len({operation.id for operation in asked}) == 1
    refused = await asyncio.gather(
        *(
            one.tokens.create("mb_operator", f"create-{number}", "Two", "TWO", "5")
            for number in range(8)
        ),
        return_exceptions=True,
    )
    codes = [getattr(one, "code", type(one).__name__) for one in refused]
    assert sorted(codes) == ["Operation"] + ["symbol_taken"] * 7


async def test_what_a_node_says_can_always_be_written_down(one):
    one.node.answer = lambda _: Submitted("unknown", "no\0 \ud800")
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    await one.turn(1)
    (refill, _) = await one.unfinished()
    assert refill.message == "no\ufffd \ufffd"
    one.node.answer = lambda _: None
    one.clock.advance(1_000)
    await one.turn(3)
    assert (await one.payments.get(one.payer, made.id)).state is Standing.CONFIRMED


@pytest.mark.parametrize("end", ["thawed", "too late"])
async def test_what_was_not_on_the_wire_when_its_owner_was_frozen_stays_off_it(
    one, monkeypatch, end
):
    """Also when the freeze comes while the dispatcher is about to send."""
    await one.pay(one.payer, one.payee, "1", "key-0001")
    await one.turn(4)
    made = await one.pay(one.payer, one.payee, "30", "key-0002")
    read = one.database.read

    async def freezing(fn: Any, *args: Any, **kwargs: Any) -> Any:
        found = await read(fn, *args, **kwargs)
        if fn == one.dispatcher._departures:
            now_ms = one.clock.now_ms()
            await one.database.write(change, one.payer, frozen_ms=now_ms)
        return found

    monkeypatch.setattr(one.database, "read", freezing)
    await one.turn(2)
    assert made.transaction_hash not in one.node.seen
    monkeypatch.setattr(one.database, "read", read)
    if end == "thawed":
        await one.database.write(change, one.payer, frozen_ms=None)
    else:
        one.clock.advance(one.settings.transfer_deadline_ms)
    await one.turn(2)
    wanted = Standing.CONFIRMED if end == "thawed" else Standing.VOID
    assert (await one.payments.get(one.payer, made.id)).state is wanted


# --- a database that cannot keep up, or has no room


def busy_for(monkeypatch, database: Database, *refused: Any) -> list[Any]:
    """Let the next write of each of these functions be refused; what is still to come."""
    left, write = list(refused), database.write

    async def sometimes(fn: Any, *args: Any, **kwargs: Any) -> Any:
        if fn in left:
            left.remove(fn)
            raise DatabaseBusy("Too many writes are waiting.")
        return await write(fn, *args, **kwargs)

    monkeypatch.setattr(database, "write", sometimes)
    return left


async def test_a_full_write_queue_does_not_end_the_dispatcher(one, monkeypatch):
    made = await one.pay(one.payer, one.payee, "30", "key-0001")
    left = busy_for(monkeypatch, one.database, one.dispatcher._leave)
    monkeypatch.setattr("jigap.dispatcher.TROUBLE_PAUSE_S", 0.01)
    running = asyncio.create_task(one.dispatcher.run())
    for _ in range(100):
        await asyncio.sleep(0.05)
        one.node.mine()
        if (await one.payments.get(one.payer, made.id)).state.is_final:
            break
    assert not left
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await one.payments.get(one.payer, made.id)).state is Standing.CONFIRMED


async def test_a_full_write_queue_counts_no_right_passphrase_as_wrong(one, monkeypatch):
    left = busy_for(monkeypatch, one.database, attempts.give_back)
    await one.pay(one.payer, one.payee, "30", "key-0001")
    assert not left
    row = await one.database.read(
        lambda connection: connection.execute(
            select(keystores).where(keystores.c.attempts > 0)
        ).all()
    )
    assert row == []
    await one.pay(one.payer, one.payee, "30", "key-0002")


async def test_a_full_disk_loses_what_was_not_acknowledged_and_nothing_else(
    sqlite_database: Database,
):
    """Every write of the group is told, and the writer goes on when there is room again."""
    database = sqlite_database

    def add(connection: Connection, key: str, size: int = 10) -> None:
        connection.execute(insert(transfers.gas_budgets).values(scope=key, reserved_gas=size))

    def fill(connection: Connection) -> None:
        for number in range(20_000):
            add(connection, f"{number:060d}")

    def limit(connection: Connection, pages: int) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    await database.write(add, "first")
    pages = await database.read(
        lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar()
    )
    await database.write(limit, pages + 4)
    told = await asyncio.gather(
        database.write(add, "before"),
        database.write(fill),
        database.write(add, "after"),
        return_exceptions=True,
    )
    assert isinstance(told[1], Exception)
    await database.write(limit, 1_000_000)
    await database.write(add, "last")
    rows = await database.read(
        lambda connection: set(connection.scalars(select(transfers.gas_budgets.c.scope)))
    )
    expected = {"first", "last"}
    expected |= {name for name, one in zip(("before", "", "after"), told, strict=True) if not one}
    assert rows == expected

"""The auditor on books that agree, and on books that were changed in one place."""

from typing import Any, cast

import pytest
from sqlalchemy import delete, insert, update
from tests.unit.auditor.books import (
    ALICE,
    BOB,
    CAROL,
    SPONSOR,
    STRANGER,
    Books,
    IndexAsNode,
    kinds,
)

from jigap import auditor, events, index, lanes, tokens, transfers
from jigap.chain import sct20
from jigap.database import Database
from jigap.node.client import NodeClient

payment, outgoing = transfers.transfers, lanes.outgoing


@pytest.fixture
async def books(database: Database) -> Books:
    """Books with one of everything in them, all settled."""
    opened = Books(database)
    await opened.open()
    await opened.give(ALICE, 5_000)
    await opened.give(BOB, 1_000)
    await opened.refill(ALICE, 10**17)
    assert await opened.take() == []
    await opened.pay(ALICE, BOB, 700)
    await opened.pay(BOB, CAROL, 9_999, status=False, err_code=2000)
    await opened.cancel(ALICE, CAROL, 5)
    await opened.mint(ALICE, 50)
    await opened.burn(BOB, 20)
    opened.chain.call(ALICE, opened.contract, sct20.Transfer(STRANGER, 3))  # an exported key
    opened.chain.call(STRANGER, opened.contract, sct20.Transfer(CAROL, 1))
    opened.chain.remit(STRANGER, CAROL, 7)
    opened.chain.call(CAROL, opened.contract, sct20.Approve(STRANGER, 9))
    opened.chain.call(STRANGER, opened.contract, sct20.TransferFrom(CAROL, BOB, 1))
    await opened.pause()
    assert await opened.take() == []
    return opened


async def test_books_that_agree_are_clean(books: Books) -> None:
    report = await books.recount()
    assert report.differences == []
    assert report.clean
    assert report.conserved
    assert report.height == 3
    assert report.supply == {"TOK": 1_000_030}
    assert (report.transactions_checked, report.records_checked) == (15, 10)
    assert report.holdings_checked == 5
    assert await books.stopped() == {}


async def test_the_node_agrees_and_is_asked_about_everything(books: Books) -> None:
    node = await books.database.read(IndexAsNode)
    report = await auditor.audit(books.database, cast(NodeClient, node))
    assert report.differences == []
    assert report.accounts_checked == 5


def _holding(books: Books, balance: int) -> Any:
    table = index.chain_holdings
    return (
        update(table)
        .where(table.c.contract == books.contract, table.c.symid == BOB)
        .values(balance=balance)
    )


def _of(subject_id: str) -> Any:
    return update(outgoing).where(outgoing.c.subject_id == subject_id)


_paid = update(payment).where(payment.c.id == "tr_0005")
_operation = tokens.token_operations
_noted = transfers.external_movements

#: What somebody's hand did to our records, and what the auditor says to it. ``tr_0005`` was
#: confirmed, ``tr_0006`` refused, ``tr_0007`` cancelled; ``op_0008`` minted.
CHANGES: dict[str, tuple[Any, list[tuple[str, str | None]]]] = {
    "another amount": (_paid.values(amount=701), [("record_differs", "TOK")]),
    "another recipient": (_paid.values(recipient_symid=CAROL), [("record_differs", "TOK")]),
    "another token": (_paid.values(contract=bytes(10)), [("record_differs", "TOK")]),
    "no payment": (delete(payment).where(payment.c.id == "tr_0005"), [("record_lost", "TOK")]),
    "nothing signed": (
        delete(outgoing).where(outgoing.c.subject_id == "tr_0005"),
        [("not_noted", "TOK"), ("not_on_chain", "TOK")],
    ),
    "confirmed called void": (_of("tr_0005").values(state="void"), [("state_differs", "TOK")]),
    "refused called paid": (_of("tr_0006").values(state="confirmed"), [("state_differs", "TOK")]),
    "cancelled called paid": (_of("tr_0007").values(state="confirmed"), [("state_differs", "TOK")]),
    "confirmed without a block": (
        _of("tr_0005").values(nonce=900),
        [("not_noted", "TOK"), ("not_on_chain", "TOK")],
    ),
    "another refill": (
        update(transfers.gas_refills).values(amount_hug=1),
        [("record_differs", "SYM")],
    ),
    "no refill": (delete(transfers.gas_refills), [("record_lost", "SYM")]),
    "another mint": (
        update(_operation).where(_operation.c.kind == "mint").values(amount=51),
        [("record_differs", "TOK")],
    ),
    "a mint of nobody's": (
        delete(outgoing).where(outgoing.c.subject_id == "op_0008"),
        [("not_ours", "TOK")],
    ),
    "no note": (delete(_noted).where(_noted.c.kind == "transfer_from"), [("not_noted", "TOK")]),
    "another note": (
        update(_noted).where(_noted.c.kind == "remit").values(amount=8),
        [("note_differs", "SYM")],
    ),
}


async def test_one_changed_record_is_found(books: Books) -> None:
    for name, (change, expected) in CHANGES.items():
        report = await books.recount_after(change)
        assert (name, kinds(report.differences)) == (name, expected)
    assert (await books.recount()).clean


async def test_a_holding_changed_by_hand_is_found_three_ways(books: Books) -> None:
    node = await books.database.read(IndexAsNode)
    await books.change(_holding(books, 10**9))
    report = await auditor.audit(books.database, cast(NodeClient, node))
    assert not report.conserved
    assert kinds(report.differences) == [
        ("balance_differs", "TOK"),
        ("not_conserved", "TOK"),
        ("node_differs", "TOK"),
    ]


async def test_money_moved_by_hand_between_two_holders_is_found(books: Books) -> None:
    table = index.chain_holdings.c
    for symid, balance in ((BOB, 1_662), (CAROL, 19)):
        await books.change(
            update(index.chain_holdings).where(table.symid == symid).values(balance=balance)
        )
    report = await books.recount()
    assert report.conserved
    assert kinds(report.differences) == [("balance_differs", "TOK")] * 2


async def test_a_vanished_holding_is_found(books: Books) -> None:
    await books.change(delete(index.chain_holdings).where(index.chain_holdings.c.symid == BOB))
    report = await books.recount()
    assert kinds(report.differences) == [("balance_differs", "TOK"), ("not_conserved", "TOK")]


async def test_a_note_of_what_never_happened_is_found(books: Books) -> None:
    await books.database.write(
        lambda connection: connection.execute(
            insert(transfers.external_movements).values(
                transaction_hash=b"?" * 32,
                position=1,
                block_number=2,
                kind="transfer",
                contract=books.contract,
                source=STRANGER,
                target=ALICE,
                target_member="mb_alice",
                amount=1,
                time_ms=0,
            )
        )
    )
    assert kinds((await books.recount()).differences) == [("not_on_chain", "TOK")]


async def test_sym_that_the_node_knows_otherwise_stops_every_token(books: Books) -> None:
    node = await books.database.read(IndexAsNode)
    await books.change(
        update(index.chain_accounts)
        .where(index.chain_accounts.c.symid == ALICE)
        .values(balance_hug=1)
    )
    report = await auditor.audit(books.database, cast(NodeClient, node), now_ms=5)
    assert kinds(report.differences) == [("node_differs", "SYM")]
    assert list(await books.stopped()) == ["TOK"]


async def test_a_strangers_account_stops_nothing(books: Books) -> None:
    node = await books.database.read(IndexAsNode)
    await books.change(
        update(index.chain_accounts)
        .where(index.chain_accounts.c.symid == STRANGER)
        .values(balance_hug=1)
    )
    report = await auditor.audit(books.database, cast(NodeClient, node), now_ms=5)
    assert kinds(report.differences) == [("node_differs", None)]
    assert await books.stopped() == {}


# --- as blocks arrive


async def test_a_forged_payment_record_stops_the_token_in_its_block(books: Books) -> None:
    await books.pay(ALICE, BOB, 10)
    await books.change(update(payment).where(payment.c.amount == 10).values(amount=11))
    assert kinds(await books.take()) == [("record_differs", "TOK")]
    stopped = await books.stopped()
    assert "record_differs" in stopped["TOK"]
    told = await books.database.read(
        lambda connection: connection.execute(
            events.events.select().where(events.events.c.kind == "token.stopped")
        ).all()
    )
    assert [row.subject for row in told] == ["TOK"]
    assert await books.database.read(index.height) == 4


async def test_the_sponsors_key_used_by_someone_else_stops_every_token(books: Books) -> None:
    books.chain.remit(SPONSOR, STRANGER, 10**18)
    assert kinds(await books.take()) == [("not_ours", "SYM")]
    assert list(await books.stopped()) == ["TOK"]


async def test_a_holding_too_small_for_what_the_chain_moved_stops_the_token(books: Books) -> None:
    await books.change(_holding(books, 1))
    await books.pay(BOB, CAROL, 100)
    assert kinds(await books.take()) == [("not_conserved", "TOK"), ("balance_differs", "TOK")]
    assert list(await books.stopped()) == ["TOK"]


async def test_a_members_own_transaction_is_history_not_a_difference(books: Books) -> None:
    books.chain.call(ALICE, books.contract, sct20.Transfer(STRANGER, 1))
    assert await books.take() == []
    assert (await books.recount()).clean

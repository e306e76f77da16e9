"""What a block means for our payments and refills. Everything here runs in the block's transaction.

``settle`` ends what the block ended; ``adopt`` takes back what our records had lost (after a
restore from backup) and the tag on the chain proves to be ours; ``note_external`` writes down what
members' tokens did without us, so that it is history and not a difference.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert

from jigap import events, index, lanes, members, tokens
from jigap.chain import sct20
from jigap.chain.invalid import Invalid
from jigap.chain.transaction import TYPE_REMIT, TYPE_SCT
from jigap.clock import day_of
from jigap.entropy import new_id
from jigap.lanes import Settled, State, TagKeys
from jigap.node.client import ChainBlock, ChainTransaction
from jigap.settings import Settings
from jigap.transfers import records, refills
from jigap.transfers.gas_refill import refill_ahead_hug
from jigap.transfers.transfer import PURPOSE

_EVENTS = {
    State.CONFIRMED: "transfer.confirmed",
    State.REFUSED: "transfer.refused",
    State.VOID: "transfer.void",
}


def settle(connection: Connection, settings: Settings, ended: Iterable[Settled]) -> None:
    """End the payments and refills among ``ended``, and refill gas ahead of need."""
    payments: list[Settled] = []
    for one in ended:
        if one.outgoing.purpose == PURPOSE:
            payments.append(one)
        elif one.outgoing.purpose == refills.PURPOSE and one.state is not State.CONFIRMED:
            refills.give_back(connection, one.outgoing.subject_id)
    rows = records.by_ids(connection, [one.outgoing.subject_id for one in payments])
    told: list[dict[str, Any]] = []
    for one in payments:
        row = rows[one.outgoing.subject_id]
        if one.state is not State.CONFIRMED:
            records.give_back(connection, row.id)
        told += _told_both(row, one.state, one.reason, one.block_number, one.time_ms)
    events.record_all(connection, told)
    _refill_ahead(connection, settings, payments, rows)


def _refill_ahead(
    connection: Connection,
    settings: Settings,
    payments: Iterable[Settled],
    rows: Mapping[str, Row[Any]],
) -> None:
    """One look at each payer whose payment was confirmed."""
    payers = {one.outgoing.sender: one for one in payments if one.state is State.CONFIRMED}
    purses = refills.purses(connection, settings.chain_id, payers.keys())
    for sender, one in payers.items():
        missing_hug = refill_ahead_hug(
            purses[sender], one.outgoing.fee_max_hug, settings.gas_refill_payments
        )
        if missing_hug:
            refills.wish(
                connection,
                settings,
                symid=sender,
                member_id=rows[one.outgoing.subject_id].member_id,
                amount_hug=missing_hug,
                transfer_id=None,
                now_ms=one.time_ms,
            )


def _told_both(
    row: Row[Any], state: State, reason: str, block: int, time_ms: int
) -> Iterator[dict[str, Any]]:
    for member_id in dict.fromkeys((row.member_id, row.recipient)):
        if member_id and (state is State.CONFIRMED or member_id == row.member_id):
            yield events.event(
                _EVENTS[state],
                subject=row.id,
                member_id=member_id,
                now_ms=time_ms,
                reason=reason,
                block_number=block,
            )


def adopt(
    connection: Connection,
    settings: Settings,
    tags: TagKeys,
    sponsor: bytes,
    block: ChainBlock,
    mined: ChainTransaction,
) -> bool:
    """Take back a payment or a refill that our records lost; False if it is not ours."""
    if not tags.is_ours(mined.extra_data, mined.sender):
        return False
    if mined.type == TYPE_SCT and mined.sender != sponsor:
        return _adopt_transfer(connection, settings, tags, block, mined)
    if mined.type == TYPE_REMIT and mined.sender == sponsor:
        return _adopt_refill(connection, settings, tags, block, mined)
    return False


def _adopt_transfer(
    connection: Connection,
    settings: Settings,
    tags: TagKeys,
    block: ChainBlock,
    mined: ChainTransaction,
) -> bool:
    payer = members.by_symid(connection, mined.sender)
    token = tokens.by_contract(connection, mined.to)
    call = _call_of(mined)
    if payer is None or token is None or not isinstance(call, sct20.Transfer):
        return False
    transfer_id = _delayed_before(connection, tags, payer.id, mined)
    if transfer_id is None:
        transfer_id = new_id("tr", block.time_ms)
        _add_found(connection, transfer_id, payer.id, token.symbol, call, mined, block)
    entry = lanes.adopted(mined, PURPOSE, transfer_id, block.time_ms)
    lanes.adopt(connection, settings.chain_id, entry, block)
    if entry.state is State.CONFIRMED:
        records.count(connection, transfer_id, day_of(block.time_ms))
    else:
        records.give_back(connection, transfer_id)
    row = records.by_id(connection, transfer_id)
    told = _told_both(row, entry.state, "found_on_chain", block.number, block.time_ms)
    events.record_all(connection, told)
    return True


def _call_of(mined: ChainTransaction) -> sct20.Call | None:
    """What it calls; None if nobody can read it: anyone may put our tag on anything."""
    try:
        return sct20.decode(mined.input)
    except Invalid:
        return None


def _delayed_before(
    connection: Connection, tags: TagKeys, member_id: str, mined: ChainTransaction
) -> str | None:
    """The payment that was still delayed in the backup and had been confirmed since, or None."""
    for row in records.waiting_of(connection, member_id):
        tag = tags.make(PURPOSE, member_id, row.idempotency_key, mined.sender)
        if tag == mined.extra_data:
            records.end_waiting(connection, row.id)
            return str(row.id)
    return None


def _add_found(
    connection: Connection,
    transfer_id: str,
    member_id: str,
    symbol: str,
    call: sct20.Transfer,
    mined: ChainTransaction,
    block: ChainBlock,
) -> None:
    recipient = members.by_symid(connection, call.to)
    records.add(
        connection,
        id=transfer_id,
        member_id=member_id,
        idempotency_key=None,
        recipient=recipient.id if recipient else "",
        sender_symid=mined.sender,
        recipient_symid=call.to,
        token=symbol,
        contract=mined.to,
        amount=call.amount,
        memo_sealed=b"",
        created_ms=block.time_ms,
    )


def _adopt_refill(
    connection: Connection,
    settings: Settings,
    tags: TagKeys,
    block: ChainBlock,
    mined: ChainTransaction,
) -> bool:
    refill_id = refills.signed_since(connection, tags, mined, block.time_ms)
    if refill_id is None:
        # A member who joined after the backup is not known any more; what they got still counts.
        member = members.by_symid(connection, mined.to)
        member_id = member.id if member else ""
        refill_id = new_id("rf", block.time_ms)
        refills.adopt(connection, refill_id, mined.to, member_id, mined.value, block.time_ms)
    entry = lanes.adopted(mined, refills.PURPOSE, refill_id, block.time_ms)
    lanes.adopt(connection, settings.chain_id, entry, block)
    return True


def note_external(
    connection: Connection,
    block: ChainBlock,
    movements: Sequence[index.Movement],
    ours: set[bytes],
) -> None:
    """Write down what moved members' money in transactions that are not ours (``ours``: hashes)."""
    foreign = [one for one in movements if one.transaction_hash not in ours and one.kind != "fee"]
    if not foreign:
        return
    senders = {one.hash: one.sender for one in block.transactions}
    sides = {side for one in foreign for side in (one.source, one.target) if side is not None}
    sides |= {senders[one.transaction_hash] for one in foreign}
    who = {side: members.by_symid(connection, side) for side in sides}
    for one in foreign:
        source = who.get(one.source) if one.source else None
        target = who.get(one.target) if one.target else None
        # A member may also have moved what others allowed them to move.
        if source is None and target is None and who[senders[one.transaction_hash]] is None:
            continue
        connection.execute(
            insert(records.external_movements).values(
                transaction_hash=one.transaction_hash,
                position=one.position,
                block_number=block.number,
                kind=one.kind,
                contract=one.contract,
                source=one.source,
                target=one.target,
                source_member=source.id if source else None,
                target_member=target.id if target else None,
                amount=one.amount,
                time_ms=block.time_ms,
            )
        )
        for member in {found.id: found for found in (source, target) if found}.values():
            events.record(
                connection,
                "transfer.external",
                subject="0x" + one.transaction_hash.hex(),
                member_id=member.id,
                now_ms=block.time_ms,
                kind=one.kind,
                amount=str(one.amount),
            )

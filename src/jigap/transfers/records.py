"""The tables of payments, and all SQL on them.

``transfers.limit_day`` is the day whose limit a payment counts against, and null once its amount
was given back: what is counted and what it is counted for change in one statement each, so nothing
is given back twice. ``spending_days`` is the sum of it, changed only by whoever holds the lane.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    insert,
    or_,
    select,
    update,
)

from jigap.database import Amount, insert_if_absent, metadata, prepared
from jigap.lanes import State, outgoing
from jigap.packed import Packed
from jigap.transfers.transfer import PURPOSE, Standing, Transfer

transfers = Table(
    "transfers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("member_id", String(40), nullable=False),
    Column("operation", String(20), nullable=False),
    Column("idempotency_key", String(200), nullable=True),
    Column("recipient", String(40), nullable=False),
    Column("sender_symid", LargeBinary(10), nullable=False),
    Column("recipient_symid", LargeBinary(10), nullable=False),
    Column("token", String(10), nullable=False),
    Column("contract", LargeBinary(10), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("memo_sealed", LargeBinary, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("confirm_after_ms", BigInteger, nullable=True),
    Column("waiting", Boolean, nullable=False, default=False),
    Column("withdrawn_ms", BigInteger, nullable=True),
    Column("limit_day", String(10), nullable=True),
    UniqueConstraint("member_id", "operation", "idempotency_key"),
    Index("ix_transfers_waiting", "waiting", "sender_symid"),
    Index("ix_transfers_member", "member_id", "id"),
    Index("ix_transfers_recipient", "recipient", "id"),
)

gas_refills = Table(
    "gas_refills",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("symid", LargeBinary(10), nullable=False),
    Column("member_id", String(40), nullable=False),
    Column("transfer_id", String(40), nullable=True, unique=True),
    Column("amount_hug", Amount, nullable=False),
    Column("gas_units", BigInteger, nullable=False),
    Column("day", String(10), nullable=False),
    Column("queued_reason", String(40), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("ix_gas_refills_symid", "symid"),
)

gas_budgets = Table(
    "gas_budgets",
    metadata,
    Column("scope", String(80), primary_key=True),
    Column("reserved_gas", BigInteger, nullable=False),
)

spending_days = Table(
    "spending_days",
    metadata,
    Column("member_id", String(40), primary_key=True),
    Column("token", String(10), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("amount", Amount, nullable=False),
)

external_movements = Table(
    "external_movements",
    metadata,
    Column("transaction_hash", LargeBinary(32), primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("block_number", BigInteger, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("contract", LargeBinary(10), nullable=True),
    Column("source", LargeBinary(10), nullable=True),
    Column("target", LargeBinary(10), nullable=True),
    Column("source_member", String(40), nullable=True),
    Column("target_member", String(40), nullable=True),
    Column("amount", Amount, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Index("ix_external_source", "source_member"),
    Index("ix_external_target", "target_member"),
)

OPERATION = "transfer"


def add(
    connection: Connection,
    *,
    confirm_after_ms: int | None = None,
    limit_day: str | None = None,
    **fields: Any,
) -> None:
    """Record a payment, delayed if ``confirm_after_ms`` is given, and count it against its day.

    Breaking UNIQUE (member, operation, key) raises ``IntegrityError``.
    """
    connection.execute(
        _INSERT,
        {
            "operation": OPERATION,
            "confirm_after_ms": confirm_after_ms,
            "waiting": confirm_after_ms is not None,
            "limit_day": limit_day,
            **fields,
        },
    )
    if limit_day is not None:
        who = (fields["member_id"], fields["token"], limit_day)
        _add_spent(connection, *who, fields["amount"])


_INSERT = insert(transfers)


def by_key(connection: Connection, member_id: str, key: str) -> Any:
    """The row bound to this key, or None."""
    return connection.execute(*_by_key(member_id, key)).first()


@prepared
def _by_key(member_id: Any, key: Any) -> Any:
    return select(transfers).where(
        transfers.c.member_id == member_id,
        transfers.c.operation == OPERATION,
        transfers.c.idempotency_key == key,
    )


def on_hold(connection: Connection, sender: bytes, contract: bytes) -> tuple[int, int]:
    """(sum held by unfinished payments of this token, how many unfinished payments in all)."""
    rows = connection.execute(*_held(sender)).all()
    return sum(row.amount for row in rows if row.contract == contract), len(rows)


def held_by(connection: Connection, senders: Collection[bytes]) -> dict[tuple[bytes, bytes], int]:
    """What unfinished payments hold, by (contract, sender), of all these accounts at once."""
    found: dict[tuple[bytes, bytes], int] = {}
    if senders:
        for contract, sender, amount in _HELD_BY.rows(connection, senders=list(senders)):
            found[contract, sender] = found.get((contract, sender), 0) + amount
    return found


def _held_by(senders: Any) -> Any:
    under_way = (
        select(transfers.c.contract, outgoing.c.sender.label("sender"), transfers.c.amount)
        .join(outgoing, outgoing.c.subject_id == transfers.c.id)
        .where(outgoing.c.sender.in_(senders), outgoing.c.final.is_(False))
    )
    delayed = select(
        transfers.c.contract, transfers.c.sender_symid.label("sender"), transfers.c.amount
    ).where(transfers.c.waiting.is_(True), transfers.c.sender_symid.in_(senders))
    return under_way.union_all(delayed)


_HELD_BY = Packed(_held_by(bindparam("senders", expanding=True)))


@prepared
def _held(sender: Any) -> Any:
    held = select(transfers.c.contract, transfers.c.amount)
    under_way = held.join(outgoing, outgoing.c.subject_id == transfers.c.id).where(
        outgoing.c.sender == sender, outgoing.c.final.is_(False)
    )
    delayed = held.where(transfers.c.waiting.is_(True), transfers.c.sender_symid == sender)
    return under_way.union_all(delayed)


def has_paid(connection: Connection, member_id: str, recipient: str) -> bool:
    """Whether a payment of this member to this recipient was ever confirmed."""
    return connection.scalar(*_paid(member_id, recipient)) is not None


@prepared
def _paid(member_id: Any, recipient: Any) -> Any:
    return (
        select(transfers.c.id)
        .join(outgoing, outgoing.c.subject_id == transfers.c.id)
        .where(
            transfers.c.member_id == member_id,
            transfers.c.recipient == recipient,
            outgoing.c.state == State.CONFIRMED.value,
        )
        .limit(1)
    )


def payees(connection: Connection, member_id: str, limit: int) -> list[tuple[str, int]]:
    """(member id, time in ms) of the newest payments of a member, the same payee perhaps often."""
    query = select(transfers.c.recipient, transfers.c.created_ms).where(
        transfers.c.member_id == member_id, transfers.c.withdrawn_ms.is_(None)
    )
    rows = connection.execute(query.order_by(transfers.c.id.desc()).limit(limit))
    return [(row.recipient, row.created_ms) for row in rows]


def waiting_of(connection: Connection, member_id: str) -> list[Any]:
    """The delayed payments of a member."""
    query = select(transfers).where(
        transfers.c.waiting.is_(True), transfers.c.member_id == member_id
    )
    return list(connection.execute(query))


def end_waiting(connection: Connection, transfer_id: str, withdrawn_ms: int | None = None) -> bool:
    """A delayed payment goes on, or back; False if it does not wait any more."""
    ended = connection.execute(
        update(transfers)
        .where(transfers.c.id == transfer_id, transfers.c.waiting.is_(True))
        .values(waiting=False, withdrawn_ms=withdrawn_ms)
    )
    return bool(ended.rowcount)


def by_id(connection: Connection, transfer_id: str) -> Any:
    """The row of a payment known to exist."""
    return connection.execute(*_by_id(transfer_id)).one()


def by_ids(connection: Connection, transfer_ids: Collection[str]) -> dict[str, Any]:
    """The rows of payments known to exist, by id."""
    if not transfer_ids:
        return {}
    query = select(transfers).where(transfers.c.id.in_(transfer_ids))
    return {row.id: row for row in connection.execute(query)}


@prepared
def _by_id(transfer_id: Any) -> Any:
    return select(transfers).where(transfers.c.id == transfer_id)


def key_of(connection: Connection, transfer_id: str) -> str:
    """The Idempotency-Key a payment was ordered with."""
    return str(by_id(connection, transfer_id).idempotency_key)


def find(connection: Connection, transfer_id: str, member_id: str) -> Any:
    """One payment as its payer or its recipient may see it, or None."""
    return connection.execute(*_seen_by(transfer_id, member_id)).first()


@prepared
def _seen_by(transfer_id: Any, member_id: Any) -> Any:
    return _with_fate().where(transfers.c.id == transfer_id, _concerns(member_id))


def page(connection: Connection, member_id: str, before: str | None, limit: int) -> list[Any]:
    """Payments a member made or received, newest first, older than the id ``before``."""
    query = _with_fate().where(_concerns(member_id))
    if before is not None:
        query = query.where(transfers.c.id < before)
    return list(connection.execute(query.order_by(transfers.c.id.desc()).limit(limit)))


def spent(connection: Connection, member_id: str, token: str, day: str) -> int:
    """What this member has ordered today, in base units, less what came back."""
    return connection.scalar(*_day(member_id, token, day)) or 0


def spent_in(connection: Connection, member_id: str, day: str) -> dict[str, int]:
    """The same of every token that this member sent today, by symbol."""
    query = select(spending_days.c.token, spending_days.c.amount).where(
        spending_days.c.member_id == member_id, spending_days.c.day == day
    )
    return {row.token: row.amount for row in connection.execute(query) if row.amount}


def count(connection: Connection, transfer_id: str, day: str) -> None:
    """Count a payment against this day instead of any other. The caller holds the lane."""
    row = by_id(connection, transfer_id)
    if row.limit_day == day:
        return
    _give_back(connection, row)
    connection.execute(*_set_day(transfer_id, day))
    _add_spent(connection, row.member_id, row.token, day, row.amount)


def give_back(connection: Connection, transfer_id: str) -> None:
    """Count a payment against no day any more; again changes nothing. The caller holds the lane."""
    _give_back(connection, by_id(connection, transfer_id))


def _give_back(connection: Connection, row: Any) -> None:
    if row.limit_day is not None:
        connection.execute(*_set_day(row.id, None))
        _add_spent(connection, row.member_id, row.token, row.limit_day, -row.amount)


@prepared
def _set_day(transfer_id: Any, day: Any) -> Any:
    return update(transfers).where(transfers.c.id == transfer_id).values(limit_day=day)


def _add_spent(connection: Connection, member_id: str, token: str, day: str, amount: int) -> None:
    present = connection.scalar(*_day(member_id, token, day))
    if present is None:
        insert_if_absent(
            connection, spending_days, member_id=member_id, token=token, day=day, amount=amount
        )
    else:
        connection.execute(*_set_spent(member_id, token, day, present + amount))


@prepared
def _set_spent(member_id: Any, token: Any, day: Any, amount: Any) -> Any:
    return (
        update(spending_days)
        .where(
            spending_days.c.member_id == member_id,
            spending_days.c.token == token,
            spending_days.c.day == day,
        )
        .values(amount=amount)
    )


def transfer_of(row: Any, memo: str) -> Transfer:
    """The payment a joined row describes."""
    return Transfer(
        id=row.id,
        member_id=row.member_id,
        recipient=row.recipient,
        sender_symid=row.sender_symid,
        recipient_symid=row.recipient_symid,
        token=row.token,
        amount=row.amount,
        memo=memo,
        state=_standing(row),
        reason=row.reason or "",
        transaction_hash=row.hash,
        nonce=row.nonce,
        block_number=row.block_number,
        gas_refill_hug=row.amount_hug or 0,
        queued_reason=row.queued_reason or "",
        created_ms=row.created_ms,
        final_ms=row.withdrawn_ms or row.final_ms,
        confirm_after_ms=row.confirm_after_ms,
    )


def _standing(row: Any) -> Standing:
    if row.state is not None:
        return Standing(row.state)
    return Standing.DELAYED if row.waiting else Standing.WITHDRAWN


def _concerns(member_id: str) -> Any:
    """What a member may see: what they ordered, and what is coming to them once it is signed."""
    coming = and_(transfers.c.recipient == member_id, outgoing.c.hash.is_not(None))
    return or_(transfers.c.member_id == member_id, coming)


@prepared
def _day(member_id: Any, token: Any, day: Any) -> Any:
    return select(spending_days.c.amount).where(
        spending_days.c.member_id == member_id,
        spending_days.c.token == token,
        spending_days.c.day == day,
    )


def _with_fate() -> Any:
    return select(
        transfers,
        outgoing.c.state,
        outgoing.c.reason,
        outgoing.c.hash,
        outgoing.c.nonce,
        outgoing.c.block_number,
        outgoing.c.final_ms,
        gas_refills.c.amount_hug,
        gas_refills.c.queued_reason,
    ).select_from(
        transfers.outerjoin(
            outgoing,
            and_(outgoing.c.subject_id == transfers.c.id, outgoing.c.purpose == PURPOSE),
        ).outerjoin(gas_refills, gas_refills.c.transfer_id == transfers.c.id)
    )

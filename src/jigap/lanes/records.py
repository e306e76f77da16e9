"""The tables of the lanes, and all SQL on them.

A lane is one account's sequence of nonces. ``lanes.next_nonce`` is the row that everything about an
account's spending is decided under: whoever changes it has locked it first, and a row in
``outgoing`` can only be added at exactly that nonce. What a nonce was used for has the row of that
nonce; one that was made void by a payment our records had lost has a negative number instead.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
    insert,
    select,
    update,
)

from jigap import index
from jigap.database import Amount, for_each, insert_if_absent, metadata, prepared
from jigap.lanes.outcome import Outgoing, Settled, outcome
from jigap.lanes.states import State, advance
from jigap.node.client import ChainBlock, ChainTransaction

MESSAGE_CHARS_MAX = 500

lanes = Table(
    "lanes",
    metadata,
    Column("chain_id", BigInteger, primary_key=True),
    Column("sender", LargeBinary(10), primary_key=True),
    Column("next_nonce", BigInteger, nullable=False),
)

outgoing = Table(
    "outgoing",
    metadata,
    Column("chain_id", BigInteger, primary_key=True),
    Column("sender", LargeBinary(10), primary_key=True),
    Column("nonce", BigInteger, primary_key=True),
    Column("purpose", String(20), nullable=False),
    Column("subject_id", String(40), nullable=False, unique=True),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("raw", LargeBinary, nullable=False),
    Column("cancel_hash", LargeBinary(32), nullable=False),
    Column("cancel_raw", LargeBinary, nullable=False),
    Column("tag", LargeBinary(16), nullable=False),
    Column("fee_max_hug", Amount, nullable=False),
    Column("value_hug", Amount, nullable=False),
    Column("state", String(12), nullable=False),
    Column("final", Boolean, nullable=False),
    Column("reason", String(40), nullable=False, default=""),
    Column("message", Text, nullable=False, default=""),
    Column("created_ms", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("last_sent_ms", BigInteger, nullable=False, default=0),
    Column("block_number", BigInteger, nullable=True),
    Column("final_ms", BigInteger, nullable=True),
    Column("stuck_ms", BigInteger, nullable=True),
    UniqueConstraint("chain_id", "sender", "tag"),
    Index("ix_outgoing_unfinished", "final", "sender", "nonce"),
)


class NonceTaken(Exception):
    """The lane moved on between reading its nonce and recording; read it again and sign again."""


def open_lane(connection: Connection, chain_id: int, sender: bytes) -> None:
    """Make an account's lane if it has none; its nonce follows the chain and our records."""
    if not is_lane(connection, chain_id, sender):
        nonce = _recomputed(connection, chain_id, sender)
        insert_if_absent(connection, lanes, chain_id=chain_id, sender=sender, next_nonce=nonce)


def next_nonce(
    connection: Connection, chain_id: int, sender: bytes, *, lock: bool = False
) -> int | None:
    """The nonce the next transaction of this lane must use; None if there is no such lane.

    With ``lock`` the lane is ours until the transaction ends.
    """
    query = _next_nonce_locked if lock else _next_nonce
    found: int | None = connection.scalar(*query(chain_id, sender))
    return found


@prepared
def _next_nonce(chain_id: Any, sender: Any) -> Any:
    return select(lanes.c.next_nonce).where(lanes.c.chain_id == chain_id, lanes.c.sender == sender)


@prepared
def _next_nonce_locked(chain_id: Any, sender: Any) -> Any:
    return (
        select(lanes.c.next_nonce)
        .where(lanes.c.chain_id == chain_id, lanes.c.sender == sender)
        .with_for_update()
    )


def record(connection: Connection, chain_id: int, entry: Outgoing) -> None:
    """Take the lane's next nonce for ``entry``. Raises ``NonceTaken`` if it is not next."""
    moved = connection.execute(*_take_nonce(chain_id, entry.sender, entry.nonce, entry.nonce + 1))
    if moved.rowcount != 1:
        raise NonceTaken
    _insert(connection, chain_id, entry)


@prepared
def _take_nonce(chain_id: Any, sender: Any, nonce: Any, next_: Any) -> Any:
    return (
        update(lanes)
        .where(lanes.c.chain_id == chain_id, lanes.c.sender == sender, lanes.c.next_nonce == nonce)
        .values(next_nonce=next_)
    )


def unfinished(
    connection: Connection, chain_id: int, sender: bytes | None = None
) -> list[Outgoing]:
    """What is not final yet, of one lane or of all, in the order of lanes and nonces."""
    if sender is None:
        rows = connection.execute(*_all_unfinished(chain_id))
    else:
        rows = connection.execute(*_unfinished_in(chain_id, sender))
    return [_outgoing(row) for row in rows]


@prepared
def _all_unfinished(chain_id: Any) -> Any:
    return (
        select(outgoing)
        .where(outgoing.c.chain_id == chain_id, outgoing.c.final.is_(False))
        .order_by(outgoing.c.sender, outgoing.c.nonce)
    )


@prepared
def _unfinished_in(chain_id: Any, sender: Any) -> Any:
    return (
        select(outgoing)
        .where(
            outgoing.c.chain_id == chain_id,
            outgoing.c.final.is_(False),
            outgoing.c.sender == sender,
        )
        .order_by(outgoing.c.nonce)
    )


def owed(
    connection: Connection, chain_id: int, senders: Collection[bytes] | None = None
) -> dict[bytes, int]:
    """The most hug that what is not final yet can cost each lane, of these lanes or of all."""
    query = select(outgoing.c.sender, outgoing.c.fee_max_hug, outgoing.c.value_hug).where(
        outgoing.c.chain_id == chain_id, outgoing.c.final.is_(False)
    )
    if senders is not None:
        query = query.where(outgoing.c.sender.in_(sorted(senders)))
    found: dict[bytes, int] = {}
    for row in connection.execute(query):
        found[row.sender] = found.get(row.sender, 0) + row.fee_max_hug + row.value_hug
    return found


def owed_by(connection: Connection, chain_id: int, sender: bytes) -> int:
    """``owed`` of one lane."""
    rows = connection.execute(*_owed_by(chain_id, sender))
    return sum(row.fee_max_hug + row.value_hug for row in rows)


@prepared
def _owed_by(chain_id: Any, sender: Any) -> Any:
    return select(outgoing.c.fee_max_hug, outgoing.c.value_hug).where(
        outgoing.c.chain_id == chain_id,
        outgoing.c.final.is_(False),
        outgoing.c.sender == sender,
    )


def move(
    connection: Connection,
    chain_id: int,
    changes: Iterable[tuple[Outgoing, State, str]],
    now_ms: int,
) -> None:
    """Bring rows to new, non-final states, with the node's last word on each.

    A row that a block ended in the meantime stays ended. A node may say anything, so only what
    every database can hold is kept.
    """
    rows = [
        (
            chain_id,
            entry.sender,
            entry.nonce,
            (state if state == entry.state else advance(entry.state, state)).value,
            index.printable(message, MESSAGE_CHARS_MAX),
            now_ms,
        )
        for entry, state, message in changes
    ]
    if rows:
        connection.execute(*for_each(_move, rows))


@prepared
def _move(
    chain_id: Any, sender: Any, nonce: Any, state: Any, message: Any, last_sent_ms: Any
) -> Any:
    return (
        update(outgoing)
        .where(
            outgoing.c.chain_id == chain_id,
            outgoing.c.sender == sender,
            outgoing.c.nonce == nonce,
            outgoing.c.final.is_(False),
        )
        .values(state=state, message=message, last_sent_ms=last_sent_ms)
    )


def expire_unsent(connection: Connection, chain_id: int, sender: bytes, now_ms: int) -> int:
    """End the time of what has never left us: its cancel goes out instead; how many there were."""
    ended = connection.execute(*_expire_unsent(chain_id, sender, now_ms))
    return int(ended.rowcount)


@prepared
def _expire_unsent(chain_id: Any, sender: Any, deadline_ms: Any) -> Any:
    return (
        update(outgoing)
        .where(
            outgoing.c.chain_id == chain_id,
            outgoing.c.sender == sender,
            outgoing.c.state == State.SIGNED.value,
            outgoing.c.deadline_ms > deadline_ms,
        )
        .values(deadline_ms=deadline_ms)
    )


def note_stuck(
    connection: Connection, chain_id: int, deadline_ms: int, now_ms: int
) -> list[Outgoing]:
    """What is unfinished though its deadline was before ``deadline_ms``, noted once each."""
    late = and_(_is_late(chain_id, deadline_ms), outgoing.c.stuck_ms.is_(None))
    rows = connection.execute(select(outgoing).where(late)).all()
    if rows:
        connection.execute(update(outgoing).where(late).values(stuck_ms=now_ms))
    return [_outgoing(row) for row in rows]


def stuck(connection: Connection, chain_id: int, limit: int) -> list[tuple[Outgoing, int]]:
    """What was noted as stuck and is still unfinished, oldest first, and since when."""
    query = select(outgoing).where(
        outgoing.c.chain_id == chain_id,
        outgoing.c.final.is_(False),
        outgoing.c.stuck_ms.is_not(None),
    )
    rows = connection.execute(query.order_by(outgoing.c.created_ms, outgoing.c.nonce).limit(limit))
    return [(_outgoing(row), row.stuck_ms) for row in rows]


def has_late(connection: Connection, chain_id: int, deadline_ms: int) -> bool:
    """Whether ``note_stuck`` would find something."""
    late = and_(_is_late(chain_id, deadline_ms), outgoing.c.stuck_ms.is_(None))
    return connection.scalar(select(outgoing.c.nonce).where(late).limit(1)) is not None


def _is_late(chain_id: int, deadline_ms: int) -> ColumnElement[bool]:
    return and_(
        outgoing.c.chain_id == chain_id,
        outgoing.c.final.is_(False),
        outgoing.c.deadline_ms < deadline_ms,
    )


def settle(
    connection: Connection, chain_id: int, block: ChainBlock
) -> tuple[list[Settled], list[ChainTransaction]]:
    """End every outgoing transaction whose nonce this block used.

    Returns what was ended, and the transactions of our lanes that we did not prepare.
    """
    senders = {one.sender for one in block.transactions}
    if not senders:
        return [], []
    ours = _lock_lanes(connection, chain_id, senders)
    waiting = {
        (entry.sender, entry.nonce): entry
        for entry in _unfinished_of(connection, chain_id, sorted(ours))
    }
    settled: list[Settled] = []
    strangers: list[ChainTransaction] = []
    nonces = dict(ours)
    for mined in block.transactions:
        if mined.sender not in ours:
            continue
        nonces[mined.sender] = max(nonces[mined.sender], mined.nonce + 1)
        entry = waiting.get((mined.sender, mined.nonce))
        if entry is not None:
            state, reason = outcome(entry, mined.hash, mined.status, mined.err_code)
            advance(entry.state, state)
            settled.append(Settled(entry, state, reason, block.number, block.time_ms))
        if entry is None or mined.hash not in (entry.hash, entry.cancel_hash):
            strangers.append(mined)
    _write_ends(connection, chain_id, settled)
    _write_nonces(connection, chain_id, ours, nonces)
    return settled, strangers


def adopt(connection: Connection, chain_id: int, entry: Outgoing, block: ChainBlock) -> None:
    """Remember a transaction of ours that a block has ended and that our records had lost.

    A row that it made void gives way: it keeps its nonce as ``-1 - nonce``.
    """
    connection.execute(
        update(outgoing)
        .where(
            outgoing.c.chain_id == chain_id,
            outgoing.c.sender == entry.sender,
            outgoing.c.nonce == entry.nonce,
            outgoing.c.state == State.VOID.value,
        )
        .values(nonce=-1 - entry.nonce)
    )
    _insert(
        connection, chain_id, entry, final=True, block_number=block.number, final_ms=block.time_ms
    )


def known(connection: Connection, chain_id: int, hashes: Collection[bytes]) -> set[bytes]:
    """Which of these transactions we have prepared."""
    query = select(outgoing.c.hash).where(
        outgoing.c.chain_id == chain_id, outgoing.c.hash.in_(sorted(hashes))
    )
    return set(connection.scalars(query))


def with_tag(connection: Connection, chain_id: int, sender: bytes, tag: bytes) -> str | None:
    """The subject of the transaction of this lane that carries ``tag``, or None."""
    found: str | None = connection.scalar(*_subject_of(chain_id, sender, tag))
    return found


@prepared
def _subject_of(chain_id: Any, sender: Any, tag: Any) -> Any:
    return select(outgoing.c.subject_id).where(
        outgoing.c.chain_id == chain_id, outgoing.c.sender == sender, outgoing.c.tag == tag
    )


def recompute(connection: Connection, chain_id: int) -> int:
    """At start: set every lane's nonce from the chain and our records; how many had been wrong."""
    wrong = 0
    for sender, present in connection.execute(
        select(lanes.c.sender, lanes.c.next_nonce).where(lanes.c.chain_id == chain_id)
    ).all():
        right = _recomputed(connection, chain_id, sender)
        if right != present:
            wrong += 1
            _write_nonces(connection, chain_id, {sender: present}, {sender: right})
    return wrong


def is_lane(connection: Connection, chain_id: int, sender: bytes) -> bool:
    """Whether this account is one of ours."""
    return next_nonce(connection, chain_id, sender) is not None


def without_lane(connection: Connection, chain_id: int, senders: set[bytes]) -> set[bytes]:
    """Which of these accounts have no lane."""
    if not senders:
        return set()
    present = select(lanes.c.sender).where(
        lanes.c.chain_id == chain_id, lanes.c.sender.in_(sorted(senders))
    )
    return senders - set(connection.scalars(present))


def _insert(connection: Connection, chain_id: int, entry: Outgoing, **end: Any) -> None:
    fields = {name: getattr(entry, name) for name in Outgoing.__slots__}
    fields |= {"state": entry.state.value, "final": False} | end
    connection.execute(_INSERT, {"chain_id": chain_id, **fields})


_INSERT = insert(outgoing)


def _recomputed(connection: Connection, chain_id: int, sender: bytes) -> int:
    last = connection.scalar(
        select(func.max(outgoing.c.nonce)).where(
            outgoing.c.chain_id == chain_id, outgoing.c.sender == sender
        )
    )
    return max(index.account(connection, sender).nonce, 0 if last is None else last + 1)


def _lock_lanes(connection: Connection, chain_id: int, senders: set[bytes]) -> Mapping[bytes, int]:
    rows = connection.execute(
        select(lanes.c.sender, lanes.c.next_nonce)
        .where(lanes.c.chain_id == chain_id, lanes.c.sender.in_(sorted(senders)))
        .order_by(lanes.c.sender)
        .with_for_update()
    )
    return {row.sender: row.next_nonce for row in rows}


def _unfinished_of(
    connection: Connection, chain_id: int, senders: Sequence[bytes]
) -> list[Outgoing]:
    rows = connection.execute(
        select(outgoing).where(
            outgoing.c.chain_id == chain_id,
            outgoing.c.final.is_(False),
            outgoing.c.sender.in_(senders),
        )
    )
    return [_outgoing(row) for row in rows]


def _write_ends(connection: Connection, chain_id: int, settled: Sequence[Settled]) -> None:
    assert all(one.state.is_final for one in settled)
    rows = [
        (
            chain_id,
            one.outgoing.sender,
            one.outgoing.nonce,
            one.state.value,
            one.reason,
            one.block_number,
            one.time_ms,
        )
        for one in settled
    ]
    if rows:
        connection.execute(*for_each(_end, rows))


@prepared
def _end(
    chain_id: Any,
    sender: Any,
    nonce: Any,
    state: Any,
    reason: Any,
    block_number: Any,
    final_ms: Any,
) -> Any:
    return (
        update(outgoing)
        .where(
            outgoing.c.chain_id == chain_id,
            outgoing.c.sender == sender,
            outgoing.c.nonce == nonce,
        )
        .values(
            state=state, final=True, reason=reason, block_number=block_number, final_ms=final_ms
        )
    )


def _write_nonces(
    connection: Connection,
    chain_id: int,
    before: Mapping[bytes, int],
    after: Mapping[bytes, int],
) -> None:
    for sender, nonce in after.items():
        if nonce != before[sender]:
            connection.execute(
                update(lanes)
                .where(lanes.c.chain_id == chain_id, lanes.c.sender == sender)
                .values(next_nonce=nonce)
            )


def _outgoing(row: Any) -> Outgoing:
    fields = {name: getattr(row, name) for name in Outgoing.__slots__}
    return Outgoing(**fields | {"state": State(row.state)})

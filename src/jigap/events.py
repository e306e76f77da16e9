"""Past-tense records, saved in the transaction that changes the state they speak of.

Whoever changes state calls ``record``; nobody numbers events but the dispatcher, which gives each a
gap-free ``seq`` in commit order so that a reader who has seen ``seq`` 41 knows that 42 comes next.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    func,
    insert,
    select,
    update,
)

from jigap.database import metadata

#: A bell that rang this lately is rung in this process; blocks ring one every second.
NEAR_S = 5.0

#: Every kind of event there is, and what it means.
KINDS: dict[str, str] = {
    "transfer.accepted": "A payment was accepted and its amount put on hold.",
    "transfer.delayed": "A payment waits for its delay; its amount is on hold.",
    "transfer.withdrawn": "The payer took back a delayed payment; the amount is free again.",
    "transfer.confirmed": "A payment is final on the chain.",
    "transfer.refused": "The chain refused a payment; the amount is free again.",
    "transfer.void": "A payment can never happen any more; the amount is free again.",
    "transfer.external": "Tokens moved by a transaction that is not a payment of ours.",
    "transaction.stuck": "No block takes a transaction nor its cancel; operators see it.",
    "wallet.active": "A wallet has its SymID and can pay.",
    "passphrase.changed": "The payment passphrase was changed.",
    "recovery.requested": "Somebody signed in began to recover the payment passphrase.",
    "recovery.waiting": "A real-name check allowed a recovery; the time to say no has begun.",
    "recovery.approved": "An operator approved a recovery; `state` says whether the second did.",
    "recovery.opened": "The key came back from the recovery key; a new passphrase may be chosen.",
    "recovery.done": "A recovered wallet has its new passphrase.",
    "recovery.cancelled": "A recovery was cancelled, by the member or because it was not needed.",
    "recovery.refused": "An operator refused a recovery.",
    "recovery.expired": "A recovery was not finished in time.",
    "password.reset": "The password was set anew after a real-name check; all sessions ended.",
    "member.verified": "An operator or an agency verified a member's name and phone.",
    "limits.changed": "A member set other limits for themselves, or took back a raise.",
    "limits.raise_asked": "A member raised a limit of theirs; it holds after the waiting time.",
    "member.frozen": "A member was frozen; nothing not yet broadcast leaves.",
    "member.unfrozen": "A member was unfrozen.",
    "password.changed": "The sign-in password was changed; every other session has ended.",
    "factor.added": "A second factor was added; every other session has ended.",
    "factor.removed": "A second factor was removed.",
    "recovery_codes.renewed": "There are new recovery codes; those of before are void.",
    "recovery_code.used": "A recovery code was used up.",
    "member.closed": "The member left; the account is closed.",
    "member.exported": "All data of the account was asked for, by somebody signed in to it.",
    "seller.applied": "A member asked to become a seller.",
    "seller.accepted": "A member is a seller, under the name they asked for.",
    "seller.rejected": "An operator said no to an application.",
    "seller.withdrawn": "A member took back an application.",
    "seller.ended": "A seller's name is theirs no more: ended by an operator, or replaced.",
    "token.changed": "An operation of the operator on a token is final.",
    "token.stopped": "The auditor found a difference and stopped new payments of a token.",
}

events = Table(
    "events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("seq", BigInteger, unique=True, nullable=True),
    Column("member_id", String(40), nullable=True),
    Column("kind", String(40), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_events_member_seq", "member_id", "seq"),
)


def record(
    connection: Connection,
    kind: str,
    /,
    *,
    subject: str,
    member_id: str | None,
    now_ms: int,
    **body: Any,
) -> None:
    """Save one event for one member (or for nobody in particular)."""
    told = event(kind, subject=subject, member_id=member_id, now_ms=now_ms, **body)
    connection.execute(_INSERT, told)


def event(
    kind: str, /, *, subject: str, member_id: str | None, now_ms: int, **body: Any
) -> dict[str, Any]:
    """What ``record`` saves, for ``record_all``."""
    assert kind in KINDS, f"event kind {kind!r} is not listed in events.KINDS"
    return {
        "kind": kind,
        "subject": subject,
        "member_id": member_id,
        "created_ms": now_ms,
        "body": msgspec.json.encode(body).decode(),
    }


def record_many(
    connection: Connection, kind: str, /, about: Iterable[tuple[str, str]], *, now_ms: int
) -> None:
    """Save one event of a kind for each (subject, member), without a body."""
    told = (event(kind, subject=one, member_id=member, now_ms=now_ms) for one, member in about)
    record_all(connection, told)


def record_all(connection: Connection, told: Iterable[dict[str, Any]]) -> None:
    """Save many events (made by ``event``), in their order, with one statement."""
    rows = list(told)
    if rows:
        connection.execute(_INSERT, rows)


_INSERT = insert(events)


def number_new(connection: Connection, limit: int = 1000) -> int:
    """Give the next numbers to events that have none; the dispatcher alone calls this."""
    waiting = connection.scalars(
        select(events.c.id).where(events.c.seq.is_(None)).order_by(events.c.id).limit(limit)
    ).all()
    if not waiting:
        return 0
    last = connection.scalar(select(func.max(events.c.seq))) or 0
    numbered = [
        {"numbered_id": row_id, "numbered_seq": last + offset}
        for offset, row_id in enumerate(waiting, 1)
    ]
    connection.execute(_NUMBER, numbered)
    return len(waiting)


_NUMBER = (
    update(events)
    .where(events.c.id == bindparam("numbered_id"))
    .values(seq=bindparam("numbered_seq"))
)


class Bell:
    """Wakes whoever waits inside this process; across processes people look at the database.

    ``ring`` is for something done, ``wait`` returns True if it rang before the timeout. Who waits
    for something in particular says its id, and is left alone by a ring about other ids.
    """

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], str | None] = {}
        self._rung_s = -math.inf

    @property
    def is_near(self) -> bool:
        """Whether who rings it is in this process, so that nobody need look meanwhile."""
        return time.monotonic() - self._rung_s < NEAR_S

    def ring(self, about: Collection[str] | None = None) -> None:
        self._rung_s = time.monotonic()
        for one, subject in list(self._waiting.items()):
            if about is not None and subject is not None and subject not in about:
                continue
            del self._waiting[one]
            if not one.done():
                one.set_result(None)

    async def wait(self, timeout_s: float, subject: str | None = None) -> bool:
        with self.listening(subject) as heard:
            return await heard(timeout_s)

    @contextmanager
    def listening(self, subject: str | None = None) -> Iterator[Callable[[float], Awaitable[bool]]]:
        """Hear from now on. Look first, then wait once: what rang while you looked is not lost."""
        one: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[one] = subject

        async def heard(timeout_s: float) -> bool:
            try:
                await asyncio.wait_for(one, timeout_s)
            except TimeoutError:
                return False
            return True

        try:
            yield heard
        finally:
            self._waiting.pop(one, None)

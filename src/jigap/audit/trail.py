"""The rows of the trail: what may be written, how they are chained, and how they are read.

Every action there is stands in ``ACTIONS``, in the grammar ``subject:action``. Nothing personal
goes into any field: people are their ids. The address a request came from need not be handed down
to where the row is written: the web server says it once (``asked_from``), and what is done on
behalf of that request knows it.
"""

import re
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    insert,
    select,
    text,
)

from jigap.chain.hashing import sha3_256
from jigap.database import metadata

#: Every action there is, and what it means. Outcomes are ``done`` where nothing else is said.
ACTIONS: dict[str, str] = {
    "directory:hide": "A member is not to be found by name any more.",
    "directory:show": "A member may be found by name again.",
    "favourite:add": "A member kept somebody as a favourite.",
    "favourite:remove": "A member dropped a favourite.",
    "limits:change": "A member set other limits for themselves.",
    "limits:ask_raise": "A member raised a limit of theirs; it holds after the waiting time.",
    "limits:cancel_raise": "A member took back a raise of their limits.",
    "member:close": "A member left: the account is closed and found by nobody.",
    "member:erase": "A closed account was erased at the end of its retention.",
    "member:export": "A member asked for all that is held about them.",
    "member:freeze": "A member was frozen: nothing not yet broadcast leaves.",
    "member:seed": "Made-up members were added on the command line; the detail says which.",
    "member:unfreeze": "A frozen member may act again.",
    "member:verify": "Name and phone number of a member were verified, by whom the actor says.",
    "operator:create": "An operator was made on the command line.",
    "operator:reset": "An operator got a new password and second factor on the command line.",
    "passphrase:change": "A member changed the payment passphrase of a wallet.",
    "password:reset": "A member set a forgotten password anew after a real-name check.",
    "realname:request": "A member asked an agency for a real-name check.",
    "realname:confirm": "A code was typed; the outcome says whether it was right.",
    "realname:end": "A real-name check was refused; the outcome says why.",
    "password:change": "A member changed the sign-in password.",
    "session:open": "A member signed in; the object is the session.",
    "session:end": "A session was signed out or ended from another one.",
    "session:replace": "A session was ended because its member opened one more than may be.",
    "session:end_all": "All sessions of a member, or all others, were ended.",
    "factor:add": "A second factor was confirmed, or made on the command line.",
    "factor:remove": "A second factor was removed.",
    "recovery_code:use": "A recovery code was used up.",
    "recovery_code:renew": "A member got new recovery codes; those of before are void.",
    "shield:import": "Another table of countries was imported on the command line.",
    "shield:repair": "The damaged list of ranges was made anew on the command line.",
    "seller:apply": "A member asked to become a seller.",
    "seller:accept": "An operator made a member a seller under the name they asked for.",
    "seller:reject": "An operator said no to an application.",
    "seller:withdraw": "A member took back an application.",
    "seller:end": "An operator took role and name of a seller away, or replaced the name.",
    "recovery:request": "A member began the recovery of a payment passphrase.",
    "recovery:check": "A fresh real-name check allowed a recovery; the waiting time began.",
    "recovery:approve": "An operator approved a recovery; the outcome says which approval.",
    "recovery:download": "An operator took the request file for the holder of the recovery key.",
    "recovery:open": "An operator brought the answer: the wallet's key is kept for its member.",
    "recovery:complete": "The member chose a new passphrase for the recovered key.",
    "recovery:cancel": "A recovery was cancelled; the outcome says why.",
    "recovery:refuse": "An operator refused a recovery.",
    "recovery:expire": "A recovery was not finished in time.",
    "shield:allow": "An operator listed a range of addresses as allowed.",
    "shield:deny": "An operator listed a range of addresses as denied.",
    "shield:share": "An operator listed a range as one that many people share.",
    "shield:remove": "An operator removed a range from the list.",
    "shield:ban": "An operator banned a range of addresses.",
    "shield:unban": "An operator lifted a ban.",
    "shield:lookup": "An operator looked up the number of a refusal; the object is the address.",
    "token:create": "An operator wished a new token.",
    "token:mint": "An operator wished more of a token, for an account.",
    "token:burn": "An operator wished tokens of an account destroyed.",
    "token:transfer": "An operator wished tokens moved from the token owner's account.",
    "token:transfer_from": "An operator wished tokens moved that an account had allowed.",
    "token:transfer_owner": "An operator wished a token handed to another owner.",
    "token:approve": "An operator wished a spender allowed.",
    "token:decrease_approve": "An operator wished part of an allowance taken back.",
    "token:pause": "An operator wished a token paused.",
    "token:unpause": "An operator wished a paused token made active.",
    "token:resume": "An operator allowed payments again that the auditor had stopped.",
}

GRAMMAR = re.compile(r"[a-z][a-z_]*:[a-z][a-z_]*", re.ASCII)

audit_trail = Table(
    "audit_trail",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("action", String(80), nullable=False),
    Column("object", String(120), nullable=False),
    Column("address", String(64), nullable=False),
    Column("outcome", String(80), nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Index("ix_audit_trail_actor_id", "actor", "id"),
    Index("ix_audit_trail_action_id", "action", "id"),
)

GENESIS = bytes(32)
_LOCK = 0x6A69676170  # "jigap": one appender at a time on PostgreSQL
_address: ContextVar[str] = ContextVar("address", default="")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the trail. ``actor`` and ``object`` are ids, ``address`` a network address."""

    id: int
    created_ms: int
    actor: str
    action: str
    object: str
    address: str
    outcome: str
    detail: str
    hash: bytes


class asked_from:
    """What is appended inside, also by tasks begun there, was asked for from this address.

    A class, because every request goes through it: a generator costs several times as much.
    """

    __slots__ = ("_address", "_before")

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> None:
        self._before = _address.set(self._address)

    def __exit__(self, *_: object) -> None:
        _address.reset(self._before)


def append(
    connection: Connection,
    *,
    now_ms: int,
    actor: str,
    action: str,
    object_: str,
    outcome: str = "done",
    address: str | None = None,
    detail: str = "",
) -> None:
    """Add one row. ``action`` is one of ``ACTIONS``; nothing personal goes into any field.

    ``address`` is where the request came from (``asked_from``) unless it is given.

    On PostgreSQL an appender waits until the transaction of the one before it has ended. Therefore
    whoever appends has locked every other row by then: rows first, the trail last.
    """
    assert action in ACTIONS, f"audit action {action!r} is not listed in audit.ACTIONS"
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = connection.scalar(select(audit_trail.c.hash).order_by(audit_trail.c.id.desc()).limit(1))
    address = _address.get() if address is None else address
    fields = (now_ms, actor, action, object_, address, outcome, detail)
    connection.execute(
        insert(audit_trail).values(
            created_ms=now_ms,
            actor=actor,
            action=action,
            object=object_,
            address=address,
            outcome=outcome,
            detail=detail,
            hash=link(last or GENESIS, fields),
        )
    )


def page(
    connection: Connection,
    before: int | None,
    limit: int,
    *,
    actor: str | None = None,
    action: str | None = None,
) -> list[Entry]:
    """The trail, newest first, ids below ``before``.

    ``action`` is a whole one, or its subject: ``member`` finds ``member:freeze`` too.
    """
    query = select(audit_trail)
    if before is not None:
        query = query.where(audit_trail.c.id < before)
    if actor is not None:
        query = query.where(audit_trail.c.actor == actor)
    if action is not None:
        wanted = [one for one in ACTIONS if action in (one, one.partition(":")[0])]
        query = query.where(audit_trail.c.action.in_(wanted))
    rows = connection.execute(query.order_by(audit_trail.c.id.desc()).limit(limit))
    return [Entry(*row) for row in rows]


def nth_newest_ms(
    connection: Connection, *, actor: str, actions: Sequence[str], nth: int
) -> int | None:
    """When an actor's ``nth`` newest row of these actions was written; None if there is none."""
    rows = audit_trail.c
    query = select(rows.created_ms).where(rows.actor == actor, rows.action.in_(actions))
    found: int | None = connection.scalar(query.order_by(rows.id.desc()).offset(nth - 1).limit(1))
    return found


def follow(connection: Connection, after_id: int) -> Iterator[tuple[Entry, tuple[object, ...]]]:
    """Rows above ``after_id`` in their order, each with the fields that its hash commits to."""
    query = select(audit_trail).where(audit_trail.c.id > after_id).order_by(audit_trail.c.id)
    for row in connection.execute(query, execution_options={"yield_per": 1000}):
        entry = Entry(*row)
        yield entry, (
            entry.created_ms, entry.actor, entry.action, entry.object, entry.address,
            entry.outcome, entry.detail,
        )  # fmt: skip


def link(previous: bytes, fields: tuple[object, ...]) -> bytes:
    """The hash of a row that follows the row with the hash ``previous``."""
    return sha3_256(previous + msgspec.json.encode(fields))

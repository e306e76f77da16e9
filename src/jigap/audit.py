"""Who did what: an append-only trail, chained by hash.

Each row holds the SHA3-256 of the row before it and of itself, so that a row changed, removed or
put in between afterwards breaks every hash that follows. Actions are written ``subject:action``.
"""

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
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
)

GENESIS = bytes(32)
_LOCK = 0x6A69676170  # "jigap": one appender at a time on PostgreSQL


def append(
    connection: Connection,
    *,
    now_ms: int,
    actor: str,
    action: str,
    object_: str,
    outcome: str = "done",
    address: str = "",
    detail: str = "",
) -> None:
    """Add one row. ``action`` is ``subject:action``; nothing personal goes into any field."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = connection.scalar(select(audit_trail.c.hash).order_by(audit_trail.c.id.desc()).limit(1))
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
            hash=_link(last or GENESIS, fields),
        )
    )


def broken_link(connection: Connection) -> int | None:
    """The id of the first row whose hash does not follow from the rows before it, or None."""
    previous = GENESIS
    for row in connection.execute(select(audit_trail).order_by(audit_trail.c.id)):
        fields = (
            row.created_ms, row.actor, row.action, row.object, row.address, row.outcome, row.detail
        )  # fmt: skip
        if _link(previous, fields) != row.hash:
            return int(row.id)
        previous = row.hash
    return None


def _link(previous: bytes, fields: tuple[object, ...]) -> bytes:
    return sha3_256(previous + msgspec.json.encode(fields))

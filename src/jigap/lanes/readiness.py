"""Whether the dispatcher has read all of the chain, and so whether payments may be accepted."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Connection, Integer, Table, Text, select, update

from jigap.database import insert_if_absent, metadata, prepared

#: One row: whether the dispatcher has read all of the chain since it started.
dispatch_state = Table(
    "dispatch_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("caught_up", Boolean, nullable=False),
    Column("stopped_reason", Text, nullable=False),
    Column("heartbeat_ms", BigInteger, nullable=False),
)


def set_dispatch_state(
    connection: Connection, *, caught_up: bool, now_ms: int, stopped_reason: str = ""
) -> None:
    """Say whether new payments may be accepted, and if not for ever, why."""
    values = {"caught_up": caught_up, "stopped_reason": stopped_reason, "heartbeat_ms": now_ms}
    insert_if_absent(connection, dispatch_state, id=1, **values)
    connection.execute(update(dispatch_state).values(**values))


def dispatch(connection: Connection) -> tuple[bool, str, int]:
    """(caught up, why it stopped, its last sign of life in ms)."""
    row = connection.execute(*_dispatch()).first()
    return (row.caught_up, row.stopped_reason, row.heartbeat_ms) if row else (False, "", 0)


@prepared
def _dispatch() -> Any:
    return select(dispatch_state)

"""All SQL on recoveries, and what the member and the audit trail are told of each step."""

from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from jigap import audit, entropy, events
from jigap.keys import KeyRing, handover, keystores
from jigap.keys.envelope import Label
from jigap.recovery.states import OPEN, Recovery, RecoveryUnknown, State, becomes, overtaken
from jigap.recovery.tables import recoveries

NONCE_BYTES = 12

AnyRow = Row[*tuple[Any, ...]]

#: What the member is told when a recovery comes into a state, and what the audit trail calls it.
_TOLD: dict[State, tuple[str, str]] = {
    State.REQUESTED: ("recovery.requested", "recovery:request"),
    State.WAITING: ("recovery.waiting", "recovery:check"),
    State.APPROVED_ONCE: ("recovery.approved", "recovery:approve"),
    State.APPROVED: ("recovery.approved", "recovery:approve"),
    State.OPENED: ("recovery.opened", "recovery:open"),
    State.DONE: ("recovery.done", "recovery:complete"),
    State.CANCELLED: ("recovery.cancelled", "recovery:cancel"),
    State.REFUSED: ("recovery.refused", "recovery:refuse"),
    State.EXPIRED: ("recovery.expired", "recovery:expire"),
}


def get(connection: Connection, recovery_id: str, now_ms: int, *, lock: bool = False) -> Recovery:
    """A recovery as it stands. Raises ``RecoveryUnknown``."""
    query = _recoveries().where(recoveries.c.id == recovery_id)
    row = connection.execute(query.with_for_update(of=recoveries) if lock else query).first()
    if row is None:
        raise RecoveryUnknown("There is no such recovery.")
    return _as_it_stands(row, now_ms)


def get_put_away(connection: Connection, recovery_id: str, now_ms: int) -> Recovery:
    """A recovery, locked, in the transaction that has just made the next version of its key."""
    query = _recoveries().where(recoveries.c.id == recovery_id).with_for_update(of=recoveries)
    row = connection.execute(query).one()
    found = _recovery(row)
    ended = overtaken(found, now_ms, opened_ms=row.opened_ms, version=row.key_version - 1)
    return found if ended is None else _recovery(row, *ended)


def latest(
    connection: Connection, member_id: str, now_ms: int, *, lock: bool = False
) -> Recovery | None:
    """The member's last recovery as it stands, or None."""
    query = _recoveries().where(recoveries.c.member_id == member_id)
    query = query.order_by(recoveries.c.id.desc()).limit(1)
    row = connection.execute(query.with_for_update(of=recoveries) if lock else query).first()
    return None if row is None else _as_it_stands(row, now_ms)


def page(connection: Connection, before: str | None, limit: int, now_ms: int) -> list[Recovery]:
    """Recoveries, newest first, ids below ``before``."""
    query = _recoveries().order_by(recoveries.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(recoveries.c.id < before)
    return [_as_it_stands(row, now_ms) for row in connection.execute(query)]


def add(connection: Connection, found: Recovery, now_ms: int) -> None:
    """Insert a new recovery."""
    connection.execute(
        insert(recoveries).values(
            id=found.id,
            member_id=found.member_id,
            wallet_id=found.wallet_id,
            state=found.state,
            check_id=found.check_id,
            version=found.version,
            operators="",
            reason="",
            created_ms=found.created_ms,
            expires_ms=found.expires_ms,
        )
    )
    _tell(connection, found, found.state, found.member_id, "", now_ms)


def move(
    connection: Connection,
    found: Recovery,
    next_: State,
    actor: str,
    now_ms: int,
    *,
    reason: str = "",
    **values: Any,
) -> None:
    """Bring an open recovery into its next state; outside ``opened`` no key is kept."""
    changed: dict[str, Any] = {"state": becomes(found.state, next_), "reason": reason, **values}
    if next_ is not State.OPENED:
        changed["secret_sealed"] = None
    if next_ not in OPEN:
        changed["finished_ms"] = now_ms
    connection.execute(update(recoveries).where(recoveries.c.id == found.id).values(**changed))
    _tell(connection, found, next_, actor, reason, now_ms)


def secret(connection: Connection, recovery_id: str) -> bytes | None:
    """The sealed key of an opened recovery."""
    query = select(recoveries.c.secret_sealed).where(recoveries.c.id == recovery_id)
    return connection.scalar(query)


def cancel_open(
    connection: Connection, member_id: str, actor: str, reason: str, now_ms: int
) -> None:
    """Cancel whatever recovery of a member is open."""
    for found in open_of(connection, member_id):
        move(connection, found, State.CANCELLED, actor, now_ms, reason=reason)


def has_unsettled(connection: Connection, now_ms: int) -> bool:
    """Whether ``settle`` would find something."""
    rows = connection.execute(_recoveries().where(recoveries.c.state.in_(sorted(OPEN))))
    return any(_end_of(row, now_ms) is not None for row in rows)


def settle(connection: Connection, now_ms: int) -> None:
    """Write down which open recoveries have ended by themselves, and let go of their keys."""
    query = _recoveries().where(recoveries.c.state.in_(sorted(OPEN)))
    for row in connection.execute(query.with_for_update(of=recoveries)).all():
        ended = _end_of(row, now_ms)
        if ended is not None:
            state, reason = ended
            move(connection, _recovery(row), state, "platform", now_ms, reason=reason)


def rewrap_secrets(connection: Connection, ring: KeyRing) -> int:
    """Seal the kept keys again that an older master key sealed; how many were."""
    columns = (recoveries.c.id, recoveries.c.version, recoveries.c.secret_sealed)
    query = (
        select(*columns, keystores.c.wallet_id, keystores.c.public_key_hash)
        .join_from(recoveries, keystores, keystores.c.wallet_id == recoveries.c.wallet_id)
        .where(recoveries.c.secret_sealed.is_not(None))
    )
    old = [
        row
        for row in connection.execute(query.with_for_update(of=recoveries))
        if ring.sealed_with(row.secret_sealed) != ring.current
    ]
    for row in old:
        label = Label(row.wallet_id, bytes(row.public_key_hash), row.version)
        nonce = entropy.random_bytes(NONCE_BYTES)
        fresh = handover.rewrapped(bytes(row.secret_sealed), row.id, label, ring, nonce)
        mine = recoveries.c.id == row.id
        connection.execute(update(recoveries).where(mine).values(secret_sealed=fresh))
    return len(old)


def open_of(connection: Connection, member_id: str) -> list[Recovery]:
    """A member's recoveries that are not written as ended; locked."""
    mine = recoveries.c.member_id == member_id
    query = _recoveries().where(recoveries.c.state.in_(sorted(OPEN)), mine)
    rows = connection.execute(query.with_for_update(of=recoveries)).all()
    return [_recovery(row) for row in rows]


def _recoveries() -> Select[*tuple[Any, ...]]:
    return select(
        recoveries, keystores.c.opened_ms, keystores.c.version.label("key_version")
    ).join_from(recoveries, keystores, keystores.c.wallet_id == recoveries.c.wallet_id)


def _as_it_stands(row: AnyRow, now_ms: int) -> Recovery:
    """What has ended by itself has ended, whether or not that is written."""
    ended = _end_of(row, now_ms)
    if ended is None:
        return _recovery(row)
    return _recovery(row, *ended)


def _end_of(row: AnyRow, now_ms: int) -> tuple[State, str] | None:
    return overtaken(_recovery(row), now_ms, opened_ms=row.opened_ms, version=row.key_version)


def _recovery(row: AnyRow, state: State | None = None, reason: str | None = None) -> Recovery:
    return Recovery(
        id=row.id,
        member_id=row.member_id,
        wallet_id=row.wallet_id,
        state=state or State(row.state),
        check_id=row.check_id,
        version=row.version,
        operators=tuple(filter(None, row.operators.split(","))),
        reason=row.reason if reason is None else reason,
        created_ms=row.created_ms,
        ready_ms=row.ready_ms,
        expires_ms=row.expires_ms,
        finished_ms=row.finished_ms,
    )


def _tell(
    connection: Connection, found: Recovery, state: State, actor: str, reason: str, now_ms: int
) -> None:
    kind, action = _TOLD[state]
    # What an operator wrote as a reason stays in its row: nothing personal goes into the trail.
    outcome = state.value if state is not State.CANCELLED else f"{state.value}:{reason}"
    events.record(
        connection,
        kind,
        subject=found.id,
        member_id=found.member_id,
        now_ms=now_ms,
        state=state.value,
    )
    audit.append(
        connection, now_ms=now_ms, actor=actor, action=action, object_=found.id, outcome=outcome
    )

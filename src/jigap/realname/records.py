"""All SQL on real-name checks, and how a check looks to the rest of the platform."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    insert,
    not_,
    or_,
    select,
    update,
)

from jigap.clock import DAY_MS, day_of
from jigap.realname.tables import realname_checks, realname_days
from jigap.realname.verification import OPEN, Purpose, State, becomes

AnyRow = Row[*tuple[Any, ...]]

#: Days whose counts are kept for whoever looks into an attack.
COUNTED_DAYS_KEPT = 7


@dataclass(frozen=True, slots=True)
class Check:
    """One check as it stands; name and number are masked.

    ``reason`` says why it was refused or ended. ``tries`` counts the codes that were typed.
    ``times`` is how many checks that a cap refused the line stands for, else 1.
    """

    id: str
    member_id: str
    purpose: Purpose
    state: State
    provider: str
    masked_name: str
    masked_phone: str
    address: str
    tries: int
    reason: str
    minor: bool
    created_ms: int
    sent_ms: int | None
    expires_ms: int
    finished_ms: int | None
    spent_ms: int | None
    times: int


#: Checks nobody came back to are written as expired only this long after their time was over: the
#: agency's answer to a code typed in the last moment may still be on its way.
GRACE_MS = 60_000


def check_of(row: Any, now_ms: int) -> Check:
    """The check of a row; one whose time is over is expired, whether or not that is written."""
    state = State(row.state)
    over = state in OPEN and now_ms >= row.expires_ms
    return Check(
        id=row.id,
        member_id=row.member_id,
        purpose=Purpose(row.purpose),
        state=becomes(state, State.EXPIRED) if over else state,
        provider=row.provider,
        masked_name=row.masked_name,
        masked_phone=row.masked_phone,
        address=row.address,
        tries=row.tries,
        reason=row.reason,
        minor=row.minor,
        created_ms=row.created_ms,
        sent_ms=row.sent_ms,
        expires_ms=row.expires_ms,
        finished_ms=row.expires_ms if over else row.finished_ms,
        spent_ms=row.spent_ms,
        times=row.times,
    )


def add(connection: Connection, **values: Any) -> None:
    """Insert a check."""
    connection.execute(insert(realname_checks).values(**values))


def get(connection: Connection, check_id: str, *, lock: bool = False) -> AnyRow | None:
    """The row of a check, or None; with ``lock`` it is ours until the transaction ends."""
    query = select(realname_checks).where(realname_checks.c.id == check_id)
    return connection.execute(query.with_for_update() if lock else query).first()


def count_again(
    connection: Connection,
    member_id: str,
    purpose: Purpose,
    reason: str,
    since_ms: int,
    now_ms: int,
) -> bool:
    """Count one more check on a line that stands for several; whether there is such a line."""
    again = connection.execute(
        update(realname_checks)
        .where(
            realname_checks.c.member_id == member_id,
            realname_checks.c.purpose == purpose,
            realname_checks.c.reason == reason,
            realname_checks.c.created_ms >= since_ms,
        )
        .values(times=realname_checks.c.times + 1, finished_ms=now_ms),
        execution_options={"preserve_rowcount": True},
    )
    return again.rowcount > 0


def open_of(connection: Connection, member_id: str, purpose: Purpose) -> list[AnyRow]:
    """The member's checks for a purpose that are not written as ended; locked."""
    query = select(realname_checks).where(
        realname_checks.c.member_id == member_id,
        realname_checks.c.purpose == purpose,
        realname_checks.c.state.in_(sorted(OPEN)),
    )
    return list(connection.execute(query.with_for_update()))


def page(
    connection: Connection,
    before: str | None,
    limit: int,
    *,
    now_ms: int,
    member_id: str | None = None,
    state: State | None = None,
) -> list[AnyRow]:
    """The log, newest first, ids below ``before``; of one member, in one state."""
    query = select(realname_checks)
    if before is not None:
        query = query.where(realname_checks.c.id < before)
    if member_id is not None:
        query = query.where(realname_checks.c.member_id == member_id)
    if state is not None:
        query = query.where(_in_state(state, now_ms))
    return list(connection.execute(query.order_by(realname_checks.c.id.desc()).limit(limit)))


def _in_state(state: State, now_ms: int) -> ColumnElement[bool]:
    """As ``check_of`` says it: an open check whose time is over is expired."""
    over = and_(realname_checks.c.state.in_(sorted(OPEN)), realname_checks.c.expires_ms <= now_ms)
    if state is State.EXPIRED:
        return or_(realname_checks.c.state == state, over)
    return and_(realname_checks.c.state == state, not_(over))


def change(connection: Connection, check_id: str, **values: Any) -> None:
    """Set columns of one check."""
    mine = realname_checks.c.id == check_id
    connection.execute(update(realname_checks).where(mine).values(**values))


def finish(
    connection: Connection,
    row: Any,
    state: State,
    now_ms: int,
    *,
    reason: str = "",
    right_try: bytes | None = None,
) -> None:
    """End a check, and forget what only the agency had to know."""
    change(
        connection,
        row.id,
        state=becomes(State(row.state), state),
        reason=reason,
        details_sealed=None,
        open_tries=right_try,
        finished_ms=now_ms,
    )


def end_open(connection: Connection, member_id: str, now_ms: int) -> None:
    """End a member's checks that are under way: the member leaves."""
    query = select(realname_checks).where(
        realname_checks.c.member_id == member_id, realname_checks.c.state.in_(sorted(OPEN))
    )
    for row in connection.execute(query.with_for_update()).all():
        finish(connection, row, State.EXPIRED, now_ms, reason="closed")


def forget_old(connection: Connection, now_ms: int, log_ms: int) -> None:
    """Forget checks that ended ``log_ms`` ago, and the counts of days long over."""
    connection.execute(
        delete(realname_checks).where(realname_checks.c.finished_ms < now_ms - log_ms)
    )
    oldest = day_of(now_ms - COUNTED_DAYS_KEPT * DAY_MS)
    connection.execute(delete(realname_days).where(realname_days.c.day < oldest))


def has_overdue(connection: Connection, now_ms: int) -> bool:
    """Whether ``expire_overdue`` would find something."""
    found = select(realname_checks.c.id).where(*_overdue(now_ms)).limit(1)
    return connection.execute(found).first() is not None


def expire_overdue(connection: Connection, now_ms: int) -> None:
    """End the checks nobody came back to, and forget what only the agency had to know."""
    connection.execute(
        update(realname_checks)
        .where(*_overdue(now_ms))
        .values(state=State.EXPIRED, details_sealed=None, open_tries=None, finished_ms=now_ms)
    )


def _overdue(now_ms: int) -> "tuple[ColumnElement[bool], ...]":
    return (
        realname_checks.c.state.in_(sorted(OPEN)),
        realname_checks.c.expires_ms <= now_ms - GRACE_MS,
    )

"""A password that is set without the one before it, for somebody who has proved who they are."""

from sqlalchemy import Connection

from jigap import audit, events
from jigap.members import records
from jigap.members.attempts import forget_all
from jigap.members.member import MemberClosed
from jigap.members.personal import Indexes
from jigap.members.sessions import end_sessions


def reset_password(
    connection: Connection,
    member_id: str,
    password_hash: str,
    *,
    indexes: Indexes,
    address: str,
    now_ms: int,
) -> None:
    """Set the password, end every session and forget the sign-ins that failed.

    A second factor stays what it is: a phone and a password are not enough to take it away.
    """
    row = records.row_of(connection, member_id, lock=True)
    assert row is not None, "members are never deleted"
    if row.closed_ms is not None:
        raise MemberClosed("This member has left.")
    records.change(connection, member_id, password_hash=password_hash)
    forget_all(connection, member_id, indexes.login(row.login))
    events.record(
        connection, "password.reset", subject=member_id, member_id=member_id, now_ms=now_ms
    )
    end_sessions(connection, member_id, now_ms)
    audit.append(
        connection,
        now_ms=now_ms,
        actor=member_id,
        action="password:reset",
        object_=member_id,
        address=address,
    )

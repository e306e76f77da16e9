"""A password that is set without the one before it, for somebody who has proved who they are.

A member proves it by a real-name check. An operator proves it by sitting at the machine.
"""

from sqlalchemy import Connection

from jigap import audit, events
from jigap.keys import KeyRing
from jigap.members import factors, records
from jigap.members.attempts import forget_all
from jigap.members.member import MemberClosed
from jigap.members.personal import Indexes
from jigap.members.sessions import end_sessions
from jigap.refusal import Kind, Refusal


class OperatorUnknown(Refusal):
    """There is no operator of this name."""

    code = "operator_unknown"
    kind = Kind.MISSING
    hint = "Give the member id of an operator; `jigap operator create` makes one."


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


def reset_operator(
    connection: Connection,
    *,
    ring: KeyRing,
    login: str,
    password_hash: str,
    secret: str,
    now_ms: int,
) -> tuple[str, tuple[str, ...]]:
    """Give an operator a new password and a new second factor, as only the command line can.

    For whoever has lost the app and the recovery codes, or was locked out by strangers. Every
    session ends. The id and the recovery codes. Raises ``OperatorUnknown``.
    """
    member = records.by_login(connection, login)
    if member is None or member.closed or not member.is_operator:
        raise OperatorUnknown("There is no such operator.", member_id=login)
    records.row_of(connection, member.id, lock=True)
    records.change(connection, member.id, password_hash=password_hash)
    factors.remove_all(connection, member.id)
    forget_all(connection, member.id, Indexes(ring).login(member.login))
    records.revoke_sessions(connection, member.id, now_ms)
    codes = factors.enrol(connection, ring=ring, member_id=member.id, secret=secret, now_ms=now_ms)
    events.record(
        connection, "password.reset", subject=member.id, member_id=member.id, now_ms=now_ms
    )
    audit.append(
        connection, now_ms=now_ms, actor="console", action="operator:reset", object_=member.id
    )
    return member.id, codes

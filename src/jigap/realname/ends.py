"""How a check ends, and what the member and the audit trail are told about it."""

import hmac
from typing import Any

from sqlalchemy import Connection

from jigap import audit, members
from jigap.realname import records
from jigap.realname.refusals import (
    CodeBurnt,
    RealNameConfirmed,
    RealNameExpired,
    RealNameRefused,
)
from jigap.realname.verification import State
from jigap.refusal import Refusal

REPLACED, BURNT = "replaced", "code_burnt"


def locked_member(connection: Connection, member_id: str) -> Any:
    """The row of a member who may act, locked. Raises ``MemberFrozen``."""
    row = members.row_of(connection, member_id, lock=True)
    assert row is not None, "members are never deleted"
    if row.frozen_ms is not None:
        raise members.MemberFrozen("This member is frozen.")
    return row


def confirmed_by(check: Any, try_id: bytes) -> bool:
    """Whether this very code confirmed the check: of two sent at once, both were right."""
    return check.state == State.CONFIRMED and hmac.compare_digest(bytes(check.open_tries), try_id)


def ended(check: Any) -> Refusal:
    """Why a check that has ended takes no code."""
    if check.state == State.CONFIRMED:
        return RealNameConfirmed("This check was confirmed already.")
    if check.state == State.EXPIRED:
        return RealNameExpired("This check is over.", reason=check.reason)
    if check.reason == BURNT:
        return burnt()
    return RealNameRefused("This check was refused.", reason=check.reason)


def burnt() -> Refusal:
    return CodeBurnt("This code is burnt: too many wrong ones were typed.")


def expire(connection: Connection, check: Any, address: str, now_ms: int) -> Refusal:
    """End a check whose time is over; what to tell the member."""
    records.finish(connection, check, State.EXPIRED, now_ms)
    tell(connection, check.member_id, "confirm", check.id, State.EXPIRED, address, now_ms)
    return RealNameExpired("The code is too old.")


def refuse(connection: Connection, check: Any, reason: str, address: str, now_ms: int) -> None:
    """End a check with a no."""
    records.finish(connection, check, State.REFUSED, now_ms, reason=str(reason))
    outcome = f"{State.REFUSED}:{reason}"
    tell(connection, check.member_id, "end", check.id, outcome, address, now_ms)


def tell(
    connection: Connection,
    member_id: str,
    action: str,
    check_id: str,
    outcome: str,
    address: str,
    now_ms: int,
) -> None:
    """Write a deed into the audit trail."""
    audit.append(
        connection,
        now_ms=now_ms,
        actor=member_id,
        action=f"realname:{action}",
        object_=check_id,
        outcome=str(outcome),
        address=address,
    )

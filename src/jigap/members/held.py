"""A member with everything about their money held still.

Whoever accepts a payment, freezes its payer or changes their limits does it with the payer's lane
and row held, in this order: one of them is first, and the others see what it has done.
"""

from sqlalchemy import Connection

from jigap import lanes
from jigap.members import records
from jigap.members.member import Member


def hold(connection: Connection, chain_id: int, member_id: str) -> Member:
    """The member of an id, with lane and row locked until the transaction ends."""
    symid = account_of(known(connection, member_id))
    if symid is not None:
        lanes.open_lane(connection, chain_id, symid)
        lanes.next_nonce(connection, chain_id, symid, lock=True)
    records.row_of(connection, member_id, lock=True)
    return known(connection, member_id)


def account_of(member: Member) -> bytes | None:
    """The SymID a member pays from, None before there is one."""
    return None if member.wallet is None else member.wallet.symid


def known(connection: Connection, member_id: str) -> Member:
    """The member of an id that somebody who is signed in has."""
    member = records.get(connection, member_id)
    assert member is not None, "a session belongs to a member"
    return member

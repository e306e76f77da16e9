"""The memo of a payment at rest: personal, so sealed by the key ring and bound to its payment."""

from sqlalchemy import Connection, func, select, update

from jigap.entropy import random_bytes
from jigap.keys import KeyRing
from jigap.transfers.records import transfers

NOTHING = b""


def seal(ring: KeyRing, memo: str, transfer_id: str) -> bytes:
    """A memo as it is stored."""
    if not memo:
        return NOTHING
    return ring.seal(memo.encode(), transfer_id.encode(), nonce=random_bytes(12))


def opened(ring: KeyRing, sealed: bytes, transfer_id: str) -> str:
    """What ``seal`` sealed; nothing where a memo never was or was erased."""
    return ring.open(sealed, transfer_id.encode()).decode() if sealed else ""


def rewrap_memos(
    connection: Connection, ring: KeyRing, after: str = "", limit: int = 500
) -> list[str]:
    """Seal memos again that an older master key sealed: the ids of some, higher than ``after``.

    Again from the last of them until there are none.
    """
    prefix = ring.current.to_bytes(4, "big")
    table = transfers.c
    query = select(table.id, table.memo_sealed).where(
        table.id > after,
        table.memo_sealed != NOTHING,
        func.substr(table.memo_sealed, 1, len(prefix)) != prefix,
    )
    rows = connection.execute(query.order_by(table.id).limit(limit)).all()
    for row in rows:
        fresh = seal(ring, opened(ring, row.memo_sealed, row.id), row.id)
        same = (table.id == row.id) & (table.memo_sealed == row.memo_sealed)
        connection.execute(update(transfers).where(same).values(memo_sealed=fresh))
    return [row.id for row in rows]


def erase_memos(connection: Connection, member_id: str) -> None:
    """Forget what a member wrote to those they paid."""
    mine = transfers.c.member_id == member_id
    connection.execute(update(transfers).where(mine).values(memo_sealed=NOTHING))

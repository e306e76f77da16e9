"""What else belongs into the transaction that names a key's next version."""

from collections.abc import Callable

from sqlalchemy import Connection

from jigap import audit, events

#: Given the wallet's id and ``now_ms``; it may refuse, and then the version stays what it is.
Also = Callable[[Connection, str, int], None]


def changed_by(member_id: str | None) -> Also | None:
    """What is told of a change of passphrase by its member."""
    if member_id is None:
        return None

    def tell(connection: Connection, wallet_id: str, now_ms: int) -> None:
        events.record(
            connection,
            "passphrase.changed",
            subject=wallet_id,
            member_id=member_id,
            now_ms=now_ms,
        )
        audit.append(
            connection,
            now_ms=now_ms,
            actor=member_id,
            action="passphrase:change",
            object_=wallet_id,
        )

    return tell

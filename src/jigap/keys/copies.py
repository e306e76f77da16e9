"""The second copy of every wallet key: a row that also names the version that counts.

``opened_ms`` is when a passphrase last opened the key: whoever forgot it has not.

A key's first copy is a synced file, made before the row (``files``). A change of passphrase writes
the next version's file, then the row, then takes the older file away; whatever instant the power
fails at, the row names a version that has its file. Without a row the highest version wins.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    insert,
    select,
    update,
)

from jigap.database import insert_if_absent, metadata, prepared
from jigap.refusal import Kind, Refusal

keystores = Table(
    "keystores",
    metadata,
    Column("wallet_id", String(40), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("public_key_hash", LargeBinary(20), nullable=False, unique=True),
    Column("envelope", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("retry_at_ms", BigInteger, nullable=False, default=0),
    Column("busy_until_ms", BigInteger, nullable=False, default=0),
    Column("busy_token", LargeBinary(16), nullable=True),
    Column("opened_ms", BigInteger, nullable=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
)


class KeystoreMissing(Refusal):
    """There is no stored key for this wallet."""

    code = "keystore_missing"
    kind = Kind.MISSING
    hint = "If there should be one, `jigap keys restore` brings it back from its file."


class KeystoreChanged(Refusal):
    """The stored key was put away anew by somebody else in the meantime."""

    code = "keystore_changed"
    kind = Kind.CONFLICT
    retryable = True
    hint = "Somebody changed the passphrase at the same moment. Try again with the one that counts."


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key whose first copy is durable; ``insert_copy`` makes the second."""

    wallet_id: str
    public_key_hash: bytes
    version: int
    envelope: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """The row of one wallet's key, without its counters."""

    wallet_id: str
    version: int
    public_key_hash: bytes
    envelope: bytes = field(repr=False)


def insert_copy(connection: Connection, key: NewKey, now_ms: int) -> None:
    """Make the second copy of a key, in the transaction that makes its wallet.

    Nothing happens when the very same copy is there: a restore may have been quicker.
    """
    row = _row(key, now_ms)
    if insert_if_absent(connection, keystores, **row):
        return
    if connection.scalar(*_envelope_of(key.wallet_id)) != key.envelope:
        connection.execute(_INSERT, row)  # refused: it is another's


def insert_copies(connection: Connection, keys: Iterable[NewKey], now_ms: int) -> None:
    """Make the second copies of many keys that nobody else can know of yet."""
    connection.execute(_INSERT, [_row(key, now_ms) for key in keys])


def _row(key: NewKey, now_ms: int) -> dict[str, Any]:
    return {
        "wallet_id": key.wallet_id,
        "version": key.version,
        "public_key_hash": key.public_key_hash,
        "envelope": key.envelope,
        "attempts": 0,
        "retry_at_ms": 0,
        "busy_until_ms": 0,
        "busy_token": None,
        "created_ms": now_ms,
        "changed_ms": now_ms,
    }


_INSERT = insert(keystores)


@prepared
def _envelope_of(wallet_id: Any) -> Any:
    return select(keystores.c.envelope).where(keystores.c.wallet_id == wallet_id)


def stored(connection: Connection, wallet_id: str) -> StoredKey:
    """The row of one wallet's key. Raises ``KeystoreMissing``."""
    row = connection.execute(_rows().where(keystores.c.wallet_id == wallet_id)).one_or_none()
    if row is None:
        raise KeystoreMissing("There is no stored key for this wallet.", wallet_id=wallet_id)
    return _stored(row)


def stored_after(connection: Connection, wallet_id: str, limit: int) -> list[StoredKey]:
    """The next rows by wallet id; begin with ``""``."""
    page = _rows().where(keystores.c.wallet_id > wallet_id)
    rows = connection.execute(page.order_by(keystores.c.wallet_id).limit(limit))
    return [_stored(row) for row in rows]


def next_version(
    connection: Connection, wallet_id: str, *, version: int, envelope: bytes, now_ms: int
) -> None:
    """Name ``version`` as the one that counts, if the one before it still does.

    All attempts are given back: whoever may do this knows the passphrase. The lease stays theirs,
    for the older file still has to go. Raises ``KeystoreChanged``.
    """
    changed = connection.execute(
        update(keystores)
        .where(keystores.c.wallet_id == wallet_id, keystores.c.version == version - 1)
        .values(
            version=version,
            envelope=envelope,
            attempts=0,
            retry_at_ms=0,
            changed_ms=now_ms,
        )
    )
    if changed.rowcount != 1:
        raise KeystoreChanged("The stored key has changed meanwhile.", wallet_id=wallet_id)


def replace_envelope(connection: Connection, key: StoredKey, envelope: bytes) -> bool:
    """Put the same key in another wrapping, if the row still is as ``key`` says; whether it was."""
    changed = connection.execute(update(keystores).where(*_still(key)).values(envelope=envelope))
    return changed.rowcount == 1


def put_back(
    connection: Connection, damaged: StoredKey | None, good: StoredKey, now_ms: int
) -> None:
    """Make the row what ``good`` says: anew, or in the place of a damaged one."""
    if damaged is None:
        key = NewKey(good.wallet_id, good.public_key_hash, good.version, good.envelope)
        insert_copy(connection, key, now_ms)
        return
    connection.execute(
        update(keystores)
        .where(*_still(damaged))
        .values(
            version=good.version,
            public_key_hash=good.public_key_hash,
            envelope=good.envelope,
            changed_ms=now_ms,
        )
    )


def _still(key: StoredKey) -> tuple[ColumnElement[bool], ...]:
    return (
        keystores.c.wallet_id == key.wallet_id,
        keystores.c.version == key.version,
        keystores.c.envelope == key.envelope,
    )


def _rows() -> Select[tuple[str, int, bytes, bytes]]:
    return select(
        keystores.c.wallet_id,
        keystores.c.version,
        keystores.c.public_key_hash,
        keystores.c.envelope,
    )


def _stored(row: Row[tuple[str, int, bytes, bytes]]) -> StoredKey:
    return StoredKey(row.wallet_id, row.version, bytes(row.public_key_hash), bytes(row.envelope))

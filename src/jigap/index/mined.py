"""Every question asked of the index about mined transactions.

A transaction is found by its ``place``: one growing number made of block number and position, which
is also the cursor of every list.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, union
from sqlalchemy.sql.elements import ColumnElement

from jigap.database import prepared
from jigap.index.tables import chain_transactions

POSITION_BITS = 16
PAGE_MAX = 1_000
TAG_BYTES_MAX = 32


@dataclass(frozen=True, slots=True)
class IndexedTransaction:
    """A mined transaction and what it moved.

    ``to`` is empty for creations and deposits. ``kind``, ``source``, ``target`` and ``amount`` are
    None if it moved nothing besides its fee; ``contract`` is None for SYM and for failed calls.
    """

    hash: bytes
    block_number: int
    position: int
    sender: bytes
    nonce: int
    type: int
    to: bytes
    value_hug: int
    input: bytes
    extra_data: bytes
    gas_price: int
    gas_used: int
    succeeded: bool
    err_code: int | None
    kind: str | None
    contract: bytes | None
    source: bytes | None
    target: bytes | None
    amount: int | None

    @property
    def fee_hug(self) -> int:
        return self.gas_used * self.gas_price

    @property
    def place(self) -> int:
        """The cursor of this transaction in lists."""
        return place(self.block_number, self.position)


def place(block_number: int, position: int) -> int:
    """The one number that orders all transactions."""
    assert 0 <= position < 1 << POSITION_BITS
    return (block_number << POSITION_BITS) | position


_COLUMNS = [column for column in chain_transactions.c if column.name != "tag"]


def transaction(connection: Connection, hash_: bytes) -> IndexedTransaction | None:
    """The mined transaction of that hash."""
    row = connection.execute(*_by_hash(hash_)).first()
    return None if row is None else _transaction(row)


@prepared
def _by_hash(hash_: Any) -> Any:
    return select(*_COLUMNS).where(chain_transactions.c.hash == hash_)


def by_nonce(connection: Connection, sender: bytes, nonce: int) -> IndexedTransaction | None:
    """The mined transaction that used this nonce of this account."""
    table = chain_transactions.c
    return _one(connection, (table.sender == sender) & (table.nonce == nonce))


def tagged(
    connection: Connection, extra_data: bytes, sender: bytes | None = None
) -> IndexedTransaction | None:
    """The first mined transaction with this extra data of 1 to ``TAG_BYTES_MAX`` bytes.

    Extra data is public: anyone may copy it into a transaction of their own. Give the ``sender`` to
    find only what that account signed.
    """
    table = chain_transactions.c
    condition = table.tag == extra_data
    if sender is not None:
        condition &= table.sender == sender
    return _one(connection, condition)


def transactions_in(connection: Connection, number: int) -> list[IndexedTransaction]:
    """The transactions of one block, in order."""
    rows = connection.execute(*_between(place(number, 0), place(number + 1, 0) - 1))
    return [_transaction(row) for row in rows]


@prepared
def _between(first: Any, last: Any) -> Any:
    table = chain_transactions.c
    here = select(*_COLUMNS).where(table.place.between(first, last))
    return here.order_by(table.place)


def transactions_of(
    connection: Connection, symid: bytes, cursor: int | None = None, limit: int = 50
) -> list[IndexedTransaction]:
    """Transactions that the account sent, paid or was paid by, newest first.

    ``cursor`` is the ``place`` of the last one already seen; ``limit`` is capped at ``PAGE_MAX``.
    """
    limit = max(1, min(limit, PAGE_MAX))
    rows = connection.execute(*_newest(symid, 1 << 62 if cursor is None else cursor, limit))
    return [_transaction(row) for row in rows]


@prepared
def _newest(symid: Any, before: Any, limit: Any) -> Any:
    table = chain_transactions.c

    def newest(column: ColumnElement[bytes]) -> Any:
        found = select(table.place).where(column == symid, table.place < before)
        return select(found.order_by(table.place.desc()).limit(limit).subquery().c.place)

    places = union(newest(table.sender), newest(table.source), newest(table.target)).subquery()
    return (
        select(*_COLUMNS)
        .join_from(chain_transactions, places, places.c.place == table.place)
        .order_by(table.place.desc())
        .limit(limit)
    )


def _one(connection: Connection, condition: ColumnElement[bool]) -> IndexedTransaction | None:
    row = connection.execute(
        select(*_COLUMNS).where(condition).order_by(chain_transactions.c.place).limit(1)
    ).first()
    return None if row is None else _transaction(row)


def _transaction(row: Row[*tuple[Any, ...]]) -> IndexedTransaction:
    place_, hash_, *rest = row
    number, position = place_ >> POSITION_BITS, place_ & ((1 << POSITION_BITS) - 1)
    return IndexedTransaction(hash_, number, position, *rest)

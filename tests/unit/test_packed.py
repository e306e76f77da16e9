"""A packed query gives the rows of the query itself, on both databases."""

from collections.abc import Iterator

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    insert,
    select,
)

from jigap.database import Amount, Database
from jigap.packed import Packed

tables = MetaData()
things = Table(
    "things",
    tables,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("text", String(40), nullable=True),
    Column("amount", Amount, nullable=True),
    Column("truth", Boolean, nullable=True),
    Column("bytes", LargeBinary, nullable=True),
)
ROWS = [
    (1, "plain", 0, True, b"\x00\xff"),
    (2, 'quotes " and \\ and 한글\n', 2**256 - 1, False, bytes(32)),
    (2**62 + 1, None, None, None, None),
    (-5, "", 10**18, True, b"\x01"),
]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    tables.create_all(opened.engine)
    with opened.engine.begin() as connection:
        names = [column.name for column in things.c]
        connection.execute(insert(things), [dict(zip(names, row, strict=True)) for row in ROWS])
    yield opened
    opened.close()


async def test_rows_are_the_same_packed_or_one_by_one(database: Database):
    query = select(things).where(things.c.id.in_(bindparam("ids", expanding=True)))
    packed = Packed(query)
    both = Packed(query.where(things.c.id == 1).union_all(query.where(things.c.id != 1)))

    def compare(connection: Connection, ids: list[int]) -> int:
        plain = [list(row) for row in connection.execute(query, {"ids": ids})]
        assert sorted(packed.rows(connection, ids=ids)) == sorted(plain)
        assert sorted(both.rows(connection, ids=ids)) == sorted(plain)
        return len(plain)

    every = [row[0] for row in ROWS]
    assert await database.read(compare, every) == len(ROWS)
    assert await database.read(compare, [2, 77]) == 1
    assert await database.read(compare, [77]) == 0

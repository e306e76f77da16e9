"""A copy of the whole database as one SQLite file, taken while the platform runs, and back again.

An SQLite database is copied page by page by SQLite's own online backup. A PostgreSQL database is
read table by table in one snapshot; the file has the same tables, so a copy of either can be put
back into either.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, insert, inspect, select, text
from sqlalchemy.engine import make_url

import jigap.app.wiring  # noqa: F401  (declares every table)
from jigap.cli.failure import CommandFailed
from jigap.database import Database, metadata, sqlite_url
from jigap.migrations import migrate

ROWS_AT_A_TIME = 1_000


def save(database: Database, target: Path) -> None:
    """Write a consistent copy of ``database`` to the new file ``target``."""
    if database.dialect == "sqlite":
        source = make_url(database.url).database
        assert source is not None
        copy_sqlite(Path(source), target)
    else:
        _save_tables(database.engine, target)


def copy_sqlite(source: Path, target: Path) -> None:
    """SQLite's online backup: consistent, whoever else reads or writes ``source`` meanwhile."""
    if not source.exists():
        raise CommandFailed(f"There is no database at {source}.")
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading,
        contextlib.closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
        found = writing.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise CommandFailed(f"The copy of the database is damaged: {found}.")


def load(source: Path, database: Database, *, replace: bool) -> None:
    """Put a copy back into a PostgreSQL database that is empty, or is emptied if ``replace``.

    Raises ``CommandFailed`` when the copy has another shape than this release makes, or when there
    are members already.
    """
    migrate(database)
    copied = create_engine(sqlite_url(source))
    with copied.connect() as reading, database.engine.begin() as writing:
        _same_shape(reading, writing)
        if not replace and _has_rows(writing):
            raise CommandFailed("The database is not empty; say --force to replace what it holds.")
        every = _every_table(reading)
        for table in reversed(every):
            writing.execute(table.delete())
        for table in every:
            _copy_rows(table, reading, writing)
        _renumber(writing)
    copied.dispose()


def _save_tables(engine: Engine, target: Path) -> None:
    copy = Database(sqlite_url(target))
    migrate(copy)
    snapshot = engine.connect().execution_options(isolation_level="REPEATABLE READ")
    with (
        snapshot as reading,
        copy.engine.connect().execution_options(writes=True) as writing,
        writing.begin(),
    ):
        _same_shape(reading, writing)
        for table in _every_table(reading):
            _copy_rows(table, reading, writing)
    copy.close()
    with contextlib.closing(sqlite3.connect(target)) as closing:
        closing.execute("PRAGMA journal_mode=DELETE")


def _copy_rows(table: Table, reading: Connection, writing: Connection) -> None:
    for rows in _pages(reading, table):
        writing.execute(insert(table), rows)


def _pages(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    streaming = connection.execution_options(yield_per=ROWS_AT_A_TIME)
    for page in streaming.execute(select(table)).mappings().partitions():
        yield [dict(row) for row in page]


def _same_shape(one: Connection, other: Connection) -> None:
    query = text("SELECT version_num FROM alembic_version")
    first, second = one.scalar(query), other.scalar(query)
    if first != second:
        raise CommandFailed(
            f"The copy has the shape {first} and the database {second}; "
            "use the release that made the backup."
        )


def _every_table(connection: Connection) -> list[Table]:
    """All tables in an order that references allow. One that we do not know would be lost."""
    unknown = set(inspect(connection).get_table_names()) - {*metadata.tables, "alembic_version"}
    if unknown:
        raise CommandFailed(f"The database has tables that are not ours: {sorted(unknown)}.")
    return list(metadata.sorted_tables)


def _has_rows(connection: Connection) -> bool:
    members = metadata.tables["members"]
    return connection.execute(select(members).limit(1)).first() is not None


def _renumber(connection: Connection) -> None:
    """Rows came with their numbers: PostgreSQL must count on from the highest."""
    for table in metadata.sorted_tables:
        for column in inspect(connection).get_columns(table.name):
            if "nextval" not in (column.get("default") or ""):
                continue
            name = column["name"]
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', '{name}'), "
                    f"(SELECT COALESCE(MAX({name}), 0) + 1 FROM {table.name}), false)"
                )
            )

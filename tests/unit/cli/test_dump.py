"""A copy of a database holds every row of every table, whichever database it came from."""

from pathlib import Path

import pytest
from sqlalchemy import insert, select
from tests import postgres

import jigap.app.wiring  # declares every table
from jigap import audit, events
from jigap.cli import dump
from jigap.cli.failure import CommandFailed
from jigap.clock import SystemClock
from jigap.database import Database, metadata, sqlite_url
from jigap.keys import KeyRing
from jigap.members import create_member
from jigap.migrations import migrate

assert jigap.app.wiring


def fill(database: Database, ring: KeyRing, names: list[str]) -> None:
    with (
        database.engine.connect().execution_options(writes=True) as connection,
        connection.begin(),
    ):
        for name in names:
            create_member(
                connection, ring=ring, login=name, password_hash="x", roles=frozenset({"payer"}),
                name="김민수", phone="+821012345678", now_ms=SystemClock().now_ms(),
            )  # fmt: skip
            audit.append(connection, now_ms=1, actor="t", action="member:verify", object_=name)
            events.record(connection, "member.verified", subject=name, member_id=None, now_ms=1)
        table = metadata.tables["chain_accounts"]
        amounts = {"balance_hug": 2**255 + 7, "deposit_hug": 0, "nonce": 3}
        connection.execute(insert(table).values(symid=names[0].encode()[:10], **amounts))


def rows(database: Database) -> dict[str, list[tuple]]:
    with database.engine.connect() as connection:
        return {
            table.name: sorted(tuple(row) for row in connection.execute(select(table)))
            for table in metadata.sorted_tables
        }


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "master.json")


@pytest.fixture
def source(database_url: str, ring: KeyRing):
    opened = Database(database_url)
    migrate(opened)
    fill(opened, ring, ["first-member", "second-member"])
    yield opened
    opened.close()


def test_copy_is_a_whole_sqlite_database(source: Database, tmp_path: Path):
    dump.save(source, tmp_path / "copy.sqlite")
    copy = Database(sqlite_url(tmp_path / "copy.sqlite"))
    assert rows(copy) == rows(source)
    assert sum(len(found) for found in rows(copy).values()) >= 7
    copy.close()


def test_copy_can_be_put_back_and_goes_on_counting(
    source: Database, ring: KeyRing, tmp_path: Path, postgres_server: str
):
    dump.save(source, tmp_path / "copy.sqlite")
    with postgres.fresh_database(postgres_server) as url:
        target = Database(url)
        dump.load(tmp_path / "copy.sqlite", target, replace=False)
        assert rows(target) == rows(source)
        fill(target, ring, ["third-member"])
        with target.engine.connect() as connection:
            assert audit.inspect(connection, None).broken is None
            numbers = connection.scalars(select(metadata.tables["members"].c.number)).all()
        assert sorted(numbers) == [1, 2, 3]
        target.close()


def test_database_with_members_is_not_overwritten_unless_asked(
    sqlite_source: Path, ring: KeyRing, postgres_url: str
):
    target = Database(postgres_url)
    migrate(target)
    fill(target, ring, ["somebody"])
    before = rows(target)
    with pytest.raises(CommandFailed, match="--force"):
        dump.load(sqlite_source, target, replace=False)
    assert rows(target) == before
    dump.load(sqlite_source, target, replace=True)
    logins = [row[2] for row in rows(target)["members"]]
    assert "somebody" not in logins
    target.close()


@pytest.fixture
def sqlite_source(tmp_path: Path, ring: KeyRing) -> Path:
    opened = Database(sqlite_url(tmp_path / "a.sqlite"))
    migrate(opened)
    fill(opened, ring, ["first-member"])
    dump.save(opened, tmp_path / "copy.sqlite")
    opened.close()
    return tmp_path / "copy.sqlite"


def test_missing_database_is_refused(tmp_path: Path):
    with pytest.raises(CommandFailed, match="no database"):
        dump.copy_sqlite(tmp_path / "none.sqlite", tmp_path / "copy.sqlite")


def test_unknown_table_is_refused_rather_than_lost(postgres_url: str, tmp_path: Path):
    opened = Database(postgres_url)
    migrate(opened)
    with opened.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE of_a_later_release (id int)")
    with pytest.raises(CommandFailed, match="of_a_later_release"):
        dump.save(opened, tmp_path / "copy.sqlite")
    opened.close()

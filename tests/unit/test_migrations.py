"""What the migrations make is what the code expects, on both databases."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

import jigap.app.wiring  # declares every table
from jigap.database import Database, metadata, sqlite_url
from jigap.migrations import DatabaseTooNew, migrate


def test_migrated_shape_is_the_declared_shape(database_url: str):
    """If this fails, a table changed without a migration: scripts/make-migration."""
    database = Database(database_url)
    migrate(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        found = set(inspect(connection).get_table_names())
    assert found == {*metadata.tables, "alembic_version"}
    database.close()


def test_migrating_again_changes_nothing(database_url: str):
    database = Database(database_url)
    migrate(database)
    migrate(database)
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT version_num FROM alembic_version")).all()
    assert len(rows) == 1
    database.close()


def test_refuses_a_database_of_a_later_release(tmp_path: Path):
    url = sqlite_url(tmp_path / "later.sqlite")
    with create_engine(url).begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('9999_later')"))
    database = Database(url)
    with pytest.raises(DatabaseTooNew, match="9999_later"):
        migrate(database)
    database.close()


def test_migrations_import_no_table_of_ours():
    """A migration must mean the same in ten years."""
    versions = Path(jigap.migrations.__file__).parent / "versions"
    files = list(versions.glob("*.py"))
    assert files
    for path in files:
        assert "jigap" not in path.read_text(encoding="utf-8"), path

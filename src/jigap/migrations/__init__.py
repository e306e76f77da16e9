"""How the database gets its tables, and how they change from one release to the next.

Every process that opens the database for writing calls ``migrate`` first. It brings an empty
database to the present shape and an older one forward, in one transaction, so that a crash leaves
the old shape or the new one. On PostgreSQL several processes may start at once: one migrates, the
others wait and find nothing to do.

A migration spells its tables out and never imports the package's own: it must mean the same in ten
years. ``scripts/make-migration`` writes the draft of a new one.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from jigap.database import Database
from jigap.refusal import Kind, Refusal

FOLDER = Path(__file__).parent
_LOCK = 0x6A69_6D69_67


class DatabaseTooNew(Refusal):
    """The database was written by a later release than this one."""

    code = "database_too_new"
    kind = Kind.UNAVAILABLE
    hint = "Install the release that wrote it, or restore a backup made by this one."


def configuration() -> Config:
    """Where Alembic finds our migrations; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return config


def migrate(database: Database) -> None:
    """Bring the database to the present shape; quick when it already is.

    Raises ``DatabaseTooNew`` when it has a shape that this release does not know.
    """
    config = configuration()
    with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        script = ScriptDirectory.from_config(config)
        present = MigrationContext.configure(connection).get_current_heads()
        if present and present == tuple(script.get_heads()):
            return
        _refuse_unknown(script, present)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _refuse_unknown(script: ScriptDirectory, present: tuple[str, ...]) -> None:
    known = {revision.revision for revision in script.walk_revisions()}
    for revision in present:
        if revision not in known:
            raise DatabaseTooNew(
                f"The database has the shape {revision}, which this release does not know.",
                revision=revision,
            )

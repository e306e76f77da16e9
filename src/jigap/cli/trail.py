"""A row in the audit trail for what a command changed outside the database.

Such a change must be possible while the database is not, so it is made first; where the trail
cannot be written then, the command says so on stderr and the change stands.
"""

import sys

from sqlalchemy.exc import DBAPIError

from jigap import audit
from jigap.app import Folder, open_database
from jigap.clock import SystemClock
from jigap.refusal import Refusal
from jigap.settings import Settings

ACTOR = "console"


def record(given: Settings, action: str, object_: str, detail: str = "") -> None:
    """Append it, if the platform has a database already."""
    if not given.database_url and not Folder.of(given).database.exists():
        return
    try:
        _append(given, action, object_, detail)
    except (Refusal, DBAPIError) as trouble:
        why = trouble.detail if isinstance(trouble, Refusal) else "the database refused it."
        print(f"jigap: Done, but the audit trail does not have it: {why}", file=sys.stderr)


def _append(given: Settings, action: str, object_: str, detail: str) -> None:
    database = open_database(given)
    try:
        with (
            database.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            audit.append(
                connection,
                now_ms=SystemClock().now_ms(),
                actor=ACTOR,
                action=action,
                object_=object_,
                address="",
                detail=detail,
            )
    finally:
        database.close()

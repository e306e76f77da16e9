"""The shield's own file: what operators have listed, who is banned, how often they were before.

It is SQLite, and never the platform's database: whoever is turned away costs that one nothing, and
a shield that is damaged damages nothing else. A rollback journal, not a write-ahead log: writes are
rare, and so the file is always the whole of it, to be copied, moved aside and seen to be damaged.

Several processes may write. Every call opens the file anew and may be made from any thread; it
waits for the disk, so callers inside an event loop make it in a thread.
"""

import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jigap.refusal import Kind, Refusal
from jigap.shield.address import AddressMalformed, Network, parse_network
from jigap.shield.strikes import Step, next_step
from jigap.shield.verdict import EntryKind

AUTO = "auto"
FORMAT = 1
WORDS_MAX = 200
BUSY_TIMEOUT_S = 5.0
#: A step is forgotten when even the longest ban would begin at the bottom again.
STEP_KEPT_MS = 10 * 7 * 24 * 3600 * 1000

_TABLES = f"""
CREATE TABLE entry (cidr TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
  author TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER,
  PRIMARY KEY (cidr, kind)) WITHOUT ROWID;
CREATE TABLE ban (cidr TEXT PRIMARY KEY, reason TEXT NOT NULL, author TEXT NOT NULL,
  since_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, step INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE strike (cidr TEXT PRIMARY KEY, step INTEGER NOT NULL, until_ms INTEGER NOT NULL)
  WITHOUT ROWID;
PRAGMA user_version = {FORMAT};
"""


class ShieldDamaged(Refusal):
    """The shield's file cannot be read."""

    code = "shield_damaged"
    kind = Kind.UNAVAILABLE
    retryable = True
    hint = "Reading works; everything else does again once an operator ran `jigap shield repair`."


class EntryUnknown(Refusal):
    """No entry and no ban has this range."""

    code = "shield_entry_unknown"
    kind = Kind.MISSING
    hint = "GET /api/v1/operator/shield, or `jigap shield list`, shows what there is."


class EntryInvalid(Refusal):
    """An entry or a ban that cannot be meant."""

    code = "shield_entry_invalid"
    kind = Kind.INVALID
    hint = (
        "Give a reason, an end in the future, and no range wider than /8 (IPv4) or /16 (IPv6); "
        "whole countries are for the setting shield_countries."
    )


@dataclass(frozen=True, slots=True)
class ListEntry:
    """What an operator says of a range. ``expires_ms`` is None where it holds until removed."""

    network: Network
    kind: EntryKind
    reason: str
    author: str
    created_ms: int
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class Ban:
    """A range that is turned away for a while. ``author`` is ``auto`` or who did it."""

    network: Network
    reason: str
    author: str
    since_ms: int
    until_ms: int
    step: int


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was kept of a damaged file, and where that file is now."""

    entries: int
    bans: int
    moved_to: Path


class ShieldStore:
    """The file at ``path``; made with its folder when it is not there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._watching: sqlite3.Connection | None = None
        self._watched: tuple[int, int] = (0, 0)
        self._watch_lock = threading.Lock()
        _make(path)

    @property
    def path(self) -> Path:
        return self._path

    def put_entry(
        self,
        cidr: str,
        kind: EntryKind,
        reason: str,
        author: str,
        now_ms: int,
        expires_ms: int | None = None,
    ) -> ListEntry:
        """List a range, in place of an entry of the same kind for the same range."""
        entry = ListEntry(parse_network(cidr), kind, _words(reason), author, now_ms, expires_ms)
        if expires_ms is not None and expires_ms <= now_ms:
            raise EntryInvalid("The entry would have expired already.")
        _must_be_narrow(entry.network)
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?)",
                (str(entry.network), kind.value, entry.reason, author, now_ms, expires_ms),
            )
        return entry

    def remove_entry(self, cidr: str) -> None:
        """Drop every entry of exactly this range. Raises ``EntryUnknown``."""
        network = parse_network(cidr)
        with self._writing() as connection:
            done = connection.execute("DELETE FROM entry WHERE cidr = ?", (str(network),))
            if not done.rowcount:
                raise EntryUnknown(f"There is no entry for {network}.")

    def entries(self, now_ms: int) -> list[ListEntry]:
        """Every entry that has not expired."""
        query = "SELECT * FROM entry WHERE expires_ms IS NULL OR expires_ms > ? ORDER BY created_ms"
        with self._reading() as connection:
            return [_entry(row) for row in connection.execute(query, (now_ms,))]

    def ban(
        self, cidr: str, reason: str, author: str, now_ms: int, until_ms: int | None = None
    ) -> Ban:
        """Ban a range until a moment, or, if none is given, as long as its history says.

        Our own never makes an operator's shorter.
        """
        network, reason = parse_network(cidr), _words(reason)
        _must_be_narrow(network)
        if until_ms is not None and until_ms <= now_ms:
            raise EntryInvalid("The ban would have ended already.")
        with self._writing() as connection:
            _forget_old(connection, now_ms)
            return _ban_one(connection, network, reason, author, now_ms, until_ms)

    def ban_all(self, wishes: Iterable[tuple[Network, str]], author: str, now_ms: int) -> None:
        """Ban many in one transaction, each as long as its history says."""
        with self._writing() as connection:
            _forget_old(connection, now_ms)
            for network, reason in wishes:
                _ban_one(connection, network, reason, author, now_ms, None)

    def unban(self, cidr: str) -> None:
        """Lift the ban of exactly this range and forget its history. Raises ``EntryUnknown``."""
        network = parse_network(cidr)
        with self._writing() as connection:
            done = connection.execute("DELETE FROM ban WHERE cidr = ?", (str(network),))
            connection.execute("DELETE FROM strike WHERE cidr = ?", (str(network),))
            if not done.rowcount:
                raise EntryUnknown(f"{network} is not banned.")

    def bans(self, now_ms: int) -> list[Ban]:
        """Every ban that has not ended."""
        query = "SELECT * FROM ban WHERE until_ms > ? ORDER BY since_ms"
        with self._reading() as connection:
            return [_ban(row) for row in connection.execute(query, (now_ms,))]

    def version(self) -> tuple[int, ...]:
        """Other numbers after every change by anybody, also to the file itself; cheap.

        Raises ``ShieldDamaged``.
        """
        with self._watch_lock, _as_damage(self._path):
            found = os.stat(self._path)
            watched = (found.st_ino, found.st_dev)
            if self._watching is None or watched != self._watched:
                self._stop_watching()
                self._watching = _connect(self._path, check_same_thread=False)
                self._watched = watched
            (changes,) = self._watching.execute("PRAGMA data_version").fetchone()
            return (found.st_ino, found.st_size, found.st_mtime_ns, int(changes))

    def check(self) -> None:
        """Read the whole file. Raises ``ShieldDamaged`` if it is not sound."""
        with self._reading() as connection:
            (said,) = connection.execute("PRAGMA quick_check").fetchone()
            (format_,) = connection.execute("PRAGMA user_version").fetchone()
        if said != "ok" or format_ != FORMAT:
            raise ShieldDamaged(f"{self._path} is damaged: {str(said).splitlines()[0]}.")

    def close(self) -> None:
        """Let go of the file."""
        with self._watch_lock:
            self._stop_watching()

    def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.close()
            self._watching = None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with _as_damage(self._path), closing(_connect(self._path)) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One synced transaction; what refuses inside it leaves nothing."""
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")


def repair(path: Path, now_ms: int) -> Repaired:
    """Move a damaged file aside and make a new one with all that can still be read of it."""
    aside = path.with_name(f"{path.name}.damaged-{now_ms}")
    with suppress(FileNotFoundError):
        path.rename(aside)
        path.with_name(f"{path.name}-journal").rename(f"{aside}-journal")
    _make(path)
    kept = {"entry": 0, "ban": 0, "strike": 0}
    with closing(_connect(path)) as connection:
        for table in kept:
            for row in _readable(aside, table):
                marks = ", ".join("?" * len(row))
                with suppress(sqlite3.DatabaseError):
                    connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)
                    kept[table] += 1
    return Repaired(kept["entry"], kept["ban"], aside)


def _readable(path: Path, table: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a table up to the first that cannot be read."""
    with (
        suppress(sqlite3.DatabaseError, OSError),
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection,
    ):
        for row in connection.execute(f"SELECT * FROM {table}"):
            with suppress(Refusal, ValueError):
                if table == "entry":
                    _entry(row)
                else:
                    parse_network(row[0])
                yield row


def _make(path: Path) -> None:
    """Make the file whole or not at all, also when two processes do so at once."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".shield-")
    os.close(descriptor)
    new = Path(name)
    try:
        with closing(sqlite3.connect(new)) as connection:
            connection.executescript(_TABLES)
        with suppress(FileExistsError):
            path.hardlink_to(new)
    finally:
        new.unlink()


def _connect(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{path}?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=check_same_thread,
    )
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def _as_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, TypeError, ValueError, AddressMalformed) as error:
        raise ShieldDamaged(f"{path} cannot be used: {error}.") from None


def _ban_one(
    connection: sqlite3.Connection,
    network: Network,
    reason: str,
    author: str,
    now_ms: int,
    until_ms: int | None,
) -> Ban:
    cidr = (str(network),)
    before = connection.execute("SELECT step, until_ms FROM strike WHERE cidr = ?", cidr).fetchone()
    next_ = next_step(None if before is None else Step(*before), now_ms)
    end_ms = next_.until_ms if until_ms is None else until_ms
    there = connection.execute("SELECT until_ms FROM ban WHERE cidr = ?", cidr).fetchone()
    if there is not None and author == AUTO:
        end_ms = max(end_ms, there[0])
    rest = (reason, author, now_ms, end_ms, next_.step)
    connection.execute("INSERT OR REPLACE INTO ban VALUES (?, ?, ?, ?, ?, ?)", (*cidr, *rest))
    row = (*cidr, next_.step, end_ms)
    connection.execute("INSERT OR REPLACE INTO strike VALUES (?, ?, ?)", row)
    return Ban(network, *rest)


def _forget_old(connection: sqlite3.Connection, now_ms: int) -> None:
    connection.execute("DELETE FROM ban WHERE until_ms <= ?", (now_ms,))
    connection.execute("DELETE FROM strike WHERE until_ms <= ?", (now_ms - STEP_KEPT_MS,))
    connection.execute("DELETE FROM entry WHERE expires_ms <= ?", (now_ms,))


def _entry(row: Any) -> ListEntry:
    cidr, kind, *rest = row
    return ListEntry(parse_network(cidr), EntryKind(kind), *rest)


def _ban(row: Any) -> Ban:
    cidr, *rest = row
    return Ban(parse_network(cidr), *rest)


def _words(reason: str) -> str:
    """A reason on one line. Raises ``EntryInvalid`` if there is none."""
    words = " ".join("".join(one if one.isprintable() else " " for one in reason).split())
    if not words:
        raise EntryInvalid("There is no reason.")
    return words[:WORDS_MAX]


def _must_be_narrow(network: Network) -> None:
    """Nobody shuts the world out, or lets it in, with a slip of the hand."""
    if network.prefixlen < (8 if network.version == 4 else 16):
        raise EntryInvalid(f"{network} is too wide.")

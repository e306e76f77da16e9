"""The imported range table as a file: ``ranges.sqlite`` in the shield's folder.

It is written as a new file, synced, and renamed over the old one: a reader sees the old table or
the new one, whole. There is one row for each family, its columns packed, because a running process
takes a new table in while it answers: unpacking half a million rows would hold everybody up, and
copying a few megabytes does not. A digest over all of it finds a file that is not what was written.
"""

import os
import sqlite3
import sys
from array import array
from contextlib import closing, suppress
from dataclasses import astuple, dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from jigap.refusal import Kind, Refusal
from jigap.shield.ranges import Columns, Ranges

FILE_NAME = "ranges.sqlite"
_FORMAT = "1"
_SHAPE = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE ranges (
  bits INTEGER PRIMARY KEY, names TEXT NOT NULL, firsts BLOB NOT NULL, firsts_low BLOB NOT NULL,
  lasts BLOB NOT NULL, lasts_low BLOB NOT NULL, countries BLOB NOT NULL
);
"""


class RangesDamaged(Refusal):
    """The imported range table is not what was written, or cannot be read."""

    code: ClassVar[str] = "ranges_damaged"
    kind = Kind.UNAVAILABLE
    hint = (
        "Import the ranges again with `jigap shield import`, or move ranges.sqlite away to go by "
        "the data that comes with jigap."
    )


@dataclass(frozen=True, slots=True)
class RangeTable:
    """Ranges of both families, where they are from, and of which day they are."""

    v4: Ranges
    v6: Ranges
    source: str
    taken_on: date
    imported_ms: int


def path_of(folder: Path) -> Path:
    """Where the table lies in the shield's folder."""
    return folder / FILE_NAME


def stamp_of(folder: Path) -> tuple[int, int, int] | None:
    """Something that differs after every import; None while nothing is imported. One ``stat``."""
    try:
        found = os.stat(path_of(folder))
    except FileNotFoundError:
        return None
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def read(folder: Path) -> RangeTable | None:
    """The imported table; None when there is none. Raises ``RangesDamaged``."""
    path = path_of(folder)
    try:
        path.stat()
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        ) as file:
            about = dict(file.execute("SELECT name, value FROM about"))
            rows = {row[0]: row[1:] for row in file.execute("SELECT * FROM ranges")}
        if about["format"] != _FORMAT:
            raise RangesDamaged(f"{path} has a format we do not know: {about['format']}.")
        if about["sha256"] != _digest(about, rows):
            raise RangesDamaged(f"{path} is not what was imported.")
        return RangeTable(
            v4=_unpacked(32, rows[32]),
            v6=_unpacked(128, rows[128]),
            source=about["source"],
            taken_on=date.fromisoformat(about["taken_on"]),
            imported_ms=int(about["imported_ms"]),
        )
    except FileNotFoundError:
        return None
    except (sqlite3.Error, OSError, KeyError, ValueError, TypeError) as error:
        raise RangesDamaged(f"{path} cannot be read: {error}.") from None


def write(folder: Path, table: RangeTable) -> None:
    """Put the table in place of the present one, whole and synced."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = path_of(folder)
    beside = folder / f"{FILE_NAME}.{os.getpid()}.new"
    try:
        _write_file(beside, table)
        os.replace(beside, path)
        _sync(folder)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def _write_file(path: Path, table: RangeTable) -> None:
    about = {
        "format": _FORMAT,
        "source": table.source,
        "taken_on": table.taken_on.isoformat(),
        "imported_ms": str(table.imported_ms),
    }
    rows = {ranges.bits: _packed(ranges) for ranges in (table.v4, table.v6)}
    about["sha256"] = _digest(about, rows)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    with closing(sqlite3.connect(path)) as file:
        file.executescript(f"PRAGMA journal_mode = OFF; {_SHAPE}")
        file.executemany("INSERT INTO about VALUES (?, ?)", about.items())
        file.executemany(
            "INSERT INTO ranges VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(bits, *packed) for bits, packed in rows.items()],
        )
        file.commit()
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _packed(ranges: Ranges) -> tuple[str | bytes, ...]:
    return (",".join(ranges.names), *(_bytes(one) for one in astuple(ranges.columns)))


def _unpacked(bits: int, row: tuple[str | bytes, ...]) -> Ranges:
    names, *columns = row
    empty = astuple(Columns.empty(bits))
    arrays = [_array(one.typecode, data) for one, data in zip(empty, columns, strict=True)]
    return Ranges(bits, tuple(str(names).split(",")), Columns(*arrays))


def _bytes(column: "array[int]") -> bytes:
    if sys.byteorder == "big":
        column = array(column.typecode, column)
        column.byteswap()
    return column.tobytes()


def _array(typecode: str, data: str | bytes) -> "array[int]":
    column: array[int] = array(typecode)
    assert isinstance(data, bytes)
    column.frombytes(data)
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _digest(about: dict[str, str], rows: dict[int, tuple[str | bytes, ...]]) -> str:
    """Over every value of the file but itself, each with its length before it."""
    digest = sha256()
    values: list[str | bytes] = [about[name] for name in ("format", "source", "taken_on")]
    values += [about["imported_ms"], *rows[32], *rows[128]]
    for value in values:
        data = value.encode() if isinstance(value, str) else value
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()

"""Many rows of a query as one text, made by the database and unpacked here.

A driver hands rows over one by one, and takes Python's lock anew for each of them; in a process
whose event loop is busy every one of these is a wait. A query that finds a hundred sessions for a
hundred requests is therefore asked for its rows as one JSON text: the database makes it while
everything else goes on, and one decoder reads it.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Boolean, Connection, LargeBinary, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import SelectBase

from jigap.database import Amount

_decode = msgspec.json.Decoder(list[list[Any]]).decode


class Packed:
    """A query. Its columns may be texts, numbers that fit in 64 bits, amounts, truths and bytes.

    Bytes that are empty come back as None.
    """

    def __init__(self, query: SelectBase) -> None:
        rows = query.subquery()
        columns = [_Hex(one) if isinstance(one.type, LargeBinary) else one for one in rows.c]
        self._query = select(_JsonRows(*columns)).select_from(rows)
        self._readers = [
            (at, reader)
            for at, one in enumerate(rows.c)
            if (reader := _reader(one.type)) is not None
        ]

    def rows(self, connection: Connection, **given: Any) -> list[list[Any]]:
        """The rows, as lists of what the columns hold; ``given`` are the query's parameters."""
        found = _decode(connection.scalar(self._query, given) or "[]")
        for row in found:
            for at, reader in self._readers:
                if row[at] is not None:
                    row[at] = reader(row[at])
        return found


def _reader(type_: Any) -> Callable[[Any], Any] | None:
    """What makes of a JSON value what the column holds."""
    if isinstance(type_, LargeBinary):
        return lambda text: bytes.fromhex(text) or None
    if isinstance(type_, Amount):
        return int
    return bool if isinstance(type_, Boolean) else None


class _JsonRows(FunctionElement[str]):
    """The rows of its arguments as a JSON array of arrays."""

    inherit_cache = True


class _Hex(FunctionElement[str]):
    """Bytes as hex digits."""

    inherit_cache = True


@compiles(_JsonRows, "sqlite")
def _json_rows_sqlite(element: Any, compiler: Any, **given: Any) -> str:
    return f"json_group_array(json_array({compiler.process(element.clauses, **given)}))"


@compiles(_JsonRows, "postgresql")
def _json_rows_postgresql(element: Any, compiler: Any, **given: Any) -> str:
    # As text: the driver would decode JSON itself, and slower.
    return f"json_agg(json_build_array({compiler.process(element.clauses, **given)}))::text"


@compiles(_Hex, "sqlite")
def _hex_sqlite(element: Any, compiler: Any, **given: Any) -> str:
    return f"hex({compiler.process(element.clauses, **given)})"


@compiles(_Hex, "postgresql")
def _hex_postgresql(element: Any, compiler: Any, **given: Any) -> str:
    return f"encode({compiler.process(element.clauses, **given)}, 'hex')"

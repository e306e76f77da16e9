"""Everything that is held about a member, for the member.

``begin`` tells the person in the clear; every other table with rows about them follows as it is
stored, a page at a time, so that no answer grows with the age of an account. What was sealed is
opened; what only the platform can use (hashes, keys, other bytes) is left out, and ``WITHHELD``
says so. Payments are not here: they read as everywhere else.
"""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Table, func, select

from jigap import audit, events, members
from jigap.clock import DAY_MS, Clock
from jigap.database import Amount, Database
from jigap.keys import KeyRing
from jigap.money import format_amount
from jigap.privacy.ownership import about, belonging
from jigap.refusal import Kind, Refusal

FORMAT = "jigap-export-1"
PAGE_ROWS = 500
EXPORTS_PER_DAY = 20

#: What is held and not told, and why.
WITHHELD: dict[str, str] = {
    "password": "Only an argon2id hash of it is stored.",
    "session tokens": "Only hashes of them are stored.",
    "wallet key": "Stored encrypted under your passphrase and again by the platform. To take it "
    "with you, ask the operator to run `jigap keys export` with your passphrase.",
    "second factors": "Their secrets are shown once, when they are set up.",
    "search indexes": "Keyed hashes of your name and phone number.",
}
#: Bytes that mean something to people: these are shown in hex.
_HEX = frozenset({"contract", "public_key_hash", "source", "symid", "target", "transaction_hash"})
#: Text that is a secret, or a number that only the platform counts by.
_UNTOLD = frozenset({"password_hash", "code_hash", "seq"})
#: Told elsewhere in the document.
_ELSEWHERE = frozenset({"members", "transfers"})

Opener = Callable[[KeyRing, Any, Any], Any]


class ExportLimit(Refusal):
    """All data of an account may be asked for so many times in 24 hours."""

    code = "export_limit"
    kind = Kind.TOO_MANY
    retryable = True
    hint = "Use the document you have, or try again tomorrow."


class Holdings:
    """What is held about members, read out to them."""

    def __init__(self, database: Database, ring: KeyRing, clock: Clock) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock

    async def begin(self, member_id: str) -> dict[str, Any]:
        """The person in the clear; that it was asked for is written down.

        Raises ``ExportLimit``.
        """
        return await self._database.write(self._begin, member_id, self._clock.now_ms())

    def sections(self) -> list[str]:
        """The names of the tables that ``rows`` reads."""
        return sorted(str(one.name) for one in belonging() if one.name not in _ELSEWHERE)

    async def rows(self, member_id: str, section: str) -> AsyncIterator[list[dict[str, Any]]]:
        """The rows of one table about a member, in pages, the oldest first."""
        table = next(one for one in belonging() if one.name == section)
        after: Any = None
        read = 0
        while True:
            page, after = await self._database.read(self._page, table, member_id, after, read)
            if page:
                yield page
            read += len(page)
            if len(page) < PAGE_ROWS:
                return

    def _begin(self, connection: Connection, member_id: str, now_ms: int) -> dict[str, Any]:
        row = members.row_of(connection, member_id, lock=True)
        assert row is not None, "a session belongs to a member"
        if _exports_since(connection, member_id, now_ms - DAY_MS) >= EXPORTS_PER_DAY:
            raise ExportLimit("This was asked for often today.", limit=EXPORTS_PER_DAY)
        events.record(
            connection, "member.exported", subject=member_id, member_id=member_id, now_ms=now_ms
        )
        audit.append(
            connection, now_ms=now_ms, actor=member_id, action="member:export", object_=member_id
        )
        return self._shown(members.members_table, row, row)

    def _page(
        self, connection: Connection, table: Table, member_id: str, after: Any, read: int
    ) -> tuple[list[dict[str, Any]], Any]:
        """One page and the key of its last row.

        Tables with one key are read on from it; the few others are small and stand still.
        """
        condition = about(table, member_id)
        assert condition is not None, "only tables with rows about members are sections"
        keys = list(table.primary_key)
        query = select(table).where(condition).order_by(*keys).limit(PAGE_ROWS)
        if len(keys) > 1:
            query = query.offset(read)
        elif after is not None:
            query = query.where(keys[0] > after)
        rows = connection.execute(query).all()
        me = members.row_of(connection, member_id)
        last = rows[-1]._mapping[keys[0]] if rows else after
        return [self._shown(table, row, me) for row in rows], last

    def _shown(self, table: Table, row: Any, me: Any) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for column in table.c:
            name, value = str(column.name), row._mapping[column]
            opener = _OPENERS.get((table.name, name))
            if opener is not None:
                told = opener(self._ring, me, row) if value else None
                shown[name.removesuffix("_sealed")] = told
            elif _is_told(column):
                told_name, told = _told(column, value)
                shown[told_name] = told
        if table.name == "audit_trail" and row.actor != me.id:
            shown["address"] = ""  # where an operator sat is not about the member
        return shown


def _is_told(column: Column[Any]) -> bool:
    is_bytes = column.type.python_type is bytes
    return column.name not in _UNTOLD and (not is_bytes or column.name in _HEX)


def _told(column: Column[Any], value: Any) -> tuple[str, Any]:
    """A column and its value as they are told: times, amounts and bytes in words."""
    name = str(column.name)
    if name.endswith("_ms"):
        time = None if value is None else datetime.fromtimestamp(value / 1000, UTC).isoformat()
        return name.removesuffix("_ms") + "_at", time
    if value is None:
        return name, None
    if isinstance(column.type, Amount):
        return name, str(value) if name.endswith("_hug") else format_amount(value)
    return name, "0x" + value.hex() if isinstance(value, bytes) else value


def _field(name: str) -> Opener:
    def opened(ring: KeyRing, me: Any, row: Any) -> str:
        sealed = row._mapping[f"{name}_sealed"]
        return members.unseal(ring, me.id, me.data_key_sealed, name, sealed)

    return opened


def _details(ring: KeyRing, me: Any, row: Any) -> Any:
    """What only the agency has to know, while a check is under way."""
    field = f"realname:{row.id}"
    return json.loads(
        members.unseal(ring, me.id, me.data_key_sealed, field, bytes(row.details_sealed))
    )


_OPENERS: dict[tuple[str, str], Opener] = {
    ("members", "name_sealed"): _field("name"),
    ("members", "phone_sealed"): _field("phone"),
    ("members", "birth_sealed"): _field("birth"),
    ("favourites", "label_sealed"): members.open_label,
    ("realname_checks", "details_sealed"): _details,
}


def _exports_since(connection: Connection, member_id: str, since_ms: int) -> int:
    """Counted by their events, which only ever grow."""
    table = events.events
    query = select(func.count()).where(
        table.c.member_id == member_id,
        table.c.kind == "member.exported",
        table.c.created_ms > since_ms,
    )
    return int(connection.scalar(query.select_from(table)) or 0)

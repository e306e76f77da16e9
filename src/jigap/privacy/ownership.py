"""Which rows of which tables are about a member. Pure but for the table definitions it reads.

A row is about the member whom its ``member_id`` names, or whom one of the columns below names, or
to whom the row it refers to belongs. A table that nobody has thought of here is therefore found
all the same: it is shown to the member, and erased with the account unless it is listed as kept.
"""

from typing import Any

from sqlalchemy import ColumnElement, Table, false, or_, select

from jigap.database import metadata

_OWNER = "member_id"
#: Tables that name members in other columns, too.
_NAMED_IN: dict[str, tuple[str, ...]] = {
    "audit_trail": ("actor", "object"),
    "external_movements": ("source_member", "target_member"),
    "transfers": ("member_id", "recipient"),
}

#: The books: they stay when an account is erased, because money is in them, and say no more of the
#: person than an id that then belongs to nobody.
KEPT = frozenset(
    {
        "audit_trail",
        "events",
        "external_movements",
        "gas_refills",
        "spending_days",
        "transfers",
        "wallets",
    }
)
#: The columns of ``members`` that stay; every other one is emptied, also one that is new.
KEPT_OF_MEMBERS = frozenset({"number", "id", "roles", "created_ms", "closed_ms"})


def about(table: Table, member_id: str) -> ColumnElement[bool] | None:
    """The condition under which a row of this table is about the member; None if none ever is."""
    if table.name == "members":
        return table.c.id == member_id
    named = [
        table.c[name] == member_id
        for name in _NAMED_IN.get(table.name, (_OWNER,))
        if name in table.c
    ]
    return or_(*named) if named else _through_others(table, member_id)


def belonging() -> list[Table]:
    """Every table with rows about members, those that others refer to first."""
    return [one for one in metadata.sorted_tables if about(one, "") is not None]


def _through_others(table: Table, member_id: str) -> ColumnElement[bool] | None:
    found: list[Any] = []
    for key in sorted(table.foreign_keys, key=lambda one: one.parent.name):
        # A reference to a person by another name than member_id is not what the row is about.
        if key.column.table is table or key.column.table.name == "members":
            continue
        there = about(key.column.table, member_id)
        if there is not None:
            found.append(key.parent.in_(select(key.column).where(there)))
    return or_(false(), *found) if found else None

"""Which rows are about whom: nothing may be forgotten here because nobody thought of it."""

from sqlalchemy import Column, ForeignKey, MetaData, String, Table, insert, select

import jigap.app.wiring  # noqa: F401  (declares every table)
from jigap.database import metadata
from jigap.privacy.ownership import KEPT, KEPT_OF_MEMBERS, about, belonging

#: Tables that say nothing about any member: the chain, the platform's own accounts and counters.
IMPERSONAL = {
    "chain_accounts",
    "chain_blocks",
    "chain_citizens",
    "chain_contracts",
    "chain_holdings",
    "chain_transactions",
    "dispatch_state",
    "gas_budgets",
    "keystores",  # named by wallet, erased by hand
    "lanes",
    "outgoing",
    "realname_days",  # keyed hashes, gone after a week
    "sign_in_attempts",  # keyed hashes, gone a day after the last failure was forgotten
    "sign_in_days",  # networks, gone after the day
    "token_operations",
    "tokens",
}


def test_every_table_is_about_members_or_known_not_to_be():
    """If this fails, a new table needs a ``member_id``, or a place in the list above."""
    found = {one.name for one in belonging()}
    seals = {name for name in metadata.tables if name.startswith("audit_seal")}
    assert set(metadata.tables) - found - seals == IMPERSONAL


def test_what_is_kept_exists():
    assert set(metadata.tables) >= KEPT
    assert set(metadata.tables["members"].c.keys()) >= KEPT_OF_MEMBERS


def test_no_kept_column_of_a_member_is_personal():
    assert not {one for one in KEPT_OF_MEMBERS if one.endswith(("_sealed", "_index", "_hash"))}


def test_a_row_belongs_to_whom_the_row_it_refers_to_belongs(sqlite_database):
    shapes = MetaData()
    parent = Table(
        "parent", shapes, Column("id", String, primary_key=True), Column("member_id", String)
    )
    child = Table(
        "child",
        shapes,
        Column("id", String, primary_key=True),
        Column("parent_id", ForeignKey("parent.id")),
    )
    with sqlite_database.engine.begin() as connection:
        shapes.create_all(connection)
        connection.execute(insert(parent), [{"id": f"p{n}", "member_id": f"m{n}"} for n in "12"])
        connection.execute(insert(child), [{"id": f"c{n}", "parent_id": f"p{n}"} for n in "12"])
        condition = about(child, "m1")
        assert condition is not None
        assert connection.scalars(select(child.c.id).where(condition)).all() == ["c1"]


def test_whoever_a_row_merely_mentions_does_not_own_it():
    """An operator who approved something for a member is no owner of the member's rows."""
    shapes = MetaData()
    Table("members", shapes, Column("id", String, primary_key=True))
    approvals = Table(
        "approvals",
        shapes,
        Column("id", String, primary_key=True),
        Column("operator_id", ForeignKey("members.id")),
    )
    assert about(approvals, "m1") is None

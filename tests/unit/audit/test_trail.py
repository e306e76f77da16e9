"""The audit trail shows any later change to itself."""

import ast
import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, Executable, delete, insert, select, update

import jigap
from jigap import audit, tokens
from jigap.audit import audit_trail
from jigap.audit.trail import GRAMMAR
from jigap.database import Database


def append(connection: Connection, number: int) -> None:
    audit.append(
        connection,
        now_ms=number,
        actor="mb_operator",
        action="member:verify",
        object_=f"mb_{number}",
        detail=f"number {number}",
    )


def run(connection: Connection, statement: Executable) -> None:
    connection.execute(statement)


async def broken_at(database: Database) -> int | None:
    """The row that no longer follows, in a trail that nobody has sealed."""
    found = (await database.read(audit.inspect, None)).broken
    return None if found is None else found.at


async def filled(database: Database, rows: int = 5) -> list[int]:
    for number in range(rows):
        await database.write(append, number)
    query = select(audit_trail.c.id).order_by(audit_trail.c.id)
    return await database.read(lambda connection: list(connection.scalars(query)))


async def test_untouched_trail_has_no_broken_link(database: Database):
    await filled(database)
    assert await broken_at(database) is None


async def test_empty_trail_has_no_broken_link(database: Database):
    assert await broken_at(database) is None


@pytest.mark.parametrize(
    "column", ["created_ms", "actor", "action", "object", "address", "outcome", "detail"]
)
async def test_any_changed_field_is_found(sqlite_database: Database, column: str):
    ids = await filled(sqlite_database)
    value = 99 if column == "created_ms" else "someone:else"
    change = update(audit_trail).where(audit_trail.c.id == ids[2]).values({column: value})
    await sqlite_database.write(run, change)
    assert await broken_at(sqlite_database) == ids[2]


async def test_removed_row_is_found(database: Database):
    ids = await filled(database)
    removal = delete(audit_trail).where(audit_trail.c.id == ids[1])
    await database.write(run, removal)
    assert await broken_at(database) == ids[2]


async def test_row_put_in_with_a_forged_hash_is_found(database: Database):
    ids = await filled(database)
    forged = insert(audit_trail).values(
        created_ms=1, actor="x", action="a:b", object="", address="", outcome="", detail="",
        hash=b"\1" * 32,
    )  # fmt: skip
    await database.write(run, forged)
    assert await broken_at(database) == max(ids) + 1


async def test_concurrent_appends_form_one_chain(database: Database):
    await asyncio.gather(*(database.write(append, number) for number in range(40)))
    assert await broken_at(database) is None


@pytest.mark.parametrize("action", sorted(audit.ACTIONS))
def test_every_action_has_the_grammar_subject_action(action: str):
    assert GRAMMAR.fullmatch(action)


async def test_refuses_an_action_that_is_not_listed(sqlite_database: Database):
    with pytest.raises(AssertionError, match="member:vanish"):
        await sqlite_database.write(
            lambda connection: audit.append(
                connection, now_ms=1, actor="x", action="member:vanish", object_="mb_1"
            )
        )


def actions_in_the_sources() -> set[str]:
    """Every literal that is given as an action anywhere; of f-strings, the part before the hole."""
    found: set[str] = set()
    for path in Path(jigap.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for keyword in node.keywords if isinstance(node, ast.Call) else ():
                if keyword.arg != "action":
                    continue
                if isinstance(keyword.value, ast.JoinedStr):
                    head = keyword.value.values[0]
                    assert isinstance(head, ast.Constant), f"{path}: {ast.unparse(keyword.value)}"
                    found.add(str(head.value))
                elif isinstance(keyword.value, ast.Constant):
                    found.add(str(keyword.value.value))
    return found


def test_every_action_that_the_sources_name_is_listed():
    named = actions_in_the_sources()
    assert "operator:create" in named, "the search no longer finds what it looks for"
    for one in named:
        assert one in audit.ACTIONS or any(
            one.endswith(":") and action.startswith(one) for action in audit.ACTIONS
        ), one


def test_every_operation_on_a_token_is_listed():
    assert {f"token:{kind.value}" for kind in tokens.Kind} < set(audit.ACTIONS)


async def test_a_row_knows_where_the_request_came_from(database: Database):
    with audit.asked_from("203.0.113.9"):
        await database.write(append, 1)
        later = asyncio.create_task(database.write(append, 2))
    await later
    await database.write(append, 3)
    entries = await database.read(audit.page, None, 10)
    assert [one.address for one in entries] == ["", "203.0.113.9", "203.0.113.9"]


async def test_requests_at_once_do_not_take_each_others_address(database: Database):
    async def ask(number: int) -> None:
        with audit.asked_from(f"203.0.113.{number}"):
            await asyncio.sleep(0)
            await database.write(append, number)

    await asyncio.gather(*(ask(number) for number in range(20)))
    for one in await database.read(audit.page, None, 50):
        assert one.address == f"203.0.113.{one.object.removeprefix('mb_')}"


async def test_pages_are_newest_first_and_select(database: Database):
    ids = await filled(database)
    await database.write(
        lambda connection: audit.append(
            connection, now_ms=9, actor="console", action="operator:create", object_="mb_9"
        )
    )
    newest, *rest = await database.read(audit.page, None, 10)
    assert (newest.actor, newest.action, newest.outcome) == ("console", "operator:create", "done")
    assert [one.id for one in rest] == ids[::-1]
    assert await database.read(audit.page, ids[3], 2) == rest[2:4]
    assert await database.read(audit.page, None, 10, actor="console") == [newest]
    assert await database.read(audit.page, None, 10, action="member:verify") == rest
    assert await database.read(audit.page, None, 10, action="member") == rest
    assert await database.read(audit.page, None, 10, action="member:") == []

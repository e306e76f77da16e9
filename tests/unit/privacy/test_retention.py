"""Closed accounts are erased in time, logs forgotten, and nothing else."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, insert, select
from tests.unit.members.people import PASSPHRASE, PASSWORD, People, people

from jigap.audit import audit_trail
from jigap.database import Database, metadata
from jigap.keys import Caretaker, keystores
from jigap.members import (
    LoginTaken,
    by_login,
    change,
    close,
    get,
    members_table,
    rewrap_data_keys,
)
from jigap.members.tables import (
    directory_days,
    favourites,
    sessions,
    sign_in_attempts,
    sign_in_days,
)
from jigap.privacy import Retention, retention
from jigap.privacy.ownership import KEPT, KEPT_OF_MEMBERS, belonging
from jigap.realname.limits import day_of
from jigap.realname.tables import realname_checks, realname_days
from jigap.recovery import password_resets
from jigap.settings import Settings

DAY_MS = retention.DAY_MS
NAME, PHONE = "김민지", "010-1234-5678"


class PowerCut(BaseException):
    """Nothing catches it."""


@pytest.fixture
def crowd(database: Database, tmp_path: Path) -> People:
    return people(database, tmp_path)


def _retention(crowd: People, **given: Any) -> Retention:
    settings = Settings(retention_days=30, log_retention_days=10, **given)
    return Retention(crowd.database, crowd.vault.files, crowd.clock, settings)


async def _closed(crowd: People) -> str:
    """A member who has left, with a wallet, a favourite who kept them, and a check."""
    gone = await crowd.verified("minji", NAME, PHONE)
    friend = await crowd.verified("friend", "박민수", "010-9999-0000")
    await crowd.wallets.make(gone, PASSPHRASE)
    member = await crowd.database.read(get, friend)
    assert member is not None
    recipient = crowd.directory.make_recipient(gone, friend, crowd.clock.now_ms())
    await crowd.favourites.add(member, recipient, "민지")
    await crowd.database.write(_add_check, gone, crowd.clock.now_ms())
    await crowd.database.write(close, gone, crowd.clock.now_ms())
    return gone


def _add_check(connection: Any, member_id: str, finished_ms: int | None) -> None:
    connection.execute(
        insert(realname_checks).values(
            id=f"rn_{member_id[3:]}",
            member_id=member_id,
            state="confirmed",
            provider="agency",
            masked_name="김*지",
            masked_phone="010-****-5678",
            phone_index=bytes(32),
            address="192.0.2.1",
            minor=False,
            created_ms=0,
            expires_ms=0,
            finished_ms=finished_ms,
        )
    )


async def _everything(crowd: People) -> bytes:
    """Every value in the database, as bytes in one heap."""

    def read(connection: Any) -> bytes:
        values = [
            value
            for table in metadata.sorted_tables
            for row in connection.execute(select(table))
            for value in row
        ]
        return b"\n".join(one if isinstance(one, bytes) else str(one).encode() for one in values)

    return await crowd.database.read(read)


async def test_a_closed_account_is_kept_until_its_time_and_then_erased(crowd: People) -> None:
    gone = await _closed(crowd)
    crowd.clock.advance(30 * DAY_MS - 1)
    assert await _retention(crowd).forget(crowd.clock.now_ms()) == 0
    assert crowd.vault.files.versions(await _wallet_id(crowd, gone))
    crowd.clock.advance(1)
    assert await _retention(crowd).forget(crowd.clock.now_ms()) == 1
    row = await crowd.database.read(
        lambda c: c.execute(select(members_table).where(members_table.c.id == gone)).one()
    )
    left = {name for name, value in row._mapping.items() if value not in (None, "", b"", 0)}
    assert left <= KEPT_OF_MEMBERS | {"login", "erased_ms"}
    assert row.login == f"~{row.number}"
    for table in (keystores, favourites, realname_checks):
        assert await crowd.database.read(lambda c, t=table: c.execute(select(t)).all()) == []
    assert crowd.vault.files.versions(await _wallet_id(crowd, gone)) == []
    assert b"minji" not in await _everything(crowd)


async def _wallet_id(crowd: People, member_id: str) -> str:
    member = await crowd.database.read(get, member_id)
    assert member is not None and member.wallet is not None
    return member.wallet.id


async def test_whatever_table_speaks_of_the_person_is_emptied_unless_it_is_listed(
    crowd: People,
) -> None:
    """One row of made-up words in every table with a ``member_id``: all of them go."""
    gone = await crowd.verified("minji", NAME, PHONE)
    tables = [
        table
        for table in belonging()
        if table.name not in KEPT and table is not members_table and "member_id" in table.c
    ]
    assert {"devices", "recoveries", "sessions", "seller_applications"} <= {t.name for t in tables}

    def fill(connection: Any) -> None:
        for table in tables:
            row = {one.name: _made_up(one) for one in table.c if not one.nullable}
            row |= {
                key.parent.name: gone
                for key in table.foreign_keys
                if key.column.table is members_table
            }
            connection.execute(insert(table).values(row | {"member_id": gone}))

    await crowd.database.write(fill)
    await crowd.database.write(change, gone, closed_ms=crowd.clock.now_ms())
    crowd.clock.advance(30 * DAY_MS)
    assert await _retention(crowd).forget(crowd.clock.now_ms()) == 1
    left = {
        table.name: await crowd.database.read(lambda c, t=table: c.execute(select(t)).all())
        for table in tables
    }
    assert {name for name, rows in left.items() if rows} == set()
    assert b"made up" not in await _everything(crowd)


def _made_up(column: Column[Any]) -> Any:
    if column.type.python_type is bytes:
        return b"made up"
    if column.type.python_type is str:
        return "made up"
    return 10**15 if isinstance(column.type, BigInteger) else True  # times are far ahead


async def test_erasing_is_written_down_once_however_often_it_runs(crowd: People) -> None:
    await _closed(crowd)
    crowd.clock.advance(30 * DAY_MS)
    assert await _retention(crowd).forget(crowd.clock.now_ms()) == 1
    before = await _everything(crowd)
    assert await _retention(crowd).forget(crowd.clock.now_ms()) == 0
    assert await _everything(crowd) == before
    actions = await crowd.database.read(lambda c: c.scalars(select(audit_trail.c.action)).all())
    assert actions.count("member:erase") == 1


async def test_a_crash_after_the_files_went_leaves_nothing_undone(
    crowd: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = await _closed(crowd)
    crowd.clock.advance(30 * DAY_MS)

    def crash(*_: Any) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(retention, "_erase_rows", crash)
        with pytest.raises(PowerCut):
            await _retention(crowd).forget(crowd.clock.now_ms())
    assert crowd.vault.files.versions(await _wallet_id(crowd, gone)) == []
    assert await _retention(crowd).forget(crowd.clock.now_ms()) == 1
    assert b"minji" not in await _everything(crowd)


async def test_a_repair_at_the_same_moment_brings_no_key_back(
    crowd: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet_id = await _wallet_id(crowd, await _closed(crowd))
    crowd.clock.advance(30 * DAY_MS)
    caretaker = Caretaker(crowd.database, crowd.ring, crowd.vault.files, crowd.clock)
    real = retention._erase_rows

    def after_repair(connection: Any, *arguments: Any) -> None:
        crowd.vault.files.write(wallet_id, 1, b"what a repair has just written")
        real(connection, *arguments)

    monkeypatch.setattr(retention, "_erase_rows", after_repair)
    assert await _retention(crowd).forget(crowd.clock.now_ms()) == 1
    assert crowd.vault.files.versions(wallet_id) == []
    assert (await caretaker.restore_all()).wallets == 0


async def test_a_crash_in_the_middle_of_the_rows_changes_no_row(
    crowd: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = await _closed(crowd)
    crowd.clock.advance(30 * DAY_MS)
    with monkeypatch.context() as patch:
        patch.setattr(retention.audit, "append", lambda *_, **__: 1 / 0)
        assert await _retention(crowd).forget(crowd.clock.now_ms()) == 0
    assert (await crowd.members.profiles([gone]))[gone].masked_name == "김*지"
    assert await _retention(crowd).forget(crowd.clock.now_ms()) == 1


async def test_one_who_cannot_be_erased_keeps_nobody_else(
    crowd: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await _closed(crowd)
    second = await crowd.verified("second", "이서연", "010-5555-1111")
    await crowd.database.write(close, second, crowd.clock.now_ms())
    crowd.clock.advance(30 * DAY_MS)
    real = retention._erase_rows

    def stumble(connection: Any, member_id: str, *rest: Any) -> None:
        assert member_id != first, "a row that cannot be deleted"
        real(connection, member_id, *rest)

    monkeypatch.setattr(retention, "ERASED_AT_ONCE", 1)
    monkeypatch.setattr(retention, "_erase_rows", stumble)
    assert await _retention(crowd).forget(crowd.clock.now_ms()) == 1
    assert (await crowd.members.find(first)).erased_ms is None
    assert (await crowd.members.find(second)).erased_ms is not None


async def test_racing_dispatchers_erase_once(crowd: People) -> None:
    await _closed(crowd)
    crowd.clock.advance(30 * DAY_MS)
    now_ms = crowd.clock.now_ms()
    await asyncio.gather(*(_retention(crowd).forget(now_ms) for _ in range(3)))
    actions = await crowd.database.read(lambda c: c.scalars(select(audit_trail.c.action)).all())
    assert actions.count("member:erase") == 1


async def test_members_who_have_not_left_lose_nothing(crowd: People) -> None:
    member = await crowd.verified("minji", NAME, PHONE)
    await crowd.wallets.make(member, PASSPHRASE)
    before = await _everything(crowd)
    crowd.clock.advance(10_000 * DAY_MS)
    assert await _retention(crowd).forget(crowd.clock.now_ms()) == 0
    assert await _everything(crowd) == before


async def test_the_keys_of_who_is_erased_are_not_missed(crowd: People) -> None:
    await _closed(crowd)
    stays = await crowd.verified("stays", "이서연", "010-5555-1111")
    await crowd.wallets.make(stays, PASSPHRASE)
    crowd.clock.advance(30 * DAY_MS)
    await _retention(crowd).forget(crowd.clock.now_ms())
    caretaker = Caretaker(crowd.database, crowd.ring, crowd.vault.files, crowd.clock)
    report = await caretaker.verify_all()
    assert (report.wallets, report.findings) == (1, [])
    crowd.ring.add_version()
    assert await crowd.database.write(rewrap_data_keys, crowd.ring) == 2
    assert await crowd.database.write(rewrap_data_keys, crowd.ring) == 0, "erased rows are no end"


async def test_an_operator_sees_that_somebody_left_and_nothing_of_the_person(
    crowd: People,
) -> None:
    gone = await _closed(crowd)
    for profile in (await crowd.members.find(gone), (await crowd.members.page(None, 9))[-1]):
        assert profile.closed_ms == crowd.clock.now_ms()
        assert (profile.masked_name, profile.masked_phone, profile.minor) == (None, None, None)
    crowd.clock.advance(30 * DAY_MS)
    await _retention(crowd).forget(crowd.clock.now_ms())
    assert (await crowd.members.find(gone)).erased_ms == crowd.clock.now_ms()


async def test_a_member_id_is_reserved_until_its_account_is_erased(crowd: People) -> None:
    await _closed(crowd)
    with pytest.raises(LoginTaken):
        await crowd.members.sign_up("minji", PASSWORD)
    crowd.clock.advance(30 * DAY_MS)
    await _retention(crowd).forget(crowd.clock.now_ms())
    await crowd.members.sign_up("minji", PASSWORD)
    assert await crowd.database.read(by_login, "~1") is not None


async def test_logs_are_forgotten_after_their_time(crowd: People) -> None:
    member = await crowd.verified("minji", NAME, PHONE)
    now_ms = crowd.clock.now_ms()
    await crowd.database.write(_add_check, member, now_ms)
    asker = await crowd.database.read(get, member)
    assert asker is not None
    await crowd.directory.by_login(asker, "nobody")
    await crowd.sign_ins.sign_in("minji", PASSWORD, None)
    await crowd.database.write(_add_counts, now_ms)

    async def left() -> dict[str, int]:
        tables = (
            sessions,
            sign_in_attempts,
            sign_in_days,
            directory_days,
            password_resets,
            realname_days,
            realname_checks,
        )
        return {
            one.name: len(await crowd.database.read(lambda c, t=one: c.execute(select(t)).all()))
            for one in tables
        }

    async def after(ms: int) -> set[str]:
        await _retention(crowd).forget(now_ms + ms)
        return {name for name, count in (await left()).items() if count}

    every = set(await left())
    assert await after(0) == every
    assert await after(DAY_MS) == every - {"sessions", "sign_in_days"}
    assert await after(DAY_MS + 1) == {"directory_days", "realname_days", "realname_checks"}
    assert await after(2 * DAY_MS) == {"realname_days", "realname_checks"}
    assert await after(8 * DAY_MS) == {"realname_checks"}
    assert await after(10 * DAY_MS) == {"realname_checks"}
    assert await after(10 * DAY_MS + 1) == set()


def _add_counts(connection: Any, now_ms: int) -> None:
    connection.execute(
        insert(password_resets).values(
            id="pr_1", typed=b"", asked=0, created_ms=now_ms, expires_ms=now_ms
        )
    )
    connection.execute(
        insert(sign_in_attempts).values(
            login_index=bytes(32), failures=0, retry_at_ms=0, last_ms=now_ms
        )
    )
    connection.execute(
        insert(sign_in_days).values(day=day_of(now_ms), network="203.0.113.9", failures=1)
    )
    connection.execute(
        insert(realname_days).values(
            day=day_of(now_ms), scope="total", key=bytes(32), checks=1, refused=0
        )
    )


async def test_the_dispatcher_looks_once_an_hour(crowd: People) -> None:
    keeper = _retention(crowd)
    await keeper.turn()
    gone = await _closed(crowd)
    await crowd.database.write(change, gone, closed_ms=crowd.clock.now_ms() - 30 * DAY_MS)
    crowd.clock.advance(retention.EVERY_MS - 1)
    await keeper.turn()
    assert (await crowd.members.find(gone)).erased_ms is None
    crowd.clock.advance(1)
    await keeper.turn()
    assert (await crowd.members.find(gone)).erased_ms is not None

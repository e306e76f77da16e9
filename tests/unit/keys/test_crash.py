"""A process that dies between any two durable steps of a key leaves it usable and repairable."""

import asyncio
import os
import subprocess
import sys

import pytest
from tests.unit.keys.keyring import OTHER, PASSPHRASE, bench

from jigap.database import Database, metadata, sqlite_url
from jigap.keys import Caretaker, Fault, keystores

CRASHED = 86
MAKING = ["wallet.file", "wallet.row"]
CHANGING = ["passphrase.file", "passphrase.row", "passphrase.old_file"]


def points(steps):
    return [f"{step}:{when}" for step in steps for when in ("before", "after")]


@pytest.fixture
async def held(tmp_path):
    database = Database(sqlite_url(tmp_path / "jigap.sqlite"))
    metadata.create_all(database.engine)
    async with bench(database, tmp_path) as made:
        await made.wallet()
        yield made
    database.close()


async def crash(held, deed, point):
    """Let another process do the deed and die at the point."""
    arguments = [sys.executable, "-m", "tests.unit.keys.crasher"]
    arguments += [held.database.url, str(held.root.parent), deed]
    environment = os.environ | {"JIGAP_CRASH_AT": point, "PYTHONPATH": "src:."}
    done = await asyncio.to_thread(
        subprocess.run, arguments, env=environment, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == CRASHED, done.stderr


def caretaker(held):
    held.clock.advance(3_700_000)  # leases of the dead have run out
    return Caretaker(held.database, held.ring, held.vault.files, held.clock)


async def without_row(held, wallet_id):
    def remove(connection):
        connection.execute(keystores.delete().where(keystores.c.wallet_id == wallet_id))

    await held.database.write(remove)


@pytest.mark.parametrize("point", points(CHANGING))
async def test_a_crash_while_changing_leaves_exactly_one_passphrase(held, point):
    """... the new one from the instant the row is written, and no attempt is lost for good."""
    await crash(held, "change", point)
    changed = point in ("passphrase.row:after", "passphrase.old_file:before") or (
        point == "passphrase.old_file:after"
    )
    assert await held.opens("wa_1", OTHER) is changed
    assert await held.opens("wa_1", PASSPHRASE) is not changed
    repaired = await caretaker(held).restore_all()
    assert repaired.sound
    assert (await caretaker(held).verify_all()).findings == []
    assert await held.opens("wa_1", OTHER) is changed
    assert held.vault.files.versions("wa_1") == [2 if changed else 1]


@pytest.mark.parametrize("point", points(CHANGING))
async def test_after_a_crash_the_passphrase_can_still_be_changed(held, point):
    await crash(held, "change", point)
    now = OTHER if await held.opens("wa_1", OTHER) else PASSPHRASE
    held.clock.advance(3_700_000)
    await held.vault.change_passphrase("wa_1", now, "a third good passphrase")
    assert await held.opens("wa_1", "a third good passphrase")
    assert (await caretaker(held).verify_all()).findings == []


@pytest.mark.parametrize("point", points(CHANGING))
async def test_without_a_row_the_highest_version_wins(held, point):
    """A crash, and then the database is lost: the newest file that opens is the key."""
    await crash(held, "change", point)
    written = point != "passphrase.file:before"
    await without_row(held, "wa_1")
    assert (await caretaker(held).restore_all()).repaired == ["wa_1"]
    assert await held.opens("wa_1", OTHER) is written
    assert await held.opens("wa_1", PASSPHRASE) is not written


@pytest.mark.parametrize("point", points(MAKING))
async def test_a_crash_while_making_leaves_a_whole_key_or_none(held, point):
    await crash(held, "make", point)
    file = held.vault.files.read("wa_2", 1)
    assert (file is not None) is (point != "wallet.file:before")
    found = {one.fault for one in (await caretaker(held).verify_all()).findings}
    half = point in ("wallet.file:after", "wallet.row:before")
    assert found == ({Fault.ROW_MISSING} if half else set())
    await caretaker(held).restore_all()
    assert (await caretaker(held).verify_all()).findings == []
    if file is not None:
        assert await held.opens("wa_2", PASSPHRASE)


async def test_a_crash_counts_one_attempt_that_success_gives_back(held):
    await crash(held, "change", "passphrase.file:before")

    def attempts(connection):
        return connection.scalar(keystores.select().with_only_columns(keystores.c.attempts))

    assert await held.database.read(attempts) == 1
    assert await held.opens("wa_1", PASSPHRASE)
    assert await held.database.read(attempts) == 0

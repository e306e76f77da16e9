"""A process that dies while a recovery is completed leaves one passphrase and no stray key."""

import asyncio
import os
import subprocess
import sys

import pytest
from tests.unit.keys.keyring import PASSPHRASE

from jigap.keys import Caretaker
from jigap.recovery import State

from .safe import NEW, safe

CRASHED = 86
STEPS = ("passphrase.file", "passphrase.row", "passphrase.old_file")
POINTS = [f"{step}:{when}" for step in STEPS for when in ("before", "after")]
#: From here on the row names the new version.
DONE = ("passphrase.row:after", "passphrase.old_file:before", "passphrase.old_file:after")


async def crash(it, login, folder, point):
    arguments = [sys.executable, "-m", "tests.unit.recovery.crasher"]
    arguments += [it.here.database.url, str(folder), login]
    environment = os.environ | {"JIGAP_CRASH_AT": point, "PYTHONPATH": "src:."}
    done = await asyncio.to_thread(
        subprocess.run, arguments, env=environment, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == CRASHED, done.stderr


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_while_completing_leaves_one_passphrase(sqlite_database, tmp_path, point):
    """... and the key that was kept for the member exactly as long as it is still needed."""
    async with safe(sqlite_database, tmp_path) as it:
        member = await it.member()
        await it.opened(member)
        await crash(it, "minji", tmp_path, point)
        it.pass_s(20)  # the lease of the dead runs out
        done = point in DONE
        found = await it.recoveries.of(member)
        assert found.state is (State.DONE if done else State.OPENED)
        (row,) = await it.rows()
        assert (row.secret_sealed is None) is done
        caretaker = Caretaker(sqlite_database, it.here.ring, it.vault.files, it.here.clock)
        assert (await caretaker.restore_all()).sound
        if not done:
            assert (await it.recoveries.complete(member, NEW)).state is State.DONE
        assert await it.opens(member, NEW)
        assert not await it.opens(member, PASSPHRASE)
        assert await it.findings() == []
        assert it.vault.files.versions(member.wallet.id) == [2]

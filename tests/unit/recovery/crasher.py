"""A process that completes a recovery, to be killed by ``JIGAP_CRASH_AT``.

python -m tests.unit.recovery.crasher URL FOLDER MEMBER
"""

import asyncio
import sys
from pathlib import Path

from jigap import members
from jigap.database import Database

from .safe import NEW, safe


async def main(url: str, folder: Path, login: str) -> None:
    database = Database(url)
    async with safe(database, folder) as it:
        member = await database.read(members.by_login, login)
        assert member is not None
        await it.recoveries.complete(member, NEW)
    database.close()


asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))

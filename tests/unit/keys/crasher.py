"""A process that makes a wallet or changes a passphrase, to be killed by ``JIGAP_CRASH_AT``.

python -m tests.unit.keys.crasher URL FOLDER make|change
"""

import asyncio
import sys
from pathlib import Path

from tests.unit.keys.keyring import N_TEST, OTHER, PASSPHRASE

from jigap.clock import SimulatedClock
from jigap.database import Database
from jigap.keys import KdfPool, KeyRing, Vault, insert_copy
from jigap.settings import Settings
from jigap.steps import step


async def main(url: str, folder: Path, deed: str) -> None:
    database, pool, clock = Database(url), KdfPool(1), SimulatedClock()
    ring = KeyRing.load(folder / "master.json")
    settings = Settings(scrypt_n=N_TEST)
    vault = Vault(database, ring, folder / "keystores", pool, clock, settings)
    if deed == "make":
        key = await vault.new_key("wa_2", PASSPHRASE)
        with step("wallet.row"):
            await database.write(insert_copy, key, clock.now_ms())
    else:
        await vault.change_passphrase("wa_1", PASSPHRASE, OTHER)
    pool.close()
    database.close()


asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))

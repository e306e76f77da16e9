"""What the tests of keys share: rings of known keys, cheap keystores, a vault of one's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jigap.clock import SimulatedClock
from jigap.database import Database
from jigap.keys import KdfPool, KeyRing, NewKey, Vault, insert_copy, keystore
from jigap.settings import Settings

SECRET = bytes.fromhex("1a43aa399cb2efe186317e0b09f4a7ef88b83cff05089b145709881bf4db3a20")
KEY_HASH = bytes.fromhex("ecf09ffa1360c8ef22d3908b4a83b5640c2de08a")
PASSPHRASE = "correct horse battery staple"
OTHER = "another good passphrase"
WRONG = "not the right passphrase"
#: scrypt at this cost takes microseconds; the rules do not depend on it.
N_TEST = 16


def ring(**given: Any) -> KeyRing:
    return KeyRing({1: b"\x01" * 32}, 1, b"\x09" * 32, **given)


def document(passphrase: str = PASSPHRASE, **changes: Any) -> dict[str, Any]:
    """A version 4 file of ``SECRET``."""
    made = keystore.encrypt(
        SECRET,
        passphrase,
        salt=b"\x05" * 32,
        iv=b"\x06" * 16,
        uuid="64cbaeb8-431b-41d4-a5e6-0508fc509b74",
        n=N_TEST,
        address="0x" + KEY_HASH.hex(),
    )
    return made | changes


class Bench:
    """A vault with everything it needs, and a clock that stands still."""

    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        self.database = database
        self.clock = SimulatedClock()
        self.ring = KeyRing.create(folder / "master.json")
        self.pool = KdfPool(2, 64)
        self.root = folder / "keystores"
        self.settings = Settings(scrypt_n=N_TEST, **settings)
        self.vault = self.another_vault()

    def another_vault(self, pool: KdfPool | None = None) -> Vault:
        """As another process has it: same database, same folder, nothing else shared."""
        return Vault(
            self.database, self.ring, self.root, pool or self.pool, self.clock, self.settings
        )

    async def wallet(self, wallet_id: str = "wa_1", passphrase: str = PASSPHRASE) -> NewKey:
        key = await self.vault.new_key(wallet_id, passphrase)
        await self.database.write(insert_copy, key, self.clock.now_ms())
        return key

    async def opens(self, wallet_id: str, passphrase: str) -> bool:
        """Whether the passphrase opens the key; a wait is sat out."""
        self.clock.advance(3_700_000)
        try:
            async with self.vault.unlocked(wallet_id, passphrase):
                return True
        except keystore.PassphraseWrong:
            return False


@asynccontextmanager
async def bench(database: Database, folder: Path, **settings: Any) -> AsyncIterator[Bench]:
    made = Bench(database, folder, **settings)
    try:
        yield made
    finally:
        await made.vault.settled()
        made.pool.close()

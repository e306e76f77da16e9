"""A platform's members without the rest of it, for the tests of this folder."""

from dataclasses import dataclass
from pathlib import Path

from jigap.clock import SimulatedClock
from jigap.database import Database
from jigap.events import Bell
from jigap.keys import KdfPool, KeyRing, Vault
from jigap.members import (
    Directory,
    Factors,
    Favourites,
    Freezing,
    Members,
    Proofs,
    Sessions,
    SignIns,
    Wallets,
)
from jigap.settings import Settings

PASSWORD = "correct horse battery"
PASSPHRASE = "blue river 42 stones"


class PlainPasswords:
    """Passwords without the work: these tests are about what happens around it."""

    def __init__(self) -> None:
        self.checked: list[str | None] = []
        self.version = 1

    async def hash(self, password: str) -> str:
        return f"{self.version}:{password}"

    async def matches(self, password: str, hash_: str | None) -> bool:
        self.checked.append(hash_)
        return hash_ is not None and hash_.partition(":")[2] == password

    def is_outdated(self, hash_: str) -> bool:
        return not hash_.startswith(f"{self.version}:")


@dataclass
class People:
    """Everything about members, over one database."""

    database: Database
    ring: KeyRing
    clock: SimulatedClock
    passwords: PlainPasswords
    members: Members
    sessions: Sessions
    sign_ins: SignIns
    factors: Factors
    directory: Directory
    favourites: Favourites
    wallets: Wallets
    freezing: Freezing
    vault: Vault
    work: Bell
    news: Bell

    async def verified(self, login: str, name: str, phone: str) -> str:
        """A new verified member; the id."""
        profile = await self.members.sign_up(login, PASSWORD, name, phone)
        await self.members.verify("mb_operator", login)
        return profile.member.id


def people(database: Database, folder: Path, lookups_per_day: int = 200) -> People:
    """Members over ``database``; key files go below ``folder``."""
    ring = KeyRing({1: bytes(32)}, 1, bytes([7]) * 32)
    clock = SimulatedClock()
    passwords = PlainPasswords()
    settings = Settings(scrypt_n=2, session_ttl_s=3600, session_idle_s=1800, sessions_max=5)
    sessions = Sessions(database, ring, clock, settings)
    work, news = Bell(), Bell()
    vault = Vault(database, ring, folder / "keystores", KdfPool(1), clock, settings)
    directory = Directory(database, ring, clock, lookups_per_day)
    proofs = Proofs(database, clock, passwords)
    return People(
        database,
        ring,
        clock,
        passwords,
        Members(database, ring, clock, passwords),
        sessions,
        SignIns(database, ring, clock, passwords, sessions, settings),
        Factors(database, ring, clock, proofs),
        directory,
        Favourites(database, ring, clock, directory, changes_day=150),
        Wallets(database, vault, clock, work, news),
        Freezing(database, ring, clock, settings.chain_id, proofs),
        vault,
        work,
        news,
    )

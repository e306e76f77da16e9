"""A platform's wallets and recoveries over one database, with a scripted agency."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from tests.unit.keys.keyring import N_TEST, OTHER, PASSPHRASE
from tests.unit.realname.world import BIRTH, CODE, NAME, PHONE, SEX, World, world

from jigap import audit, events
from jigap.database import Database
from jigap.events import Bell
from jigap.keys import Caretaker, KdfPool, PassphraseWrong, Vault, envelope, handover, keystores
from jigap.members import Member, Wallets
from jigap.members.records import change
from jigap.realname import details_of
from jigap.recovery import Recoveries, Recovery, RecoveryDesk
from jigap.recovery.tables import recoveries
from jigap.settings import Settings

PRIVATE, PUBLIC = envelope.new_recovery_key(b"\x07" * 32)
WAIT_S, OPEN_S = 72 * 3600, 14 * 24 * 3600
ONE, TWO = "mb_operator_1", "mb_operator_2"
NEW = "a passphrase to remember"


@dataclass
class Safe:
    """Everything a recovery needs."""

    here: World
    vault: Vault
    wallets: Wallets
    recoveries: Recoveries
    desk: RecoveryDesk

    async def member(self, login: str = "minji", phone: str = PHONE) -> Member:
        """A verified member with a wallet."""
        member = await self.here.verified(login, phone=phone)
        await self.wallets.make(member.id, PASSPHRASE)
        self.pass_s(1)
        return await self.here.again(login)

    def pass_s(self, seconds: float) -> None:
        self.here.clock.advance(int(seconds * 1000))

    async def begin(self, member: Member, **given: Any) -> Recovery:
        asked = {"name": NAME, "phone": PHONE, "birth": BIRTH, "sex": SEX, "carrier": None}
        details = details_of(**(asked | given), now_ms=self.here.clock.now_ms())
        return await self.recoveries.begin(member, details)

    async def waiting(self, member: Member, **given: Any) -> Recovery:
        await self.begin(member, **given)
        return await self.recoveries.confirm(member, CODE)

    async def approved(self, member: Member) -> Recovery:
        found = await self.waiting(member)
        self.pass_s(WAIT_S)
        await self.desk.approve(ONE, found.id)
        return await self.desk.approve(TWO, found.id)

    async def opened(self, member: Member) -> Recovery:
        found = await self.approved(member)
        request = await self.desk.request(ONE, found.id)
        answer = handover.answer(request, PRIVATE, ephemeral=b"\x0a" * 32)
        return await self.desk.answer(ONE, found.id, answer)

    async def freeze(self, member: Member, since_ms: int | None) -> None:
        await self.here.database.write(change, member.id, frozen_ms=since_ms)

    async def opens(self, member: Member, passphrase: str) -> bool:
        assert member.wallet is not None
        try:
            async with self.vault.unlocked(member.wallet.id, passphrase):
                return True
        except PassphraseWrong:
            return False

    async def key(self, member: Member) -> Any:
        assert member.wallet is not None
        query = select(keystores).where(keystores.c.wallet_id == member.wallet.id)
        return await self.here.database.read(lambda c: c.execute(query).one())

    async def rows(self) -> list[Any]:
        return await self.here.database.read(lambda c: list(c.execute(select(recoveries))))

    async def told(self, member: Member) -> list[str]:
        """The kinds of events about recoveries that the member was told of."""
        query = select(events.events.c.kind).where(events.events.c.member_id == member.id)
        found = await self.here.database.read(
            lambda c: list(c.scalars(query.order_by(events.events.c.id)))
        )
        return [one for one in found if one.startswith(("recovery", "passphrase"))]

    async def trail(self) -> list[tuple[str, str, str]]:
        """Actor, action and outcome of what was done with recoveries."""
        table = audit.audit_trail
        query = select(table.c.actor, table.c.action, table.c.outcome).order_by(table.c.id)
        found = await self.here.database.read(lambda c: list(c.execute(query)))
        return [tuple(one) for one in found if one.action.startswith("recovery")]

    async def findings(self) -> list[Any]:
        files = self.vault.files
        database, clock = self.here.database, self.here.clock
        return (await Caretaker(database, self.here.ring, files, clock).verify_all()).findings


@asynccontextmanager
async def safe(database: Database, folder: Path, **given: Any) -> AsyncIterator[Safe]:
    """A safe whose operator has a recovery key, unless ``recovery_public_key`` says otherwise."""
    settings = Settings(**({"scrypt_n": N_TEST, "recovery_public_key": PUBLIC.hex()} | given))
    here = world(database)
    pool = KdfPool(2, 64)
    vault = Vault(database, here.ring, folder / "keystores", pool, here.clock, settings)
    wallets = Wallets(database, vault, here.clock, Bell(), Bell())
    parts = (database, vault, here.realname, here.clock, settings)
    desk = RecoveryDesk(database, here.ring, here.clock)
    try:
        yield Safe(here, vault, wallets, Recoveries(*parts), desk)
    finally:
        await vault.settled()
        pool.close()


__all__ = ["CODE", "NEW", "ONE", "OPEN_S", "OTHER", "PASSPHRASE", "PRIVATE", "TWO", "WAIT_S"]

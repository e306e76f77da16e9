"""The limits that members set for themselves: reading, lowering, raising, thinking better of it.

A change is decided with the member's lane held, so that a payment accepted after a limit was
lowered has seen the lower one.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from jigap import audit, events
from jigap.clock import Clock
from jigap.database import Database
from jigap.keys import Vault
from jigap.members import records
from jigap.members.changes import check_changes
from jigap.members.held import hold, known
from jigap.members.limits import (
    LevelLimits,
    LimitRaiseLocked,
    Limits,
    OwnLimits,
    changed,
    in_force,
    raises,
)
from jigap.members.member import Member, may_act
from jigap.members.wallet import WalletMissing
from jigap.settings import Settings


@dataclass(frozen=True, slots=True)
class LimitsView:
    """A member's limits at one moment, in base units of 18 decimals.

    ``raised`` is what the member will have set from ``raised_from_ms`` on, None if nothing waits.
    """

    present: Limits
    ceiling: Limits
    raised: Limits | None
    raised_from_ms: int | None


class SpendingLimits:
    """Members' limits as members see and set them."""

    def __init__(self, database: Database, vault: Vault, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._settings = settings
        self._levels = LevelLimits(settings)

    async def of(self, member_id: str) -> LimitsView:
        """How much this member may send."""
        return await self._database.read(self._of, member_id)

    async def change(self, member_id: str, wanted: OwnLimits, passphrase: str | None) -> LimitsView:
        """Set both limits: lower ones at once, higher ones after the waiting time.

        Raises ``LimitAboveLevel``, ``LimitRaiseLocked``, ``ChangesLimit`` and, if something is
        raised, ``MemberFrozen``, ``MemberUnverified``, ``WalletMissing`` and the vault's refusals.
        """
        async with self._unlocked(member_id, wanted, passphrase) as unlocked:
            return await self._database.write(self._change, member_id, wanted, unlocked)

    async def cancel(self, member_id: str) -> LimitsView:
        """Forget a raise that is pending; again changes nothing."""
        return await self._database.write(self._cancel, member_id)

    @asynccontextmanager
    async def _unlocked(
        self, member_id: str, wanted: OwnLimits, passphrase: str | None
    ) -> AsyncIterator[bool]:
        """Whether the passphrase was given and is right; it is looked at only where needed."""
        member = await self._database.read(self._may_change, member_id, wanted)
        if not raises(member.own_limits, wanted, self._clock.now_ms()):
            yield False
            return
        may_act(member)
        if passphrase is None:
            raise LimitRaiseLocked("Raising a limit takes the payment passphrase.")
        if member.wallet is None:
            raise WalletMissing("Without a wallet there is no passphrase.")
        async with self._vault.unlocked(member.wallet.id, passphrase):
            pass
        yield True

    def _may_change(self, connection: Connection, member_id: str, wanted: OwnLimits) -> Member:
        member = known(connection, member_id)
        self._changed(member, wanted)
        return member

    def _changed(self, member: Member, wanted: OwnLimits) -> OwnLimits:
        return changed(
            self._levels.of(member.level, member.minor),
            member.own_limits,
            wanted,
            now_ms=self._clock.now_ms(),
            delay_ms=self._settings.limits_raise_delay_s * 1000,
        )

    def _change(
        self,
        connection: Connection,
        member_id: str,
        wanted: OwnLimits,
        unlocked: bool,
    ) -> LimitsView:
        member = hold(connection, self._settings.chain_id, member_id)
        if not unlocked and raises(member.own_limits, wanted, self._clock.now_ms()):
            raise LimitRaiseLocked("The limits were changed meanwhile: this would raise them.")
        self._write(connection, member, self._changed(member, wanted), "limits:change")
        return self._of(connection, member_id)

    def _cancel(self, connection: Connection, member_id: str) -> LimitsView:
        member = hold(connection, self._settings.chain_id, member_id)
        present = member.own_limits.at(self._clock.now_ms())
        if present.raised_from_ms is not None:
            self._write(connection, member, present.settled(), "limits:cancel_raise")
        return self._of(connection, member_id)

    def _write(self, connection: Connection, member: Member, own: OwnLimits, action: str) -> None:
        if own == member.own_limits:
            return
        now_ms = self._clock.now_ms()
        if action != "limits:cancel_raise":
            check_changes(connection, member.id, self._settings.changes_day, now_ms)
        write(connection, member.id, own)
        pending = own.raised_from_ms is not None
        events.record(
            connection,
            "limits.raise_asked" if pending else "limits.changed",
            subject=member.id,
            member_id=member.id,
            now_ms=now_ms,
            **({"raised_from_ms": own.raised_from_ms} if pending else {}),
        )
        audit.append(
            connection,
            now_ms=now_ms,
            actor=member.id,
            action="limits:ask_raise" if pending else action,
            object_=member.id,
        )

    def _of(self, connection: Connection, member_id: str) -> LimitsView:
        member, now_ms = known(connection, member_id), self._clock.now_ms()
        ceiling = self._levels.of(member.level, member.minor)
        own = member.own_limits.at(now_ms)
        raised = None
        if own.raised_from_ms is not None:
            raised = in_force(ceiling, own, own.raised_from_ms)
        return LimitsView(in_force(ceiling, own, now_ms), ceiling, raised, own.raised_from_ms)


def write(connection: Connection, member_id: str, own: OwnLimits) -> None:
    """Put a member's own limits into the row."""
    records.change(
        connection,
        member_id,
        payment_limit=own.payment,
        daily_limit=own.daily,
        raised_payment_limit=own.raised_payment,
        raised_daily_limit=own.raised_daily,
        limits_raised_ms=own.raised_from_ms,
    )

"""What time alone brings about, and what is not money: seals, ends, forgetting.

Each task has a loop of its own beside the dispatcher's, on the same process. Whatever one raises is
logged with where it came from, and tried again: it stops neither the other tasks nor any payment.
What a task leaves undone meanwhile misleads nobody. The rooms judge by the clock when they are
asked; what is written here only makes it final.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from jigap import realname, recovery, transfers
from jigap.audit import Sealer
from jigap.clock import Clock
from jigap.database import Database
from jigap.privacy import Retention
from jigap.refusal import Refusal
from jigap.settings import Settings

log = logging.getLogger("jigap.housekeeping")

FORGET_PAUSE_S = 60
#: Between two looks at what has ended by time, and before a seal that failed is tried again.
PAUSE_S = 1.0


class Housekeeping:
    """One per platform, run by the dispatcher."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        sealer: Sealer,
        retention: Retention,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._sealer = sealer
        self._retention = retention

    async def run(self) -> None:
        """Keep house until cancelled."""
        async with asyncio.TaskGroup() as loops:
            for name, work, pause_s in (
                ("sealing the audit trail", self._seal, PAUSE_S),
                ("forgetting what is due", self._retention.turn, FORGET_PAUSE_S),
                ("telling what is stuck", self.tell_stuck, PAUSE_S),
                ("ending overdue real-name checks", self.end_overdue_checks, PAUSE_S),
                ("settling recoveries", self.settle_recoveries, PAUSE_S),
            ):
                loops.create_task(for_ever(name, work, pause_s))

    async def _seal(self) -> None:
        await self._sealer.run(self._settings.audit_seal_s)

    async def tell_stuck(self) -> None:
        """Tell once of each transaction that no block ends."""
        now_ms = self._clock.now_ms()
        if await self._database.read(transfers.stuck.is_due, self._settings, now_ms):
            found = await self._database.write(transfers.stuck.note, self._settings, now_ms)
            log.warning("no block ends %s", ", ".join(found))

    async def end_overdue_checks(self) -> None:
        """End the real-name checks nobody came back to."""
        now_ms = self._clock.now_ms()
        if await self._database.read(realname.has_overdue, now_ms):
            await self._database.write(realname.expire_overdue, now_ms)

    async def settle_recoveries(self) -> None:
        """Write down which recoveries of a passphrase have ended by themselves."""
        now_ms = self._clock.now_ms()
        if await self._database.read(recovery.has_unsettled, now_ms):
            await self._database.write(recovery.settle, now_ms)


async def for_ever(name: str, work: Callable[[], Awaitable[None]], pause_s: float) -> None:
    """Do it again and again; whatever it raises is logged and ends nothing."""
    while True:
        try:
            await work()
        except Refusal as trouble:  # such as a database that cannot keep up
            log.warning("%s failed and is tried again: %s", name, trouble)
        except Exception:
            log.exception("%s failed unexpectedly and is tried again", name)
        await asyncio.sleep(pause_s)

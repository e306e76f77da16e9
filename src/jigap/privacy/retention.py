"""Forgetting in time: closed accounts after the legal retention, logs after theirs.

    open ──> closed (by the member) ──> erased (by the dispatcher, after ``retention_days``)

A closed account keeps what it had, sealed, findable by nobody. Erasing takes the key files, then in
one transaction everything else: the wallet's second copy, the member's data key with all that it
sealed, memos, favourites, checks, sessions. What stays are the books: payments between ids that
belong to nobody. It may be interrupted anywhere and is simply done again; a backup that brings an
erased account back is erased again as soon as the dispatcher runs on it.
"""

import asyncio
import logging
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    delete,
    select,
)

from jigap import audit, members, realname, recovery
from jigap.clock import DAY_MS, Clock
from jigap.database import Database
from jigap.keys import KeyFiles, keystores
from jigap.members import members_table, wallets
from jigap.privacy.ownership import KEPT, KEPT_OF_MEMBERS, about, belonging
from jigap.settings import Settings
from jigap.transfers import erase_memos

log = logging.getLogger("jigap.privacy")

#: How often the dispatcher looks: days are what is counted, an hour is soon enough.
EVERY_MS = 3600 * 1000
ERASED_AT_ONCE = 50
#: What was checked today may still be needed today: a password reset refers to its check.
LOG_DAYS_MIN = 2
#: Stands in the place of the member id of an erased account: nobody can sign up under it.
GONE = "~{number}"


class Retention:
    """What the dispatcher does about time that has passed."""

    def __init__(
        self, database: Database, files: KeyFiles, clock: Clock, settings: Settings
    ) -> None:
        self._database = database
        self._files = files
        self._clock = clock
        self._account_ms = settings.retention_days * DAY_MS
        self._log_ms = max(settings.log_retention_days, LOG_DAYS_MIN) * DAY_MS
        self._looked_ms: int | None = None

    async def turn(self) -> None:
        """Forget what is due, if it is time to look."""
        now_ms = self._clock.now_ms()
        if self._looked_ms is not None and 0 <= now_ms - self._looked_ms < EVERY_MS:
            return
        await self.forget(now_ms)
        self._looked_ms = now_ms

    async def forget(self, now_ms: int) -> int:
        """Forget everything that is due; how many accounts were erased.

        One that cannot be erased is logged, tried again the next time, and keeps nobody else.
        """
        await self._database.write(_forget_logs, now_ms, self._log_ms)
        erased, last = 0, 0
        while due := await self._database.read(_due, now_ms - self._account_ms, last):
            for one in due:
                try:
                    await self._erase(one.id, one.wallet_id, now_ms)
                    erased += 1
                except Exception:
                    log.exception("%s cannot be erased", one.id)
            last = due[-1].number
        return erased

    async def _erase(self, member_id: str, wallet_id: str | None, now_ms: int) -> None:
        """Files first: a row without its file is found again, a file without its row is not.

        And once more afterwards: `jigap keys restore` may have run in between.
        """
        await asyncio.to_thread(_remove_files, self._files, wallet_id)
        await self._database.write(_erase_rows, member_id, wallet_id, now_ms)
        await asyncio.to_thread(_remove_files, self._files, wallet_id)


def _due(connection: Connection, closed_before_ms: int, after: int) -> list[Any]:
    """Some members and their wallets whose time has come, numbered above ``after``."""
    table = members_table
    query = (
        select(table.c.number, table.c.id, wallets.c.wallet_id)
        .select_from(table.outerjoin(wallets, wallets.c.member_id == table.c.id))
        .where(
            table.c.closed_ms <= closed_before_ms,
            table.c.erased_ms.is_(None),
            table.c.number > after,
        )
    )
    return list(connection.execute(query.order_by(table.c.number).limit(ERASED_AT_ONCE)))


def _erase_rows(connection: Connection, member_id: str, wallet_id: str | None, now_ms: int) -> None:
    row = members.row_of(connection, member_id, lock=True)
    if row is None or row.closed_ms is None or row.erased_ms is not None:
        return
    if wallet_id is not None:
        connection.execute(delete(keystores).where(keystores.c.wallet_id == wallet_id))
    erase_memos(connection, member_id)
    members.forget_favourite(connection, member_id)
    for table in reversed(belonging()):
        condition = about(table, member_id)
        if table is not members_table and table.name not in KEPT and condition is not None:
            connection.execute(delete(table).where(condition))
    emptied = {
        column.name: _empty(column)
        for column in members_table.c
        if column.name not in KEPT_OF_MEMBERS
    }
    emptied |= {"login": GONE.format(number=row.number), "erased_ms": now_ms}
    members.change(connection, member_id, **emptied)
    audit.append(
        connection,
        now_ms=now_ms,
        actor="dispatcher",
        action="member:erase",
        object_=member_id,
        address="",
    )


def _empty(column: Column[Any]) -> Any:
    """Nothing, in the words of a column."""
    if column.nullable:
        return None
    if isinstance(column.type, LargeBinary):
        return b""
    if isinstance(column.type, Boolean):
        return False
    return 0 if isinstance(column.type, Integer) else ""


def _forget_logs(connection: Connection, now_ms: int, log_ms: int) -> None:
    members.forget_old(connection, now_ms)
    recovery.forget_resets(connection, now_ms)
    realname.forget_old(connection, now_ms, log_ms)


def _remove_files(files: KeyFiles, wallet_id: str | None) -> None:
    if wallet_id is None:
        return
    for version in files.versions(wallet_id):
        files.remove(wallet_id, version)

"""A forgotten password: set anew by whoever proves to be the verified member, without a session.

Somebody names a member id and a person. Whether the id exists, whether the person is the one it was
verified with, whether the agency can be reached: nothing of it shows, neither in the answer nor in
the work done before it. Only if everything matches does a code go out, afterwards, and only to the
number that the member was verified with. For everybody else every code is simply wrong.

A wrong code is answered after a fixed time, never sooner: asking the agency takes a while, and not
having asked must look the same. If the agency takes longer, the code counts as wrong for now; sent
again, it costs nothing and finds the agency's answer.
"""

import asyncio
import hmac
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from jigap import entropy, members
from jigap.clock import DAY_MS, Clock
from jigap.database import Database
from jigap.keys import KeyRing
from jigap.members import Member, Passwords
from jigap.realname import (
    CheckNotFresh,
    Details,
    Purpose,
    RealName,
    RealNameLimit,
    birth_date,
    today_in_korea,
)
from jigap.recovery import records, states
from jigap.recovery.tables import password_resets
from jigap.refusal import Kind, Refusal
from jigap.settings import Settings

log = logging.getLogger("jigap.recovery")

TRY_BYTES = 16
#: How often a code may be sent for each try there is: again after an answer that was lost.
ASKED_PER_TRY = 4
KEPT_MS = DAY_MS


class ResetUnknown(Refusal):
    """There is no such password reset."""

    code = "password_reset_unknown"
    kind = Kind.MISSING
    hint = "Begin one with POST /api/v1/password-resets."


class ResetOver(Refusal):
    """This password reset takes no more codes: used, too old, or too many codes were wrong."""

    code = "password_reset_over"
    hint = "Begin anew with POST /api/v1/password-resets."


class ResetCodeWrong(Refusal):
    """The code is not the one that was sent, if any was, or it cannot be checked at the moment."""

    code = "password_reset_code_wrong"
    kind = Kind.INVALID
    hint = (
        "Type the code of the newest message. If it is that one, send it again in a moment: the "
        "same code costs no try. No message comes unless member id, name, number and birth date "
        "are all those the member was verified with."
    )


@dataclass(frozen=True, slots=True)
class Reset:
    """A password reset as whoever asked for it may see it."""

    id: str
    done: bool
    expires_ms: int


class PasswordResets:
    """Password resets, from the request to the new password."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        realname: RealName,
        passwords: Passwords,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._database = database
        self._ring = ring
        self._realname = realname
        self._passwords = passwords
        self._clock = clock
        self._tries = settings.realname_tries
        self._ttl_ms = settings.realname_ttl_s * 1000
        self._answer_s = settings.password_reset_answer_ms / 1000
        self._indexes = members.Indexes(ring)
        self._nobody = members.Nobody(ring)
        self._try_key = ring.derive("password-reset-try")
        self._under_way: set[asyncio.Task[Any]] = set()

    async def request(self, login: str, details: Details, *, address: str = "") -> Reset:
        """Begin a reset; the answer is the same for everybody.

        Raises ``RealNameUnavailable`` or, whoever is named, ``RealNameLimit``.
        """
        self._realname.must_be_available()
        now_ms = self._clock.now_ms()
        try:
            reset, member_id = await self._database.write(
                self._begin, login.strip().lower(), details, address, now_ms
            )
        except RealNameLimit as refused:
            scope = str(refused.facts["limit"])
            await self._database.write(self._realname.note_reset_refused, scope, address, now_ms)
            raise
        if member_id is not None:
            self._start(self._send_code(reset.id, member_id, details, address))
        return reset

    async def confirm(
        self, reset_id: str, code: str, new_password: str, *, address: str = ""
    ) -> Reset:
        """Set the password anew if the code is right; every session of the member ends.

        Raises ``ResetUnknown``, ``ResetOver``, ``ResetCodeWrong``, ``PasswordWeak`` or
        ``PasswordsBusy``.
        """
        new_password = members.chosen_password(new_password)
        now_ms = self._clock.now_ms()
        row, left = await self._database.write(self._take_try, reset_id, code, now_ms)
        password_hash = await self._passwords.hash(new_password)
        end = asyncio.get_running_loop().time() + self._answer_s
        if await self._is_right(row, code, address, end):
            return await self._database.write(
                self._finish, row, new_password, password_hash, address, self._clock.now_ms()
            )
        await asyncio.sleep(max(0.0, end - asyncio.get_running_loop().time()))
        raise ResetCodeWrong("This is not the code, or it cannot be checked now.", tries_left=left)

    async def settled(self) -> None:
        """Wait for what is under way; call before closing database and agency."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)

    # --- asking

    def _begin(
        self, connection: Connection, login: str, details: Details, address: str, now_ms: int
    ) -> tuple[Reset, str | None]:
        """The row of a reset, and whom it is about if everything matches: the same work for all."""
        self._realname.take_reset(connection, address, now_ms)
        row = members.row_by_login(connection, login)
        born = birth_date(details.birth, details.sex, today_in_korea(now_ms))
        matches = members.is_established(
            self._ring, row, details.name, details.phone, born, nobody=self._nobody
        )
        member_id = row.id if row is not None and matches and _is_active(row) else None
        reset = Reset(entropy.new_id("pr", now_ms), False, now_ms + self._ttl_ms)
        connection.execute(
            insert(password_resets).values(
                id=reset.id,
                member_id=member_id,
                check_id=None,
                typed=b"",
                asked=0,
                created_ms=now_ms,
                expires_ms=reset.expires_ms,
            )
        )
        return reset, member_id

    async def _send_code(
        self, reset_id: str, member_id: str, details: Details, address: str
    ) -> None:
        """What happens only to the right person, and after everybody has been answered."""
        try:
            check_id = await self._realname.begin(member_id, details, Purpose.PASSWORD, address)
            await self._database.write(_set_check, reset_id, check_id)
            await self._realname.ask(check_id)
        except Refusal as refused:
            log.info("no code for a password reset: %s", refused.code)

    # --- the code

    def _take_try(
        self, connection: Connection, reset_id: str, code: str, now_ms: int
    ) -> tuple[Any, int]:
        """The reset, and how many other codes may follow; the same code again costs nothing."""
        query = select(password_resets).where(password_resets.c.id == reset_id).with_for_update()
        row = connection.execute(query).first()
        if row is None:
            raise ResetUnknown("There is no such password reset.")
        try_id = hmac.digest(self._try_key, f"{reset_id}\0{code}".encode(), "sha3_256")[:TRY_BYTES]
        typed = bytes(row.typed)
        known = try_id in [typed[i : i + TRY_BYTES] for i in range(0, len(typed), TRY_BYTES)]
        if not known:
            typed += try_id
        if (
            row.done_ms is not None
            or now_ms >= row.expires_ms
            or len(typed) > self._tries * TRY_BYTES
            or row.asked >= self._tries * ASKED_PER_TRY
        ):
            raise ResetOver("This password reset is over.")
        mine = password_resets.c.id == reset_id
        connection.execute(
            update(password_resets).where(mine).values(typed=typed, asked=row.asked + 1)
        )
        return row, self._tries - len(typed) // TRY_BYTES

    async def _is_right(self, row: Any, code: str, address: str, end: float) -> bool:
        """Whether the agency has said before ``end`` that the code is right."""
        if row.member_id is None or row.check_id is None:
            return False
        asking = self._start(self._asked(row.member_id, row.check_id, code, address))
        left_s = max(0.0, end - asyncio.get_running_loop().time())
        await asyncio.wait({asking}, timeout=left_s)
        return asking.done() and asking.result()

    async def _asked(self, member_id: str, check_id: str, code: str, address: str) -> bool:
        member: Member | None = await self._database.read(members.get, member_id)
        assert member is not None, "members are never deleted"
        try:
            await self._realname.confirm(member, check_id, code, address=address)
        except Refusal:
            return False
        except Exception:  # a broken answer would tell that this reset is a real one
            log.exception("a code of a password reset could not be checked")
            return False
        return True

    def _finish(
        self,
        connection: Connection,
        row: Any,
        new_password: str,
        password_hash: str,
        address: str,
        now_ms: int,
    ) -> Reset:
        # The member's row first, as whoever closes does.
        member = members.row_of(connection, row.member_id, lock=True)
        assert member is not None, "members are never deleted"
        members.chosen_password(new_password, member.login)  # nobody is told before the right code
        open_ = records.open_of(connection, row.member_id)
        try:
            self._realname.spend(connection, row.member_id, row.check_id, Purpose.PASSWORD, now_ms)
        except CheckNotFresh:
            raise ResetOver("This password reset is over.") from None
        mine = password_resets.c.id == row.id
        connection.execute(update(password_resets).where(mine).values(done_ms=now_ms))
        members.reset_password(
            connection,
            row.member_id,
            password_hash,
            indexes=self._indexes,
            address=address,
            now_ms=now_ms,
        )
        for one in open_:  # whoever began it may be somebody else
            why = states.PASSWORD_RESET
            records.move(connection, one, states.State.CANCELLED, one.member_id, now_ms, reason=why)
        return Reset(row.id, True, row.expires_ms)

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Do something whose caller need not wait for it."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task


def forget_resets(connection: Connection, now_ms: int) -> None:
    """Forget password resets that were over a day ago; the dispatcher does, every hour."""
    old = password_resets.c.expires_ms < now_ms - KEPT_MS
    connection.execute(delete(password_resets).where(old))


def _is_active(row: Any) -> bool:
    return row.frozen_ms is None and row.closed_ms is None


def _set_check(connection: Connection, reset_id: str, check_id: str) -> None:
    connection.execute(
        update(password_resets).where(password_resets.c.id == reset_id).values(check_id=check_id)
    )

"""Signing in: member id and password, then the one-time code of whoever has a second factor.

A right password without its code gives no failure back (``attempts``), so that it does not buy more
guesses at the code. For a login that nobody has everything is done that is done for one that
exists: the same statements, the same hashes, one argon2.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, literal, select

from jigap import audit, events
from jigap.clock import Clock, day_of
from jigap.database import Database, prepared
from jigap.keys import KeyRing
from jigap.members import attempts, devices, personal, records
from jigap.members.chosen import chosen_password
from jigap.members.factors import OtpRequired, note_recovery, use_otp
from jigap.members.passwords import Passwords, PasswordsBusy
from jigap.members.proof import PasswordWrong, Proofs, normal_password
from jigap.members.sessions import NewSession, Sessions, SignedIn, end_sessions, token_hash
from jigap.members.tables import devices as devices_table
from jigap.members.tables import members
from jigap.members.visitor import NOBODY, Visitor, network_of
from jigap.refusal import Kind, Refusal
from jigap.settings import Settings

_NO_DEVICE = bytes(32)


class SignInFailed(Refusal):
    """The member id or the password is wrong; nobody is told which."""

    code = "sign_in_failed"
    kind = Kind.UNAUTHENTICATED
    hint = "Check the member id and the password."


@dataclass(frozen=True, slots=True)
class _Guess:
    """A sign-in that was counted and is now looked at. Of a login nobody has there is no member."""

    member_id: str | None
    password_hash: str | None
    counter: attempts.Counter
    login_index: bytes
    known_device: bool
    network: str
    day: str


class SignIns:
    """Opening sessions for those who prove who they are."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Clock,
        passwords: Passwords,
        sessions: Sessions,
        settings: Settings,
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._passwords = passwords
        self._sessions = sessions
        self._proofs = Proofs(database, clock, passwords)
        self._network_day_max = settings.sign_in_day_address
        self._indexes = personal.Indexes(ring)

    async def sign_in(
        self,
        login: str,
        password: str,
        otp: str | None = None,
        visitor: Visitor = NOBODY,
        *,
        device: str | None = None,
        cookie: bool = False,
    ) -> NewSession:
        """Open a session; ``otp`` is looked at only if the member has a second factor.

        ``device`` is the token of a device of before. Raises ``SignInFailed``, ``SignInWait``,
        ``SignInLocked``, ``SignInLimit``, ``PasswordsBusy``; once the password was right,
        ``OtpRequired`` or ``OtpWrong``.
        """
        guess = await self._database.write(self._begin, login.strip().lower(), device, visitor)
        hash_ = guess.password_hash
        try:
            right = await self._passwords.matches(normal_password(password), hash_)
        except PasswordsBusy:
            await self._database.write(_never_looked_at, guess)
            raise
        if not right or hash_ is None:
            raise SignInFailed("The member id or the password is wrong.")
        fresh_hash = None
        if self._passwords.is_outdated(hash_):
            with suppress(PasswordsBusy):  # then the next sign-in makes it
                fresh_hash = await self._passwords.hash(normal_password(password))
        try:
            return await self._database.write(
                self._open, guess, otp, fresh_hash, visitor, device, cookie
            )
        except OtpRequired:  # half a sign-in: a failure of the login still, of the network not
            if not guess.known_device:
                await self._database.write(attempts.give_back_network, guess.network, guess.day)
            raise

    async def sign_out(self, asker: SignedIn) -> None:
        """End the session of whoever asks."""
        await self._sessions.end(asker, asker.session_id)

    async def change_password(self, asker: SignedIn, old: str, new: str) -> None:
        """Set another password; every other session ends.

        Raises ``PasswordWeak``, ``PasswordWrong``, ``SignInWait``, ``SignInLocked`` or
        ``PasswordsBusy``.
        """
        new = chosen_password(new, asker.member.login)
        present_hash = await self._proofs.password(asker, old)
        new_hash = await self._passwords.hash(new)
        await self._database.write(self._change, asker, present_hash, new_hash)

    def _begin(
        self, connection: Connection, login: str, device: str | None, visitor: Visitor
    ) -> _Guess:
        now_ms = self._clock.now_ms()
        login_index = self._indexes.login(login)
        device_hash = _NO_DEVICE if device is None else token_hash(device)
        row = connection.execute(*_who(login, device_hash)).one()
        known = row.device_hash is not None
        guess = _Guess(
            member_id=row.member_id,
            password_hash=row.password_hash,
            counter=attempts.of_device(device_hash)
            if known
            else attempts.of_login(login_index, exists=row.member_id is not None),
            login_index=login_index,
            known_device=known,
            network=network_of(visitor.address),
            day=day_of(now_ms),
        )
        attempts.count(connection, guess.counter, now_ms)
        if not known:
            attempts.count_network(
                connection, guess.network, guess.day, self._network_day_max, now_ms
            )
        return guess

    def _open(
        self,
        connection: Connection,
        guess: _Guess,
        otp: str | None,
        fresh_hash: str | None,
        visitor: Visitor,
        device: str | None,
        cookie: bool,
    ) -> NewSession:
        now_ms, member_id = self._clock.now_ms(), guess.member_id
        assert member_id is not None
        row = records.row_of(connection, member_id, lock=True)
        if row is None or row.password_hash != guess.password_hash:  # it has just been changed
            raise SignInFailed("The member id or the password is wrong.")
        shown = use_otp(connection, self._ring, member_id, otp, now_ms)
        if fresh_hash is not None:
            records.change(connection, member_id, password_hash=fresh_hash)
        attempts.forget(connection, attempts.of_login(guess.login_index, exists=True))
        if guess.known_device:
            assert device is not None
            attempts.forget(connection, guess.counter)
            devices.see(connection, token_hash(device), now_ms)
        else:
            attempts.give_back_network(connection, guess.network, guess.day)
            device = devices.add(connection, member_id, now_ms)
        session = self._sessions.open(
            connection,
            member_id,
            visitor,
            device=device,
            second_factor=shown is not None,
            cookie=cookie,
        )
        note_recovery(connection, shown, member_id, now_ms)
        return session

    def _change(
        self, connection: Connection, asker: SignedIn, present_hash: str, new_hash: str
    ) -> None:
        now_ms, member_id = self._clock.now_ms(), asker.member.id
        row = records.row_of(connection, member_id, lock=True)
        if row is None or row.password_hash != present_hash:
            raise PasswordWrong("The password has just been changed.")
        records.change(connection, member_id, password_hash=new_hash)
        self._proofs.succeeded(connection, asker)
        end_sessions(connection, member_id, now_ms, but=asker.session_id)
        events.record(
            connection, "password.changed", subject=member_id, member_id=member_id, now_ms=now_ms
        )
        audit.append(
            connection,
            now_ms=now_ms,
            actor=member_id,
            action="password:change",
            object_=member_id,
        )


def _never_looked_at(connection: Connection, guess: _Guess) -> None:
    attempts.give_back(connection, guess.counter)
    if not guess.known_device:
        attempts.give_back_network(connection, guess.network, guess.day)


@prepared
def _who(login: Any, device_hash: Any) -> Any:
    """The member of a login and the device if it is theirs: one row in any case."""
    always = select(literal(1).label("one")).subquery()
    here = and_(members.c.login == login, members.c.closed_ms.is_(None))
    theirs = and_(
        devices_table.c.member_id == members.c.id, devices_table.c.token_hash == device_hash
    )
    return select(
        members.c.id.label("member_id"),
        members.c.password_hash,
        devices_table.c.token_hash.label("device_hash"),
    ).select_from(always.outerjoin(members, here).outerjoin(devices_table, theirs))

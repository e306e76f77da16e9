"""Signing in: member id and password, then the one-time code of whoever has a second factor.

A sign-in is counted as failed before anything is looked at and given back only when all of it was
right, under a keyed hash of the login that was typed: guessing is as slow for a login nobody has as
for one that exists, and a right password without its code gives nothing back.
"""

from sqlalchemy import Connection

from jigap.clock import Clock
from jigap.database import Database
from jigap.keys import KeyRing
from jigap.members import personal, records
from jigap.members.factors import note_recovery, use_otp
from jigap.members.passwords import Passwords
from jigap.members.proof import SignInWait, normal_password
from jigap.members.sessions import NOBODY, NewSession, Sessions, SignedIn, Visitor
from jigap.refusal import Kind, Refusal


class SignInFailed(Refusal):
    """The member id or the password is wrong; nobody is told which."""

    code = "sign_in_failed"
    kind = Kind.UNAUTHENTICATED
    hint = "Check the member id and the password."


class SignIns:
    """Opening sessions for those who prove who they are."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Clock,
        passwords: Passwords,
        sessions: Sessions,
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._passwords = passwords
        self._sessions = sessions
        self._indexes = personal.Indexes(ring)

    async def sign_in(
        self, login: str, password: str, otp: str | None = None, visitor: Visitor = NOBODY
    ) -> NewSession:
        """Open a session; ``otp`` is looked at only if the member has a second factor.

        Raises ``SignInFailed``, ``SignInWait``, ``PasswordsBusy``; once the password was right,
        ``OtpRequired`` or ``OtpWrong``.
        """
        login = login.strip().lower()
        login_index = self._indexes.login(login)
        wait_s = await self._database.write(records.take_attempt, login_index, self._clock.now_ms())
        if wait_s:
            raise SignInWait("Too many sign-ins have failed.", retry_after_s=wait_s)
        found = await self._database.read(records.credentials, login)
        hash_ = None if found is None else found.password_hash
        if not await self._passwords.matches(normal_password(password), hash_) or found is None:
            raise SignInFailed("The member id or the password is wrong.")
        fresh_hash = None
        if self._passwords.is_outdated(found.password_hash):
            fresh_hash = await self._passwords.hash(normal_password(password))
        return await self._database.write(self._open, login_index, found, otp, fresh_hash, visitor)

    async def sign_out(self, asker: SignedIn) -> None:
        """End the session of whoever asks."""
        await self._sessions.end(asker, asker.session_id)

    def _open(
        self,
        connection: Connection,
        login_index: bytes,
        found: records.Credentials,
        otp: str | None,
        fresh_hash: str | None,
        visitor: Visitor,
    ) -> NewSession:
        now_ms = self._clock.now_ms()
        row = records.row_of(connection, found.member_id, lock=True)
        if row is None or row.password_hash != found.password_hash:  # it has just been changed
            raise SignInFailed("The member id or the password is wrong.")
        shown = use_otp(connection, self._ring, found.member_id, otp, now_ms)
        records.forget_attempts(connection, login_index, now_ms)
        if fresh_hash is not None:
            records.change(connection, found.member_id, password_hash=fresh_hash)
        session = self._sessions.open(
            connection, found.member_id, visitor, second_factor=shown is not None
        )
        note_recovery(connection, shown, found.member_id, now_ms)
        return session

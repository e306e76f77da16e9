"""A member proves once more who they are, in a session that is open already.

What a thief of a session must not do (change the password, add or remove a second factor) asks for
the password again. Guesses count against the session they are made in: a stranger cannot use them
up, and a thief uses up only what was stolen.
"""

from sqlalchemy import Connection

from jigap.clock import Clock
from jigap.database import Database
from jigap.members import attempts, records
from jigap.members.member import password_of
from jigap.members.passwords import Passwords, PasswordsBusy
from jigap.members.sessions import SignedIn
from jigap.refusal import Kind, Refusal


class PasswordWrong(Refusal):
    """This is not the password of whoever is signed in."""

    code = "password_wrong"
    kind = Kind.FORBIDDEN
    hint = "Type the password you sign in with."


class Proofs:
    """Guesses inside of sessions, counted before they are tried."""

    def __init__(self, database: Database, clock: Clock, passwords: Passwords) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords

    async def count(self, asker: SignedIn) -> None:
        """Count one guess as failed until ``succeeded``.

        Raises ``SignInWait`` or ``SignInLocked``.
        """
        counter = attempts.of_session(asker.token_hash)
        await self._database.write(attempts.count, counter, self._clock.now_ms())

    async def password(self, asker: SignedIn, password: str) -> str:
        """Check the password; the hash it fits.

        It stays a failure until ``succeeded``, because a one-time code may have to follow. Raises
        ``PasswordWrong``, ``SignInWait``, ``SignInLocked`` or ``PasswordsBusy``.
        """
        await self.count(asker)
        row = await self._database.read(records.row_of, asker.member.id)
        assert row is not None, "members are never deleted"
        try:
            right = await self._passwords.matches(normal_password(password), row.password_hash)
        except PasswordsBusy:
            counter = attempts.of_session(asker.token_hash)
            await self._database.write(attempts.give_back, counter)
            raise
        if not right:
            raise PasswordWrong("This is not the password.")
        return str(row.password_hash)

    def succeeded(self, connection: Connection, asker: SignedIn) -> None:
        """Forget the failures of a session, in the caller's transaction."""
        attempts.forget(connection, attempts.of_session(asker.token_hash))


def normal_password(password: str) -> str:
    """The password as it was hashed; one that nobody could have chosen stays what it is."""
    try:
        return password_of(password)
    except Refusal:
        return ""

"""How often somebody has guessed wrong, and what it costs them.

A guess is counted as failed before it is looked at and forgotten when it was right, so that a
thousand guesses at once are a thousand failures. The first ten cost nothing, each further one a
wait that grows, and after a hundred in a row there are no more. Time forgets nothing: only being
right does, and a password that was set anew.

Who guesses decides which row counts. A stranger counts under the login that was typed; a device
from which its member has signed in before counts under itself, so that all strangers together
cannot lock the owner out of it; and whoever proves something inside a session counts under that.

A login that nobody has is counted as one that exists is, but in one of a million places that such
logins share: guesses at names cannot make the table grow without end. Strangers also count by the
network they come from, each day, until something was right.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, delete, select, update

from jigap.clock import DAY_MS, day_of, next_day_ms
from jigap.database import insert_if_absent
from jigap.members.tables import devices, sessions, sign_in_attempts, sign_in_days
from jigap.refusal import Kind, Refusal

FREE_FAILURES = 10
WAIT_MAX_S = 900
FAILURES_MAX = 100
PLACES_BITS = 20


class SignInWait(Refusal):
    """Too many sign-ins under this member id have failed."""

    code = "sign_in_wait"
    kind = Kind.TOO_MANY
    retryable = True
    hint = "Wait as long as Retry-After says, then try again."


class SignInLocked(Refusal):
    """A hundred guesses in a row were wrong; there are no more."""

    code = "sign_in_locked"
    kind = Kind.TOO_MANY
    hint = (
        "Sign in from a device you have signed in from before, or set the password anew by real "
        "name; inside a session, sign in again."
    )


class SignInLimit(Refusal):
    """Too many sign-ins from this network have failed today."""

    code = "sign_in_limit"
    kind = Kind.TOO_MANY
    retryable = True
    hint = "Sign in from a device you have signed in from before, or tomorrow (UTC)."


@dataclass(frozen=True, slots=True)
class Counter:
    """The row that counts these guesses: of a login, a device or a session."""

    table: Table
    key: bytes

    @property
    def mine(self) -> Any:
        (primary,) = self.table.primary_key.columns
        return primary == self.key


def of_login(login_index: bytes, *, exists: bool) -> Counter:
    """Where strangers count who typed this login. Pure."""
    if not exists:
        place = int.from_bytes(login_index[:4], "big") >> (32 - PLACES_BITS)
        login_index = place.to_bytes(32, "big")
    return Counter(sign_in_attempts, login_index)


def of_device(token_hash: bytes) -> Counter:
    return Counter(devices, token_hash)


def of_session(token_hash: bytes) -> Counter:
    return Counter(sessions, token_hash)


def wait_s(failures: int) -> int:
    """How long the next guess must wait after this many failures. Pure."""
    if failures <= FREE_FAILURES:
        return 0
    return int(min(2 ** (failures - FREE_FAILURES - 1), WAIT_MAX_S))


def may_guess(failures: int, retry_at_ms: int, now_ms: int) -> None:
    """Raise ``SignInLocked`` or ``SignInWait`` if it is no time for a guess. Pure."""
    if failures >= FAILURES_MAX:
        raise SignInLocked("Too many guesses in a row were wrong.")
    if retry_at_ms > now_ms:
        left_s = -(-(retry_at_ms - now_ms) // 1000)
        raise SignInWait("Too many guesses were wrong.", retry_after_s=left_s)


def count(connection: Connection, counter: Counter, now_ms: int) -> None:
    """Count one guess as failed. Raises ``SignInLocked`` or ``SignInWait``."""
    table = counter.table
    if table is sign_in_attempts:
        insert_if_absent(
            connection, table, login_index=counter.key, failures=0, retry_at_ms=0, last_ms=now_ms
        )
    row = connection.execute(
        select(table.c.failures, table.c.retry_at_ms).where(counter.mine).with_for_update()
    ).first()
    if row is None:  # the session or the device has just been dropped, and with it what it opens
        raise SignInWait("Too many guesses were wrong.", retry_after_s=1)
    may_guess(row.failures, row.retry_at_ms, now_ms)
    failures = row.failures + 1
    # No wait is no time at all: clocks of two web processes may differ by a little.
    retry_at_ms = now_ms + wait_s(failures) * 1000 if wait_s(failures) else 0
    values = {"failures": failures, "retry_at_ms": retry_at_ms}
    if table is sign_in_attempts:
        values["last_ms"] = now_ms
    connection.execute(update(table).where(counter.mine).values(values))


def give_back(connection: Connection, counter: Counter) -> None:
    """Take back a guess that was counted and never looked at."""
    failures = counter.table.c.failures
    connection.execute(
        update(counter.table).where(counter.mine, failures > 0).values(failures=failures - 1)
    )


def forget(connection: Connection, counter: Counter) -> None:
    """A guess was right: no failures in a row any more."""
    connection.execute(update(counter.table).where(counter.mine).values(failures=0, retry_at_ms=0))


def forget_all(connection: Connection, member_id: str, login_index: bytes) -> None:
    """The password was set anew: strangers and devices begin again."""
    forget(connection, of_login(login_index, exists=True))
    connection.execute(
        update(devices).where(devices.c.member_id == member_id).values(failures=0, retry_at_ms=0)
    )


def forget_old(connection: Connection, now_ms: int) -> None:
    """Forget who failed at nothing lately, and days gone by; failures in a row stay."""
    table = sign_in_attempts
    connection.execute(
        delete(table).where(table.c.failures == 0, table.c.last_ms < now_ms - DAY_MS)
    )
    connection.execute(delete(sign_in_days).where(sign_in_days.c.day < day_of(now_ms)))


def count_network(
    connection: Connection, network: str, day: str, failures_max: int, now_ms: int
) -> None:
    """Count a stranger's guess against the network and the day. Raises ``SignInLimit``."""
    insert_if_absent(connection, sign_in_days, day=day, network=network, failures=0)
    failures = connection.execute(
        update(sign_in_days)
        .where(_of_day(network, day))
        .values(failures=sign_in_days.c.failures + 1)
        .returning(sign_in_days.c.failures)
    ).scalar_one()
    if failures > failures_max:
        left_s = -(-(next_day_ms(now_ms) - now_ms) // 1000)
        raise SignInLimit("Too many sign-ins from this network failed.", retry_after_s=left_s)


def give_back_network(connection: Connection, network: str, day: str) -> None:
    """A stranger was right, or was never looked at."""
    connection.execute(
        update(sign_in_days)
        .where(_of_day(network, day), sign_in_days.c.failures > 0)
        .values(failures=sign_in_days.c.failures - 1)
    )


def _of_day(network: str, day: str) -> Any:
    return (sign_in_days.c.day == day) & (sign_in_days.c.network == network)

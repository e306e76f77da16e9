"""How often a passphrase may be guessed.

An attempt is taken in the database *before* the key is derived and given back when the passphrase
was right, so that neither a crash nor fifty requests at once buy a free guess. With the attempt
goes a lease: one derivation per wallet is in flight at a time, over all processes. Whoever holds it
renews it, however long a busy machine takes; whoever dies holding it leaves one counted attempt and
a lease that runs out.

Waits begin after the fourth wrong passphrase in a row and grow to an hour. They stop payments from
this wallet only: reading and receiving need no passphrase.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Executable,
    bindparam,
    case,
    null,
    select,
    update,
)

from jigap.keys.copies import KeystoreMissing, StoredKey, keystores
from jigap.refusal import Kind, Refusal

#: Seconds to wait after the 1st, 2nd, … wrong passphrase in a row; the last holds from there on.
WAITS_S = (0, 0, 0, 30, 60, 300, 900, 3600)
#: Wrong passphrases in a row that may be tried without any wait.
FREE_ATTEMPTS = WAITS_S.index(30) + 1
LEASE_MS = 10_000


class PassphraseWait(Refusal):
    """Too many wrong passphrases in a row: this wallet's owner must wait."""

    code = "passphrase_wait"
    kind = Kind.TOO_MANY
    retryable = True
    hint = "Wait as long as Retry-After says. Money can still be received and looked at."


class PassphraseBusy(Refusal):
    """Another request is checking a passphrase of this wallet."""

    code = "passphrase_busy"
    kind = Kind.BUSY
    retryable = True
    hint = "Nothing was tried or counted. Send the same request again after Retry-After."


@dataclass(frozen=True, slots=True)
class Attempt:
    """A taken attempt: what may now be tried, once."""

    key: StoredKey
    number: int  # how many in a row with this one; 0 for a lease without an attempt
    token: bytes = field(repr=False)


def wait_ms(attempts: int) -> int:
    """How long the wait is after ``attempts`` wrong passphrases in a row."""
    return 0 if attempts < 1 else 1000 * WAITS_S[min(attempts, len(WAITS_S)) - 1]


def _take(counted: bool) -> Executable:
    """The one statement that decides; made once, for making it costs as much as running it."""
    now = bindparam("now_ms", type_=BigInteger)
    free = [keystores.c.wallet_id == bindparam("wallet"), keystores.c.busy_until_ms <= now]
    taken: dict[str, Any] = {"busy_until_ms": now + LEASE_MS, "busy_token": bindparam("token")}
    if counted:
        free.append(keystores.c.retry_at_ms <= now)
        after = keystores.c.attempts + 1
        waits = {number: wait_ms(number) for number in range(1, len(WAITS_S))}
        retries = {number: now + wait if wait else 0 for number, wait in waits.items()}
        taken["attempts"] = after
        taken["retry_at_ms"] = case(retries, value=after, else_=now + wait_ms(len(WAITS_S)))
    return (
        update(keystores)
        .where(*free)
        .values(**taken)
        .returning(
            keystores.c.version,
            keystores.c.public_key_hash,
            keystores.c.envelope,
            keystores.c.attempts,
        )
    )


_TAKE = {counted: _take(counted) for counted in (True, False)}

_is_mine = keystores.c.busy_token == bindparam("token")
_GIVE_BACK = (
    update(keystores)
    .where(keystores.c.wallet_id == bindparam("wallet"))
    .values(
        attempts=0,
        retry_at_ms=0,
        opened_ms=bindparam("now_ms", type_=BigInteger),
        busy_until_ms=case((_is_mine, 0), else_=keystores.c.busy_until_ms),
        busy_token=case((_is_mine, null()), else_=keystores.c.busy_token),
    )
)


def take(
    connection: Connection, wallet_id: str, *, token: bytes, now_ms: int, counted: bool = True
) -> Attempt:
    """Take the wallet's lease, and with ``counted`` an attempt.

    ``token`` is 16 fresh random bytes. Raises ``KeystoreMissing``, ``PassphraseBusy`` or
    ``PassphraseWait``.
    """
    given = {"wallet": wallet_id, "token": token, "now_ms": now_ms}
    row = connection.execute(_TAKE[counted], given).one_or_none()
    if row is None:
        raise _why_not(connection, wallet_id, now_ms)
    key = StoredKey(wallet_id, row.version, bytes(row.public_key_hash), bytes(row.envelope))
    return Attempt(key, row.attempts if counted else 0, token)


def give_back(connection: Connection, attempt: Attempt, now_ms: int) -> None:
    """The passphrase was right: nothing counts against the wallet any more; the lease ends."""
    given = {"wallet": attempt.key.wallet_id, "token": attempt.token, "now_ms": now_ms}
    connection.execute(_GIVE_BACK, given)


def renew(connection: Connection, attempt: Attempt, now_ms: int) -> None:
    """The holder is still at work: the lease, if it is still the holder's, runs from now on."""
    _change_lease(connection, attempt, busy_until_ms=now_ms + LEASE_MS)


def keep(connection: Connection, attempt: Attempt, now_ms: int) -> None:
    """The passphrase was wrong: the attempt stays, the wait begins now, the lease ends."""
    wait = wait_ms(attempt.number)
    # No wait is no moment: whoever read the clock a little earlier and comes next must not wait.
    _end_lease(connection, attempt, retry_at_ms=now_ms + wait if wait else 0)


def undo(connection: Connection, attempt: Attempt) -> None:
    """Nothing was tried: the attempt is uncounted, the lease ends."""
    if attempt.number:
        _end_lease(connection, attempt, attempts=attempt.number - 1, retry_at_ms=0)
    else:
        _end_lease(connection, attempt)


def _end_lease(connection: Connection, attempt: Attempt, **values: int) -> None:
    _change_lease(connection, attempt, **{"busy_until_ms": 0, "busy_token": None, **values})


def _change_lease(connection: Connection, attempt: Attempt, **values: int | None) -> None:
    mine = (
        keystores.c.wallet_id == attempt.key.wallet_id,
        keystores.c.busy_token == attempt.token,
    )
    connection.execute(update(keystores).where(*mine).values(**values))


def _why_not(connection: Connection, wallet_id: str, now_ms: int) -> Refusal:
    row = connection.execute(
        select(keystores.c.busy_until_ms, keystores.c.retry_at_ms, keystores.c.attempts).where(
            keystores.c.wallet_id == wallet_id
        )
    ).one_or_none()
    if row is None:
        return KeystoreMissing("There is no stored key for this wallet.", wallet_id=wallet_id)
    left_ms = row.retry_at_ms - now_ms
    if row.busy_until_ms <= now_ms and left_ms > 0:
        return PassphraseWait(
            "Too many wrong passphrases in a row.",
            retry_after_s=-(-left_ms // 1000),
            attempts=row.attempts,
        )
    return PassphraseBusy(
        "Another request is checking a passphrase of this wallet.", retry_after_s=1
    )

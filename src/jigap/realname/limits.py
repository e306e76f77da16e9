"""How many checks a day: of a member, from an address, of a number, of its prefix, and in all.

Every message costs money and may annoy a stranger. A check counts against all of its caps at once
or against none. The cap of a prefix makes it dull to have messages sent to a whole block of
numbers.

The messages to one number come from three purses, so that nobody can use up another's: the
``number`` purse is for whoever is not known to own it, the ``owner`` purse for the member who was
verified with it, and the ``reset`` purse for forgotten passwords, where nobody has signed in.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, update

from jigap.clock import DAY_MS, day_of
from jigap.database import insert_if_absent
from jigap.keys import KeyRing
from jigap.members import network_of, phone_digits
from jigap.realname.tables import realname_days
from jigap.refusal import Kind, Refusal
from jigap.settings import Settings

PREFIX_DIGITS = 7
#: Lines a day that the log of checks gets about refused ones; more are only counted.
REFUSED_LINES_MAX = 1_000


class RealNameLimit(Refusal):
    """So many real-name checks may be begun in a day."""

    code = "realname_limit"
    kind = Kind.TOO_MANY
    retryable = True
    hint = "Try again tomorrow (the day changes at 00:00 UTC), or ask an operator."


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``most`` checks a day of what ``key`` stands for."""

    scope: str
    key: bytes
    most: int


class Caps:
    """The caps that one check falls under."""

    def __init__(self, ring: KeyRing, settings: Settings) -> None:
        self._key = ring.derive("realname-limits")
        self._settings = settings

    def of(
        self, member_id: str, phone: str, address: str, *, owner: bool = False
    ) -> tuple[Cap, ...]:
        """The caps of a check that ``member_id`` asks for; ``owner``: of the member's own number.

        In the order in which every check takes them, so that two never wait for each other.
        """
        settings = self._settings
        digits = phone_digits(phone)
        if owner:
            purse = self._cap("owner", digits, settings.realname_day_owner)
        else:
            purse = self._cap("number", digits, settings.realname_day_number)
        return (
            self._cap("member", member_id, settings.realname_day_member),
            self._cap("address", network_of(address), settings.realname_day_address),
            purse,
            *self._common(digits),
        )

    def of_reset(self, phone: str) -> tuple[Cap, ...]:
        """The caps of a check for a forgotten password: nothing of the member's own day."""
        digits = phone_digits(phone)
        return (
            self._cap("reset", digits, self._settings.realname_day_reset),
            *self._common(digits),
        )

    def of_resets_asked(self, address: str) -> tuple[Cap, ...]:
        """The caps of asking for a reset at all, whoever is named."""
        settings = self._settings
        return (
            self._cap("resets_net", network_of(address), settings.password_reset_day_address),
            self._cap("resets", "", settings.realname_day_total),
        )

    @property
    def lines(self) -> Cap:
        """How many lines a day the log of checks may get about refusals."""
        return self._cap("lines", "", REFUSED_LINES_MAX)

    def _common(self, digits: str) -> tuple[Cap, ...]:
        return (
            self._cap("prefix", digits[:PREFIX_DIGITS], self._settings.realname_day_prefix),
            self._cap("total", "", self._settings.realname_day_total),
        )

    def _cap(self, scope: str, what: str, most: int) -> Cap:
        return Cap(scope, hmac.digest(self._key, f"{scope}\0{what}".encode(), "sha3_256"), most)


def take(connection: Connection, caps: Sequence[Cap], now_ms: int) -> None:
    """Count one check under every cap. Raises ``RealNameLimit``, and then nothing was counted."""
    for cap in caps:
        if not take_one(connection, cap, now_ms):
            raise RealNameLimit(
                "No more checks today.", retry_after_s=_left_s(now_ms), limit=cap.scope
            )


def take_one(connection: Connection, cap: Cap, now_ms: int) -> bool:
    """Count one under one cap, if there is room."""
    _open(connection, cap, now_ms)
    taken = connection.execute(
        update(realname_days)
        .where(*_row(cap, day_of(now_ms)), realname_days.c.checks < cap.most)
        .values(checks=realname_days.c.checks + 1),
        execution_options={"preserve_rowcount": True},
    )
    return taken.rowcount == 1


def note_refused(connection: Connection, cap: Cap, now_ms: int) -> None:
    """Count one check that a cap refused."""
    day = day_of(now_ms)
    _open(connection, cap, now_ms)
    connection.execute(
        update(realname_days).where(*_row(cap, day)).values(refused=realname_days.c.refused + 1)
    )


def day_began_ms(now_ms: int) -> int:
    """When the day (UTC) began that limits count by."""
    return now_ms - now_ms % DAY_MS


def _open(connection: Connection, cap: Cap, now_ms: int) -> None:
    """Have a row to count in; the dispatcher forgets those of old days (``forget_old``)."""
    insert_if_absent(
        connection,
        realname_days,
        day=day_of(now_ms),
        scope=cap.scope,
        key=cap.key,
        checks=0,
        refused=0,
    )


def _row(cap: Cap, day: str) -> "tuple[ColumnElement[bool], ...]":
    return (
        realname_days.c.day == day,
        realname_days.c.scope == cap.scope,
        realname_days.c.key == cap.key,
    )


def _left_s(now_ms: int) -> int:
    return -(-(DAY_MS - now_ms % DAY_MS) // 1000)

"""The rules of a real-name check: whose details make sense, and how a check goes on. Pure.

    requested ──> code_sent ──> confirmed
        │             │
        ├─────────────┼──> refused     the agency said no, or the code was burnt
        └─────────────┴──> expired     nobody typed the code in time, or a new check took its place

``requested`` means that the agency was asked and has not answered: nobody knows whether it sent a
code. It is not a failure, and the same question may be put again.

A check is for a purpose. To ``verify`` makes the member who the details say; the others prove
that the member who was verified is here now: they change nothing, and are good once and for a
short time.

People write the first seven digits of a resident registration number: six of the birth date and
one, the sex digit, that also names the century and whether somebody is a foreigner. Only together
do they make a date.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Literal

from jigap.refusal import Kind, Refusal

#: Somebody younger is a minor (Civil Act of Korea, article 4).
ADULT_YEARS = 19
KOREA = timezone(timedelta(hours=9))


class Purpose(StrEnum):
    """What a check is for. A check for one purpose is worth nothing for another."""

    VERIFY = "verify"  # the member becomes, or stays, who the details say
    PASSWORD = "password"  # a forgotten password may be set anew, once
    PASSPHRASE = "passphrase"  # the recovery of a payment passphrase may begin, once


Carrier = Literal["SKT", "KT", "LGU", "SKT_MVNO", "KT_MVNO", "LGU_MVNO"]


class State(StrEnum):
    """How far a check has come."""

    REQUESTED = "requested"
    CODE_SENT = "code_sent"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    EXPIRED = "expired"


#: From each state to each that may follow it.
TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.CODE_SENT, State.REFUSED, State.EXPIRED}),
    State.CODE_SENT: frozenset({State.CONFIRMED, State.REFUSED, State.EXPIRED}),
    State.CONFIRMED: frozenset(),
    State.REFUSED: frozenset(),
    State.EXPIRED: frozenset(),
}
#: States in which the person may still do something.
OPEN = frozenset(state for state, following in TRANSITIONS.items() if following)

#: The century of birth that a sex digit stands for.
CENTURIES: Mapping[str, int] = {
    "1": 1900, "2": 1900,  # nationals
    "3": 2000, "4": 2000,
    "5": 1900, "6": 1900,  # foreigners
    "7": 2000, "8": 2000,
    "9": 1800, "0": 1800,  # nationals born before 1900
}  # fmt: skip


class BirthMalformed(Refusal):
    """The six birth digits and the sex digit do not make a date on which somebody was born."""

    code = "birth_malformed"
    kind = Kind.INVALID
    hint = (
        "Write the first seven digits of the resident registration number: `birth` is YYMMDD, "
        "`sex` the digit after it (1 or 2 for people born before 2000, 3 or 4 for later ones, "
        "5 to 8 for foreigners)."
    )


@dataclass(frozen=True, slots=True)
class Details:
    """What a person wrote about themselves, each part in its one form.

    ``phone`` is E.164, ``birth`` YYMMDD, ``sex`` one digit. All of it is personal and stays out of
    representations; ``sex`` is forgotten when the check ends.
    """

    name: str = field(repr=False)
    phone: str = field(repr=False)
    birth: str = field(repr=False)
    sex: str = field(repr=False)
    carrier: Carrier | None = None


def becomes(state: State, next_: State) -> State:
    """``next_``, which must be allowed after ``state``; anything else is a bug."""
    assert next_ in TRANSITIONS[state], f"a check never goes from {state} to {next_}"
    return next_


def birth_date(birth: str, sex: str, today: date) -> date:
    """The date that six birth digits and a sex digit mean. Raises ``BirthMalformed``."""
    if not (len(birth) == 6 and birth.isascii() and birth.isdigit() and sex in CENTURIES):
        raise BirthMalformed("These are not six birth digits and one sex digit.")
    year = CENTURIES[sex] + int(birth[:2])
    try:
        born = date(year, int(birth[2:4]), int(birth[4:]))
    except ValueError:
        raise BirthMalformed("There is no such day.") from None
    if born > today:
        raise BirthMalformed("This day is still to come.")
    return born


def is_foreigner(sex: str) -> bool:
    """Whether a sex digit is one of a foreigner's registration number."""
    return sex in "5678"


def is_minor(born: date, today: date) -> bool:
    """Whether somebody born then is under age today."""
    had_birthday = (today.month, today.day) >= (born.month, born.day)
    return today.year - born.year - (not had_birthday) < ADULT_YEARS


def today_in_korea(now_ms: int) -> date:
    """The date in Seoul."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(KOREA).date()

"""How much a member may send, in one payment and in a day. Pure.

The operator sets both limits for each level of verification; a member whom an agency found to be
under age has limits of their own besides. A member may set lower ones for themselves, at once. To
raise them again takes the payment passphrase and a waiting time, so that whoever holds a phone for
an hour cannot; until the time is over the raise can be taken back.

Limits hold for each token apart: they are in whole tokens, and no token has a price here. Inside
they are base units of 18 decimals. The day is that of UTC, as for every budget of the platform.
"""

from dataclasses import dataclass, replace

from jigap.money import TOKEN_DECIMALS, AmountMalformed, format_amount, parse_amount
from jigap.refusal import Kind, Refusal
from jigap.settings import SettingInvalid, Settings


class LimitAboveLevel(Refusal):
    """A member's own limit is at most the one of their level."""

    code = "limit_above_level"
    kind = Kind.FORBIDDEN
    hint = "Choose at most the limit of your level; real-name verification by phone raises it."


class LimitRaiseLocked(Refusal):
    """Raising a limit takes the payment passphrase."""

    code = "limit_raise_locked"
    kind = Kind.FORBIDDEN
    hint = "Send the payment passphrase along; lowering a limit needs none."


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one payment may move and that may be sent in a day."""

    payment: int
    daily: int

    def least(self, other: "Limits") -> "Limits":
        """Both at once."""
        return Limits(min(self.payment, other.payment), min(self.daily, other.daily))

    def at(self, decimals: int) -> "Limits":
        """The same in base units of a token with so many decimals, rounded down."""
        return Limits(_scaled(self.payment, decimals), _scaled(self.daily, decimals))


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """What a member has set for themselves; None: nothing, so that the level's limit holds.

    ``raised`` takes its place at ``raised_from_ms``; while that is None nothing is pending.
    """

    payment: int | None = None
    daily: int | None = None
    raised_payment: int | None = None
    raised_daily: int | None = None
    raised_from_ms: int | None = None

    def at(self, now_ms: int) -> "OwnLimits":
        """As they stand at a moment: a raise whose time has come is no longer pending."""
        if self.raised_from_ms is None or now_ms < self.raised_from_ms:
            return self
        return OwnLimits(self.raised_payment, self.raised_daily)

    def settled(self) -> "OwnLimits":
        """Without what is pending."""
        return OwnLimits(self.payment, self.daily)


NOTHING_SET = OwnLimits()


class LevelLimits:
    """The limits that the operator has set. Raises ``SettingInvalid`` for what is no amount."""

    def __init__(self, settings: Settings) -> None:
        self._by_level = {
            1: _from(settings, "payment_limit_level_1", "daily_limit_level_1"),
            2: _from(settings, "payment_limit_level_2", "daily_limit_level_2"),
        }
        self._minor = _from(settings, "payment_limit_minor", "daily_limit_minor")

    def of(self, level: int, minor: bool | None) -> Limits:
        """The limits of a level of verification; the unverified may send nothing."""
        found = self._by_level.get(level, Limits(0, 0))
        return found.least(self._minor) if minor else found


def in_force(ceiling: Limits, own: OwnLimits, now_ms: int) -> Limits:
    """What holds now: the level's limits and the member's own, whichever are lower."""
    present = own.at(now_ms)
    return Limits(
        ceiling.payment if present.payment is None else min(present.payment, ceiling.payment),
        ceiling.daily if present.daily is None else min(present.daily, ceiling.daily),
    )


def raises(own: OwnLimits, wanted: OwnLimits, now_ms: int) -> bool:
    """Whether either limit of ``wanted`` is above what the member has set."""
    present = own.at(now_ms)
    return _above(wanted.payment, present.payment) or _above(wanted.daily, present.daily)


def changed(
    ceiling: Limits, own: OwnLimits, wanted: OwnLimits, *, now_ms: int, delay_ms: int
) -> OwnLimits:
    """The member's limits after asking for ``wanted``: what is lower holds at once.

    What is higher waits; an earlier raise that is pending is forgotten. Raises ``LimitAboveLevel``.
    """
    _check(ceiling, wanted)
    present = own.at(now_ms)
    lowered = OwnLimits(
        present.payment if _above(wanted.payment, present.payment) else wanted.payment,
        present.daily if _above(wanted.daily, present.daily) else wanted.daily,
    )
    if not raises(own, wanted, now_ms):
        return lowered
    return replace(
        lowered,
        raised_payment=wanted.payment,
        raised_daily=wanted.daily,
        raised_from_ms=now_ms + delay_ms,
    )


def _check(ceiling: Limits, wanted: OwnLimits) -> None:
    for name, value, most in (
        ("payment_limit", wanted.payment, ceiling.payment),
        ("daily_limit", wanted.daily, ceiling.daily),
    ):
        if value is not None and value > most:
            raise LimitAboveLevel(
                "This is more than your level of verification allows.",
                field=name,
                limit=format_amount(most, TOKEN_DECIMALS),
            )


def _above(wanted: int | None, present: int | None) -> bool:
    """No limit of one's own is above every limit."""
    if present is None:
        return False
    return wanted is None or wanted > present


def _scaled(units: int, decimals: int) -> int:
    scaled: int = units * 10**decimals // 10**TOKEN_DECIMALS
    return scaled


def _from(settings: Settings, payment: str, daily: str) -> Limits:
    return Limits(_amount(settings, payment), _amount(settings, daily))


def _amount(settings: Settings, name: str) -> int:
    try:
        return parse_amount(getattr(settings, name), TOKEN_DECIMALS)
    except AmountMalformed:
        raise SettingInvalid(f"Setting {name} must be an amount.", setting=name) from None

"""How much anybody may ask for: the buckets of one process, sized by the settings.

Every limit has three sizes. The plain one is the setting's. In development a private address plays
everybody at once and has ten times as much. An address with many people behind it, some of whom
misbehave, has a quarter: it is not banned, because most of them do not. (An account has what is
plain wherever it asks from, unless from a private address.)
"""

from dataclasses import dataclass

from jigap.settings import SettingInvalid, Settings
from jigap.shield.buckets import Buckets

#: A bucket holds what its rate gives in so many seconds.
BURST_S = 10
BURST_MINUTES = 1
LOCAL_FACTOR = 10
TIGHT_DIVISOR = 4


@dataclass(frozen=True, slots=True)
class Size:
    """What one address, one network and one account may ask for."""

    address: Buckets
    network: Buckets
    guesses: Buckets
    account: Buckets
    account_money: Buckets


@dataclass(frozen=True, slots=True)
class Limits:
    """All buckets of one process. Another process has its own, so a limit is that of a process."""

    plain: Size
    local: Size
    tight: Size

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Raises ``SettingInvalid``."""
        return cls(
            plain=_size(settings, 1),
            local=_size(settings, LOCAL_FACTOR),
            tight=_size(settings, 1 / TIGHT_DIVISOR),
        )


def _size(settings: Settings, factor: float) -> Size:
    return Size(
        address=_each_second(settings, "rate_address_per_s", factor),
        network=_each_second(settings, "rate_network_per_s", factor),
        guesses=_each_minute(settings, "rate_guesses_per_minute", factor),
        account=_each_second(settings, "rate_account_per_s", factor),
        account_money=_each_minute(settings, "rate_account_money_per_minute", factor),
    )


def _each_second(settings: Settings, name: str, factor: float) -> Buckets:
    rate = _positive(settings, name) * factor
    return Buckets(rate, max(rate * BURST_S, 1))


def _each_minute(settings: Settings, name: str, factor: float) -> Buckets:
    rate = _positive(settings, name) * factor
    return Buckets(rate / 60, max(rate * BURST_MINUTES, 1))


def _positive(settings: Settings, name: str) -> int:
    value = int(getattr(settings, name))
    if value < 1:
        raise SettingInvalid(f"{name} is 1 or more.", setting=name)
    return value

"""May this address come in? The order of the rules, and nothing else. Pure.

1. What an operator has listed: the longest prefix counts, of two equal ones the one that denies.
   Who is allowed here skips the bans and the country, not the limits.
2. Bans, an operator's or our own.
3. Private addresses have no country: they come in where the platform is being developed.
4. The country.

``Rules`` are one immutable whole. Whatever changes, also by mere time, makes new ``Rules``: a
look-up never asks what time it is, and a verdict may be kept as long as its rules are in force.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from jigap.shield.address import PRIVATE, Address, Network

T = TypeVar("T")

EVERYWHERE = "*"


class Rule(StrEnum):
    """Why somebody was turned away. Numbers are in references: new ones go to the end."""

    ENTRY = "entry"
    BAN = "ban"
    COUNTRY = "country"
    PRIVATE = "private"
    RATE_ADDRESS = "rate_address"
    RATE_NETWORK = "rate_network"
    RATE_ACCOUNT = "rate_account"
    RATE_ROUTE = "rate_route"
    CONNECTIONS = "connections"
    HEADER_TIME = "header_time"
    BODY_TIME = "body_time"
    DAMAGED = "damaged"
    HEADER_SIZE = "header_size"
    MALFORMED = "malformed"
    FORWARDED = "forwarded"
    FULL = "full"
    SILENCE = "silence"


class EntryKind(StrEnum):
    """What an operator says of a range. ``shared``: many people behind few addresses."""

    ALLOW = "allow"
    DENY = "deny"
    SHARED = "shared"


class Countries(Protocol):
    """Where addresses are."""

    def country_of(self, address: Address) -> str: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of an address; ``rule`` is None if it may come in.

    ``listed``: an operator allows it by name. ``shared``: many people are behind it. ``local``: a
    private address, let in because the platform is being developed.
    """

    rule: Rule | None
    listed: bool = False
    shared: bool = False
    local: bool = False


class Prefixes(Generic[T]):
    """Values of ranges; an address gets that of the longest prefix it has. Immutable."""

    def __init__(self, ranges: Iterable[tuple[Network, T]]) -> None:
        found: dict[int, dict[int, dict[int, T]]] = {4: {}, 6: {}}
        for network, value in ranges:
            free_bits = network.max_prefixlen - network.prefixlen
            start = int(network.network_address) >> free_bits
            found[network.version].setdefault(free_bits, {})[start] = value
        self._tables = {
            version: tuple(sorted(by_length.items())) for version, by_length in found.items()
        }

    def of(self, address: Address) -> T | None:
        """The value of the smallest range that has the address, or None."""
        number = int(address)
        for free_bits, table in self._tables[address.version]:
            value = table.get(number >> free_bits)
            if value is not None:
                return value
        return None


_PRIVATE = Prefixes((one, True) for one in PRIVATE)


class Rules:
    """Everything that decides about an address, at one moment."""

    def __init__(
        self,
        entries: Sequence[tuple[Network, EntryKind]],
        bans: Iterable[Network],
        countries: Countries,
        *,
        countries_allowed: frozenset[str],
        development: bool,
    ) -> None:
        listed = [one for one in entries if one[1] is not EntryKind.SHARED]
        # Of two entries for one range the later one counts: let that be the one that denies.
        listed.sort(key=lambda one: one[1] is EntryKind.DENY)
        self._listed = Prefixes(listed)
        self._shared = Prefixes((net, True) for net, kind in entries if kind is EntryKind.SHARED)
        self._bans = Prefixes((one, True) for one in bans)
        self._countries = countries
        self._allowed = countries_allowed
        self._development = development

    def judge(self, address: Address) -> Verdict:
        """What the rules say of an address that is not wrapped."""
        shared = self._shared.of(address) is not None
        listed = self._listed.of(address)
        if listed is EntryKind.DENY:
            return Verdict(Rule.ENTRY, shared=shared)
        if listed is EntryKind.ALLOW:
            return Verdict(None, listed=True, shared=shared)
        if self._bans.of(address) is not None:
            return Verdict(Rule.BAN, shared=shared)
        if _PRIVATE.of(address):
            local = self._development
            return Verdict(None if local else Rule.PRIVATE, shared=shared, local=local)
        here = EVERYWHERE in self._allowed or self._countries.country_of(address) in self._allowed
        return Verdict(None if here else Rule.COUNTRY, shared=shared)


def countries_of(text: str) -> frozenset[str]:
    """The countries of a setting: codes with commas, or ``*`` for all."""
    return frozenset(one.strip().upper() for one in text.split(",") if one.strip())

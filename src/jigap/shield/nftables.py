"""The shield's rules as a ruleset for the Linux kernel (nftables). Pure: values in, text out.

The kernel drops a packet before there is a connection, a process or a log line about it, so it
takes the flood that no process could. It is told what the process goes by, in the same order: our
own proxies, entries of the operator, bans, country; then new connections per source. It is a
snapshot: bans and entries carry what is left of their time, new ones come with the next export.
What the kernel cannot see, such as sign-ins and requests on an open connection, stays with the
process.

Loading it is one transaction and may be done again at any time: the table is ours alone, dropped
and made anew. It hooks in before connection tracking, so that dropped packets fill no table of the
kernel's either. Packets of a ban's target are dropped on open connections, too.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from jigap.shield.address import Network
from jigap.shield.ranges import Ranges
from jigap.shield.store import Ban, ListEntry
from jigap.shield.verdict import EntryKind

TABLE = "inet jigap_shield"
#: How many sources the kernel counts at once, and how long after their last new connection.
SOURCES_MAX = 65_536
SOURCE_KEPT = "1m"
_FAMILIES = ((4, 32, "ip", "ipv4_addr"), (6, 128, "ip6", "ipv6_addr"))
_COUNTERS = ("refused_entry", "refused_ban", "refused_country", "refused_rate", "let_in")

T = TypeVar("T")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Pace:
    """New connections that one source (an IPv4 address, a /64) may begin."""

    per_s: int = 50
    burst: int = 200
    shared_times: int = 10  # as many times as much where many people share an address


@dataclass(frozen=True, slots=True)
class Element:
    """Addresses of a set; ``left_s`` seconds are left of it, None if it stays."""

    first: int
    last: int
    left_s: int | None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the ruleset is made of. ``countries`` is None where every country may come in."""

    ports: tuple[int, ...]
    countries: tuple[Ranges, Ranges] | None  # of the countries let in: IPv4, IPv6
    entries: Sequence[ListEntry]
    bans: Sequence[Ban]
    now_ms: int
    pace: Pace = Pace()
    proxies: tuple[Network, ...] = ()  # they speak for everybody, so nothing is asked of them
    notes: tuple[str, ...] = ()


def ruleset(rules: Rules) -> str:
    """A script for ``nft -f``."""
    lines = [f"# {' '.join(note.split())}" for note in rules.notes]
    lines += [f"add table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{"]
    lines += [f"  counter {name} {{ }}" for name in _COUNTERS]
    for version, bits, _, type_ in _FAMILIES:
        lines += _sets(rules, version, bits, type_)
    lines += _chains(rules)
    return "\n".join([*lines, "}", ""])


def _sets(rules: Rules, version: int, bits: int, type_: str) -> Iterator[str]:
    listed = [one for one in rules.entries if one.network.version == version]
    choosing = [one for one in listed if one.kind is not EntryKind.SHARED]
    choosing.sort(key=lambda one: one.kind is EntryKind.DENY)  # of two equal ones the last counts
    for kind in (EntryKind.DENY, EntryKind.ALLOW):
        narrowest = flattened(choosing, lambda one: one.network, lambda stack: stack[-1])
        chosen = [(first, last, one) for first, last, one in narrowest if one.kind is kind]
        elements = [
            Element(first, last, _left_s(one.expires_ms, rules.now_ms))
            for first, last, one in chosen
        ]
        yield from _set(f"{kind}_v{version}", bits, type_, "interval, timeout", elements)
    shared = [one for one in listed if one.kind is EntryKind.SHARED]
    ends = flattened(shared, lambda one: one.network, _last_end)
    elements = [Element(a, b, _left_s(end, rules.now_ms)) for a, b, end in ends]
    yield from _set(f"shared_v{version}", bits, type_, "interval, timeout", elements)
    bans = [one for one in rules.bans if one.network.version == version]
    untils = flattened(bans, lambda one: one.network, lambda stack: max(b.until_ms for b in stack))
    elements = [Element(a, b, _left_s(until, rules.now_ms)) for a, b, until in untils]
    yield from _set(f"banned_v{version}", bits, type_, "interval, timeout", elements)
    proxies = [one for one in rules.proxies if one.version == version]
    spans = flattened(proxies, lambda one: one, lambda stack: None)
    elements = [Element(first, last, None) for first, last, _ in spans]
    yield from _set(f"proxies_v{version}", bits, type_, "interval", elements)
    if rules.countries is not None:
        ranges = rules.countries[0 if version == 4 else 1]
        inside = [Element(row.first, row.last, None) for row in ranges]
        yield from _set(f"countries_v{version}", bits, type_, "interval", inside)
    for name in (f"sources_v{version}", f"shared_sources_v{version}"):
        yield f"  set {name} {{"
        yield f"    type {type_}; flags dynamic, timeout; timeout {SOURCE_KEPT};"
        yield f"    size {SOURCES_MAX};"
        yield "  }"


def _last_end(stack: list[ListEntry]) -> int | None:
    ends = [one.expires_ms for one in stack]
    return None if None in ends else max(end for end in ends if end is not None)


def _left_s(end_ms: int | None, now_ms: int) -> int | None:
    """Whole seconds until then, rounded up, at least one."""
    return None if end_ms is None else max(1, -((now_ms - end_ms) // 1000))


def flattened(
    items: Iterable[T], network: Callable[[T], Network], value: Callable[[list[T]], Value]
) -> Iterator[tuple[int, int, Value]]:
    """Ranges that do not overlap, ascending, each with a value of all items that cover it.

    CIDR ranges lie beside or inside each other; ``value`` gets the covering ones, the narrowest
    last, and of equal ones the later one last.
    """
    stack: list[T] = []
    reached = 0

    def last(item: T) -> int:
        return int(network(item).broadcast_address)

    def closed(before: int | None) -> Iterator[tuple[int, int, Value]]:
        nonlocal reached
        while stack and (before is None or last(stack[-1]) < before):
            if reached <= last(stack[-1]):
                yield reached, last(stack[-1]), value(stack)
                reached = last(stack[-1]) + 1
            stack.pop()

    for item in sorted(
        items, key=lambda i: (int(network(i).network_address), network(i).prefixlen)
    ):
        first = int(network(item).network_address)
        yield from closed(first)
        if stack and reached < first:
            yield reached, first - 1, value(stack)
        stack.append(item)
        reached = first
    yield from closed(None)


def _set(
    name: str, bits: int, type_: str, flags: str, elements: Sequence[Element]
) -> Iterator[str]:
    yield f"  set {name} {{"
    yield f"    type {type_}; flags {flags};"
    if elements:
        yield "    elements = {"
        yield ",\n".join(f"      {_written(bits, one)}" for one in elements)
        yield "    }"
    yield "  }"


def _written(bits: int, element: Element) -> str:
    address: Callable[[int], IPv4Address | IPv6Address]
    address = IPv4Address if bits == 32 else IPv6Address
    text = str(address(element.first))
    if element.last > element.first:
        text += f"-{address(element.last)}"
    return text if element.left_s is None else f"{text} timeout {element.left_s}s"


def _chains(rules: Rules) -> Iterator[str]:
    yield "  chain new_connection {"
    for version, _, ip, _ in _FAMILIES:
        source = f"{ip} saddr" if version == 4 else f"{ip} saddr & ffff:ffff:ffff:ffff::"
        pace, times = rules.pace, rules.pace.shared_times
        shared = _over(f"shared_sources_v{version}", source, pace.per_s * times, pace.burst * times)
        yield f"    {ip} saddr @shared_v{version} {shared}"
        yield f"    {ip} saddr @shared_v{version} return"
        yield f"    {_over(f'sources_v{version}', source, pace.per_s, pace.burst)}"
    yield "  }"
    yield "  chain let_in {"
    yield "    tcp flags & (syn | ack) == syn jump new_connection"
    yield "    counter name let_in accept"
    yield "  }"
    yield "  chain judge {"
    yield from _each("saddr @proxies", "counter name let_in accept")
    yield from _each("saddr @deny", "counter name refused_entry drop")
    yield from _each("saddr @allow", "goto let_in")
    yield from _each("saddr @banned", "counter name refused_ban drop")
    if rules.countries is None:
        yield "    goto let_in"
    else:
        yield from _each("saddr @countries", "goto let_in")
        yield "    counter name refused_country drop"
    yield "  }"
    yield "  chain arriving {"
    yield "    type filter hook prerouting priority raw; policy accept;"
    yield '    iif "lo" accept'
    ports = ", ".join(str(port) for port in rules.ports)
    yield f"    fib daddr type local tcp dport {{ {ports} }} goto judge"
    yield "  }"


def _each(match: str, then: str) -> Iterator[str]:
    for version, _, ip, _ in _FAMILIES:
        yield f"    {ip} {match}_v{version} {then}"


def _over(set_: str, source: str, per_s: int, burst: int) -> str:
    return (
        f"update @{set_} {{ {source} limit rate over {per_s}/second burst {burst} packets }} "
        "counter name refused_rate drop"
    )

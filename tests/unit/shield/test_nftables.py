"""The kernel's ruleset says what the process goes by."""

import re
from ipaddress import ip_address, ip_network
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jigap.shield import Address, EntryKind, Network
from jigap.shield.nftables import Rules, flattened, ruleset
from jigap.shield.ranges import Range, Ranges
from jigap.shield.store import Ban, ListEntry
from jigap.shield.verdict import Rule
from jigap.shield.verdict import Rules as ProcessRules

NOW_MS = 1_790_000_000_000
V4, V6 = 0xCB007100, 0x2001_0220 << 96


class Korea:
    """Every other of eight addresses is Korean."""

    def country_of(self, address: Address) -> str:
        return "KR" if int(address) & 8 else "US"


def korea(bits: int, base: int) -> Ranges:
    return Ranges.of(bits, [Range(base + i, base + i + 7, "KR") for i in range(8, 256, 16)])


@st.composite
def networks(draw: st.DrawFn) -> str:
    version = draw(st.sampled_from([4, 6]))
    host = draw(st.integers(0, 255))
    free = draw(st.integers(0, 5))
    number, bits = (V4 + host, 32) if version == 4 else (V6 + host, 128)
    address = ip_address(number.to_bytes(bits // 8, "big"))
    return str(ip_network(f"{address}/{bits - free}", strict=False))


entries = st.lists(st.tuples(networks(), st.sampled_from(EntryKind)), max_size=10)


def set_of(text: str, name: str) -> list[tuple[int, int]]:
    """First and last addresses of the elements of a set in the text."""
    body = re.search(rf"  set {name} {{\n(.*?)\n  }}", text, re.DOTALL)
    assert body is not None
    found = re.findall(r"^      ([0-9a-f.:]+)(?:-([0-9a-f.:]+))?", body[1], re.MULTILINE)
    return [(int(ip_address(a)), int(ip_address(b or a))) for a, b in found]


def kernel(text: str, address: Address) -> Rule | None:
    """What the chains of the text come to for an address."""

    def within(name: str) -> bool:
        elements = set_of(text, f"{name}_v{address.version}")
        return any(first <= int(address) <= last for first, last in elements)

    if within("deny"):
        return Rule.ENTRY
    if within("allow"):
        return None
    if within("banned"):
        return Rule.BAN
    return None if within("countries") else Rule.COUNTRY


def script(listed: list[tuple[str, EntryKind]], banned: list[str]) -> str:
    made = [ListEntry(ip_network(c), kind, "r", "me", 0, None) for c, kind in listed]
    bans = [Ban(ip_network(c), "r", "auto", 0, NOW_MS + 5_000, 1) for c in banned]
    return ruleset(Rules((443,), (korea(32, V4), korea(128, V6)), made, bans, NOW_MS))


@settings(deadline=None, max_examples=60)
@given(entries, st.lists(networks(), max_size=4), st.integers(0, 255))
def test_the_kernel_comes_to_the_verdict_of_the_process(
    listed: list[tuple[str, EntryKind]], banned: list[str], host: int
) -> None:
    process = ProcessRules(
        [(ip_network(cidr), kind) for cidr, kind in listed],
        [ip_network(cidr) for cidr in banned],
        Korea(),
        countries_allowed=frozenset({"KR"}),
        development=False,
    )
    text = script(listed, banned)
    for address in (ip_address(V4 + host), ip_address(V6 + host)):
        assert kernel(text, address) == process.judge(address).rule


@settings(deadline=None, max_examples=100)
@given(st.lists(networks().map(ip_network), max_size=12))
def test_flattened_ranges_ascend_and_cover_what_was_covered(nets: list[Network]) -> None:
    version4 = [net for net in nets if net.version == 4]
    pieces = list(flattened(version4, lambda net: net, tuple))
    assert all(first <= last for first, last, _ in pieces)
    assert all(one[1] < two[0] for one, two in pairwise(pieces))
    for host in range(256):
        address = ip_address(V4 + host)
        covering = {net for net in version4 if address in net}
        found = [set(nets) for a, b, nets in pieces if a <= int(address) <= b]
        assert found == ([covering] if covering else [])


def test_what_ends_takes_its_time_along() -> None:
    ended = ListEntry(ip_network("1.2.3.0/24"), EntryKind.ALLOW, "r", "me", 0, NOW_MS + 1)
    ban = Ban(ip_network("5.6.7.8"), "r", "auto", 0, NOW_MS + 600_001, 1)
    text = ruleset(Rules((443,), None, [ended], [ban], NOW_MS))
    assert "1.2.3.0-1.2.3.255 timeout 1s\n" in text
    assert "5.6.7.8 timeout 601s\n" in text


def test_of_bans_inside_each_other_the_longer_one_holds() -> None:
    bans = [
        Ban(ip_network("1.2.3.0/24"), "r", "auto", 0, NOW_MS + 9_000, 1),
        Ban(ip_network("1.2.3.4"), "r", "auto", 0, NOW_MS + 3_000, 1),
    ]
    text = ruleset(Rules((443,), None, [], bans, NOW_MS))
    assert "1.2.3.4 timeout 9s" in text


def test_notes_cannot_leave_their_comment() -> None:
    text = ruleset(Rules((443,), None, [], [], NOW_MS, notes=("first\nflush ruleset",)))
    assert text.splitlines()[0] == "# first flush ruleset"


@pytest.mark.parametrize("ports", [(443,), (80, 443)])
def test_only_the_given_ports_are_judged(ports: tuple[int, ...]) -> None:
    text = ruleset(Rules(ports, None, [], [], NOW_MS))
    assert f"tcp dport {{ {', '.join(map(str, ports))} }} goto judge" in text

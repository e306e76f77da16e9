"""The walk over the registries' data finds what asking for single addresses finds."""

import random
from ipaddress import IPv6Network, ip_address

import pytest

from jigap.shield import Countries, walk


def test_a_walk_finds_the_ranges_of_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one part of APNIC's space, so that it takes no ten seconds."""
    monkeypatch.setattr(walk, "_LARGE", (IPv6Network("2400::/18"),))
    monkeypatch.setattr(walk, "_SMALL", (IPv6Network("2001:200::/23"),))
    ranges, countries = walk.walked_v6(), Countries(None)
    pick = random.Random(7)
    differing = found = 0
    for block in (IPv6Network("2400::/18"), IPv6Network("2001:200::/23")):
        for _ in range(3_000):
            number = int(block.network_address) + pick.randrange(block.num_addresses)
            country = countries.country_of(ip_address(number))
            found += country == "KR"
            differing += country != ranges.country_at(number)
    assert found > 20
    assert differing < 6  # of 6,000: small pieces between the questions


def test_a_walk_finds_the_ranges_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_V4", range(211, 212))
    ranges, countries = walk.walked_v4(), Countries(None)
    pick = random.Random(7)
    for _ in range(3_000):
        number = 211 << 24 | pick.randrange(1 << 24)
        assert ranges.country_at(number) == countries.country_of(ip_address(number))
    assert ranges.addresses("KR") > 1_000_000

import pytest

from jigap.shield.address import Address, parse, parse_network
from jigap.shield.verdict import EntryKind, Prefixes, Rule, Rules, countries_of

KOREAN, FOREIGN = "1.11.0.1", "8.8.8.8"


class _Map:
    """Two countries, and nowhere."""

    def country_of(self, address: Address) -> str:
        return {KOREAN: "KR", FOREIGN: "US", "2001:db8::1": "KR"}.get(str(address), "")


def rules(entries=(), bans=(), *, countries="KR", development=False) -> Rules:
    return Rules(
        [(parse_network(cidr), EntryKind(kind)) for cidr, kind in entries],
        [parse_network(one) for one in bans],
        _Map(),
        countries_allowed=countries_of(countries),
        development=development,
    )


def judged(address: str, *arguments, **given) -> Rule | None:
    return rules(*arguments, **given).judge(parse(address)).rule


def test_lets_the_country_in_and_nobody_else():
    assert judged(KOREAN) is None
    assert judged(FOREIGN) is Rule.COUNTRY
    assert judged("203.0.113.5") is Rule.COUNTRY  # of no country
    assert judged("2001:db8::1") is None


def test_countries_are_a_list_and_a_star_is_all_of_them():
    assert judged(FOREIGN, countries="kr, us") is None
    assert judged("203.0.113.5", countries="*") is None
    assert judged(FOREIGN, countries="") is Rule.COUNTRY


def test_private_addresses_come_in_only_in_development():
    assert judged("127.0.0.1") is Rule.PRIVATE
    assert judged("127.0.0.1", countries="*") is Rule.PRIVATE
    verdict = rules(development=True).judge(parse("192.168.1.4"))
    assert verdict.rule is None
    assert verdict.local


def test_a_ban_goes_before_the_country():
    assert judged(KOREAN, bans=["1.11.0.0/24"]) is Rule.BAN
    assert judged(FOREIGN, bans=["8.8.8.8"]) is Rule.BAN


def test_a_ban_counts_in_development_too():
    assert judged("127.0.0.5", bans=["127.0.0.5"], development=True) is Rule.BAN


def test_what_an_operator_lists_goes_before_everything():
    assert judged(FOREIGN, [("8.8.8.0/24", "allow")]) is None
    assert judged(KOREAN, [("1.11.0.1", "deny")]) is Rule.ENTRY
    assert judged(KOREAN, [("1.11.0.1", "allow")], ["1.11.0.1"]) is None
    assert judged("10.0.0.1", [("10.0.0.0/8", "allow")]) is None


def test_of_two_entries_the_longer_prefix_counts():
    wide_deny = [("8.0.0.0/8", "deny"), ("8.8.8.0/24", "allow")]
    assert judged(FOREIGN, wide_deny) is None
    assert judged("8.9.9.9", wide_deny) is Rule.ENTRY
    assert judged(KOREAN, [("1.11.0.1", "deny"), ("1.0.0.0/8", "allow")]) is Rule.ENTRY


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_entries_for_one_range_the_one_that_denies_counts(order: int):
    entries = [("8.8.8.8", "deny"), ("8.8.8.8", "allow")][::order]
    assert judged(FOREIGN, entries) is Rule.ENTRY


def test_shared_is_no_verdict():
    verdict = rules([("1.11.0.0/16", "shared"), ("1.11.0.1", "allow")]).judge(parse(KOREAN))
    assert verdict.shared
    assert verdict.listed
    assert judged(FOREIGN, [("8.8.8.8", "shared")]) is Rule.COUNTRY


def test_a_range_ends_where_it_ends():
    prefixes = Prefixes([(parse_network("10.0.0.0/9"), "a"), (parse_network("0.0.0.0/0"), "b")])
    assert prefixes.of(parse("10.127.255.255")) == "a"
    assert prefixes.of(parse("10.128.0.0")) == "b"
    assert prefixes.of(parse("2001:db8::1")) is None


def test_ipv4_and_ipv6_do_not_meet():
    """The number of ::8.8.8.8 is that of 8.8.8.8."""
    assert judged(FOREIGN, [("::808:808", "allow")]) is Rule.COUNTRY

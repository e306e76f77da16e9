from ipaddress import ip_address, ip_network

import pytest

from jigap.shield.address import (
    PRIVATE,
    AddressMalformed,
    ForwardedMalformed,
    client_of,
    host_key_of,
    host_of,
    key_of,
    network_key_of,
    network_of,
    parse,
    parse_network,
    parse_networks,
)

PROXIES = parse_networks("10.0.0.0/8, 2001:db8:1::/48")
PROXY = parse("10.0.0.1")


def seen(*lines: str, peer: str = "10.0.0.1") -> str:
    return str(client_of(parse(peer), [one.encode() for one in lines], PROXIES))


def test_unwraps_an_ipv4_address_that_came_through_an_ipv6_socket():
    assert parse("::ffff:1.11.0.1") == ip_address("1.11.0.1")


@pytest.mark.parametrize("text", ["", "1.2.3", "1.2.3.256", "01.2.3.4", "host", "1.2.3.4/8"])
def test_refuses_what_is_no_address(text: str):
    with pytest.raises(AddressMalformed):
        parse(text)


def test_reads_a_range_an_address_and_a_mapped_range_alike():
    assert parse_network("203.0.113.77/24") == ip_network("203.0.113.0/24")
    assert parse_network("203.0.113.77") == ip_network("203.0.113.77/32")
    assert parse_network("::ffff:203.0.113.0/120") == ip_network("203.0.113.0/24")


def test_neighbours_are_a_24_or_a_64():
    assert network_of(parse("203.0.113.77")) == ip_network("203.0.113.0/24")
    assert network_of(parse("2001:db8::1:2")) == ip_network("2001:db8::/64")


def test_who_is_banned_is_an_ipv4_address_or_the_64_of_one_customer():
    assert host_of(parse("203.0.113.77")) == ip_network("203.0.113.77/32")
    assert host_of(parse("2001:db8::1:2")) == ip_network("2001:db8::/64")


def test_keys_are_equal_for_who_counts_together_and_for_nobody_else():
    one, other = parse("2001:db8::1"), parse("2001:db8::2")
    assert key_of(one) != key_of(other)
    assert network_key_of(one) == network_key_of(other) == host_key_of(one)
    assert network_key_of(parse("203.0.113.1")) == network_key_of(parse("203.0.113.2"))
    assert host_key_of(parse("203.0.113.1")) != host_key_of(parse("203.0.113.2"))
    assert key_of(parse("::1.2.3.4")) != key_of(parse("1.2.3.4"))


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1"]
)
def test_knows_private_addresses(text: str):
    assert any(parse(text) in one for one in PRIVATE)


@pytest.mark.parametrize("text", ["1.11.0.1", "172.32.0.1", "203.0.113.1", "2001:db8::1"])
def test_takes_no_other_address_for_private(text: str):
    assert not any(parse(text) in one for one in PRIVATE)


def test_believes_no_header_of_somebody_who_is_not_a_proxy_of_ours():
    assert seen("1.11.0.1", peer="8.8.8.8") == "8.8.8.8"


def test_believes_only_what_our_own_proxies_wrote():
    assert seen("6.6.6.6, 1.11.0.1") == "1.11.0.1"
    assert seen("6.6.6.6, 1.11.0.1, 10.9.9.9") == "1.11.0.1"
    assert seen("6.6.6.6", "1.11.0.1") == "1.11.0.1"
    assert seen("garbage, <script>, 1.11.0.1") == "1.11.0.1"


def test_a_forged_hop_that_looks_like_our_proxy_hides_nobody():
    """Left of the first address that is not ours nothing is believed, whatever it is."""
    assert seen("10.0.0.7, 10.0.0.8, 8.8.8.8") == "8.8.8.8"


def test_a_chain_of_our_proxies_alone_is_the_first_of_them():
    assert seen("10.2.2.2, 10.3.3.3") == "10.2.2.2"
    assert seen() == "10.0.0.1"


def test_reads_ports_brackets_and_mapped_addresses():
    assert seen("1.11.0.1:4711") == "1.11.0.1"
    assert seen("[2001:db8::9]:443") == "2001:db8::9"
    assert seen("::ffff:1.11.0.1") == "1.11.0.1"


@pytest.mark.parametrize(
    "line", ["", "1.11.0.1,", "unknown", "1.11.0.1 2.2.2.2", "1.2.3.4:x", "\xff"]
)
def test_refuses_a_list_whose_end_cannot_be_read(line: str):
    with pytest.raises(ForwardedMalformed):
        client_of(PROXY, [line.encode("latin-1")], PROXIES)


def test_looks_at_the_end_only_of_an_endless_list():
    assert seen(",".join(["10.0.0.2"] * 100_000)) == "10.0.0.2"

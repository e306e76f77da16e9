"""Network addresses: read, unwrapped, grouped, and found behind the proxies. Pure.

One client has one address, however it is written: an IPv4 address that came through an IPv6 socket
(``::ffff:1.2.3.4``) is the IPv4 address. What a header says of an address counts only as far as a
proxy of ours has written it: the list is read from the right, where our own proxy wrote, and the
first address that is not one of our proxies is the client. Whatever stands left of it was sent by
the client, who may have written anything there.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from jigap.refusal import Kind, Refusal

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HOPS_MAX = 32
NETWORK_BITS = {4: 24, 6: 64}
#: Set in the keys of IPv6, so that they never meet those of IPv4 in one table.
_IPV6 = 1 << 128

_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?", re.ASCII)
#: Addresses of no country: nobody on the public internet can have them.
PRIVATE: tuple[Network, ...] = tuple(
    ip_network(one)
    for one in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)


class AddressMalformed(Refusal):
    """This is no IP address and no range of them."""

    code = "address_malformed"
    kind = Kind.INVALID
    hint = "Write an address such as 203.0.113.7 or 2001:db8::1, or a range such as 203.0.113.0/24."


class ForwardedMalformed(Refusal):
    """A proxy of ours sent a list of addresses that cannot be read."""

    code = "forwarded_malformed"
    kind = Kind.MALFORMED
    hint = "Let the proxy write the client's address itself: see the guide to the shield."


def parse(text: str) -> Address:
    """One address, unwrapped. Raises ``AddressMalformed``."""
    try:
        return unwrap(ip_address(text.partition("%")[0]))
    except ValueError:
        raise AddressMalformed(f"{text[:60]!r} is no IP address.") from None


def parse_network(text: str) -> Network:
    """A range in CIDR form, or one address; bits beyond the prefix are dropped.

    Raises ``AddressMalformed``.
    """
    try:
        found = ip_network(text.strip(), strict=False)
    except ValueError:
        raise AddressMalformed(f"{text[:60]!r} is no range of IP addresses.") from None
    if isinstance(found, IPv6Network) and found.prefixlen >= 96:
        inner = found.network_address.ipv4_mapped
        if inner is not None:
            return IPv4Network((inner, found.prefixlen - 96))
    return found


def parse_networks(text: str) -> tuple[Network, ...]:
    """Ranges with commas between them. Raises ``AddressMalformed``."""
    return tuple(parse_network(one) for one in text.split(",") if one.strip())


def unwrap(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped one; any other as it is."""
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if inner is None else inner


def network_of(address: Address) -> Network:
    """The neighbours that count together: a /24, or the /64 that one customer has."""
    return ip_network((address, NETWORK_BITS[address.version]), strict=False)


def host_of(address: Address) -> Network:
    """Who is banned for what came from here: the IPv4 address, or the /64 of one customer."""
    return network_of(address) if address.version == 6 else ip_network(address)


def key_of(address: Address) -> int:
    """A number for one address, in tables that hold both kinds."""
    return int(address) if address.version == 4 else _IPV6 | int(address)


def network_key_of(address: Address) -> int:
    """The same number for every address of one ``network_of``."""
    return int(address) >> 8 if address.version == 4 else (_IPV6 | int(address)) >> 64


def host_key_of(address: Address) -> int:
    """The same number for every address of one ``host_of``."""
    return int(address) if address.version == 4 else (_IPV6 | int(address)) >> 64


def is_listed(address: Address, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of these ranges."""
    return any(address in one for one in networks)


def client_of(peer: Address, header_values: Sequence[bytes], trusted: Sequence[Network]) -> Address:
    """Who really asks: the socket's peer, or whom our own proxies say it is.

    ``header_values`` are the lines of the header in their order, each a list with commas. They are
    looked at only if the peer is ``trusted``. Raises ``ForwardedMalformed``.
    """
    found = peer
    if not is_listed(peer, trusted):
        return found
    hops = b",".join(header_values).split(b",") if header_values else []
    for hop in reversed(hops[-HOPS_MAX:]):
        found = _hop(hop)
        if not is_listed(found, trusted):
            break
    return found


def _hop(written: bytes) -> Address:
    """One address of the list; some proxies write a port behind it."""
    text = written.decode("latin-1").strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        return unwrap(ip_address(text))
    except ValueError:
        raise ForwardedMalformed("The proxy's list of addresses cannot be read.") from None

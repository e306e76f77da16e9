"""The ranges of the data that comes with jigap, found by asking address after address.

iptocc answers one address at a time and does not show its table, so whoever needs ranges (a
ruleset for the kernel, a comparison) walks: one question for each /24 of IPv4, the smallest piece
that the registries give out, and for IPv6 one or two for each /32 of what they give out from; where
the two differ, and in the blocks they keep for small customers, sixteen, then on into those
sixteenths that are not alike, down to /48. What a walk cannot see: pieces of IPv4 within a /24 or
of IPv6 within a /48, and small pieces of IPv6 that lie between the questions. It takes some 15
seconds of a processor; an imported table needs no walk.
"""

from collections.abc import Iterator
from ipaddress import IPv6Network
from itertools import islice
from socket import AF_INET6, inet_ntop

from iptocc import country_code

from jigap.shield.ranges import Range, Ranges

#: What the IANA has given to the registries to give out from.
_LARGE = tuple(
    IPv6Network(one)
    for one in (
        *("2003::/18", "2400::/12", "2410::/12", "2600::/12", "2630::/12", "2800::/12"),
        *("2a00::/12", "2a10::/12", "2c00::/12"),
    )
)
#: Blocks in which the registries keep pieces of /48 and the like.
_SMALL = tuple(IPv6Network(one) for one in ("2001::/16", "2610::/23", "2620::/23", "2801::/24"))
#: First octets of what people have: not 0, and nothing from the multicast range on.
_V4 = range(1, 224)
_SIXTEEN = 16
_BATCH = 4096


def walked_v4() -> Ranges:
    """IPv4 by /24."""
    return Ranges.of(32, _v4())


def walked_v6() -> Ranges:
    """IPv6 by /32, and by /48 where that shows to be needed."""
    small = [one for block in _SMALL for one in _thirty_twos(block)]
    known = set(small)
    rows = [row for start in small for row in _sixteenths(start, 32)]
    large = (one for block in _LARGE for one in _thirty_twos(block) if one not in known)
    rows += [row for two in _in_batches(large) for row in two]
    return Ranges.of(128, sorted(rows))


def _v4() -> Iterator[Range]:
    for a in _V4:
        for b in range(256):
            begin = a << 24 | b << 16
            for c, country in enumerate(country_code([f"{a}.{b}.{c}.0" for c in range(256)])):
                if country:
                    yield Range(begin | c << 8, begin | c << 8 | 255, country)


def _thirty_twos(block: IPv6Network) -> range:
    first = int(block.network_address)
    return range(first, first + block.num_addresses, 1 << 96)


def _in_batches(starts: Iterator[int]) -> Iterator[list[Range]]:
    """The /32 that begin there, by their first address and the one in their middle."""
    while batch := list(islice(starts, _BATCH)):
        found: list[Range] = []
        given_out = [pair for pair in zip(batch, _ask(batch), strict=True) if pair[1]]
        uppers = _ask([start + (1 << 95) for start, _ in given_out])
        for (start, lower), upper in zip(given_out, uppers, strict=True):
            if lower == upper:
                found.append(Range(start, start + (1 << 96) - 1, lower))
            else:
                found += _sixteenths(start, 32)
        yield found


def _sixteenths(start: int, length: int) -> list[Range]:
    """The pieces of a block of /``length``, by its sixteenths and their last addresses."""
    size = 1 << (128 - length)
    if length >= 48:
        (country,) = _ask([start])
        return [Range(start, start + size - 1, country)] if country else []
    part = size // _SIXTEEN
    firsts = [start + number * part for number in range(_SIXTEEN)]
    answers = set(_ask([*firsts, start + size - 1]))
    if len(answers) > 1:
        return [row for first in firsts for row in _sixteenths(first, length + 4)]
    country = answers.pop()
    return [Range(start, start + size - 1, country)] if country else []


def _ask(addresses: list[int]) -> list[str]:
    written = [inet_ntop(AF_INET6, one.to_bytes(16, "big")) for one in addresses]
    return [one or "" for one in country_code(written)]

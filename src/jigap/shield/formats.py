"""Files that say which addresses are in which country, read line by line. Pure.

Three forms, told apart by their first line that says something:

* *registry*: "delegated-extended" statistics of a regional internet registry (AFRINIC, APNIC,
  ARIN, LACNIC, RIPE NCC), or all of them in the one file of the NRO. Fields between bars; IPv4 as
  first address and count, IPv6 as prefix. The first line promises how many records follow.
* *text*: ``start,end,country``, as in Tor's ``geoip`` (integers) and ``geoip6`` (addresses) and
  in common CSV files. Comments begin with ``#``; some say date, vendor and licence.

A line that is not understood refuses the file, by its number: a table with holes nobody knows of
would turn people away.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from email.utils import parsedate_to_datetime
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from jigap.refusal import Kind, Refusal

_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_NOWHERE = frozenset({"", "??", "-", "ZZ"})
_USED = frozenset({"allocated", "assigned"})
_UNUSED = frozenset({"available", "reserved"})
_SAID = re.compile(r"#\s*(Generated|Vendor|License):\s*(\S.*)", re.ASCII)


class RangesMalformed(Refusal):
    """A file of address ranges has a line that cannot be meant."""

    code = "ranges_malformed"
    kind = Kind.INVALID
    hint = "Take the whole file again from where it comes from."


class Row(NamedTuple):
    """One range as a file says it, and where: ``bits`` is 32 or 128."""

    bits: int
    first: int
    last: int
    country: str
    line: int


@dataclass(slots=True)
class Parsed:
    """What a file says. ``taken_on`` is None where it does not tell its day."""

    name: str
    source: str
    rows: list[Row] = field(default_factory=list)
    taken_on: date | None = None
    licence: str = ""


def parse(name: str, lines: Iterable[str]) -> Parsed:
    """Read a file, whichever of the forms it has. Raises ``RangesMalformed``."""
    numbered = ((number, line.strip()) for number, line in enumerate(lines, 1))
    said: dict[str, str] = {}
    for number, line in numbered:
        if line.startswith("#"):
            if match := _SAID.fullmatch(line):
                said.setdefault(match[1], match[2].strip())
        elif line:
            rest = _with_first(number, line, numbered)
            return _registry(name, rest) if "|" in line else _text(name, said, rest)
    raise RangesMalformed(f"{name} is empty.", file=name)


def _with_first(
    number: int, line: str, rest: Iterable[tuple[int, str]]
) -> Iterator[tuple[int, str]]:
    yield number, line
    for number, line in rest:
        if line and not line.startswith("#"):
            yield number, line


def _text(name: str, said: dict[str, str], lines: Iterator[tuple[int, str]]) -> Parsed:
    """``start,end,country``, ascending within each family."""
    found = Parsed(name, said.get("Vendor", name), licence=said.get("License", ""))
    if "Generated" in said:
        found.taken_on = _day_of_mail(name, said["Generated"])
    reached = {32: -1, 128: -1}
    for position, (number, line) in enumerate(lines):
        fields = [one.strip().strip('"') for one in line.split(",")]
        if position == 0 and fields[0].lower().startswith("start"):
            continue
        if len(fields) < 3:
            raise _wrong(name, number, "is not start,end,country")
        bits, first = _address(name, number, fields[0])
        last_bits, last = _address(name, number, fields[1])
        if bits != last_bits:
            raise _wrong(name, number, "mixes IPv4 and IPv6")
        if last < first:
            raise _wrong(name, number, "ends before it begins")
        if first <= reached[bits]:
            raise _wrong(name, number, "begins before the range above it has ended")
        reached[bits] = last
        country = _country(name, number, fields[2])
        if country:
            found.rows.append(Row(bits, first, last, country, number))
    return found


def _address(name: str, number: int, text: str) -> tuple[int, int]:
    """(bits, address). A plain integer is IPv4 as long as it can be."""
    try:
        if text.isascii() and text.isdigit():
            value = int(text)
            if value < 1 << 128:
                return (32 if value < 1 << 32 else 128), value
        elif ":" in text:
            return 128, int.from_bytes(inet_pton(AF_INET6, text), "big")
        else:
            return 32, int.from_bytes(inet_pton(AF_INET, text), "big")
    except (OSError, ValueError):
        pass
    raise _wrong(name, number, f"has {text[:45]!r} where an address should be")


def _country(name: str, number: int, text: str) -> str:
    country = text.upper()
    if country in _NOWHERE:
        return ""
    if not _COUNTRY.fullmatch(country):
        raise _wrong(name, number, f"has {text[:20]!r} where a country should be")
    return country


def _registry(name: str, lines: Iterator[tuple[int, str]]) -> Parsed:
    """Delegated-extended statistics. Records may stand in any order."""
    number, first = next(lines)
    header = first.split("|")
    if len(header) < 6 or not header[0][:1].isdigit() or not _is_number(header[3]):
        raise _wrong(name, number, "is not version|registry|serial|records|…, as the first must be")
    found = Parsed(name, header[1], taken_on=_day_of_digits(name, number, header[5]))
    records = 0
    for number, line in lines:
        fields = line.split("|")
        if fields[-1] == "summary":
            continue
        records += 1
        if len(fields) < 7 or fields[2] not in ("ipv4", "ipv6", "asn"):
            raise _wrong(name, number, "is not registry|country|type|start|value|date|status")
        if fields[2] == "asn" or fields[6] in _UNUSED:
            continue
        if fields[6] not in _USED:
            raise _wrong(name, number, f"has the status {fields[6][:20]!r}")
        country = _country(name, number, fields[1])
        if country:
            found.rows.append(_record(name, number, fields, country))
    if records < int(header[3]):
        raise RangesMalformed(
            f"{name} promises {header[3]} records and holds {records}: it is cut off.", file=name
        )
    return found


def _record(name: str, number: int, fields: list[str], country: str) -> Row:
    bits, first = _address(name, number, fields[3])
    value = int(fields[4]) if _is_number(fields[4]) else 0
    if (bits == 32) != (fields[2] == "ipv4"):
        raise _wrong(name, number, f"has {fields[3][:45]!r} as {fields[2]}")
    if bits == 32:
        count = value
    else:
        count = 1 << (128 - value) if 1 <= value <= 128 else 0
    if not count or first + count > 1 << bits or (bits == 128 and first % count):
        raise _wrong(name, number, f"has {fields[4][:20]!r} where the size should be")
    return Row(bits, first, first + count - 1, country, number)


def _is_number(text: str) -> bool:
    """Not every digit of Unicode is one to ``int``, nor does that take any length."""
    return text.isascii() and text.isdigit() and len(text) <= 40


def _day_of_mail(name: str, text: str) -> date:
    try:
        return parsedate_to_datetime(text).date()
    except ValueError:
        raise RangesMalformed(
            f"{name} was generated on no day: {text[:40]!r}.", file=name
        ) from None


def _day_of_digits(name: str, number: int, text: str) -> date:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        raise _wrong(name, number, f"has {text[:20]!r} where its day should be") from None


def _wrong(name: str, number: int, what: str) -> RangesMalformed:
    return RangesMalformed(f"{name}, line {number}: this line {what}.", file=name, line=number)

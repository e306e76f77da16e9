"""A new range table: put together from files, checked, and compared with what it replaces. Pure.

A wrong table turns everybody away, or lets everybody in. So it is refused when ranges overlap, when
a family is missing, when it has shrunk by more than a fifth, and when Korea has not the number of
addresses that Korea has: files that were cut off, mixed up or emptied fail one of these.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from heapq import merge
from operator import itemgetter

from jigap.refusal import Kind, Refusal
from jigap.shield.formats import Parsed, Row
from jigap.shield.ranges import Range, Ranges
from jigap.shield.table import RangeTable

SHRUNK_TO = 0.8
KOREAN_V4 = range(100_000_000, 130_000_001)
_SOURCE_MAX = 200
_DAY_ZERO = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000


class RangesOverlap(Refusal):
    """Two rows claim the same address."""

    code = "ranges_overlap"
    kind = Kind.INVALID
    hint = "Import files of one source only, each once."


class RangesImplausible(Refusal):
    """The table as a whole cannot be right."""

    code = "ranges_implausible"
    kind = Kind.INVALID
    hint = (
        "Nothing was changed. Look at where the files are from; `--dry-run` shows the numbers. To "
        "change to a source with fewer rows move ranges.sqlite away first."
    )


def assemble(files: Sequence[Parsed], taken_on: date | None, now_ms: int) -> RangeTable:
    """The table that these files say. Raises ``RangesOverlap``, ``RangesImplausible``.

    ``taken_on`` is the operator's word on the day of the data; else the oldest file's counts.
    """
    days = [one.taken_on for one in files if one.taken_on is not None]
    if taken_on is None and len(days) < len(files):
        silent = next(one.name for one in files if one.taken_on is None)
        raise RangesImplausible(f"{silent} does not say of which day it is: add --taken-on DAY.")
    day = taken_on or min(days)
    if day.toordinal() > _DAY_ZERO + now_ms // _DAY_MS + 1:  # one more: it is day there already
        raise RangesImplausible(f"{day} is not yet: the data would never be found old.")
    return RangeTable(
        v4=_family(32, files),
        v6=_family(128, files),
        source=_source(files),
        taken_on=day,
        imported_ms=now_ms,
    )


def _source(files: Sequence[Parsed]) -> str:
    """Where it is from and under which licence, each said once."""
    said = dict.fromkeys(
        f"{one.source} ({one.licence})" if one.licence else one.source for one in files
    )
    return ", ".join(said)[:_SOURCE_MAX]


def _family(bits: int, files: Sequence[Parsed]) -> Ranges:
    rows = sorted(
        ((row, one.name) for one in files for row in one.rows if row.bits == bits),
        key=lambda placed: placed[0].first,
    )
    return Ranges.of(bits, _disjoint(rows))


def _disjoint(rows: Iterable[tuple[Row, str]]) -> Iterator[Range]:
    before: tuple[Row, str] | None = None
    for row, name in rows:
        if before is not None and row.first <= before[0].last:
            raise RangesOverlap(
                f"{name}, line {row.line} and {before[1]}, line {before[0].line} "
                "have addresses in common."
            )
        before = row, name
        yield Range(row.first, row.last, row.country)


def examine(new: RangeTable, old: RangeTable | None) -> None:
    """Whether the table may replace the one imported before. Raises ``RangesImplausible``."""
    _examine_family("IPv4", new.v4, None if old is None else old.v4)
    _examine_family("IPv6", new.v6, None if old is None else old.v6)
    korean = new.v4.addresses("KR")
    if korean not in KOREAN_V4:
        raise RangesImplausible(
            f"{korean} IPv4 addresses would be Korean; between {KOREAN_V4.start} and "
            f"{KOREAN_V4.stop - 1} are.",
            korean=korean,
        )
    if not new.v6.addresses("KR"):
        raise RangesImplausible("No IPv6 address would be Korean.")


def _examine_family(family: str, new: Ranges, old: Ranges | None) -> None:
    if not len(new):
        raise RangesImplausible(f"There are no {family} ranges: name the file for {family}, too.")
    if old is not None and len(new) < SHRUNK_TO * len(old):
        raise RangesImplausible(
            f"The table has {len(new)} rows for {family} and the present one {len(old)}.",
            rows=len(new),
            rows_before=len(old),
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """Two tables of one family, in numbers of addresses. ``here`` is the country asked about."""

    rows_before: int
    rows_after: int
    changed: int  # addresses that are elsewhere now, with those that were or are nowhere
    here_before: int
    here_after: int
    here_both: int

    @property
    def added(self) -> int:
        return self.here_after - self.here_both

    @property
    def removed(self) -> int:
        return self.here_before - self.here_both

    @property
    def agreement(self) -> float:
        """Which share of the new table's addresses in the country were there before."""
        return self.here_both / self.here_after if self.here_after else 0.0


def difference(old: Ranges, new: Ranges, country: str) -> Difference:
    """What changes if the new ranges replace the old ones."""
    changed = before = after = both = 0
    for count, was, is_ in _pieces(old, new):
        changed += count * (was != is_)
        before += count * (was == country)
        after += count * (is_ == country)
        both += count * (was == is_ == country)
    return Difference(len(old), len(new), changed, before, after, both)


def _pieces(old: Ranges, new: Ranges) -> Iterator[tuple[int, str, str]]:
    """(addresses, country before, country after) of every piece in which both are the same."""
    state = ["", ""]
    reached = 0
    for position, side, country in merge(_edges(0, old), _edges(1, new), key=itemgetter(0)):
        if position > reached:
            yield position - reached, state[0], state[1]
            reached = position
        state[side] = country


def _edges(side: int, ranges: Ranges) -> Iterator[tuple[int, int, str]]:
    for row in ranges:
        yield row.first, side, row.country
        yield row.last + 1, side, ""

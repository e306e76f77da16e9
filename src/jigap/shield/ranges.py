"""Address ranges of one family, each with its country: what a lookup by address needs, and no more.

Rows are ascending, do not overlap, and neighbours of the same country are one row. The columns are
arrays of machine words, so that 200,000 rows take a few megabytes and are read from a file by
copying. An IPv6 address is two words: among the rows whose first word is equal the second decides.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

_WORD = (1 << 64) - 1


class Range(NamedTuple):
    """From the first to the last address, both included, as integers."""

    first: int
    last: int
    country: str


@dataclass(frozen=True, slots=True)
class Columns:
    """The rows, column by column. ``*_low`` are the second words of IPv6, empty for IPv4."""

    firsts: "array[int]"
    firsts_low: "array[int]"
    lasts: "array[int]"
    lasts_low: "array[int]"
    countries: "array[int]"  # index into the names

    @classmethod
    def empty(cls, bits: int) -> "Columns":
        word, low = ("I", "Q") if bits == 32 else ("Q", "Q")
        return cls(array(word), array(low), array(word), array(low), array("H"))


class Ranges:
    """The ranges of one family; ``bits`` is 32 or 128. Made once, never changed."""

    def __init__(self, bits: int, names: tuple[str, ...], columns: Columns) -> None:
        self.bits = bits
        self.names = names
        self.columns = columns

    @classmethod
    def of(cls, bits: int, ascending: Iterable[Range]) -> "Ranges":
        """The ranges of these rows; neighbours of one country are joined."""
        columns = Columns.empty(bits)
        numbers: dict[str, int] = {}
        for row in joined(ascending):
            if bits == 32:
                columns.firsts.append(row.first)
                columns.lasts.append(row.last)
            else:
                columns.firsts.append(row.first >> 64)
                columns.firsts_low.append(row.first & _WORD)
                columns.lasts.append(row.last >> 64)
                columns.lasts_low.append(row.last & _WORD)
            columns.countries.append(numbers.setdefault(row.country, len(numbers)))
        return cls(bits, tuple(numbers), columns)

    def __len__(self) -> int:
        return len(self.columns.countries)

    def __iter__(self) -> Iterator[Range]:
        columns, names = self.columns, self.names
        if self.bits == 32:
            for first, last, number in zip(
                columns.firsts, columns.lasts, columns.countries, strict=True
            ):
                yield Range(first, last, names[number])
            return
        words = zip(
            columns.firsts,
            columns.firsts_low,
            columns.lasts,
            columns.lasts_low,
            columns.countries,
            strict=True,
        )
        for high, low, last_high, last_low, number in words:
            yield Range(high << 64 | low, last_high << 64 | last_low, names[number])

    def country_at(self, address: int) -> str:
        """The country of the address; empty when no row has it."""
        columns = self.columns
        if self.bits == 32:
            row = bisect_right(columns.firsts, address) - 1
            if row < 0 or columns.lasts[row] < address:
                return ""
            return self.names[columns.countries[row]]
        high, low = address >> 64, address & _WORD
        begin = bisect_left(columns.firsts, high)
        end = bisect_right(columns.firsts, high, begin)
        row = bisect_right(columns.firsts_low, low, begin, end) - 1
        if row < 0 or (columns.lasts[row], columns.lasts_low[row]) < (high, low):
            return ""
        return self.names[columns.countries[row]]

    def only(self, countries: Iterable[str]) -> "Ranges":
        """The ranges of these countries, under one name: what a set of the kernel holds."""
        wanted = frozenset(countries)
        name = ",".join(sorted(wanted))
        kept = (Range(row.first, row.last, name) for row in self if row.country in wanted)
        return Ranges.of(self.bits, kept)

    def addresses(self, country: str) -> int:
        """How many addresses are in that country."""
        return sum(row.last - row.first + 1 for row in self if row.country == country)


def joined(ascending: Iterable[Range]) -> Iterator[Range]:
    """The same ranges with neighbours of one country as one row."""
    open_: Range | None = None
    for row in ascending:
        if open_ is not None and open_.country == row.country and open_.last + 1 == row.first:
            open_ = Range(open_.first, row.last, row.country)
            continue
        if open_ is not None:
            yield open_
        open_ = row
    if open_ is not None:
        yield open_

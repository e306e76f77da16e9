"""Any set of ranges: the arrays say what the rows say, address by address."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from jigap.shield.importing import difference
from jigap.shield.ranges import Range, Ranges

TOP = 60
#: Placed so that IPv6 rows begin and end around the border between its two words.
BASE = {32: 0, 128: (7 << 64) - 30}

painted = st.lists(
    st.tuples(st.integers(0, TOP), st.integers(0, 12), st.sampled_from(["", "KR", "US"])),
    max_size=12,
)


def canvas(strokes: list[tuple[int, int, str]]) -> list[str]:
    """The country of each of the first addresses, painted over one another."""
    cells = [""] * (TOP + 14)
    for start, length, country in strokes:
        cells[start : start + length] = [country] * length
    return cells


def ranges_of(bits: int, cells: list[str]) -> Ranges:
    base = BASE[bits]
    rows = (Range(base + i, base + i, country) for i, country in enumerate(cells) if country)
    return Ranges.of(bits, rows)


@settings(deadline=None, max_examples=150)
@given(painted, st.sampled_from([32, 128]))
def test_every_address_is_in_the_country_of_its_row(
    strokes: list[tuple[int, int, str]], bits: int
) -> None:
    cells = canvas(strokes)
    ranges = ranges_of(bits, cells)
    assert [ranges.country_at(BASE[bits] + i) for i in range(len(cells))] == cells
    rows = list(ranges)
    assert list(Ranges.of(bits, rows)) == rows
    assert all(one.last < two.first for one, two in pairwise(rows))
    assert ranges.addresses("KR") == cells.count("KR")


@settings(deadline=None, max_examples=100)
@given(painted, painted)
def test_the_difference_is_that_of_all_addresses(
    before: list[tuple[int, int, str]], after: list[tuple[int, int, str]]
) -> None:
    old, new = canvas(before), canvas(after)
    found = difference(ranges_of(32, old), ranges_of(32, new), "KR")
    pairs = list(zip(old, new, strict=True))
    assert found.changed == sum(was != is_ for was, is_ in pairs)
    assert found.here_both == pairs.count(("KR", "KR"))
    assert (found.here_before, found.here_after) == (old.count("KR"), new.count("KR"))

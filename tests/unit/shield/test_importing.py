"""A new range table: what it is made of, what refuses it, and how it differs from the old one."""

from datetime import date

import pytest

from jigap.shield.formats import Parsed, Row
from jigap.shield.importing import (
    Difference,
    RangesImplausible,
    RangesOverlap,
    assemble,
    difference,
    examine,
)
from jigap.shield.ranges import Range, Ranges
from jigap.shield.table import RangeTable

KOREA = 110_000_000
DAY = date(2026, 11, 1)
NOW_MS = 1_793_577_600_000  # the first moment of 2 November 2026


def parsed(*rows: Row, name: str = "a", taken_on: date | None = DAY) -> Parsed:
    return Parsed(name, f"source of {name}", list(rows), taken_on)


def table(*, korean: int = KOREA, rows: int = 100, rows_v6: int = 10) -> RangeTable:
    v4 = [Range(0, korean - 1, "KR")]
    v4 += [Range((1 << 31) + i * 10, (1 << 31) + i * 10 + 5, "US") for i in range(1, rows)]
    v6 = [Range(i * 10, i * 10 + 5, "KR") for i in range(rows_v6)]
    return RangeTable(Ranges.of(32, v4), Ranges.of(128, v6), "", DAY, 0)


def test_rows_of_several_files_become_one_ascending_table() -> None:
    first = parsed(Row(32, 30, 39, "KR", 1), Row(32, 10, 19, "KR", 2), Row(128, 7, 8, "JP", 3))
    second = parsed(Row(32, 20, 29, "KR", 1), name="b", taken_on=date(2026, 10, 1))
    found = assemble([first, second], None, NOW_MS)
    assert list(found.v4) == [Range(10, 39, "KR")]
    assert list(found.v6) == [Range(7, 8, "JP")]
    assert found.source == "source of a, source of b"
    assert (found.taken_on, found.imported_ms) == (date(2026, 10, 1), NOW_MS)


def test_a_table_is_as_old_as_its_oldest_file_unless_the_operator_says() -> None:
    silent = parsed(Row(32, 1, 2, "KR", 1), taken_on=None)
    with pytest.raises(RangesImplausible, match="--taken-on"):
        assemble([silent], None, NOW_MS)
    assert assemble([silent], DAY, NOW_MS).taken_on == DAY


def test_a_table_is_not_of_a_day_to_come() -> None:
    tomorrow = parsed(Row(32, 1, 2, "KR", 1), taken_on=date(2026, 11, 3))
    assert assemble([tomorrow], None, NOW_MS).taken_on == date(2026, 11, 3)  # it is, in Korea
    with pytest.raises(RangesImplausible, match="is not yet"):
        assemble([tomorrow], date(2026, 11, 4), NOW_MS)


def test_ranges_that_overlap_are_refused_with_both_lines() -> None:
    first = parsed(Row(32, 10, 20, "KR", 7), name="first")
    second = parsed(Row(32, 20, 30, "KR", 9), name="second")
    with pytest.raises(RangesOverlap, match="second, line 9 and first, line 7"):
        assemble([first, second], None, NOW_MS)


def test_the_first_table_needs_no_other_to_compare_with() -> None:
    examine(table(), None)


@pytest.mark.parametrize("korean", [99_999_999, 130_000_001, 0 + 1])
def test_korea_has_as_many_addresses_as_korea_has(korean: int) -> None:
    with pytest.raises(RangesImplausible, match="would be Korean"):
        examine(table(korean=korean), None)


@pytest.mark.parametrize("korean", [100_000_000, 130_000_000])
def test_the_bounds_of_korea_belong_to_it(korean: int) -> None:
    examine(table(korean=korean), None)


@pytest.mark.parametrize(("rows", "rows_v6"), [(79, 10), (100, 7)])
def test_a_table_that_lost_more_than_a_fifth_of_a_family_is_refused(
    rows: int, rows_v6: int
) -> None:
    with pytest.raises(RangesImplausible, match="and the present one"):
        examine(table(rows=rows, rows_v6=rows_v6), table())


def test_a_table_that_lost_a_fifth_may_come() -> None:
    examine(table(rows=80, rows_v6=8), table())


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_a_table_has_both_families(family: str) -> None:
    rows = [Row(32, 0, KOREA, "KR", 1)] if family == "v4" else [Row(128, 0, KOREA, "KR", 1)]
    missing = "IPv6" if family == "v4" else "IPv4"
    with pytest.raises(RangesImplausible, match=f"no {missing} ranges"):
        examine(assemble([parsed(*rows)], None, NOW_MS), None)


def test_a_table_without_korean_ipv6_is_refused() -> None:
    rows = [Row(32, 0, KOREA, "KR", 1), Row(128, 0, 9, "JP", 2)]
    with pytest.raises(RangesImplausible, match="No IPv6 address"):
        examine(assemble([parsed(*rows)], None, NOW_MS), None)


def test_the_difference_counts_addresses() -> None:
    old = Ranges.of(32, [Range(0, 99, "KR"), Range(100, 149, "US"), Range(200, 209, "KR")])
    new = Ranges.of(32, [Range(10, 119, "KR"), Range(120, 149, "US"), Range(300, 304, "JP")])
    found = difference(old, new, "KR")
    assert found == Difference(3, 3, 10 + 20 + 10 + 5, 110, 110, 90)
    assert (found.added, found.removed) == (20, 20)
    assert found.agreement == 90 / 110


def test_equal_tables_do_not_differ() -> None:
    found = difference(table().v4, table().v4, "KR")
    assert (found.changed, found.added, found.removed, found.agreement) == (0, 0, 0, 1.0)

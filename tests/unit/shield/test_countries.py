"""In which country an address is, and what a running process notices of an import."""

import sqlite3
import time
from datetime import date
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path

import pytest

from jigap.shield import Countries, RangesDamaged
from jigap.shield.countries import RELEASES
from jigap.shield.ranges import Range, Ranges
from jigap.shield.table import RangeTable, path_of, write

V6 = 0x2001_0220 << 96


def table(country: str = "KR") -> RangeTable:
    v4 = [Range(16, 31, "AU"), Range(32, 47, country), Range(48, 63, country), Range(80, 95, "US")]
    v6 = [
        Range(V6 + 5, V6 + 9, "US"),
        Range(V6 + 20, V6 + (1 << 70), country),
        Range(V6 + (1 << 70) + 1, V6 + (1 << 80), "JP"),
    ]
    return RangeTable(Ranges.of(32, v4), Ranges.of(128, v6), "a test", date(2026, 11, 1), 7)


def v4(number: int) -> str:
    return Countries(table()).country_of(ip_address(number.to_bytes(4, "big")))


def v6(number: int) -> str:
    return Countries(table()).country_of(ip_address((V6 + number).to_bytes(16, "big")))


@pytest.mark.parametrize(
    ("number", "country"),
    [
        *[(0, ""), (15, ""), (16, "AU"), (31, "AU"), (32, "KR"), (48, "KR"), (63, "KR")],
        *[(64, ""), (79, ""), (80, "US"), (95, "US"), (96, ""), (2**32 - 1, "")],
    ],
)
def test_a_range_holds_its_first_and_its_last_address(number: int, country: str) -> None:
    assert v4(number) == country


@pytest.mark.parametrize(
    ("number", "country"),
    [
        *[(-V6, ""), (-1, ""), (4, ""), (5, "US"), (9, "US"), (10, ""), (19, ""), (20, "KR")],
        *[(1 << 64, "KR"), ((1 << 64) + 7, "KR"), (1 << 70, "KR"), ((1 << 70) + 1, "JP")],
        *[(1 << 80, "JP"), ((1 << 80) + 1, "")],
    ],
)
def test_ipv6_ranges_are_compared_by_both_words(number: int, country: str) -> None:
    assert v6(number) == country


def test_neighbours_of_one_country_are_one_row() -> None:
    assert len(table().v4) == 3
    assert list(table().v4)[1] == Range(32, 63, "KR")


def test_goes_by_the_registries_until_something_is_imported(tmp_path: Path) -> None:
    countries = Countries.load(tmp_path)
    assert countries.source.startswith("iptocc ")
    assert countries.rows_v4 == 0
    assert countries.country_of(ip_address("168.126.63.1")) == "KR"
    assert countries.country_of(ip_address("8.8.8.8")) == "US"
    assert countries.country_of(ip_address("2001:220::1")) == "KR"
    for nowhere in ("127.0.0.1", "10.0.0.1", "224.0.0.1", "fe80::1", "::1"):
        assert countries.country_of(ip_address(nowhere)) == ""


def test_knows_the_day_of_the_data_that_is_installed() -> None:
    """Whoever takes in another release of iptocc writes its day down."""
    assert version("iptocc") in RELEASES


def test_an_imported_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, table())
    countries = Countries.load(tmp_path)
    assert (countries.source, countries.taken_on) == ("a test", date(2026, 11, 1))
    assert (countries.rows_v4, countries.rows_v6) == (3, 3)
    assert countries.imported is not None
    assert list(countries.imported.v4) == list(table().v4)
    assert list(countries.imported.v6) == list(table().v6)
    assert [one.name for one in tmp_path.iterdir()] == ["ranges.sqlite"]
    assert path_of(tmp_path).stat().st_mode & 0o777 == 0o600


def test_every_import_changes_the_stamp(tmp_path: Path) -> None:
    stamps = [Countries.stamp(tmp_path)]
    for country in ("KR", "KR", "JP"):
        write(tmp_path, table(country))
        stamps.append(Countries.stamp(tmp_path))
    assert stamps[0] is None
    assert len(set(stamps)) == 4


@pytest.mark.parametrize("at", range(0, 100, 9))
def test_a_damaged_table_is_refused_whatever_the_damage_is(tmp_path: Path, at: int) -> None:
    write(tmp_path, table())
    path = path_of(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * at // 100])
    with pytest.raises(RangesDamaged):
        Countries.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE about SET value = '2026-11-20' WHERE name = 'taken_on'",
        "UPDATE about SET value = '2' WHERE name = 'format'",
        "UPDATE ranges SET names = 'AU,CN,US' WHERE bits = 32",
        "UPDATE ranges SET lasts = zeroblob(length(lasts)) WHERE bits = 128",
        "UPDATE ranges SET lasts = 5",
        "DELETE FROM ranges WHERE bits = 128",
        "DROP TABLE about",
    ],
)
def test_a_table_somebody_changed_is_refused(tmp_path: Path, change: str) -> None:
    write(tmp_path, table())
    file = sqlite3.connect(path_of(tmp_path))
    with file:
        file.execute(change)
    file.close()
    with pytest.raises(RangesDamaged):
        Countries.load(tmp_path)


def test_a_lookup_does_not_scan_the_table() -> None:
    """The bound is generous on purpose: a scan would be a thousand times over it."""
    rows = (Range(at, at + 29_000, "US") for at in range(0, (1 << 32) - 30_000, 30_000))
    countries = Countries(RangeTable(Ranges.of(32, rows), table().v6, "", date(2026, 1, 1), 0))
    address = ip_address("168.126.63.1")
    known = {address: 1}
    begun = time.process_time()
    for _ in range(5_000):
        known[address]
    middle = time.process_time()
    for _ in range(5_000):
        countries.country_of(address)
    ended = time.process_time()
    assert countries.rows_v4 > 140_000
    assert ended - middle < 50 * (middle - begun)

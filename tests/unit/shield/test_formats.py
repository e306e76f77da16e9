"""Files of ranges: what each form says, and that every line that is wrong is named."""

from datetime import date

import pytest

from jigap.shield.formats import Parsed, RangesMalformed, parse

TOR = """\
# This file has been converted from the IPFire Location database
#
# Generated: Thu, 25 Jun 2026 04:33:59 GMT
# Vendor:    IPFire Project
# License:   CC BY-SA 4.0
#
15726992,15726999,??
16777216,16777471,AU
16777472,16778239,CN
"""
TOR6 = "# Generated: Thu, 25 Jun 2026 04:33:59 GMT\n2001:2::,2001:2:0:ffff:ffff:ffff:ffff:ffff,KR\n"
CSV = """\
start,end,country
"1.11.0.0","1.11.255.255","KR"
1.12.0.0,1.12.0.255,CN,more
2400::,2400::ff,kr
"""
APNIC = """\
#
# NOTICE
#
2.3|apnic|20260926|6||20260925|+1000
apnic|*|asn|*|1|summary
apnic|*|ipv4|*|3|summary
apnic|*|ipv6|*|2|summary
apnic|JP|asn|173|1|20020801|allocated|A91A7381
apnic|KR|ipv4|1.11.0.0|131072|20100713|allocated|A910E95F
apnic|JP|ipv4|1.5.0.0|768|20100713|assigned|A910E95F
apnic||ipv4|1.1.2.0|256||available|
apnic|KR|ipv6|2400:8500::|32|20130315|allocated|A910E95F
apnic|ZZ|ipv6|2400:8600::|32||reserved|
"""


def said(found: Parsed) -> list[tuple[int, int, int, str]]:
    return [(row.bits, row.first, row.last, row.country) for row in found.rows]


def test_reads_tors_integers_and_what_the_comments_say() -> None:
    found = parse("geoip", TOR.splitlines())
    assert said(found) == [
        (32, 0x01000000, 0x010000FF, "AU"),
        (32, 0x01000100, 0x010003FF, "CN"),
    ]
    assert (found.source, found.licence) == ("IPFire Project", "CC BY-SA 4.0")
    assert found.taken_on == date(2026, 6, 25)
    assert [row.line for row in found.rows] == [8, 9]


def test_reads_tors_ipv6_addresses() -> None:
    first = 0x2001_0002 << 96
    assert said(parse("geoip6", TOR6.splitlines())) == [(128, first, first + (1 << 80) - 1, "KR")]


def test_reads_csv_with_heading_quotes_and_more_fields() -> None:
    assert said(parse("a.csv", CSV.splitlines())) == [
        (32, 0x010B0000, 0x010BFFFF, "KR"),
        (32, 0x010C0000, 0x010C00FF, "CN"),
        (128, 0x2400 << 112, (0x2400 << 112) + 255, "KR"),
    ]
    assert parse("a.csv", CSV.splitlines()).taken_on is None


def test_reads_a_registry_without_numbers_of_systems_and_what_is_not_given_out() -> None:
    found = parse("delegated-apnic", APNIC.splitlines())
    assert said(found) == [
        (32, 0x010B0000, 0x010CFFFF, "KR"),
        (32, 0x01050000, 0x010502FF, "JP"),
        (128, 0x2400_8500 << 96, ((0x2400_8501) << 96) - 1, "KR"),
    ]
    assert (found.source, found.taken_on) == ("apnic", date(2026, 9, 25))


def test_a_registry_file_that_is_cut_off_is_refused() -> None:
    with pytest.raises(RangesMalformed, match="promises 6 records and holds 5"):
        parse("apnic", APNIC.splitlines()[:-1])


@pytest.mark.parametrize("text", ["", "\n\n", "# only\n# comments\n"])
def test_an_empty_file_is_refused(text: str) -> None:
    with pytest.raises(RangesMalformed, match="is empty"):
        parse("geoip", text.splitlines())


@pytest.mark.parametrize(
    "line",
    [
        "16778240,16778241",  # no country
        "16778240,16778239,KR",  # ends before it begins
        "16778239,16778245,KR",  # begins inside the range above
        "16777216,16777471,KR",  # not ascending
        "16778240,2400::1,KR",
        "1.2.3.4.5,1.2.3.6,KR",
        "1.2.3.4,1.2.3.256,KR",
        "01.2.3.4,1.2.3.5,KR",
        "2001::g,2001::1,KR",
        "-5,16778241,KR",
        "16778240," + "9" * 60 + ",KR",
        "16778240,16778241,KOR",
        "16778240,16778241,K1",
        "<html>,<body>,KR",
        "１６７７８２４０,16778241,KR",  # digits, but not ASCII
    ],
)
def test_a_wrong_line_of_text_is_named(line: str) -> None:
    with pytest.raises(RangesMalformed) as refused:
        parse("geoip", [*TOR.splitlines(), "", line])
    assert refused.value.facts == {"file": "geoip", "line": 11}
    assert "geoip, line 11" in refused.value.detail


@pytest.mark.parametrize(
    "line",
    [
        "apnic|KR|ipv4|1.14.0.0",
        "apnic|KR|ipv4|1.14.0.0|0|20100713|allocated|A",
        "apnic|KR|ipv4|1.14.0.0|-256|20100713|allocated|A",
        "apnic|KR|ipv4|255.255.255.0|257|20100713|allocated|A",
        "apnic|KR|ipv4|2400::|32|20100713|allocated|A",
        "apnic|KR|ipv6|1.14.0.0|32|20100713|allocated|A",
        "apnic|KR|ipv6|2400::|0|20100713|allocated|A",
        "apnic|KR|ipv6|2400::|129|20100713|allocated|A",
        "apnic|KR|ipv6|2400::1|32|20100713|allocated|A",
        "apnic|KOREA|ipv4|1.14.0.0|256|20100713|allocated|A",
        "apnic|KR|ipv5|1.14.0.0|256|20100713|allocated|A",
        "apnic|KR|ipv4|1.14.0.0|256|20100713|lost|A",
    ],
)
def test_a_wrong_line_of_a_registry_is_named(line: str) -> None:
    with pytest.raises(RangesMalformed) as refused:
        parse("apnic", [*APNIC.splitlines(), line])
    assert refused.value.facts == {"file": "apnic", "line": 14}


@pytest.mark.parametrize(
    "header",
    [
        "apnic|KR|ipv4|1.11.0.0|256|20100713|allocated",
        "2|apnic|20260926|x||20260925|+1000",
        "2|apnic|20260926|²||20260925|+1000",
        "2|apnic|20260926|6||20261325|+1000",
        "2|apnic|20260926",
    ],
)
def test_a_registry_file_begins_with_its_heading(header: str) -> None:
    with pytest.raises(RangesMalformed) as refused:
        parse("apnic", [header, *APNIC.splitlines()[4:]])
    assert refused.value.facts["line"] == 1


def test_a_file_generated_on_no_day_is_refused() -> None:
    with pytest.raises(RangesMalformed, match="on no day"):
        parse("geoip", TOR.replace("25 Jun 2026", "35 Jun 2026").splitlines())

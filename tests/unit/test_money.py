"""Amounts are integers inside and one decimal string outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jigap.money import AMOUNT_MAX, AmountMalformed, format_amount, parse_amount

units = st.integers(0, AMOUNT_MAX)
decimals = st.integers(0, 18)


@pytest.mark.parametrize(
    ("text", "decimals", "expected"),
    [
        ("0", 18, 0),
        ("5000", 18, 5000 * 10**18),
        ("12.5", 18, 12_500_000_000_000_000_000),
        ("0.000000000000000001", 18, 1),
        ("0.50", 2, 50),
        ("7", 0, 7),
    ],
)
def test_reads_decimal_strings(text: str, decimals: int, expected: int):
    assert parse_amount(text, decimals) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " 1", "1 ", "1\n", "+1", "-1", "-0", "01", "00", ".5", "5.", "1,000", "1e3", "0x10",
        "1_000", "1.2.3", "NaN", "Infinity", "٣", "１", "1.0000000000000000001", "9" * 79,
        str(2**256), "1" * 5000,
    ],
)  # fmt: skip
def test_refuses_everything_else(text: str):
    with pytest.raises(AmountMalformed):
        parse_amount(text)


def test_refuses_more_places_than_the_token_has():
    with pytest.raises(AmountMalformed, match="At most 2"):
        parse_amount("1.234", 2)


def test_refusal_does_not_echo_a_long_text():
    with pytest.raises(AmountMalformed) as refused:
        parse_amount("1" * 5000)
    assert len(refused.value.facts["amount"]) == 100


@given(units, decimals)
def test_reading_what_was_written_gives_the_same_amount(amount: int, places: int):
    assert parse_amount(format_amount(amount, places), places) == amount


@given(units, decimals)
def test_there_is_one_way_to_write_an_amount(amount: int, places: int):
    text = format_amount(amount, places)
    assert text == "0" or not text.startswith("00")
    assert "." not in text or not text.endswith(("0", "."))

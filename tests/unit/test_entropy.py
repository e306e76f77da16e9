"""Ids sort by the time they were made at."""

import re

from hypothesis import given
from hypothesis import strategies as st

from jigap.entropy import make_id, new_id, new_token, random_bytes

times = st.integers(0, 2**48 - 1)
randomness = st.binary(min_size=10, max_size=10)


@given(times, randomness, times, randomness)
def test_ids_sort_by_time(earlier: int, one: bytes, later: int, other: bytes):
    if earlier > later:
        earlier, later = later, earlier
    if earlier != later:
        assert make_id("tr", earlier, one) < make_id("tr", later, other)


@given(times, randomness, randomness)
def test_ids_of_one_millisecond_differ_when_the_randomness_does(now: int, one: bytes, other: bytes):
    assert (make_id("tr", now, one) == make_id("tr", now, other)) == (one == other)


@given(times, randomness)
def test_id_is_prefix_and_26_characters(now: int, some: bytes):
    assert re.fullmatch(r"wa_[0-7][0-9a-hjkmnp-tv-z]{25}", make_id("wa", now, some))


def test_new_ids_and_tokens_do_not_repeat():
    assert len({new_id("tr", 1) for _ in range(1000)}) == 1000
    assert len({new_token() for _ in range(1000)}) == 1000


def test_random_bytes_are_as_many_as_asked():
    assert [len(random_bytes(count)) for count in (0, 1, 32)] == [0, 1, 32]

import random

from jigap.shield.buckets import Buckets


def test_a_full_bucket_gives_its_burst_and_then_one_at_a_time():
    buckets = Buckets(rate_per_s=2, burst=3)
    assert [buckets.take("a", 100.0) for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a", 100.0) == 0.5
    assert buckets.take("a", 100.5) == 0
    assert buckets.take("a", 100.5) == 0.5


def test_being_refused_takes_nothing():
    buckets = Buckets(rate_per_s=1, burst=1)
    assert buckets.take("a", 100.0) == 0
    assert [buckets.take("a", 100.5) for _ in range(50)] == [0.5] * 50
    assert buckets.take("a", 101.0) == 0


def test_a_bucket_never_holds_more_than_its_burst():
    buckets = Buckets(rate_per_s=10, burst=2)
    buckets.take("a", 0.0)
    assert [buckets.take("a", 10_000.0) == 0 for _ in range(3)] == [True, True, False]


def test_everybody_has_a_bucket_of_their_own():
    buckets = Buckets(rate_per_s=1, burst=1)
    assert buckets.take("a", 0.0) == buckets.take("b", 0.0) == 0
    assert buckets.take("a", 0.0) > 0


def test_gives_no_more_than_rate_and_burst_in_any_while():
    buckets, dice, now_s, given = Buckets(rate_per_s=5, burst=10), random.Random(7), 0.0, []
    for _ in range(5000):
        now_s += dice.expovariate(40)
        if buckets.take("a", now_s) == 0:
            given.append(now_s)
    for first, at in enumerate(given):
        window = [one for one in given[first:] if one <= at + 4]
        assert len(window) <= 10 + 5 * 4 + 1


def test_a_million_addresses_need_no_more_room_than_was_given():
    buckets = Buckets(rate_per_s=1, burst=1, places_max=1000)
    for key in range(100_000):
        assert buckets.take(key, key / 1000) == 0
        assert len(buckets) <= 1000


def test_whoever_keeps_asking_is_not_forgotten_in_a_crowd():
    """Otherwise a crowd would be a way to get a full bucket again."""
    buckets = Buckets(rate_per_s=0.001, burst=1, places_max=1000)
    buckets.take("me", 0.0)
    for key in range(20_000):
        buckets.take(key, 1.0)
        if key % 400 == 0:
            assert buckets.take("me", 1.0) > 0

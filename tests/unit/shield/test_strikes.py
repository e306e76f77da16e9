from jigap.refusal import every_refusal
from jigap.shield.strikes import (
    BAN_FIRST_MS,
    BAN_MAX_MS,
    CLEAN_MS,
    HALF_LIFE_S,
    POINTS,
    THRESHOLD,
    Neighbours,
    Scores,
    Step,
    faded,
    next_step,
    points_of,
)


def test_every_code_that_costs_points_is_one_of_ours():
    import jigap.web.site  # noqa: F401  (imports every refusal that a request can meet)

    assert set(POINTS) <= {one.code for one in every_refusal()}


def test_a_guesser_is_over_the_threshold_and_somebody_who_mistypes_is_not():
    scores, points = Scores(), points_of(401, "sign_in_failed")
    guesses = [scores.add(1, points, at / 2) for at in range(40)]
    assert guesses.index(True) < 30
    clumsy = Scores()
    assert not any(clumsy.add(1, points, at * 60.0) for at in range(500))


def test_points_fade_by_half():
    assert faded(10, HALF_LIFE_S) == 5
    assert faded(10, -3) == 10


def test_counting_begins_anew_after_the_threshold():
    scores = Scores()
    assert scores.add(1, THRESHOLD, 0)
    assert not scores.add(1, THRESHOLD - 1, 0)


def test_everybody_has_their_own_points():
    scores = Scores()
    assert not scores.add(1, THRESHOLD - 1, 0)
    assert not scores.add(2, THRESHOLD - 1, 0)
    assert scores.add(1, 1, 0)


def test_points_of_a_million_addresses_are_bounded():
    scores = Scores(places_max=1000)
    for key in range(50_000):
        scores.add(key, 1, 0)
    assert len(scores) <= 1000


def test_good_answers_and_our_own_faults_cost_nothing():
    assert points_of(200, "") == points_of(304, "") == points_of(500, "") == points_of(503, "") == 0


def test_bans_grow_sixfold_up_to_a_week():
    step, lengths, now_ms = None, [], 0
    for _ in range(7):
        step = next_step(step, now_ms)
        lengths.append(step.until_ms - now_ms)
        now_ms = step.until_ms
    minutes = [one // 60_000 for one in lengths]
    assert minutes == [10, 60, 360, 2160, 10080, 10080, 10080]


def test_a_ban_that_lasts_is_not_begun_again():
    step = Step(3, 1000)
    assert next_step(step, 999) is step


def test_a_clean_week_takes_a_step_back():
    ended = Step(3, 0)
    assert next_step(ended, CLEAN_MS - 1).step == 4
    assert next_step(ended, CLEAN_MS).step == 3
    assert next_step(ended, 2 * CLEAN_MS).step == 2
    assert next_step(ended, 50 * CLEAN_MS) == Step(1, 50 * CLEAN_MS + BAN_FIRST_MS)


def test_a_very_high_step_is_a_week_still():
    assert next_step(Step(10_000, 0), 1).until_ms == 1 + BAN_MAX_MS


def test_an_address_is_shared_when_enough_accounts_have_signed_in_from_it_today():
    people = Neighbours(accounts_min=3)
    for name in ("a", "b", "b", "a"):
        people.signed_in(1, name, "2026-11-21")
    assert not people.are_many(1, "2026-11-21")
    people.signed_in(1, "c", "2026-11-21")
    assert people.are_many(1, "2026-11-21")
    assert not people.are_many(2, "2026-11-21")
    assert people.are_many(1, "2026-11-22")  # at midnight nobody has signed in yet
    people.signed_in(1, "a", "2026-11-22")
    assert people.are_many(1, "2026-11-22")
    assert not people.are_many(1, "2026-11-23")


def test_how_many_are_behind_addresses_needs_bounded_room():
    people = Neighbours(accounts_min=2, places_max=10)
    for key in range(100):
        people.signed_in(key, "a", "2026-11-21")
        people.signed_in(key, "b", "2026-11-21")
    assert people.are_many(9, "2026-11-21")
    assert not people.are_many(10, "2026-11-21")

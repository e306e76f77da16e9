"""Counting attempts: the rule, and its one conditional statement on both databases."""

import asyncio

import pytest

from jigap.database import Database
from jigap.keys import (
    KeystoreMissing,
    NewKey,
    PassphraseBusy,
    PassphraseWait,
    attempts,
    insert_copy,
)
from jigap.keys.attempts import FREE_ATTEMPTS, LEASE_MS, WAITS_S, wait_ms

NOW_MS = 1_700_000_000_000
TOKEN = b"t" * 16


@pytest.fixture
async def wallet(database: Database) -> str:
    key = NewKey("wa_1", b"k" * 20, 1, b"envelope")
    await database.write(insert_copy, key, NOW_MS)
    return key.wallet_id


def take(database, now_ms=NOW_MS, token=TOKEN, counted=True):
    return database.write(attempts.take, "wa_1", token=token, now_ms=now_ms, counted=counted)


async def row(database):
    def read(connection):
        return connection.execute(attempts.keystores.select()).one()

    return await database.read(read)


def test_the_first_wrong_passphrases_are_free_and_then_waits_grow():
    waits = [wait_ms(number) for number in range(12)]
    assert waits[:FREE_ATTEMPTS] == [0, 0, 0, 0]
    assert waits[FREE_ATTEMPTS] == 30_000
    assert waits == sorted(waits)
    assert waits[-1] == 1000 * WAITS_S[-1] == 3_600_000


async def test_an_attempt_is_counted_when_it_is_taken(database, wallet):
    attempt = await take(database)
    assert (attempt.number, attempt.key.envelope, attempt.key.version) == (1, b"envelope", 1)
    found = await row(database)
    assert (found.attempts, found.busy_until_ms) == (1, NOW_MS + LEASE_MS)


async def test_one_attempt_at_a_time(database, wallet):
    await take(database)
    with pytest.raises(PassphraseBusy):
        await take(database, NOW_MS + LEASE_MS - 1)


async def test_a_dead_holders_lease_runs_out_and_its_attempt_stays(database, wallet):
    await take(database)
    attempt = await take(database, NOW_MS + LEASE_MS, token=b"u" * 16)
    assert attempt.number == 2


async def test_a_late_holder_does_not_end_the_lease_of_the_next(database, wallet):
    late = await take(database)
    await take(database, NOW_MS + LEASE_MS, token=b"u" * 16)
    await database.write(attempts.keep, late, NOW_MS + LEASE_MS)
    with pytest.raises(PassphraseBusy):
        await take(database, NOW_MS + LEASE_MS + 1)


async def test_the_right_passphrase_gives_everything_back(database, wallet):
    for _ in range(3):
        await database.write(attempts.keep, await take(database), NOW_MS)
    await database.write(attempts.give_back, await take(database), NOW_MS)
    found = await row(database)
    assert (found.attempts, found.retry_at_ms, found.busy_until_ms) == (0, 0, 0)
    assert found.busy_token is None


async def test_what_was_not_tried_is_uncounted(database, wallet):
    await database.write(attempts.undo, await take(database))
    found = await row(database)
    assert (found.attempts, found.busy_until_ms) == (0, 0)


async def test_a_free_attempt_delays_nobody_whose_clock_was_read_earlier(database, wallet):
    """Another process is milliseconds behind, or its request stood in a queue."""
    for number in range(1, FREE_ATTEMPTS):
        attempt = await take(database, NOW_MS + 50 * number, token=bytes([number]) * 16)
        assert (await row(database)).retry_at_ms == 0
        await database.write(attempts.keep, attempt, NOW_MS + 50 * number + 40)
        earlier = await take(database, NOW_MS + 1, token=b"u" * 16)
        assert earlier.number == number + 1
        await database.write(attempts.undo, earlier)


async def test_waits_begin_when_they_should_and_end_when_they_say(database, wallet):
    for _ in range(FREE_ATTEMPTS):
        await database.write(attempts.keep, await take(database), NOW_MS)
    with pytest.raises(PassphraseWait) as told:
        await take(database, NOW_MS + 29_999)
    assert told.value.retry_after_s == 1
    assert told.value.facts["attempts"] == FREE_ATTEMPTS
    assert (await take(database, NOW_MS + 30_000)).number == FREE_ATTEMPTS + 1


async def test_dying_after_taking_a_late_attempt_does_not_spare_the_wait(database, wallet):
    """The wait is written with the attempt, so a crash is no way around it."""
    for _ in range(FREE_ATTEMPTS):
        await database.write(attempts.keep, await take(database), NOW_MS)
    later_ms = NOW_MS + wait_ms(FREE_ATTEMPTS)
    await take(database, later_ms)
    assert wait_ms(FREE_ATTEMPTS + 1) > LEASE_MS
    with pytest.raises(PassphraseWait):
        await take(database, later_ms + LEASE_MS)


async def test_a_lease_without_an_attempt_counts_nothing_and_ignores_waits(database, wallet):
    for _ in range(FREE_ATTEMPTS):
        await database.write(attempts.keep, await take(database), NOW_MS)
    lease = await take(database, counted=False)
    assert lease.number == 0
    await database.write(attempts.undo, lease)
    found = await row(database)
    assert (found.attempts, found.busy_until_ms) == (FREE_ATTEMPTS, 0)
    assert found.retry_at_ms == NOW_MS + 30_000


async def test_a_wallet_without_a_key_is_told(database):
    with pytest.raises(KeystoreMissing):
        await take(database)


async def test_of_many_at_once_one_gets_it(database, wallet):
    answers = await asyncio.gather(
        *(take(database, token=bytes([number]) * 16) for number in range(40)),
        return_exceptions=True,
    )
    taken = [one for one in answers if isinstance(one, attempts.Attempt)]
    assert len(taken) == 1
    assert all(isinstance(one, attempts.Attempt | PassphraseBusy) for one in answers)
    assert (await row(database)).attempts == 1


def test_an_attempt_does_not_show_its_token():
    key = attempts.StoredKey("wa_1", 1, b"k" * 20, b"envelope")
    assert "ttt" not in repr(attempts.Attempt(key, 1, TOKEN))

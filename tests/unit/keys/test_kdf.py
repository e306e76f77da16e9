"""The pool of threads: bounded, off the loop, at low priority."""

import asyncio
import os
import threading
import time

import pytest

from jigap.keys import KdfBusy, KdfPool, kdf
from jigap.keys.kdf import NICENESS
from jigap.keys.scrypt import scrypt


@pytest.fixture
def pool():
    made = KdfPool(2, queue_max=3)
    yield made
    made.close()


async def derive(pool, n=4096):
    with pool.place() as place:
        return await place.run(scrypt, b"passphrase", bytes(32), n=n)


async def test_derives_on_a_thread_of_its_own(pool):
    with pool.place() as place:
        name = await place.run(lambda: threading.current_thread().name)
    assert name.startswith("kdf")


async def test_the_queue_is_bounded_and_places_come_back(pool):
    five = [asyncio.create_task(derive(pool)) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(KdfBusy) as told:
        await derive(pool)
    assert told.value.retryable
    assert told.value.retry_after_s
    assert len(set(await asyncio.gather(*five))) == 1
    assert pool.places_taken == 0
    await derive(pool)


async def test_a_refusal_inside_gives_the_place_back(pool):
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), pool.place() as place:
        await place.run(fail)
    assert pool.places_taken == 0


async def test_derivations_at_full_strength_leave_a_thread_to_payments(pool):
    running, most = 0, 0

    def heavy():
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1

    async def derive_heavily():
        with pool.place() as place:
            await place.run_heavy(heavy)

    await asyncio.gather(*(derive_heavily() for _ in range(5)))
    assert most == 1


async def test_few_derivations_at_full_strength_may_wait(monkeypatch):
    monkeypatch.setattr(kdf, "HEAVY_WAITING_MAX", 1)
    pool = KdfPool(2, queue_max=100)

    async def derive_heavily():
        with pool.place() as place:
            await place.run_heavy(time.sleep, 0.02)

    answers = await asyncio.gather(*(derive_heavily() for _ in range(5)), return_exceptions=True)
    assert [type(one) for one in answers].count(KdfBusy) == 3
    pool.close()


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="priority per thread is Linux's")
async def test_threads_are_at_low_priority_and_ours_is_not(pool):
    def priority():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = priority()
    with pool.place() as place:
        assert await place.run(priority) == min(before + 0 if before > NICENESS else NICENESS, 19)
    assert priority() == before


@pytest.mark.alone
async def test_the_loop_keeps_ticking_while_every_thread_derives():
    """The longest pause of the loop stays far below the second that one derivation takes here."""
    pool = KdfPool(0, queue_max=100)
    pauses = []

    async def tick():
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            pauses.append(time.perf_counter() - before)

    ticking = asyncio.create_task(tick())
    started = time.perf_counter()
    await asyncio.gather(*(derive(pool, n=65536) for _ in range(2 * pool.threads)))
    took = time.perf_counter() - started
    ticking.cancel()
    pool.close()
    assert took > 0.1, "the pool was not busy long enough to show anything"
    assert len(pauses) > 20
    assert sorted(pauses)[len(pauses) // 2] < 0.05
    assert max(pauses) < 0.5 * took

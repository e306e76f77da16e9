"""argon2id in a bounded pool."""

import asyncio
import time

import pytest
from argon2 import PasswordHasher, extract_parameters

from jigap.members import Argon2Pool, PasswordsBusy, hash_password
from jigap.members import passwords as module


async def test_a_hash_matches_its_password_only() -> None:
    pool = Argon2Pool()
    hash_ = await pool.hash("correct horse")
    assert await pool.matches("correct horse", hash_)
    assert not await pool.matches("wrong horse", hash_)
    assert not await pool.matches("correct horse", "not a hash")
    pool.close()


def test_the_parameters_are_owasp_s_or_stronger() -> None:
    parameters = extract_parameters(hash_password("correct horse"))
    assert parameters.type.name == "ID"
    assert parameters.memory_cost >= 19 * 1024
    assert parameters.time_cost >= 2
    assert parameters.parallelism >= 1


def test_nobody_s_hash_costs_what_everybody_s_does() -> None:
    """Else an unknown login would answer faster than a known one."""
    assert extract_parameters(module._NOBODY) == extract_parameters(hash_password("x" * 8))


@pytest.mark.alone
async def test_nobody_matches_after_the_same_work() -> None:
    pool = Argon2Pool(threads=1)
    known = await pool.hash("correct horse")

    async def median_s(hash_: str | None) -> float:
        taken = []
        for _ in range(5):
            begun = time.perf_counter()
            assert not await pool.matches("wrong horse", hash_)
            taken.append(time.perf_counter() - begun)
        return sorted(taken)[2]

    ratio = await median_s(None) / await median_s(known)
    assert 0.3 < ratio < 3
    pool.close()


def test_a_hash_of_weaker_parameters_is_outdated() -> None:
    pool = Argon2Pool()
    assert pool.is_outdated(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x"))
    assert not pool.is_outdated(hash_password("x"))
    pool.close()


async def test_says_busy_instead_of_queueing_without_end() -> None:
    pool = Argon2Pool(threads=1, queue_max=2)
    answers = await asyncio.gather(
        *(pool.hash("correct horse") for _ in range(6)), return_exceptions=True
    )
    refused = [one for one in answers if isinstance(one, PasswordsBusy)]
    assert len(refused) == 3
    assert refused[0].retry_after_s
    assert isinstance(await pool.hash("correct horse"), str), "places are given back"
    pool.close()

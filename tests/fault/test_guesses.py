"""A thousand guesses at one passphrase at once, over several vaults: the counter holds."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from jigap.database import Database
from jigap.keys import (
    KdfBusy,
    PassphraseBusy,
    PassphraseWait,
    PassphraseWrong,
    keystore,
    keystores,
)
from jigap.keys.attempts import FREE_ATTEMPTS, WAITS_S
from tests.unit.keys.keyring import PASSPHRASE, Bench, bench

GUESSES = 1_000
VAULTS = 4


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every key that is derived in a test, whoever asks: the only thing that tells a guess."""
    calls: list[str] = []
    derive = keystore.scrypt

    def counting(*given: object, **named: object) -> bytes:
        calls.append("derived")
        return derive(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(keystore, "scrypt", counting)
    return calls


async def guessed(made: Bench, guesses: int) -> Counter[str]:
    """How so many different guesses at once were answered, until each one was."""
    vaults = [made.vault, *(made.another_vault() for _ in range(VAULTS - 1))]

    async def guess(number: int) -> str:
        while True:
            try:
                async with vaults[number % VAULTS].unlocked("wa_1", f"wrong guess number {number}"):
                    return "opened"
            except (PassphraseBusy, KdfBusy):  # nothing was tried: a thief asks again
                await asyncio.sleep(0.2)
            except (PassphraseWrong, PassphraseWait) as refusal:
                return refusal.code

    answers = Counter(await asyncio.gather(*(guess(number) for number in range(guesses))))
    for one in vaults:
        await one.settled()
    return answers


async def test_a_thousand_guesses_at_once_derive_only_the_free_ones(
    database: Database, tmp_path: Path, derivations: list[str]
):
    async with bench(database, tmp_path) as made:
        await made.wallet()
        derivations.clear()
        answers = await guessed(made, GUESSES)
        assert answers == {
            PassphraseWrong.code: FREE_ATTEMPTS,
            PassphraseWait.code: GUESSES - FREE_ATTEMPTS,
        }
        assert len(derivations) == FREE_ATTEMPTS
        row = await database.read(lambda connection: connection.execute(keystores.select()).one())
        assert (row.attempts, row.busy_until_ms) == (FREE_ATTEMPTS, 0)
        assert row.retry_at_ms == made.clock.now_ms() + WAITS_S[FREE_ATTEMPTS - 1] * 1000


async def test_after_the_wait_a_hundred_more_derive_one(
    database: Database, tmp_path: Path, derivations: list[str]
):
    async with bench(database, tmp_path) as made:
        await made.wallet()
        await guessed(made, FREE_ATTEMPTS)
        made.clock.advance(WAITS_S[FREE_ATTEMPTS - 1] * 1000)
        derivations.clear()
        answers = await guessed(made, 100)
        assert answers[PassphraseWrong.code] == len(derivations) == 1
        assert await made.opens("wa_1", PASSPHRASE), "the owner, once the wait is over"

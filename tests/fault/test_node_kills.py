"""Real SIGKILLs under load: 20 in the suite, more with ``make fault KILLS=500``."""

import asyncio
import random
from pathlib import Path

import pytest

from jigap.node.client import NodeClient
from tests.fault.node_load import Payers, start_node


@pytest.mark.slow
async def test_kills_under_load_lose_and_repeat_nothing(
    tmp_path: Path, seed: int, kills: int
) -> None:
    chance = random.Random(seed)
    payers: Payers | None = None
    for _ in range(kills):
        running = await asyncio.to_thread(start_node, tmp_path)
        payers = payers or Payers.of(running)
        try:
            async with NodeClient(running.rpc) as client:
                paying = asyncio.ensure_future(payers.pay(client, rounds=10_000))
                await asyncio.sleep(chance.uniform(0.02, 0.6))
                running.process.kill()
                await paying
        finally:
            running.kill()
    assert payers is not None and payers.acknowledged, "nothing was promised, so nothing was shown"

    running = await asyncio.to_thread(start_node, tmp_path)
    try:
        async with NodeClient(running.rpc) as client:
            assert await payers.check(client) > kills / 4
    finally:
        assert running.stop() == 0

"""The node dies at each of its durable steps, and afterwards nothing is lost or signed twice."""

import asyncio
from pathlib import Path

import pytest

from jigap.node.client import NodeClient
from tests.fault.node_load import Payers, last_signed, start_node

CRASHED = 86
POINTS = [
    "block.guard:before#1",  # nothing was ever signed
    "block.guard:after#1",
    "block.guard:before#4",
    "block.guard:after#4",
    "block.commit:before#2",
    "block.commit:after#2",
    "mempool.keep:before#1",
    "mempool.keep:after#1",
    "mempool.keep:after#5",
]


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_any_step_loses_and_repeats_nothing(tmp_path: Path, point: str) -> None:
    doomed = start_node(tmp_path, JIGAP_CRASH_AT=point)
    payers = Payers.of(doomed)
    try:
        async with NodeClient(doomed.rpc) as client:
            await payers.pay(client, rounds=50)
        assert await asyncio.to_thread(doomed.process.wait, 10) == CRASHED
    finally:
        doomed.kill()
    if signed := last_signed(tmp_path):
        payers.see(*signed)  # what left the signer is what the chain must hold

    again = start_node(tmp_path)
    try:
        async with NodeClient(again.rpc) as client:
            await payers.pay(client, rounds=3)
            assert await payers.check(client) > 1
    finally:
        assert again.stop() == 0


async def test_every_signed_block_is_the_one_in_the_chain(tmp_path: Path) -> None:
    """The guard had the block and the store had not: the very same block is committed."""
    doomed = start_node(tmp_path, JIGAP_CRASH_AT="block.commit:before#2")
    assert doomed.process.wait(10) == CRASHED
    signed = last_signed(tmp_path)
    assert signed is not None and signed[0] == 2
    again = start_node(tmp_path)
    try:
        async with NodeClient(again.rpc) as client:
            header = await client.header(2)
            assert header is not None and header.hash == signed[1]
    finally:
        assert again.stop() == 0

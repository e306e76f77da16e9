"""The heartbeat of the ``solo`` engine: when the next block is made.

Blocks come at a steady pace even when nothing happens, as on Symverse, so that a client can tell a
quiet chain from a dead one. A transaction does not wait for the beat.
"""

import asyncio
from collections.abc import Callable

from jigap.node.solo import SoloChain


class Producer:
    """When to make a block: every ``interval_ms``, and at once when transactions wait.

    "At once" is not sooner than ``min_ms`` after the block before.
    """

    def __init__(
        self, chain: SoloChain, now_ms: Callable[[], int], interval_ms: int, min_ms: int
    ) -> None:
        self._chain = chain
        self._now_ms = now_ms
        self._interval_s = interval_ms / 1000
        self._min_s = min(min_ms, interval_ms) / 1000
        self._wake = asyncio.Event()
        chain.on_candidate = self._wake.set

    async def run(self) -> None:
        """Make blocks until cancelled or until the store fails."""
        loop = asyncio.get_running_loop()
        made_at = loop.time()
        while True:
            await self._wait_until(made_at + self._interval_s)
            await asyncio.sleep(max(0.0, made_at + self._min_s - loop.time()))
            self._wake.clear()
            if loop.time() < made_at + self._interval_s and not self._chain.wants_block():
                continue  # what came can not be in a block yet
            made_at = loop.time()
            await self._chain.extend(self._now_ms())

    async def _wait_until(self, deadline: float) -> None:
        """Wait for the beat, or for something that does not have to."""
        if self._chain.wants_block():
            return
        timer = asyncio.get_running_loop().call_at(deadline, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

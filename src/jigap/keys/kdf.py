"""The threads that derive keys: as many as cores, at low priority, with a bounded queue.

One derivation keeps a core busy for milliseconds (n=4096) or most of a second (n=262144). The
threads run with the interpreter's lock released and yield the processor to everything else, so that
reads stay fast while they are all busy. When too many passphrases wait, the answer is "come back
later" at once rather than a long wait for everybody.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import ParamSpec, TypeVar

from jigap.refusal import Kind, Refusal

P = ParamSpec("P")
T = TypeVar("T")

NICENESS = 10
#: Derivations at full strength that may wait; each needs a quarter of a gigabyte while it runs.
HEAVY_WAITING_MAX = 4


class KdfBusy(Refusal):
    """Every thread that derives keys is busy and the queue is full."""

    code = "kdf_busy"
    kind = Kind.BUSY
    retryable = True
    hint = "Nothing was tried or counted. Send the same request again after Retry-After."


class KdfPool:
    """Runs key derivations off the event loop.

    ``threads`` 0 means one for each core; ``queue_max`` is how many may wait for a thread.
    """

    def __init__(self, threads: int = 0, queue_max: int = 256) -> None:
        self.threads = threads or os.cpu_count() or 1
        self.queue_max = queue_max
        self._places = 0
        self._heavy = asyncio.Lock()
        self._heavy_wanted = 0
        self._executor = ThreadPoolExecutor(
            self.threads, thread_name_prefix="kdf", initializer=_be_nice
        )

    @property
    def places_taken(self) -> int:
        """How many derivations run or wait."""
        return self._places

    @contextmanager
    def place(self) -> Iterator["Place"]:
        """Take a place in the queue first, then do what must precede the derivation.

        Raises ``KdfBusy`` when there is none, so that nobody's attempt is counted in vain.
        """
        if self._places >= self.threads + self.queue_max:
            raise _busy(self._places)
        self._places += 1
        try:
            yield Place(self)
        finally:
            self._places -= 1

    async def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``fn`` returns, run on a thread of the pool; called through a ``Place``."""
        return await asyncio.wrap_future(self._executor.submit(fn, *args, **kwargs))

    @asynccontextmanager
    async def heavy(self) -> AsyncIterator[None]:
        """Be the only one that derives at full strength. Raises ``KdfBusy``."""
        if self._heavy_wanted > HEAVY_WAITING_MAX:
            raise _busy(self._heavy_wanted)
        self._heavy_wanted += 1
        try:
            async with self._heavy:
                yield
        finally:
            self._heavy_wanted -= 1

    def close(self) -> None:
        """Wait for what runs, drop what waits."""
        self._executor.shutdown(cancel_futures=True)


class Place:
    """A place in the queue; run as many derivations from it as needed, one after another."""

    def __init__(self, pool: KdfPool) -> None:
        self._pool = pool

    async def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``fn`` returns, run on a thread of the pool."""
        return await self._pool.run(fn, *args, **kwargs)

    async def run_heavy(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a derivation at full strength: one at a time, so that payments go on."""
        async with self._pool.heavy():
            return await self._pool.run(fn, *args, **kwargs)


def _busy(waiting: int) -> KdfBusy:
    return KdfBusy(
        "Too many passphrases are being checked at the moment.", retry_after_s=1, waiting=waiting
    )


def _be_nice() -> None:
    """On Linux priority belongs to a thread; elsewhere we leave it alone."""
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)

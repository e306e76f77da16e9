"""Questions asked at the same time, answered together.

A hundred members who look at their balance in the same moment are a hundred sessions to find and a
hundred accounts to look up. One by one, each is a trip to another thread or another process; all at
once, they are one. ``Gathering`` collects what is asked in one turn of the event loop and hands it
over as one list. What comes while that is under way forms the next list, so the busier the
platform, the longer the lists and the cheaper a question; a question that comes alone leaves at
once. Nothing is remembered: an answer is as fresh as if its question had been asked by itself.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Gathering(Generic[Q, A]):
    """One kind of question. One per event loop.

    ``answer`` is given the questions of one list and answers them in their order; what it raises
    is raised to everyone who waits. A list has at most ``most`` questions, and at most ``at_once``
    lists are under way.
    """

    def __init__(
        self,
        answer: Callable[[list[Q]], Awaitable[Sequence[A]]],
        *,
        most: int = 256,
        at_once: int = 2,
    ) -> None:
        self._answer = answer
        self._most = most
        self._at_once = at_once
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._leaving = False

    def ask(self, question: Q) -> "asyncio.Future[A]":
        """The answer, once it is there."""
        loop = asyncio.get_running_loop()
        promise: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, promise))
        if not self._leaving and len(self._under_way) < self._at_once:
            self._leaving = True
            loop.call_soon(self._leave)
        return promise

    def _leave(self) -> None:
        """Hand over what waits, as far as lists may be under way."""
        self._leaving = False
        while self._waiting and len(self._under_way) < self._at_once:
            count = min(len(self._waiting), self._most)
            taken = [self._waiting.popleft() for _ in range(count)]
            task = asyncio.ensure_future(self._deliver(taken))
            self._under_way.add(task)
            task.add_done_callback(self._back)

    def _back(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._leave()

    async def _deliver(self, taken: list[tuple[Q, "asyncio.Future[A]"]]) -> None:
        try:
            answers = await self._answer([question for question, _ in taken])
        except asyncio.CancelledError:
            for _, promise in taken:
                promise.cancel()
            raise
        except Exception as error:
            for _, promise in taken:
                if not promise.done():
                    promise.set_exception(error)
            return
        for (_, promise), answer in zip(taken, answers, strict=True):
            if not promise.done():  # else whoever asked has gone
                promise.set_result(answer)

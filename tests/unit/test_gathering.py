"""Questions of one moment leave together, and everybody gets the answer to their own."""

import asyncio

import pytest

from jigap.gathering import Gathering


class Oracle:
    """Doubles numbers when it is let; remembers the lists it was given."""

    def __init__(self, **limits: int) -> None:
        self.lists: list[list[int]] = []
        self.free = asyncio.Event()
        self.free.set()
        self.trouble: Exception | None = None
        self.gathering = Gathering[int, int](self._answer, **limits)

    async def _answer(self, questions: list[int]) -> list[int]:
        self.lists.append(questions)
        await self.free.wait()
        if self.trouble is not None:
            raise self.trouble
        return [2 * one for one in questions]

    async def ask(self, question: int) -> int:
        return await self.gathering.ask(question)


async def test_questions_of_one_turn_leave_as_one_list_and_everybody_gets_their_own_answer():
    oracle = Oracle()
    assert await asyncio.gather(*map(oracle.ask, range(100))) == [2 * one for one in range(100)]
    assert oracle.lists == [list(range(100))]


async def test_an_answer_is_never_used_twice():
    oracle = Oracle()
    assert [await oracle.ask(7), await oracle.ask(7)] == [14, 14]
    assert oracle.lists == [[7], [7]]


async def test_a_list_has_at_most_so_many_questions():
    oracle = Oracle(most=4, at_once=9)
    await asyncio.gather(*map(oracle.ask, range(10)))
    assert list(map(len, oracle.lists)) == [4, 4, 2]


async def test_what_comes_while_lists_are_under_way_forms_the_next_one():
    oracle = Oracle(at_once=1)
    oracle.free.clear()
    first = asyncio.create_task(oracle.ask(1))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(oracle.ask(one)) for one in (2, 3)]
    await asyncio.sleep(0.01)
    others += [asyncio.create_task(oracle.ask(4))]
    await asyncio.sleep(0.01)
    assert oracle.lists == [[1]]
    oracle.free.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
    assert oracle.lists == [[1], [2, 3, 4]]


async def test_what_goes_wrong_is_told_to_everybody_who_waits_and_to_nobody_else():
    oracle = Oracle()
    oracle.trouble = ValueError("no")
    answers = await asyncio.gather(*map(oracle.ask, range(3)), return_exceptions=True)
    assert [type(one) for one in answers] == [ValueError] * 3
    oracle.trouble = None
    assert await oracle.ask(4) == 8


async def test_who_goes_away_keeps_nobody_else_waiting():
    oracle = Oracle()
    oracle.free.clear()
    gone, stays = (asyncio.create_task(oracle.ask(one)) for one in (1, 2))
    await asyncio.sleep(0.01)
    gone.cancel()
    await asyncio.sleep(0.01)
    oracle.free.set()
    assert await stays == 4
    with pytest.raises(asyncio.CancelledError):
        await gone

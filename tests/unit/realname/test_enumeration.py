"""Asking for a code costs the same, whoever has the number already.

That another verified member has it is told to whoever typed the code that went to it, and to nobody
before.
"""

from collections.abc import Iterator

import pytest
from tests.unit.members.counting import Counted

from jigap.database import Database
from jigap.members import PhoneTaken, close

from .world import CODE, world


@pytest.fixture
def counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    yield Counted(database, monkeypatch)


async def test_a_number_somebody_has_costs_what_any_other_does(
    counted: Counted, database: Database
) -> None:
    here = world(database)
    await here.verified("owner", phone="010-1111-2222")
    gone = await here.verified("gone", phone="010-3333-4444")
    await database.write(close, gone.id, here.clock.now_ms())
    numbers = {"known": "010-1111-2222", "closed": "010-3333-4444", "unknown": "010-5555-6666"}
    costs, answers = {}, {}
    for how, phone in numbers.items():
        member = await here.member(f"asker-{how}")
        costs[how] = await counted.of(lambda m=member, p=phone: here.request(m, phone=p))
        answers[how] = await here.request(member, phone=phone)
    assert costs["unknown"]
    assert costs["known"] == costs["closed"] == costs["unknown"]
    assert len({(one.state, one.masked_name, one.reason) for one in answers.values()}) == 1
    with pytest.raises(PhoneTaken):
        await here.realname.confirm(await here.again("asker-known"), answers["known"].id, CODE)

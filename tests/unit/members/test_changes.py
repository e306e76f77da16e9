"""A day has an end to changes that leave rows in the trail, and none to taking them back."""

from pathlib import Path

import pytest

from jigap import audit
from jigap.clock import DAY_MS
from jigap.database import Database
from jigap.members import (
    ChangesLimit,
    Favourites,
    OwnLimits,
    Sellers,
    SpendingLimits,
    get,
)
from jigap.settings import Settings

from .people import People, people

MOST = 3
ONE = 10**18


@pytest.fixture
def crowd(database: Database, tmp_path: Path) -> People:
    return people(database, tmp_path)


async def rows(crowd: People, member_id: str) -> int:
    return len(await crowd.database.read(audit.page, None, 500, actor=member_id))


class Kept:
    """One who keeps somebody and drops them again."""

    def __init__(self, crowd: People) -> None:
        self.crowd = crowd
        self.favourites = Favourites(
            crowd.database, crowd.ring, crowd.clock, crowd.directory, changes_day=MOST
        )

    async def begin(self) -> str:
        me = await self.crowd.verified("minji", "김민지", "010-1234-5678")
        self.payee = await self.crowd.verified("shop", "박민수", "010-9999-0000")
        return me

    async def on(self, who: str) -> None:
        me = await self.crowd.database.read(get, who)
        assert me is not None
        now_ms = self.crowd.clock.now_ms()
        recipient = self.crowd.directory.make_recipient(self.payee, who, now_ms)
        self.kept = await self.favourites.add(me, recipient)

    async def off(self, who: str) -> None:
        await self.favourites.remove(who, self.kept.id)


class Applied:
    """One who asks to be a seller and takes it back."""

    def __init__(self, crowd: People) -> None:
        self.crowd = crowd
        self.sellers = Sellers(crowd.database, crowd.clock, changes_day=MOST)

    async def begin(self) -> str:
        return await self.crowd.verified("minji", "김민지", "010-1234-5678")

    async def on(self, who: str) -> None:
        await self.sellers.apply(who, "민지네 가게")

    async def off(self, who: str) -> None:
        await self.sellers.withdraw(who)


class Raised:
    """One who asks for a higher limit and takes it back."""

    def __init__(self, crowd: People) -> None:
        self.crowd = crowd
        settings = Settings(changes_day=MOST + 1)  # one is the limit itself
        self.limits = SpendingLimits(crowd.database, crowd.vault, crowd.clock, settings)

    async def begin(self) -> str:
        who = await self.crowd.verified("minji", "김민지", "010-1234-5678")
        await self.crowd.wallets.make(who, "blue river 42 stones")
        await self.limits.change(who, OwnLimits(ONE, None), None)
        return who

    async def on(self, who: str) -> None:
        await self.limits.change(who, OwnLimits(2 * ONE, None), "blue river 42 stones")

    async def off(self, who: str) -> None:
        await self.limits.cancel(who)


@pytest.mark.parametrize("sort", [Kept, Applied, Raised])
async def test_a_day_has_an_end_to_changes_and_the_last_can_be_taken_back(
    crowd: People, sort: type[Kept] | type[Applied] | type[Raised]
):
    one = sort(crowd)
    who = await one.begin()
    for number in range(MOST):
        if number:
            await one.off(who)
        await one.on(who)
        crowd.clock.advance(1000)
    await one.off(who)
    before = await rows(crowd, who)
    for _ in range(3):
        with pytest.raises(ChangesLimit) as refused:
            await one.on(who)
    assert refused.value.retryable
    assert 0 < (refused.value.retry_after_s or 0) <= DAY_MS // 1000
    assert await rows(crowd, who) == before
    crowd.clock.advance(1000 * (refused.value.retry_after_s or 0))
    await one.on(who)


async def test_what_one_does_counts_for_nobody_else(crowd: People):
    sellers = Sellers(crowd.database, crowd.clock, changes_day=1)
    first = await crowd.verified("minji", "김민지", "010-1234-5678")
    other = await crowd.verified("other", "박민수", "010-9999-0000")
    await sellers.apply(first, "민지네 가게")
    await sellers.withdraw(first)
    with pytest.raises(ChangesLimit):
        await sellers.apply(first, "민지네 가게")
    await sellers.apply(other, "다른 가게")

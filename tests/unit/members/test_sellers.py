"""Becoming a seller: one open application, an operator's decision, a name for one seller only."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import event, select

from jigap import audit, events
from jigap.database import Database
from jigap.members import (
    MemberFrozen,
    MemberUnverified,
    Sellers,
    get,
)
from jigap.members.sellers import (
    ApplicationDecided,
    ApplicationUnknown,
    OwnApplication,
    SellerAlready,
    SellerPending,
    SellerReasonMissing,
    ShopNameTaken,
    State,
)
from jigap.members.shop import ShopNameMalformed

from .people import PASSWORD, People, people

BOSS = "mb_operator"
NAME = "민지네 가게"


@pytest.fixture
def crowd(database: Database, tmp_path: Path) -> People:
    return people(database, tmp_path)


@pytest.fixture
def sellers(crowd: People) -> Sellers:
    return Sellers(crowd.database, crowd.clock, changes_day=10)


async def minji(crowd: People) -> str:
    return await crowd.verified("minji", "김민지", "010-1234-5678")


async def roles(crowd: People, who: str) -> frozenset[str]:
    found = await crowd.database.read(get, who)
    assert found is not None
    return found.roles


async def shop(crowd: People, who: str) -> str | None:
    return (await crowd.members.profile(who)).shop_name


async def test_an_accepted_member_is_a_seller_under_the_name(crowd: People, sellers: Sellers):
    who = await minji(crowd)
    assert await sellers.of(who) is None
    asked = await sellers.apply(who, f" {NAME} ")
    assert (asked.state, asked.shop_name) == (State.APPLIED, NAME)
    assert (await roles(crowd, who), await shop(crowd, who)) == ({"payer"}, None)
    accepted = await sellers.accept(BOSS, asked.id)
    assert (accepted.state, accepted.decided_ms) == (State.ACCEPTED, crowd.clock.now_ms())
    assert (await roles(crowd, who), await shop(crowd, who)) == ({"payer", "seller"}, NAME)
    other = await crowd.verified("other", "박민수", "010-1111-2222")
    found = await crowd.database.read(get, other)
    assert found is not None
    (seen,) = await crowd.directory.by_phone(found, "010-1234-5678")
    assert seen.shop_name == NAME


async def test_every_step_is_told_and_audited(crowd: People, sellers: Sellers):
    who = await minji(crowd)
    for _ in range(2):
        asked = await sellers.apply(who, NAME)
        await sellers.withdraw(who)
    asked = await sellers.apply(who, NAME)
    await sellers.reject(BOSS, asked.id, "no such shop")
    asked = await sellers.apply(who, NAME)
    await sellers.accept(BOSS, asked.id)
    ended = await sellers.end(BOSS, asked.id, " closed\n ")
    assert (ended.state, ended.reason) == (State.ENDED, "closed")
    assert (await roles(crowd, who), await shop(crowd, who)) == ({"payer"}, None)
    steps = ["applied", "withdrawn", "applied", "withdrawn", "applied", "rejected"]
    steps += ["applied", "accepted", "ended"]
    kinds = await crowd.database.read(
        lambda c: c.scalars(select(events.events.c.kind).order_by(events.events.c.id)).all()
    )
    assert [kind for kind in kinds if kind.startswith("seller.")] == [f"seller.{s}" for s in steps]
    trail = await crowd.database.read(lambda c: audit.page(c, None, 50))
    rows = [row for row in reversed(trail) if row.action.startswith("seller:")]
    assert [row.action.partition(":")[2] for row in rows[-5:]] == [
        "apply",
        "reject",
        "apply",
        "accept",
        "end",
    ]
    assert [row.actor for row in rows[-4:]] == [BOSS, who, BOSS, BOSS]
    assert NAME not in str(trail), "ids only"


async def test_who_may_not_act_does_not_apply(crowd: People, sellers: Sellers):
    profile = await crowd.members.sign_up("new", PASSWORD)
    with pytest.raises(MemberUnverified):
        await sellers.apply(profile.member.id, NAME)
    who = await minji(crowd)
    asked = await sellers.apply(who, NAME)
    await crowd.freezing.freeze(BOSS, who, "lost phone")
    with pytest.raises(MemberFrozen):
        await sellers.accept(BOSS, asked.id)
    await sellers.withdraw(who)
    with pytest.raises(MemberFrozen):
        await sellers.apply(who, NAME)
    with pytest.raises(ShopNameMalformed):
        await sellers.apply(who, "a")


async def test_there_is_one_open_application(crowd: People, sellers: Sellers):
    who = await minji(crowd)
    answers = await asyncio.gather(
        *(sellers.apply(who, f"{NAME} {n}") for n in range(8)), return_exceptions=True
    )
    assert sum(isinstance(one, SellerPending) for one in answers) == 7
    assert len(await sellers.page(State.APPLIED, None, 10)) == 1


async def test_two_sellers_never_have_the_same_name(crowd: People, sellers: Sellers):
    who, other = await minji(crowd), await crowd.verified("other", "박민수", "010-1111-2222")
    one, two = await sellers.apply(who, "Minji Café"), await sellers.apply(other, "MINJI CAFE")
    answers = await asyncio.gather(
        sellers.accept(BOSS, one.id), sellers.accept(BOSS, two.id), return_exceptions=True
    )
    assert sum(isinstance(answer, ShopNameTaken) for answer in answers) == 1
    assert {await shop(crowd, who), await shop(crowd, other)} > {None}
    third = await crowd.verified("third", "이서연", "010-3333-4444")
    with pytest.raises(ShopNameTaken):
        await sellers.apply(third, "minji-cafe")


async def test_a_seller_changes_the_name_by_applying_again(crowd: People, sellers: Sellers):
    who = await minji(crowd)
    first = await sellers.apply(who, NAME)
    await sellers.accept(BOSS, first.id)
    with pytest.raises(SellerAlready):
        await sellers.apply(who, NAME)
    crowd.clock.advance(1)
    second = await sellers.apply(who, "새 이름")
    assert await shop(crowd, who) == NAME
    await sellers.accept(BOSS, second.id)
    assert await shop(crowd, who) == "새 이름"
    assert [one.state for one in await sellers.page(None, None, 10)] == [
        State.ACCEPTED,
        State.ENDED,
    ]
    other = await crowd.verified("other", "박민수", "010-1111-2222")
    await sellers.apply(other, NAME)  # free again


async def test_the_name_is_taken_before_anything_is_written_into_the_trail(
    crowd: People, sellers: Sellers
):
    """Taking it may mean to wait for somebody who takes the same, and who then needs the trail."""
    who = await minji(crowd)
    await sellers.accept(BOSS, (await sellers.apply(who, NAME)).id)
    crowd.clock.advance(1)
    second = await sellers.apply(who, "새 이름")
    seen: list[str] = []

    def note(_c, _cursor, statement: str, *_) -> None:
        seen.append(" ".join(statement.split()[:3]))

    event.listen(crowd.database.engine, "before_cursor_execute", note)
    await sellers.accept(BOSS, second.id)
    event.remove(crowd.database.engine, "before_cursor_execute", note)
    assert seen.index("UPDATE members SET") < seen.index("INSERT INTO audit_trail")


async def test_what_is_decided_stays_decided(crowd: People, sellers: Sellers):
    who = await minji(crowd)
    asked = await sellers.apply(who, NAME)
    with pytest.raises(SellerReasonMissing):
        await sellers.reject(BOSS, asked.id, " ")
    with pytest.raises(ApplicationDecided):
        await sellers.end(BOSS, asked.id, "why not")
    await sellers.reject(BOSS, asked.id, "no such shop")
    for again in (sellers.accept(BOSS, asked.id), sellers.reject(BOSS, asked.id, "again")):
        with pytest.raises(ApplicationDecided):
            await again
    with pytest.raises(ApplicationUnknown):
        await sellers.withdraw(who)
    with pytest.raises(ApplicationUnknown):
        await sellers.accept(BOSS, "sa_nothing")


async def test_nobody_decides_about_themselves(crowd: People, sellers: Sellers):
    who = await minji(crowd)
    asked = await sellers.apply(who, NAME)
    for own in (sellers.accept(who, asked.id), sellers.reject(who, asked.id, "no")):
        with pytest.raises(OwnApplication):
            await own


async def test_pages_have_no_gaps(crowd: People, sellers: Sellers):
    who = await minji(crowd)
    for _ in range(5):
        await sellers.apply(who, NAME)
        await sellers.withdraw(who)
        crowd.clock.advance(1)
    first = await sellers.page(State.WITHDRAWN, None, 3)
    second = await sellers.page(State.WITHDRAWN, first[-1].id, 3)
    assert len({one.id for one in first + second}) == 5

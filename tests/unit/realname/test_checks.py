"""A member goes through a check, with an agency that says what the test tells it to."""

import asyncio

import pytest
from sqlalchemy import select

from jigap import audit, members
from jigap.members import (
    MemberFrozen,
    NameMalformed,
    PersonDiffers,
    PhoneMalformed,
    PhoneTaken,
)
from jigap.members.records import change
from jigap.realname import (
    AgencySilent,
    Approved,
    BirthMalformed,
    CodeBurnt,
    CodesPending,
    CodeWrong,
    InDoubt,
    PhoneUnsupported,
    RealName,
    RealNameConfirmed,
    RealNameExpired,
    RealNameLimit,
    RealNameRefused,
    RealNameUnavailable,
    RealNameUnknown,
    Reason,
    Rejected,
    State,
    WrongCode,
    expire_overdue,
    has_overdue,
)
from jigap.realname.tables import realname_checks
from jigap.settings import Settings

from .world import BIRTH, CODE, NAME, PHONE, SEX, World, world

MINUTE_MS = 60_000


@pytest.fixture
def here(sqlite_database) -> World:
    return world(sqlite_database)


async def rows(here: World):
    return await here.database.read(lambda c: c.execute(select(realname_checks)).all())


async def trail(here: World) -> list[tuple[str, str]]:
    table = audit.audit_trail
    found = await here.database.read(lambda c: c.execute(select(table).order_by(table.c.id)).all())
    return [(row.action, row.outcome) for row in found]


async def test_a_right_code_verifies(here: World):
    member = await here.member()
    check = await here.request(member, address="203.0.113.9")
    assert (check.state, check.masked_name, check.masked_phone, check.minor) == (
        State.CODE_SENT,
        "김*지",
        "010-****-5678",
        False,
    )
    done = await here.realname.confirm(member, check.id, CODE, address="203.0.113.9")
    assert done.state is State.CONFIRMED
    profile = await here.members.profile(member.id)
    assert profile.member.is_verified
    assert (profile.masked_name, profile.masked_phone) == ("김*지", "010-****-5678")
    assert (profile.verified_ms, profile.minor) == (here.clock.now_ms(), False)
    row = await here.database.read(members.row_of, member.id)
    assert members.birth_of(here.ring, row).isoformat() == "1990-01-31"
    assert await here.realname.get(member, check.id) == done
    assert await trail(here) == [
        ("realname:request", "requested"),
        ("member:verify", "done"),
        ("realname:confirm", "confirmed"),
    ]
    assert (await here.database.read(audit.inspect, None)).broken is None


async def test_the_agency_is_asked_in_one_form(here: World):
    member = await here.member()
    check = await here.request(
        member, name=" 김민지 ", phone="+82 10 1234 5678", birth="９００１３１", address="::1"
    )
    (asked,) = here.agency.asked
    assert asked.request_id == check.id
    details = asked.details
    assert (details.name, details.phone) == ("김민지", "+821012345678")
    assert (details.birth, details.sex, asked.address) == (BIRTH, SEX, "::1")


async def test_nothing_personal_is_stored_in_the_clear_and_the_sex_digit_not_at_all(here: World):
    member = await here.member()
    check = await here.request(member)
    (row,) = await rows(here)
    stored = "".join(str(one) for one in row)
    assert not any(part in stored for part in ("민지", "12345678", BIRTH, CODE))
    assert row.details_sealed is not None
    await here.realname.confirm(member, check.id, CODE)
    (row,) = await rows(here)
    assert row.details_sealed is None
    person = await here.database.read(members.row_of, member.id)
    assert "sex" not in " ".join(person._fields)


async def test_minors_are_flagged(here: World):
    member = await here.member()
    check = await here.request(member, birth="100131", sex="4")
    assert check.minor
    await here.realname.confirm(member, check.id, CODE)
    assert (await here.members.profile(member.id)).minor is True


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"name": "  "}, NameMalformed),
        ({"name": "x1"}, NameMalformed),
        ({"phone": "12"}, PhoneMalformed),
        ({"phone": "02-312-3456"}, PhoneUnsupported),
        ({"phone": "+1 202 555 0123"}, PhoneUnsupported),
        ({"birth": "900230"}, BirthMalformed),
        ({"sex": "x"}, BirthMalformed),
        ({"birth": "991231", "sex": "3"}, BirthMalformed),
    ],
)
async def test_refuses_what_cannot_be_before_anybody_is_asked(here: World, given, refusal):
    member = await here.member()
    with pytest.raises(refusal):
        await here.request(member, **given)
    assert here.agency.asked == []
    assert await rows(here) == []


async def test_without_an_agency_every_check_is_refused(here: World):
    member = await here.member()
    none = RealName(here.database, here.ring, None, here.clock, Settings())
    with pytest.raises(RealNameUnavailable):
        await none.request(member, NAME, PHONE, BIRTH, SEX)
    with pytest.raises(RealNameUnavailable):
        await none.confirm(member, "rn_1", CODE)


async def test_a_frozen_member_verifies_nothing(here: World):
    member = await here.member()
    check = await here.request(member)
    await here.database.write(change, member.id, frozen_ms=1)
    with pytest.raises(MemberFrozen):
        await here.realname.confirm(member, check.id, CODE)
    with pytest.raises(MemberFrozen):
        await here.request(member)
    assert not (await here.again("minji")).is_verified


# --- codes


async def test_the_fifth_wrong_code_burns_the_check_and_a_new_one_may_follow_at_once(here: World):
    member = await here.member()
    check = await here.request(member)
    left = []
    for number in range(4):
        with pytest.raises(CodeWrong) as wrong:
            await here.realname.confirm(member, check.id, f"00000{number}")
        left.append(wrong.value.facts["tries_left"])
    assert left == [4, 3, 2, 1]
    with pytest.raises(CodeBurnt):
        await here.realname.confirm(member, check.id, "000009")
    with pytest.raises(CodeBurnt):
        await here.realname.confirm(member, check.id, CODE)
    burnt = await here.realname.get(member, check.id)
    assert (burnt.state, burnt.reason, burnt.tries) == (State.REFUSED, "code_burnt", 5)
    again = await here.request(member)
    assert (await here.realname.confirm(member, again.id, CODE)).state is State.CONFIRMED


async def test_a_hundred_guesses_at_once_are_five_tries(database):
    here = world(database)
    member = await here.member()
    check = await here.request(member)
    done = await asyncio.gather(
        *(here.realname.confirm(member, check.id, f"{number:06d}") for number in range(100)),
        return_exceptions=True,
    )
    assert len(here.agency.typed) <= 5
    assert {type(one) for one in done} <= {CodeWrong, CodeBurnt, CodesPending}
    assert (await here.realname.get(member, check.id)).state is State.REFUSED


async def test_a_code_is_good_once(here: World):
    member = await here.member()
    check = await here.request(member)
    await here.realname.confirm(member, check.id, CODE)
    with pytest.raises(RealNameConfirmed):
        await here.realname.confirm(member, check.id, CODE)
    assert len(here.agency.typed) == 1


async def test_two_confirmations_at_once_verify_once(database):
    here = world(database)
    member = await here.member()
    check = await here.request(member)
    both = asyncio.Barrier(2)

    async def together() -> None:
        await both.wait()

    here.agency.before_answering = together
    first, second = await asyncio.gather(
        here.realname.confirm(member, check.id, CODE),
        here.realname.confirm(member, check.id, CODE),
    )
    assert first == second
    assert first.state is State.CONFIRMED
    assert (await here.realname.get(member, check.id)).tries == 1
    verified = [one for one in await trail(here) if one[0] == "member:verify"]
    assert len(verified) == 1


async def test_a_wrong_code_beside_the_right_one_takes_nothing_away(here: World):
    member = await here.member()
    check = await here.request(member)
    both = asyncio.Barrier(2)

    async def together() -> None:
        await both.wait()

    here.agency.before_answering = together
    right, wrong = await asyncio.gather(
        here.realname.confirm(member, check.id, CODE),
        here.realname.confirm(member, check.id, "000000"),
        return_exceptions=True,
    )
    assert right.state is State.CONFIRMED
    assert isinstance(wrong, CodeWrong | RealNameConfirmed)
    assert (await here.again("minji")).is_verified


async def test_a_code_is_too_old_after_five_minutes(here: World):
    member = await here.member()
    check = await here.request(member)
    here.clock.advance(5 * MINUTE_MS - 1)
    assert (await here.realname.get(member, check.id)).state is State.CODE_SENT
    here.clock.advance(1)
    assert (await here.realname.get(member, check.id)).state is State.EXPIRED
    with pytest.raises(RealNameExpired):
        await here.realname.confirm(member, check.id, CODE)
    with pytest.raises(RealNameExpired):
        await here.realname.confirm(member, check.id, CODE)
    assert here.agency.typed == []
    assert (await rows(here))[0].details_sealed is None


async def test_a_clock_set_back_brings_no_expired_check_to_life(here: World):
    member = await here.member()
    check = await here.request(member)
    here.clock.advance(5 * MINUTE_MS)
    with pytest.raises(RealNameExpired):
        await here.realname.confirm(member, check.id, CODE)
    here.clock.advance(-4 * MINUTE_MS)
    with pytest.raises(RealNameExpired):
        await here.realname.confirm(member, check.id, CODE)


async def test_what_nobody_came_back_to_is_forgotten(here: World):
    await here.request(await here.member("one"))
    here.clock.advance(7 * MINUTE_MS)
    await here.request(await here.member("two"), phone="010-8765-4321")
    old, new = sorted(await rows(here), key=lambda row: row.created_ms)
    assert (old.state, old.details_sealed) == ("expired", None)
    assert new.details_sealed is not None


async def test_the_dispatcher_finds_what_is_overdue(here: World):
    check = await here.request(await here.member())
    here.clock.advance(5 * MINUTE_MS)
    assert not await here.database.read(has_overdue, here.clock.now_ms())
    here.clock.advance(MINUTE_MS)
    assert await here.database.read(has_overdue, here.clock.now_ms())
    await here.database.write(expire_overdue, here.clock.now_ms())
    (row,) = await rows(here)
    assert (row.id, row.state, row.details_sealed) == (check.id, "expired", None)
    assert not await here.database.read(has_overdue, here.clock.now_ms())


async def test_a_code_of_another_agency_is_never_asked_about(here: World):
    member = await here.member()
    check = await here.request(member)
    here.agency.name = "another"
    with pytest.raises(RealNameExpired):
        await here.realname.confirm(member, check.id, CODE)
    assert here.agency.typed == []


async def test_a_new_check_takes_the_place_of_the_one_before(here: World):
    member = await here.member()
    first = await here.request(member)
    second = await here.request(member)
    assert first.id != second.id
    with pytest.raises(RealNameExpired) as over:
        await here.realname.confirm(member, first.id, CODE)
    assert over.value.facts["reason"] == "replaced"
    assert (await here.realname.confirm(member, second.id, CODE)).state is State.CONFIRMED


async def test_a_check_is_its_members_own(here: World):
    mine, other = await here.member("mine"), await here.member("other")
    check = await here.request(mine)
    with pytest.raises(RealNameUnknown):
        await here.realname.get(other, check.id)
    with pytest.raises(RealNameUnknown):
        await here.realname.confirm(other, check.id, CODE)
    with pytest.raises(RealNameUnknown):
        await here.realname.get(mine, "rn_none")
    assert here.agency.typed == []


# --- an agency that falls silent


async def test_a_silent_agency_leaves_the_check_where_it_was_and_is_asked_again(here: World):
    member = await here.member()
    here.agency.requests = [InDoubt("away"), InDoubt("away")]
    first = await here.request(member)
    assert first.state is State.REQUESTED
    second = await here.request(member)
    third = await here.request(member)
    assert (first.id, second.state, third.state) == (
        second.id,
        State.REQUESTED,
        State.CODE_SENT,
    )
    assert [one.request_id for one in here.agency.asked] == [first.id] * 3
    assert len(await rows(here)) == 1
    assert (await here.realname.confirm(member, first.id, CODE)).state is State.CONFIRMED


async def test_a_code_that_arrived_although_the_answer_was_lost_can_be_typed(here: World):
    member = await here.member()
    here.agency.requests = [InDoubt("lost")]
    check = await here.request(member)
    assert (await here.realname.confirm(member, check.id, CODE)).state is State.CONFIRMED
    assert [one.request_id for one in here.agency.asked] == [check.id] * 2


async def test_while_the_agency_is_away_a_code_cannot_be_judged_and_costs_one_try(here: World):
    member = await here.member()
    here.agency.requests = [InDoubt("away")] * 3
    check = await here.request(member)
    for _ in range(2):
        with pytest.raises(AgencySilent):
            await here.realname.confirm(member, check.id, CODE)
    assert (await here.realname.get(member, check.id)).tries == 1
    assert (await here.realname.confirm(member, check.id, CODE)).state is State.CONFIRMED


async def test_a_lost_confirmation_is_asked_again_under_the_same_id_and_costs_no_try(here: World):
    member = await here.member()
    check = await here.request(member)
    here.agency.codes = [InDoubt("lost")] * 7
    for _ in range(7):
        with pytest.raises(AgencySilent):
            await here.realname.confirm(member, check.id, CODE)
    open_ = await here.realname.get(member, check.id)
    assert (open_.state, open_.tries) == (State.CODE_SENT, 1)
    assert (await here.realname.confirm(member, check.id, CODE)).state is State.CONFIRMED
    assert len({one.try_id for one in here.agency.typed}) == 1


async def test_doubt_gives_no_free_guesses(here: World):
    member = await here.member()
    check = await here.request(member)
    here.agency.codes = [InDoubt("lost")] * 5
    for number in range(5):
        with pytest.raises(AgencySilent):
            await here.realname.confirm(member, check.id, f"00000{number}")
    with pytest.raises(CodesPending):
        await here.realname.confirm(member, check.id, CODE)
    for number in range(4):
        with pytest.raises(CodeWrong):
            await here.realname.confirm(member, check.id, f"00000{number}")
    with pytest.raises(CodeBurnt):
        await here.realname.confirm(member, check.id, "000004")
    assert len({one.try_id for one in here.agency.typed}) == 5


async def test_the_right_code_among_five_in_flight_verifies_whatever_is_answered_first(database):
    """Four wrong answers beside it burn nothing: only the fifth wrong *answer* would."""
    here = world(database)
    member = await here.member()
    check = await here.request(member)
    wrong_first = asyncio.Event()

    async def right_one_last() -> None:
        if here.agency.typed[-1].code == CODE:
            await wrong_first.wait()

    here.agency.before_answering = right_one_last
    right = asyncio.create_task(here.realname.confirm(member, check.id, CODE))
    while not here.agency.typed:
        await asyncio.sleep(0.001)
    wrong = [f"00000{number}" for number in range(4)]
    done = await asyncio.gather(
        *(here.realname.confirm(member, check.id, one) for one in wrong), return_exceptions=True
    )
    assert [type(one) for one in done] == [CodeWrong] * 4
    with pytest.raises(CodesPending):
        await here.realname.confirm(member, check.id, "000009")
    wrong_first.set()
    assert (await right).state is State.CONFIRMED
    assert len(here.agency.typed) == 5


async def test_one_wrong_code_sent_twice_at_once_is_one_wrong_answer(database):
    here = world(database)
    member = await here.member()
    check = await here.request(member)
    both = asyncio.Barrier(2)

    async def together() -> None:
        await both.wait()

    here.agency.before_answering = together
    said = await asyncio.gather(
        *(here.realname.confirm(member, check.id, "000000") for _ in range(2)),
        return_exceptions=True,
    )
    assert [one.facts["tries_left"] for one in said] == [4, 4]
    (row,) = await rows(here)
    assert (row.tries, row.wrong_tries, row.open_tries) == (1, 1, None)


@pytest.mark.parametrize("reason", Reason)
async def test_a_refusal_of_the_agency_ends_the_check(here: World, reason: Reason):
    member = await here.member()
    here.agency.requests = [Rejected(reason)]
    refused = await here.request(member)
    assert (refused.state, refused.reason) == (State.REFUSED, reason.value)
    with pytest.raises(RealNameRefused) as said:
        await here.realname.confirm(member, refused.id, CODE)
    assert said.value.facts == {"reason": reason.value}
    second = await here.request(member)
    here.agency.codes = [Rejected(reason)]
    ends = {Reason.BURNT: CodeBurnt, Reason.EXPIRED: RealNameExpired}
    with pytest.raises(ends.get(reason, RealNameRefused)):
        await here.realname.confirm(member, second.id, CODE)
    assert not (await here.again("minji")).is_verified
    assert all(row.details_sealed is None for row in await rows(here))


# --- who is who


async def test_a_number_of_somebody_verified_is_told_only_to_who_holds_the_phone(here: World):
    await here.verified("owner")
    thief = await here.member("thief")
    check = await here.request(thief)
    assert check.state is State.CODE_SENT  # the request itself says nothing about others
    with pytest.raises(CodeWrong):
        await here.realname.confirm(thief, check.id, "000000")
    with pytest.raises(PhoneTaken):
        await here.realname.confirm(thief, check.id, CODE)
    after = await here.realname.get(thief, check.id)
    assert (after.state, after.reason) == (State.REFUSED, "phone_taken")
    assert not (await here.again("thief")).is_verified


async def test_of_many_members_with_one_number_one_is_verified(database):
    here = world(database)
    people = [await here.member(f"member-{number}") for number in range(6)]
    checks = [await here.request(one) for one in people]
    all_ = asyncio.Barrier(len(people))

    async def together() -> None:
        await all_.wait()

    here.agency.before_answering = together
    done = await asyncio.gather(
        *(
            here.realname.confirm(one, check.id, CODE)
            for one, check in zip(people, checks, strict=True)
        ),
        return_exceptions=True,
    )
    refused = [one for one in done if isinstance(one, BaseException)]
    assert {type(one) for one in refused} == {PhoneTaken}
    assert len(refused) == 5
    assert sum([(await here.again(one.login)).is_verified for one in people]) == 1


async def test_a_verified_member_can_be_checked_again_with_a_new_number(here: World):
    member = await here.verified("minji")
    check = await here.request(member, phone="010-8765-4321")
    await here.realname.confirm(member, check.id, CODE)
    assert (await here.members.profile(member.id)).masked_phone == "010-****-4321"


@pytest.mark.parametrize(
    "given", [{"name": "김철수"}, {"birth": "900130"}, {"sex": "4", "birth": "010131"}]
)
async def test_a_verified_member_stays_the_same_person(here: World, given):
    member = await here.verified("minji")
    asked = len(here.agency.asked)
    with pytest.raises(PersonDiffers):
        await here.request(member, **given)
    assert len(here.agency.asked) == asked


async def test_whom_an_operator_verified_keeps_the_name(here: World):
    member = await here.member()
    await here.members.verify("mb_operator", member.id, NAME, PHONE)
    with pytest.raises(PersonDiffers):
        await here.request(member, name="김철수")
    assert (await here.request(member)).state is State.CODE_SENT


async def test_a_namesake_does_not_become_whom_an_operator_verified(here: World):
    """No birth date is known, so that another number may be that of anybody of the same name."""
    member = await here.member()
    await here.members.verify("mb_operator", member.id, NAME, PHONE)
    with pytest.raises(PersonDiffers):
        await here.request(member, phone="010-8765-4321", birth="850505")
    check = await here.request(member)
    await here.realname.confirm(member, check.id, CODE)
    check = await here.request(member, phone="010-8765-4321")
    await here.realname.confirm(member, check.id, CODE)


# --- limits and the log


async def test_a_members_day_is_limited_and_the_refusal_is_counted(sqlite_database):
    here = world(sqlite_database, realname_day_member=2)
    member = await here.member()
    await here.request(member)
    await here.request(member)
    with pytest.raises(RealNameLimit):
        await here.request(member)
    assert len(here.agency.asked) == 2
    here.clock.advance(24 * 60 * MINUTE_MS)
    assert (await here.request(member)).state is State.CODE_SENT


async def test_going_on_with_a_check_costs_nothing(sqlite_database):
    here = world(sqlite_database, realname_day_member=1)
    member = await here.member()
    here.agency.requests = [InDoubt("away")] * 5
    for _ in range(6):
        check = await here.request(member)
    assert check.state is State.CODE_SENT


async def test_the_log_has_pages_and_every_outcome(here: World):
    member = await here.member()
    here.agency.requests = [Rejected(Reason.MISMATCH)]
    await here.request(member, address="203.0.113.9")
    here.clock.advance(1)
    await here.request(member)
    here.clock.advance(1)
    last = await here.request(member)
    await here.realname.confirm(member, last.id, CODE)
    log = await here.realname.page(None, 10)
    assert [(one.state.value, one.reason) for one in log] == [
        ("confirmed", ""),
        ("expired", "replaced"),
        ("refused", "mismatch"),
    ]
    assert (log[2].member_id, log[2].address, log[2].provider) == (
        member.id,
        "203.0.113.9",
        "scripted",
    )
    assert await here.realname.page(log[0].id, 1) == log[1:2]
    assert await here.realname.page(None, 10, member_id="mb_somebody_else") == []
    for one in log:
        assert await here.realname.page(None, 10, member_id=member.id, state=one.state) == [one]


async def test_the_log_selects_by_the_state_that_it_shows(here: World):
    check = await here.request(await here.member())
    assert await here.realname.page(None, 10, state=State.EXPIRED) == []
    here.clock.advance(check.expires_ms - check.created_ms)
    (over,) = await here.realname.page(None, 10, state=State.EXPIRED)
    assert (over.id, over.state) == (check.id, State.EXPIRED)
    assert await here.realname.page(None, 10, state=State.CODE_SENT) == []


async def test_agencies_answers_are_closed():
    """What the tests above answer with is all there is."""
    from typing import get_args

    from jigap.realname import CodeAnswer, CodeSent, RequestAnswer

    assert set(get_args(RequestAnswer)) == {CodeSent, Rejected, InDoubt}
    assert set(get_args(CodeAnswer)) == {Approved, WrongCode, Rejected, InDoubt}

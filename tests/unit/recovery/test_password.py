"""A password is set anew by whoever was verified, and nobody else learns anything."""

import asyncio
import re
from collections import Counter
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, select
from tests.unit.realname.world import BIRTH, CODE, NAME, PHONE, SEX, World, world

from jigap import audit, events, members
from jigap.keys import KeyRing
from jigap.members import PasswordWeak, SessionMissing
from jigap.members.records import close
from jigap.realname import (
    InDoubt,
    Purpose,
    RealNameLimit,
    RealNameUnavailable,
    Reason,
    Rejected,
    details_of,
)
from jigap.realname.tables import realname_checks
from jigap.recovery import PasswordResets, ResetCodeWrong, ResetOver, ResetUnknown, forget_resets
from jigap.recovery.tables import password_resets
from jigap.settings import Settings

NEW = "another horse battery"
#: So that no right code is ever late here, and a wrong one is answered soon.
PATIENT_MS, SOON_MS = 5_000, 30


class Passwords:
    """Counts instead of hashing."""

    def __init__(self) -> None:
        self.hashed = 0

    async def hash(self, password: str) -> str:
        self.hashed += 1
        return password

    async def matches(self, password: str, hash_: str | None) -> bool:
        return password == hash_

    def is_outdated(self, hash_: str) -> bool:
        return False


class Desk:
    """Where passwords are set anew."""

    def __init__(self, here: World, **settings) -> None:
        self.here = here
        self.passwords = Passwords()
        given = {"password_reset_answer_ms": PATIENT_MS} | settings
        self.resets = PasswordResets(
            here.database,
            here.ring,
            here.realname,
            self.passwords,
            here.clock,
            Settings(**given),
        )

    async def ask(self, login="minji", *, address="", **given):
        asked = {"name": NAME, "phone": PHONE, "birth": BIRTH, "sex": SEX, "carrier": None} | given
        details = details_of(**asked, now_ms=self.here.clock.now_ms())
        reset = await self.resets.request(login, details, address=address)
        await self.resets.settled()
        return reset


def desk(database, **settings) -> Desk:
    return Desk(world(database, **settings), **settings)


#: Who is not the verified member, each in another way.
OTHERS = {
    "no such member": {"login": "nobody"},
    "another name": {"name": "김철수"},
    "another number": {"phone": "010-8765-4321"},
    "another birth date": {"birth": "900130"},
    "another century": {"sex": "4", "birth": "010131"},
    "not verified": {"login": "unverified"},
    "frozen": {"login": "frozen", "phone": "010-1111-2222"},
    "gone": {"login": "gone", "phone": "010-3333-4444"},
}


async def people(at: Desk) -> None:
    """Everybody whom the tests name."""
    await at.here.verified("minji")
    await at.here.members.sign_up("unverified", "correct horse battery", NAME, PHONE)
    frozen = await at.here.verified("frozen", phone="010-1111-2222")
    await at.here.freezing.freeze("mb_operator", frozen.id, "a reason")
    gone = await at.here.verified("gone", phone="010-3333-4444")
    await at.here.database.write(close, gone.id, at.here.clock.now_ms())
    at.here.agency.asked.clear()
    at.here.agency.typed.clear()


async def test_the_right_person_sets_the_password_and_every_session_ends(database):
    at = desk(database)
    member = await at.here.verified("minji")
    session = await at.here.sign_ins.sign_in("minji", "correct horse battery")
    for _ in range(3):
        with pytest.raises(members.SignInFailed):
            await at.here.sign_ins.sign_in("minji", "wrong wrong wrong")
    reset = await at.ask()
    assert not reset.done
    done = await at.resets.confirm(reset.id, CODE, NEW, address="203.0.113.9")
    assert done.done
    with pytest.raises(SessionMissing):
        await at.here.sessions.authenticate(session.token)
    with pytest.raises(members.SignInFailed):
        await at.here.sign_ins.sign_in("minji", "correct horse battery")
    await at.here.sign_ins.sign_in("minji", NEW)
    told = await at.here.database.read(
        lambda c: c.execute(
            select(events.events.c.kind).where(events.events.c.member_id == member.id)
        ).all()
    )
    assert ("password.reset",) in told
    table = audit.audit_trail
    trail = await at.here.database.read(
        lambda c: c.execute(
            select(table.c.actor, table.c.object, table.c.address).where(
                table.c.action == "password:reset"
            )
        ).all()
    )
    assert trail == [(member.id, member.id, "203.0.113.9")]


async def test_failed_sign_ins_are_forgotten(sqlite_database):
    at = desk(sqlite_database)
    await at.here.verified("minji")
    for _ in range(12):
        with pytest.raises((members.SignInFailed, members.SignInWait)):
            await at.here.sign_ins.sign_in("minji", "wrong wrong wrong")
    reset = await at.ask()
    await at.resets.confirm(reset.id, CODE, NEW)
    assert (await at.here.sign_ins.sign_in("minji", NEW)).token


async def test_a_check_for_a_password_changes_nothing_else_of_the_member(sqlite_database):
    at = desk(sqlite_database)
    member = await at.here.verified("minji")
    before = await at.here.database.read(members.row_of, member.id)
    reset = await at.ask()
    await at.resets.confirm(reset.id, CODE, NEW)
    after = await at.here.database.read(members.row_of, member.id)
    changed = {name for name in before._fields if getattr(before, name) != getattr(after, name)}
    assert changed == {"password_hash"}


async def test_whom_an_operator_verified_is_known_by_name_and_number(sqlite_database):
    at = desk(sqlite_database, password_reset_answer_ms=200)
    member = await at.here.member("minji")
    await at.here.members.verify("mb_operator", member.id, NAME, PHONE)
    wrong = await at.ask(name="김철수")
    with pytest.raises(ResetCodeWrong):
        await at.resets.confirm(wrong.id, CODE, NEW)
    assert at.here.agency.asked == []
    right = await at.ask(birth="850102")
    assert (await at.resets.confirm(right.id, CODE, NEW)).done


@pytest.mark.parametrize("who", OTHERS)
async def test_for_everybody_else_every_code_is_wrong_and_no_message_goes_out(database, who):
    at = desk(database, password_reset_answer_ms=SOON_MS)
    await people(at)
    given = OTHERS[who]
    other, right = await at.ask(**given), await at.ask()
    assert len(at.here.agency.asked) == 1  # the right person's
    assert (len(other.id), other.done, other.expires_ms) == (
        len(right.id),
        right.done,
        right.expires_ms,
    )
    said = []
    for reset in (other, right):
        for number in range(5):
            with pytest.raises(ResetCodeWrong) as wrong:
                await at.resets.confirm(reset.id, f"00000{number}", NEW)
            said.append((wrong.value.detail, wrong.value.facts))
        for code in ("000009", CODE):
            with pytest.raises(ResetOver) as over:
                await at.resets.confirm(reset.id, code, NEW)
            said.append((over.value.detail, over.value.facts))
    assert said[:7] == said[7:]
    assert at.passwords.hashed == 10
    await at.resets.settled()
    assert len(at.here.agency.typed) == 5


@contextmanager
def counted(database, ring):
    """How many statements of each kind the database is sent, and how often keys are opened."""
    found: Counter[str] = Counter()

    def executed(connection, cursor, statement, *rest):
        found[" ".join(statement.split()[:3])] += 1

    opening = type(ring).open

    def opened(self, *given):
        found["ring.open"] += 1
        return opening(self, *given)

    event.listen(database.engine, "before_cursor_execute", executed)
    patch = pytest.MonkeyPatch()
    patch.setattr(KeyRing, "open", opened)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", executed)
        patch.undo()


async def test_asking_is_the_same_work_for_everybody(database):
    at = desk(database)
    await people(at)
    at.resets._send_code = lambda *given: asyncio.sleep(0)  # comes after the answer
    await at.ask()  # whatever is done only once a day
    seen = {}
    for who, given in {**OTHERS, "right": {}}.items():
        with counted(at.here.database, at.here.ring) as found:
            await at.ask(**given)
        seen[who] = dict(found)
    assert seen["right"]["ring.open"] == 2
    assert all(one == seen["right"] for one in seen.values()), seen


async def test_a_wrong_code_is_answered_at_the_same_time_for_everybody(sqlite_database):
    """... whether the agency was asked or not, and however long it takes."""
    at = desk(sqlite_database, password_reset_answer_ms=200)
    await people(at)
    loop = asyncio.get_running_loop()

    async def slow() -> None:
        await asyncio.sleep(0.4)

    took = []
    other, right, late = await at.ask(login="nobody"), await at.ask(), await at.ask()
    for reset in (other, right, late):
        if reset is late:
            at.here.agency.before_answering = slow
        begun = loop.time()
        with pytest.raises(ResetCodeWrong):
            await at.resets.confirm(reset.id, "000000", NEW)
        took.append(loop.time() - begun)
    assert all(0.19 < one < 0.39 for one in took), took


async def test_a_code_whose_answer_came_too_late_counts_when_it_is_sent_again(sqlite_database):
    at = desk(sqlite_database, password_reset_answer_ms=SOON_MS)
    await at.here.verified("minji")
    reset = await at.ask()
    answer = asyncio.Event()
    at.here.agency.before_answering = answer.wait
    with pytest.raises(ResetCodeWrong) as wrong:
        await at.resets.confirm(reset.id, CODE, NEW)
    assert wrong.value.facts == {"tries_left": 4}
    answer.set()
    await at.resets.settled()
    at.resets._answer_s = PATIENT_MS / 1000
    assert (await at.resets.confirm(reset.id, CODE, NEW)).done


async def test_an_agency_that_is_away_does_not_show(sqlite_database):
    at = desk(sqlite_database, password_reset_answer_ms=200)
    await people(at)
    at.here.agency.requests = [InDoubt("away")] * 4
    other, right = await at.ask(login="nobody"), await at.ask()
    assert (other.done, other.expires_ms) == (right.done, right.expires_ms)
    for reset in (other, right):
        with pytest.raises(ResetCodeWrong) as wrong:
            await at.resets.confirm(reset.id, "000000", NEW)
        assert wrong.value.facts == {"tries_left": 4}
    at.here.agency.requests = []
    assert (await at.resets.confirm(right.id, CODE, NEW)).done


async def test_a_refusal_of_the_agency_does_not_show(sqlite_database):
    at = desk(sqlite_database, password_reset_answer_ms=SOON_MS)
    await people(at)
    at.here.agency.requests = [Rejected(Reason.MISMATCH)]
    reset = await at.ask()
    with pytest.raises(ResetCodeWrong):
        await at.resets.confirm(reset.id, CODE, NEW)


async def test_a_code_is_good_once(database):
    at = desk(database)
    await at.here.verified("minji")
    reset = await at.ask()
    await at.resets.confirm(reset.id, CODE, NEW)
    with pytest.raises(ResetOver):
        await at.resets.confirm(reset.id, CODE, "yet another password")
    await at.here.sign_ins.sign_in("minji", NEW)


async def test_nobody_sets_their_own_member_id_and_the_code_is_still_good(database):
    at = desk(database)
    await at.here.verified("minji")
    reset = await at.ask()
    with pytest.raises(PasswordWeak):
        await at.resets.confirm(reset.id, CODE, "Minji 2026!")
    assert (await at.resets.confirm(reset.id, CODE, NEW)).done


async def test_of_two_confirmations_at_once_one_sets_the_password(database):
    at = desk(database)
    await at.here.verified("minji")
    reset = await at.ask()
    both = asyncio.Barrier(2)

    async def together() -> None:
        await both.wait()

    at.here.agency.before_answering = together
    done = await asyncio.gather(
        at.resets.confirm(reset.id, CODE, NEW),
        at.resets.confirm(reset.id, CODE, "yet another password"),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in done) == ["Reset", "ResetOver"]


async def test_the_member_is_held_before_anything_else_of_theirs(database):
    """Whoever closes or begins a recovery locks in that order, too: nobody waits in a circle."""
    at = desk(database)
    await at.here.verified("minji")
    reset = await at.ask()
    held = []

    def note(_c, _cursor, statement, *_):
        table = re.search(r"FROM (\w+)", statement)
        if table and (" FOR " in statement or database.dialect == "sqlite"):
            held.append(table[1])

    event.listen(database.engine, "before_cursor_execute", note)
    await at.resets.confirm(reset.id, CODE, NEW)
    event.remove(database.engine, "before_cursor_execute", note)
    assert held[held.index("recoveries") - 1] == "members"


async def test_a_check_that_verifies_sets_no_password_and_the_other_way_round(sqlite_database):
    at = desk(sqlite_database)
    member = await at.here.verified("minji")
    check = await at.here.request(member)
    await at.here.realname.confirm(member, check.id, CODE)
    other = await at.here.request(member, purpose=Purpose.PASSPHRASE)
    await at.here.realname.confirm(member, other.id, CODE)
    for found in (check, other):
        with pytest.raises(Exception, match="no fresh check"):
            await at.here.database.write(
                at.here.realname.spend,
                member.id,
                found.id,
                Purpose.PASSWORD,
                at.here.clock.now_ms(),
            )


async def test_time_ends_a_reset_and_a_clock_set_back_does_not_help_a_spent_one(sqlite_database):
    at = desk(sqlite_database)
    await at.here.verified("minji")
    reset = await at.ask()
    at.here.clock.advance(5 * 60_000)
    with pytest.raises(ResetOver):
        await at.resets.confirm(reset.id, CODE, NEW)
    again = await at.ask()
    await at.resets.confirm(again.id, CODE, NEW)
    at.here.clock.advance(-60_000)
    with pytest.raises(ResetOver):
        await at.resets.confirm(again.id, CODE, "yet another password")


async def test_what_cannot_be_is_refused_before_anything_is_looked_at(sqlite_database):
    at = desk(sqlite_database)
    await at.here.verified("minji")
    reset = await at.ask()
    with pytest.raises(PasswordWeak):
        await at.resets.confirm(reset.id, CODE, "short")
    with pytest.raises(ResetUnknown):
        await at.resets.confirm("pr_none", CODE, NEW)
    assert at.passwords.hashed == 0
    at.here.realname._provider = None
    with pytest.raises(RealNameUnavailable):
        await at.ask()


async def test_an_addresss_day_ends_the_same_way_for_everybody(database):
    at = desk(database, password_reset_day_address=3)
    await people(at)
    for login in ("nobody", "minji", "unverified"):
        await at.ask(login, address="203.0.113.9")
    for login in ("nobody", "minji", "unverified"):
        with pytest.raises(RealNameLimit) as refused:
            await at.ask(login, address="203.0.113.9")
        assert refused.value.facts == {"limit": "resets_net"}
    await at.ask(address="203.0.113.10")


async def test_a_number_gets_so_many_messages_a_day_and_strangers_use_none_of_them(database):
    """Who names the wrong person sends nothing, so takes nothing away; and the answer never
    changes."""
    at = desk(database)
    await people(at)
    for _ in range(10):
        await at.ask(name="김철수")
        await at.ask(login="nobody")
    sent = [await at.ask() for _ in range(6)]
    assert len(at.here.agency.asked) == Settings().realname_day_reset == 4
    assert (await at.resets.confirm(sent[3].id, CODE, NEW)).done
    checks = await at.here.database.read(
        lambda c: c.execute(
            select(realname_checks.c.reason, realname_checks.c.times).where(
                realname_checks.c.purpose == "password",
                realname_checks.c.reason.like("refused_by_cap%"),
            )
        ).all()
    )
    assert checks == [("refused_by_cap:reset", 2)]


async def test_nothing_personal_is_in_a_row_and_asking_does_not_tidy_up(sqlite_database):
    """Old rows are many deletes at once, which nobody's request should wait for."""
    at = desk(sqlite_database)
    await people(at)
    await at.ask()
    await at.ask("nobody")
    at.here.clock.advance(25 * 3600 * 1000)
    await at.ask("nobody")

    async def rows() -> list[Any]:
        return await at.here.database.read(lambda c: c.execute(select(password_resets)).all())

    found = await rows()
    assert len(found) == 3
    await at.here.database.write(forget_resets, at.here.clock.now_ms())
    assert len(await rows()) == 1
    assert not any(word in repr(found) for word in (NAME, "1012345678", BIRTH))

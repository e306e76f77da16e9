"""Joining, signing in, sessions, and what an operator decides."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from jigap import audit, events
from jigap.database import Database
from jigap.members import (
    DetailsMissing,
    LoginTaken,
    MemberUnknown,
    PhoneTaken,
    SessionMissing,
    SignInFailed,
    by_login,
    create_operator,
    rewrap_data_keys,
)
from jigap.members.tables import members as members_table
from jigap.members.tables import sessions

from .people import PASSWORD, People, people


@pytest.fixture
def crowd(database: Database, tmp_path: Path) -> People:
    return people(database, tmp_path)


async def test_a_new_member_is_unverified_and_masked(crowd: People) -> None:
    profile = await crowd.members.sign_up("MinJi", PASSWORD, "김민지", "010-1234-5678")
    assert profile.member.login == "minji"
    assert profile.member.level == 0
    assert profile.member.roles == {"payer"}
    assert (profile.masked_name, profile.masked_phone) == ("김*지", "010-****-5678")


async def test_nothing_personal_is_stored_in_the_clear(crowd: People) -> None:
    await crowd.verified("minji", "김민지", "010-1234-5678")
    rows = await crowd.database.read(lambda c: c.execute(select(members_table)).all())
    stored = b"\n".join(
        one if isinstance(one, bytes) else str(one).encode() for row in rows for one in row
    )
    for secret in ("김민지", "01012345678", "1012345678", "5678"):
        assert secret.encode() not in stored
    assert PASSWORD.encode() not in stored.replace(f"1:{PASSWORD}".encode(), b"")


async def test_a_taken_member_id_is_told_in_any_case(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    with pytest.raises(LoginTaken):
        await crowd.members.sign_up("MINJI", PASSWORD)


async def test_one_of_many_who_want_a_member_id_at_once_gets_it(crowd: People) -> None:
    answers = await asyncio.gather(
        *(crowd.members.sign_up("minji", PASSWORD) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(one, LoginTaken) for one in answers) == 7


async def test_member_numbers_are_distinct(crowd: People) -> None:
    profiles = await asyncio.gather(
        *(crowd.members.sign_up(f"member{n}", PASSWORD) for n in range(8))
    )
    assert len({one.member.number for one in profiles}) == 8


async def test_a_session_is_its_owner_s_until_it_ends(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    session = await crowd.sign_ins.sign_in(" MinJi ", PASSWORD)
    assert (await crowd.sessions.authenticate(session.token)).member.login == "minji"
    assert session.expires_ms == crowd.clock.now_ms() + 3_600_000
    crowd.clock.advance(3_600_000)
    with pytest.raises(SessionMissing):
        await crowd.sessions.authenticate(session.token)


async def test_signing_out_ends_this_session_only(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    first = await crowd.sign_ins.sign_in("minji", PASSWORD)
    second = await crowd.sign_ins.sign_in("minji", PASSWORD)
    await crowd.sign_ins.sign_out(await crowd.sessions.authenticate(first.token))
    with pytest.raises(SessionMissing):
        await crowd.sessions.authenticate(first.token)
    assert await crowd.sessions.authenticate(second.token)


async def test_a_stolen_table_holds_no_token(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    session = await crowd.sign_ins.sign_in("minji", PASSWORD)
    rows = await crowd.database.read(lambda c: c.execute(select(sessions)).all())
    assert session.token.encode() not in bytes(rows[0].token_hash)
    with pytest.raises(SessionMissing):
        await crowd.sessions.authenticate(rows[0].token_hash.hex())


@pytest.mark.parametrize("login", ["minji", "nobody"])
async def test_a_wrong_password_and_an_unknown_member_are_told_the_same(
    crowd: People, login: str
) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    with pytest.raises(SignInFailed) as refused:
        await crowd.sign_ins.sign_in(login, "wrong password")
    assert refused.value.detail == "The member id or the password is wrong."
    assert refused.value.facts == {}
    assert len(crowd.passwords.checked) == 1, "the same work is done for both"


async def test_a_hash_of_old_parameters_is_made_again_at_sign_in(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    crowd.passwords.version = 2
    await crowd.sign_ins.sign_in("minji", PASSWORD)
    row = await crowd.database.read(lambda c: c.execute(select(members_table)).one())
    assert row.password_hash.startswith("2:")
    await crowd.sign_ins.sign_in("minji", PASSWORD)


async def test_verifying_needs_name_and_phone(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD, name="김민지")
    with pytest.raises(DetailsMissing):
        await crowd.members.verify("mb_operator", "minji")
    profile = await crowd.members.verify("mb_operator", "minji", phone="010-1234-5678")
    assert profile.member.is_verified
    assert profile.masked_phone == "010-****-5678"


async def test_a_phone_number_belongs_to_one_verified_member(crowd: People) -> None:
    await crowd.verified("minji", "김민지", "010-1234-5678")
    await crowd.members.sign_up("other", PASSWORD, "박민수", "+82 10 1234 5678")
    with pytest.raises(PhoneTaken):
        await crowd.members.verify("mb_operator", "other")


async def test_two_verifications_of_one_phone_at_once_make_one_member(crowd: People) -> None:
    for login in ("minji", "other"):
        await crowd.members.sign_up(login, PASSWORD, "김민지", "010-1234-5678")
    answers = await asyncio.gather(
        *(crowd.members.verify("mb_operator", login) for login in ("minji", "other")),
        return_exceptions=True,
    )
    assert sum(isinstance(one, PhoneTaken) for one in answers) == 1


async def test_what_operators_do_is_told_and_audited(crowd: People) -> None:
    member_id = await crowd.verified("minji", "김민지", "010-1234-5678")
    await crowd.freezing.freeze("mb_operator", member_id, "lost phone")
    await crowd.freezing.freeze("mb_operator", member_id, "again")
    await crowd.freezing.unfreeze("mb_operator", "minji")
    assert not (await crowd.members.profile(member_id)).member.frozen
    kinds = await crowd.database.read(
        lambda c: c.scalars(select(events.events.c.kind).order_by(events.events.c.id)).all()
    )
    assert kinds == ["member.verified", "member.frozen", "member.unfrozen"]
    actions = await crowd.database.read(
        lambda c: [one.action for one in audit.page(c, None, 10)][::-1]
    )
    assert actions == ["member:verify", "member:freeze", "member:unfreeze"]


async def test_an_unknown_member_is_missing(crowd: People) -> None:
    for call in (
        crowd.members.verify("mb_operator", "nobody"),
        crowd.freezing.freeze("mb_operator", "nobody", "lost phone"),
        crowd.freezing.unfreeze("mb_operator", "nobody"),
        crowd.members.find("nobody"),
    ):
        with pytest.raises(MemberUnknown):
            await call


async def test_pages_of_members_have_no_gaps(crowd: People) -> None:
    for n in range(5):
        await crowd.members.sign_up(f"member{n}", PASSWORD)
    first = await crowd.members.page(None, 3)
    second = await crowd.members.page(first[-1].member.number, 3)
    assert [one.member.login for one in first + second] == [f"member{n}" for n in (4, 3, 2, 1, 0)]


async def test_only_the_console_makes_operators(crowd: People) -> None:
    now_ms = crowd.clock.now_ms()
    await crowd.database.write(
        create_operator, ring=crowd.ring, login="operator", password_hash="1:x", now_ms=now_ms
    )
    operator = await crowd.database.read(by_login, "Operator")
    assert operator is not None
    assert operator.is_operator
    with pytest.raises(LoginTaken):
        await crowd.database.write(
            create_operator, ring=crowd.ring, login="operator", password_hash="1:x", now_ms=now_ms
        )


async def test_data_keys_follow_a_new_master_key(crowd: People) -> None:
    member_id = await crowd.verified("minji", "김민지", "010-1234-5678")
    crowd.ring.add_version()
    assert await crowd.database.write(rewrap_data_keys, crowd.ring) == 1
    assert await crowd.database.write(rewrap_data_keys, crowd.ring) == 0
    assert (await crowd.members.profile(member_id)).masked_name == "김*지"

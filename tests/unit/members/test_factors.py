"""Second factors: enrolling, signing in with one, and codes that are good once."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from jigap import audit, events
from jigap.database import Database
from jigap.members import (
    FactorLimit,
    FactorNeeded,
    FactorUnknown,
    OtpRequired,
    OtpWrong,
    PasswordWrong,
    SessionMissing,
    SignedIn,
    SignInFailed,
    SignInWait,
    code_of,
    create_operator,
    enrol,
    new_secret,
    reset_password,
    step_of,
)
from jigap.members.personal import Indexes
from jigap.members.tables import factors, recovery_codes

from .people import PASSWORD, People, people


@pytest.fixture
def crowd(database: Database, tmp_path: Path) -> People:
    return people(database, tmp_path)


async def signed_in(crowd: People, login: str = "minji", otp: str | None = None) -> SignedIn:
    session = await crowd.sign_ins.sign_in(login, PASSWORD, otp)
    return await crowd.sessions.authenticate(session.token)


def code(crowd: People, secret: str, off: int = 0) -> str:
    return code_of(secret, step_of(crowd.clock.now_ms()) + off)


async def enrolled(crowd: People, login: str = "minji") -> tuple[str, tuple[str, ...]]:
    """A member with a factor: its secret and the recovery codes."""
    await crowd.members.sign_up(login, PASSWORD)
    me = await signed_in(crowd, login)
    new = await crowd.factors.begin(me, PASSWORD, None)
    codes = await crowd.factors.confirm(me, new.id, code(crowd, new.secret))
    crowd.clock.advance(30_000)
    return new.secret, codes


async def test_a_factor_counts_once_it_is_confirmed(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    me = await signed_in(crowd)
    new = await crowd.factors.begin(me, PASSWORD, None)
    assert not (await signed_in(crowd)).second_factor, "an unconfirmed one asks for nothing"
    with pytest.raises(OtpWrong):
        await crowd.factors.confirm(me, new.id, "000000")
    codes = await crowd.factors.confirm(me, new.id, code(crowd, new.secret))
    assert len(set(codes)) == 10
    with pytest.raises(OtpRequired):
        await signed_in(crowd)
    crowd.clock.advance(30_000)
    assert (await signed_in(crowd, otp=code(crowd, new.secret))).second_factor
    found, left = await crowd.factors.of(me.member.id)
    assert [(one.id, one.kind, one.confirmed) for one in found] == [(new.id, "totp", True)]
    assert left == 10


async def test_confirming_ends_every_other_session(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    stolen = await crowd.sign_ins.sign_in("minji", PASSWORD)
    mine = await crowd.sign_ins.sign_in("minji", PASSWORD)
    me = await crowd.sessions.authenticate(mine.token)
    new = await crowd.factors.begin(me, PASSWORD, None)
    await crowd.factors.confirm(me, new.id, code(crowd, new.secret))
    with pytest.raises(SessionMissing):
        await crowd.sessions.authenticate(stolen.token)
    assert not (await crowd.sessions.authenticate(mine.token)).second_factor


async def test_a_wrong_password_says_nothing_of_the_second_factor(crowd: People) -> None:
    secret, _ = await enrolled(crowd)
    for otp in (None, "000000", code(crowd, secret)):
        with pytest.raises(SignInFailed):
            await crowd.sign_ins.sign_in("minji", "wrong password", otp)
    assert await signed_in(crowd, otp=code(crowd, secret)), "nor uses a code up"


async def test_a_code_is_good_once(crowd: People) -> None:
    secret, codes = await enrolled(crowd)
    for otp in (code(crowd, secret), codes[3]):
        await signed_in(crowd, otp=otp)
        with pytest.raises(OtpWrong):
            await signed_in(crowd, otp=otp)
    with pytest.raises(OtpWrong):
        await signed_in(crowd, otp=code(crowd, secret, -1))
    assert await signed_in(crowd, otp=code(crowd, secret, 1))
    assert (await crowd.factors.of(await member_id(crowd)))[1] == 9


async def member_id(crowd: People) -> str:
    return (await crowd.members.find("minji")).member.id


@pytest.mark.parametrize("kind", ["app", "recovery code"])
async def test_of_many_sign_ins_with_one_code_at_once_one_wins(crowd: People, kind: str) -> None:
    secret, codes = await enrolled(crowd)
    otp = codes[0] if kind == "recovery code" else code(crowd, secret)
    answers = await asyncio.gather(
        *(crowd.sign_ins.sign_in("minji", PASSWORD, otp) for _ in range(8)), return_exceptions=True
    )
    refused = [one for one in answers if isinstance(one, OtpWrong)]
    assert len(refused) == 7, answers


async def test_a_code_of_one_member_is_nothing_to_another(crowd: People) -> None:
    _, codes = await enrolled(crowd)
    await enrolled(crowd, "other")
    with pytest.raises(OtpWrong):
        await signed_in(crowd, "other", otp=codes[0])


async def test_wrong_codes_cost_waits_and_a_right_password_gives_nothing_back(
    crowd: People,
) -> None:
    secret, _ = await enrolled(crowd)
    with pytest.raises(SignInWait):
        for _ in range(12):
            with pytest.raises((OtpWrong, OtpRequired)):
                await signed_in(crowd, otp="000000")
            with pytest.raises((OtpWrong, OtpRequired)):
                await signed_in(crowd)
    crowd.clock.advance(60_000)
    assert await signed_in(crowd, otp=code(crowd, secret)), "and the wait ends"


async def test_secrets_and_codes_are_not_stored_in_the_clear(crowd: People) -> None:
    secret, codes = await enrolled(crowd)
    rows = await crowd.database.read(
        lambda c: [*c.execute(select(factors)), *c.execute(select(recovery_codes))]
    )
    stored = b"\n".join(
        one if isinstance(one, bytes) else str(one).encode() for row in rows for one in row
    )
    for one in (secret, codes[0], codes[0].replace("-", "")):
        assert one.encode() not in stored


async def test_new_recovery_codes_void_the_old_ones(crowd: People) -> None:
    secret, old = await enrolled(crowd)
    me = await signed_in(crowd, otp=code(crowd, secret))
    with pytest.raises(OtpWrong):
        await crowd.factors.renew_codes(me, "000000")
    new = await crowd.factors.renew_codes(me, old[0])
    assert not {*new} & {*old}
    with pytest.raises(OtpWrong):
        await signed_in(crowd, otp=old[1])
    assert await signed_in(crowd, otp=new[1])


async def test_removing_needs_password_and_code(crowd: People) -> None:
    secret, codes = await enrolled(crowd)
    me = await signed_in(crowd, otp=code(crowd, secret))
    (one,), _ = await crowd.factors.of(me.member.id)
    with pytest.raises(PasswordWrong):
        await crowd.factors.remove(me, one.id, "wrong password", codes[0])
    with pytest.raises(OtpRequired):
        await crowd.factors.remove(me, one.id, PASSWORD, None)
    with pytest.raises(OtpWrong):
        await crowd.factors.remove(me, one.id, PASSWORD, "000000")
    await crowd.factors.remove(me, one.id, PASSWORD, codes[0])
    assert await crowd.factors.of(me.member.id) == ([], 0)
    assert not (await signed_in(crowd)).second_factor


async def test_proving_oneself_takes_the_password_and_uses_the_code_up(crowd: People) -> None:
    secret, codes = await enrolled(crowd)
    me = await signed_in(crowd, otp=code(crowd, secret))
    with pytest.raises(PasswordWrong):
        await crowd.factors.prove(me, "wrong password", codes[0])
    with pytest.raises(OtpRequired):
        await crowd.factors.prove(me, PASSWORD, None)
    await crowd.factors.prove(me, PASSWORD, codes[0])
    with pytest.raises(OtpWrong):
        await crowd.factors.prove(me, PASSWORD, codes[0])


async def test_a_new_app_takes_over_from_the_old_one(crowd: People) -> None:
    secret, codes = await enrolled(crowd)
    me = await signed_in(crowd, otp=code(crowd, secret))
    with pytest.raises(OtpRequired):
        await crowd.factors.begin(me, PASSWORD, None)
    new = await crowd.factors.begin(me, PASSWORD, codes[0])
    await crowd.factors.confirm(me, new.id, code(crowd, new.secret))
    old = next(one for one in (await crowd.factors.of(me.member.id))[0] if one.id != new.id)
    await crowd.factors.remove(me, old.id, PASSWORD, code(crowd, new.secret, 1))
    with pytest.raises(OtpWrong):
        await signed_in(crowd, otp=code(crowd, secret, 1))
    crowd.clock.advance(60_000)
    assert await signed_in(crowd, otp=code(crowd, new.secret))


async def test_a_member_has_at_most_five_factors(crowd: People) -> None:
    _, codes = await enrolled(crowd)
    me = await signed_in(crowd, otp=codes[0])
    for _ in range(4):
        new = await crowd.factors.begin(me, PASSWORD, codes[1])
        codes = await crowd.factors.confirm(me, new.id, code(crowd, new.secret))
    with pytest.raises(FactorLimit):
        await crowd.factors.begin(me, PASSWORD, codes[0])


async def test_somebody_else_s_factor_is_unknown(crowd: People) -> None:
    await enrolled(crowd)
    (theirs,), _ = await crowd.factors.of(await member_id(crowd))
    await crowd.members.sign_up("other", PASSWORD)
    other = await signed_in(crowd, "other")
    with pytest.raises(FactorUnknown):
        await crowd.factors.remove(other, theirs.id, PASSWORD, None)
    with pytest.raises(FactorUnknown):
        await crowd.factors.confirm(other, theirs.id, "000000")
    with pytest.raises(FactorUnknown):
        await crowd.factors.renew_codes(other, "000000")


async def test_an_operator_keeps_a_factor(crowd: People) -> None:
    now_ms, secret = crowd.clock.now_ms(), new_secret()
    id_ = await crowd.database.write(
        create_operator, ring=crowd.ring, login="boss", password_hash=f"1:{PASSWORD}", now_ms=now_ms
    )
    codes = await crowd.database.write(
        enrol, ring=crowd.ring, member_id=id_, secret=secret, now_ms=now_ms
    )
    me = await signed_in(crowd, "boss", otp=code(crowd, secret))
    assert me.second_factor
    (one,), _ = await crowd.factors.of(id_)
    with pytest.raises(FactorNeeded):
        await crowd.factors.remove(me, one.id, PASSWORD, codes[0])
    new = await crowd.factors.begin(me, PASSWORD, codes[0])
    await crowd.factors.remove(me, new.id, PASSWORD, codes[1])
    with pytest.raises(FactorNeeded):
        await crowd.factors.remove(me, one.id, PASSWORD, codes[2])


async def test_two_factors_cannot_both_be_removed_at_once_by_an_operator(crowd: People) -> None:
    now_ms, secret = crowd.clock.now_ms(), new_secret()
    id_ = await crowd.database.write(
        create_operator, ring=crowd.ring, login="boss", password_hash=f"1:{PASSWORD}", now_ms=now_ms
    )
    codes = await crowd.database.write(
        enrol, ring=crowd.ring, member_id=id_, secret=secret, now_ms=now_ms
    )
    me = await signed_in(crowd, "boss", otp=codes[0])
    new = await crowd.factors.begin(me, PASSWORD, codes[1])
    codes = await crowd.factors.confirm(me, new.id, code(crowd, new.secret))
    both, _ = await crowd.factors.of(id_)
    answers = await asyncio.gather(
        *(
            crowd.factors.remove(me, one.id, PASSWORD, otp)
            for one, otp in zip(both, codes, strict=False)
        ),
        return_exceptions=True,
    )
    assert [isinstance(one, FactorNeeded) for one in answers].count(True) == 1, answers
    assert len((await crowd.factors.of(id_))[0]) == 1


async def test_factors_are_told_and_audited(crowd: People) -> None:
    secret, codes = await enrolled(crowd)
    me = await signed_in(crowd, otp=codes[0])
    (one,), _ = await crowd.factors.of(me.member.id)
    new = await crowd.factors.renew_codes(me, code(crowd, secret))
    await crowd.factors.remove(me, one.id, PASSWORD, new[0])
    kinds = await crowd.database.read(
        lambda c: c.scalars(select(events.events.c.kind).order_by(events.events.c.id)).all()
    )
    assert kinds == [
        "factor.added",
        "recovery_code.used",
        "recovery_codes.renewed",
        "recovery_code.used",
        "factor.removed",
    ]
    actions = await crowd.database.read(
        lambda c: c.scalars(
            select(audit.audit_trail.c.action).order_by(audit.audit_trail.c.id)
        ).all()
    )
    assert actions == [
        "session:open",
        "factor:add",
        "session:open",
        "recovery_code:use",
        "recovery_code:renew",
        "recovery_code:use",
        "factor:remove",
    ]


async def test_a_password_set_anew_leaves_the_second_factor(crowd: People) -> None:
    secret, _ = await enrolled(crowd)
    me = await signed_in(crowd, otp=code(crowd, secret))
    now_ms, hash_ = crowd.clock.now_ms(), await crowd.passwords.hash(PASSWORD)
    await crowd.database.write(
        reset_password,
        me.member.id,
        hash_,
        indexes=Indexes(crowd.ring),
        address="",
        now_ms=now_ms,
    )
    with pytest.raises(OtpRequired):
        await signed_in(crowd)
    crowd.clock.advance(30_000)
    assert (await signed_in(crowd, otp=code(crowd, secret))).second_factor

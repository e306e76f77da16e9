"""Who may lift a freeze: the member with password and code, never what an operator froze."""

from pathlib import Path

import pytest

from jigap.database import Database
from jigap.members import (
    FrozenBy,
    FrozenByOperator,
    OtpRequired,
    OtpWrong,
    PasswordWrong,
    SignedIn,
    SignInWait,
    code_of,
    get,
    step_of,
)
from jigap.members.attempts import FREE_FAILURES
from jigap.members.freezing import FreezeReasonMissing

from .people import PASSWORD, People, people


@pytest.fixture
def crowd(database: Database, tmp_path: Path) -> People:
    return people(database, tmp_path)


async def frozen(crowd: People) -> SignedIn:
    profile = await crowd.members.sign_up("minji", PASSWORD)
    await crowd.freezing.freeze_oneself(profile.member.id, "lost phone")
    session = await crowd.sign_ins.sign_in("minji", PASSWORD)
    return await crowd.sessions.authenticate(session.token)


async def frozen_by(crowd: People, me: SignedIn) -> FrozenBy | None:
    found = await crowd.database.read(get, me.member.id)
    assert found is not None
    return found.frozen_by


async def test_the_password_lifts_ones_own_freeze(crowd: People) -> None:
    me = await frozen(crowd)
    with pytest.raises(PasswordWrong):
        await crowd.freezing.unfreeze_oneself(me, "wrong password", None)
    assert await frozen_by(crowd, me) is FrozenBy.MEMBER
    for _ in range(2):
        await crowd.freezing.unfreeze_oneself(me, PASSWORD, None)
        assert await frozen_by(crowd, me) is None


async def test_guesses_at_it_are_slowed_down(crowd: People) -> None:
    me = await frozen(crowd)
    for _ in range(FREE_FAILURES + 1):
        with pytest.raises(PasswordWrong):
            await crowd.freezing.unfreeze_oneself(me, "wrong password", None)
    with pytest.raises(SignInWait):
        await crowd.freezing.unfreeze_oneself(me, PASSWORD, None)


async def test_whoever_has_a_second_factor_shows_it(crowd: People) -> None:
    me = await frozen(crowd)
    new = await crowd.factors.begin(me, PASSWORD, None)
    step = step_of(crowd.clock.now_ms())
    await crowd.factors.confirm(me, new.id, code_of(new.secret, step))
    crowd.clock.advance(30_000)
    with pytest.raises(OtpRequired):
        await crowd.freezing.unfreeze_oneself(me, PASSWORD, None)
    with pytest.raises(OtpWrong):
        await crowd.freezing.unfreeze_oneself(me, PASSWORD, code_of(new.secret, step))
    assert await frozen_by(crowd, me) is FrozenBy.MEMBER
    await crowd.freezing.unfreeze_oneself(me, PASSWORD, code_of(new.secret, step + 1))
    assert await frozen_by(crowd, me) is None


async def test_what_an_operator_froze_no_password_lifts(crowd: People) -> None:
    me = await frozen(crowd)
    await crowd.freezing.freeze("mb_operator", "minji", "court order")
    with pytest.raises(FrozenByOperator):
        await crowd.freezing.unfreeze_oneself(me, PASSWORD, None)
    await crowd.freezing.freeze_oneself(me.member.id)
    assert await frozen_by(crowd, me) is FrozenBy.OPERATOR
    await crowd.freezing.unfreeze("mb_operator", "minji")
    assert await frozen_by(crowd, me) is None


async def test_an_operator_gives_a_reason(crowd: People) -> None:
    await crowd.members.sign_up("minji", PASSWORD)
    with pytest.raises(FreezeReasonMissing):
        await crowd.freezing.freeze("mb_operator", "minji", " ")

"""A forgotten payment passphrase: the whole way, and every way it must not go."""

import asyncio

import msgspec
import pytest
from tests.unit.keys.keyring import OTHER, PASSPHRASE
from tests.unit.realname.world import CODE

from jigap.database import DatabaseUnavailable
from jigap.keys import PassphraseWeak, RecoveryAnswerInvalid, envelope, handover, stored
from jigap.members import MemberFrozen, MemberUnverified, PersonDiffers, WalletMissing
from jigap.realname import CodeWrong, RealNameExpired
from jigap.recovery import (
    RecoveryNotThere,
    RecoveryOwn,
    RecoverySameOperator,
    RecoveryUnavailable,
    RecoveryUnderWay,
    RecoveryUnknown,
    RecoveryWaits,
    State,
    has_unsettled,
    rewrap_secrets,
    settle,
)

from .safe import NEW, ONE, OPEN_S, PRIVATE, TWO, WAIT_S, safe
from .test_password import Desk


@pytest.fixture
async def it(sqlite_database, tmp_path):
    async with safe(sqlite_database, tmp_path) as made:
        yield made


@pytest.fixture
async def both(database, tmp_path):
    """On SQLite and on PostgreSQL."""
    async with safe(database, tmp_path) as made:
        yield made


async def test_the_whole_way_gives_a_new_passphrase_to_the_same_key(both):
    it = both
    member = await it.member()
    before = await it.key(member)
    found = await it.begin(member)
    assert found.state is State.REQUESTED
    found = await it.recoveries.confirm(member, CODE)
    assert (found.state, found.ready_ms - it.here.clock.now_ms()) == (State.WAITING, WAIT_S * 1000)
    with pytest.raises(RecoveryWaits):
        await it.desk.approve(ONE, found.id)
    it.pass_s(WAIT_S)
    assert (await it.desk.approve(ONE, found.id)).state is State.APPROVED_ONCE
    with pytest.raises(RecoverySameOperator):
        await it.desk.approve(ONE, found.id)
    with pytest.raises(RecoveryNotThere):
        await it.desk.request(ONE, found.id)
    assert (await it.desk.approve(TWO, found.id)).state is State.APPROVED
    request = await it.desk.request(TWO, found.id)
    answer = handover.answer(request, PRIVATE, ephemeral=b"\x0a" * 32)
    with pytest.raises(RecoveryNotThere):
        await it.recoveries.complete(member, NEW)
    assert (await it.desk.answer(ONE, found.id, answer)).state is State.OPENED
    done = await it.recoveries.complete(member, NEW)
    assert done.state is State.DONE
    after = await it.key(member)
    assert (after.public_key_hash, after.version) == (before.public_key_hash, before.version + 1)
    assert envelope.open_recovery(after.envelope, PRIVATE) is not None  # the slot is kept
    assert await it.opens(member, NEW)
    assert not await it.opens(member, PASSPHRASE)
    assert await it.findings() == []
    assert it.vault.files.versions(member.wallet.id) == [2]
    (row,) = await it.rows()
    assert row.secret_sealed is None
    assert await it.told(member) == [
        "recovery.requested",
        "recovery.waiting",
        "recovery.approved",
        "recovery.approved",
        "recovery.opened",
        "recovery.done",
    ]
    assert await it.trail() == [
        (member.id, "recovery:request", "requested"),
        (member.id, "recovery:check", "waiting"),
        (ONE, "recovery:approve", "approved_once"),
        (TWO, "recovery:approve", "approved"),
        (TWO, "recovery:download", "done"),
        (ONE, "recovery:open", "opened"),
        (member.id, "recovery:complete", "done"),
    ]


async def test_wrong_passphrases_before_do_not_count_any_more(it):
    member = await it.member()
    for _ in range(3):
        assert not await it.opens(member, OTHER)
    await it.opened(member)
    await it.recoveries.complete(member, NEW)
    row = await it.key(member)
    assert (row.attempts, row.retry_at_ms, row.busy_token) == (0, 0, None)


async def test_without_a_recovery_key_there_is_nothing_to_recover(sqlite_database, tmp_path):
    async with safe(sqlite_database, tmp_path, recovery_public_key="") as it:
        member = await it.member()
        with pytest.raises(RecoveryUnavailable):
            await it.begin(member)
        asked = len(it.here.agency.asked)
    async with safe(sqlite_database, tmp_path) as later:
        with pytest.raises(RecoveryUnavailable):  # this wallet's envelope has no slot
            await later.begin(member)
        assert len(later.here.agency.asked) == 0
        assert asked == 1  # to be verified


async def test_it_is_for_verified_members_with_a_wallet_who_are_not_frozen(it):
    with pytest.raises(MemberUnverified):
        await it.begin(await it.here.member("unverified"))
    bare = await it.here.verified("bare", phone="010-1111-2222")
    with pytest.raises(WalletMissing):
        await it.begin(bare)
    member = await it.member()
    await it.freeze(member, it.here.clock.now_ms())
    with pytest.raises(MemberFrozen):
        await it.begin(member)


@pytest.mark.parametrize(
    "given", [{"name": "김철수"}, {"phone": "010-8765-4321"}, {"birth": "900130"}]
)
async def test_it_is_for_the_person_whom_the_member_was_verified_as(it, given):
    """... with the number, too: a new number is no proof of an old member."""
    member = await it.member()
    asked = len(it.here.agency.asked)
    with pytest.raises(PersonDiffers):
        await it.begin(member, **given)
    assert len(it.here.agency.asked) == asked
    assert await it.rows() == []


async def test_without_the_code_nothing_waits(it):
    member = await it.member()
    await it.begin(member)
    with pytest.raises(CodeWrong):
        await it.recoveries.confirm(member, "000000")
    it.pass_s(5 * 60)
    with pytest.raises(RealNameExpired):
        await it.recoveries.confirm(member, CODE)
    it.pass_s(60 * 60)
    assert (await it.recoveries.of(member)).state is State.EXPIRED
    with pytest.raises(RecoveryNotThere):
        await it.recoveries.confirm(member, CODE)


async def test_one_that_was_only_begun_is_begun_anew_and_an_open_one_is_not(it):
    member = await it.member()
    first = await it.begin(member)
    it.pass_s(1)
    second = await it.begin(member)
    assert first.id != second.id
    await it.recoveries.confirm(member, CODE)
    with pytest.raises(RecoveryUnderWay):
        await it.begin(member)
    await it.recoveries.cancel(member)
    it.pass_s(1)
    assert (await it.begin(member)).state is State.REQUESTED


@pytest.mark.parametrize("state", ["requested", "waiting", "approved", "opened"])
async def test_the_member_says_no_at_any_moment_and_the_kept_key_goes(both, state):
    member = await both.member()
    step = both.begin if state == "requested" else getattr(both, state)
    found = await step(member)
    cancelled = await both.recoveries.cancel(member)
    assert (cancelled.state, cancelled.reason) == (State.CANCELLED, "by_member")
    assert [one.secret_sealed for one in await both.rows()] == [None]
    assert (await both.recoveries.cancel(member)).finished_ms == cancelled.finished_ms
    with pytest.raises(RecoveryNotThere):
        await both.desk.approve("mb_operator_3", found.id)
    with pytest.raises(RecoveryNotThere):
        await both.recoveries.complete(member, NEW)
    assert await both.opens(member, PASSPHRASE)


@pytest.mark.parametrize("state", ["waiting", "approved", "opened"])
async def test_the_old_passphrase_still_pays_and_that_ends_it(both, state):
    member = await both.member()
    found = await getattr(both, state)(member)
    assert await both.opens(member, PASSPHRASE)
    assert (await both.desk.get(found.id)).reason == "passphrase_used"
    for deed in (
        both.desk.approve("mb_operator_3", found.id),
        both.desk.request(ONE, found.id),
        both.recoveries.complete(member, NEW),
    ):
        with pytest.raises(RecoveryNotThere):
            await deed
    now_ms = both.here.clock.now_ms()
    assert await both.here.database.read(has_unsettled, now_ms)
    await both.here.database.write(settle, now_ms)
    assert not await both.here.database.read(has_unsettled, now_ms)
    (row,) = await both.rows()
    assert (row.state, row.reason, row.secret_sealed) == ("cancelled", "passphrase_used", None)
    assert (await both.told(member))[-1] == "recovery.cancelled"


async def test_a_wrong_passphrase_ends_nothing(it):
    member = await it.member()
    await it.waiting(member)
    assert not await it.opens(member, OTHER)
    assert (await it.recoveries.of(member)).state is State.WAITING


async def test_changing_the_passphrase_with_the_old_one_ends_it(it):
    member = await it.member()
    await it.opened(member)
    await it.wallets.change_passphrase(member.id, PASSPHRASE, OTHER)
    assert (await it.recoveries.of(member)).state is State.CANCELLED
    with pytest.raises(RecoveryNotThere):
        await it.recoveries.complete(member, NEW)
    assert await it.opens(member, OTHER)


async def test_a_payment_beside_the_completion_and_one_of_them_wins(both):
    """Whoever comes first, there is one passphrase afterwards and both copies are whole."""
    member = await both.member()
    await both.opened(member)
    done = await asyncio.gather(
        both.recoveries.complete(member, NEW),
        both.opens(member, PASSPHRASE),
        return_exceptions=True,
    )
    recovered = not isinstance(done[0], BaseException)
    if not recovered:
        assert isinstance(done[0], RecoveryNotThere)
    both.pass_s(3_700)
    assert await both.opens(member, NEW if recovered else PASSPHRASE)
    assert not await both.opens(member, PASSPHRASE if recovered else NEW)
    assert await both.findings() == []


async def test_of_two_completions_at_once_one_counts(both):
    member = await both.member()
    await both.opened(member)
    done = await asyncio.gather(
        both.recoveries.complete(member, NEW),
        both.recoveries.complete(member, OTHER),
        return_exceptions=True,
    )
    refused = [one for one in done if isinstance(one, BaseException)]
    assert len(refused) == 1
    assert isinstance(refused[0], RecoveryNotThere | RecoveryAnswerInvalid)
    won = NEW if isinstance(done[1], BaseException) else OTHER
    assert await both.opens(member, won)
    assert await both.findings() == []


async def test_a_completion_of_which_nobody_knows_keeps_both_copies(it, monkeypatch):
    """The connection broke while the new version was committed: its file is needed."""
    member = await it.member()
    await it.opened(member)
    write = it.vault._database.write

    async def unsure(fn, *args, **named):
        done = await write(fn, *args, **named)
        if fn.__name__ == "_change_row":
            raise DatabaseUnavailable("The connection broke.")
        return done

    monkeypatch.setattr(it.vault._database, "write", unsure)
    with pytest.raises(DatabaseUnavailable):
        await it.recoveries.complete(member, NEW)
    monkeypatch.undo()
    key = await it.key(member)
    assert key.version in it.vault.files.versions(member.wallet.id)
    assert await it.opens(member, NEW)


async def test_of_two_second_approvals_at_once_one_counts(both):
    member = await both.member()
    found = await both.waiting(member)
    both.pass_s(WAIT_S)
    await both.desk.approve(ONE, found.id)
    done = await asyncio.gather(
        both.desk.approve(TWO, found.id),
        both.desk.approve("mb_operator_3", found.id),
        both.desk.approve(ONE, found.id),
        return_exceptions=True,
    )
    assert sum(not isinstance(one, BaseException) for one in done) == 1
    assert len((await both.desk.get(found.id)).operators) == 2


async def test_nobody_decides_about_their_own_wallet(it):
    member = await it.member()
    found = await it.waiting(member)
    it.pass_s(WAIT_S)
    with pytest.raises(RecoveryOwn):
        await it.desk.approve(member.id, found.id)
    with pytest.raises(RecoveryOwn):
        await it.desk.refuse(member.id, found.id, "mine")
    found = await it.desk.approve(ONE, found.id)
    found = await it.desk.approve(TWO, found.id)
    with pytest.raises(RecoveryOwn):
        await it.desk.request(member.id, found.id)


async def test_an_operator_refuses_with_a_reason_at_any_moment(it):
    member = await it.member()
    found = await it.opened(member)
    refused = await it.desk.refuse(ONE, found.id, "the member called")
    assert (refused.state, refused.reason) == (State.REFUSED, "the member called")
    assert [one.secret_sealed for one in await it.rows()] == [None]
    assert "the member called" not in str(await it.trail())
    with pytest.raises(RecoveryNotThere):
        await it.desk.refuse(TWO, found.id, "again")


async def test_time_ends_it_and_lets_go_of_the_key(it):
    member = await it.member()
    found = await it.opened(member)
    it.pass_s(OPEN_S - 1)
    assert (await it.desk.get(found.id)).state is State.OPENED
    it.pass_s(1)
    assert (await it.desk.get(found.id)).state is State.EXPIRED
    with pytest.raises(RecoveryNotThere):
        await it.recoveries.complete(member, NEW)
    await it.here.database.write(settle, it.here.clock.now_ms())
    (row,) = await it.rows()
    assert (row.state, row.secret_sealed) == ("expired", None)


async def test_a_clock_set_back_shortens_no_wait(it):
    member = await it.member()
    found = await it.waiting(member)
    it.pass_s(-3600)
    it.pass_s(WAIT_S)
    with pytest.raises(RecoveryWaits):
        await it.desk.approve(ONE, found.id)


async def test_a_frozen_member_recovers_nothing(it):
    member = await it.member()
    found = await it.waiting(member)
    it.pass_s(WAIT_S)
    await it.freeze(member, it.here.clock.now_ms())
    with pytest.raises(MemberFrozen):
        await it.desk.approve(ONE, found.id)
    await it.freeze(member, None)
    await it.desk.approve(ONE, found.id)
    await it.desk.approve(TWO, found.id)
    request = await it.desk.request(ONE, found.id)
    answer = handover.answer(request, PRIVATE, ephemeral=b"\x0a" * 32)
    await it.desk.answer(ONE, found.id, answer)
    await it.freeze(member, it.here.clock.now_ms())
    with pytest.raises(MemberFrozen):
        await it.recoveries.complete(member, NEW)
    assert it.vault.files.versions(member.wallet.id) == [1]  # no file is left behind
    assert await it.findings() == []


async def test_another_wallets_answer_is_refused(it):
    mine, other = await it.member(), await it.member("other", "010-1111-2222")
    found = await it.approved(mine)
    key = await it.here.database.read(stored, other.wallet.id)
    request = handover.request(found.id, key.envelope, it.here.ring)
    answer = handover.answer(request, PRIVATE, ephemeral=b"\x0a" * 32)
    with pytest.raises(RecoveryAnswerInvalid):
        await it.desk.answer(ONE, found.id, answer)
    own = handover.answer(await it.desk.request(ONE, found.id), PRIVATE, ephemeral=b"\x0a" * 32)
    with pytest.raises(RecoveryAnswerInvalid):
        await it.desk.answer(ONE, found.id, msgspec.structs.replace(own, sealed=b"\x00" * 48))
    assert (await it.desk.answer(ONE, found.id, own)).state is State.OPENED


async def test_a_weak_passphrase_is_refused_and_another_may_be_chosen(it):
    member = await it.member()
    await it.opened(member)
    with pytest.raises(PassphraseWeak):
        await it.recoveries.complete(member, "short")
    assert (await it.recoveries.complete(member, NEW)).state is State.DONE


async def test_what_is_not_there_is_unknown(it):
    member = await it.member()
    for deed in (it.recoveries.of(member), it.recoveries.confirm(member, CODE)):
        with pytest.raises(RecoveryUnknown):
            await deed
    with pytest.raises(RecoveryUnknown):
        await it.desk.approve(ONE, "rv_none")
    assert await it.recoveries.last(member.id) is None


async def test_the_desk_has_pages(it):
    mine, other = await it.member(), await it.member("other", "010-1111-2222")
    first = await it.waiting(mine)
    it.pass_s(1)
    second = await it.waiting(other, phone="010-1111-2222")
    assert [one.id for one in await it.desk.page(None, 10)] == [second.id, first.id]
    assert [one.id for one in await it.desk.page(second.id, 10)] == [first.id]


async def test_a_password_that_is_set_anew_ends_it(it):
    """Whoever did that may be somebody else than who began the recovery."""
    member = await it.member()
    await it.opened(member)
    desk = Desk(it.here)
    reset = await desk.ask()
    await desk.resets.confirm(reset.id, CODE, "another horse battery")
    found = await it.recoveries.of(member)
    assert (found.state, found.reason) == (State.CANCELLED, "password_reset")


async def test_a_kept_key_outlives_the_master_key_it_was_sealed_with(both):
    member = await both.member()
    await both.opened(member)
    both.here.ring.add_version()
    assert await both.here.database.write(rewrap_secrets, both.here.ring) == 1
    assert await both.here.database.write(rewrap_secrets, both.here.ring) == 0
    (row,) = await both.rows()
    assert both.here.ring.sealed_with(row.secret_sealed) == 2
    assert (await both.recoveries.complete(member, NEW)).state is State.DONE

"""From a passphrase to a SymID: two copies, a question, a block."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from jigap import events
from jigap.ca import (
    AlreadyIssued,
    Answer,
    CitizenRequest,
    InDoubt,
    Issued,
    RefusedByCa,
)
from jigap.database import Database
from jigap.keys import PassphraseWeak, PassphraseWrong, keystores
from jigap.members import (
    MemberFrozen,
    MemberUnverified,
    WalletExists,
    WalletMissing,
    Wallets,
    activate,
    by_symid,
    count_by_state,
    records,
    request_citizens,
)
from jigap.members.tables import wallets as wallets_table
from jigap.members.wallet import ASK_AGAIN_MAX_MS, ASK_AGAIN_MS, ask_again_ms
from jigap.node.client import ChainCitizen

from .people import PASSPHRASE, PASSWORD, People, people

SYMID = bytes.fromhex("00021000000000010002")


class ScriptedCa:
    """A certificate authority that gives the answers it was told to, and remembers questions."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[CitizenRequest] = []

    async def issue(self, request: CitizenRequest) -> Answer:
        self.asked.append(request)
        return self.answers.pop(0) if self.answers else Issued(SYMID, None)

    async def close(self) -> None: ...


@pytest.fixture
def crowd(database: Database, tmp_path: Path) -> People:
    return people(database, tmp_path)


async def _ask(crowd: People, authority: ScriptedCa) -> int:
    return await request_citizens(crowd.database, authority, crowd.ring, crowd.clock.now_ms())


async def _with_key(crowd: People) -> str:
    member_id = await crowd.verified("minji", "김민지", "010-1234-5678")
    await crowd.wallets.make(member_id, PASSPHRASE)
    return member_id


async def test_a_new_wallet_has_two_copies_of_its_key(crowd: People) -> None:
    member_id = await _with_key(crowd)
    wallet = await crowd.wallets.of(member_id)
    assert wallet.state == "key_stored"
    assert wallet.symid is None
    row = await crowd.database.read(lambda c: c.execute(select(keystores)).one())
    assert row.wallet_id == wallet.id
    assert crowd.vault.files.read(wallet.id, 1) == bytes(row.envelope)


async def test_refuses_unverified_and_frozen_members(crowd: People) -> None:
    profile = await crowd.members.sign_up("minji", PASSWORD, "김민지", "010-1234-5678")
    with pytest.raises(MemberUnverified):
        await crowd.wallets.make(profile.member.id, PASSPHRASE)
    await crowd.members.verify("mb_operator", "minji")
    await crowd.freezing.freeze("mb_operator", "minji", "lost phone")
    with pytest.raises(MemberFrozen):
        await crowd.wallets.make(profile.member.id, PASSPHRASE)
    assert list(crowd.vault.files.wallets()) == [], "no key was made for nothing"


async def test_refuses_a_weak_passphrase(crowd: People) -> None:
    member_id = await crowd.verified("minji", "김민지", "010-1234-5678")
    with pytest.raises(PassphraseWeak):
        await crowd.wallets.make(member_id, "short")


async def test_a_member_has_one_wallet_however_often_it_is_asked_for(crowd: People) -> None:
    member_id = await crowd.verified("minji", "김민지", "010-1234-5678")
    answers = await asyncio.gather(
        *(crowd.wallets.make(member_id, PASSPHRASE) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, WalletExists) for one in answers) == 4
    assert len(list(crowd.vault.files.wallets())) == 1


async def test_a_wallet_that_was_not_made_leaves_no_key(crowd: People) -> None:
    """Five processes at once: each has a lock of its own, and each has made a key."""
    member_id = await crowd.verified("minji", "김민지", "010-1234-5678")
    processes = [
        Wallets(crowd.database, crowd.vault, crowd.clock, crowd.work, crowd.news) for _ in range(5)
    ]
    answers = await asyncio.gather(
        *(one.make(member_id, PASSPHRASE) for one in processes), return_exceptions=True
    )
    assert sum(isinstance(one, WalletExists) for one in answers) == 4
    assert list(crowd.vault.files.wallets()) == [(await crowd.wallets.of(member_id)).id]


async def test_the_ca_is_asked_once_and_a_block_makes_the_wallet_active(crowd: People) -> None:
    member_id = await _with_key(crowd)
    authority = ScriptedCa(Issued(SYMID, None))
    assert await _ask(crowd, authority) == 1
    assert await _ask(crowd, authority) == 0
    wallet = await crowd.wallets.of(member_id)
    assert (wallet.state, wallet.symid) == ("citizen_requested", None)
    assert await crowd.database.write(activate, [_citizen(wallet.public_key_hash)], 5) == [
        member_id
    ]
    wallet = await crowd.wallets.of(member_id)
    assert (wallet.state, wallet.symid) == ("active", SYMID)
    found = await crowd.database.read(by_symid, SYMID)
    assert found is not None
    assert found.id == member_id


async def test_the_ca_learns_what_it_needs(crowd: People) -> None:
    await _with_key(crowd)
    authority = ScriptedCa()
    await _ask(crowd, authority)
    request = authority.asked[0]
    assert (request.phone, request.name, request.number) == ("01012345678", "김민지", 1)
    assert len(request.public_key_hash) == 20


async def test_a_member_whose_details_are_damaged_keeps_nobody_waiting(crowd: People) -> None:
    damaged = await _with_key(crowd)
    other = await crowd.verified("suji", "이수지", "010-1234-9999")
    await crowd.wallets.make(other, PASSPHRASE)
    values = {"name_sealed": bytes(40)}
    await crowd.database.write(partial(records.change, **values), damaged)
    authority = ScriptedCa()
    assert await _ask(crowd, authority) == 1
    assert [one.name for one in authority.asked] == ["이수지"]


@pytest.mark.parametrize(
    "answer", [InDoubt("timeout"), AlreadyIssued(), Issued(SYMID, None), RefusedByCa("no")]
)
async def test_without_a_block_the_ca_is_asked_again_later(crowd: People, answer: Answer) -> None:
    """Whatever it said: only a block counts, and asking twice can do no harm."""
    member_id = await _with_key(crowd)
    authority = ScriptedCa(answer)
    assert await _ask(crowd, authority) == 1
    crowd.clock.advance(ASK_AGAIN_MS - 1)
    assert await _ask(crowd, authority) == 0
    crowd.clock.advance(1)
    assert await _ask(crowd, authority) == 1
    assert (await crowd.wallets.of(member_id)).state == "citizen_requested"


def test_questions_come_ever_more_seldom_but_never_end() -> None:
    pauses = [ask_again_ms(n) for n in range(1, 40)]
    assert pauses[0] == ASK_AGAIN_MS
    assert pauses == sorted(pauses)
    assert pauses[-1] == ASK_AGAIN_MAX_MS


async def test_asks_again_after_many_doubts(crowd: People) -> None:
    await _with_key(crowd)
    authority = ScriptedCa(*[InDoubt("timeout")] * 20)
    for _ in range(20):
        crowd.clock.advance(ASK_AGAIN_MAX_MS)
        assert await _ask(crowd, authority) == 1


async def test_a_refusal_s_reason_is_kept_for_the_operator(crowd: People) -> None:
    await _with_key(crowd)
    await _ask(crowd, ScriptedCa(RefusedByCa("foreigner")))
    row = await crowd.database.read(lambda c: c.execute(select(wallets_table)).one())
    assert row.refused_reason == "foreigner"


async def test_activation_is_told_once_and_strangers_are_ignored(crowd: People) -> None:
    member_id = await _with_key(crowd)
    key_hash = (await crowd.wallets.of(member_id)).public_key_hash
    stranger = _citizen(bytes(20))
    assert await crowd.database.write(activate, [stranger], 5) == []
    await crowd.database.write(activate, [_citizen(key_hash)], 5)
    assert await crowd.database.write(activate, [_citizen(key_hash)], 6) == []
    kinds = await crowd.database.read(lambda c: c.scalars(select(events.events.c.kind)).all())
    assert kinds.count("wallet.active") == 1
    counted = await crowd.database.read(count_by_state)
    assert counted == {"key_stored": 0, "citizen_requested": 0, "active": 1}


async def test_a_block_that_came_before_the_question_spares_it(crowd: People) -> None:
    """After a restore the index may know the SymID of a wallet that we only just made again."""
    member_id = await _with_key(crowd)
    key_hash = (await crowd.wallets.of(member_id)).public_key_hash
    await crowd.database.write(activate, [_citizen(key_hash)], 5)
    authority = ScriptedCa()
    assert await _ask(crowd, authority) == 0
    assert authority.asked == []


async def test_the_passphrase_changes_and_the_key_stays(crowd: People) -> None:
    member_id = await _with_key(crowd)
    before = await crowd.wallets.of(member_id)
    with pytest.raises(PassphraseWrong):
        await crowd.wallets.change_passphrase(member_id, "not the passphrase", "green hill 7 birds")
    after = await crowd.wallets.change_passphrase(member_id, PASSPHRASE, "green hill 7 birds")
    assert after == before
    async with crowd.vault.unlocked(after.id, "green hill 7 birds") as key:
        assert key.public_key_hash == before.public_key_hash


async def test_without_a_wallet_there_is_nothing_to_change(crowd: People) -> None:
    member_id = await crowd.verified("minji", "김민지", "010-1234-5678")
    with pytest.raises(WalletMissing):
        await crowd.wallets.change_passphrase(member_id, PASSPHRASE, "green hill 7 birds")


async def test_waiting_ends_when_the_block_comes(crowd: People) -> None:
    member_id = await _with_key(crowd)
    key_hash = (await crowd.wallets.of(member_id)).public_key_hash
    waiting = asyncio.create_task(crowd.wallets.wait(member_id, 10))
    await asyncio.sleep(0.01)
    await crowd.database.write(activate, [_citizen(key_hash)], 5)
    crowd.news.ring()
    assert (await asyncio.wait_for(waiting, 2)).is_active
    assert (await crowd.wallets.wait(member_id, 0)).is_active


def _citizen(key_hash: bytes) -> ChainCitizen:
    return ChainCitizen(
        hash=bytes(32),
        symid=SYMID,
        key_hash=key_hash,
        ca=bytes(10),
        status=1,
        v_flag=2,
        write_time=0,
    )

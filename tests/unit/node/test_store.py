"""The chain on disk: what was committed reads back, at this height and at those before."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.node.people import (
    ALICE,
    BOB,
    CHAIN_ID,
    FUNDS_HUG,
    RULES,
    SIGNER_KEY,
    STRANGER,
    SYM,
    call,
    create,
    genesis,
    registered,
    remit,
)

from jigap.chain import sct20, symid
from jigap.chain.block import Block, sign_header
from jigap.node import transition
from jigap.node.genesis import BLOCK_SIGNER, GenesisAccount, first_block
from jigap.node.inspection import inspect, recount
from jigap.node.state import State
from jigap.node.store import OtherGenesis, Store
from jigap.node.transition import Candidate, CitizenCandidate
from jigap.node.view import KEPT_HEIGHTS, StateNotKept, StoreDamaged


class OnDisk:
    """The state machine over a store."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder, first_block(genesis()))

    def extend(self, *transactions, citizens=(), forget=()) -> Block:  # type: ignore[no-untyped-def]
        with self.store.view() as view:
            tip = view.tip()
            execution = transition.prepare(
                tip,
                [
                    CitizenCandidate(one, transition.registration.signer_of(one, CHAIN_ID))
                    for one in citizens
                ],
                [Candidate(one, transition.signer_of(one, CHAIN_ID)) for one in transactions],
                RULES,
            )
            assert not execution.refused
            made = transition.finalize(
                tip, execution, tip.header.time_ms + 1000, BLOCK_SIGNER, RULES
            )
        block = Block(sign_header(made.header, SIGNER_KEY), made.body, made.receipts)
        self.store.commit(block, made, forget)
        return block


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[OnDisk]:
    chain = OnDisk(tmp_path)
    yield chain
    chain.store.close()


def test_a_block_reads_back_whole(chain: OnDisk) -> None:
    block = chain.extend(
        create(ALICE, 0), remit(BOB, 0, ALICE.symid), citizens=[registered(STRANGER, 0)]
    )
    with chain.store.view() as view:
        assert view.tip_number() == 1
        assert view.block(1) == block
        assert view.number_of(block.hash) == 1
        assert view.block(0) == first_block(genesis()).block
        assert view.block(2) is None and view.number_of(b"x" * 32) is None


def test_transactions_are_found_by_hash_and_by_place(chain: OnDisk) -> None:
    one, two = remit(ALICE, 0, BOB.symid), remit(BOB, 0, ALICE.symid)
    block = chain.extend(one, two)
    with chain.store.view() as view:
        located = view.transaction(two.hash)
        assert located is not None
        assert (located.number, located.index, located.signed) == (1, 1, two)
        assert located.receipt == block.receipts[1]
        assert view.transaction_at(1, 0) == view.transaction(one.hash)
        assert view.transaction_at(1, 2) is None and view.transaction(b"x" * 32) is None
        assert view.transaction_at(1 << 70, 0) is None and view.transaction_at(1, 1 << 40) is None


def test_citizen_blocks_are_a_chain_of_their_own(chain: OnDisk) -> None:
    chain.extend(remit(ALICE, 0, BOB.symid))
    one = registered(STRANGER, 0)
    chain.extend(citizens=[one])
    with chain.store.view() as view:
        first, second = view.citizen_block(0), view.citizen_block(1)
        assert first is not None and second is not None
        assert (first.main_number, second.main_number) == (0, 2)
        assert second.parent_hash == first.hash
        assert view.citizen_number_of(second.hash) == 1
        assert [located.signed for located in view.citizens(1)] == [one]
        found = view.citizen(one.hash)
        assert found is not None and (found.citizen_number, found.index) == (1, 0)
        assert view.citizen_block(2) is None


def test_a_view_stays_at_its_height(chain: OnDisk) -> None:
    with chain.store.view() as view:
        chain.extend(remit(ALICE, 0, BOB.symid))
        assert view.tip_number() == 0
        assert State(view).account(BOB.symid).balance == FUNDS_HUG
    with chain.store.view() as view:
        assert State(view).account(BOB.symid).balance == FUNDS_HUG + SYM


def test_states_before_read_back_value_by_value(chain: OnDisk) -> None:
    token = symid.contract_address(ALICE.symid, 0)
    chain.extend(create(ALICE, 0, 1000))
    chain.extend()
    for nonce in range(1, 6):
        chain.extend(call(ALICE, nonce, token, sct20.Transfer(BOB.symid, 10)))
    with chain.store.view() as view:
        tokens = [
            State(view.state_at(number)).token_balance(token, BOB.symid) for number in range(8)
        ]
        assert tokens == [0, 0, 0, 10, 20, 30, 40, 50]
        assert State(view.state_at(0)).contract(token) is None
        nonces = [State(view.state_at(number)).account(ALICE.symid).nonce for number in range(8)]
        assert nonces == [0, 1, 1, 2, 3, 4, 5, 6]


def test_old_states_are_forgotten_but_the_first(chain: OnDisk) -> None:
    for nonce in range(KEPT_HEIGHTS + 5):
        chain.extend(remit(ALICE, nonce, BOB.symid, 1))
    with chain.store.view() as view:
        tip = view.tip_number()
        for number in (tip, tip - 1, tip - KEPT_HEIGHTS):
            assert State(view.state_at(number)).account(ALICE.symid).nonce == number
        assert State(view.state_at(0)).account(ALICE.symid).nonce == 0
        for number in (1, tip - KEPT_HEIGHTS - 1, tip + 1):
            with pytest.raises(StateNotKept, match=f"state at block {number} is not kept"):
                view.state_at(number)
        # What is forgotten takes no room: two accounts change per block.
        replaced = view._txn.stat(view._tables["replaced"])["entries"]
        assert replaced == 2 * KEPT_HEIGHTS


def test_the_recounted_state_root_is_the_incremental_one(chain: OnDisk) -> None:
    token = symid.contract_address(ALICE.symid, 0)
    chain.extend(create(ALICE, 0, 1000), citizens=[registered(STRANGER, 0)])
    chain.extend(call(ALICE, 1, token, sct20.Transfer(BOB.symid, 1000)))
    with chain.store.view() as view:
        assert recount(view) == view.sum()
        assert recount(view).root() == view.tip().header.state_root
        inspect(view)
        assert State(view).token_balance(token, ALICE.symid) == 0
        assert view.get(b"t" + token + ALICE.symid) is None


def test_inspection_finds_a_state_that_is_not_that_of_the_block(chain: OnDisk) -> None:
    chain.extend(remit(ALICE, 0, BOB.symid))
    with chain.store._env.begin(write=True, db=chain.store._tables["state"]) as txn:
        txn.put(b"a" + BOB.symid, b"\1\0\xff")
    with chain.store.view() as view, pytest.raises(StoreDamaged, match="state"):
        inspect(view)


def test_inspection_finds_a_missing_block(chain: OnDisk) -> None:
    chain.extend()
    chain.extend()
    with chain.store._env.begin(write=True, db=chain.store._tables["headers"]) as txn:
        txn.delete((1).to_bytes(8, "big"))
    with chain.store.view() as view, pytest.raises(StoreDamaged, match="block 1 is missing"):
        inspect(view)


def test_what_waits_is_kept_and_forgotten_with_its_block(chain: OnDisk) -> None:
    one, two = remit(ALICE, 0, BOB.symid), remit(BOB, 0, ALICE.symid)
    chain.store.keep([(one.hash, b"t" + one.raw), (two.hash, b"t" + two.raw)])
    chain.extend(one, forget=[one.hash])
    with chain.store.view() as view:
        assert list(view.kept()) == [(two.hash, b"t" + two.raw)]


def test_reopening_goes_on(tmp_path: Path) -> None:
    chain = OnDisk(tmp_path)
    block = chain.extend(remit(ALICE, 0, BOB.symid))
    chain.store.close()
    again = OnDisk(tmp_path)
    with again.store.view() as view:
        assert view.tip().hash == block.hash
    assert again.extend().header.parent_hash == block.hash
    again.store.close()


def test_refuses_a_chain_of_another_genesis(tmp_path: Path) -> None:
    OnDisk(tmp_path).store.close()
    Store.open(tmp_path, None).close()
    more = GenesisAccount(STRANGER.symid, STRANGER.key.public_key_hash)
    with pytest.raises(OtherGenesis):
        Store.open(tmp_path, first_block(genesis(more)))


def test_refuses_an_empty_store_without_a_genesis(tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged):
        Store.open(tmp_path, None)

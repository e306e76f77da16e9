"""What waits, what may enter the next block, and what the pool says no to."""

from collections.abc import Callable

import pytest
from tests.unit.node.people import (
    ALICE,
    BOB,
    CAROL,
    FUNDS_HUG,
    RULES,
    STRANGER,
    Person,
    Replica,
    registered,
    remit,
    signed,
)

from jigap.chain.block import Body
from jigap.chain.invalid import Invalid
from jigap.chain.transaction import TYPE_SCT, SignedTransaction
from jigap.node import mempool
from jigap.node.mempool import GAP_MAX, QUEUED_BLOCKS_MAX, Mempool
from jigap.node.transition import Refused, UnknownRecipient


class Pooled(Replica):
    """A chain in memory with a pool in front."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Mempool(RULES)

    def add(self, *many: SignedTransaction) -> None:
        for one in many:
            self.pool.add(self.state, one, self.tip.header.number)

    def words(self, one: SignedTransaction) -> str:
        """What the pool says no with."""
        with pytest.raises(Invalid) as refused:
            self.add(one)
        return str(refused.value)

    def waiting(self) -> list[SignedTransaction]:
        return [one.signed for one in self.pool.candidates(self.state)]

    def make_block(self) -> list[bytes]:
        """A block of everything that waits; what the pool then forgot."""
        execution = self.prepare(
            *(one.signed for one in self.pool.citizen_candidates(self.state)), *self.waiting()
        )
        block = self.commit(execution, self.tip.header.time_ms + 1)
        return self.pool.advance(self.state, block.header.number, block.body, execution.refused)


def test_first_come_first_served_each_sender_in_nonce_order() -> None:
    chain = Pooled()
    second, other, first = (
        remit(ALICE, 1, CAROL.symid),
        remit(BOB, 0, CAROL.symid),
        remit(ALICE, 0, CAROL.symid),
    )
    chain.add(second, other, first)
    assert chain.waiting() == [other, first, second]


def test_a_gap_queues_until_it_is_filled() -> None:
    chain = Pooled()
    late = remit(ALICE, 1, BOB.symid)
    chain.add(late)
    assert chain.waiting() == [] and not chain.pool.has_candidates(chain.state)
    assert chain.pool.content(chain.state) == ([], [late])
    assert chain.pool.next_nonce(ALICE.symid, 0) == 0
    early = remit(ALICE, 0, BOB.symid)
    chain.add(early)
    assert chain.waiting() == [early, late] and chain.pool.has_candidates(chain.state)
    assert chain.pool.next_nonce(ALICE.symid, 0) == 2


def test_the_same_bytes_are_known() -> None:
    chain = Pooled()
    one = remit(ALICE, 0, BOB.symid)
    chain.add(one)
    assert chain.words(one) == f"known transaction: {one.hash.hex()}"


def test_nobody_outbids_a_waiting_transaction() -> None:
    chain = Pooled()
    chain.add(remit(ALICE, 0, BOB.symid))
    cancel = remit(ALICE, 0, ALICE.symid, 0)
    assert chain.words(cancel) == "replacement transaction underpriced"


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (remit(ALICE, 0, BOB.symid, FUNDS_HUG), "insufficient funds for gas * price + value"),
        (remit(ALICE, 0, BOB.symid, gas_price=1), "transaction underpriced"),
        (remit(ALICE, 0, BOB.symid, gas_limit=48_999), "intrinsic gas too low"),
        (remit(ALICE, 0, BOB.symid, gas_limit=2**63), "exceeds block gas limit"),
        (remit(Person(ALICE.symid, BOB.key), 0, BOB.symid), "invalid sender"),
        (remit(ALICE, 0, BOB.symid, chain_id=1), "invalid sender"),
        (remit(STRANGER, 0, BOB.symid), "invalid sender"),
        (remit(ALICE, 0, STRANGER.symid), UnknownRecipient.words),
        (remit(ALICE, GAP_MAX + 1, BOB.symid), "nonce too high"),
    ],
)
def test_says_no_in_the_documented_words(one: SignedTransaction, words: str) -> None:
    assert Pooled().words(one) == words


def test_a_used_nonce_is_too_low() -> None:
    chain = Pooled()
    one = remit(ALICE, 0, BOB.symid)
    chain.add(one)
    chain.make_block()
    assert chain.words(one) == "nonce too low"
    assert chain.words(remit(ALICE, 0, ALICE.symid, 0)) == "nonce too low"


def test_mined_transactions_leave() -> None:
    chain = Pooled()
    one, two = remit(ALICE, 0, BOB.symid), remit(BOB, 0, ALICE.symid)
    chain.add(one, two)
    assert sorted(chain.make_block()) == sorted([one.hash, two.hash])
    assert len(chain.pool) == 0 and chain.pool.get(one.hash) is None


def test_what_its_nonce_was_used_by_another_leaves_too() -> None:
    """A transaction of the same nonce came in another way, as from another node."""
    chain = Pooled()
    waiting, mined = remit(ALICE, 0, BOB.symid), remit(ALICE, 0, ALICE.symid, 0)
    chain.add(waiting)
    block = chain.extend(mined)
    assert chain.pool.advance(chain.state, 1, block.body) == [waiting.hash]


def test_who_can_no_longer_pay_is_dropped_so_that_a_cancel_may_come() -> None:
    chain = Pooled()
    price = RULES.gas_price_hug
    all_but_two_fees = FUNDS_HUG - 2 * 49_000 * price
    spend = remit(ALICE, 0, BOB.symid, all_but_two_fees)
    unpayable = remit(ALICE, 1, BOB.symid, all_but_two_fees)
    chain.add(spend, unpayable)
    assert sorted(chain.make_block()) == sorted([spend.hash, unpayable.hash])
    cancel = remit(ALICE, 1, ALICE.symid, 0)
    chain.add(cancel)
    assert chain.waiting() == [cancel]


def test_the_revoked_are_dropped() -> None:
    chain = Pooled()
    one = remit(ALICE, 0, BOB.symid)
    chain.add(one)
    chain.pool.add_citizen(chain.state, registered(ALICE, 0, status=4))
    assert one.hash in chain.make_block()
    assert len(chain.pool) == 0


def test_what_waits_behind_a_refused_one_stays_queued() -> None:
    chain = Pooled()
    first, second = remit(ALICE, 0, BOB.symid), remit(ALICE, 1, BOB.symid)
    chain.add(first, second)
    gone = chain.pool.advance(chain.state, 1, Body(), [Refused(first.hash, UnknownRecipient())])
    assert gone == [first.hash]
    assert chain.pool.content(chain.state) == ([], [second])


def test_a_long_wait_behind_a_gap_ends() -> None:
    chain = Pooled()
    one = remit(ALICE, 1, BOB.symid)
    chain.add(one)
    soon = QUEUED_BLOCKS_MAX // 64 * 64
    assert chain.pool.advance(chain.state, soon, Body()) == []
    assert chain.pool.advance(chain.state, soon + 128, Body()) == [one.hash]


def test_the_pool_is_bounded_per_sender_and_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Pooled()
    monkeypatch.setattr(mempool, "PER_SENDER_MAX", 2)
    monkeypatch.setattr(mempool, "POOL_MAX", 3)
    chain.add(remit(ALICE, 0, BOB.symid), remit(ALICE, 1, BOB.symid))
    assert chain.words(remit(ALICE, 2, BOB.symid)) == "too many transactions of this sender wait"
    chain.add(remit(BOB, 0, CAROL.symid))
    assert chain.words(remit(CAROL, 0, BOB.symid)) == "txpool is full"


def test_bytes_are_bounded_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Pooled()
    one = remit(ALICE, 0, BOB.symid)
    monkeypatch.setattr(mempool, "POOL_BYTES_MAX", len(one.raw))
    chain.add(one)
    assert chain.words(remit(BOB, 0, CAROL.symid)) == "txpool is full"
    chain.make_block()
    chain.add(remit(BOB, 0, CAROL.symid))


def test_a_call_nobody_can_read_is_refused() -> None:
    one = signed(ALICE, 0, to=BOB.symid, type=TYPE_SCT, input=b"junk")
    assert "sct" in Pooled().words(one)


# -- citizens ----------------------------------------


def words_of(act: Callable[[], object]) -> str:
    with pytest.raises(Invalid) as refused:
        act()
    return str(refused.value)


def test_citizens_wait_in_the_order_of_their_ca() -> None:
    chain = Pooled()
    second, first = registered(STRANGER, 1), registered(ALICE, 0, status=2)
    chain.pool.add_citizen(chain.state, second)
    assert list(chain.pool.citizen_candidates(chain.state)) == []
    assert chain.pool.next_citizen_nonce(second.transaction.sender, 0) == 0
    chain.pool.add_citizen(chain.state, first)
    assert [one.signed for one in chain.pool.citizen_candidates(chain.state)] == [first, second]
    assert chain.pool.next_citizen_nonce(second.transaction.sender, 0) == 2
    assert chain.pool.pending_citizens() == [first, second]


def test_two_changes_of_one_citizen_may_wait() -> None:
    chain = Pooled()
    chain.pool.add_citizen(chain.state, registered(STRANGER, 0))
    chain.pool.add_citizen(chain.state, registered(STRANGER, 1, status=2))
    chain.make_block()
    found = chain.state.citizen(STRANGER.symid)
    assert found is not None and found.status == 2
    assert len(chain.pool) == 0


def test_a_key_that_waits_for_one_citizen_is_taken() -> None:
    chain = Pooled()
    chain.pool.add_citizen(chain.state, registered(STRANGER, 0))
    twin = registered(Person(STRANGER.symid[:-1] + b"\3", STRANGER.key), 1)
    assert (
        words_of(lambda: chain.pool.add_citizen(chain.state, twin))
        == "already existed pub_key_hash"
    )
    chain.make_block()
    assert (
        words_of(lambda: chain.pool.add_citizen(chain.state, twin))
        == "already existed pub_key_hash"
    )


def test_citizen_refusals() -> None:
    chain = Pooled()
    one = registered(STRANGER, 0)
    chain.pool.add_citizen(chain.state, one)
    known = words_of(lambda: chain.pool.add_citizen(chain.state, one))
    assert known == f"known transaction: {one.hash.hex()}"
    same_nonce = registered(ALICE, 0, status=2)
    replaced = words_of(lambda: chain.pool.add_citizen(chain.state, same_nonce))
    assert replaced == "replacement transaction underpriced"
    chain.make_block()
    assert words_of(lambda: chain.pool.add_citizen(chain.state, one)) == "nonce too low"
    assert chain.pool.pending_citizens() == [] and chain.pool.get_citizen(one.hash) is None

"""Two replicas that are fed the same blocks reach the same hash, and the state root is no lie.

Hypothesis plays the people: it registers, revokes, pays, deposits, creates and moves tokens, in
any order and often wrongly. One replica proposes from what waits, another applies the proposals.
"""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.node.people import (
    ALICE,
    BOB,
    CAROL,
    FUNDS_HUG,
    PEOPLE,
    STRANGER,
    SYM,
    Replica,
    call,
    create,
    deposit,
    registered,
    remit,
    restore,
)

from jigap.chain import sct20, symid
from jigap.chain.block import Block
from jigap.node.lthash import LtHash
from jigap.node.state import MemoryReader, Overlay, State, element

EVERYBODY = (ALICE, BOB, CAROL, STRANGER)
TOKENS = [symid.contract_address(one.symid, 0) for one in (ALICE, BOB)]

people = st.sampled_from(EVERYBODY)
amounts = st.sampled_from([0, 1, 7, 500, 1000, 2**255, 2**256 - 1])
calls = st.one_of(
    st.builds(sct20.Transfer, people.map(lambda one: one.symid), amounts),
    st.builds(
        sct20.TransferFrom,
        people.map(lambda one: one.symid),
        people.map(lambda one: one.symid),
        amounts,
    ),
    st.builds(sct20.Approve, people.map(lambda one: one.symid), amounts),
    st.builds(sct20.DecreaseApprove, people.map(lambda one: one.symid), amounts),
    st.builds(sct20.Mint, people.map(lambda one: one.symid), amounts),
    st.builds(sct20.Burn, people.map(lambda one: one.symid), amounts),
    st.builds(sct20.Pause),
    st.builds(sct20.Unpause),
    st.builds(sct20.TransferOwner, people.map(lambda one: one.symid)),
)
acts = st.one_of(
    st.tuples(st.just("remit"), people, people, st.sampled_from([0, 1, SYM, FUNDS_HUG])),
    st.tuples(st.just("create"), people, amounts),
    st.tuples(st.just("call"), people, st.sampled_from(TOKENS), calls),
    st.tuples(st.just("deposit"), people, st.sampled_from([0, SYM])),
    st.tuples(st.just("restore"), people),
    st.tuples(st.just("register"), people, st.sampled_from([1, 1, 1, 2, 4])),
)
blocks = st.lists(st.lists(acts, max_size=8), min_size=1, max_size=5)


def sign_all(chain: Replica, wanted: list[tuple[Any, ...]]) -> list[Any]:
    """What the people sign for the next block, each with the nonces that are due."""
    nonces = {one.symid: chain.state.account(one.symid).nonce for one in EVERYBODY}
    ca_nonce = chain.state.citizen_nonce(registered(ALICE, 0).transaction.sender)
    signed = []
    for act, who, *rest in wanted:
        if act == "register":
            signed.append(registered(who, ca_nonce, status=rest[0]))
            ca_nonce += 1
            continue
        nonce = nonces[who.symid]
        nonces[who.symid] += 1
        if act == "remit":
            signed.append(remit(who, nonce, rest[0].symid, rest[1]))
        elif act == "create":
            signed.append(create(who, nonce, rest[0]))
        elif act == "call":
            signed.append(call(who, nonce, *rest))
        elif act == "deposit":
            signed.append(deposit(who, nonce, rest[0]))
        else:
            signed.append(restore(who, nonce))
    return signed


def entries(chain: Replica) -> dict[bytes, bytes]:
    assert isinstance(chain.tip.state, MemoryReader)
    return chain.tip.state.entries


def recount(chain: Replica) -> bytes:
    everything = (element(key, value) for key, value in entries(chain).items())
    return LtHash().changed((), everything).root()


@settings(max_examples=60, deadline=None)
@given(blocks)
def test_replicas_agree_and_the_root_is_that_of_a_full_scan(plan: list[list[Any]]) -> None:
    proposer, follower = Replica(), Replica()
    for wanted in plan:
        block = proposer.extend(*sign_all(proposer, wanted))
        read = Block.decode(block.encode())
        assert read == block
        assert follower.apply(read.body, read.header.time_ms).hash == block.hash
        assert entries(follower) == entries(proposer)
        assert recount(proposer) == block.header.state_root
        assert all(entries(proposer).values()), "nothing is kept that says nothing"


@settings(max_examples=60, deadline=None)
@given(blocks)
def test_sym_only_ever_leaves_as_fees_and_tokens_add_up(plan: list[list[Any]]) -> None:
    chain = Replica()
    hug = _all_hug(chain)
    for wanted in plan:
        block = chain.extend(*sign_all(chain, wanted))
        fees = sum(
            receipt.gas_used * signed.transaction.gas_price
            for receipt, signed in zip(block.receipts, block.body.transactions, strict=True)
        )
        assert _all_hug(chain) == hug - fees
        hug -= fees
        for address in TOKENS:
            contract = chain.state.contract(address)
            held = sum(chain.state.token_balance(address, one.symid) for one in (*PEOPLE, STRANGER))
            assert held == (contract.total if contract else 0)


@settings(max_examples=30, deadline=None)
@given(blocks, st.randoms(use_true_random=False))
def test_a_refused_transaction_changes_nothing(
    plan: list[list[Any]], chance: random.Random
) -> None:
    """Whatever prepare leaves out, the block is the one it would have made without it."""
    chain, clean = Replica(), Replica()
    for wanted in plan:
        signed = sign_all(chain, wanted)
        chance.shuffle(signed)
        execution = chain.prepare(*signed)
        refused = {one.hash for one in execution.refused}
        kept = [one for one in signed if one.hash not in refused]
        again = clean.prepare(*kept)
        assert again.refused == () and again.body == execution.body
        time_ms = chain.tip.header.time_ms + 1
        assert clean.commit(again, time_ms).hash == chain.commit(execution, time_ms).hash


writes = st.lists(
    st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([None, b"", b"1", b"22"])),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(writes, max_size=5))
def test_an_overlay_tells_exactly_what_differs(rounds: list[list[Any]]) -> None:
    memory, model = MemoryReader(), {}
    sum_ = LtHash()
    for writing in rounds:
        overlay = Overlay(memory)
        for key, value in writing:
            overlay.put(key, value)
            model.pop(key, None)
            if value:
                model[key] = value
            assert overlay.get(key) == (value or None)
        changes = overlay.changes()
        assert all(change.before != change.after for change in changes.values())
        sum_ = sum_.changed(
            (element(k, c.before) for k, c in changes.items() if c.before is not None),
            (element(k, c.after) for k, c in changes.items() if c.after is not None),
        )
        memory.apply(changes)
        assert memory.entries == model
        assert sum_ == LtHash().changed((), (element(k, v) for k, v in model.items()))


def _all_hug(chain: Replica) -> int:
    state = State(chain.tip.state)
    accounts = [state.account(key[1:]) for key in entries(chain) if key[:1] == b"a"]
    return sum(account.balance + account.deposit for account in accounts)

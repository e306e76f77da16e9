"""SCT-20: calls and their bytes, and money that neither appears nor vanishes."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jigap.chain import rlp, sct20
from jigap.chain.invalid import InvalidCall
from jigap.chain.sct20 import (
    AMOUNT_MAX,
    Approve,
    Burn,
    Call,
    Contract,
    Create,
    DecreaseApprove,
    Effects,
    ErrCode,
    Mint,
    Pause,
    SctFailure,
    Transfer,
    TransferFrom,
    TransferOwner,
    Unpause,
)

FAST = settings(max_examples=200, deadline=None)

any_symid = st.binary(min_size=10, max_size=10)
any_amount = st.integers(0, AMOUNT_MAX)
any_text = st.text(st.characters(codec="utf-8"), max_size=40)


def calls(
    symid: st.SearchStrategy[bytes], amount: st.SearchStrategy[int]
) -> list[st.SearchStrategy[Call]]:
    return [
        st.builds(Transfer, symid, amount),
        st.builds(TransferFrom, symid, symid, amount),
        st.builds(Approve, symid, amount),
        st.builds(DecreaseApprove, symid, amount),
        st.builds(Mint, symid, amount),
        st.builds(Burn, symid, amount),
        st.builds(Pause),
        st.builds(Unpause),
        st.builds(TransferOwner, symid),
    ]


any_call = st.one_of(
    st.builds(Create, any_text, any_text, any_amount, any_symid), *calls(any_symid, any_amount)
)


@FAST
@given(any_call)
def test_a_call_round_trips(call: Call) -> None:
    assert sct20.decode(sct20.encode(call)) == call


@FAST
@given(st.binary(max_size=80) | any_call.map(sct20.encode), st.data())
def test_bytes_raise_nothing_but_invalid_call(input_: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, max(0, len(input_) - 1)))
    changed = input_[:position] + data.draw(st.binary(max_size=2)) + input_[position + 1 :]
    try:
        call = sct20.decode(changed)
    except InvalidCall:
        return
    assert sct20.decode(sct20.encode(call)) == call


odd_items = st.recursive(
    st.binary(max_size=40), lambda inner: st.lists(inner, max_size=4), max_leaves=8
)


@FAST
@given(st.integers(0, 12), odd_items)
def test_odd_parameters_raise_nothing_but_invalid_call(method: int, parameters: rlp.Item) -> None:
    try:
        call = sct20.decode(rlp.encode([20, method, parameters]))
    except InvalidCall:
        return
    assert call.method == method


@FAST
@given(any_symid, st.integers(0, 2**200 - 1), st.integers(1, 7))
def test_leading_zeros_in_a_parameter_are_read_as_the_number(
    to: bytes, amount: int, zeros: int
) -> None:
    padded = bytes(zeros) + rlp.encode_int(amount)
    assert sct20.decode(rlp.encode([20, 1, [to, padded]])) == Transfer(to, amount)


# A small world in which most calls have a chance to succeed.

PEOPLE = [bytes(9) + bytes((number,)) for number in range(1, 5)]
STRANGER = bytes(9) + b"\xff"

somebody = st.sampled_from([*PEOPLE, *PEOPLE, STRANGER])
small_amount = st.integers(0, 60) | st.sampled_from([AMOUNT_MAX, AMOUNT_MAX - 40, 2**255])
steps = st.lists(
    st.tuples(st.sampled_from(PEOPLE), st.one_of(*calls(somebody, small_amount))), max_size=40
)


@dataclass
class World:
    """A ledger that keeps what ``execute`` says."""

    contract: Contract | None = None
    balances: dict[bytes, int] = field(default_factory=dict)
    allowances: dict[tuple[bytes, bytes], int] = field(default_factory=dict)

    def balance(self, symid: bytes) -> int:
        return self.balances.get(symid, 0)

    def allowance(self, owner: bytes, spender: bytes) -> int:
        return self.allowances.get((owner, spender), 0)

    def is_citizen(self, symid: bytes) -> bool:
        return symid in PEOPLE

    def apply(self, effects: Effects) -> None:
        self.contract = effects.contract or self.contract
        self.balances.update(effects.balances)
        self.allowances.update(effects.allowances)

    def run(self, call: Call, sender: bytes) -> bool:
        before = (self.contract, dict(self.balances), dict(self.allowances))
        try:
            effects = sct20.execute(call, sender, self.contract, self)
        except SctFailure as failure:
            assert isinstance(failure.err_code, ErrCode)
            assert before == (self.contract, self.balances, self.allowances)
            return False
        self.apply(effects)
        return True


def minted(call: Call) -> int:
    """How a successful call changes the supply."""
    match call:
        case Create() | Mint():
            return call.amount
        case Burn():
            return -call.amount
    return 0


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 200) | st.just(AMOUNT_MAX), steps)
def test_supply_is_conserved(supply: int, history: list[tuple[bytes, Call]]) -> None:
    """After every call: holdings add up to the total, and the total to what was made and burned."""
    world = World()
    expected = 0
    for sender, call in [(PEOPLE[0], Create("Point", "PNT", supply, PEOPLE[1])), *history]:
        if world.run(call, sender):
            expected += minted(call)
        assert world.contract is not None
        assert sum(world.balances.values()) == world.contract.total == expected
        assert all(0 <= balance <= AMOUNT_MAX for balance in world.balances.values())
        assert all(0 <= allowed <= AMOUNT_MAX for allowed in world.allowances.values())


@FAST
@given(st.integers(0, 200), steps)
def test_only_the_holder_or_an_allowed_spender_moves_tokens(
    supply: int, history: list[tuple[bytes, Call]]
) -> None:
    """A holding shrinks only by its holder's call, within an allowance, or by the issuer's burn."""
    world = World()
    world.run(Create("Point", "PNT", supply, PEOPLE[1]), PEOPLE[0])
    for sender, call in history:
        before = dict(world.balances)
        allowed = dict(world.allowances)
        world.run(call, sender)
        for holder, balance in before.items():
            lost = balance - world.balance(holder)
            if lost > 0 and holder != sender and not isinstance(call, Burn):
                assert isinstance(call, TransferFrom)
                assert allowed[(holder, sender)] - world.allowance(holder, sender) == lost


@FAST
@given(st.integers(0, 200), steps)
def test_nothing_moves_while_paused(supply: int, history: list[tuple[bytes, Call]]) -> None:
    world = World()
    world.run(Create("Point", "PNT", supply, PEOPLE[1]), PEOPLE[0])
    world.run(Pause(), PEOPLE[0])
    before = (dict(world.balances), dict(world.allowances))
    for sender, call in history:
        if not isinstance(call, Unpause):
            world.run(call, sender)
    assert (world.balances, world.allowances) == before


@FAST
@given(any_symid, st.one_of(*calls(any_symid, any_amount)))
def test_without_a_contract_every_call_fails_alike(sender: bytes, call: Call) -> None:
    with pytest.raises(SctFailure) as failure:
        sct20.execute(call, sender, None, World())
    assert failure.value.err_code == ErrCode.NO_CONTRACT

"""The rules of the chain, one by one, over a state in memory."""

from dataclasses import replace

import pytest
from tests.unit.node.people import (
    ALICE,
    BOB,
    CA,
    CAROL,
    CHAIN_ID,
    FUNDS_HUG,
    OPERATOR_KEY,
    RULES,
    STRANGER,
    SYM,
    Person,
    Replica,
    call,
    create,
    deposit,
    registered,
    remit,
    restore,
    signed,
)

from jigap.chain import gas, sct20, symid
from jigap.chain.block import Body
from jigap.chain.invalid import (
    GasLimitExceeded,
    InsufficientFunds,
    IntrinsicGasTooLow,
    Invalid,
    InvalidBlock,
    InvalidField,
    InvalidSender,
    MalformedCall,
    NonceTooHigh,
    NonceTooLow,
    Underpriced,
    UnknownRecipient,
    UnsupportedTemplate,
)
from jigap.chain.symid import FIRST_CA
from jigap.chain.template import encode_template
from jigap.chain.transaction import TYPE_SCT, SignedTransaction
from jigap.node import transition
from jigap.node.genesis import BLOCK_SIGNER, OPERATOR, TOKEN_OWNER
from jigap.node.transition import BLOCK_GAS_LIMIT, DepositLocked

PRICE = gas.GAS_PRICE_HUG
TOKEN = symid.contract_address(ALICE.symid, 0)


def refusal(chain: Replica, one: SignedTransaction) -> Invalid:
    """Why the rules keep this transaction out of the next block."""
    execution = chain.prepare(one)
    assert execution.body == Body() and execution.changes == {}
    (refused,) = execution.refused
    assert refused.hash == one.hash
    return refused.reason


# -- remit ----------------------------------------


def test_remit_moves_the_value_and_takes_the_fee() -> None:
    chain = Replica()
    (receipt,) = chain.extend(remit(ALICE, 0, BOB.symid, 3 * SYM)).receipts
    assert (receipt.status, receipt.gas_used, receipt.err_code) == (True, 49_000, None)
    assert chain.state.account(BOB.symid).balance == FUNDS_HUG + 3 * SYM
    after = chain.state.account(ALICE.symid)
    assert after == (FUNDS_HUG - 3 * SYM - 49_000 * PRICE, 1, 0)


def test_remit_to_oneself_costs_the_fee_only() -> None:
    chain = Replica()
    chain.extend(remit(ALICE, 0, ALICE.symid, SYM))
    assert chain.state.account(ALICE.symid).balance == FUNDS_HUG - 49_000 * PRICE


def test_a_memo_is_charged_by_the_byte() -> None:
    chain = Replica()
    (receipt,) = chain.extend(remit(ALICE, 0, BOB.symid, input=b"hi\0")).receipts
    assert receipt.gas_used == 49_000 + 2 * 680 + 40


def test_refuses_a_remit_to_an_unregistered_symid() -> None:
    assert isinstance(refusal(Replica(), remit(ALICE, 0, STRANGER.symid)), UnknownRecipient)


def test_refuses_a_remit_to_a_contract() -> None:
    chain = Replica()
    chain.extend(create(ALICE, 0))
    assert chain.state.contract(TOKEN) is not None
    assert isinstance(refusal(chain, remit(ALICE, 1, TOKEN)), UnknownRecipient)


# -- who may sign, what it costs ----------------------------------------


def test_refuses_another_persons_key() -> None:
    assert isinstance(
        refusal(Replica(), remit(Person(ALICE.symid, BOB.key), 0, BOB.symid)), InvalidSender
    )


def test_refuses_an_unregistered_sender() -> None:
    assert isinstance(refusal(Replica(), remit(STRANGER, 0, BOB.symid, 0)), InvalidSender)


def test_refuses_a_revoked_sender() -> None:
    chain = Replica()
    chain.extend(registered(ALICE, 0, status=4))
    assert isinstance(refusal(chain, remit(ALICE, 0, BOB.symid)), InvalidSender)


def test_refuses_a_signature_for_another_chain() -> None:
    assert isinstance(refusal(Replica(), remit(ALICE, 0, BOB.symid, chain_id=1)), InvalidSender)


def test_refuses_a_used_nonce_and_a_gap() -> None:
    chain = Replica()
    chain.extend(remit(ALICE, 0, BOB.symid))
    low = refusal(chain, remit(ALICE, 0, BOB.symid, 1))
    assert isinstance(low, NonceTooLow) and low.facts == {"nonce": 0, "expected": 1}
    assert isinstance(refusal(chain, remit(ALICE, 2, BOB.symid)), NonceTooHigh)


def test_refuses_who_cannot_pay_value_and_whole_limit() -> None:
    chain = Replica()
    spendable = FUNDS_HUG - 100_000 * PRICE
    too_much = remit(ALICE, 0, BOB.symid, spendable + 1, gas_limit=100_000)
    assert isinstance(refusal(chain, too_much), InsufficientFunds)
    chain.extend(remit(ALICE, 0, BOB.symid, spendable, gas_limit=100_000))
    # The limit had to be covered, but only the gas used was taken.
    assert chain.state.account(ALICE.symid).balance == 51_000 * PRICE


@pytest.mark.parametrize("price", [0, PRICE - 1, PRICE + 1])
def test_refuses_any_price_but_the_fixed_one(price: int) -> None:
    reason = refusal(Replica(), remit(ALICE, 0, BOB.symid, gas_price=price))
    assert isinstance(reason, Underpriced)
    if price < PRICE:
        assert reason.message == "transaction underpriced"


def test_refuses_a_limit_below_base_and_bytes() -> None:
    reason = refusal(Replica(), remit(ALICE, 0, BOB.symid, input=b"x", gas_limit=49_679))
    assert isinstance(reason, IntrinsicGasTooLow)
    assert reason.facts == {"gas_limit": 49_679, "intrinsic_gas": 49_680}


def test_refuses_a_limit_above_that_of_a_block() -> None:
    reason = refusal(Replica(), remit(ALICE, 0, BOB.symid, gas_limit=BLOCK_GAS_LIMIT + 1))
    assert isinstance(reason, GasLimitExceeded)


# -- token calls ----------------------------------------


def test_creation_gives_the_supply_to_the_owner_at_the_foreseen_address() -> None:
    chain = Replica()
    (receipt,) = chain.extend(create(ALICE, 0, 500)).receipts
    assert receipt.status and receipt.contract_address == TOKEN
    assert chain.state.token_balance(TOKEN, ALICE.symid) == 500
    contract = chain.state.contract(TOKEN)
    assert contract is not None and contract.total == 500


def test_a_transfer_pays_base_bytes_and_operation() -> None:
    chain = Replica()
    chain.extend(create(ALICE, 0, 500))
    one = call(ALICE, 1, TOKEN, sct20.Transfer(BOB.symid, 200))
    (receipt,) = chain.extend(one).receipts
    intrinsic = gas.intrinsic_gas(False, one.transaction.input)
    assert (receipt.status, receipt.gas_used) == (True, intrinsic + 7_000)
    assert chain.state.token_balance(TOKEN, BOB.symid) == 200


def test_a_failed_call_pays_base_and_bytes_and_its_nonce() -> None:
    chain = Replica()
    chain.extend(create(ALICE, 0, 500))
    one = call(ALICE, 1, TOKEN, sct20.Transfer(BOB.symid, 501))
    balance = chain.state.account(ALICE.symid).balance
    (receipt,) = chain.extend(one).receipts
    intrinsic = gas.intrinsic_gas(False, one.transaction.input)
    assert (receipt.status, receipt.err_code) == (False, sct20.ErrCode.BALANCE)
    assert receipt.gas_used == intrinsic
    assert chain.state.account(ALICE.symid) == (balance - intrinsic * PRICE, 2, 0)
    assert chain.state.token_balance(TOKEN, ALICE.symid) == 500
    assert chain.state.token_balance(TOKEN, BOB.symid) == 0


def test_a_call_out_of_gas_uses_its_whole_limit_up() -> None:
    chain = Replica()
    chain.extend(create(ALICE, 0, 500))
    whole = call(ALICE, 1, TOKEN, sct20.Transfer(BOB.symid, 1)).transaction.gas_limit
    one = call(ALICE, 1, TOKEN, sct20.Transfer(BOB.symid, 1), gas_limit=whole - 1)
    (receipt,) = chain.extend(one).receipts
    assert (receipt.status, receipt.err_code, receipt.gas_used) == (False, None, whole - 1)
    assert chain.state.token_balance(TOKEN, BOB.symid) == 0


def test_a_call_to_no_contract_fails_in_the_block() -> None:
    chain = Replica()
    (receipt,) = chain.extend(call(ALICE, 0, BOB.symid, sct20.Pause())).receipts
    assert (receipt.status, receipt.err_code) == (False, sct20.ErrCode.NO_CONTRACT)


def test_a_failed_creation_has_no_address() -> None:
    chain = Replica()
    one = call(ALICE, 0, b"", sct20.Create("Won", "X", 1, ALICE.symid))
    (receipt,) = chain.extend(one).receipts
    assert (receipt.err_code, receipt.contract_address) == (sct20.ErrCode.BAD_FORMAT, None)
    assert chain.state.contract(TOKEN) is None


@pytest.mark.parametrize("input_", [b"", b"\xc0", b"junk", encode_template(20, 0, ["Won"])])
def test_an_unreadable_creation_fails_with_1001(input_: bytes) -> None:
    chain = Replica()
    (receipt,) = chain.extend(signed(ALICE, 0, type=TYPE_SCT, input=input_)).receipts
    assert (receipt.status, receipt.err_code) == (False, sct20.ErrCode.BAD_FORMAT)
    assert receipt.gas_used == gas.intrinsic_gas(True, input_)


def test_a_creation_with_another_method_fails_with_1001() -> None:
    chain = Replica()
    (receipt,) = chain.extend(call(ALICE, 0, b"", sct20.Pause())).receipts
    assert (receipt.status, receipt.err_code) == (False, sct20.ErrCode.BAD_FORMAT)


@pytest.mark.parametrize("input_", [b"", b"junk", encode_template(20, 1, [b"short", 1])])
def test_refuses_an_unreadable_call(input_: bytes) -> None:
    one = signed(ALICE, 0, type=TYPE_SCT, to=BOB.symid, input=input_)
    assert isinstance(refusal(Replica(), one), MalformedCall)


def test_refuses_a_creation_inside_a_contract() -> None:
    one = call(ALICE, 0, BOB.symid, sct20.Create("Won", "WON", 1, ALICE.symid))
    assert isinstance(refusal(Replica(), one), MalformedCall)


def test_refuses_other_templates() -> None:
    one = signed(ALICE, 0, type=TYPE_SCT, input=encode_template(30, 0, ["Won", "WON", ALICE.symid]))
    assert isinstance(refusal(Replica(), one), UnsupportedTemplate)


# -- deposits ----------------------------------------


def test_deposits_add_up_and_come_back_whole() -> None:
    chain = Replica()
    chain.extend(deposit(ALICE, 0, 2 * SYM), deposit(ALICE, 1, 3 * SYM))
    account = chain.state.account(ALICE.symid)
    assert account.deposit == 5 * SYM
    assert account.balance == FUNDS_HUG - 5 * SYM - 2 * 8_000_000 * PRICE
    chain.extend(restore(ALICE, 2))
    after = chain.state.account(ALICE.symid)
    assert after == (FUNDS_HUG - (16_000_000 + 49_000) * PRICE, 3, 0)


def test_a_ca_keeps_its_deposit() -> None:
    chain = Replica()
    operator = Person(OPERATOR, OPERATOR_KEY)
    chain.extend(remit(operator, 0, FIRST_CA, 10 * SYM), deposit(CA, 0, SYM))
    chain.extend(deposit(CA, 0, SYM))
    assert chain.state.account(FIRST_CA).deposit == SYM
    assert isinstance(refusal(chain, restore(CA, 1)), DepositLocked)


def test_refuses_a_restore_with_a_value() -> None:
    one = signed(ALICE, 0, type=2, to=ALICE.symid, value=1)
    assert isinstance(refusal(Replica(), one), InvalidField)


# -- bodies ----------------------------------------


def test_prepare_leaves_out_what_does_not_apply_and_keeps_the_rest() -> None:
    chain = Replica()
    good, bad, after = (
        remit(ALICE, 0, BOB.symid),
        remit(BOB, 5, ALICE.symid),
        remit(ALICE, 1, CAROL.symid),
    )
    execution = chain.prepare(good, bad, after)
    assert execution.body.transactions == (good, after)
    assert [one.hash for one in execution.refused] == [bad.hash]


def test_prepare_stops_where_the_gas_of_the_block_ends() -> None:
    tokens = [create(ALICE, nonce) for nonce in range(24)]
    each = tokens[0].transaction.gas_limit
    fit = BLOCK_GAS_LIMIT // each
    execution = Replica().prepare(*tokens)
    assert execution.body.transactions == tuple(tokens[:fit]) and fit < 24
    assert execution.gas_used <= BLOCK_GAS_LIMIT < execution.gas_used + each
    # They did not fit, which is no reason to forget them.
    assert execution.refused == ()


def test_nobody_crowds_others_out_with_a_limit_that_is_not_used() -> None:
    greedy = [remit(ALICE, nonce, BOB.symid, 0, gas_limit=BLOCK_GAS_LIMIT) for nonce in range(4)]
    execution = Replica().prepare(*greedy, remit(BOB, 0, CAROL.symid))
    assert len(execution.body.transactions) == 5


def test_receipts_count_the_gas_of_the_block_up() -> None:
    block = Replica().extend(remit(ALICE, 0, BOB.symid), remit(BOB, 0, ALICE.symid))
    assert [one.cumulative_gas_used for one in block.receipts] == [49_000, 98_000]
    assert block.header.gas_used == 98_000


def test_a_citizen_may_be_paid_in_the_block_that_registers_it() -> None:
    chain = Replica()
    block = chain.extend(registered(STRANGER, 0), remit(ALICE, 0, STRANGER.symid))
    assert len(block.body.citizens) == len(block.body.transactions) == 1
    assert chain.state.account(STRANGER.symid).balance == SYM


def test_process_refuses_a_body_with_anything_invalid_in_it() -> None:
    chain = Replica()
    body = Body((remit(ALICE, 0, BOB.symid), remit(BOB, 1, ALICE.symid)))
    with pytest.raises(NonceTooHigh):
        transition.process(chain.tip, body, RULES)


def test_process_refuses_too_much() -> None:
    tokens = tuple(create(ALICE, nonce) for nonce in range(24))
    with pytest.raises(InvalidBlock):
        transition.process(Replica().tip, Body(tokens), RULES)


def test_finalize_refuses_time_that_stands_still_and_work_for_another_block() -> None:
    chain = Replica()
    execution = chain.prepare(remit(ALICE, 0, BOB.symid))
    with pytest.raises(InvalidBlock, match="time"):
        transition.finalize(chain.tip, execution, chain.tip.header.time_ms, BLOCK_SIGNER, RULES)
    stale = replace(execution, parent_hash=bytes(32))
    with pytest.raises(InvalidBlock, match="another block"):
        transition.finalize(chain.tip, stale, chain.tip.header.time_ms + 1, BLOCK_SIGNER, RULES)


def test_the_header_commits_to_everything() -> None:
    block = Replica().extend(registered(STRANGER, 0), remit(ALICE, 0, BOB.symid), create(BOB, 0))
    block.check_roots()
    header = block.header
    assert header.number == 1 and header.chain_id == CHAIN_ID
    assert header.citizen_block_number == 1
    again = Replica().extend(registered(STRANGER, 0), remit(ALICE, 0, BOB.symid), create(BOB, 0))
    assert again.hash == block.hash
    other = Replica().extend(registered(STRANGER, 0), remit(ALICE, 0, BOB.symid, 2), create(BOB, 0))
    assert other.hash != block.hash and other.header.state_root != header.state_root


def test_a_block_without_citizens_has_no_citizen_block() -> None:
    chain = Replica()
    assert chain.extend(remit(ALICE, 0, BOB.symid)).header.citizen_block_number == 0
    assert chain.extend(registered(STRANGER, 0)).header.citizen_block_number == 1
    assert chain.extend().header.citizen_block_number == 1


def test_fees_leave_the_supply() -> None:
    """Nobody is paid the fees, so the SYM of all accounts shrinks by exactly them."""
    chain = Replica()
    before = _all_hug(chain)
    block = chain.extend(remit(ALICE, 0, BOB.symid), create(BOB, 0), deposit(CAROL, 0, SYM))
    assert before - _all_hug(chain) == block.header.gas_used * PRICE


def _all_hug(chain: Replica) -> int:
    accounts = [
        chain.state.account(key[1:])
        for key in chain.tip.state.entries  # type: ignore[attr-defined]
        if key[:1] == b"a"
    ]
    return sum(account.balance + account.deposit for account in accounts)


def test_platform_accounts_are_funded_at_genesis() -> None:
    assert Replica().state.account(TOKEN_OWNER).balance > 0

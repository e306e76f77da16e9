"""What a transaction did, read from its input and its receipt."""

from dataclasses import replace

from tests.unit.index.blocks import GAS_PRICE_HUG, PaperChain, symid

from jigap.chain import sct20
from jigap.index.effects import AccountView, Book, effects_of, touched

ALICE, BOB, CAROL = symid(10), symid(11), symid(12)
TOKEN = bytes.fromhex("4801e91a5068757a9484")
FEE_HUG = 49_000 * GAS_PRICE_HUG


def funded(**balances: int) -> Book:
    names = {"alice": ALICE, "bob": BOB, "carol": CAROL}
    return Book({names[name]: AccountView(hug) for name, hug in balances.items()})


def test_fee_is_gas_used_times_price_even_if_the_call_failed() -> None:
    failed = PaperChain().call(ALICE, TOKEN, sct20.Transfer(BOB, 5), status=False, err_code=2000)
    book = funded(alice=FEE_HUG + 1)
    (fee,) = book.settle(effects_of(failed), 1)
    assert (fee.kind, fee.contract, fee.source, fee.amount) == ("fee", None, ALICE, FEE_HUG)
    assert book.accounts[ALICE] == AccountView(balance_hug=1, nonce=1)
    assert book.holdings == {}


def test_remit_moves_its_value_if_it_succeeded() -> None:
    chain = PaperChain()
    book = funded(alice=2 * FEE_HUG + 7)
    book.settle(effects_of(chain.remit(ALICE, BOB, 7)), 1)
    book.settle(effects_of(chain.remit(ALICE, BOB, 7, status=False)), 1)
    assert book.accounts == {ALICE: AccountView(0, 2), BOB: AccountView(7, 0)}


def test_remit_to_oneself_costs_only_the_fee() -> None:
    book = funded(alice=FEE_HUG + 7)
    book.settle(effects_of(PaperChain().remit(ALICE, ALICE, 7)), 1)
    assert book.accounts == {ALICE: AccountView(7, 1)}


def test_deposit_leaves_the_balance_and_comes_back_whole() -> None:
    chain = PaperChain()
    book = funded(alice=4 * FEE_HUG + 30)
    book.settle(effects_of(chain.deposit(ALICE, 10)), 1)
    book.settle(effects_of(chain.deposit(ALICE, 20)), 1)
    assert book.accounts[ALICE] == AccountView(2 * FEE_HUG, 2, 30)
    _, restored = book.settle(effects_of(chain.restore(ALICE)), 1)
    assert (restored.kind, restored.target, restored.amount) == ("restore", ALICE, 30)
    assert book.accounts[ALICE] == AccountView(FEE_HUG + 30, 3, 0)


def test_creation_gives_the_supply_to_the_owner_not_to_the_sender() -> None:
    created = PaperChain().create(ALICE, sct20.Create("Token", "TOK", 100, BOB))
    book = funded(alice=FEE_HUG)
    _, supply = book.settle(effects_of(created), 9)
    assert (supply.kind, supply.source, supply.target, supply.amount) == ("create", None, BOB, 100)
    assert created.contract_address is not None
    contract = book.contracts[created.contract_address]
    assert (contract.creator, contract.owner, contract.total) == (ALICE, BOB, 100)
    assert (contract.name, contract.symbol, contract.created_block) == ("Token", "TOK", 9)
    assert book.holdings == {(created.contract_address, BOB): 100}


def test_every_method_moves_what_it_says() -> None:
    chain = PaperChain()
    created = chain.create(ALICE, sct20.Create("Token", "TOK", 100, ALICE))
    token = created.contract_address
    assert token is not None
    calls = [
        chain.call(ALICE, token, sct20.Transfer(BOB, 40)),
        chain.call(BOB, token, sct20.Approve(CAROL, 15)),
        chain.call(CAROL, token, sct20.TransferFrom(BOB, CAROL, 15)),
        chain.call(BOB, token, sct20.DecreaseApprove(CAROL, 0)),
        chain.call(ALICE, token, sct20.Mint(CAROL, 5)),
        chain.call(ALICE, token, sct20.Burn(BOB, 1)),
        chain.call(ALICE, token, sct20.Pause()),
        chain.call(ALICE, token, sct20.TransferOwner(BOB)),
    ]
    book = funded(alice=10**18, bob=10**18, carol=10**18)
    for one in [created, *calls]:
        book.settle(effects_of(one), 1)
    assert book.holdings == {(token, ALICE): 60, (token, BOB): 24, (token, CAROL): 20}
    contract = book.contracts[token]
    assert (contract.total, contract.paused, contract.owner) == (104, True, BOB)
    book.settle(effects_of(chain.call(BOB, token, sct20.Unpause())), 1)
    assert not book.contracts[token].paused
    assert book.shortfalls == []


def test_other_templates_cost_a_fee_and_move_nothing_we_follow() -> None:
    chain = PaperChain()
    other = chain.call(ALICE, TOKEN, sct20.Transfer(BOB, 5))
    other = replace(other, input=sct20.encode_template(30, 2, [BOB, 1]))
    junk = replace(chain.remit(ALICE, TOKEN, 0), type=1, input=b"\xff\xff")
    for one in (other, junk):
        effects = effects_of(one)
        assert (effects.moved, effects.call, effects.contract) == (None, None, None)
        assert effects.fee.amount == FEE_HUG


def test_touched_names_every_key_that_settling_reads() -> None:
    chain = PaperChain()
    effects = [
        effects_of(chain.remit(ALICE, BOB, 1)),
        effects_of(chain.call(BOB, TOKEN, sct20.TransferFrom(ALICE, CAROL, 1))),
        effects_of(chain.call(BOB, TOKEN, sct20.Pause())),
    ]
    keys = touched(effects)
    assert keys.accounts == {ALICE, BOB}
    assert keys.holdings == {(TOKEN, ALICE), (TOKEN, CAROL)}
    assert keys.contracts == {TOKEN}


def test_moving_more_than_the_book_has_is_told_not_hidden() -> None:
    book = funded(alice=10**18)
    book.holdings[(TOKEN, ALICE)] = 3
    book.settle(effects_of(PaperChain().call(ALICE, TOKEN, sct20.Transfer(BOB, 5))), 1)
    (shortfall,) = book.shortfalls
    assert (shortfall.contract, shortfall.symid) == (TOKEN, ALICE)
    assert (shortfall.had, shortfall.needed) == (3, 5)
    assert book.holdings == {(TOKEN, ALICE): 0, (TOKEN, BOB): 5}


def test_a_token_name_cannot_carry_what_a_database_refuses() -> None:
    created = PaperChain().create(ALICE, sct20.Create("a\x00b\n지갑", "TOK", 1, ALICE))
    book = funded(alice=FEE_HUG)
    book.settle(effects_of(created), 1)
    (contract,) = book.contracts.values()
    assert contract.name == "a\ufffdb\ufffd지갑"

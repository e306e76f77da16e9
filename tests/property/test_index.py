"""The index follows the chain's own rules: whatever a chain does, both end with the same balances.

Random transactions, good and bad, are executed by the node's transition; the blocks that come of
it, as a client would see them, are taken into an index. Nothing else passes between the two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine
from tests.blocks import as_client_sees

from jigap import index
from jigap.chain import citizen, gas, sct20, transaction
from jigap.chain.citizen import CitizenTransaction
from jigap.chain.signature import PrivateKey
from jigap.chain.symid import FIRST_CA, contract_address, make
from jigap.database import metadata
from jigap.index import AccountView, Book, records
from jigap.node.client import ChainBlock
from jigap.node.genesis import FirstBlock, Genesis, GenesisAccount, first_block
from jigap.node.state import MemoryReader, State
from jigap.node.transition import (
    Candidate,
    CitizenCandidate,
    Rules,
    Tip,
    finalize,
    prepare,
)

CHAIN_ID = 7777
RULES = Rules(CHAIN_ID)
PEOPLE = [make(2, bytes(5) + bytes([number])) for number in range(10, 14)]
NEWCOMER = make(2, bytes(5) + b"\x20")
KEYS = {who: PrivateKey(bytes(31) + bytes([number])) for number, who in enumerate(PEOPLE, 1)}
CA_KEY = PrivateKey(bytes(31) + b"\x77")
#: The last one can pay for three calls and no more.
FUNDS_HUG = [10**21, 10**21, 10**21, 3 * 10**16]
GENESIS = Genesis(
    CHAIN_ID,
    PEOPLE[0],
    (
        GenesisAccount(FIRST_CA, CA_KEY.public_key_hash, role=citizen.Role.CA),
        *(
            GenesisAccount(who, KEYS[who].public_key_hash, hug)
            for who, hug in zip(PEOPLE, FUNDS_HUG, strict=True)
        ),
    ),
)
FIRST: FirstBlock = first_block(GENESIS)

WHAT = [
    *("remit", "deposit", "restore", "register"),
    *("create", "transfer", "transfer_from", "approve", "decrease"),
    *("mint", "burn", "pause", "unpause", "unpause", "owner"),
]
#: (what, who does it, with whom, how much, whether the block ends after it)
Act = tuple[str, int, int, int, bool]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(WHAT),
        st.integers(0, 3),
        st.integers(0, 4),
        st.sampled_from([7, 0, 1, 6, 20, 2**256 - 60]),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


#: Two tokens that everybody holds, and may take of each other, so that calls can succeed.
FIRST_ACTS: list[Act] = [
    act
    for token in (0, 1)
    for act in [
        ("create", token, token, 500, False),
        *(("transfer", token, other, 50, True) for other in range(4)),
        *(("approve", who, (who + 1) % 4, 50, False) for who in range(4)),
    ]
]


@dataclass
class Chain:
    """A chain in memory, and what a client would have seen of it."""

    state: MemoryReader
    tip: Tip
    blocks: list[ChainBlock]
    contracts: list[bytes]

    def act(self, what: str, who: int, whom: int, amount: int) -> None:
        """Make a block of one act, or none if the chain refuses it."""
        if what == "register":
            self._block([self._registration()], [])
            return
        sender, other = PEOPLE[who], [*PEOPLE, NEWCOMER][whom]
        nonce = State(self.state).account(sender).nonce
        contract = self.contracts[-1 - amount % 2]
        fields = _fields(what, contract, sender, other, amount)
        asked = transaction.Transaction(
            sender=sender,
            nonce=nonce,
            gas_price=gas.GAS_PRICE_HUG,
            work_nodes=(PEOPLE[0],),
            extra_data=b"",
            **fields,
        )
        if what == "create":
            self.contracts.append(contract_address(sender, nonce))
        signed = transaction.sign(asked, KEYS[sender], CHAIN_ID)
        self._block([], [Candidate(signed, KEYS[sender].public_key_hash)])

    def _registration(self) -> CitizenCandidate:
        asked = CitizenTransaction(
            sender=FIRST_CA,
            to=b"",
            nonce=State(self.state).citizen_nonce(FIRST_CA),
            symid=NEWCOMER,
            key_hash=b"\x42" * 20,
        )
        return CitizenCandidate(citizen.sign(asked, CA_KEY, CHAIN_ID), CA_KEY.public_key_hash)

    def _block(self, citizens: list[CitizenCandidate], candidates: list[Candidate]) -> None:
        execution = prepare(self.tip, citizens, candidates, RULES)
        time_ms = self.tip.header.time_ms + 1
        made = finalize(self.tip, execution, time_ms, PEOPLE[0], RULES)
        self.state.apply(made.changes)
        self.tip = Tip(made.header, made.header.hash, self.state, made.sum)
        self.blocks.append(as_client_sees(made, made.header.hash))


def _fields(what: str, contract: bytes, sender: bytes, other: bytes, amount: int) -> dict[str, Any]:
    fields: dict[str, Any] = {"gas_limit": 60_000, "to": b"", "value": 0, "input": b"", "type": 0}
    if what == "remit":
        return fields | {"to": other, "value": amount}
    if what == "deposit":
        return fields | {"type": 2, "value": amount, "gas_limit": 8_000_000}
    if what == "restore":
        return fields | {"type": 2, "to": sender}
    calls: dict[str, sct20.Call] = {
        "create": sct20.Create("Token", "TOK", amount, other),
        "transfer": sct20.Transfer(other, amount),
        "transfer_from": sct20.TransferFrom(PEOPLE[PEOPLE.index(sender) - 1], other, amount),
        "approve": sct20.Approve(other, amount),
        "decrease": sct20.DecreaseApprove(other, amount),
        "mint": sct20.Mint(other, amount),
        "burn": sct20.Burn(other, amount),
        "pause": sct20.Pause(),
        "unpause": sct20.Unpause(),
        "owner": sct20.TransferOwner(other),
    }
    to = b"" if what == "create" else contract
    limit = 8_200_000 if what == "create" else 110_000
    return fields | {"type": 1, "to": to, "input": sct20.encode(calls[what]), "gas_limit": limit}


def run(acts: Sequence[Act]) -> Chain:
    """The chain after the FIRST_ACTS and these."""
    tip = FIRST.tip()
    assert isinstance(tip.state, MemoryReader)
    chain = Chain(
        tip.state, tip, [as_client_sees(FIRST.finalized, FIRST.finalized.header.hash)], [bytes(10)]
    )
    for what, who, whom, amount, _ in [*FIRST_ACTS, *acts]:
        chain.act(what, who, whom, amount)
    return chain


def merged(blocks: Sequence[ChainBlock], ends: Sequence[bool]) -> list[ChainBlock]:
    """The same transactions in fewer blocks: a block goes on until one of ``ends`` says so."""
    groups: list[list[ChainBlock]] = [[]]
    for block, end in zip(blocks, ends, strict=True):
        groups[-1].append(block)
        if end:
            groups.append([])
    parent_hash = FIRST.block.hash
    result: list[ChainBlock] = []
    for number, group in enumerate((group for group in groups if group), 1):
        transactions = [one for block in group for one in block.transactions]
        block = replace(
            group[-1],
            number=number,
            parent_hash=parent_hash,
            transactions=tuple(replace(one, index=i) for i, one in enumerate(transactions)),
            citizens=tuple(one for block in group for one in block.citizens),
        )
        parent_hash = block.hash
        result.append(block)
    return result


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """A database in memory; every example rolls back what it wrote."""
    made = create_engine("sqlite://")
    metadata.create_all(made)
    yield made
    made.dispose()


TABLES = [
    index.chain_accounts,
    index.chain_holdings,
    index.chain_contracts,
    index.chain_citizens,
    index.chain_transactions,
    index.chain_blocks,
]


def indexed(connection: Connection, blocks: Sequence[ChainBlock]) -> None:
    """An empty index takes these blocks in, the first being block 0."""
    for table in TABLES:
        connection.execute(table.delete())
    funds = dict(zip(PEOPLE, map(AccountView, FUNDS_HUG), strict=True))
    records.save_book(connection, Book(), Book(funds | {FIRST_CA: AccountView()}))
    for block in blocks:
        assert index.apply(connection, block).shortfalls == ()


def rows(connection: Connection, *tables: Any) -> list[list[tuple[Any, ...]]]:
    return [sorted(tuple(row) for row in connection.execute(table.select())) for table in tables]


@given(acts=ACTS)
@settings(max_examples=120, deadline=None)
def test_index_and_chain_agree_about_everything(engine: Engine, acts: list[Act]) -> None:
    chain = run(acts)
    state = State(chain.state)
    with engine.connect() as connection:
        indexed(connection, chain.blocks)
        for who in [*PEOPLE, NEWCOMER, FIRST_CA]:
            there, here = state.account(who), index.account(connection, who)
            assert (here.balance_hug, here.nonce, here.deposit_hug) == there
            assert index.is_citizen(connection, who) == state.is_citizen(who)
        for view in index.every_contract(connection):
            there_too = state.contract(view.contract)
            assert there_too is not None
            assert (view.creator, view.owner) == (there_too.creator, there_too.owner)
            assert (view.total, view.paused) == (there_too.total, there_too.paused)
            held = {who: state.token_balance(view.contract, who) for who in [*PEOPLE, NEWCOMER]}
            assert sum(held.values()) == view.total
            for who, balance in held.items():
                assert index.holding(connection, view.contract, who) == balance
        made = {key[1:] for key in chain.state.entries if key.startswith(b"s")}
        assert made == {view.contract for view in index.every_contract(connection)}


@given(acts=ACTS)
@settings(max_examples=60, deadline=None)
def test_every_block_conserves_and_names_what_it_changed(engine: Engine, acts: list[Act]) -> None:
    blocks = run(acts).blocks
    with engine.connect() as connection:
        indexed(connection, blocks[:1])
        for block in blocks[1:]:
            before = rows(connection, index.chain_accounts, index.chain_holdings)
            applied = index.apply(connection, block)
            after = rows(connection, index.chain_accounts, index.chain_holdings)
            changed = [set(new) - set(old) for old, new in zip(before, after, strict=True)]
            assert {row[0] for row in changed[0]} <= applied.accounts
            assert {row[:2] for row in changed[1]} <= applied.holdings.keys()
            for contract, total in applied.totals.items():
                moved = [one.delta for key, one in applied.holdings.items() if key[0] == contract]
                assert sum(moved) == total.delta


@given(acts=ACTS)
@settings(max_examples=60, deadline=None)
def test_rebuilding_from_block_0_gives_the_same_rows(engine: Engine, acts: list[Act]) -> None:
    blocks = run(acts).blocks
    with engine.connect() as connection:
        indexed(connection, blocks)
        incremental = rows(connection, *TABLES)
        indexed(connection, blocks)
        assert rows(connection, *TABLES) == incremental


@given(acts=ACTS)
@settings(max_examples=60, deadline=None)
def test_where_blocks_end_does_not_matter_to_balances(engine: Engine, acts: list[Act]) -> None:
    blocks = run(acts).blocks
    with engine.connect() as connection:
        indexed(connection, blocks)
        one_by_one = rows(connection, index.chain_accounts, index.chain_holdings)
        indexed(
            connection, [blocks[0], *merged(blocks[1:], [act[4] for act in [*FIRST_ACTS, *acts]])]
        )
        assert rows(connection, index.chain_accounts, index.chain_holdings) == one_by_one

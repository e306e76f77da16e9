"""Blocks go into the index one by one, and everything read from it belongs to one height."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from tests.unit.index.blocks import PaperChain, PaperNode, citizen, key_hash, symid

from jigap import index
from jigap.chain import sct20
from jigap.database import Database
from jigap.index import AccountView, Applied, ChainForked
from jigap.index.follow import PASSING_ERRORS
from jigap.node.client import ChainBlock, ChainContract, NodeClient, RpcError

OWNER, ALICE, BOB = symid(2), symid(10), symid(11)
FUNDS_HUG = 10**21

Take = Callable[[ChainBlock], Awaitable[Applied]]


@pytest.fixture
def node() -> PaperNode:
    return PaperNode({OWNER: FUNDS_HUG})


@pytest.fixture
async def take(database: Database, node: PaperNode) -> AsyncIterator[Take]:
    """Takes a block into the index as the dispatcher does."""

    async def take_in(block: ChainBlock) -> Applied:
        await index.prepare(database, cast(NodeClient, node), block)
        return await database.write(index.apply, block)

    yield take_in


async def with_token(take: Take, chain: PaperChain) -> bytes:
    """Block 0 with its citizens, block 1 with a token of 1,000 base units."""
    await take(chain.mine(citizen(2), citizen(10), citizen(11)))
    token = chain.create(OWNER, sct20.Create("Token", "TOK", 1_000, OWNER)).contract_address
    assert token is not None
    await take(chain.mine())
    return token


async def test_genesis_balances_come_from_the_node(
    take: Take, database: Database, node: PaperNode
) -> None:
    assert await database.read(index.height) == -1
    await take(PaperChain().mine(citizen(2), citizen(10)))
    assert await database.read(index.height) == 0
    assert await database.read(index.account, OWNER) == AccountView(FUNDS_HUG)
    assert await database.read(index.account, ALICE) == AccountView()
    assert {asked[2] for asked in node.asked} == {0}


async def test_a_block_changes_balances_contracts_and_citizens(
    take: Take, database: Database
) -> None:
    chain = PaperChain()
    token = await with_token(take, chain)
    paid = chain.call(OWNER, token, sct20.Transfer(ALICE, 400), extra_data=b"tag")
    refused = chain.call(OWNER, token, sct20.Transfer(BOB, 9_000), status=False, err_code=2000)
    chain.remit(OWNER, ALICE, 5)
    applied = await take(chain.mine(citizen(12)))

    assert [one.kind for one in applied.movements] == ["fee", "transfer", "fee", "fee", "remit"]
    assert applied.contracts == {token}
    assert applied.accounts == {OWNER, ALICE}
    assert applied.holdings[(token, ALICE)].delta == 400
    assert applied.totals[token].delta == 0
    assert applied.shortfalls == ()
    assert await database.read(index.holding, token, ALICE) == 400
    assert await database.read(index.holding, token, OWNER) == 600
    assert await database.read(index.holding, token, BOB) == 0
    assert await database.read(index.balances_of, ALICE) == [(token, 400)]
    assert (await database.read(index.account, ALICE)).balance_hug == 5
    assert (await database.read(index.account, OWNER)).nonce == 4
    view = await database.read(index.contract, token)
    assert view is not None
    assert (view.symbol, view.total, view.created_block) == ("TOK", 1_000, 1)
    asked = {key_hash(12), b"\xff" * 20}
    assert await database.read(index.citizens_by_key, asked) == {key_hash(12): symid(12)}
    assert await database.read(index.is_citizen, symid(12))
    assert not await database.read(index.is_citizen, symid(13))

    found = await database.read(index.transaction, paid.hash)
    assert found is not None
    assert (found.block_number, found.position, found.succeeded) == (2, 0, True)
    assert (found.kind, found.contract) == ("transfer", token)
    assert (found.source, found.target, found.amount) == (OWNER, ALICE, 400)
    assert found.fee_hug == paid.gas_used * paid.gas_price
    assert await database.read(index.by_nonce, OWNER, paid.nonce) == found
    assert await database.read(index.tagged, b"tag") == found
    assert await database.read(index.tagged, b"tag", ALICE) is None
    failed = await database.read(index.transaction, refused.hash)
    assert failed is not None
    assert (failed.succeeded, failed.err_code, failed.kind) == (False, 2000, None)


async def test_a_block_is_taken_once_and_none_is_left_out(take: Take) -> None:
    chain = PaperChain()
    first, second, third = chain.mine(citizen(2)), chain.mine(), chain.mine()
    await take(first)
    for wrong in (first, third):
        with pytest.raises(index.BlockMissing):
            await take(wrong)
    await take(second)
    await take(third)


async def test_a_block_with_another_parent_is_a_fork_and_changes_nothing(
    take: Take, database: Database
) -> None:
    chain = PaperChain()
    await take(chain.mine(citizen(2)))
    other = PaperChain()
    other.mine()
    other.remit(OWNER, ALICE, 5)
    block = other.mine()
    forked = ChainBlock(1, block.hash, b"\x11" * 32, block.time_ms, block.transactions, ())
    with pytest.raises(ChainForked) as refused:
        await take(forked)
    assert refused.value.facts["parent_hash"] == "0x" + "11" * 32
    assert await database.read(index.height) == 0
    assert (await database.read(index.account, OWNER)).balance_hug == FUNDS_HUG


async def test_only_accounts_older_than_the_chain_cost_a_question(
    take: Take, node: PaperNode
) -> None:
    chain = PaperChain()
    await take(chain.mine(citizen(2)))
    node.asked.clear()
    chain.remit(OWNER, symid(20), 5)
    await take(chain.mine(citizen(20)))
    chain.remit(OWNER, symid(20), 5)
    chain.remit(symid(20), OWNER, 1)
    await take(chain.mine())
    assert node.asked == []


async def test_an_index_that_begins_late_asks_for_the_block_before(
    take: Take, database: Database, node: PaperNode
) -> None:
    chain = PaperChain()
    for _ in range(5):
        chain.mine()
    token = b"\x77" * 10
    node.contracts[token] = ChainContract(token, OWNER, OWNER, "Old", "OLD", 900, False)
    node.holdings = {(token, OWNER): 800, (token, ALICE): 100}
    node.nonces[OWNER] = 0
    node.citizens[OWNER] = citizen(2)
    chain.call(OWNER, token, sct20.Transfer(ALICE, 50))
    await take(chain.mine())
    assert {asked[2] for asked in node.asked} == {4}
    assert await database.read(index.holding, token, ALICE) == 150
    assert await database.read(index.holding, token, OWNER) == 750
    view = await database.read(index.contract, token)
    assert view is not None
    assert (view.total, view.created_block) == (900, None)
    assert await database.read(index.is_citizen, OWNER)

    chain.mine()
    node.asked.clear()
    chain.call(OWNER, token, sct20.Transfer(BOB, 1))
    await take(chain.blocks[6])
    await take(chain.mine())
    assert node.asked == [("holding", (token, BOB), 6)]


async def test_a_node_that_forgot_the_state_is_told_as_such(
    database: Database, node: PaperNode
) -> None:
    async def gone(*_: Any) -> int:
        raise RpcError(-32000, "state at block 4 is not kept")

    node.balance = gone  # type: ignore[method-assign]
    chain = PaperChain()
    for _ in range(5):
        chain.mine()
    chain.remit(OWNER, ALICE, 1)
    with pytest.raises(index.StateGone, match="state at block 4 is not kept"):
        await index.prepare(database, cast(NodeClient, node), chain.mine())


@pytest.mark.parametrize("code", sorted(PASSING_ERRORS))
async def test_a_node_that_stumbles_is_asked_again_and_not_given_up(
    database: Database, node: PaperNode, code: int
) -> None:
    async def stumbles(*_: Any) -> int:
        raise RpcError(code, "internal error")

    node.balance = stumbles  # type: ignore[method-assign]
    chain = PaperChain()
    chain.mine()
    chain.remit(OWNER, ALICE, 1)
    with pytest.raises(RpcError, match="internal error"):
        await index.prepare(database, cast(NodeClient, node), chain.mine())


async def test_preparing_again_after_a_crash_changes_nothing(
    database: Database, node: PaperNode
) -> None:
    block = PaperChain().mine(citizen(2))
    for _ in range(2):
        await index.prepare(database, cast(NodeClient, node), block)
    await database.write(index.apply, block)
    assert await database.read(index.account, OWNER) == AccountView(FUNDS_HUG)


async def test_what_was_never_prepared_is_a_bug_not_a_guess(database: Database) -> None:
    chain = PaperChain()
    await database.write(index.apply, chain.mine())
    chain.remit(OWNER, ALICE, 5)
    with pytest.raises(AssertionError, match="was not prepared"):
        await database.write(index.apply, chain.mine())


async def test_a_citizen_keeps_its_first_block_and_shows_its_latest_state(
    take: Take, database: Database
) -> None:
    chain = PaperChain()
    await take(chain.mine(citizen(10)))
    await take(chain.mine(citizen(10, status=4), citizen(11)))
    rows = await database.read(
        lambda connection: connection.execute(
            index.chain_citizens.select().order_by(index.chain_citizens.c.symid)
        ).all()
    )
    assert [(row.symid, row.status, row.block_number, row.changed_block) for row in rows] == [
        (symid(10), 4, 0, 1),
        (symid(11), 1, 1, 1),
    ]


async def test_an_account_pages_through_what_it_sent_and_got(
    take: Take, database: Database
) -> None:
    chain = PaperChain()
    token = await with_token(take, chain)
    expected = []
    for round_ in range(4):
        expected.append(chain.call(OWNER, token, sct20.Transfer(ALICE, 10 + round_)).hash)
        chain.call(OWNER, token, sct20.Transfer(BOB, 1))
        expected.append(chain.call(ALICE, token, sct20.Approve(BOB, 1)).hash)
        expected.append(chain.call(BOB, token, sct20.TransferFrom(ALICE, BOB, 1)).hash)
        await take(chain.mine())
    seen: list[bytes] = []
    cursor: int | None = None
    while page := await database.read(index.transactions_of, ALICE, cursor, 5):
        assert len(page) <= 5
        seen += [one.hash for one in page]
        cursor = page[-1].place
    assert seen == expected[::-1]
    in_block = await database.read(index.transactions_in, 3)
    assert [one.block_number for one in in_block] == [3, 3, 3, 3]
    assert [one.position for one in in_block] == [0, 1, 2, 3]


async def test_extra_data_of_any_length_is_kept_and_only_short_ones_are_tags(
    take: Take, database: Database
) -> None:
    chain = PaperChain()
    await take(chain.mine(citizen(2), citizen(10)))
    long = chain.remit(OWNER, ALICE, 1, extra_data=bytes(range(256)) * 100)
    chain.remit(OWNER, ALICE, 1)
    await take(chain.mine())
    found = await database.read(index.transaction, long.hash)
    assert found is not None
    assert found.extra_data == long.extra_data
    assert await database.read(index.tagged, long.extra_data) is None
    assert await database.read(index.tagged, b"") is None


async def test_a_wrong_holding_is_reported_and_does_not_stop_the_index(
    take: Take, database: Database
) -> None:
    chain = PaperChain()
    token = await with_token(take, chain)
    await database.write(
        lambda connection: connection.execute(index.chain_holdings.update().values(balance=1))
    )
    chain.call(OWNER, token, sct20.Transfer(ALICE, 10))
    applied = await take(chain.mine())
    (shortfall,) = applied.shortfalls
    assert (shortfall.contract, shortfall.symid) == (token, OWNER)
    assert (shortfall.had, shortfall.needed) == (1, 10)
    assert await database.read(index.height) == 2

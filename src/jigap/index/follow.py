"""Taking the blocks of a chain into the index, one after the other, none left out.

``prepare`` asks the node for whatever a block touches that is older than the index; ``apply`` then
takes the block in, inside the caller's transaction, from the block alone. Together they keep one
promise: after ``apply(N)`` every balance in the index is the chain's own at block N.

An index that begins at block 0 asks the node only for the accounts of the genesis; one that begins
later asks for each account, holding and contract as of the block before it is first touched.
"""

import asyncio
from dataclasses import dataclass

from sqlalchemy import Connection

from jigap.chain import sct20
from jigap.database import Database
from jigap.index import records
from jigap.index.effects import (
    NAME_CHARS_MAX,
    SYMBOL_CHARS_MAX,
    AccountView,
    Book,
    ContractView,
    Movement,
    Shortfall,
    Touched,
    effects_of,
    printable,
    touched,
)
from jigap.node.client import ChainBlock, ChainCitizen, NodeClient, RpcError
from jigap.refusal import Kind, Refusal


class ChainForked(Refusal):
    """The node's block does not continue the blocks that the index holds."""

    code = "chain_forked"
    kind = Kind.UNAVAILABLE
    hint = (
        "The chain behind the node is not the one this platform has followed. Connect the node "
        "that has it, or restore chain and database from the same backup."
    )


class BlockMissing(Refusal):
    """A block was offered that does not come next."""

    code = "block_missing"
    kind = Kind.UNAVAILABLE
    retryable = True
    hint = "Blocks are taken in one by one; fetch the next one."


@dataclass(frozen=True, slots=True)
class Change:
    """One number before and after a block."""

    before: int
    after: int

    @property
    def delta(self) -> int:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Applied:
    """What a block changed.

    ``accounts`` are the SymIDs whose SYM changed, ``contracts`` the tokens called with success,
    ``holdings`` and ``totals`` the changed base units per (contract, account) and per contract.
    ``shortfalls`` is empty unless the index was wrong before this block.
    """

    number: int
    movements: tuple[Movement, ...]
    contracts: frozenset[bytes]
    accounts: frozenset[bytes]
    holdings: dict[tuple[bytes, bytes], Change]
    totals: dict[bytes, Change]
    shortfalls: tuple[Shortfall, ...]


def apply(connection: Connection, block: ChainBlock) -> Applied:
    """Take the next block in. Prepare it first.

    The first block of an empty index may have any number. Raises ``BlockMissing`` if the block is
    not the next one, ``ChainForked`` if it does not continue our last one.
    """
    check_follows(connection, block)
    effects = [effects_of(transaction) for transaction in block.transactions]
    keys = touched(effects)
    records.save_block(connection, block)
    records.save_citizens(connection, block.number, block.citizens)
    before = records.load_book(connection, keys)
    _check_prepared(connection, block.number, keys, before)
    after = Book(dict(before.accounts), dict(before.holdings), dict(before.contracts))
    settled = [(one, after.settle(one, block.number)) for one in effects]
    records.save_transactions(
        connection,
        block.number,
        [(one, each[1] if len(each) > 1 else None) for one, each in settled],
    )
    records.save_book(connection, before, after)
    movements = [movement for _, each in settled for movement in each]
    return _applied(block, movements, keys, before, after)


def check_follows(connection: Connection, block: ChainBlock) -> None:
    """Raise unless ``block`` is the one after the last that was taken in."""
    height = records.height(connection)
    if height < 0:
        return
    if block.number != height + 1:
        raise BlockMissing(
            f"Block {block.number} was offered, but block {height + 1} comes next.",
            offered=block.number,
            expected=height + 1,
        )
    last = records.block(connection, height)
    assert last is not None
    if block.parent_hash != last.hash:
        raise ChainForked(
            f"Block {block.number} of the node continues block {height} with hash "
            f"0x{block.parent_hash.hex()}, but the platform has followed 0x{last.hash.hex()}.",
            block_number=block.number,
            parent_hash=f"0x{block.parent_hash.hex()}",
            expected_hash=f"0x{last.hash.hex()}",
        )


def _applied(
    block: ChainBlock, movements: list[Movement], keys: Touched, before: Book, after: Book
) -> Applied:
    return Applied(
        number=block.number,
        movements=tuple(movements),
        contracts=keys.contracts,
        accounts=keys.accounts,
        holdings={
            key: Change(before.holdings.get(key, 0), balance)
            for key, balance in after.holdings.items()
        },
        totals={
            id_: Change(before.contracts[id_].total if id_ in before.contracts else 0, view.total)
            for id_, view in after.contracts.items()
        },
        shortfalls=tuple(after.shortfalls),
    )


def _check_prepared(connection: Connection, number: int, keys: Touched, before: Book) -> None:
    missing = keys.accounts - before.accounts.keys()
    unknown = missing - records.newborn(connection, missing) if missing else missing
    assert not unknown, f"block {number} was not prepared: {[one.hex() for one in unknown]}"


# --- what is older than the index


#: JSON-RPC errors that say nothing about the state: internal error, limit exceeded.
PASSING_ERRORS = frozenset({-32603, -32005})


class StateGone(Refusal):
    """The node no longer knows balances as they were at a block we need."""

    code = "state_gone"
    kind = Kind.UNAVAILABLE
    hint = (
        "The index is too far behind for this node. Use a node that keeps old states, or begin the "
        "index again at a recent block."
    )


@dataclass(frozen=True, slots=True)
class _Older:
    """What a block touches that the index has never seen; to be asked as of block ``at``."""

    at: int
    keys: Touched
    citizens: frozenset[bytes]


async def prepare(database: Database, client: NodeClient, block: ChainBlock) -> None:
    """Ask the node for what ``block`` touches and the index has never seen, and record it.

    May be repeated. Raises ``StateGone``, and what the node client raises when it is worth asking
    again.
    """
    older = await database.read(_older, block)
    if not any((older.keys.accounts, older.keys.holdings, older.keys.contracts, older.citizens)):
        return
    begun, citizens = await _ask(client, older)
    await database.write(_record_older, begun, citizens)


def _record_older(connection: Connection, begun: Book, citizens: list[ChainCitizen]) -> None:
    records.save_book(connection, Book(), begun)
    records.save_citizens(connection, -1, citizens)


def _older(connection: Connection, block: ChainBlock) -> _Older:
    """The keys of the block that are neither known nor sure to have begun at zero."""
    effects = [effects_of(transaction) for transaction in block.transactions]
    keys = touched(effects)
    first = records.first_height(connection)
    accounts = _older_accounts(connection, block, keys, first)
    known = records.contracts(connection, keys.contracts)
    created = {one.contract for one in effects if isinstance(one.call, sct20.Create)}
    contracts = keys.contracts - known.keys() - created
    seeded = contracts | {id_ for id_, view in known.items() if view.created_block is None}
    holdings = frozenset(key for key in keys.holdings if key[0] in seeded)
    holdings -= records.holdings(connection, holdings).keys()
    citizens = frozenset(one for one in accounts if not records.is_citizen(connection, one))
    return _Older(
        at=0 if first == 0 else max(block.number - 1, 0),
        keys=Touched(accounts, holdings, contracts),
        citizens=frozenset() if block.number == 0 or first == 0 else citizens,
    )


def _older_accounts(
    connection: Connection, block: ChainBlock, keys: Touched, first: int
) -> frozenset[bytes]:
    citizens = frozenset(citizen.symid for citizen in block.citizens)
    wanted = keys.accounts if first >= 0 else keys.accounts | citizens
    unknown = wanted - records.accounts(connection, wanted).keys()
    if first != 0:
        return unknown
    born = {one for one in citizens & unknown if not records.is_citizen(connection, one)}
    return unknown - records.newborn(connection, unknown) - born


async def _ask(client: NodeClient, older: _Older) -> tuple[Book, list[ChainCitizen]]:
    """Ask for everything at once: the client sends calls of one moment as one batch."""
    keys = older.keys
    try:
        accounts, holdings, contracts, citizens = await asyncio.gather(
            asyncio.gather(*(_ask_account(client, symid, older.at) for symid in keys.accounts)),
            asyncio.gather(*(client.token_balance(*key, older.at) for key in keys.holdings)),
            asyncio.gather(*(_ask_contract(client, id_, older.at) for id_ in keys.contracts)),
            asyncio.gather(*(client.citizen(symid, older.at) for symid in older.citizens)),
        )
    except RpcError as error:
        if error.rpc_code in PASSING_ERRORS:
            raise
        raise StateGone(
            f"The node does not tell the state at block {older.at}: {error.message}",
            block_number=older.at,
        ) from error
    begun = Book(
        accounts=dict(zip(keys.accounts, accounts, strict=True)),
        holdings=dict(zip(keys.holdings, holdings, strict=True)),
        contracts={one.contract: one for one in contracts if one is not None},
    )
    return begun, [citizen for citizen in citizens if citizen is not None]


async def _ask_account(client: NodeClient, symid: bytes, at: int) -> AccountView:
    balance_hug, nonce, deposit_hug = await asyncio.gather(
        client.balance(symid, at), client.nonce(symid, at), client.deposit(symid, at)
    )
    return AccountView(balance_hug, nonce, deposit_hug)


async def _ask_contract(client: NodeClient, id_: bytes, at: int) -> ContractView | None:
    found = await client.contract(id_, at)
    if found is None:
        return None
    return ContractView(
        contract=id_,
        creator=found.creator,
        owner=found.owner,
        name=printable(found.name, NAME_CHARS_MAX),
        symbol=printable(found.symbol, SYMBOL_CHARS_MAX),
        total=found.total,
        paused=found.paused,
        created_block=None,
    )

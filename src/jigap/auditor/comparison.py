"""What the index says, compared with what the node answers at the same height.

The node is asked in portions, each as of the height at which the portion was read, so that the
platform may go on working meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection, exists, or_, select, tuple_

from jigap import index
from jigap.auditor.evidence import chain_id_of
from jigap.auditor.judge import SYM, Difference
from jigap.chain.symid import to_hex
from jigap.database import Database
from jigap.index import chain_accounts, chain_contracts, chain_holdings
from jigap.lanes import lanes
from jigap.members import wallets
from jigap.node.client import NodeClient, RpcError
from jigap.tokens import tokens

KEYS_PER_QUESTION = 1_000
TRIALS_MAX = 5


@dataclass(slots=True)
class Comparison:
    """What the node said otherwise, and how much it was asked."""

    differences: list[Difference] = field(default_factory=list)
    contracts: int = 0
    holdings: int = 0
    accounts: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    """Something the index says, for the node to say again."""

    key: tuple[bytes, ...]
    token: str | None
    value: str


#: Reads a portion after a key: the height it belongs to, and what the index says.
_Read = Callable[[Connection, tuple[bytes, ...]], tuple[int, list[_Known]]]
#: Asks the node about one key at a height.
_Ask = Callable[[NodeClient, tuple[bytes, ...], int], Awaitable[str]]


async def compare_with_node(database: Database, client: NodeClient) -> Comparison:
    """Ask the node for every contract, holding and account that the index has.

    Raises what the node client raises.
    """
    result = Comparison()
    found = result.differences
    result.contracts = await _compare(database, client, found, _contracts_after, _ask_contract)
    result.holdings = await _compare(database, client, found, _holdings_after, _ask_holding)
    result.accounts = await _compare(database, client, found, _accounts_after, _ask_account)
    return result


async def _compare(
    database: Database, client: NodeClient, found: list[Difference], read: _Read, ask: _Ask
) -> int:
    """Compare all keys of one sort; how many there were."""
    count, trials = 0, 0
    last: tuple[bytes, ...] = (b"", b"")
    while True:
        height, portion = await database.read(read, last)
        if not portion:
            return count
        try:
            said = await asyncio.gather(*(ask(client, one.key, height) for one in portion))
        except RpcError:  # the node keeps only the last heights, and this one was just dropped
            trials += 1
            if trials == TRIALS_MAX:
                raise
            continue
        found += [
            Difference("node_differs", one.token, _words(one.key), answer, one.value)
            for one, answer in zip(portion, said, strict=True)
            if answer != one.value
        ]
        count, last, trials = count + len(portion), portion[-1].key, 0


def _words(key: tuple[bytes, ...]) -> str:
    return " of ".join(to_hex(part) for part in reversed(key))


def _contracts_after(connection: Connection, last: tuple[bytes, ...]) -> tuple[int, list[_Known]]:
    table = chain_contracts.c
    rows = connection.execute(
        select(table.contract, table.total, table.paused, table.owner, tokens.c.symbol)
        .outerjoin_from(chain_contracts, tokens, tokens.c.contract == table.contract)
        .where(table.contract > last[0])
        .order_by(table.contract)
        .limit(KEYS_PER_QUESTION)
    )
    return index.height(connection), [
        _Known((row.contract,), row.symbol, _contract_words(row.total, row.paused, row.owner))
        for row in rows
    ]


def _contract_words(total: int, paused: bool, owner: bytes) -> str:
    return f"total {total}, {'paused' if paused else 'active'}, owner {to_hex(owner)}"


async def _ask_contract(client: NodeClient, key: tuple[bytes, ...], height: int) -> str:
    found = await client.contract(key[0], height)
    return "none" if found is None else _contract_words(found.total, found.paused, found.owner)


def _holdings_after(connection: Connection, last: tuple[bytes, ...]) -> tuple[int, list[_Known]]:
    table = chain_holdings.c
    rows = connection.execute(
        select(table.contract, table.symid, table.balance, tokens.c.symbol)
        .outerjoin_from(chain_holdings, tokens, tokens.c.contract == table.contract)
        .where(tuple_(table.contract, table.symid) > last)
        .order_by(table.contract, table.symid)
        .limit(KEYS_PER_QUESTION)
    )
    return index.height(connection), [
        _Known((row.contract, row.symid), row.symbol, str(row.balance)) for row in rows
    ]


async def _ask_holding(client: NodeClient, key: tuple[bytes, ...], height: int) -> str:
    return str(await client.token_balance(key[0], key[1], height))


def _accounts_after(connection: Connection, last: tuple[bytes, ...]) -> tuple[int, list[_Known]]:
    table = chain_accounts.c
    ours = or_(
        exists().where(lanes.c.sender == table.symid, lanes.c.chain_id == chain_id_of(connection)),
        exists().where(wallets.c.symid == table.symid),
    )
    rows = connection.execute(
        select(table.symid, table.balance_hug, table.nonce, ours.label("ours"))
        .where(table.symid > last[0])
        .order_by(table.symid)
        .limit(KEYS_PER_QUESTION)
    )
    return index.height(connection), [
        _Known(
            (row.symid,),
            SYM if row.ours else None,
            f"{row.balance_hug} hug, nonce {row.nonce}",
        )
        for row in rows
    ]


async def _ask_account(client: NodeClient, key: tuple[bytes, ...], height: int) -> str:
    balance_hug, nonce = await asyncio.gather(
        client.balance(key[0], height), client.nonce(key[0], height)
    )
    return f"{balance_hug} hug, nonce {nonce}"

"""Questions about blocks, accounts, tokens and citizens; how the changes of a block are written.

Questions about transactions are in ``mined``.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.sql.elements import BindParameter

from jigap.database import prepared
from jigap.index.effects import AccountView, Book, ContractView, Effects, Movement, Touched
from jigap.index.mined import TAG_BYTES_MAX, place
from jigap.index.tables import (
    chain_accounts,
    chain_blocks,
    chain_citizens,
    chain_contracts,
    chain_holdings,
    chain_transactions,
)
from jigap.node.client import ChainBlock, ChainCitizen
from jigap.packed import Packed

AnyRow = Row[*tuple[Any, ...]]
AnySelect = Select[*tuple[Any, ...]]

KEYS_PER_QUERY = 500
#: The status of a citizen that is not locked, marked or revoked.
ACTIVE = 1


@dataclass(frozen=True, slots=True)
class IndexedBlock:
    """A block as the index keeps it."""

    number: int
    hash: bytes
    parent_hash: bytes
    time_ms: int
    transaction_count: int
    citizen_count: int


# --- blocks


def height(connection: Connection) -> int:
    """The number of the last indexed block, -1 if there is none."""
    found = connection.scalar(_HEIGHT)
    return -1 if found is None else int(found)


def first_height(connection: Connection) -> int:
    """The number of the first indexed block, -1 if there is none; 0 means nothing is missing."""
    found = connection.scalar(_FIRST_HEIGHT)
    return -1 if found is None else int(found)


def block(connection: Connection, number: int) -> IndexedBlock | None:
    """The indexed block of that number."""
    row = connection.execute(*_block(number)).first()
    return None if row is None else IndexedBlock(*row)


_HEIGHT = select(func.max(chain_blocks.c.number))
_FIRST_HEIGHT = select(func.min(chain_blocks.c.number))


@prepared
def _block(number: Any) -> Any:
    return select(chain_blocks).where(chain_blocks.c.number == number)


def times_of(connection: Connection, numbers: Iterable[int]) -> dict[int, int]:
    """When the blocks of these numbers were made, in milliseconds, those that are indexed."""
    return dict(map(tuple, _by_keys(connection, _TIMES, numbers)))


# --- accounts, tokens, citizens


def account(connection: Connection, symid: bytes) -> AccountView:
    """Balance, next nonce and deposit of an account; all zero if nothing ever happened to it."""
    row = connection.execute(*_account(symid)).first()
    return AccountView() if row is None else AccountView(*row)


@prepared
def _account(symid: Any) -> Any:
    table = chain_accounts.c
    return select(table.balance_hug, table.nonce, table.deposit_hug).where(table.symid == symid)


def accounts(connection: Connection, symids: Iterable[bytes]) -> dict[bytes, AccountView]:
    """The accounts among these that the index knows."""
    rows = _by_keys(connection, _ACCOUNTS, symids)
    return {row[0]: AccountView(row[1], row[2], row[3]) for row in rows}


def holding(connection: Connection, contract: bytes, symid: bytes) -> int:
    """Base units of a token that an account holds."""
    return connection.scalar(*_holding(contract, symid)) or 0


@prepared
def _holding(contract: Any, symid: Any) -> Any:
    table = chain_holdings.c
    return select(table.balance).where(table.contract == contract, table.symid == symid)


def holdings(
    connection: Connection, keys: Iterable[tuple[bytes, bytes]]
) -> dict[tuple[bytes, bytes], int]:
    """The (contract, account) pairs among these that the index knows, with their balances."""
    holders: dict[bytes, list[bytes]] = {}
    for contract_id, symid in keys:
        holders.setdefault(contract_id, []).append(symid)
    found: dict[tuple[bytes, bytes], int] = {}
    for contract_id, symids in holders.items():
        for row in _by_keys(connection, _HOLDINGS, symids, contract=contract_id):
            found[(contract_id, row[0])] = row[1]
    return found


def balances_of(connection: Connection, symid: bytes) -> list[tuple[bytes, int]]:
    """(contract, base units) of every token that an account holds or has held."""
    rows = connection.execute(*_balances_of(symid))
    return [(row[0], row[1]) for row in rows]


@prepared
def _balances_of(symid: Any) -> Any:
    table = chain_holdings.c
    mine = select(table.contract, table.balance).where(table.symid == symid)
    return mine.order_by(table.contract)


def holdings_of(connection: Connection, symids: Iterable[bytes]) -> dict[tuple[bytes, bytes], int]:
    """Base units of every token, by (contract, account), of all these accounts."""
    rows = _HOLDINGS_OF.rows(connection, keys=list(symids))
    return {(contract_id, symid): balance for contract_id, symid, balance in rows}


def contract(connection: Connection, contract: bytes) -> ContractView | None:
    """The SCT-20 contract of that id."""
    row = connection.execute(*_contract(contract)).first()
    return None if row is None else ContractView(*row)


@prepared
def _contract(contract: Any) -> Any:
    return select(chain_contracts).where(chain_contracts.c.contract == contract)


def contracts(connection: Connection, ids: Iterable[bytes]) -> dict[bytes, ContractView]:
    """The contracts among these that the index knows."""
    rows = _by_keys(connection, _CONTRACTS, ids)
    return {row[0]: ContractView(*row) for row in rows}


def every_contract(connection: Connection) -> list[ContractView]:
    """All SCT-20 contracts, oldest first."""
    order = func.coalesce(chain_contracts.c.created_block, -1), chain_contracts.c.contract
    return [
        ContractView(*row) for row in connection.execute(select(chain_contracts).order_by(*order))
    ]


def is_citizen(connection: Connection, symid: bytes) -> bool:
    """Whether the SymID is registered, in whatever state."""
    table = chain_citizens.c
    return connection.scalar(select(table.symid).where(table.symid == symid)) is not None


def is_active(connection: Connection, symid: bytes, key_hash: bytes) -> bool:
    """Whether the chain takes what this key signs for the SymID: registered, bound, not revoked."""
    return connection.scalar(*_active(symid, key_hash)) is not None


@prepared
def _active(symid: Any, key_hash: Any) -> Any:
    table = chain_citizens.c
    return select(table.symid).where(
        table.symid == symid, table.key_hash == key_hash, table.status == ACTIVE
    )


def citizens_by_key(connection: Connection, key_hashes: Iterable[bytes]) -> dict[bytes, bytes]:
    """The SymIDs that certificate authorities have bound to public key hashes among these."""
    found: dict[bytes, bytes] = {}
    for key_hash, symid in _by_keys(connection, _CITIZENS_OF, key_hashes):
        found[key_hash] = min(symid, found.get(key_hash, symid))
    return found


# --- what a block changes


def load_book(connection: Connection, keys: Touched) -> Book:
    """The part of the state that a block touches, as it is before the block."""
    return Book(
        accounts=accounts(connection, keys.accounts),
        holdings=holdings(connection, keys.holdings),
        contracts=contracts(connection, keys.contracts),
    )


def save_book(connection: Connection, before: Book, after: Book) -> None:
    """Write what changed between the two."""
    changed_accounts = [
        {
            "symid": symid,
            "balance_hug": view.balance_hug,
            "deposit_hug": view.deposit_hug,
            "nonce": view.nonce,
        }
        for symid, view in after.accounts.items()
        if before.accounts.get(symid) != view
    ]
    changed_holdings = [
        {"contract": key[0], "symid": key[1], "balance": balance}
        for key, balance in after.holdings.items()
        if before.holdings.get(key) != balance
    ]
    changed_contracts = [
        {column.name: getattr(view, column.name) for column in chain_contracts.c}
        for id_, view in after.contracts.items()
        if before.contracts.get(id_) != view
    ]
    _save(connection, chain_accounts, changed_accounts, {(key,) for key in before.accounts})
    _save(connection, chain_holdings, changed_holdings, before.holdings)
    _save(connection, chain_contracts, changed_contracts, {(key,) for key in before.contracts})


def save_block(connection: Connection, block: ChainBlock) -> None:
    """Write the row of the block itself."""
    connection.execute(
        insert(chain_blocks).values(
            number=block.number,
            hash=block.hash,
            parent_hash=block.parent_hash,
            time_ms=block.time_ms,
            transaction_count=len(block.transactions),
            citizen_count=len(block.citizens),
        )
    )


def save_transactions(
    connection: Connection, number: int, settled: Iterable[tuple[Effects, Movement | None]]
) -> None:
    """Write the transactions of a block, each with what it moved besides the fee."""
    rows = [_transaction_row(number, effects, moved) for effects, moved in settled]
    if rows:
        connection.execute(insert(chain_transactions), rows)


def save_citizens(connection: Connection, number: int, citizens: Iterable[ChainCitizen]) -> None:
    """Write new and changed citizens; the last record of a SymID in a block counts."""
    rows = {
        citizen.symid: {
            "symid": citizen.symid,
            "key_hash": citizen.key_hash,
            "ca": citizen.ca,
            "status": citizen.status,
            "v_flag": citizen.v_flag,
            "write_time": citizen.write_time,
            "block_number": number,
            "changed_block": number,
        }
        for citizen in citizens
    }
    first_seen = {row[0]: row[1] for row in _by_keys(connection, _CITIZENS, rows)}
    for symid, seen in first_seen.items():
        rows[symid]["block_number"] = seen
    known = {(symid,) for symid in first_seen}
    _save(connection, chain_citizens, list(rows.values()), known)


def newborn(connection: Connection, symids: Iterable[bytes]) -> set[bytes]:
    """The accounts among these that are known to have begun at zero.

    Nothing can be paid to a SymID before it is registered. So if the index has every block, a
    citizen who is not of block 0 began with nothing.
    """
    if first_height(connection) != 0:
        return set()
    return {row[0] for row in _by_keys(connection, _CITIZENS, symids) if row[1] > 0}


def _transaction_row(number: int, effects: Effects, moved: Movement | None) -> dict[str, Any]:
    one = effects.transaction
    return {
        "place": place(number, one.index),
        "hash": one.hash,
        "sender": one.sender,
        "nonce": one.nonce,
        "type": one.type,
        "to_address": one.to,
        "value_hug": one.value,
        "input": one.input,
        "extra_data": one.extra_data,
        "tag": one.extra_data if 0 < len(one.extra_data) <= TAG_BYTES_MAX else None,
        "gas_price": one.gas_price,
        "gas_used": one.gas_used,
        "succeeded": one.status,
        "err_code": one.err_code,
        "kind": None if moved is None else moved.kind,
        "contract": effects.contract,
        "source": None if moved is None else moved.source,
        "target": None if moved is None else moved.target,
        "amount": None if moved is None else moved.amount,
    }


def _save(
    connection: Connection,
    table: Table,
    rows: list[dict[str, Any]],
    known: Container[tuple[Any, ...]],
) -> None:
    """Update the rows whose primary key is known, insert the others."""
    names = [column.name for column in table.primary_key]
    old: list[dict[str, Any]] = []
    new: list[dict[str, Any]] = []
    for row in rows:
        (old if tuple(row[name] for name in names) in known else new).append(row)
    if new:
        connection.execute(insert(table), new)
    if old:
        matches = and_(*(table.c[name] == bindparam(f"key_{name}") for name in names))
        values: dict[str, BindParameter[Any]] = {
            column.name: bindparam(f"new_{column.name}")
            for column in table.c
            if column.name not in names
        }
        connection.execute(
            update(table).where(matches).values(values),
            [
                {
                    f"{'key' if name in names else 'new'}_{name}": value
                    for name, value in row.items()
                }
                for row in old
            ],
        )


_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
_TIMES = select(chain_blocks.c.number, chain_blocks.c.time_ms).where(
    chain_blocks.c.number.in_(_KEYS)
)
_A, _C, _H = chain_accounts.c, chain_citizens.c, chain_holdings.c
_ACCOUNTS = select(_A.symid, _A.balance_hug, _A.nonce, _A.deposit_hug).where(_A.symid.in_(_KEYS))
_CITIZENS = select(_C.symid, _C.block_number).where(_C.symid.in_(_KEYS))
_CITIZENS_OF = select(_C.key_hash, _C.symid).where(_C.key_hash.in_(_KEYS))
_CONTRACTS = select(chain_contracts).where(chain_contracts.c.contract.in_(_KEYS))
_HOLDINGS_OF = Packed(select(_H.contract, _H.symid, _H.balance).where(_H.symid.in_(_KEYS)))
_HOLDINGS = select(_H.symid, _H.balance).where(
    _H.contract == bindparam("contract"), _H.symid.in_(_KEYS)
)


def _by_keys(
    connection: Connection, query: AnySelect, keys: Iterable[Any], **given: bytes
) -> Iterator[AnyRow]:
    """The rows of ``query`` for its parameter ``keys``, asked for in portions."""
    waiting = list(keys)
    for start in range(0, len(waiting), KEYS_PER_QUERY):
        part = waiting[start : start + KEYS_PER_QUERY]
        yield from connection.execute(query, {"keys": part, **given})

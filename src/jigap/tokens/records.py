"""The registry of tokens and the operations on them: tables and SQL.

The contract id is the key of everything (paper 4.3); a symbol is a name for it that is unique here.
"""

import contextlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)

from jigap import events
from jigap.chain import symid
from jigap.chain.invalid import Invalid
from jigap.database import Amount, metadata, prepared
from jigap.lanes import outgoing
from jigap.tokens.operation import Kind, Wish
from jigap.tokens.refusals import KeyReused, OperationUnknown, TokenUnknown

tokens = Table(
    "tokens",
    metadata,
    Column("symbol", String(10), primary_key=True),
    Column("contract", LargeBinary(10), unique=True, nullable=True),
    Column("name", String(80), nullable=False),
    Column("decimals", Integer, nullable=False),
    Column("stopped_reason", String(200), nullable=False, default=""),
    Column("created_ms", BigInteger, nullable=False),
)

token_operations = Table(
    "token_operations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("operator_id", String(40), nullable=False),
    Column("idempotency_key", String(200), nullable=True),
    Column("kind", String(20), nullable=False),
    Column("symbol", String(10), nullable=False),
    Column("signer", String(20), nullable=False),
    Column("name", String(80), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("account", LargeBinary(10), nullable=False),
    Column("counterpart", LargeBinary(10), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("operator_id", "idempotency_key"),
)

PURPOSE = "token_operation"


@dataclass(frozen=True, slots=True)
class Token:
    """A registered token. ``contract`` is None until its creation has been signed."""

    symbol: str
    contract: bytes | None
    name: str
    decimals: int
    stopped_reason: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A token operation and what became of it. ``state`` is ``wished`` until it is signed."""

    id: str
    wish: Wish
    state: str
    reason: str
    transaction_hash: bytes | None
    block_number: int | None
    created_ms: int
    final_ms: int | None


def find(connection: Connection, name: str) -> Token:
    """The token of a symbol or of a contract id in hex. Raises ``TokenUnknown``."""
    contract = None
    with contextlib.suppress(Invalid, ValueError):
        contract = symid.parse(name)
    row = connection.execute(*_named(name, contract)).first()
    if row is None:
        raise TokenUnknown("There is no such token here.", token=name[:40])
    return _token(row)


@prepared
def _named(symbol: Any, contract: Any) -> Any:
    return select(tokens).where(or_(tokens.c.symbol == symbol, tokens.c.contract == contract))


def by_contract(connection: Connection, contract: bytes) -> Token | None:
    """The token of a contract, or None if it is not ours."""
    row = connection.execute(*_by_contract(contract)).first()
    return None if row is None else _token(row)


@prepared
def _by_contract(contract: Any) -> Any:
    return select(tokens).where(tokens.c.contract == contract)


def contract_of(connection: Connection, symbol: str) -> bytes | None:
    """The contract of a symbol; None if there is no such token, or none yet."""
    return connection.scalar(select(tokens.c.contract).where(tokens.c.symbol == symbol))


def every(connection: Connection) -> list[Token]:
    """All registered tokens, by symbol."""
    return [_token(row) for row in connection.execute(*_every())]


@prepared
def _every() -> Any:
    return select(tokens).order_by(tokens.c.symbol)


def symbol_is_taken(connection: Connection, symbol: str) -> bool:
    """Whether a token of this symbol is in the registry."""
    return connection.scalar(select(tokens.c.symbol).where(tokens.c.symbol == symbol)) is not None


def register(connection: Connection, wish: Wish, decimals: int, now_ms: int) -> None:
    """Reserve the symbol of a token that is about to be created."""
    connection.execute(
        insert(tokens).values(
            symbol=wish.symbol, name=wish.name, decimals=decimals, created_ms=now_ms
        )
    )


def set_contract(connection: Connection, symbol: str, contract: bytes) -> None:
    """Remember where the token will be: known as soon as its creation is signed."""
    connection.execute(update(tokens).where(tokens.c.symbol == symbol).values(contract=contract))


def unregister(connection: Connection, symbol: str) -> None:
    """Give back the symbol of a token whose creation failed for good."""
    connection.execute(delete(tokens).where(tokens.c.symbol == symbol))


def stop(connection: Connection, symbol: str, reason: str, now_ms: int) -> None:
    """Stop new payments of a token, because of a difference the auditor found."""
    stopped = connection.execute(
        update(tokens)
        .where(tokens.c.symbol == symbol, tokens.c.stopped_reason == "")
        .values(stopped_reason=reason[:200])
    )
    if stopped.rowcount:
        events.record(
            connection,
            "token.stopped",
            subject=symbol,
            member_id=None,
            now_ms=now_ms,
            reason=reason[:200],
        )


def resume(connection: Connection, symbol: str) -> None:
    """Allow payments of a token again, once the operator has cleared the difference."""
    connection.execute(update(tokens).where(tokens.c.symbol == symbol).values(stopped_reason=""))


def replayed(connection: Connection, operator_id: str, key: str, wish: Wish) -> str | None:
    """The id of the operation this key is bound to, or None. Raises ``KeyReused``."""
    row = connection.execute(
        select(token_operations).where(
            token_operations.c.operator_id == operator_id,
            token_operations.c.idempotency_key == key,
        )
    ).first()
    if row is None:
        return None
    check_same(_wish(row), wish)
    return str(row.id)


def check_same(bound: Wish, wish: Wish) -> None:
    """Raise ``KeyReused`` naming the first field in which two wishes under one key differ."""
    for name in Wish.__slots__:
        if getattr(bound, name) != getattr(wish, name):
            raise KeyReused(f"This key was used with another {name}.", field=name)


def request_of(connection: Connection, operation_id: str) -> tuple[str, str]:
    """(operator, Idempotency-Key) an operation was asked for with."""
    row = connection.execute(
        select(token_operations).where(token_operations.c.id == operation_id)
    ).one()
    return row.operator_id, row.idempotency_key or ""


def add_operation(
    connection: Connection,
    operation_id: str,
    operator_id: str,
    key: str | None,
    wish: Wish,
    now_ms: int,
) -> None:
    """Record a wish."""
    fields = {name: getattr(wish, name) for name in Wish.__slots__} | {"kind": wish.kind.value}
    connection.execute(
        insert(token_operations).values(
            id=operation_id,
            operator_id=operator_id,
            idempotency_key=key,
            created_ms=now_ms,
            **fields,
        )
    )


def operation(connection: Connection, operation_id: str) -> Operation:
    """One operation with its fate. Raises ``OperationUnknown``."""
    row = connection.execute(_operations().where(token_operations.c.id == operation_id)).first()
    if row is None:
        raise OperationUnknown("There is no such operation.", id=operation_id[:40])
    return _operation(row)


def wished(connection: Connection, limit: int | None = 32) -> list[Operation]:
    """Operations that nobody has signed yet, oldest first."""
    return [
        _operation(row) for row in connection.execute(*_wished(2**62 if limit is None else limit))
    ]


@prepared
def _wished(limit: Any) -> Any:
    return (
        _operations().where(outgoing.c.state.is_(None)).order_by(token_operations.c.id).limit(limit)
    )


def _operations() -> Any:
    return select(
        token_operations,
        outgoing.c.state,
        outgoing.c.reason,
        outgoing.c.hash,
        outgoing.c.block_number,
        outgoing.c.final_ms,
    ).select_from(
        token_operations.outerjoin(
            outgoing,
            and_(outgoing.c.subject_id == token_operations.c.id, outgoing.c.purpose == PURPOSE),
        )
    )


def _operation(row: Any) -> Operation:
    return Operation(
        id=row.id,
        wish=_wish(row),
        state=row.state or "wished",
        reason=row.reason or "",
        transaction_hash=row.hash,
        block_number=row.block_number,
        created_ms=row.created_ms,
        final_ms=row.final_ms,
    )


def _wish(row: Any) -> Wish:
    fields = {name: getattr(row, name) for name in Wish.__slots__}
    return Wish(**fields | {"kind": Kind(row.kind)})


def _token(row: Any) -> Token:
    return Token(row.symbol, row.contract, row.name, row.decimals, row.stopped_reason)

"""Mined transactions, each beside everything that our records say about it: one query."""

from typing import Any

from sqlalchemy import Connection, FromClause, Select, and_, func, select
from sqlalchemy.sql.elements import ColumnElement

from jigap import tokens, transfers
from jigap.auditor.judge import SYM, Mined, Moved, Prepared
from jigap.index import chain_transactions
from jigap.lanes import lanes, outgoing
from jigap.members import wallets
from jigap.tokens import token_operations
from jigap.transfers import external_movements, gas_refills

AnySelect = Select[*tuple[Any, ...]]

_lane = lanes.alias("lane")
_sender = wallets.alias("sender_wallet")
_source = wallets.alias("source_wallet")
_target = wallets.alias("target_wallet")
_payment = transfers.transfers.alias("payment")
_paid_token = tokens.tokens.alias("paid_token")
_operation_token = tokens.tokens.alias("operation_token")
_token = tokens.tokens.alias("touched_token")


def chain_id_of(connection: Connection) -> int:
    """The chain our lanes are on; a database belongs to one chain. -1 if there are no lanes."""
    found = connection.scalar(select(lanes.c.chain_id).limit(1))
    return -1 if found is None else int(found)


def mined_query(chain_id: int) -> AnySelect:
    """Transactions in the order of the chain, each with its lane, wallets and records."""
    mined, ours = chain_transactions.c, outgoing.c
    tables: FromClause = chain_transactions
    for table, condition in (
        (_lane, and_(_lane.c.chain_id == chain_id, _lane.c.sender == mined.sender)),
        (_sender, _sender.c.symid == mined.sender),
        (_source, _source.c.symid == mined.source),
        (_target, _target.c.symid == mined.target),
        (_token, _token.c.contract == mined.contract),
        (
            outgoing,
            and_(ours.chain_id == chain_id, ours.sender == mined.sender, ours.nonce == mined.nonce),
        ),
        (_payment, _payment.c.id == ours.subject_id),
        (_paid_token, _paid_token.c.symbol == _payment.c.token),
        (gas_refills, gas_refills.c.id == ours.subject_id),
        (token_operations, token_operations.c.id == ours.subject_id),
        (_operation_token, _operation_token.c.symbol == token_operations.c.symbol),
        (
            external_movements,
            and_(
                external_movements.c.transaction_hash == mined.hash,
                external_movements.c.position == 1,
            ),
        ),
    ):
        tables = tables.outerjoin(table, condition)
    return select(*_COLUMNS).select_from(tables).order_by(mined.place)


def _labelled(prefix: str, columns: Any, names: str) -> list[ColumnElement[Any]]:
    return [columns[name].label(f"{prefix}_{name}") for name in names.split()]


_MOVED = "kind contract source target amount"
_COLUMNS: list[ColumnElement[Any]] = [
    *_labelled("mined", chain_transactions.c, f"place hash sender succeeded {_MOVED}"),
    _lane.c.sender.label("lane"),
    _sender.c.symid.label("sender_member"),
    func.coalesce(_source.c.symid, _target.c.symid).label("side_member"),
    _token.c.symbol.label("token"),
    *_labelled("ours", outgoing.c, "hash cancel_hash state subject_id"),
    *_labelled("payment", _payment.c, "contract sender_symid recipient_symid amount token"),
    _paid_token.c.contract.label("payment_token_contract"),
    *_labelled("refill", gas_refills.c, "symid amount_hug"),
    *_labelled("operation", token_operations.c, "kind account counterpart amount"),
    _operation_token.c.contract.label("operation_contract"),
    *_labelled("noted", external_movements.c, _MOVED),
]


def read_mined(row: Any) -> Mined:
    """What a row of ``mined_query`` says."""
    moved = Moved(
        row.mined_kind, row.mined_contract, row.mined_source, row.mined_target, row.mined_amount
    )
    member = row.sender_member is not None or row.side_member is not None
    service = row.lane is not None and row.sender_member is None
    noted = row.noted_kind and Moved(
        row.noted_kind, row.noted_contract, row.noted_source, row.noted_target, row.noted_amount
    )
    prepared = row.ours_hash and Prepared(
        row.ours_hash, row.ours_cancel_hash, row.ours_state, row.ours_subject_id, _said(row)
    )
    return Mined(
        hash=row.mined_hash,
        succeeded=row.mined_succeeded,
        moved=moved,
        token=_token_of(row, service or member),
        service=service,
        member=member,
        prepared=prepared or None,
        noted=noted or None,
    )


def _token_of(row: Any, ours: bool) -> str | None:
    """The token to stop if this transaction is not what it should be."""
    if row.payment_token is not None:
        return str(row.payment_token)
    if row.mined_contract is not None:
        return None if row.token is None else str(row.token)
    return SYM if ours else None


def _said(row: Any) -> Moved | None:
    """What the payment, the refill or the operation says that its transaction moves."""
    if row.payment_amount is not None:
        contract = row.payment_contract
        if contract == row.mined_contract:  # what the symbol means must be the same contract
            contract = row.payment_token_contract
        return Moved(
            "transfer",
            contract,
            row.payment_sender_symid,
            row.payment_recipient_symid,
            row.payment_amount,
        )
    if row.refill_amount_hug is not None:
        return Moved("remit", None, row.mined_sender, row.refill_symid, row.refill_amount_hug)
    return None if row.operation_kind is None else _operation_said(row)


def _operation_said(row: Any) -> Moved:
    kind, contract, amount = row.operation_kind, row.operation_contract, row.operation_amount
    sender, account, other = row.mined_sender, row.operation_account, row.operation_counterpart
    match kind:
        case tokens.Kind.CREATE:
            return Moved(kind, contract, None, sender, amount)
        case tokens.Kind.MINT:
            return Moved(kind, contract, None, account, amount)
        case tokens.Kind.BURN:
            return Moved(kind, contract, account, None, amount)
        case tokens.Kind.TRANSFER:
            return Moved(kind, contract, sender, account, amount)
        case tokens.Kind.TRANSFER_FROM:
            return Moved(kind, contract, account, other, amount)
    return Moved(None, contract, None, None, None)

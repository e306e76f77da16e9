"""The checks themselves: of each block, and of everything."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, case, func, or_, select

from jigap import index, tokens
from jigap.auditor.comparison import compare_with_node
from jigap.auditor.evidence import chain_id_of, mined_query, read_mined
from jigap.auditor.judge import SYM, Difference, hash_words, judge
from jigap.chain.symid import to_hex
from jigap.database import Database
from jigap.index import chain_holdings, chain_transactions
from jigap.lanes import lanes, outgoing
from jigap.members import wallets
from jigap.node.client import NodeClient
from jigap.tokens import token_operations
from jigap.transfers import external_movements, transfers

ROWS_PER_READ = 2_000
DIFFERENCES_MAX = 1_000


@dataclass(slots=True)
class Report:
    """What an audit found as of one height. ``supply`` is base units by symbol.

    ``conserved``: every token's holdings add up to its total. The counts say how much was checked.
    """

    height: int
    conserved: bool = True
    differences: list[Difference] = field(default_factory=list)
    supply: dict[str, int] = field(default_factory=dict)
    transactions_checked: int = 0
    records_checked: int = 0
    holdings_checked: int = 0
    accounts_checked: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing at all was found."""
        return not self.differences


# --- each block


def check_block(connection: Connection, applied: index.Applied, now_ms: int) -> list[Difference]:
    """Check what a block changed, stop tokens with a difference; call it last in the block.

    Reads only the transactions of the block. The block itself is taken in whatever is found.
    """
    found = list(_unconserved(connection, applied))
    first, end = index.place(applied.number, 0), index.place(applied.number + 1, 0)
    if applied.movements:
        query = mined_query(chain_id_of(connection)).where(
            chain_transactions.c.place >= first, chain_transactions.c.place < end
        )
        for row in connection.execute(query):
            found += judge(read_mined(row))
    stop(connection, found, now_ms)
    return found


def _unconserved(connection: Connection, applied: index.Applied) -> Iterator[Difference]:
    moved: dict[bytes, int] = defaultdict(int)
    for (contract, _), change in applied.holdings.items():
        moved[contract] += change.delta
    for contract, change in applied.totals.items():
        if moved[contract] != change.delta:
            yield Difference(
                "not_conserved",
                _symbol(connection, contract),
                to_hex(contract),
                str(change.delta),
                str(moved[contract]),
            )
    for short in applied.shortfalls:
        yield Difference(
            "balance_differs",
            _symbol(connection, short.contract)
            if short.contract is not None
            else _sym_if_ours(connection, short.symid),
            to_hex(short.symid),
            f"at least {short.needed}",
            str(short.had),
        )


def stop(connection: Connection, differences: Iterable[Difference], now_ms: int) -> None:
    """Stop new payments of every token that a difference concerns."""
    reasons: dict[str, str] = {}
    for one in differences:
        if one.token == SYM:
            for token in tokens.every(connection):
                reasons.setdefault(token.symbol, str(one))
        elif one.token is not None:
            reasons.setdefault(one.token, str(one))
    for symbol, reason in sorted(reasons.items()):
        tokens.stop(connection, symbol, reason, now_ms)


def _symbol(connection: Connection, contract: bytes) -> str | None:
    token = tokens.by_contract(connection, contract)
    return None if token is None else token.symbol


def _sym_if_ours(connection: Connection, symid: bytes) -> str | None:
    ours = connection.scalar(
        select(lanes.c.sender).where(lanes.c.sender == symid).limit(1)
    ) or connection.scalar(select(wallets.c.symid).where(wallets.c.symid == symid))
    return None if ours is None else SYM


# --- everything


def recount(connection: Connection) -> Report:
    """Recount everything the database holds, on one snapshot, from the first transaction on."""
    report = Report(index.height(connection))
    left = _scan(connection, report)
    _count_holdings(connection, report, left if index.first_height(connection) == 0 else None)
    _add(report, *_claims_without_transaction(connection))
    _add(report, *_payments_never_signed(connection))
    _add(report, *_notes_without_transaction(connection))
    report.records_checked = connection.scalar(select(func.count()).select_from(outgoing)) or 0
    return report


def _add(report: Report, *differences: Difference) -> None:
    room = DIFFERENCES_MAX - len(report.differences)
    report.differences += differences[: max(room, 0)]


def _scan(connection: Connection, report: Report) -> dict[tuple[bytes, bytes], int]:
    """Judge every transaction; returns what all movements left with each holder."""
    left: dict[tuple[bytes, bytes], int] = defaultdict(int)
    query, last = mined_query(chain_id_of(connection)), -1
    while True:
        rows = connection.execute(
            query.where(chain_transactions.c.place > last).limit(ROWS_PER_READ)
        ).all()
        for row in rows:
            mined = read_mined(row)
            _add(report, *judge(mined))
            moved = mined.moved
            if moved.contract is not None and moved.amount is not None:
                if moved.source is not None:
                    left[(moved.contract, moved.source)] -= moved.amount
                if moved.target is not None:
                    left[(moved.contract, moved.target)] += moved.amount
        report.transactions_checked += len(rows)
        if len(rows) < ROWS_PER_READ:
            return left
        last = rows[-1].mined_place


def _count_holdings(
    connection: Connection, report: Report, left: dict[tuple[bytes, bytes], int] | None
) -> None:
    """Compare holdings with totals and, if the index has every block, with all movements."""
    symbols = {token.contract: token.symbol for token in tokens.every(connection)}
    sums: dict[bytes, int] = defaultdict(int)
    table = chain_holdings.c
    every = select(table.contract, table.symid, table.balance)
    rows = connection.execute(every.execution_options(yield_per=ROWS_PER_READ))
    for contract, symid, balance in rows:
        sums[contract] += balance
        report.holdings_checked += 1
        should = balance if left is None else left.pop((contract, symid), 0)
        if should != balance:
            _add(report, _holding(symbols.get(contract), contract, symid, should, balance))
    for (contract, symid), should in (left or {}).items():
        if should:
            _add(report, _holding(symbols.get(contract), contract, symid, should, 0))
    for view in index.every_contract(connection):
        symbol = symbols.get(view.contract)
        if symbol is not None:
            report.supply[symbol] = view.total
        if sums[view.contract] != view.total and view.created_block is not None:
            report.conserved = False
            subject = to_hex(view.contract)
            found = str(sums[view.contract])
            _add(report, Difference("not_conserved", symbol, subject, str(view.total), found))


def _holding(
    token: str | None, contract: bytes, symid: bytes, expected: int, found: int
) -> Difference:
    subject = f"{to_hex(symid)} of {to_hex(contract)}"
    return Difference("balance_differs", token, subject, str(expected), str(found))


def _claims_without_transaction(connection: Connection) -> Iterator[Difference]:
    """Records of ours whose nonce no block has used, though they say that one did."""
    payment, mined = transfers.c, chain_transactions.c
    token = func.coalesce(payment.token, token_operations.c.symbol, SYM)
    since = index.first_height(connection)
    nonce = case((outgoing.c.nonce < 0, -1 - outgoing.c.nonce), else_=outgoing.c.nonce)
    claims = (
        select(outgoing.c.subject_id, outgoing.c.state, token)
        .outerjoin_from(
            outgoing,
            chain_transactions,
            and_(mined.sender == outgoing.c.sender, mined.nonce == nonce),
        )
        .outerjoin(transfers, payment.id == outgoing.c.subject_id)
        .outerjoin(token_operations, token_operations.c.id == outgoing.c.subject_id)
        .where(
            outgoing.c.final.is_(True),
            or_(outgoing.c.block_number.is_(None), outgoing.c.block_number >= since),
            mined.hash.is_(None),
        )
    )
    for subject_id, state, symbol in connection.execute(claims):
        yield Difference("not_on_chain", symbol, subject_id, f"a transaction, {state}", "none")


def _payments_never_signed(connection: Connection) -> Iterator[Difference]:
    """Payments without the transaction that was recorded with them."""
    signed = select(outgoing.c.hash).where(outgoing.c.subject_id == transfers.c.id)
    lost = select(transfers.c.id, transfers.c.token).where(
        ~signed.exists(), transfers.c.waiting.is_(False), transfers.c.withdrawn_ms.is_(None)
    )
    for transfer_id, symbol in connection.execute(lost):
        yield Difference("not_on_chain", symbol, transfer_id, "a signed transaction", "none")


def _notes_without_transaction(connection: Connection) -> Iterator[Difference]:
    """Movements without us that no block shows."""
    noted, symbol = external_movements.c, tokens.tokens.c.symbol
    unseen = (
        select(noted.transaction_hash, noted.contract, symbol)
        .outerjoin_from(
            external_movements,
            chain_transactions,
            chain_transactions.c.hash == noted.transaction_hash,
        )
        .outerjoin(tokens.tokens, tokens.tokens.c.contract == noted.contract)
        .where(chain_transactions.c.hash.is_(None))
    )
    for hash_, contract, found in connection.execute(unseen):
        token = SYM if contract is None else found
        yield Difference("not_on_chain", token, hash_words(hash_), "a transaction", "none")


async def audit(database: Database, client: NodeClient, now_ms: int | None = None) -> Report:
    """Recount everything and compare every holding and account with the node.

    With ``now_ms``, tokens with a difference are stopped. Raises what the node client raises.
    """
    report = await database.read(recount)
    comparison = await compare_with_node(database, client)
    _add(report, *comparison.differences)
    report.accounts_checked = comparison.accounts
    if now_ms is not None and report.differences:
        await database.write(stop, report.differences, now_ms)
    return report

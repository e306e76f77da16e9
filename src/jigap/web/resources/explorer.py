"""Reading the chain: transactions, blocks and tokens are public, an account is its owner's.

Everything comes from the index, so that one answer is as of one height.
"""

from collections.abc import Sequence

from litestar import Router, get
from sqlalchemy import Connection

from jigap import index, tokens
from jigap.chain import symid as symids
from jigap.chain.invalid import Invalid
from jigap.money import format_amount
from jigap.refusal import Kind, Refusal
from jigap.tokens.refusals import AccountUnknown
from jigap.web.caller import (
    PAGE_DEFAULT,
    AnyRequest,
    account_reader,
    acts_as_operator,
    caller,
    page_size,
    platform,
)
from jigap.web.describe import says
from jigap.web.parameters import BlockNumber, Cursor, Limit, SymIdText, TransactionHash
from jigap.web.problems import CursorMalformed
from jigap.web.shapes import (
    AccountShown,
    BlockShown,
    Holding,
    Page,
    TransactionShown,
    hex_of,
    hex_or_none,
    time_of,
)


class TransactionUnknown(Refusal):
    """No mined transaction of this hash."""

    code = "transaction_unknown"
    kind = Kind.MISSING
    retryable = True
    hint = "A transaction is here once it is in a block; ask again in a second."


class BlockUnknown(Refusal):
    """No block of this number yet."""

    code = "block_unknown"
    kind = Kind.MISSING
    retryable = True
    hint = "Ask for `latest` to see how far the chain is."


class AccountPrivate(Refusal):
    """Balance and history of an account are for its owner."""

    code = "account_private"
    kind = Kind.FORBIDDEN
    hint = "Sign in as the member whose account this is."


@get("/transactions/{hash:str}", opt=says("One transaction", TransactionUnknown, tag="explorer"))
async def transaction(request: AnyRequest, hash: TransactionHash) -> TransactionShown:
    """Check one payment by its transaction id: when, what, how much, and whether it succeeded."""
    wanted = _bytes(hash, 32)
    found = await platform(request).database.read(_transaction, wanted) if wanted else None
    if found is None:
        raise TransactionUnknown("There is no such transaction in any block.")
    return found


@get("/blocks/{number:str}", opt=says("One block", BlockUnknown, tag="explorer"))
async def block(request: AnyRequest, number: BlockNumber) -> BlockShown:
    """A block with the hashes of its transactions."""
    found = await platform(request).database.read(_block, number)
    if found is None:
        raise BlockUnknown("There is no such block yet.")
    return found


@get(
    "/accounts/{symid:str}",
    guards=[account_reader],
    opt=says("One account", AccountPrivate, AccountUnknown, tag="explorer"),
)
async def account(request: AnyRequest, symid: SymIdText) -> AccountShown:
    """SYM and tokens of my own account, as of one height."""
    return await platform(request).database.read(_account, _readable(request, symid))


@get(
    "/accounts/{symid:str}/transactions",
    guards=[account_reader],
    opt=says(
        "Transactions of one account",
        AccountPrivate,
        AccountUnknown,
        CursorMalformed,
        tag="explorer",
    ),
)
async def account_transactions(
    request: AnyRequest, symid: SymIdText, cursor: Cursor = None, limit: Limit = PAGE_DEFAULT
) -> Page[TransactionShown]:
    """What my own account sent, paid or was paid by, newest first."""
    account_id, size = _readable(request, symid), page_size(request, limit)
    return await platform(request).database.read(_history, account_id, _place(cursor), size)


def _readable(request: AnyRequest, text: str) -> bytes:
    """The SymID asked for, if whoever asks may see it: its owner, an operator, or everybody."""
    try:
        wanted = symids.parse(text)
    except (Invalid, ValueError):
        wanted = b""
    if platform(request).settings.explorer_public_accounts:
        if wanted:
            return wanted
        raise AccountUnknown("This is not a SymID.", account=text[:40])
    member = caller(request)
    owns = member.wallet is not None and member.wallet.symid == wanted
    if not wanted or not (owns or acts_as_operator(request)):
        raise AccountPrivate("This account is not yours.")
    return wanted


def _transaction(connection: Connection, hash_: bytes) -> TransactionShown | None:
    found = index.transaction(connection, hash_)
    return None if found is None else _shown(connection, [found])[0]


def _shown(
    connection: Connection, found: Sequence[index.IndexedTransaction]
) -> list[TransactionShown]:
    """Transactions as they are answered; what they share is looked up once."""
    height = index.height(connection)
    times = index.times_of(connection, {one.block_number for one in found})
    contracts = {one.contract for one in found if one.contract}
    known = {contract: tokens.by_contract(connection, contract) for contract in contracts}
    return [
        _one_shown(one, times.get(one.block_number), known.get(one.contract or b""), height)
        for one in found
    ]


def _one_shown(
    found: index.IndexedTransaction, time_ms: int | None, token: tokens.Token | None, height: int
) -> TransactionShown:
    amount = None
    if found.amount is not None and (token is not None or found.contract is None):
        amount = format_amount(found.amount, token.decimals if token else 18)
    return TransactionShown(
        hash=hex_of(found.hash),
        block_number=found.block_number,
        position=found.position,
        time=None if time_ms is None else time_of(time_ms),
        succeeded=found.succeeded,
        err_code=found.err_code,
        kind=found.kind,
        contract=hex_or_none(found.contract),
        token=None if token is None else token.symbol,
        source=hex_or_none(found.source),
        target=hex_or_none(found.target),
        amount=amount,
        amount_units=None if found.amount is None else str(found.amount),
        sender=hex_of(found.sender),
        nonce=found.nonce,
        fee_hug=str(found.fee_hug),
        extra_data=hex_of(found.extra_data),
        confirmations=max(height - found.block_number + 1, 1),
    )


def _block(connection: Connection, text: str) -> BlockShown | None:
    if text == "latest":
        number = index.height(connection)
    elif text.isascii() and text.isdigit() and len(text) <= 18:
        number = int(text)
    else:
        return None
    found = index.block(connection, number)
    if found is None:
        return None
    return BlockShown(
        number=found.number,
        hash=hex_of(found.hash),
        parent_hash=hex_of(found.parent_hash),
        time=time_of(found.time_ms),
        transactions=[hex_of(one.hash) for one in index.transactions_in(connection, number)],
        citizen_count=found.citizen_count,
    )


def _account(connection: Connection, symid: bytes) -> AccountShown:
    view = index.account(connection, symid)
    return AccountShown(
        symid=hex_of(symid),
        balance_hug=str(view.balance_hug),
        deposit_hug=str(view.deposit_hug),
        nonce=view.nonce,
        holdings=[
            _holding(connection, contract, units)
            for contract, units in index.balances_of(connection, symid)
        ],
        height=index.height(connection),
    )


def _holding(connection: Connection, contract: bytes, units: int) -> Holding:
    token = tokens.by_contract(connection, contract)
    if token is None:
        return Holding(None, hex_of(contract), str(units))
    return Holding(token.symbol, hex_of(contract), format_amount(units, token.decimals))


def _history(
    connection: Connection, symid: bytes, before: int | None, size: int
) -> Page[TransactionShown]:
    found = index.transactions_of(connection, symid, before, size + 1)
    next_ = str(found[size - 1].place) if len(found) > size else None
    return Page(_shown(connection, found[:size]), next_)


def _place(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise CursorMalformed("This is not the cursor of a page of transactions.")
    return int(cursor)


def _bytes(text: str, size: int) -> bytes | None:
    try:
        raw = bytes.fromhex(text.removeprefix("0x").removeprefix("0X"))
    except ValueError:
        return None
    return raw if len(raw) == size else None


ROUTES = Router("/", route_handlers=[transaction, block, account, account_transactions])

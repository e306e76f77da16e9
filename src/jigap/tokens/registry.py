"""The operator's hand on tokens: ask for an operation, and read what became of it.

Nothing is signed here. A wish is checked, recorded under its Idempotency-Key, and left to the
dispatcher, which alone holds the service keys.
"""

import re
from collections.abc import Mapping
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from jigap import audit, events, index, lanes, members
from jigap.chain import sct20, symid
from jigap.chain.invalid import Invalid
from jigap.chain.transaction import TYPE_SCT
from jigap.clock import Clock
from jigap.database import Database
from jigap.entropy import new_id
from jigap.events import Bell
from jigap.lanes import TagKeys
from jigap.money import TOKEN_DECIMALS, parse_amount
from jigap.node.client import ChainBlock, ChainTransaction, NodeClient
from jigap.tokens import records
from jigap.tokens.operation import Kind, Wish, wish_of
from jigap.tokens.records import Operation, Token
from jigap.tokens.refusals import (
    AccountUnknown,
    KeyMalformed,
    SymbolTaken,
    TokenFormat,
    TokenNotReady,
)

_SYMBOL = re.compile(r"[A-Z0-9]{3,10}", re.ASCII)
_KEY = re.compile(r"[!-~]{1,200}", re.ASCII)
NAME_MAX_BYTES = 20


def require_key(key: str | None) -> str:
    """The Idempotency-Key of a request that moves value. Raises ``KeyMalformed``."""
    if key is None or not _KEY.fullmatch(key):
        raise KeyMalformed("This request needs an Idempotency-Key.")
    return key


class Tokens:
    """Tokens as the operator handles them.

    ``accounts`` maps the roles of the service accounts (``token_owner``, ``treasury``) to SymIDs.
    """

    def __init__(
        self,
        database: Database,
        client: NodeClient,
        clock: Clock,
        bell: Bell,
        accounts: Mapping[str, bytes],
        tags: TagKeys,
        chain_id: int,
    ) -> None:
        self._database = database
        self._client = client
        self._clock = clock
        self._bell = bell
        self._accounts = accounts
        self._tags = tags
        self._chain_id = chain_id

    async def create(
        self, operator_id: str, key: str, name: str, symbol: str, amount: str
    ) -> Operation:
        """Ask for a new token; its whole supply goes to the token owner's account."""
        if not _SYMBOL.fullmatch(symbol) or not 1 <= len(name.encode()) <= NAME_MAX_BYTES:
            raise TokenFormat("The name or the symbol does not fit.", name=name, symbol=symbol)
        wish = Wish(Kind.CREATE, symbol, name=name, amount=parse_amount(amount))
        return await self._record(operator_id, key, wish)

    async def mint(
        self, operator_id: str, key: str, symbol: str, amount: str, to: str
    ) -> Operation:
        """Ask for ``amount`` new tokens for an account."""
        return await self._on_account(operator_id, key, Kind.MINT, symbol, to, amount)

    async def burn(
        self, operator_id: str, key: str, symbol: str, amount: str, source: str
    ) -> Operation:
        """Ask to destroy ``amount`` tokens of an account."""
        return await self._on_account(operator_id, key, Kind.BURN, symbol, source, amount)

    async def transfer(
        self, operator_id: str, key: str, symbol: str, amount: str, to: str
    ) -> Operation:
        """Ask to move tokens from the token owner's account."""
        return await self._on_account(operator_id, key, Kind.TRANSFER, symbol, to, amount)

    async def approve(
        self, operator_id: str, key: str, symbol: str, amount: str, spender: str
    ) -> Operation:
        """Ask to allow ``spender`` to move tokens of the token owner's account."""
        return await self._on_account(operator_id, key, Kind.APPROVE, symbol, spender, amount)

    async def decrease_approve(
        self, operator_id: str, key: str, symbol: str, amount: str, spender: str
    ) -> Operation:
        """Ask to take back part of what ``spender`` is allowed."""
        return await self._on_account(
            operator_id, key, Kind.DECREASE_APPROVE, symbol, spender, amount
        )

    async def transfer_from(
        self, operator_id: str, key: str, symbol: str, amount: str, source: str, to: str
    ) -> Operation:
        """Ask the treasury to move tokens that ``source`` has allowed it to move."""
        wish = Wish(
            Kind.TRANSFER_FROM,
            await self._symbol(symbol),
            signer="treasury",
            amount=await self._units(symbol, amount),
            account=await self._account(source),
            counterpart=await self._account(to),
        )
        return await self._record(operator_id, key, wish)

    async def pause(self, operator_id: str, key: str, symbol: str) -> Operation:
        """Ask to pause the contract: no payment of it is possible until it is unpaused."""
        wish = Wish(Kind.PAUSE, await self._symbol(symbol))
        return await self._record(operator_id, key, wish)

    async def unpause(self, operator_id: str, key: str, symbol: str) -> Operation:
        """Ask to make a paused contract active again."""
        wish = Wish(Kind.UNPAUSE, await self._symbol(symbol))
        return await self._record(operator_id, key, wish)

    async def transfer_owner(self, operator_id: str, key: str, symbol: str, to: str) -> Operation:
        """Ask to make another account the contract's owner; we stay its creator."""
        return await self._on_account(operator_id, key, Kind.TRANSFER_OWNER, symbol, to, None)

    async def resume(self, operator_id: str, symbol: str) -> None:
        """Allow payments of a token that the auditor had stopped."""
        await self._database.write(self._resume, operator_id, symbol)

    async def allowance(self, symbol: str, owner: str, spender: str) -> int:
        """What ``spender`` may still move of ``owner``'s tokens, in base units (the node says)."""
        token = await self._database.read(records.find, symbol)
        if token.contract is None:
            raise TokenNotReady("This token is not on the chain yet.", token=symbol)
        answer = await self._client.call(
            "sct_getAllowance",
            symid.to_hex(token.contract),
            symid.to_hex(await self._account(owner)),
            symid.to_hex(await self._account(spender)),
            "latest",
        )
        return int(answer["balance"], 16)

    async def every(self) -> list[tuple[Token, index.ContractView | None]]:
        """All tokens, each with its contract as the index has it (None until it is mined)."""
        return await self._database.read(_with_contracts)

    async def find(self, symbol: str) -> tuple[Token, index.ContractView | None]:
        """One token by symbol or contract id."""
        return await self._database.read(
            lambda connection: _with_contract(connection, records.find(connection, symbol))
        )

    async def operation(self, operation_id: str) -> Operation:
        """One operation and what became of it."""
        return await self._database.read(records.operation, operation_id)

    async def _on_account(
        self, operator_id: str, key: str, kind: Kind, symbol: str, name: str, amount: str | None
    ) -> Operation:
        units = 0 if amount is None else await self._units(symbol, amount)
        wish = Wish(
            kind, await self._symbol(symbol), amount=units, account=await self._account(name)
        )
        return await self._record(operator_id, key, wish)

    async def _symbol(self, name: str) -> str:
        return (await self._database.read(records.find, name)).symbol

    async def _units(self, symbol: str, amount: str) -> int:
        token = await self._database.read(records.find, symbol)
        return parse_amount(amount, token.decimals)

    async def _account(self, name: str) -> bytes:
        if name in self._accounts:
            return self._accounts[name]
        return await self._database.read(_account_of, name)

    async def _record(self, operator_id: str, key: str, wish: Wish) -> Operation:
        insert = partial(self._insert, operator_id=operator_id, key=require_key(key), wish=wish)
        try:
            operation_id = await self._database.write(insert)
        except IntegrityError:
            # Another process was first with this key or this symbol: now its row can be seen.
            operation_id = await self._database.write(insert)
        self._bell.ring()
        return await self.operation(operation_id)

    def _insert(self, connection: Connection, operator_id: str, key: str, wish: Wish) -> str:
        now_ms = self._clock.now_ms()
        bound = self._replayed(connection, operator_id, key, wish)
        if bound is not None:
            return bound
        if wish.kind is Kind.CREATE:
            if records.symbol_is_taken(connection, wish.symbol):
                raise SymbolTaken("This symbol is taken.", symbol=wish.symbol)
            records.register(connection, wish, TOKEN_DECIMALS, now_ms)
        elif records.find(connection, wish.symbol).contract is None:
            raise TokenNotReady("This token is not on the chain yet.", token=wish.symbol)
        if wish.spends_for_another and members.frozen_among(connection, {wish.account}):
            raise members.MemberFrozen("This account is frozen.")
        operation_id = new_id("op", now_ms)
        records.add_operation(connection, operation_id, operator_id, key, wish, now_ms)
        audit.append(
            connection,
            now_ms=now_ms,
            actor=operator_id,
            action=f"token:{wish.kind.value}",
            object_=f"{wish.symbol} {operation_id}",
            outcome="wished",
        )
        return operation_id

    def _replayed(
        self, connection: Connection, operator_id: str, key: str, wish: Wish
    ) -> str | None:
        """The operation this key is bound to, in our records or by its tag on the chain."""
        bound = records.replayed(connection, operator_id, key, wish)
        if bound is None:
            signer = self._accounts[wish.signer]
            tag = self._tags.make(records.PURPOSE, operator_id, key, signer)
            bound = lanes.with_tag(connection, self._chain_id, signer, tag)
            if bound is not None:
                records.check_same(records.operation(connection, bound).wish, wish)
        return bound

    def _resume(self, connection: Connection, operator_id: str, symbol: str) -> None:
        token = records.find(connection, symbol)
        records.resume(connection, token.symbol)
        audit.append(
            connection,
            now_ms=self._clock.now_ms(),
            actor=operator_id,
            action="token:resume",
            object_=token.symbol,
            detail=token.stopped_reason,
        )


def settle(connection: Connection, operation_id: str, state: str, reason: str, now_ms: int) -> None:
    """Called in the block's transaction when an operation is final."""
    ended = records.operation(connection, operation_id)
    if ended.wish.kind is Kind.CREATE and state != "confirmed":
        records.unregister(connection, ended.wish.symbol)
    events.record(
        connection,
        "token.changed",
        subject=ended.wish.symbol,
        member_id=None,
        now_ms=now_ms,
        operation=operation_id,
        kind=ended.wish.kind.value,
        state=state,
        reason=reason,
    )


def tag_of(tags: TagKeys, connection: Connection, operation_id: str, signer: bytes) -> bytes:
    """The tag that the transaction of this operation carries."""
    operator_id, key = records.request_of(connection, operation_id)
    return tags.make(records.PURPOSE, operator_id, key, signer)


def adopt(
    connection: Connection,
    chain_id: int,
    tags: TagKeys,
    block: ChainBlock,
    mined: ChainTransaction,
) -> bool:
    """Take back an operation of ours that our records had lost; False if it is not ours."""
    if mined.type != TYPE_SCT or not tags.is_ours(mined.extra_data, mined.sender):
        return False
    if members.by_symid(connection, mined.sender) is not None:
        return False  # a member's own transaction, with the tag of an old payment copied into it
    wished = _wished_before(connection, tags, mined)
    operation_id = wished or _add_found(connection, block, mined)
    if operation_id is None:
        return False
    entry = lanes.adopted(mined, records.PURPOSE, operation_id, block.time_ms)
    lanes.adopt(connection, chain_id, entry, block)
    if wished:
        settle(connection, wished, entry.state, "found_on_chain", block.time_ms)
    return True


def _wished_before(connection: Connection, tags: TagKeys, mined: ChainTransaction) -> str | None:
    """The operation that the backup had only wished for and that this transaction was, or None."""
    for one in records.wished(connection, limit=None):
        if tag_of(tags, connection, one.id, mined.sender) == mined.extra_data:
            if one.wish.kind is Kind.CREATE:
                contract = symid.contract_address(mined.sender, mined.nonce)
                records.set_contract(connection, one.wish.symbol, contract)
            return one.id
    return None


def _add_found(connection: Connection, block: ChainBlock, mined: ChainTransaction) -> str | None:
    """Write down an operation that the backup knew nothing of; None if it is of another token."""
    made = sct20.decode(mined.input)
    if isinstance(made, sct20.Create):
        wish = Wish(Kind.CREATE, made.symbol, name=made.name, amount=made.amount)
        if mined.status and not records.symbol_is_taken(connection, made.symbol):
            records.register(connection, wish, TOKEN_DECIMALS, block.time_ms)
            records.set_contract(
                connection, made.symbol, symid.contract_address(mined.sender, mined.nonce)
            )
    else:
        token = records.by_contract(connection, mined.to)
        if token is None:
            return None
        wish = wish_of(made, token.symbol)
    operation_id = new_id("op", block.time_ms)
    records.add_operation(connection, operation_id, "", None, wish, block.time_ms)
    return operation_id


def _account_of(connection: Connection, name: str) -> bytes:
    member = members.by_login(connection, name)
    if member is not None and member.wallet is not None and member.wallet.symid is not None:
        return member.wallet.symid
    try:
        account = symid.parse(name)
    except (Invalid, ValueError):
        account = b""
    if not account or not index.is_citizen(connection, account):
        raise AccountUnknown("There is no such account.", account=name[:40])
    return account


def _with_contracts(connection: Connection) -> list[tuple[Token, index.ContractView | None]]:
    return [_with_contract(connection, token) for token in records.every(connection)]


def _with_contract(connection: Connection, token: Token) -> tuple[Token, index.ContractView | None]:
    view = None if token.contract is None else index.contract(connection, token.contract)
    return token, view

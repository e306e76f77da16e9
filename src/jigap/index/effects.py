"""What a mined transaction did to balances: pure, no database, no node.

A chain like Symverse writes no events for tokens: who got what must be read from the input of the
transaction and from its receipt. ``effects_of`` does that for one transaction, ``Book.settle`` adds
it to the accounts, holdings and contracts that it touches.

Rules: the fee (gas used times gas price) is paid and the nonce moves on whatever happens. Anything
else happens only if the receipt says so. A transaction moves at most one amount besides its fee.
Token templates other than SCT-20 move things that we do not follow: of those only the fee counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from jigap.chain import sct20
from jigap.chain.invalid import Invalid
from jigap.chain.transaction import TYPE_DEPOSIT, TYPE_REMIT, TYPE_SCT
from jigap.node.client import ChainTransaction

NAME_CHARS_MAX = 64
SYMBOL_CHARS_MAX = 32

MovementKind = Literal[
    "fee", "remit", "deposit", "restore", "create", "transfer", "transfer_from", "mint", "burn"
]


@dataclass(frozen=True, slots=True)
class Movement:
    """An amount that left ``source`` (None: made now) for ``target`` (None: not in a balance now).

    ``contract`` is None for SYM, whose amounts are hug; else base units of the token. ``position``
    counts within the transaction: 0 is always the fee. ``deposit`` takes SYM out of the balance
    into the deposit of the same account, ``restore`` brings it back.
    """

    transaction_hash: bytes
    position: int
    kind: MovementKind
    contract: bytes | None
    source: bytes | None
    target: bytes | None
    amount: int


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account at the indexed height. ``nonce`` is the next one to use."""

    balance_hug: int = 0
    nonce: int = 0
    deposit_hug: int = 0


@dataclass(frozen=True, slots=True)
class ContractView:
    """An SCT-20 contract at the indexed height. ``total`` is in base units.

    ``created_block`` is None if the contract is older than the index.
    """

    contract: bytes
    creator: bytes
    owner: bytes
    name: str
    symbol: str
    total: int
    paused: bool
    created_block: int | None


@dataclass(frozen=True, slots=True)
class Effects:
    """What one transaction did. ``moved`` and ``call`` are None unless it succeeded.

    The amount of a ``restore`` is 0 here: it is the whole deposit, which only the book knows.
    """

    transaction: ChainTransaction
    fee: Movement
    moved: Movement | None = None
    call: sct20.Call | None = None
    contract: bytes | None = None


@dataclass(frozen=True, slots=True)
class Shortfall:
    """The chain moved more than the book says was there: the book was wrong before this block."""

    contract: bytes | None
    symid: bytes
    had: int
    needed: int


def effects_of(transaction: ChainTransaction) -> Effects:
    """Read one mined transaction and its receipt."""
    fee = Movement(
        transaction.hash,
        0,
        "fee",
        None,
        transaction.sender,
        None,
        transaction.gas_used * transaction.gas_price,
    )
    if not transaction.status:
        return Effects(transaction, fee)
    if transaction.type == TYPE_SCT:
        return _sct_effects(transaction, fee)
    return Effects(transaction, fee, _sym_moved(transaction))


def _sym_moved(transaction: ChainTransaction) -> Movement | None:
    sender, digest = transaction.sender, transaction.hash
    if transaction.type == TYPE_REMIT and transaction.to:
        return Movement(digest, 1, "remit", None, sender, transaction.to, transaction.value)
    if transaction.type == TYPE_DEPOSIT and not transaction.to:
        return Movement(digest, 1, "deposit", None, sender, None, transaction.value)
    if transaction.type == TYPE_DEPOSIT and transaction.to == sender:
        return Movement(digest, 1, "restore", None, None, sender, 0)
    return None


def _sct_effects(transaction: ChainTransaction, fee: Movement) -> Effects:
    try:
        call = sct20.decode(transaction.input)
    except Invalid:
        return Effects(transaction, fee)
    contract = transaction.to or transaction.contract_address
    if contract is None:
        return Effects(transaction, fee)
    return Effects(transaction, fee, _token_moved(transaction, contract, call), call, contract)


def _token_moved(
    transaction: ChainTransaction, contract: bytes, call: sct20.Call
) -> Movement | None:
    sender, digest = transaction.sender, transaction.hash
    match call:
        case sct20.Create(amount=amount, owner=owner):
            return Movement(digest, 1, "create", contract, None, owner, amount)
        case sct20.Transfer(to=to, amount=amount):
            return Movement(digest, 1, "transfer", contract, sender, to, amount)
        case sct20.TransferFrom(source=source, to=to, amount=amount):
            return Movement(digest, 1, "transfer_from", contract, source, to, amount)
        case sct20.Mint(to=to, amount=amount):
            return Movement(digest, 1, "mint", contract, None, to, amount)
        case sct20.Burn(source=source, amount=amount):
            return Movement(digest, 1, "burn", contract, source, None, amount)
    return None


@dataclass(frozen=True, slots=True)
class Touched:
    """The keys that a block reads or writes."""

    accounts: frozenset[bytes]
    holdings: frozenset[tuple[bytes, bytes]]
    contracts: frozenset[bytes]


def touched(effects: Iterable[Effects]) -> Touched:
    """Every account, (contract, account) and contract that these transactions touch."""
    accounts: set[bytes] = set()
    holdings: set[tuple[bytes, bytes]] = set()
    contracts: set[bytes] = set()
    for one in effects:
        accounts.add(one.transaction.sender)
        if one.contract is not None:
            contracts.add(one.contract)
        if one.moved is None:
            continue
        for symid in (one.moved.source, one.moved.target):
            if symid is None:
                continue
            if one.moved.contract is None:
                accounts.add(symid)
            else:
                holdings.add((one.moved.contract, symid))
    return Touched(frozenset(accounts), frozenset(holdings), frozenset(contracts))


def printable(text: str, chars_max: int) -> str:
    """A name as we keep it: anyone may call a token anything, and a database must hold it."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text[:chars_max])


@dataclass(slots=True)
class Book:
    """Accounts, holdings and contracts under change; absent means zero.

    What the chain did is the truth, so ``settle`` never refuses: where the book has less than the
    chain moved, it goes to zero and says so in ``shortfalls``.
    """

    accounts: dict[bytes, AccountView] = field(default_factory=dict)
    holdings: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    contracts: dict[bytes, ContractView] = field(default_factory=dict)
    shortfalls: list[Shortfall] = field(default_factory=list)

    def settle(self, effects: Effects, block_number: int) -> tuple[Movement, ...]:
        """Add one transaction to the book; returns its movements, fee first."""
        transaction = effects.transaction
        account = self.accounts.get(transaction.sender, AccountView())
        moved = effects.moved
        if moved is not None and moved.kind == "restore":
            moved = replace(moved, amount=account.deposit_hug)
        self.accounts[transaction.sender] = replace(account, nonce=transaction.nonce + 1)
        self._move(effects.fee)
        if effects.call is not None:
            self._change_contract(effects, block_number)
        if moved is None:
            return (effects.fee,)
        self._move(moved)
        return (effects.fee, moved)

    def _move(self, movement: Movement) -> None:
        if movement.contract is None:
            self._move_sym(movement)
            return
        if movement.source is not None:
            self._take_holding((movement.contract, movement.source), movement.amount)
        if movement.target is not None:
            key = (movement.contract, movement.target)
            self.holdings[key] = self.holdings.get(key, 0) + movement.amount

    def _move_sym(self, movement: Movement) -> None:
        if movement.source is not None:
            account = self.accounts.get(movement.source, AccountView())
            left = account.balance_hug - movement.amount
            if left < 0:
                self._fell_short(None, movement.source, account.balance_hug, movement.amount)
            deposited = movement.amount if movement.kind == "deposit" else 0
            self.accounts[movement.source] = AccountView(
                max(left, 0), account.nonce, account.deposit_hug + deposited
            )
        if movement.target is not None:
            account = self.accounts.get(movement.target, AccountView())
            restored = movement.amount if movement.kind == "restore" else 0
            self.accounts[movement.target] = AccountView(
                account.balance_hug + movement.amount,
                account.nonce,
                account.deposit_hug - restored,
            )

    def _take_holding(self, key: tuple[bytes, bytes], amount: int) -> None:
        had = self.holdings.get(key, 0)
        if had < amount:
            self._fell_short(key[0], key[1], had, amount)
        self.holdings[key] = max(had - amount, 0)

    def _fell_short(self, contract: bytes | None, symid: bytes, had: int, needed: int) -> None:
        self.shortfalls.append(Shortfall(contract, symid, had, needed))

    def _change_contract(self, effects: Effects, block_number: int) -> None:
        assert effects.contract is not None and effects.call is not None
        if isinstance(effects.call, sct20.Create):
            self.contracts[effects.contract] = _created(effects, effects.call, block_number)
            return
        contract = self.contracts.get(effects.contract)
        if contract is None:
            return
        changed = _changed(contract, effects.call)
        if changed.total < 0:
            self._fell_short(
                contract.contract, contract.contract, contract.total, contract.total - changed.total
            )
            changed = replace(changed, total=0)
        self.contracts[effects.contract] = changed


def _created(effects: Effects, call: sct20.Create, block_number: int) -> ContractView:
    assert effects.contract is not None
    return ContractView(
        contract=effects.contract,
        creator=effects.transaction.sender,
        owner=call.owner,
        name=printable(call.name, NAME_CHARS_MAX),
        symbol=printable(call.symbol, SYMBOL_CHARS_MAX),
        total=call.amount,
        paused=False,
        created_block=block_number,
    )


def _changed(contract: ContractView, call: sct20.Call) -> ContractView:
    match call:
        case sct20.Mint(amount=amount):
            return replace(contract, total=contract.total + amount)
        case sct20.Burn(amount=amount):
            return replace(contract, total=contract.total - amount)
        case sct20.Pause():
            return replace(contract, paused=True)
        case sct20.Unpause():
            return replace(contract, paused=False)
        case sct20.TransferOwner(to=to):
            return replace(contract, owner=to)
    return contract

"""The rules by which one state becomes the next: pure, integers only, no clock, no disk.

Engines drive the chain through these calls, whatever their way of agreeing:

``check``     may this transaction wait in a pool?
``prepare``   which of the waiting transactions make the next body?
``process``   is a body that somebody else proposes valid?
``finalize``  apply a body: receipts, changes, the header that commits to both

Writing the result down (*commit*) is the store's affair and nobody else's.

A transaction that breaks a rule of the protocol never enters a body. A token call that fails does:
it pays for its bytes, advances the nonce and gets a receipt with status 0 and an error code. A
limit that covers the bytes but not the operation is used up whole. Fees leave the sender's account
and go to nobody: Symverse pays its proposers once a day from elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jigap.chain import gas, sct20, symid, transaction
from jigap.chain.block import Body, Header, Receipt, receipts_root
from jigap.chain.citizen import Role, SignedCitizenTransaction
from jigap.chain.invalid import (
    GasLimitExceeded,
    InsufficientFunds,
    IntrinsicGasTooLow,
    Invalid,
    InvalidBlock,
    InvalidField,
    InvalidSender,
    InvalidSignature,
    InvalidTransaction,
    MalformedCall,
    NonceTooHigh,
    NonceTooLow,
    Underpriced,
    UnknownRecipient,
)
from jigap.chain.symid import SymId
from jigap.chain.transaction import (
    TYPE_DEPOSIT,
    TYPE_REMIT,
    TYPE_SCT,
    SignedTransaction,
    Transaction,
)
from jigap.node import registration
from jigap.node.lthash import LtHash
from jigap.node.state import (
    Account,
    Change,
    Overlay,
    State,
    StateReader,
    TokenLedger,
    added,
    removed,
)

#: The gas limit that Symverse's blocks print.
BLOCK_GAS_LIMIT = 0xB3C36A0
BLOCK_TRANSACTIONS_MAX = 5_000
BLOCK_CITIZENS_MAX = 2_000
BLOCK_BYTES_MAX = 4 << 20

_KEEPS_DEPOSIT = (Role.CA, Role.MASTER_CA, Role.ORACLE)


class DepositLocked(InvalidTransaction):
    """The deposit of a CA or an oracle stays while it is one."""

    code = "deposit_locked"
    words = "deposit is locked"


@dataclass(frozen=True, slots=True)
class Rules:
    """What all nodes of a chain must agree on."""

    chain_id: int
    gas_price_hug: int = gas.GAS_PRICE_HUG
    block_gas_limit: int = BLOCK_GAS_LIMIT


@dataclass(frozen=True, slots=True)
class Tip:
    """The last block and the state after it: what the next block builds on."""

    header: Header
    hash: bytes
    state: StateReader
    sum: LtHash


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transaction whose signature was recovered already."""

    signed: SignedTransaction
    signer: bytes


@dataclass(frozen=True, slots=True)
class CitizenCandidate:
    """A citizen transaction whose signature was recovered already."""

    signed: SignedCitizenTransaction
    signer: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A candidate that could not be applied, and why."""

    hash: bytes
    reason: Invalid


@dataclass(slots=True)
class Execution:
    """A body and what applying it did. Made by ``prepare`` and ``process`` only."""

    body: Body
    receipts: tuple[Receipt, ...]
    changes: dict[bytes, Change]
    refused: tuple[Refused, ...] = ()
    parent_hash: bytes = b""

    @property
    def gas_used(self) -> int:
        return self.receipts[-1].cumulative_gas_used if self.receipts else 0


@dataclass(frozen=True, slots=True)
class Finalized:
    """Everything the store has to write for a block, except the proposer's signature."""

    header: Header
    body: Body
    receipts: tuple[Receipt, ...]
    changes: Mapping[bytes, Change]
    sum: LtHash


# -- check ----------------------------------------


def check(state: State, signed: SignedTransaction, signer: bytes, rules: Rules) -> None:
    """Raises ``Invalid`` unless the transaction could be applied once its nonce is due."""
    asked = signed.transaction
    check_form(asked, rules)
    check_sender(state, asked, signer)
    account = state.account(asked.sender)
    if asked.nonce < account.nonce:
        raise NonceTooLow(nonce=asked.nonce, expected=account.nonce)
    _check_funds(asked, account)
    _check_recipient(state, asked)


def check_form(asked: Transaction, rules: Rules) -> None:
    """The rules that need no state."""
    if asked.gas_limit > rules.block_gas_limit:
        raise GasLimitExceeded(gas_limit=asked.gas_limit, block_gas_limit=rules.block_gas_limit)
    if asked.gas_price < rules.gas_price_hug:
        raise Underpriced(gas_price=asked.gas_price, required=rules.gas_price_hug)
    if asked.gas_price > rules.gas_price_hug:
        raise Underpriced(
            f"gas price is fixed at {rules.gas_price_hug}",
            gas_price=asked.gas_price,
            required=rules.gas_price_hug,
        )
    intrinsic_gas = gas.intrinsic_gas(not asked.to, asked.input)
    if asked.gas_limit < intrinsic_gas:
        raise IntrinsicGasTooLow(gas_limit=asked.gas_limit, intrinsic_gas=intrinsic_gas)
    if asked.type == TYPE_SCT:
        read_call(asked)


def read_call(asked: Transaction) -> sct20.Call | None:
    """The token call of an SCT transaction; None for a creation nobody can read, which will fail.

    Raises ``InvalidCall`` where a call cannot be read, and for templates other than SCT-20.
    """
    try:
        call = sct20.decode(asked.input)
    except MalformedCall:
        if asked.to:
            raise
        return None
    if isinstance(call, sct20.Create) == bool(asked.to):
        if asked.to:
            raise MalformedCall("invalid sct input: a contract cannot be created inside another")
        return None
    return call


def check_sender(state: State, asked: Transaction, signer: bytes) -> None:
    """The signer must be the active citizen that the transaction names."""
    citizen = state.citizen(asked.sender)
    if citizen is None or not citizen.is_active or citizen.key_hash != signer:
        raise InvalidSender(symid=asked.sender.hex(), signer=signer.hex())


def _check_funds(asked: Transaction, account: Account) -> None:
    cost = asked.cost_max_hug()
    if account.balance < cost:
        raise InsufficientFunds(balance=account.balance, cost=cost)


def _check_recipient(state: State, asked: Transaction) -> None:
    if asked.type == TYPE_REMIT and not state.is_citizen(asked.to):
        raise UnknownRecipient(to=asked.to.hex())
    if asked.type == TYPE_DEPOSIT and asked.to:
        if asked.value:
            raise InvalidField("a deposit is restored whole: value must be 0", value=asked.value)
        citizen = state.citizen(asked.sender)
        if citizen is not None and citizen.role in _KEEPS_DEPOSIT:
            raise DepositLocked(role=citizen.role)


def gas_needed(asked: Transaction) -> int:
    """The most gas that applying the transaction can use: what it takes of a block.

    Gas can be computed to the unit, so a block is filled by what transactions need and not by the
    limits they state: nobody can crowd others out with a limit they will never use.
    """
    return min(asked.gas_limit, gas.gas_used(not asked.to, asked.type, asked.input))


def signer_of(signed: SignedTransaction, chain_id: int) -> bytes:
    """The key hash that signed for this chain; raises ``InvalidSender`` when no key can have."""
    try:
        return transaction.recover_public_key_hash(signed, chain_id)
    except InvalidSignature as error:
        raise InvalidSender from error


# -- apply one ----------------------------------------


def apply_transaction(
    state: State, candidate: Candidate, rules: Rules, gas_used_before: int
) -> Receipt:
    """Apply one transaction; ``gas_used_before`` is what the block has used so far.

    Raises ``Invalid`` and leaves the state as it was if it may not be in a block here.
    """
    signed = candidate.signed
    asked = signed.transaction
    check(state, signed, candidate.signer, rules)
    account = state.account(asked.sender)
    if asked.nonce > account.nonce:
        raise NonceTooHigh(nonce=asked.nonce, expected=account.nonce)
    if gas_used_before + gas_needed(asked) > rules.block_gas_limit:
        raise GasLimitExceeded(
            gas_needed=gas_needed(asked), block_gas_left=rules.block_gas_limit - gas_used_before
        )
    # After this point the transaction is in the block, whatever its call does.
    outcome = _run(state, asked)
    charge_gas(state, asked, outcome.gas_used)
    return Receipt(
        transaction_hash=signed.hash,
        status=outcome.status,
        gas_used=outcome.gas_used,
        cumulative_gas_used=gas_used_before + outcome.gas_used,
        err_code=outcome.err_code,
        contract_address=outcome.contract_address,
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    status: bool
    gas_used: int
    err_code: int | None = None
    contract_address: SymId | None = None


def charge_gas(state: State, asked: Transaction, gas_used: int) -> None:
    """Take the fee from the sender and advance its nonce."""
    account = state.account(asked.sender)
    state.put_account(
        asked.sender,
        Account(account.balance - gas_used * asked.gas_price, account.nonce + 1, account.deposit),
    )


def _run(state: State, asked: Transaction) -> _Outcome:
    intrinsic_gas = gas.intrinsic_gas(not asked.to, asked.input)
    if asked.type == TYPE_SCT:
        return _run_call(state, asked, intrinsic_gas)
    if asked.type == TYPE_REMIT:
        _remit(state, asked)
    elif asked.type == TYPE_DEPOSIT:
        _deposit(state, asked)
    return _Outcome(True, intrinsic_gas)


def _remit(state: State, asked: Transaction) -> None:
    source = state.account(asked.sender)
    state.put_account(asked.sender, source._replace(balance=source.balance - asked.value))
    target = state.account(asked.to)
    state.put_account(asked.to, target._replace(balance=target.balance + asked.value))


def _deposit(state: State, asked: Transaction) -> None:
    account = state.account(asked.sender)
    moved = -account.deposit if asked.to else asked.value
    state.put_account(
        asked.sender,
        account._replace(balance=account.balance - moved, deposit=account.deposit + moved),
    )


def _run_call(state: State, asked: Transaction, intrinsic_gas: int) -> _Outcome:
    call = read_call(asked)
    if call is None:
        return _Outcome(False, intrinsic_gas, sct20.ErrCode.BAD_FORMAT)
    gas_used = intrinsic_gas + gas.operation_gas(sct20.SCT20, call.method)
    if gas_used > asked.gas_limit:
        return _Outcome(False, asked.gas_limit)
    address = asked.to or symid.contract_address(asked.sender, asked.nonce)
    try:
        effects = sct20.execute(
            call, asked.sender, state.contract(address), TokenLedger(state, address)
        )
    except sct20.SctFailure as failure:
        return _Outcome(False, intrinsic_gas, failure.err_code)
    _write(state, address, effects)
    return _Outcome(True, gas_used, contract_address=None if asked.to else address)


def _write(state: State, address: SymId, effects: sct20.Effects) -> None:
    if effects.contract is not None:
        state.put_contract(address, effects.contract)
    for holder, amount in effects.balances.items():
        state.put_token_balance(address, holder, amount)
    for (owner, spender), amount in effects.allowances.items():
        state.put_allowance(address, owner, spender, amount)


# -- prepare, process, finalize ----------------------------------------


def prepare(
    tip: Tip,
    citizens: Iterable[CitizenCandidate],
    candidates: Iterable[Candidate],
    rules: Rules,
) -> Execution:
    """The next body from what waits, in the order given, as much as a block may hold.

    What cannot be applied is left out and reported in ``refused``, so that the pool can forget it.
    """
    making = _Making(Overlay(tip.state), rules)
    for one in citizens:
        if not making.room_for_citizen(len(one.signed.raw)):
            break
        making.try_citizen(one)
    for candidate in candidates:
        if not making.room_for(candidate.signed):
            break
        making.try_transaction(candidate)
    return making.done(tip.hash)


def process(
    tip: Tip, body: Body, rules: Rules, signers: Mapping[bytes, bytes] | None = None
) -> Execution:
    """Apply a body as proposed, all of it; raises ``Invalid`` if any part may not be there.

    ``signers`` maps hashes to key hashes already recovered; others are recovered here.
    """
    known = signers or {}
    making = _Making(Overlay(tip.state), rules)
    for citizen in body.citizens:
        if not making.room_for_citizen(len(citizen.raw)):
            raise InvalidBlock("too much in the block")
        signer = known.get(citizen.hash) or registration.signer_of(citizen, rules.chain_id)
        making.add_citizen(CitizenCandidate(citizen, signer))
    for signed in body.transactions:
        if not making.room_for(signed):
            raise InvalidBlock("too much in the block")
        signer = known.get(signed.hash) or signer_of(signed, rules.chain_id)
        making.add_transaction(Candidate(signed, signer))
    return making.done(tip.hash)


def finalize(
    tip: Tip, execution: Execution, time_ms: int, proposer: SymId, rules: Rules, extra: bytes = b""
) -> Finalized:
    """The block that the execution makes on top of ``tip``: header, changes and new state sum.

    ``time_ms`` must be later than the parent's; the same arguments always give the same header.
    """
    if execution.parent_hash != tip.hash:
        raise InvalidBlock(
            "executed on another block", expected=tip.hash.hex(), found=execution.parent_hash.hex()
        )
    if time_ms <= tip.header.time_ms:
        raise InvalidBlock("time does not advance", expected=tip.header.time_ms, found=time_ms)
    body = execution.body
    sum_ = tip.sum.changed(removed(execution.changes), added(execution.changes))
    header = Header(
        number=tip.header.number + 1,
        parent_hash=tip.hash,
        time_ms=time_ms,
        state_root=sum_.root(),
        transactions_root=body.transactions_root(),
        citizens_root=body.citizens_root(),
        receipts_root=receipts_root(execution.receipts),
        gas_used=execution.gas_used,
        gas_limit=rules.block_gas_limit,
        proposer=proposer,
        chain_id=rules.chain_id,
        citizen_block_number=tip.header.citizen_block_number + bool(body.citizens),
        extra_data=extra,
    )
    return Finalized(header, body, execution.receipts, execution.changes, sum_)


@dataclass(slots=True)
class _Making:
    """A body in the making."""

    overlay: Overlay
    rules: Rules
    state: State = field(init=False)
    bytes_used: int = 0
    gas_used: int = 0
    citizens: list[SignedCitizenTransaction] = field(default_factory=list)
    transactions: list[SignedTransaction] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = State(self.overlay)

    def room_for_citizen(self, size: int) -> bool:
        return len(self.citizens) < BLOCK_CITIZENS_MAX and self.bytes_used + size <= BLOCK_BYTES_MAX

    def room_for(self, signed: SignedTransaction) -> bool:
        return (
            len(self.transactions) < BLOCK_TRANSACTIONS_MAX
            and self.bytes_used + len(signed.raw) <= BLOCK_BYTES_MAX
            and self.gas_used + gas_needed(signed.transaction) <= self.rules.block_gas_limit
        )

    def add_citizen(self, one: CitizenCandidate) -> None:
        registration.apply_citizen(self.state, one.signed, one.signer)
        self.citizens.append(one.signed)
        self.bytes_used += len(one.signed.raw)

    def add_transaction(self, candidate: Candidate) -> None:
        receipt = apply_transaction(self.state, candidate, self.rules, self.gas_used)
        self.gas_used = receipt.cumulative_gas_used
        self.transactions.append(candidate.signed)
        self.receipts.append(receipt)
        self.bytes_used += len(candidate.signed.raw)

    def try_citizen(self, one: CitizenCandidate) -> None:
        try:
            self.add_citizen(one)
        except Invalid as reason:
            self.refused.append(Refused(one.signed.hash, reason))

    def try_transaction(self, candidate: Candidate) -> None:
        try:
            self.add_transaction(candidate)
        except Invalid as reason:
            self.refused.append(Refused(candidate.signed.hash, reason))

    def done(self, parent_hash: bytes) -> Execution:
        return Execution(
            Body(tuple(self.transactions), tuple(self.citizens)),
            tuple(self.receipts),
            self.overlay.changes(),
            tuple(self.refused),
            parent_hash,
        )

"""SCT-20, the token template: its calls, and what they do.

``encode`` and ``decode`` are the wire; ``execute`` is the rule book. It reads balances through a
``Ledger``, decides in one documented order (contract, state, caller, SymIDs, allowance, balance)
and answers with the values to write, or raises ``SctFailure`` with the code for the receipt.
Nothing has changed when it raises.

What the public documents leave open is decided so:

* CREATE credits the whole supply to ``owner``; the sender is remembered as ``creator``.
* APPROVE sets the allowance, whatever it was, and may exceed the balance.
* A paused contract refuses methods 1 to 6; pausing, unpausing and a new owner stay possible.
* Amount 0 is an amount. What would pass 256 bits fails as ``BALANCE`` (2000).
* Names have 1 to 20 bytes of UTF-8, symbols 3 to 10.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import ClassVar, Protocol, TypeAlias

from jigap.chain import rlp
from jigap.chain.invalid import InvalidCall, MalformedCall, MalformedRlp, UnsupportedTemplate
from jigap.chain.symid import SYMID_BYTES, SymId
from jigap.chain.template import (
    AMOUNT_BYTES_MAX,
    SCT20,
    decode_template,
    encode_named,
    encode_template,
)

__all__ = [
    "AMOUNT_MAX",
    "SCT20",
    "Approve",
    "Burn",
    "Call",
    "Contract",
    "Create",
    "DecreaseApprove",
    "Effects",
    "ErrCode",
    "InvalidCall",
    "Ledger",
    "MalformedCall",
    "Method",
    "Mint",
    "Pause",
    "SctFailure",
    "Transfer",
    "TransferFrom",
    "TransferOwner",
    "Unpause",
    "UnsupportedTemplate",
    "decode",
    "encode",
    "encode_named",
    "encode_template",
    "execute",
]

AMOUNT_MAX = 2**256 - 1
NAME_BYTES_MAX = 20
SYMBOL_BYTES_MIN = 3
SYMBOL_BYTES_MAX = 10


class Method(IntEnum):
    """The method numbers on the wire."""

    CREATE = 0
    TRANSFER = 1
    TRANSFER_FROM = 2
    APPROVE = 3
    DECREASE_APPROVE = 4
    MINT = 5
    BURN = 6
    PAUSE = 7
    UNPAUSE = 8
    TRANSFER_OWNER = 9


class ErrCode(IntEnum):
    """Why a call failed: the ``errCode`` of its receipt."""

    NO_CONTRACT = 1000
    BAD_FORMAT = 1001
    WRONG_STATE = 1002
    NOT_OWNER = 1003
    BALANCE = 2000
    ALLOWANCE = 2001
    ITEM_STATE = 3000
    ITEM_FORMAT = 3001
    ITEM_COUNT = 3002
    UNKNOWN_SYMID = 4000
    SAME_SYMID = 4001

    @property
    def words(self) -> str:
        """The meaning in a few words."""
        return _WORDS[self]


_WORDS = {
    ErrCode.NO_CONTRACT: "contract does not exist",
    ErrCode.BAD_FORMAT: "bad creation format",
    ErrCode.WRONG_STATE: "contract state does not allow it",
    ErrCode.NOT_OWNER: "caller is not owner or creator",
    ErrCode.BALANCE: "balance insufficient or absent",
    ErrCode.ALLOWANCE: "allowance insufficient or absent",
    ErrCode.ITEM_STATE: "item state does not allow it",
    ErrCode.ITEM_FORMAT: "bad item format",
    ErrCode.ITEM_COUNT: "too many items",
    ErrCode.UNKNOWN_SYMID: "SymID missing or not registered",
    ErrCode.SAME_SYMID: "same SymID on both sides",
}


class SctFailure(Exception):
    """The call is valid on the wire but fails: a receipt with status 0 and this code."""

    def __init__(self, err_code: ErrCode) -> None:
        self.err_code = err_code
        super().__init__(f"{int(err_code)} {err_code.words}")


@dataclass(frozen=True, slots=True)
class Create:
    """A new contract; ``amount`` base units go to ``owner``."""

    method: ClassVar[Method] = Method.CREATE
    name: str
    symbol: str
    amount: int
    owner: SymId


@dataclass(frozen=True, slots=True)
class Transfer:
    """``amount`` from the sender to ``to``."""

    method: ClassVar[Method] = Method.TRANSFER
    to: SymId
    amount: int


@dataclass(frozen=True, slots=True)
class TransferFrom:
    """``amount`` from ``source`` to ``to``, out of what ``source`` allowed the sender."""

    method: ClassVar[Method] = Method.TRANSFER_FROM
    source: SymId
    to: SymId
    amount: int


@dataclass(frozen=True, slots=True)
class Approve:
    """The sender lets ``spender`` move ``amount`` from now on."""

    method: ClassVar[Method] = Method.APPROVE
    spender: SymId
    amount: int


@dataclass(frozen=True, slots=True)
class DecreaseApprove:
    """The sender lets ``spender`` move ``amount`` less."""

    method: ClassVar[Method] = Method.DECREASE_APPROVE
    spender: SymId
    amount: int


@dataclass(frozen=True, slots=True)
class Mint:
    """``amount`` new base units for ``to``."""

    method: ClassVar[Method] = Method.MINT
    to: SymId
    amount: int


@dataclass(frozen=True, slots=True)
class Burn:
    """``amount`` base units of ``source`` cease to exist."""

    method: ClassVar[Method] = Method.BURN
    source: SymId
    amount: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Stops everything that moves tokens."""

    method: ClassVar[Method] = Method.PAUSE


@dataclass(frozen=True, slots=True)
class Unpause:
    """Lets tokens move again."""

    method: ClassVar[Method] = Method.UNPAUSE


@dataclass(frozen=True, slots=True)
class TransferOwner:
    """Makes ``to`` the owner; the creator keeps its rights."""

    method: ClassVar[Method] = Method.TRANSFER_OWNER
    to: SymId


Call: TypeAlias = (
    Create
    | Transfer
    | TransferFrom
    | Approve
    | DecreaseApprove
    | Mint
    | Burn
    | Pause
    | Unpause
    | TransferOwner
)


@dataclass(frozen=True, slots=True)
class Contract:
    """A token as the chain keeps it; ``total`` in base units."""

    creator: SymId
    owner: SymId
    name: str
    symbol: str
    total: int
    paused: bool = False

    def is_run_by(self, symid: SymId) -> bool:
        """Whether ``symid`` may mint, burn, pause and name a new owner."""
        return symid in (self.owner, self.creator)


class Ledger(Protocol):
    """What ``execute`` may ask about the contract it works on."""

    def balance(self, symid: SymId) -> int:
        """Base units held; 0 for a stranger."""

    def allowance(self, owner: SymId, spender: SymId) -> int:
        """Base units that ``spender`` may move for ``owner``."""

    def is_citizen(self, symid: SymId) -> bool:
        """Whether the SymID is registered."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What a successful call changes: new values, not differences.

    ``contract`` is None when the contract itself stays as it is; allowances are keyed by
    (owner, spender).
    """

    contract: Contract | None = None
    balances: dict[SymId, int] = field(default_factory=dict)
    allowances: dict[tuple[SymId, SymId], int] = field(default_factory=dict)


def encode(call: Call) -> bytes:
    """The transaction input that makes this call."""
    parameters = [getattr(call, name) for name in call.__slots__]
    return encode_template(SCT20, call.method, parameters)


def decode(input: bytes) -> Call:
    """The call in a transaction input.

    Leading zero bytes in integers are tolerated, since clients write them; more than 32 bytes are
    not. Raises ``MalformedCall``, or ``UnsupportedTemplate`` for other templates and methods.
    """
    template, method, items = decode_template(input)
    form = _FORMS.get(method) if template == SCT20 else None
    if form is None:
        raise UnsupportedTemplate(
            f"unsupported sct template {template} method {method}", template=template, method=method
        )
    make, readers = form
    if len(items) != len(readers):
        raise MalformedCall(
            "invalid sct input: wrong number of parameters",
            expected=len(readers),
            found=len(items),
        )
    return make(*[read(item) for read, item in zip(readers, items, strict=True)])


def _read_text(item: rlp.Item) -> str:
    try:
        return rlp.read_bytes(item, "text").decode("utf-8")
    except (MalformedRlp, UnicodeDecodeError) as error:
        raise MalformedCall(f"invalid sct input: {error}") from error


def _read_symid(item: rlp.Item) -> SymId:
    try:
        return rlp.read_bytes(item, "SymID", SYMID_BYTES)
    except MalformedRlp as error:
        raise MalformedCall(f"invalid sct input: {error}") from error


def _read_amount(item: rlp.Item) -> int:
    try:
        return rlp.read_int(item, "amount", AMOUNT_BYTES_MAX, lenient=True)
    except MalformedRlp as error:
        raise MalformedCall(f"invalid sct input: {error}") from error


_FORMS: dict[int, tuple[Callable[..., Call], tuple[Callable[[rlp.Item], object], ...]]] = {
    Method.CREATE: (Create, (_read_text, _read_text, _read_amount, _read_symid)),
    Method.TRANSFER: (Transfer, (_read_symid, _read_amount)),
    Method.TRANSFER_FROM: (TransferFrom, (_read_symid, _read_symid, _read_amount)),
    Method.APPROVE: (Approve, (_read_symid, _read_amount)),
    Method.DECREASE_APPROVE: (DecreaseApprove, (_read_symid, _read_amount)),
    Method.MINT: (Mint, (_read_symid, _read_amount)),
    Method.BURN: (Burn, (_read_symid, _read_amount)),
    Method.PAUSE: (Pause, ()),
    Method.UNPAUSE: (Unpause, ()),
    Method.TRANSFER_OWNER: (TransferOwner, (_read_symid,)),
}


def execute(call: Call, sender: SymId, contract: Contract | None, ledger: Ledger) -> Effects:
    """What ``call`` by ``sender`` changes, or ``SctFailure``.

    ``contract`` is the one at the address the transaction goes to, None if there is none; for
    CREATE it is what already lies at the new address, normally None.
    """
    if isinstance(call, Create):
        return _create(call, sender, contract, ledger)
    if contract is None:
        raise SctFailure(ErrCode.NO_CONTRACT)
    _check_state(call, contract)
    match call:
        case Transfer():
            return _transfer(call, sender, ledger)
        case TransferFrom():
            return _transfer_from(call, sender, ledger)
        case Approve():
            return _approve(call, sender, ledger)
        case DecreaseApprove():
            return _decrease_approve(call, sender, ledger)
    if not contract.is_run_by(sender):
        raise SctFailure(ErrCode.NOT_OWNER)
    match call:
        case Mint():
            return _mint(call, contract, ledger)
        case Burn():
            return _burn(call, contract, ledger)
        case Pause():
            return Effects(replace(contract, paused=True))
        case Unpause():
            return Effects(replace(contract, paused=False))
        case TransferOwner():
            _check_citizen(call.to, ledger)
            return Effects(replace(contract, owner=call.to))


def _check_state(call: Call, contract: Contract) -> None:
    match call:
        case Unpause():
            allowed = contract.paused
        case TransferOwner():
            allowed = True
        case _:
            allowed = not contract.paused
    if not allowed:
        raise SctFailure(ErrCode.WRONG_STATE)


def _check_citizen(symid: SymId, ledger: Ledger) -> None:
    if not ledger.is_citizen(symid):
        raise SctFailure(ErrCode.UNKNOWN_SYMID)


def _check_sides(source: SymId, to: SymId, ledger: Ledger) -> None:
    _check_citizen(to, ledger)
    if source == to:
        raise SctFailure(ErrCode.SAME_SYMID)


def _less(have: int, amount: int, err_code: ErrCode) -> int:
    if have < amount:
        raise SctFailure(err_code)
    return have - amount


def _more(have: int, amount: int) -> int:
    if have + amount > AMOUNT_MAX:
        raise SctFailure(ErrCode.BALANCE)
    return have + amount


def _create(call: Create, sender: SymId, existing: Contract | None, ledger: Ledger) -> Effects:
    if existing is not None:
        raise SctFailure(ErrCode.WRONG_STATE)
    name_bytes, symbol_bytes = len(call.name.encode("utf-8")), len(call.symbol.encode("utf-8"))
    if not 1 <= name_bytes <= NAME_BYTES_MAX:
        raise SctFailure(ErrCode.BAD_FORMAT)
    if not SYMBOL_BYTES_MIN <= symbol_bytes <= SYMBOL_BYTES_MAX:
        raise SctFailure(ErrCode.BAD_FORMAT)
    _check_citizen(call.owner, ledger)
    contract = Contract(sender, call.owner, call.name, call.symbol, call.amount)
    return Effects(contract, {call.owner: call.amount})


def _transfer(call: Transfer, sender: SymId, ledger: Ledger) -> Effects:
    _check_sides(sender, call.to, ledger)
    return Effects(balances=_moved(sender, call.to, call.amount, ledger))


def _transfer_from(call: TransferFrom, sender: SymId, ledger: Ledger) -> Effects:
    _check_citizen(call.source, ledger)
    _check_sides(call.source, call.to, ledger)
    allowed = ledger.allowance(call.source, sender)
    left = _less(allowed, call.amount, ErrCode.ALLOWANCE)
    return Effects(
        balances=_moved(call.source, call.to, call.amount, ledger),
        allowances={(call.source, sender): left},
    )


def _moved(source: SymId, to: SymId, amount: int, ledger: Ledger) -> dict[SymId, int]:
    left = _less(ledger.balance(source), amount, ErrCode.BALANCE)
    return {source: left, to: _more(ledger.balance(to), amount)}


def _approve(call: Approve, sender: SymId, ledger: Ledger) -> Effects:
    _check_sides(sender, call.spender, ledger)
    return Effects(allowances={(sender, call.spender): call.amount})


def _decrease_approve(call: DecreaseApprove, sender: SymId, ledger: Ledger) -> Effects:
    _check_sides(sender, call.spender, ledger)
    allowed = ledger.allowance(sender, call.spender)
    left = _less(allowed, call.amount, ErrCode.ALLOWANCE)
    return Effects(allowances={(sender, call.spender): left})


def _mint(call: Mint, contract: Contract, ledger: Ledger) -> Effects:
    _check_citizen(call.to, ledger)
    total = _more(contract.total, call.amount)
    balance = _more(ledger.balance(call.to), call.amount)
    return Effects(replace(contract, total=total), {call.to: balance})


def _burn(call: Burn, contract: Contract, ledger: Ledger) -> Effects:
    _check_citizen(call.source, ledger)
    left = _less(ledger.balance(call.source), call.amount, ErrCode.BALANCE)
    return Effects(replace(contract, total=contract.total - call.amount), {call.source: left})

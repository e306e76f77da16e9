"""What an operator may ask of a token, and the SCT-20 call that does it. Pure.

An operation is recorded as a wish and signed later by the dispatcher, which holds the service keys.
"""

from dataclasses import dataclass
from enum import StrEnum

from jigap.chain import sct20


class Kind(StrEnum):
    """The operations, as the operator's routes spell them."""

    CREATE = "create"
    MINT = "mint"
    BURN = "burn"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    TRANSFER = "transfer"
    TRANSFER_OWNER = "transfer_owner"
    APPROVE = "approve"
    DECREASE_APPROVE = "decrease_approve"
    TRANSFER_FROM = "transfer_from"


@dataclass(frozen=True, slots=True)
class Wish:
    """An operation as the operator asked for it. SymIDs are 10 bytes, empty where not needed.

    ``signer`` is the role of the service key that signs it.
    """

    kind: Kind
    symbol: str
    signer: str = "token_owner"
    name: str = ""
    amount: int = 0
    account: bytes = b""
    counterpart: bytes = b""

    @property
    def spends_for_another(self) -> bool:
        """Whether it moves what ``account`` has allowed the signer to move."""
        return self.kind is Kind.TRANSFER_FROM


def call(wish: Wish, own_account: bytes) -> sct20.Call:
    """The SCT-20 call of a wish; ``own_account`` is the signer's SymID."""
    match wish.kind:
        case Kind.CREATE:
            return sct20.Create(wish.name, wish.symbol, wish.amount, own_account)
        case Kind.MINT:
            return sct20.Mint(wish.account, wish.amount)
        case Kind.BURN:
            return sct20.Burn(wish.account, wish.amount)
        case Kind.PAUSE:
            return sct20.Pause()
        case Kind.UNPAUSE:
            return sct20.Unpause()
        case Kind.TRANSFER:
            return sct20.Transfer(wish.account, wish.amount)
        case Kind.TRANSFER_OWNER:
            return sct20.TransferOwner(wish.account)
        case Kind.APPROVE:
            return sct20.Approve(wish.account, wish.amount)
        case Kind.DECREASE_APPROVE:
            return sct20.DecreaseApprove(wish.account, wish.amount)
        case Kind.TRANSFER_FROM:
            return sct20.TransferFrom(wish.account, wish.counterpart, wish.amount)


def wish_of(made: sct20.Call, symbol: str) -> Wish:
    """The wish that a call on an existing contract came from."""
    match made:
        case sct20.Mint(to, amount):
            return Wish(Kind.MINT, symbol, amount=amount, account=to)
        case sct20.Burn(source, amount):
            return Wish(Kind.BURN, symbol, amount=amount, account=source)
        case sct20.Transfer(to, amount):
            return Wish(Kind.TRANSFER, symbol, amount=amount, account=to)
        case sct20.TransferOwner(to):
            return Wish(Kind.TRANSFER_OWNER, symbol, account=to)
        case sct20.Approve(spender, amount):
            return Wish(Kind.APPROVE, symbol, amount=amount, account=spender)
        case sct20.DecreaseApprove(spender, amount):
            return Wish(Kind.DECREASE_APPROVE, symbol, amount=amount, account=spender)
        case sct20.TransferFrom(source, to, amount):
            return Wish(Kind.TRANSFER_FROM, symbol, "treasury", "", amount, source, to)
        case sct20.Pause():
            return Wish(Kind.PAUSE, symbol)
        case sct20.Unpause():
            return Wish(Kind.UNPAUSE, symbol)
        case _:
            raise ValueError("a creation is not a call on an existing contract")

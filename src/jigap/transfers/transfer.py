"""A payment: what was ordered, what may refuse it, and what it looks like from outside. Pure.

A payment has no state column of its own: where it stands is where its transaction stands (see
``jigap.lanes.states``), so the two can never disagree. Only a delayed payment has no transaction
yet:

    delayed ──> signed (the payer confirms with the passphrase) ──> …
       └──────> withdrawn (the payer takes it back; nothing was ever signed)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jigap.lanes import State
from jigap.money import format_amount
from jigap.tokens import KeyReused
from jigap.transfers import refusals

MEMO_MAX_CHARS = 200
UNFINISHED_MAX = 64
PURPOSE = "transfer"


class Standing(StrEnum):
    """Where a payment stands: the states of its transaction, and two that come before one."""

    DELAYED = "delayed"
    WITHDRAWN = "withdrawn"
    SIGNED = State.SIGNED
    UNKNOWN = State.UNKNOWN
    SENT = State.SENT
    CANCELLING = State.CANCELLING
    CONFIRMED = State.CONFIRMED
    REFUSED = State.REFUSED
    VOID = State.VOID

    @property
    def is_final(self) -> bool:
        """Whether nothing can change it any more."""
        return self in _ENDS


_ENDS = frozenset({Standing.WITHDRAWN, Standing.CONFIRMED, Standing.REFUSED, Standing.VOID})


class Caution(StrEnum):
    """What a payer is warned of before a payment."""

    NEW_PAYEE = "new_payee"  # much money for somebody this member has never paid
    LARGE_AMOUNT = "large_amount"  # much money, whoever gets it


@dataclass(frozen=True, slots=True)
class Order:
    """What a member asks for. ``amount`` is a decimal string in whole tokens.

    ``acknowledged``: the payer was warned that this is much money, or that the payee is new.
    """

    recipient_id: str
    token: str
    amount: str
    memo: str = ""
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Intent:
    """An order after its words have been looked up: the fields an Idempotency-Key is bound to."""

    recipient: str
    token: str
    amount: int
    memo: str


@dataclass(frozen=True, slots=True)
class Spending:
    """What one snapshot says about the payer and the token; amounts in base units."""

    holding: int
    on_hold: int
    spent_today: int
    payment_limit: int
    daily_limit: int
    unfinished: int
    decimals: int
    new_payee_warn: int = 0
    large_amount_warn: int = 0
    payee_is_new: bool = False

    @property
    def available(self) -> int:
        """Free to spend: the balance at the indexed height less the holds not final at it."""
        return max(self.holding - self.on_hold, 0)


@dataclass(frozen=True, slots=True)
class Transfer:
    """A recorded payment and where it stands.

    While it is delayed it has no transaction: ``transaction_hash`` and ``nonce`` are None, and
    ``confirm_after_ms`` says when the payer may confirm it.

    ``gas_refill_hug`` is the SYM the platform added for it. ``memo`` is empty for the other side of
    a payment found again on the chain, where no memo is.
    """

    id: str
    member_id: str
    recipient: str
    sender_symid: bytes
    recipient_symid: bytes
    token: str
    amount: int
    memo: str
    state: Standing
    reason: str
    transaction_hash: bytes | None
    nonce: int | None
    block_number: int | None
    gas_refill_hug: int
    queued_reason: str
    created_ms: int
    final_ms: int | None
    confirm_after_ms: int | None


def same_request(bound: Intent, asked: Intent) -> None:
    """Raise ``KeyReused`` naming the first field in which two requests under one key differ."""
    for name in Intent.__slots__:
        if getattr(bound, name) != getattr(asked, name):
            raise KeyReused(f"This key was used with another {name}.", field=name)


def check_words(intent: Intent) -> None:
    """Refuse what is wrong whoever asks for it."""
    if intent.amount == 0:
        raise refusals.AmountZero("The amount is zero.")
    if len(intent.memo) > MEMO_MAX_CHARS:
        raise refusals.MemoTooLong("The memo is too long.", length=len(intent.memo))


def check_limits(amount: int, spending: Spending) -> None:
    """Refuse more than the limits allow."""

    def words(units: int) -> str:
        return format_amount(units, spending.decimals)

    if amount > spending.payment_limit:
        raise refusals.PaymentLimit(
            "This is more than one payment may move.",
            amount=words(amount),
            limit=words(spending.payment_limit),
        )
    if spending.spent_today + amount > spending.daily_limit:
        raise refusals.DailyLimit(
            "This is more than may be sent in a day.",
            amount=words(amount),
            spent=words(spending.spent_today),
            limit=words(spending.daily_limit),
        )


def check_spending(amount: int, spending: Spending) -> None:
    """Refuse what the limits or the balance do not allow."""
    check_limits(amount, spending)
    if spending.unfinished >= UNFINISHED_MAX:
        raise refusals.LaneFull("Too many payments are under way.", unfinished=spending.unfinished)
    if amount > spending.available:
        raise refusals.BalanceInsufficient(
            "The balance does not cover this amount.",
            amount=format_amount(amount, spending.decimals),
            available=format_amount(spending.available, spending.decimals),
        )


def cautions(amount: int, spending: Spending) -> tuple[Caution, ...]:
    """What the payer should be warned of; a threshold of zero warns of nothing."""
    found = []
    if spending.payee_is_new and 0 < spending.new_payee_warn <= amount:
        found.append(Caution.NEW_PAYEE)
    if 0 < spending.large_amount_warn <= amount:
        found.append(Caution.LARGE_AMOUNT)
    return tuple(found)


def check_acknowledged(
    amount: int, spending: Spending, acknowledged: bool, delays_s: Mapping[Caution, int]
) -> int:
    """How many seconds the payment must wait; refused until all that there is was acknowledged.

    Of several delays the longest counts. Raises ``NewPayeeWarning`` or ``LargeAmountWarning``,
    whose facts name every caution at once.
    """
    found = cautions(amount, spending)
    delay_s = max((delays_s[one] for one in found), default=0)
    if not found or acknowledged:
        return delay_s
    facts: dict[str, Any] = {
        "warnings": [one.value for one in found],
        "amount": format_amount(amount, spending.decimals),
        "delay_s": delay_s,
    }
    if Caution.NEW_PAYEE in found:
        raise refusals.NewPayeeWarning("This is much for somebody you never paid.", **facts)
    raise refusals.LargeAmountWarning("This is much money.", **facts)


def check_confirmable(transfer: Transfer, now_ms: int) -> None:
    """Refuse to confirm what does not wait, or waits still."""
    if transfer.state is not Standing.DELAYED:
        raise refusals.NotDelayed("This payment does not wait.", state=transfer.state.value)
    assert transfer.confirm_after_ms is not None
    if now_ms < transfer.confirm_after_ms:
        left_s = -(-(transfer.confirm_after_ms - now_ms) // 1000)
        raise refusals.DelayNotOver("The delay is not over.", retry_after_s=left_s)

"""Every "no" to a payment, in the order in which they are looked for.

Whatever is refused here was refused before anything was written: nothing is held, nothing is bound
to the Idempotency-Key, and the same request may be tried again.
"""

from jigap.refusal import Kind, Refusal


class CatchingUp(Refusal):
    """After a start the dispatcher first reads what the chain did meanwhile."""

    code = "catching_up"
    kind = Kind.BUSY
    retryable = True
    hint = "The platform is reading the chain after a start; try again in a moment."


class MemoTooLong(Refusal):
    """A memo has a limit."""

    code = "memo_too_long"
    kind = Kind.INVALID
    hint = "Shorten the memo to 200 characters."


class AmountZero(Refusal):
    """A payment moves something."""

    code = "amount_zero"
    kind = Kind.INVALID
    hint = "Enter an amount above zero."


class WalletNotReady(Refusal):
    """The payer has no active wallet."""

    code = "wallet_not_ready"
    retryable = True
    hint = "Make a wallet first, or wait until its state is active."


class RecipientIsSelf(Refusal):
    """Nobody can pay themselves."""

    code = "recipient_is_self"
    kind = Kind.INVALID
    hint = "Choose another recipient."


class RecipientNotReady(Refusal):
    """The recipient cannot receive now."""

    code = "recipient_not_ready"
    retryable = True
    hint = "The recipient has no active wallet yet."


class PaymentLimit(Refusal):
    """More than one payment may move."""

    code = "payment_limit"
    kind = Kind.FORBIDDEN
    hint = "Send a smaller amount."


class DailyLimit(Refusal):
    """More than a day's payments may move."""

    code = "daily_limit"
    kind = Kind.FORBIDDEN
    retryable = True
    hint = "Send a smaller amount, or try again tomorrow (the day changes at 00:00 UTC)."


class LaneFull(Refusal):
    """Too many of the payer's payments are still under way."""

    code = "too_many_unfinished"
    kind = Kind.TOO_MANY
    retryable = True
    hint = "Wait until earlier payments are final."


class BalanceInsufficient(Refusal):
    """What is free to spend does not cover the amount."""

    code = "balance_insufficient"
    hint = "Send at most what is available; amounts on hold become free when they are not spent."


class TransferUnknown(Refusal):
    """Not a payment this member takes part in."""

    code = "transfer_unknown"
    kind = Kind.MISSING
    hint = "Use the id that the payment's own answer gave."


class NewPayeeWarning(Refusal):
    """Much money for somebody this member has never paid."""

    code = "new_payee_warning"
    hint = (
        "Ask the payer whether they know this person, and about whatever else `warnings` names, "
        'then send the same request with "acknowledged": true.'
    )


class LargeAmountWarning(Refusal):
    """Much money, whoever gets it."""

    code = "large_amount_warning"
    hint = (
        "Ask the payer whether the amount is right, then send the same request with "
        '"acknowledged": true.'
    )


class NotDelayed(Refusal):
    """Only a delayed payment can be confirmed or withdrawn."""

    code = "transfer_not_delayed"
    hint = "GET the payment to see where it stands."


class DelayNotOver(Refusal):
    """A delayed payment is confirmed after its delay."""

    code = "delay_not_over"
    retryable = True
    hint = "Confirm the payment after `confirm_after`; until then it can be withdrawn."

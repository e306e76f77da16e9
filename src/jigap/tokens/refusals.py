"""Every "no" about tokens."""

from jigap.refusal import Kind, Refusal


class TokenUnknown(Refusal):
    """No token of this symbol or contract in our registry."""

    code = "token_unknown"
    kind = Kind.MISSING
    hint = "GET /api/v1/tokens lists the tokens there are."


class TokenPaused(Refusal):
    """The token's contract is paused on the chain."""

    code = "token_paused"
    retryable = True
    hint = "The operator has paused this token; try again when it is active."


class TokenStopped(Refusal):
    """The auditor found a difference in this token's books."""

    code = "token_stopped"
    retryable = True
    hint = "Payments of this token are stopped until the operator has cleared a difference."


class TokenNotReady(Refusal):
    """The token's creation is not final yet."""

    code = "token_not_ready"
    retryable = True
    hint = "Wait until the token's state is active."


class SymbolTaken(Refusal):
    """A symbol is unique in our registry."""

    code = "symbol_taken"
    hint = "Choose another symbol; a token cannot be created twice."


class TokenFormat(Refusal):
    """The chain would refuse a token of this name or symbol."""

    code = "token_format"
    kind = Kind.INVALID
    hint = "A symbol has 3 to 10 letters A-Z or digits, a name 1 to 20 bytes of UTF-8."


class AccountUnknown(Refusal):
    """Not a member with a wallet, not a service account, not a registered SymID."""

    code = "account_unknown"
    kind = Kind.MISSING
    hint = "Name a member who has a wallet, 'treasury', 'token_owner', or a registered SymID."


class KeyReused(Refusal):
    """The same Idempotency-Key came with another body."""

    code = "idempotency_key_reused"
    kind = Kind.INVALID
    hint = "Make a new Idempotency-Key for a new request; repeat a request with the same body."


class KeyMalformed(Refusal):
    """An Idempotency-Key is 1 to 200 visible ASCII characters."""

    code = "idempotency_key_malformed"
    kind = Kind.INVALID
    hint = (
        "Send an Idempotency-Key header of 1 to 200 visible ASCII characters, for example a UUID."
    )


class OperationUnknown(Refusal):
    """No token operation of this id."""

    code = "operation_unknown"
    kind = Kind.MISSING
    hint = "Use the id that the operation's own answer gave."

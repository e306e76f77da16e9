"""Tokens: issue, mint, burn, pause; several side by side, each under its contract id."""

from jigap.tokens.operation import Kind, Wish, call
from jigap.tokens.records import (
    PURPOSE,
    Operation,
    Token,
    by_contract,
    contract_of,
    every,
    find,
    set_contract,
    stop,
    token_operations,
    tokens,
    wished,
)
from jigap.tokens.refusals import (
    KeyReused,
    TokenNotReady,
    TokenPaused,
    TokenStopped,
    TokenUnknown,
)
from jigap.tokens.registry import Tokens, adopt, require_key, settle, tag_of

__all__ = [
    "PURPOSE",
    "KeyReused",
    "Kind",
    "Operation",
    "Token",
    "TokenNotReady",
    "TokenPaused",
    "TokenStopped",
    "TokenUnknown",
    "Tokens",
    "Wish",
    "adopt",
    "by_contract",
    "call",
    "contract_of",
    "every",
    "find",
    "require_key",
    "set_contract",
    "settle",
    "stop",
    "tag_of",
    "token_operations",
    "tokens",
    "wished",
]

"""Why the chain says no.

One small tree. The leaves are named for the rule that was broken, carry a stable ``code`` for
programs, and read, as text, exactly what a Symverse node answers ("nonce too low"). Where two
numbers disagreed, both are in ``facts``.

A failed token call is *not* in this tree: such a transaction is valid, enters a block, pays its gas
and gets a receipt with an error code (see ``sct20.SctFailure``).
"""

from typing import Any, ClassVar


class Invalid(Exception):
    """A value that the protocol does not allow.

    ``message`` is the text a node answers; ``facts`` are the values that disagreed.
    """

    code: ClassVar[str] = "invalid"
    words: ClassVar[str] = "invalid"

    def __init__(self, message: str | None = None, **facts: Any) -> None:
        self.message = message or self.words
        self.facts = facts
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        facts = "".join(f", {name}={value!r}" for name, value in self.facts.items())
        return f"{type(self).__name__}({self.message!r}{facts})"


class MalformedRlp(Invalid):
    """The bytes are not the one canonical encoding of the expected shape."""

    code = "malformed_rlp"
    words = "rlp: malformed input"


class MalformedSymId(Invalid):
    """The text or bytes are not a 10-byte SymID."""

    code = "malformed_symid"
    words = "invalid SymID"


class InvalidSignature(Invalid):
    """The three signature numbers cannot be a signature, or no key could have made it."""

    code = "invalid_signature"
    words = "invalid transaction v, r, s values"


class HighS(InvalidSignature):
    """``s`` is in the upper half of the group: the malleable twin of the one accepted signature."""

    code = "high_s"


class InvalidTransaction(Invalid):
    """A transaction that must not enter a block."""

    code = "invalid_transaction"
    words = "invalid transaction"


class InvalidField(InvalidTransaction):
    """A readable field with a value that the protocol does not allow."""

    code = "invalid_field"
    words = "invalid field"


class OversizedData(InvalidTransaction):
    """The encoded transaction is larger than 32 kB."""

    code = "oversized_data"
    words = "oversized data"


class UnsupportedType(InvalidTransaction):
    """A transaction type this chain does not know."""

    code = "unsupported_type"
    words = "unsupported type"


class InvalidSender(InvalidTransaction):
    """The signer is not the active citizen that the transaction names."""

    code = "invalid_sender"
    words = "invalid sender"


class WrongChain(InvalidSender):
    """Signed for another chain: seen as an unknown signer, so a node says "invalid sender"."""

    code = "wrong_chain"


class UnknownRecipient(InvalidTransaction):
    """The recipient of a plain transfer is not a registered citizen."""

    code = "unknown_recipient"
    words = "invalid recipient"


class NonceTooLow(InvalidTransaction):
    """The nonce is already used. Facts: ``nonce``, ``expected``."""

    code = "nonce_too_low"
    words = "nonce too low"


class NonceTooHigh(InvalidTransaction):
    """An earlier nonce is still missing. Facts: ``nonce``, ``expected``."""

    code = "nonce_too_high"
    words = "nonce too high"


class InsufficientFunds(InvalidTransaction):
    """The balance does not cover value and gas limit. Facts: ``balance``, ``cost``."""

    code = "insufficient_funds"
    words = "insufficient funds for gas * price + value"


class IntrinsicGasTooLow(InvalidTransaction):
    """The limit does not even pay for the bytes. Facts: ``gas_limit``, ``intrinsic_gas``."""

    code = "intrinsic_gas_too_low"
    words = "intrinsic gas too low"


class GasLimitExceeded(InvalidTransaction):
    """More gas than a block has. Facts: ``gas_limit``, ``block_gas_limit``."""

    code = "exceeds_block_gas_limit"
    words = "exceeds block gas limit"


class Underpriced(InvalidTransaction):
    """The gas price is not the fixed one. Facts: ``gas_price``, ``required``."""

    code = "underpriced"
    words = "transaction underpriced"


class InvalidCall(Invalid):
    """The input of an SCT transaction is not a call of a template we serve."""

    code = "invalid_call"
    words = "invalid sct input"


class MalformedCall(InvalidCall):
    """Not RLP, the wrong number of parameters, or a parameter of the wrong kind."""

    code = "malformed_call"


class UnsupportedTemplate(InvalidCall):
    """A template or a method of it that we do not serve. Facts: ``template``, ``method``."""

    code = "unsupported_template"
    words = "unsupported sct template"


class InvalidBlock(Invalid):
    """A block whose parts do not agree. Facts: ``expected``, ``found``."""

    code = "invalid_block"
    words = "invalid block"

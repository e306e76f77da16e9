"""What goes over the wire: the body of every request and of every answer.

The same classes check what comes in, write what goes out and make the schemas of ``/openapi.json``,
so that the description cannot differ from what is done. Amounts are decimal strings in whole
tokens, sums of SYM decimal strings in hug, times RFC 3339 in UTC, hashes and SymIDs hex with 0x.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, field

T = TypeVar("T")

#: Documented here, checked by ``money.parse_amount``, whose refusal says more than a pattern can.
AMOUNT_PATTERN = r"^(0|[1-9][0-9]{0,77})(\.[0-9]{1,18})?$"
NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"

Amount = Annotated[
    str,
    Meta(
        max_length=97,
        description="Whole tokens as a decimal string, no sign, no exponent.",
        examples=["5000", "12.5"],
        extra_json_schema={"pattern": AMOUNT_PATTERN},
    ),
]
Hug = Annotated[str, Meta(description="SYM in hug (1 SYM = 10^18 hug).", pattern="^[0-9]+$")]
Hash = Annotated[str, Meta(pattern="^0x[0-9a-f]{64}$", description="32 bytes in hex.")]
SymId = Annotated[str, Meta(pattern="^0x[0-9a-f]{20}$", description="A SymID, 10 bytes in hex.")]
Time = Annotated[datetime, Meta(tz=True, description="RFC 3339, in UTC.")]
MemberId = Annotated[
    str,
    Meta(
        max_length=64,
        pattern=NO_CONTROL,
        description="The name a member signs in with and is found by.",
        examples=["minji"],
    ),
]
NewMemberId = Annotated[
    str,
    Meta(
        max_length=64,
        description="3 to 32 letters, digits, dots, dashes, underscores; upper case is lowered.",
        examples=["minji"],
        extra_json_schema={"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{1,30}[A-Za-z0-9]$"},
    ),
]
Password = Annotated[str, Meta(max_length=1024, examples=["correct horse"])]
NewPassword = Annotated[
    str,
    Meta(
        max_length=1024,
        description="8 characters to 256 bytes.",
        examples=["correct horse"],
        extra_json_schema={"minLength": 8},
    ),
]
Passphrase = Annotated[
    str,
    Meta(
        max_length=1024,
        description="The payment passphrase: it opens the wallet's key.",
        examples=["blue river 42 stones"],
    ),
]
NewPassphrase = Annotated[
    str,
    Meta(
        max_length=1024,
        description="8 characters to 256 bytes, not too simple; it will open the wallet's key.",
        examples=["blue river 42 stones"],
        extra_json_schema={"minLength": 8},
    ),
]
PersonName = Annotated[str, Meta(max_length=200, pattern=NO_CONTROL, examples=["김민지"])]
Phone = Annotated[
    str, Meta(max_length=40, pattern=NO_CONTROL, examples=["010-1234-5678", "+821012345678"])
]
Symbol = Annotated[
    str, Meta(max_length=42, pattern=NO_CONTROL, description="Symbol or contract id of a token.")
]
Account = Annotated[
    str,
    Meta(
        max_length=64,
        pattern=NO_CONTROL,
        description="A member id, `treasury`, `token_owner`, or a registered SymID.",
        examples=["minji", "treasury"],
    ),
]
Memo = Annotated[str, Meta(max_length=2000, description="At most 200 characters.")]


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """A request body: members that are not listed are refused."""


class SignUp(Asked, frozen=True):
    """A new member. Name and phone are what the verification will check."""

    member_id: NewMemberId
    password: NewPassword
    name: PersonName | None = None
    phone: Phone | None = None


class WalletAsked(Asked, frozen=True):
    """The passphrase that will open the new key."""

    passphrase: NewPassphrase


class PassphraseChange(Asked, frozen=True):
    """The passphrase that is, and the one that shall be."""

    old: Passphrase
    new: NewPassphrase


class TransferConfirmed(Asked, frozen=True):
    """The passphrase again, for a payment whose delay is over."""

    passphrase: Passphrase


class TransferAsked(Asked, frozen=True):
    """A payment. ``recipient_id`` comes from a search.

    ``acknowledged``: the payer was told every warning that the same request was refused with.
    """

    recipient_id: Annotated[str, Meta(max_length=400, pattern=NO_CONTROL)]
    token: Symbol
    amount: Amount
    passphrase: Passphrase
    memo: Memo = ""
    acknowledged: bool = False


class Verification(Asked, frozen=True):
    """What the operator saw on the card, where it differs from what the member wrote."""

    name: PersonName | None = None
    phone: Phone | None = None


class Freeze(Asked, frozen=True):
    """Why; an operator must say it, for the operators who come after."""

    reason: Annotated[str, Meta(max_length=200, pattern=NO_CONTROL)] = ""


class TokenAsked(Asked, frozen=True):
    """A new token; its whole supply goes to the token owner's account."""

    name: Annotated[str, Meta(max_length=80, pattern=NO_CONTROL, examples=["Hanbat Coin"])]
    symbol: Annotated[
        str,
        Meta(
            max_length=40,
            description="3 to 10 letters A-Z or digits.",
            examples=["HBC"],
            extra_json_schema={"pattern": "^[A-Z0-9]{3,10}$"},
        ),
    ]
    amount: Amount


class Mint(Asked, frozen=True):
    """New tokens for an account."""

    amount: Amount
    to: Account


class Burn(Asked, frozen=True):
    """Tokens of an account that shall exist no more."""

    amount: Amount
    source: Account = field(name="from")


class TokenTransfer(Asked, frozen=True):
    """Tokens from the token owner's account to another."""

    amount: Amount
    to: Account


class OwnerChange(Asked, frozen=True):
    """The account that shall own the contract."""

    to: Account


class Allowance(Asked, frozen=True):
    """How much a spender may move of the token owner's tokens."""

    amount: Amount
    spender: Account


class TransferFrom(Asked, frozen=True):
    """Tokens that the treasury moves because ``from`` has allowed it."""

    amount: Amount
    to: Account
    source: Account = field(name="from")


class WalletShown(Struct, frozen=True):
    """A member's account on the chain; ``symid`` is null until it is active."""

    symid: SymId | None
    public_key_hash: Annotated[str, Meta(pattern="^0x[0-9a-f]{40}$")]
    state: Literal["key_stored", "citizen_requested", "active"]


RecoveryState = Literal[
    "requested",
    "waiting",
    "approved_once",
    "approved",
    "opened",
    "done",
    "cancelled",
    "refused",
    "expired",
]


class RecoveryBanner(Struct, frozen=True):
    """What every device of a member shows while a recovery is open."""

    state: RecoveryState
    ready_at: Time | None


class MemberShown(Struct, frozen=True):
    """A member as that member and the operators see them."""

    id: str
    member_id: str
    masked_name: str | None
    masked_phone: str | None
    verification_level: Annotated[
        int, Meta(description="0 unverified, 1 by an operator, 2 by an agency.")
    ]
    roles: list[str]
    shop_name: Annotated[str | None, Meta(description="The public name of a seller.")]
    frozen: bool
    frozen_by: Annotated[
        Literal["member", "operator"] | None,
        Meta(description="Who froze it: the member, who can lift it, or an operator."),
    ]
    frozen_at: Time | None
    frozen_reason: Annotated[
        str, Meta(description="The member's own; an operator's is told to operators here.")
    ]
    wallet: WalletShown | None
    created_at: Time
    verified_at: Time | None
    minor: Annotated[
        bool | None,
        Meta(description="Under age on the day an agency checked; null where none did."),
    ]
    closed_at: Annotated[Time | None, Meta(description="When the member left.")] = None
    erased_at: Annotated[Time | None, Meta(description="When the person was forgotten.")] = None
    recovery: Annotated[
        RecoveryBanner | None,
        Meta(description="Of GET me: a recovery of the payment passphrase that is open."),
    ] = None


class BalanceShown(Struct, frozen=True):
    """One token of a member as of the block ``height``."""

    token: str
    available: Amount
    on_hold: Amount
    total: Amount
    height: int
    source: Annotated[
        Literal["node", "index"],
        Meta(
            description="Who says what `total` is: the node, asked for this answer; or, if it "
            "cannot say, the platform's own index of the same block."
        ),
    ]


class RecipientShown(Struct, frozen=True):
    """Somebody who can be paid. ``recipient_id`` is for the asker only and lasts 15 minutes."""

    recipient_id: str
    masked_name: str
    masked_phone: str
    shop_name: Annotated[str | None, Meta(description="The public name of a seller.")]


class Counterpart(Struct, frozen=True):
    """The other side of a payment, masked."""

    masked_name: str | None
    masked_phone: str | None
    shop_name: Annotated[str | None, Meta(description="The public name of a seller.")]


OutgoingState = Literal["signed", "unknown", "sent", "cancelling", "confirmed", "refused", "void"]
TransferState = Literal["delayed", "withdrawn"] | OutgoingState
TokenState = Literal["creating", "active", "paused", "stopped"]


class TransferShown(Struct, frozen=True):
    """A payment and where it stands.

    It is final when ``state`` is confirmed, refused or void; only a block makes it so. ``unknown``
    means that the network has the payment and has not answered yet: it is not a failure. A
    ``delayed`` payment has no transaction yet and can be confirmed from ``confirm_after`` on, or
    withdrawn. ``gas_refill_hug`` is told to the payer only.
    """

    id: str
    direction: Literal["outgoing", "incoming"]
    state: TransferState
    token: str
    amount: Amount
    memo: str
    counterpart: Counterpart
    transaction_hash: Hash | None
    block_number: int | None
    gas_refill_hug: Hug
    created_at: Time
    final_at: Time | None
    reason: str | UnsetType = UNSET
    confirm_after: Time | UnsetType = UNSET


class TokenShown(Struct, frozen=True):
    """A token of the registry. ``total`` is null until its creation is in a block."""

    name: str
    symbol: str
    contract: SymId | None
    decimals: int
    total: Amount | None
    state: TokenState


class OperationShown(Struct, frozen=True):
    """An operation on a token and its fate; ``wished`` until the dispatcher has signed it."""

    id: str
    kind: str
    token: str
    amount: Amount | None
    state: Literal["wished"] | OutgoingState
    transaction_hash: Hash | None
    block_number: int | None
    created_at: Time
    final_at: Time | None
    reason: str | UnsetType = UNSET


class AllowanceShown(Struct, frozen=True):
    """What a spender may still move."""

    token: str
    owner: str
    spender: str
    amount: Amount


class TransactionShown(Struct, frozen=True):
    """A mined transaction: what anybody may check by its hash, without learning who anybody is.

    ``contract`` is null for SYM; ``amount`` is in whole tokens where the token is of our registry,
    ``amount_units`` in base units always.
    """

    hash: Hash
    block_number: int
    position: int
    time: Time | None
    succeeded: bool
    err_code: int | None
    kind: str | None
    contract: SymId | None
    token: str | None
    source: SymId | None
    target: SymId | None
    amount: Amount | None
    amount_units: str | None
    sender: SymId
    nonce: int
    fee_hug: Hug
    extra_data: Annotated[str, Meta(pattern="^0x[0-9a-f]*$")]
    confirmations: int


class BlockShown(Struct, frozen=True):
    """A block as the index keeps it."""

    number: int
    hash: Hash
    parent_hash: Hash
    time: Time
    transactions: list[Hash]
    citizen_count: int


class Holding(Struct, frozen=True):
    """A token balance of an account."""

    token: str | None
    contract: SymId
    balance: str


class AccountShown(Struct, frozen=True):
    """An account of the chain as of the block ``height``."""

    symid: SymId
    balance_hug: Hug
    deposit_hug: Hug
    nonce: int
    holdings: list[Holding]
    height: int


class Page(Struct, Generic[T], frozen=True):
    """A page of a list; ``next`` is the cursor of the next page, null on the last."""

    items: list[T]
    next: str | None


class Problem(Struct, frozen=True):
    """Problem details (RFC 9457); ``code`` is stable, further members are facts that disagreed."""

    type: Annotated[str, Meta(examples=["urn:jigap:problem:balance_insufficient"])]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    code: Annotated[str, Meta(pattern="^[a-z0-9_]+$", examples=["balance_insufficient"])]
    retryable: bool
    hint: str


def time_of(ms: int) -> datetime:
    """The time that milliseconds mean, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def time_or_none(ms: int | None) -> datetime | None:
    return None if ms is None else time_of(ms)


def hex_of(raw: bytes) -> str:
    """Bytes in hex with 0x."""
    return "0x" + raw.hex()


def hex_or_none(raw: bytes | None) -> Any:
    return None if not raw else hex_of(raw)

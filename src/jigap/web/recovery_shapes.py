"""What goes over the wire about forgotten passwords and payment passphrases (see ``shapes``)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from jigap.web.realname_shapes import RealNameAsked, RealNameShown
from jigap.web.shapes import (
    NO_CONTROL,
    Asked,
    MemberId,
    NewPassphrase,
    NewPassword,
    Password,
    RecoveryState,
    Time,
)
from jigap.web.sign_in_shapes import Otp


class ResetAsked(RealNameAsked, frozen=True, kw_only=True):
    """Whose password is forgotten, and the person this member was verified as."""

    member_id: MemberId


class ResetConfirmed(Asked, frozen=True):
    """The code of the newest message, and the password that shall be."""

    code: Annotated[str, Meta(pattern="^[0-9]{6,10}$", examples=["123456"])]
    new_password: NewPassword


class ResetShown(Struct, frozen=True):
    """A password reset. It looks the same whoever was named, until it is done."""

    id: str
    state: Literal["requested", "done"]
    expires_at: Time


class RecoveryShown(Struct, frozen=True):
    """The recovery of a payment passphrase, as its member sees it."""

    id: str
    state: RecoveryState
    check: Annotated[RealNameShown | None, Meta(description="Null once it is forgotten.")]
    approvals: Annotated[int, Meta(description="By how many operators; two are needed.")]
    reason: Annotated[str, Meta(description="Why it was cancelled or refused.")]
    created_at: Time
    ready_at: Annotated[
        Time | None, Meta(description="Until then nobody can approve; null before the code.")
    ]
    expires_at: Time
    finished_at: Time | None


class RecoveryDecided(Struct, frozen=True):
    """The recovery of a payment passphrase, as operators see it."""

    id: str
    member: Annotated[str, Meta(description="The member's id, beginning with mb_.")]
    wallet_id: str
    state: RecoveryState
    operators: Annotated[list[str], Meta(description="Who approved, in order.")]
    reason: str
    created_at: Time
    ready_at: Time | None
    expires_at: Time
    finished_at: Time | None


class RecoveryCompleted(Asked, frozen=True):
    """The payment passphrase that shall be, and the sign-in password again.

    ``otp`` of members who have a second factor.
    """

    passphrase: NewPassphrase
    password: Password
    otp: Otp | None = None


class RecoveryRefused(Asked, frozen=True):
    """Why; the member can read it."""

    reason: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_CONTROL)]


class RecoveryRequest(Struct, frozen=True):
    """The file for `jigap keys recover`. Keys and hashes are hex, `sealed` is base64."""

    format: int
    request_id: str
    wallet_id: str
    public_key_hash: str
    version: int
    recipient: Annotated[str, Meta(description="The recovery key that the slot is sealed to.")]
    ephemeral: str
    sealed: bytes
    transport_key: Annotated[str, Meta(description="The platform's key that answers seal to.")]


class RecoveryAnswer(Asked, frozen=True):
    """The file that `jigap keys recover` wrote."""

    format: int
    request_id: Annotated[str, Meta(max_length=64, pattern=NO_CONTROL)]
    wallet_id: Annotated[str, Meta(max_length=64, pattern=NO_CONTROL)]
    ephemeral: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    sealed: Annotated[bytes, Meta(max_length=200)]

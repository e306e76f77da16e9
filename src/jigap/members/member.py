"""A member and a wallet as the rest of the platform sees them. Pure.

A member has three names: ``id`` (``mb_…``, ours, never changes), ``number`` (for the certificate
authority) and ``login``, the ``member_id`` that people choose, type and are found by.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from jigap.members.limits import NOTHING_SET, OwnLimits
from jigap.refusal import Kind, Refusal

LEVEL_UNVERIFIED = 0
LEVEL_VERIFIED = 1  # by an operator, by hand
LEVEL_REAL_NAME = 2  # by a real-name agency
PASSWORD_MIN_CHARS = 8
PASSWORD_MAX_BYTES = 256

_LOGIN = re.compile(r"[a-z0-9](?:[a-z0-9._-]{1,30})[a-z0-9]", re.ASCII)
_LOOKS_LIKE_AN_ID = re.compile(r"0x.*|[0-9a-f]{20}", re.ASCII)
#: Names of our own accounts and parts: a member called so could be mistaken for them.
RESERVED_LOGINS = frozenset(
    {"admin", "block_signer", "ca", "jigap", "master_ca", "operator", "root", "support", "system"}
    | {"token_owner", "treasury"}
)


class LoginMalformed(Refusal):
    """A member id has a form of its own."""

    code = "member_id_malformed"
    kind = Kind.INVALID
    hint = (
        "Use 3 to 32 letters a-z, digits, dots, dashes or underscores, beginning and ending with a "
        "letter or digit, and not an address or a name of ours."
    )


class PasswordWeak(Refusal):
    """A password has a least and a greatest length, and is not one that everybody guesses."""

    code = "password_weak"
    kind = Kind.INVALID
    hint = (
        "Use at least 8 characters and at most 256 bytes, and not a common password, your member "
        "id or a name of ours; a sentence is a good password."
    )


class MemberUnverified(Refusal):
    """Only a member whose name and phone were verified may do this."""

    code = "member_unverified"
    kind = Kind.FORBIDDEN
    retryable = True
    hint = "Have your name and phone number verified first."


class MemberFrozen(Refusal):
    """A frozen member may look, not act."""

    code = "member_frozen"
    kind = Kind.FORBIDDEN
    retryable = True
    hint = (
        "GET /api/v1/me says who froze it: what you froze yourself you lift with POST "
        "/api/v1/me/unfreeze; else ask the operator."
    )


class MemberClosed(Refusal):
    """The member has left; nothing begins again."""

    code = "member_closed"
    hint = "This account is closed. Whoever wants to come back signs up anew."


class Role(StrEnum):
    """What a member may do besides reading what is theirs."""

    PAYER = "payer"
    SELLER = "seller"
    OPERATOR = "operator"


class FrozenBy(StrEnum):
    """Who froze a member; what an operator froze only an operator lifts."""

    MEMBER = "member"
    OPERATOR = "operator"


class WalletState(StrEnum):
    """How far a wallet has come; it only ever moves on."""

    KEY_STORED = "key_stored"  # both copies of the key are durable
    CITIZEN_REQUESTED = "citizen_requested"  # the CA is being asked for a SymID
    ACTIVE = "active"  # the SymID is in a block


@dataclass(frozen=True, slots=True)
class Wallet:
    """A member's account on the chain; ``symid`` is None until it is active."""

    id: str
    state: WalletState
    symid: bytes | None
    public_key_hash: bytes

    @property
    def is_active(self) -> bool:
        return self.state is WalletState.ACTIVE


@dataclass(frozen=True, slots=True)
class Member:
    """A member, without anything personal.

    ``level`` is 0 unverified, 1 verified by an operator, 2 by an agency. ``minor`` is None of whom
    no agency has looked at.
    """

    id: str
    number: int
    login: str
    roles: frozenset[str]
    level: int
    frozen: bool
    wallet: Wallet | None
    closed: bool = False
    minor: bool | None = None
    own_limits: OwnLimits = NOTHING_SET
    frozen_by: FrozenBy | None = None

    @property
    def is_verified(self) -> bool:
        return self.level >= LEVEL_VERIFIED

    @property
    def is_operator(self) -> bool:
        return Role.OPERATOR in self.roles


def login_of(text: str, *, reserved_allowed: bool = False) -> str:
    """The one form of a member id somebody typed. Raises ``LoginMalformed``."""
    login = text.strip().lower()
    if _LOGIN.fullmatch(login) is None or _LOOKS_LIKE_AN_ID.fullmatch(login):
        raise LoginMalformed("This cannot be a member id.", member_id=text[:40])
    if login in RESERVED_LOGINS and not reserved_allowed:
        raise LoginMalformed("This member id is reserved.", member_id=login)
    return login


def password_of(text: str) -> str:
    """The password in its one Unicode form. Raises ``PasswordWeak``."""
    password = unicodedata.normalize("NFC", text)
    size_bytes = len(password.encode("utf-8", "surrogatepass"))
    if len(password) < PASSWORD_MIN_CHARS or size_bytes > PASSWORD_MAX_BYTES:
        raise PasswordWeak("This password is too short or too long.", min=PASSWORD_MIN_CHARS)
    return password


def may_act(member: Member) -> None:
    """Refuse a member who has left, is not verified or is frozen."""
    if member.closed:
        raise MemberClosed("This member has left.")
    if not member.is_verified:
        raise MemberUnverified("This member is not verified yet.")
    if member.frozen:
        raise MemberFrozen("This member is frozen.")

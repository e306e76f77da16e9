"""What is stored about members: no name and no phone number in the clear anywhere.

``name_sealed``, ``phone_sealed`` and ``birth_sealed`` are encrypted under the member's own data
key, and that key under the key ring: whoever deletes ``data_key_sealed`` has deleted the person.
``phone_index`` and ``name_last4_index`` are keyed hashes, filled in only once the member is
verified, so that only verified members can be found and one phone number belongs to one verified
member. Who does not want to be found by name (``name_hidden_ms``) has no ``name_last4_index``, and
who has left (``closed_ms``) has neither. ``birth_sealed`` and ``minor`` (as of the day of a check)
are known of those whom an agency verified. After the retention a row is erased (``erased_ms``).
The limits are those that members set for themselves (see ``limits``), in base
units of 18 decimals; the raised ones hold from ``limits_raised_ms`` on.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from jigap.database import Amount, metadata

members = Table(
    "members",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("login", String(32), nullable=False, unique=True),
    Column("password_hash", String(200), nullable=False),
    Column("roles", String(40), nullable=False),
    Column("level", Integer, nullable=False),
    Column("verified_ms", BigInteger, nullable=True),
    Column("frozen_ms", BigInteger, nullable=True),
    Column("frozen_by", String(10), nullable=True),
    Column("frozen_reason", Text, nullable=False, default=""),
    Column("data_key_sealed", LargeBinary, nullable=False),
    Column("name_sealed", LargeBinary, nullable=True),
    Column("phone_sealed", LargeBinary, nullable=True),
    Column("phone_index", LargeBinary(32), nullable=True, unique=True),
    Column("name_last4_index", LargeBinary(32), nullable=True),
    Column("birth_sealed", LargeBinary, nullable=True),
    Column("minor", Boolean, nullable=True),
    Column("payment_limit", Amount, nullable=True),
    Column("daily_limit", Amount, nullable=True),
    Column("raised_payment_limit", Amount, nullable=True),
    Column("raised_daily_limit", Amount, nullable=True),
    Column("limits_raised_ms", BigInteger, nullable=True),
    Column("shop_name", String(40), nullable=True),
    Column("shop_key", String(120), nullable=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("name_hidden_ms", BigInteger, nullable=True),
    Column("closed_ms", BigInteger, nullable=True),
    Column("erased_ms", BigInteger, nullable=True),
    Index("ix_members_name_last4_index", "name_last4_index"),
    Index("uq_members_shop_key", "shop_key", unique=True),
    Index("ix_members_closed_ms", "closed_ms", "erased_ms"),
)

#: Who asked to sell under which name, and what an operator said.
seller_applications = Table(
    "seller_applications",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("member_id", String(40), ForeignKey("members.id"), nullable=False, index=True),
    Column("state", String(12), nullable=False),
    Column("shop_name", String(40), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("decided_ms", BigInteger, nullable=True),
    Column("decided_by", String(40), nullable=False),
    Index("ix_seller_applications_state_id", "state", "id"),
)

#: ``second_factor``: opened with a one-time code. ``device`` is a few words of ours. ``failures``
#: are wrong passwords and codes that were typed inside the session.
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("member_id", String(40), ForeignKey("members.id"), nullable=False, index=True),
    Column("second_factor", Boolean, nullable=False),
    Column("cookie", Boolean, nullable=False),
    Column("address", String(64), nullable=False),
    Column("device", String(40), nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("retry_at_ms", BigInteger, nullable=False, server_default="0"),
    Column("created_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger, nullable=True),
)

#: Second factors. The secret is sealed under the member's data key; ``last_step`` is the latest
#: time step of which a code was accepted.
factors = Table(
    "factors",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("member_id", String(40), ForeignKey("members.id"), nullable=False, index=True),
    Column("kind", String(10), nullable=False),
    Column("secret_sealed", LargeBinary, nullable=False),
    Column("last_step", BigInteger, nullable=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("confirmed_ms", BigInteger, nullable=True),
)

#: Recovery codes that were not used yet, as keyed hashes.
recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("member_id", String(40), ForeignKey("members.id"), primary_key=True),
    Column("code_hash", LargeBinary(32), primary_key=True),
)

#: Devices from which a member has signed in before, with the failures of their own.
devices = Table(
    "devices",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("member_id", String(40), ForeignKey("members.id"), nullable=False, index=True),
    Column("failures", Integer, nullable=False),
    Column("retry_at_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=False),
)

#: Failed sign-ins of strangers in a row, by a keyed hash of the login that was typed; logins that
#: nobody has share a bounded number of rows.
sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("login_index", LargeBinary(32), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("retry_at_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)

#: Failed sign-ins of strangers by day (UTC) and network; only the present day is kept.
sign_in_days = Table(
    "sign_in_days",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("network", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
)

wallets = Table(
    "wallets",
    metadata,
    Column("wallet_id", String(40), primary_key=True),
    Column("member_id", String(40), ForeignKey("members.id"), nullable=False, unique=True),
    Column("state", String(20), nullable=False),
    Column("public_key_hash", LargeBinary(20), nullable=False, unique=True),
    Column("symid", LargeBinary(10), nullable=True, unique=True),
    Column("requests", Integer, nullable=False, default=0),
    Column("requested_ms", BigInteger, nullable=True),
    Column("refused_reason", String(200), nullable=False, default=""),
    Column("created_ms", BigInteger, nullable=False),
    Column("active_ms", BigInteger, nullable=True),
    Index("ix_wallets_state_requested", "state", "requested_ms"),
)

#: People a member pays often, under a word of the member's own that is sealed like a name.
favourites = Table(
    "favourites",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("member_id", String(40), ForeignKey("members.id"), nullable=False),
    Column("payee_id", String(40), ForeignKey("members.id"), nullable=False, index=True),
    Column("label_sealed", LargeBinary, nullable=True),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("member_id", "payee_id"),
)

#: How many times a member has looked somebody up on a day (UTC).
directory_days = Table(
    "directory_days",
    metadata,
    Column("member_id", String(40), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("lookups", Integer, nullable=False),
)

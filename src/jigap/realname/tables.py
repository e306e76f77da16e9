"""What is stored about checks: the log of who asked for what, when, from where, with what outcome.

Nothing personal is in the clear: name and number are masked, the number can be found again by its
blind index, and what the agency needs (``details_sealed``, with the sex digit) is encrypted under
the member's data key and deleted when the check ends. ``open_tries`` are keyed hashes of 16 bytes
each: of the codes whose fate is unknown, or of the one that was right. ``tries`` counts the codes
the agency was asked about, ``wrong_tries`` those it called wrong.

``times`` is 1 but for a line about checks that a cap refused, which stands for all of one member's
that the same cap refused on that day.
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
)

from jigap.database import metadata

realname_checks = Table(
    "realname_checks",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("member_id", String(40), ForeignKey("members.id"), nullable=False),
    Column("state", String(20), nullable=False),
    Column("purpose", String(12), nullable=False, server_default="verify"),
    Column("provider", String(20), nullable=False),
    Column("reference", String(80), nullable=False, default=""),
    Column("masked_name", String(60), nullable=False),
    Column("masked_phone", String(40), nullable=False),
    Column("phone_index", LargeBinary(32), nullable=False, index=True),
    Column("details_sealed", LargeBinary, nullable=True),
    Column("address", String(64), nullable=False),
    Column("tries", Integer, nullable=False, default=0),
    Column("wrong_tries", Integer, nullable=False, server_default="0"),
    Column("open_tries", LargeBinary, nullable=True),
    Column("reason", String(40), nullable=False, default=""),
    Column("minor", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger, nullable=True),
    Column("expires_ms", BigInteger, nullable=False),
    Column("finished_ms", BigInteger, nullable=True),
    Column("spent_ms", BigInteger, nullable=True),
    Column("times", Integer, nullable=False, server_default="1"),
    Index("ix_realname_checks_member_id_id", "member_id", "id"),
    Index("ix_realname_checks_state_expires_ms", "state", "expires_ms"),
)

#: How many checks there were on a day (UTC), and how many were refused, for each thing counted.
realname_days = Table(
    "realname_days",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("scope", String(10), primary_key=True),
    Column("key", LargeBinary(32), primary_key=True),
    Column("checks", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
)

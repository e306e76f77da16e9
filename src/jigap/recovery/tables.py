"""What is stored about forgotten passwords and forgotten payment passphrases.

A row of ``password_resets`` looks the same whoever was named; only ``member_id`` says whether
everything matched. ``typed`` are the keyed hashes, 16 bytes each, of the codes that were tried.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table, Text

from jigap.database import metadata

password_resets = Table(
    "password_resets",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("member_id", String(40), ForeignKey("members.id"), nullable=True),
    Column("check_id", String(40), ForeignKey("realname_checks.id"), nullable=True),
    Column("typed", LargeBinary, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
    Column("done_ms", BigInteger, nullable=True),
)

#: The check may be forgotten before the recovery is. ``secret_sealed`` is the wallet's key, under
#: the key ring, from the answer of the offline half until the member has chosen a passphrase: in
#: state ``opened`` and no other.
recoveries = Table(
    "recoveries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("member_id", String(40), ForeignKey("members.id"), nullable=False, index=True),
    Column("wallet_id", String(40), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("check_id", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("operators", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("secret_sealed", LargeBinary, nullable=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("ready_ms", BigInteger, nullable=True),
    Column("expires_ms", BigInteger, nullable=False),
    Column("finished_ms", BigInteger, nullable=True),
)

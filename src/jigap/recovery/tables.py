"""What is stored about forgotten passwords and forgotten payment passphrases.

A row of ``password_resets`` looks the same whoever was named; only ``member_id`` says whether
everything matched. ``typed`` are the keyed hashes, 16 bytes each, of the codes that were tried.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table

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

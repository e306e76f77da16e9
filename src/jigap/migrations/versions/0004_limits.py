"""Limits that members set for themselves, and the day a payment counts against."""

import sqlalchemy as sa
from alembic import op

revision = "0004_limits"
down_revision = "0003_directory"
branch_labels = None
depends_on = None


_DAY = {
    "sqlite": "strftime('%Y-%m-%d', created_ms / 1000, 'unixepoch')",
    "postgresql": "to_char(to_timestamp(created_ms / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}


def upgrade() -> None:
    op.add_column("members", sa.Column("payment_limit", sa.CHAR(78), nullable=True))
    op.add_column("members", sa.Column("daily_limit", sa.CHAR(78), nullable=True))
    op.add_column("members", sa.Column("raised_payment_limit", sa.CHAR(78), nullable=True))
    op.add_column("members", sa.Column("raised_daily_limit", sa.CHAR(78), nullable=True))
    op.add_column("members", sa.Column("limits_raised_ms", sa.BigInteger(), nullable=True))
    op.add_column("transfers", sa.Column("limit_day", sa.String(length=10), nullable=True))
    # What is under way counts against the day it was ordered on. An agency verifies to level 2.
    day = _DAY[op.get_bind().dialect.name]
    op.execute(f"UPDATE transfers SET limit_day = {day} WHERE withdrawn_ms IS NULL")
    op.execute("UPDATE members SET level = 2 WHERE level = 1 AND birth_sealed IS NOT NULL")

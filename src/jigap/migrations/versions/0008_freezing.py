"""Who froze a member, and what is stuck."""

import sqlalchemy as sa
from alembic import op

revision = "0008_freezing"
down_revision = "0007_sign_in"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("members", sa.Column("frozen_by", sa.String(length=10), nullable=True))
    op.add_column("outgoing", sa.Column("stuck_ms", sa.BigInteger(), nullable=True))
    op.execute("UPDATE members SET frozen_by = 'operator' WHERE frozen_ms IS NOT NULL")

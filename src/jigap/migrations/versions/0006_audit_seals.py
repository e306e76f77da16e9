"""Seals over the audit trail, and ways to search it."""

import sqlalchemy as sa
from alembic import op

revision = "0006_audit_seals"
down_revision = "0005_recovery"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_seals",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("row_id", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=65), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("previous", name=op.f("uq_audit_seals_previous")),
    )
    op.create_index("ix_audit_trail_actor_id", "audit_trail", ["actor", "id"], unique=False)
    op.create_index("ix_audit_trail_action_id", "audit_trail", ["action", "id"], unique=False)

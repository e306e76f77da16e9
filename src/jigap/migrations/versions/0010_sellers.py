"""Sellers and what they are called."""

import sqlalchemy as sa
from alembic import op

revision = "0010_sellers"
down_revision = "0009_devices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "seller_applications",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("shop_name", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_seller_applications_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seller_applications")),
    )
    op.create_index(
        op.f("ix_seller_applications_member_id"), "seller_applications", ["member_id"], unique=False
    )
    op.create_index(
        "ix_seller_applications_state_id", "seller_applications", ["state", "id"], unique=False
    )
    op.add_column("members", sa.Column("shop_name", sa.String(length=40), nullable=True))
    op.add_column("members", sa.Column("shop_key", sa.String(length=120), nullable=True))
    op.create_index("uq_members_shop_key", "members", ["shop_key"], unique=True)

"""Known devices, and failures counted by device, session, and network and day."""

import sqlalchemy as sa
from alembic import op

revision = "0009_devices"
down_revision = "0008_freezing"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "devices",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_devices_member_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_devices")),
    )
    op.create_index(op.f("ix_devices_member_id"), "devices", ["member_id"], unique=False)
    op.create_table(
        "sign_in_days",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "network", name=op.f("pk_sign_in_days")),
    )
    for column in (
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at_ms", sa.BigInteger(), server_default="0", nullable=False),
    ):
        op.add_column("sessions", column)
    op.drop_index(op.f("ix_sign_in_attempts_last_ms"), table_name="sign_in_attempts")

"""Real-name checks, and what they tell of a member."""

import sqlalchemy as sa
from alembic import op

revision = "0002_realname"
down_revision = "0001_initial"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "realname_days",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "scope", "key", name=op.f("pk_realname_days")),
    )
    op.create_table(
        "realname_checks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column("masked_name", sa.String(length=60), nullable=False),
        sa.Column("masked_phone", sa.String(length=40), nullable=False),
        sa.Column("phone_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("details_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("open_try", sa.LargeBinary(length=16), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("minor", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_ms", sa.BigInteger(), nullable=True),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("finished_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_realname_checks_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_realname_checks")),
    )
    op.create_index(
        "ix_realname_checks_member_id_id", "realname_checks", ["member_id", "id"], unique=False
    )
    op.create_index(
        op.f("ix_realname_checks_phone_index"), "realname_checks", ["phone_index"], unique=False
    )
    op.create_index(
        "ix_realname_checks_state_expires_ms",
        "realname_checks",
        ["state", "expires_ms"],
        unique=False,
    )
    op.add_column("members", sa.Column("birth_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("members", sa.Column("minor", sa.Boolean(), nullable=True))

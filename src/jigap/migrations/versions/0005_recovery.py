"""Real-name checks for a purpose, with every try and refusal counted; password resets."""

import sqlalchemy as sa
from alembic import op

revision = "0005_recovery"
down_revision = "0004_limits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE realname_checks RENAME COLUMN open_try TO open_tries")
    for column in (
        sa.Column("purpose", sa.String(length=12), server_default="verify", nullable=False),
        sa.Column("wrong_tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("spent_ms", sa.BigInteger(), nullable=True),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
    ):
        op.add_column("realname_checks", column)
    op.create_table(
        "password_resets",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=True),
        sa.Column("check_id", sa.String(length=40), nullable=True),
        sa.Column("typed", sa.LargeBinary(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_password_resets_member_id")
        ),
        sa.ForeignKeyConstraint(
            ["check_id"], ["realname_checks.id"], name=op.f("fk_password_resets_check_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_resets")),
    )
    op.create_index(
        op.f("ix_password_resets_expires_ms"), "password_resets", ["expires_ms"], unique=False
    )

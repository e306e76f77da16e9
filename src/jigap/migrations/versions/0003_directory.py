"""Who may be found how, favourites, and accounts that are closed."""

import sqlalchemy as sa
from alembic import op

revision = "0003_directory"
down_revision = "0002_realname"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("name_hidden_ms", "closed_ms", "erased_ms"):
        op.add_column("members", sa.Column(name, sa.BigInteger(), nullable=True))
    op.create_index("ix_members_closed_ms", "members", ["closed_ms", "erased_ms"])
    op.create_table(
        "favourites",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("payee_id", sa.String(length=40), nullable=False),
        sa.Column("label_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_favourites_member_id_members")
        ),
        sa.ForeignKeyConstraint(
            ["payee_id"], ["members.id"], name=op.f("fk_favourites_payee_id_members")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_favourites")),
        sa.UniqueConstraint("member_id", "payee_id", name=op.f("uq_favourites_member_id_payee_id")),
    )
    op.create_index(op.f("ix_favourites_payee_id"), "favourites", ["payee_id"])

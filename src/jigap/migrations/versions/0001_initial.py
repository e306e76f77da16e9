"""Every table of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_trail",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=80), nullable=False),
        sa.Column("object", sa.String(length=120), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=80), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_trail")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_trail_hash")),
    )
    op.create_table(
        "chain_accounts",
        sa.Column("symid", sa.LargeBinary(length=10), nullable=False),
        sa.Column("balance_hug", sa.CHAR(78), nullable=False),
        sa.Column("deposit_hug", sa.CHAR(78), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("symid", name=op.f("pk_chain_accounts")),
    )
    op.create_table(
        "chain_blocks",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("parent_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("transaction_count", sa.Integer(), nullable=False),
        sa.Column("citizen_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_chain_blocks")),
        sa.UniqueConstraint("hash", name=op.f("uq_chain_blocks_hash")),
    )
    op.create_table(
        "chain_citizens",
        sa.Column("symid", sa.LargeBinary(length=10), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(length=20), nullable=False),
        sa.Column("ca", sa.LargeBinary(length=10), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("v_flag", sa.Integer(), nullable=False),
        sa.Column("write_time", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("changed_block", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("symid", name=op.f("pk_chain_citizens")),
    )
    op.create_index(
        op.f("ix_chain_citizens_key_hash"), "chain_citizens", ["key_hash"], unique=False
    )
    op.create_table(
        "chain_contracts",
        sa.Column("contract", sa.LargeBinary(length=10), nullable=False),
        sa.Column("creator", sa.LargeBinary(length=10), nullable=False),
        sa.Column("owner", sa.LargeBinary(length=10), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("total", sa.CHAR(78), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("created_block", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("contract", name=op.f("pk_chain_contracts")),
    )
    op.create_table(
        "chain_holdings",
        sa.Column("contract", sa.LargeBinary(length=10), nullable=False),
        sa.Column("symid", sa.LargeBinary(length=10), nullable=False),
        sa.Column("balance", sa.CHAR(78), nullable=False),
        sa.PrimaryKeyConstraint("contract", "symid", name=op.f("pk_chain_holdings")),
    )
    op.create_index("ix_chain_holdings_symid", "chain_holdings", ["symid"], unique=False)
    op.create_table(
        "chain_transactions",
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sender", sa.LargeBinary(length=10), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Integer(), nullable=False),
        sa.Column("to_address", sa.LargeBinary(length=10), nullable=False),
        sa.Column("value_hug", sa.CHAR(78), nullable=False),
        sa.Column("input", sa.LargeBinary(), nullable=False),
        sa.Column("extra_data", sa.LargeBinary(), nullable=False),
        sa.Column("tag", sa.LargeBinary(length=32), nullable=True),
        sa.Column("gas_price", sa.BigInteger(), nullable=False),
        sa.Column("gas_used", sa.BigInteger(), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column("err_code", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=True),
        sa.Column("contract", sa.LargeBinary(length=10), nullable=True),
        sa.Column("source", sa.LargeBinary(length=10), nullable=True),
        sa.Column("target", sa.LargeBinary(length=10), nullable=True),
        sa.Column("amount", sa.CHAR(78), nullable=True),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_chain_transactions")),
        sa.UniqueConstraint("hash", name=op.f("uq_chain_transactions_hash")),
    )
    op.create_index(
        "ix_chain_transactions_sender_place",
        "chain_transactions",
        ["sender", "place"],
        unique=False,
    )
    op.create_index(
        "ix_chain_transactions_source_place",
        "chain_transactions",
        ["source", "place"],
        unique=False,
    )
    op.create_index("ix_chain_transactions_tag", "chain_transactions", ["tag"], unique=False)
    op.create_index(
        "ix_chain_transactions_target_place",
        "chain_transactions",
        ["target", "place"],
        unique=False,
    )
    op.create_index(
        "uq_chain_transactions_sender_nonce", "chain_transactions", ["sender", "nonce"], unique=True
    )
    op.create_table(
        "directory_days",
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("lookups", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "day", name=op.f("pk_directory_days")),
    )
    op.create_table(
        "dispatch_state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("caught_up", sa.Boolean(), nullable=False),
        sa.Column("stopped_reason", sa.Text(), nullable=False),
        sa.Column("heartbeat_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatch_state")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("member_id", sa.String(length=40), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("seq", name=op.f("uq_events_seq")),
    )
    op.create_index("ix_events_member_seq", "events", ["member_id", "seq"], unique=False)
    op.create_table(
        "external_movements",
        sa.Column("transaction_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("contract", sa.LargeBinary(length=10), nullable=True),
        sa.Column("source", sa.LargeBinary(length=10), nullable=True),
        sa.Column("target", sa.LargeBinary(length=10), nullable=True),
        sa.Column("source_member", sa.String(length=40), nullable=True),
        sa.Column("target_member", sa.String(length=40), nullable=True),
        sa.Column("amount", sa.CHAR(78), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_hash", "position", name=op.f("pk_external_movements")),
    )
    op.create_index("ix_external_source", "external_movements", ["source_member"], unique=False)
    op.create_index("ix_external_target", "external_movements", ["target_member"], unique=False)
    op.create_table(
        "gas_budgets",
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("reserved_gas", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_gas_budgets")),
    )
    op.create_table(
        "gas_refills",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("symid", sa.LargeBinary(length=10), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("transfer_id", sa.String(length=40), nullable=True),
        sa.Column("amount_hug", sa.CHAR(78), nullable=False),
        sa.Column("gas_units", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("queued_reason", sa.String(length=40), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gas_refills")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_gas_refills_transfer_id")),
    )
    op.create_index("ix_gas_refills_symid", "gas_refills", ["symid"], unique=False)
    op.create_table(
        "keystores",
        sa.Column("wallet_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("public_key_hash", sa.LargeBinary(length=20), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("busy_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("busy_token", sa.LargeBinary(length=16), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("wallet_id", name=op.f("pk_keystores")),
        sa.UniqueConstraint("public_key_hash", name=op.f("uq_keystores_public_key_hash")),
    )
    op.create_table(
        "lanes",
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.LargeBinary(length=10), nullable=False),
        sa.Column("next_nonce", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "sender", name=op.f("pk_lanes")),
    )
    op.create_table(
        "members",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("login", sa.String(length=32), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("roles", sa.String(length=40), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("verified_ms", sa.BigInteger(), nullable=True),
        sa.Column("frozen_ms", sa.BigInteger(), nullable=True),
        sa.Column("frozen_reason", sa.Text(), nullable=False),
        sa.Column("data_key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("phone_index", sa.LargeBinary(length=32), nullable=True),
        sa.Column("name_last4_index", sa.LargeBinary(length=32), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_members")),
        sa.UniqueConstraint("id", name=op.f("uq_members_id")),
        sa.UniqueConstraint("login", name=op.f("uq_members_login")),
        sa.UniqueConstraint("phone_index", name=op.f("uq_members_phone_index")),
    )
    op.create_index("ix_members_name_last4_index", "members", ["name_last4_index"], unique=False)
    op.create_table(
        "outgoing",
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.LargeBinary(length=10), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("cancel_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("cancel_raw", sa.LargeBinary(), nullable=False),
        sa.Column("tag", sa.LargeBinary(length=16), nullable=False),
        sa.Column("fee_max_hug", sa.CHAR(78), nullable=False),
        sa.Column("value_hug", sa.CHAR(78), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_sent_ms", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("final_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("chain_id", "sender", "nonce", name=op.f("pk_outgoing")),
        sa.UniqueConstraint(
            "chain_id", "sender", "tag", name=op.f("uq_outgoing_chain_id_sender_tag")
        ),
        sa.UniqueConstraint("hash", name=op.f("uq_outgoing_hash")),
        sa.UniqueConstraint("subject_id", name=op.f("uq_outgoing_subject_id")),
    )
    op.create_index(
        "ix_outgoing_unfinished", "outgoing", ["final", "sender", "nonce"], unique=False
    )
    op.create_table(
        "sign_in_attempts",
        sa.Column("login_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("login_index", name=op.f("pk_sign_in_attempts")),
    )
    op.create_index(
        op.f("ix_sign_in_attempts_last_ms"), "sign_in_attempts", ["last_ms"], unique=False
    )
    op.create_table(
        "spending_days",
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("token", sa.String(length=10), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("amount", sa.CHAR(78), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "token", "day", name=op.f("pk_spending_days")),
    )
    op.create_table(
        "token_operations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("operator_id", sa.String(length=40), nullable=False),
        sa.Column("idempotency_key", sa.String(length=200), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("symbol", sa.String(length=10), nullable=False),
        sa.Column("signer", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("amount", sa.CHAR(78), nullable=False),
        sa.Column("account", sa.LargeBinary(length=10), nullable=False),
        sa.Column("counterpart", sa.LargeBinary(length=10), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_operations")),
        sa.UniqueConstraint(
            "operator_id",
            "idempotency_key",
            name=op.f("uq_token_operations_operator_id_idempotency_key"),
        ),
    )
    op.create_table(
        "tokens",
        sa.Column("symbol", sa.String(length=10), nullable=False),
        sa.Column("contract", sa.LargeBinary(length=10), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("decimals", sa.Integer(), nullable=False),
        sa.Column("stopped_reason", sa.String(length=200), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("symbol", name=op.f("pk_tokens")),
        sa.UniqueConstraint("contract", name=op.f("uq_tokens_contract")),
    )
    op.create_table(
        "transfers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("operation", sa.String(length=20), nullable=False),
        sa.Column("idempotency_key", sa.String(length=200), nullable=True),
        sa.Column("recipient", sa.String(length=40), nullable=False),
        sa.Column("sender_symid", sa.LargeBinary(length=10), nullable=False),
        sa.Column("recipient_symid", sa.LargeBinary(length=10), nullable=False),
        sa.Column("token", sa.String(length=10), nullable=False),
        sa.Column("contract", sa.LargeBinary(length=10), nullable=False),
        sa.Column("amount", sa.CHAR(78), nullable=False),
        sa.Column("memo_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("confirm_after_ms", sa.BigInteger(), nullable=True),
        sa.Column("waiting", sa.Boolean(), nullable=False),
        sa.Column("withdrawn_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint(
            "member_id",
            "operation",
            "idempotency_key",
            name=op.f("uq_transfers_member_id_operation_idempotency_key"),
        ),
    )
    op.create_index("ix_transfers_member", "transfers", ["member_id", "id"], unique=False)
    op.create_index("ix_transfers_recipient", "transfers", ["recipient", "id"], unique=False)
    op.create_index("ix_transfers_waiting", "transfers", ["waiting", "sender_symid"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_sessions_member_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_member_id"), "sessions", ["member_id"], unique=False)
    op.create_table(
        "wallets",
        sa.Column("wallet_id", sa.String(length=40), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("public_key_hash", sa.LargeBinary(length=20), nullable=False),
        sa.Column("symid", sa.LargeBinary(length=10), nullable=True),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("requested_ms", sa.BigInteger(), nullable=True),
        sa.Column("refused_reason", sa.String(length=200), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("active_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_wallets_member_id")),
        sa.PrimaryKeyConstraint("wallet_id", name=op.f("pk_wallets")),
        sa.UniqueConstraint("member_id", name=op.f("uq_wallets_member_id")),
        sa.UniqueConstraint("public_key_hash", name=op.f("uq_wallets_public_key_hash")),
        sa.UniqueConstraint("symid", name=op.f("uq_wallets_symid")),
    )
    op.create_index(
        "ix_wallets_state_requested", "wallets", ["state", "requested_ms"], unique=False
    )

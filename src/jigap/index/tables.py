"""The tables of the index.

Binary columns hold hashes (32 bytes) and SymIDs or contract ids (10 bytes) as they are.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table

from jigap.database import Amount, metadata

chain_blocks = Table(
    "chain_blocks",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("parent_hash", LargeBinary(32), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("transaction_count", Integer, nullable=False),
    Column("citizen_count", Integer, nullable=False),
)

#: One row for each mined transaction. ``tag`` is the extra data again if it has 1 to 32 bytes: an
#: index on all of it could be broken by anyone who sends a long one. ``kind`` to ``amount`` are
#: what it moved besides the fee, and null if nothing; ``contract`` is also set for calls such as
#: pause.
chain_transactions = Table(
    "chain_transactions",
    metadata,
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("sender", LargeBinary(10), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("type", Integer, nullable=False),
    Column("to_address", LargeBinary(10), nullable=False),
    Column("value_hug", Amount, nullable=False),
    Column("input", LargeBinary, nullable=False),
    Column("extra_data", LargeBinary, nullable=False),
    Column("tag", LargeBinary(32), nullable=True),
    Column("gas_price", BigInteger, nullable=False),
    Column("gas_used", BigInteger, nullable=False),
    Column("succeeded", Boolean, nullable=False),
    Column("err_code", Integer, nullable=True),
    Column("kind", String(16), nullable=True),
    Column("contract", LargeBinary(10), nullable=True),
    Column("source", LargeBinary(10), nullable=True),
    Column("target", LargeBinary(10), nullable=True),
    Column("amount", Amount, nullable=True),
    Index("uq_chain_transactions_sender_nonce", "sender", "nonce", unique=True),
    Index("ix_chain_transactions_sender_place", "sender", "place"),
    Index("ix_chain_transactions_source_place", "source", "place"),
    Index("ix_chain_transactions_target_place", "target", "place"),
    Index("ix_chain_transactions_tag", "tag"),
)

chain_accounts = Table(
    "chain_accounts",
    metadata,
    Column("symid", LargeBinary(10), primary_key=True),
    Column("balance_hug", Amount, nullable=False),
    Column("deposit_hug", Amount, nullable=False),
    Column("nonce", BigInteger, nullable=False),
)

chain_contracts = Table(
    "chain_contracts",
    metadata,
    Column("contract", LargeBinary(10), primary_key=True),
    Column("creator", LargeBinary(10), nullable=False),
    Column("owner", LargeBinary(10), nullable=False),
    Column("name", String(64), nullable=False),
    Column("symbol", String(32), nullable=False),
    Column("total", Amount, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("created_block", BigInteger, nullable=True),
)

chain_holdings = Table(
    "chain_holdings",
    metadata,
    Column("contract", LargeBinary(10), primary_key=True),
    Column("symid", LargeBinary(10), primary_key=True),
    Column("balance", Amount, nullable=False),
    Index("ix_chain_holdings_symid", "symid"),
)

#: The latest record of each citizen; ``block_number`` is where the index saw it first, -1 if the
#: citizen is older than the index.
chain_citizens = Table(
    "chain_citizens",
    metadata,
    Column("symid", LargeBinary(10), primary_key=True),
    Column("key_hash", LargeBinary(20), nullable=False, index=True),
    Column("ca", LargeBinary(10), nullable=False),
    Column("status", Integer, nullable=False),
    Column("v_flag", Integer, nullable=False),
    Column("write_time", BigInteger, nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("changed_block", BigInteger, nullable=False),
)

"""Block 0: who exists before anybody has signed anything.

A genesis names the chain, the block signer and the first citizens with their SYM. It is a small
JSON document kept beside the chain, and block 0 follows from it byte for byte, so its hash tells
two chains apart even when their ids are equal.

The citizens of block 0 are shown like any others, as citizen transactions of the master CA, but
nobody signed them: their signature is v = 0, r = s = 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from jigap.chain import citizen, symid
from jigap.chain.block import Block, Body, Header, SignedHeader, receipts_root
from jigap.chain.citizen import CitizenTransaction, Role, SignedCitizenTransaction
from jigap.chain.hashing import ZERO_HASH
from jigap.chain.invalid import MalformedSymId
from jigap.chain.signature import PUBLIC_KEY_HASH_BYTES, SIGNATURE_BYTES, Signature
from jigap.chain.symid import FIRST_CA, MASTER_CA, SymId
from jigap.node.lthash import LtHash
from jigap.node.state import Account, Change, MemoryReader, Overlay, State, added
from jigap.node.transition import BLOCK_GAS_LIMIT, Finalized, Tip
from jigap.refusal import Kind, Refusal

DEFAULT_CHAIN_ID = 7777
#: 2024-01-01T00:00Z; any fixed instant in the past will do.
DEFAULT_TIME_MS = 1_704_067_200_000

#: The platform's own accounts: the first people under the first CA.
BLOCK_SIGNER: SymId = symid.make(2, (2).to_bytes(6, "big"))
TOKEN_OWNER: SymId = symid.make(2, (3).to_bytes(6, "big"))
TREASURY: SymId = symid.make(2, (4).to_bytes(6, "big"))
OPERATOR: SymId = symid.make(2, (5).to_bytes(6, "big"))

HUG_PER_SYM = 10**18
#: SYM that a platform's service accounts start with: enough gas for 150 million payments.
PLATFORM_BALANCE_HUG = 1_000_000 * HUG_PER_SYM

_NOBODY_SIGNED = Signature(0, 1, 1)
_NO_SIGNATURE = bytes(SIGNATURE_BYTES)


class GenesisMalformed(Refusal):
    """The document is not a genesis, or contradicts itself."""

    code: ClassVar[str] = "genesis_malformed"
    kind: ClassVar[Kind] = Kind.INVALID


@dataclass(frozen=True, slots=True)
class GenesisAccount:
    """A first citizen: ``key_hash`` is 20 bytes, ``balance_hug`` its SYM."""

    symid: SymId
    key_hash: bytes
    balance_hug: int = 0
    role: int = Role.GENERAL


@dataclass(frozen=True, slots=True)
class Genesis:
    """The beginning of a chain. ``proposer``, the block signer, is one of ``accounts``."""

    chain_id: int
    proposer: SymId
    accounts: tuple[GenesisAccount, ...]
    time_ms: int = DEFAULT_TIME_MS

    def __post_init__(self) -> None:
        symids = {account.symid for account in self.accounts}
        if len(symids) != len(self.accounts):
            raise GenesisMalformed("two genesis accounts have one SymID")
        if len({account.key_hash for account in self.accounts}) != len(self.accounts):
            raise GenesisMalformed("two genesis accounts have one key")
        if self.proposer not in symids:
            raise GenesisMalformed("the block signer is not among the genesis accounts")
        for account in self.accounts:
            if not symid.is_user(account.symid):
                raise GenesisMalformed(f"not a SymID: {symid.to_hex(account.symid)}")
            if len(account.key_hash) != PUBLIC_KEY_HASH_BYTES or account.balance_hug < 0:
                raise GenesisMalformed(f"malformed account {symid.to_hex(account.symid)}")

    def to_json(self) -> bytes:
        """The document, readable and stable."""
        document = {
            "chain_id": self.chain_id,
            "time_ms": self.time_ms,
            "proposer": symid.to_hex(self.proposer),
            "accounts": [
                {
                    "symid": symid.to_hex(account.symid),
                    "public_key_hash": "0x" + account.key_hash.hex(),
                    "balance_hug": str(account.balance_hug),
                    "role": hex(account.role),
                }
                for account in self.accounts
            ],
        }
        return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"

    @classmethod
    def from_json(cls, document: bytes) -> "Genesis":
        """The genesis in a document; raises ``GenesisMalformed``."""
        try:
            read = msgspec.json.decode(document)
            return cls(
                chain_id=int(read["chain_id"]),
                proposer=symid.parse(read["proposer"]),
                accounts=tuple(_account(one) for one in read["accounts"]),
                time_ms=int(read["time_ms"]),
            )
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, MalformedSymId) as error:
            raise GenesisMalformed(f"not a genesis document: {error}") from error

    def key_hash_of(self, who: SymId) -> bytes:
        """The key hash of a genesis account; raises ``KeyError``."""
        return {account.symid: account.key_hash for account in self.accounts}[who]


def _account(read: Mapping[str, Any]) -> GenesisAccount:
    return GenesisAccount(
        symid=symid.parse(read["symid"]),
        key_hash=bytes.fromhex(read["public_key_hash"].removeprefix("0x")),
        balance_hug=int(read["balance_hug"]),
        role=int(read["role"], 16),
    )


def platform_genesis(
    *,
    master_ca: bytes,
    first_ca: bytes,
    block_signer: bytes,
    token_owner: bytes,
    treasury: bytes,
    operator: bytes,
    chain_id: int = DEFAULT_CHAIN_ID,
    balance_hug: int = PLATFORM_BALANCE_HUG,
    extra: tuple[GenesisAccount, ...] = (),
    time_ms: int = DEFAULT_TIME_MS,
) -> Genesis:
    """The genesis of a platform from the 20-byte key hashes of its service keys, all different.

    Token owner, treasury and operator are given ``balance_hug`` each.
    """
    accounts = (
        GenesisAccount(MASTER_CA, master_ca, role=Role.MASTER_CA),
        GenesisAccount(FIRST_CA, first_ca, role=Role.CA),
        GenesisAccount(BLOCK_SIGNER, block_signer),
        GenesisAccount(TOKEN_OWNER, token_owner, balance_hug),
        GenesisAccount(TREASURY, treasury, balance_hug),
        GenesisAccount(OPERATOR, operator, balance_hug),
        *extra,
    )
    return Genesis(chain_id, BLOCK_SIGNER, accounts, time_ms)


@dataclass(frozen=True, slots=True)
class FirstBlock:
    """Block 0 and everything the store writes with it."""

    block: Block
    finalized: Finalized

    def tip(self) -> Tip:
        """What block 1 builds on, with the state in memory."""
        state = MemoryReader()
        state.apply(self.finalized.changes)
        return Tip(self.block.header, self.block.hash, state, self.finalized.sum)


def first_block(genesis: Genesis) -> FirstBlock:
    """Block 0 of a genesis: the same bytes for ever."""
    body = Body((), tuple(_entry(number, one) for number, one in enumerate(genesis.accounts)))
    changes = _first_state(genesis, body)
    sum_ = LtHash().changed((), added(changes))
    header = Header(
        number=0,
        parent_hash=ZERO_HASH,
        time_ms=genesis.time_ms,
        state_root=sum_.root(),
        transactions_root=body.transactions_root(),
        citizens_root=body.citizens_root(),
        receipts_root=receipts_root(()),
        gas_used=0,
        gas_limit=BLOCK_GAS_LIMIT,
        proposer=genesis.proposer,
        chain_id=genesis.chain_id,
        citizen_block_number=0,
    )
    block = Block(SignedHeader(header, _NO_SIGNATURE, header.hash), body, ())
    return FirstBlock(block, Finalized(header, body, (), changes, sum_))


def _entry(nonce: int, account: GenesisAccount) -> SignedCitizenTransaction:
    return citizen.with_signature(
        CitizenTransaction(
            sender=MASTER_CA,
            to=b"",
            nonce=nonce,
            symid=account.symid,
            key_hash=account.key_hash,
            role=account.role,
        ),
        _NOBODY_SIGNED,
    )


def _first_state(genesis: Genesis, body: Body) -> dict[bytes, Change]:
    overlay = Overlay(MemoryReader())
    state = State(overlay)
    for account, entry in zip(genesis.accounts, body.citizens, strict=True):
        state.put_citizen(entry.transaction.record())
        state.put_account(account.symid, Account(account.balance_hug))
    if any(account.symid == MASTER_CA for account in genesis.accounts):
        state.put_citizen_nonce(MASTER_CA, len(genesis.accounts))
    return overlay.changes()

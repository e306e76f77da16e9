"""Blocks: a header that commits to everything, what happened, and what came of it.

The header is RLP under a tag of its own, so that its hash can never be mistaken for the digest of
a transaction; its SHA3-256 is the block hash. It commits to

* the state after the block (``state_root``, the node's affair),
* the hashes of the transactions and of the citizen transactions, in order,
* the receipts, so that *success* can be proved and not only inclusion,

each of the last three as a Merkle root (``proof``). The proposer signs the hash. Symverse's own
header hash is not reproducible from its documents, so this one is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jigap.chain import citizen, rlp, signature, transaction
from jigap.chain.citizen import SignedCitizenTransaction
from jigap.chain.hashing import HASH_BYTES, sha3_256
from jigap.chain.invalid import InvalidBlock, InvalidSignature, MalformedRlp
from jigap.chain.proof import Path, merkle_path, merkle_root, verify_path
from jigap.chain.signature import SIGNATURE_BYTES, PrivateKey, Signature
from jigap.chain.symid import SYMID_BYTES, SymId
from jigap.chain.transaction import SignedTransaction

HEADER_TAG = b"jigap block 1"

_HEADER_FIELDS = 14
_RECEIPT_FIELDS = 6


@dataclass(frozen=True, slots=True)
class Header:
    """What the proposer signs.

    ``time_ms`` is Unix milliseconds and larger than the parent's; ``gas_used`` and ``gas_limit``
    are in gas; ``citizen_block_number`` is the number of the last citizen block up to here.
    """

    number: int
    parent_hash: bytes
    time_ms: int
    state_root: bytes
    transactions_root: bytes
    citizens_root: bytes
    receipts_root: bytes
    gas_used: int
    gas_limit: int
    proposer: SymId
    chain_id: int
    citizen_block_number: int
    extra_data: bytes = b""

    def encode(self) -> bytes:
        """The bytes whose SHA3-256 is the block hash."""
        return rlp.encode(
            [
                HEADER_TAG,
                self.number,
                self.parent_hash,
                self.time_ms,
                self.state_root,
                self.transactions_root,
                self.citizens_root,
                self.receipts_root,
                self.gas_used,
                self.gas_limit,
                self.proposer,
                self.chain_id,
                self.citizen_block_number,
                self.extra_data,
            ]
        )

    @classmethod
    def decode(cls, raw: bytes) -> "Header":
        """The header in ``raw``; raises ``MalformedRlp``."""
        item = rlp.read_list(rlp.decode(raw), "header", _HEADER_FIELDS)
        if item[0] != HEADER_TAG:
            raise MalformedRlp("rlp: not a header of this version")
        return cls(
            number=rlp.read_int(item[1], "number"),
            parent_hash=rlp.read_bytes(item[2], "parentHash", HASH_BYTES),
            time_ms=rlp.read_int(item[3], "timeMs"),
            state_root=rlp.read_bytes(item[4], "stateRoot", HASH_BYTES),
            transactions_root=rlp.read_bytes(item[5], "transactionsRoot", HASH_BYTES),
            citizens_root=rlp.read_bytes(item[6], "citizensRoot", HASH_BYTES),
            receipts_root=rlp.read_bytes(item[7], "receiptsRoot", HASH_BYTES),
            gas_used=rlp.read_int(item[8], "gasUsed"),
            gas_limit=rlp.read_int(item[9], "gasLimit"),
            proposer=rlp.read_bytes(item[10], "proposer", SYMID_BYTES),
            chain_id=rlp.read_int(item[11], "chainId"),
            citizen_block_number=rlp.read_int(item[12], "citizenBlockNumber"),
            extra_data=rlp.read_bytes(item[13], "extraData"),
        )

    @property
    def hash(self) -> bytes:
        """The 32-byte block hash, computed anew at each call."""
        return sha3_256(self.encode())


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """A header and its proposer's 65-byte signature (r, s, v) over its hash."""

    header: Header
    signature: bytes
    hash: bytes

    def encode(self) -> bytes:
        """For storage and for proofs."""
        return rlp.encode([self.header.encode(), self.signature])

    @classmethod
    def decode(cls, raw: bytes) -> "SignedHeader":
        """The signed header in ``raw``; raises ``MalformedRlp``. The signature is not verified."""
        item = rlp.read_list(rlp.decode(raw), "signed header", 2)
        encoded = rlp.read_bytes(item[0], "header")
        signed = rlp.read_bytes(item[1], "signature", SIGNATURE_BYTES)
        return cls(Header.decode(encoded), signed, sha3_256(encoded))

    def verify(self, proposer_key_hash: bytes) -> None:
        """Raises ``Invalid`` unless the key with this 20-byte hash signed the header."""
        if self.hash != self.header.hash:
            raise InvalidBlock("block hash does not match its header")
        signer = signature.recover(self.hash, Signature.from_bytes(self.signature))
        found = signature.public_key_hash(signer)
        if found != proposer_key_hash:
            raise InvalidBlock(
                "block signed by another key", expected=proposer_key_hash.hex(), found=found.hex()
            )


def sign_header(header: Header, key: PrivateKey) -> SignedHeader:
    """The header, signed by its proposer."""
    hash_ = header.hash
    return SignedHeader(header, key.sign(hash_).to_bytes(), hash_)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of a transaction.

    ``status`` is True for success. ``err_code`` says why a token call failed; out of gas has none.
    ``contract_address`` is that of a contract just created.
    """

    transaction_hash: bytes
    status: bool
    gas_used: int
    cumulative_gas_used: int
    err_code: int | None = None
    contract_address: bytes | None = None

    def encode(self) -> bytes:
        """The bytes under the receipts root; an absent code is 0, an absent address empty."""
        return rlp.encode(
            [
                self.transaction_hash,
                int(self.status),
                self.gas_used,
                self.cumulative_gas_used,
                self.err_code or 0,
                self.contract_address or b"",
            ]
        )

    @classmethod
    def decode(cls, raw: bytes) -> "Receipt":
        """The receipt in ``raw``; raises ``MalformedRlp``."""
        item = rlp.read_list(rlp.decode(raw), "receipt", _RECEIPT_FIELDS)
        status = rlp.read_int(item[1], "status", 1)
        address = rlp.read_bytes(item[5], "contractAddress")
        if status > 1 or len(address) not in (0, SYMID_BYTES):
            raise MalformedRlp("rlp: not a receipt", status=status, address_bytes=len(address))
        return cls(
            transaction_hash=rlp.read_bytes(item[0], "transactionHash", HASH_BYTES),
            status=bool(status),
            gas_used=rlp.read_int(item[2], "gasUsed"),
            cumulative_gas_used=rlp.read_int(item[3], "cumulativeGasUsed"),
            err_code=rlp.read_int(item[4], "errCode") or None,
            contract_address=address or None,
        )


@dataclass(frozen=True, slots=True)
class Body:
    """What a block applies: citizens first, then transactions, each in order."""

    transactions: tuple[SignedTransaction, ...] = ()
    citizens: tuple[SignedCitizenTransaction, ...] = ()

    def transactions_root(self) -> bytes:
        return merkle_root([signed.hash for signed in self.transactions])

    def citizens_root(self) -> bytes:
        return merkle_root([signed.hash for signed in self.citizens])


def receipts_root(receipts: Sequence[Receipt]) -> bytes:
    """The Merkle root over the encoded receipts."""
    return merkle_root([receipt.encode() for receipt in receipts])


@dataclass(frozen=True, slots=True)
class Block:
    """A signed header with everything it commits to, except the state."""

    signed_header: SignedHeader
    body: Body
    receipts: tuple[Receipt, ...]

    @property
    def header(self) -> Header:
        return self.signed_header.header

    @property
    def hash(self) -> bytes:
        return self.signed_header.hash

    def encode(self) -> bytes:
        """The whole block, for storage."""
        return rlp.encode(
            [
                self.signed_header.encode(),
                [signed.raw for signed in self.body.transactions],
                [signed.raw for signed in self.body.citizens],
                [receipt.encode() for receipt in self.receipts],
            ]
        )

    @classmethod
    def decode(cls, raw: bytes) -> "Block":
        """The block in ``raw``; raises ``Invalid``. Roots and signature are not checked."""
        item = rlp.read_list(rlp.decode(raw), "block", 4)
        transactions, citizens, receipts = (
            [rlp.read_bytes(part, what) for part in rlp.read_list(parts, what)]
            for parts, what in zip(item[1:], ("transactions", "citizens", "receipts"), strict=True)
        )
        return cls(
            SignedHeader.decode(rlp.read_bytes(item[0], "signed header")),
            Body(
                tuple([transaction.decode(part) for part in transactions]),
                tuple([citizen.decode(part) for part in citizens]),
            ),
            tuple([Receipt.decode(part) for part in receipts]),
        )

    def check_roots(self) -> None:
        """Raises ``InvalidBlock`` unless the header commits to this body and these receipts."""
        header = self.header
        commitments = (
            ("transactions root", header.transactions_root, self.body.transactions_root()),
            ("citizens root", header.citizens_root, self.body.citizens_root()),
            ("receipts root", header.receipts_root, receipts_root(self.receipts)),
        )
        for what, expected, found in commitments:
            if expected != found:
                raise InvalidBlock(
                    f"{what} does not match", expected=expected.hex(), found=found.hex()
                )


@dataclass(frozen=True, slots=True)
class ReceiptProof:
    """All that a third party needs to see that a transaction succeeded (or failed), and when.

    The verifier brings two things of its own: the hash of the transaction it cares about, and the
    key hash of the proposer it trusts.
    """

    signed_header: SignedHeader
    receipt: Receipt
    path: Path

    def verify(self, transaction_hash: bytes, proposer_key_hash: bytes) -> bool:
        """Whether the proposer vouches for this receipt of this transaction."""
        try:
            self.signed_header.verify(proposer_key_hash)
        except (InvalidBlock, InvalidSignature):
            return False
        return self.receipt.transaction_hash == transaction_hash and verify_path(
            self.signed_header.header.receipts_root, self.receipt.encode(), self.path
        )


def prove_receipt(block: Block, index: int) -> ReceiptProof:
    """The proof for the transaction at ``index``; raises ``IndexError`` if there is none."""
    path = merkle_path([receipt.encode() for receipt in block.receipts], index)
    return ReceiptProof(block.signed_header, block.receipts[index], path)

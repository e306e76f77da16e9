"""The Symverse protocol: values, their bytes, and the rules that need no node.

Pure: no I/O, no clock, no randomness; the standard library and one signature library. Amounts are
``int`` (hug, or token base units), hashes are 32-byte ``bytes``, SymIDs 10-byte ``bytes``; hex text
exists only at the edges.

Names used often are here; the rest is read as ``module.name``, as in ``gas.gas_used`` or
``transaction.decode``.
"""

from jigap.chain import (
    block,
    citizen,
    gas,
    hashing,
    invalid,
    proof,
    rlp,
    sct20,
    signature,
    symid,
    template,
    transaction,
)
from jigap.chain.block import Block, Body, Header, Receipt, ReceiptProof, SignedHeader
from jigap.chain.citizen import Citizen, CitizenTransaction, SignedCitizenTransaction
from jigap.chain.gas import GAS_PRICE_HUG
from jigap.chain.hashing import checksum_hex, sha3_256
from jigap.chain.invalid import Invalid
from jigap.chain.signature import PrivateKey, Signature
from jigap.chain.symid import SymId, contract_address
from jigap.chain.transaction import (
    TYPE_DEPOSIT,
    TYPE_REMIT,
    TYPE_SCT,
    SignedTransaction,
    Transaction,
)

__all__ = [
    "GAS_PRICE_HUG",
    "TYPE_DEPOSIT",
    "TYPE_REMIT",
    "TYPE_SCT",
    "Block",
    "Body",
    "Citizen",
    "CitizenTransaction",
    "Header",
    "Invalid",
    "PrivateKey",
    "Receipt",
    "ReceiptProof",
    "Signature",
    "SignedCitizenTransaction",
    "SignedHeader",
    "SignedTransaction",
    "SymId",
    "Transaction",
    "block",
    "checksum_hex",
    "citizen",
    "contract_address",
    "gas",
    "hashing",
    "invalid",
    "proof",
    "rlp",
    "sct20",
    "sha3_256",
    "signature",
    "symid",
    "template",
    "transaction",
]

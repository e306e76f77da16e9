"""Transactions: ten fields, a signature, and the bytes whose hash names them.

::

    fields   = from, nonce, gasPrice, gas, to, value, input, type, workNodes, extraData
    preimage = RLP([fields, chainId, "", ""])    signed digest = SHA3-256(preimage)
    raw      = RLP([fields, v, r, s])            hash          = SHA3-256(raw)

The sender is a SymID, which no signature proves: whoever checks a transaction recovers the key hash
and compares it with the citizen record of ``sender``.

``decode`` is the door for bytes from strangers. It accepts one encoding per transaction and raises
``Invalid`` for everything else, whatever the bytes.
"""

from dataclasses import dataclass

from jigap.chain import rlp, signature
from jigap.chain.hashing import sha3_256
from jigap.chain.invalid import InvalidField, MalformedRlp, OversizedData, UnsupportedType
from jigap.chain.signature import PrivateKey, Signature
from jigap.chain.symid import SYMID_BYTES, SymId

TYPE_REMIT = 0
"""Moves ``value`` to a citizen; ``input`` may be a memo."""
TYPE_SCT = 1
"""Creates (empty ``to``) or calls a token contract."""
TYPE_DEPOSIT = 2
"""Moves ``value`` into the deposit (empty ``to``), or all of it back (``to`` = sender)."""

TRANSACTION_BYTES_MAX = 32 * 1024
WORK_NODES = 1
"""How many work nodes a transaction names: exactly one since gsym 1.0.23."""

_FIELDS = 13
_UINT64, _UINT256 = 8, 32
_EMPTY = b"\x80"


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a sender asks for.

    ``gas_price`` is in hug per gas, ``value`` in hug; ``to`` is empty for a creation and for a
    deposit; ``work_nodes`` names the node that relays it; ``extra_data`` is free and costs no gas.
    """

    sender: SymId
    nonce: int
    gas_price: int
    gas_limit: int
    to: bytes
    value: int
    input: bytes
    type: int
    work_nodes: tuple[SymId, ...]
    extra_data: bytes = b""

    def signing_preimage(self, chain_id: int) -> bytes:
        """The bytes whose SHA3-256 is signed."""
        return _preimage(self._encoded_fields(), chain_id)

    def signing_digest(self, chain_id: int) -> bytes:
        """The 32 bytes that are signed for one chain."""
        return sha3_256(self.signing_preimage(chain_id))

    def cost_max_hug(self) -> int:
        """What the sender must own: the value and the whole gas limit."""
        return self.gas_limit * self.gas_price + self.value

    def _encoded_fields(self) -> bytes:
        fields: tuple[rlp.Encodable, ...] = (
            self.sender,
            self.nonce,
            self.gas_price,
            self.gas_limit,
            self.to,
            self.value,
            self.input,
            self.type,
            self.work_nodes,
            self.extra_data,
        )
        return b"".join([rlp.encode(field) for field in fields])


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction with its signature, its raw bytes and their hash.

    Made by ``sign`` or ``decode`` only, so the parts always agree.
    """

    transaction: Transaction
    v: int
    r: int
    s: int
    raw: bytes
    hash: bytes

    @property
    def signature(self) -> Signature:
        return Signature(self.v, self.r, self.s)


def sign(transaction: Transaction, key: PrivateKey, chain_id: int) -> SignedTransaction:
    """The transaction, signed for one chain."""
    fields = transaction._encoded_fields()
    v, r, s = key.sign(sha3_256(_preimage(fields, chain_id)))
    raw = rlp.wrap(fields + rlp.encode(v) + rlp.encode(r) + rlp.encode(s))
    return SignedTransaction(transaction, v, r, s, raw, sha3_256(raw))


def decode(raw: bytes) -> SignedTransaction:
    """The transaction in ``raw``, with every rule that needs no state checked.

    Raises ``OversizedData``, ``MalformedRlp``, ``UnsupportedType``, ``InvalidField`` or
    ``InvalidSignature``; the signer is not recovered yet.
    """
    if len(raw) > TRANSACTION_BYTES_MAX:
        raise OversizedData(size=len(raw), size_max=TRANSACTION_BYTES_MAX)
    item = rlp.read_list(rlp.decode(raw), "transaction", _FIELDS)
    transaction = _read_fields(item)
    check_fields(transaction)
    v = rlp.read_int(item[10], "v")
    r = rlp.read_int(item[11], "r", _UINT256)
    s = rlp.read_int(item[12], "s", _UINT256)
    Signature(v, r, s).check()
    return SignedTransaction(transaction, v, r, s, raw, sha3_256(raw))


def check_fields(transaction: Transaction) -> None:
    """The rules about the fields alone; raises ``UnsupportedType`` or ``InvalidField``."""
    if transaction.type not in (TYPE_REMIT, TYPE_SCT, TYPE_DEPOSIT):
        raise UnsupportedType(type=transaction.type)
    if len(transaction.work_nodes) != WORK_NODES:
        raise InvalidField(
            "invalid work nodes: want exactly one",
            expected=WORK_NODES,
            found=len(transaction.work_nodes),
        )
    if transaction.type == TYPE_REMIT and not transaction.to:
        raise InvalidField("contract creation by code is not supported")
    if transaction.type == TYPE_SCT and transaction.value:
        raise InvalidField("an SCT transaction carries no value", value=transaction.value)
    if transaction.type == TYPE_DEPOSIT and transaction.to not in (b"", transaction.sender):
        raise InvalidField("a deposit goes to nobody or back to its sender", to=transaction.to)


def recover_public_key_hash(signed: SignedTransaction, chain_id: int) -> bytes:
    """The 20-byte key hash that signed for ``chain_id``; raises ``InvalidSignature``.

    A transaction signed for another chain gives some other hash: compare with the citizen record.
    """
    digest = sha3_256(_preimage(_signed_fields(signed), chain_id))
    return signature.public_key_hash(signature.recover(digest, signed.signature))


def _preimage(fields: bytes, chain_id: int) -> bytes:
    return rlp.wrap(fields + rlp.encode(chain_id) + _EMPTY + _EMPTY)


def _signed_fields(signed: SignedTransaction) -> bytes:
    # The encoding is canonical, so the ten signed fields are a slice of the raw bytes: what lies
    # between the list head and the signature. Cutting them out is cheaper than encoding again.
    raw = signed.raw
    head = 1 if raw[0] <= 0xF7 else raw[0] - 0xF6
    tail = len(rlp.encode(signed.v)) + len(rlp.encode(signed.r)) + len(rlp.encode(signed.s))
    return raw[head:-tail]


def _read_fields(item: list[rlp.Item]) -> Transaction:
    to = rlp.read_bytes(item[4], "to")
    if to and len(to) != SYMID_BYTES:
        raise MalformedRlp("rlp: input string of wrong length for to", found=len(to))
    return Transaction(
        sender=rlp.read_bytes(item[0], "from", SYMID_BYTES),
        nonce=rlp.read_int(item[1], "nonce", _UINT64),
        gas_price=rlp.read_int(item[2], "gasPrice", _UINT256),
        gas_limit=rlp.read_int(item[3], "gas", _UINT64),
        to=to,
        value=rlp.read_int(item[5], "value", _UINT256),
        input=rlp.read_bytes(item[6], "input"),
        type=rlp.read_int(item[7], "type", _UINT64),
        work_nodes=tuple(
            [
                rlp.read_bytes(node, "workNode", SYMID_BYTES)
                for node in rlp.read_list(item[8], "workNodes")
            ]
        ),
        extra_data=rlp.read_bytes(item[9], "extraData"),
    )

"""Citizens: which key speaks for a SymID, as certificate authorities say it.

A CA signs a citizen transaction; the chain keeps what it says as the citizen record of the SymID.
The same message with a SymID that exists already changes its record. Citizen transactions live in
blocks of their own, beside the main chain.

::

    raw = RLP([from, to, nonce, symId, aKeyPubH, vFlag, country, status, credit, role, refCode,
               writeTime, extraData, v, r, s])

Published samples verify by hash but not by signer, so the preimage is ours by analogy with
transactions: chainId in the place of ``v``, then two empty strings.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from jigap.chain import rlp, signature
from jigap.chain.hashing import sha3_256
from jigap.chain.invalid import InvalidField, MalformedRlp, OversizedData
from jigap.chain.signature import PUBLIC_KEY_HASH_BYTES, PrivateKey, Signature
from jigap.chain.symid import SYMID_BYTES, SymId
from jigap.chain.transaction import TRANSACTION_BYTES_MAX

CREDIT_MAX = 15

_FIELDS = 16
_RECORD_FIELDS = 10
_UINT256 = 32
_EMPTY = b"\x80"


class Status(IntEnum):
    """Whether a citizen may act."""

    ACTIVE = 1
    LOCKED = 2
    MARKED = 3
    REVOKED = 4


class Role(IntEnum):
    """What a citizen is on the network."""

    GENERAL = 0x1
    DAPP = 0x2
    MASTER_CA = 0xF0F0
    CA = 0xF0F1
    ORACLE = 0xF0F2


class Verification(IntFlag):
    """How a CA verified the person: the bits of ``v_flag``."""

    EMAIL = 1
    PHONE = 2
    NATIONAL_ID = 4
    FACE_TO_FACE = 8
    DEPOSIT = 16


@dataclass(frozen=True, slots=True)
class Citizen:
    """The record that the chain keeps of a SymID.

    ``ca`` said it last, with its ``nonce``; ``key_hash`` is the 20-byte public key hash that may
    sign for ``symid``; ``write_time`` is in Unix seconds.
    """

    symid: SymId
    ca: SymId
    nonce: int
    key_hash: bytes
    v_flag: int = 0
    country: int = 0
    status: int = Status.ACTIVE
    credit: int = 0
    role: int = Role.GENERAL
    ref_code: int = 0
    write_time: int = 0

    @property
    def is_active(self) -> bool:
        return self.status == Status.ACTIVE

    def encode(self) -> bytes:
        """The raw state form: RLP of the record without its SymID, which is the key to it."""
        return rlp.encode(
            [
                self.ca,
                self.nonce,
                self.key_hash,
                self.v_flag,
                self.country,
                self.status,
                self.credit,
                self.role,
                self.ref_code,
                self.write_time,
            ]
        )

    @classmethod
    def decode(cls, symid: SymId, raw: bytes) -> "Citizen":
        """The record of ``symid`` from its raw state form; raises ``MalformedRlp``."""
        item = rlp.read_list(rlp.decode(raw), "citizen", _RECORD_FIELDS)
        return cls(
            symid=symid,
            ca=rlp.read_bytes(item[0], "ca", SYMID_BYTES),
            nonce=rlp.read_int(item[1], "nonce"),
            key_hash=rlp.read_bytes(item[2], "aKeyPubH", PUBLIC_KEY_HASH_BYTES),
            v_flag=rlp.read_int(item[3], "vFlag"),
            country=rlp.read_int(item[4], "country"),
            status=rlp.read_int(item[5], "status"),
            credit=rlp.read_int(item[6], "credit"),
            role=rlp.read_int(item[7], "role"),
            ref_code=rlp.read_int(item[8], "refCode"),
            write_time=rlp.read_int(item[9], "writeTime"),
        )


@dataclass(frozen=True, slots=True)
class CitizenTransaction:
    """What a CA says about a SymID. ``nonce`` counts the CA's citizen transactions."""

    sender: SymId
    to: bytes
    nonce: int
    symid: SymId
    key_hash: bytes
    v_flag: int = 0
    country: int = 0
    status: int = Status.ACTIVE
    credit: int = 0
    role: int = Role.GENERAL
    ref_code: int = 0
    write_time: int = 0
    extra_data: bytes = b""

    def record(self) -> Citizen:
        """The citizen record this transaction leaves behind."""
        return Citizen(
            symid=self.symid,
            ca=self.sender,
            nonce=self.nonce,
            key_hash=self.key_hash,
            v_flag=self.v_flag,
            country=self.country,
            status=self.status,
            credit=self.credit,
            role=self.role,
            ref_code=self.ref_code,
            write_time=self.write_time,
        )

    def signing_digest(self, chain_id: int) -> bytes:
        """The 32 bytes that the CA signs for one chain."""
        return sha3_256(rlp.wrap(self._encoded_fields() + rlp.encode(chain_id) + _EMPTY + _EMPTY))

    def _encoded_fields(self) -> bytes:
        fields: tuple[bytes | int, ...] = (
            self.sender,
            self.to,
            self.nonce,
            self.symid,
            self.key_hash,
            self.v_flag,
            self.country,
            self.status,
            self.credit,
            self.role,
            self.ref_code,
            self.write_time,
            self.extra_data,
        )
        return b"".join([rlp.encode(field) for field in fields])


@dataclass(frozen=True, slots=True)
class SignedCitizenTransaction:
    """A citizen transaction with its signature, its raw bytes and their hash."""

    transaction: CitizenTransaction
    v: int
    r: int
    s: int
    raw: bytes
    hash: bytes

    @property
    def signature(self) -> Signature:
        return Signature(self.v, self.r, self.s)


def sign(
    transaction: CitizenTransaction, key: PrivateKey, chain_id: int
) -> SignedCitizenTransaction:
    """The citizen transaction, signed by the CA's key for one chain."""
    return with_signature(transaction, key.sign(transaction.signing_digest(chain_id)))


def with_signature(
    transaction: CitizenTransaction, signature: Signature
) -> SignedCitizenTransaction:
    """The citizen transaction with a signature made elsewhere; the signature is not verified."""
    v, r, s = signature
    raw = rlp.wrap(transaction._encoded_fields() + rlp.encode(v) + rlp.encode(r) + rlp.encode(s))
    return SignedCitizenTransaction(transaction, v, r, s, raw, sha3_256(raw))


def decode(raw: bytes) -> SignedCitizenTransaction:
    """The citizen transaction in ``raw``, with every rule that needs no state checked.

    Raises ``OversizedData``, ``MalformedRlp``, ``InvalidField`` or ``InvalidSignature``.
    """
    if len(raw) > TRANSACTION_BYTES_MAX:
        raise OversizedData(size=len(raw), size_max=TRANSACTION_BYTES_MAX)
    item = rlp.read_list(rlp.decode(raw), "citizen transaction", _FIELDS)
    transaction = _read_fields(item)
    check_fields(transaction)
    v = rlp.read_int(item[13], "v")
    r = rlp.read_int(item[14], "r", _UINT256)
    s = rlp.read_int(item[15], "s", _UINT256)
    Signature(v, r, s).check()
    return SignedCitizenTransaction(transaction, v, r, s, raw, sha3_256(raw))


def check_fields(transaction: CitizenTransaction) -> None:
    """The rules about the fields alone; raises ``InvalidField``."""
    if transaction.status not in Status.__members__.values():
        raise InvalidField("invalid citizen status", status=transaction.status)
    if transaction.role not in Role.__members__.values():
        raise InvalidField("invalid citizen role", role=transaction.role)
    if transaction.credit > CREDIT_MAX:
        raise InvalidField(
            "invalid citizen credit", credit=transaction.credit, credit_max=CREDIT_MAX
        )


def recover_public_key_hash(signed: SignedCitizenTransaction, chain_id: int) -> bytes:
    """The 20-byte hash of the key that signed for ``chain_id``; raises ``InvalidSignature``."""
    digest = signed.transaction.signing_digest(chain_id)
    return signature.public_key_hash(signature.recover(digest, signed.signature))


def _read_fields(item: list[rlp.Item]) -> CitizenTransaction:
    to = rlp.read_bytes(item[1], "to")
    if to and len(to) != SYMID_BYTES:
        raise MalformedRlp("rlp: input string of wrong length for to", found=len(to))
    return CitizenTransaction(
        sender=rlp.read_bytes(item[0], "from", SYMID_BYTES),
        to=to,
        nonce=rlp.read_int(item[2], "nonce"),
        symid=rlp.read_bytes(item[3], "symId", SYMID_BYTES),
        key_hash=rlp.read_bytes(item[4], "aKeyPubH", PUBLIC_KEY_HASH_BYTES),
        v_flag=rlp.read_int(item[5], "vFlag"),
        country=rlp.read_int(item[6], "country"),
        status=rlp.read_int(item[7], "status"),
        credit=rlp.read_int(item[8], "credit"),
        role=rlp.read_int(item[9], "role"),
        ref_code=rlp.read_int(item[10], "refCode"),
        write_time=rlp.read_int(item[11], "writeTime"),
        extra_data=rlp.read_bytes(item[12], "extraData"),
    )

"""Recoverable ECDSA on secp256k1, as Symverse signs.

A signature is three numbers: ``v`` is the recovery id, 0 or 1 and nothing else (no 27, no EIP-155),
``r`` and ``s`` are as usual. Nonces are deterministic (RFC 6979) and ``s`` is in the lower half of
the group, so one key signs one digest in exactly one way; the upper half is refused, or anybody
could change the hash of somebody else's transaction.

A public key is 64 bytes, X then Y. The chain knows it by the last 20 bytes of its SHA3-256.
"""

from typing import NamedTuple

import coincurve

from jigap.chain.hashing import sha3_256
from jigap.chain.invalid import HighS, InvalidSignature

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_CURVE_ORDER = CURVE_ORDER // 2

SECRET_BYTES = 32
PUBLIC_KEY_BYTES = 64
PUBLIC_KEY_HASH_BYTES = 20
SIGNATURE_BYTES = 65


class Signature(NamedTuple):
    """One signature: recovery id, r, s."""

    v: int
    r: int
    s: int

    def to_bytes(self) -> bytes:
        """65 bytes: r, s, v."""
        return self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big") + bytes((self.v,))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Signature":
        """The signature in 65 bytes r, s, v; raises ``InvalidSignature``."""
        if len(data) != SIGNATURE_BYTES:
            raise InvalidSignature("invalid signature length", found=len(data))
        signature = cls(
            data[64], int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big")
        )
        signature.check()
        return signature

    def check(self) -> None:
        """Raises ``InvalidSignature`` (``HighS``) unless the numbers can be a signature."""
        if self.v not in (0, 1):
            raise InvalidSignature(v=self.v)
        if not 0 < self.r < CURVE_ORDER or not 0 < self.s < CURVE_ORDER:
            raise InvalidSignature(r=self.r, s=self.s)
        if self.s > HALF_CURVE_ORDER:
            raise HighS(s=self.s, s_max=HALF_CURVE_ORDER)


class PrivateKey:
    """A signing key. Making one derives the public key (slow); keep the object to sign often.

    ``repr`` never shows the secret, and there is no way to print it by accident.
    """

    __slots__ = ("_key", "public_key", "public_key_hash")

    def __init__(self, secret: bytes) -> None:
        """Raises ``InvalidSignature`` unless ``secret`` is 32 bytes worth 1 to n - 1."""
        if len(secret) != SECRET_BYTES or not 0 < int.from_bytes(secret, "big") < CURVE_ORDER:
            raise InvalidSignature("invalid private key")
        self._key = coincurve.PrivateKey(secret)
        self.public_key: bytes = self._key.public_key.format(compressed=False)[1:]
        self.public_key_hash: bytes = public_key_hash(self.public_key)

    def sign(self, digest: bytes) -> Signature:
        """The one signature of this key over a 32-byte digest."""
        data = self._key.sign_recoverable(digest, hasher=None)
        return Signature(
            data[64], int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big")
        )

    def __repr__(self) -> str:
        return f"PrivateKey(public_key_hash=0x{self.public_key_hash.hex()})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a private key is not pickled or copied")


def recover(digest: bytes, signature: Signature) -> bytes:
    """The 64-byte public key that made ``signature`` over a 32-byte ``digest``.

    Raises ``InvalidSignature`` if there is none, and ``HighS`` for the malleable twin.
    """
    signature.check()
    try:
        key = coincurve.PublicKey.from_signature_and_message(
            signature.to_bytes(), digest, hasher=None
        )
    except Exception as error:  # coincurve raises bare Exception when no point fits
        raise InvalidSignature(r=signature.r, s=signature.s) from error
    return key.format(compressed=False)[1:]


def public_key_hash(public_key: bytes) -> bytes:
    """The 20 bytes by which the chain knows a 64-byte public key."""
    return sha3_256(public_key)[-PUBLIC_KEY_HASH_BYTES:]

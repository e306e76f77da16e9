"""Sealing to somebody's X25519 key, so that only the holder of its private half can open. Pure.

Each sealing has an ephemeral key of its own (32 fresh random bytes); key and nonce of AES-256-GCM
come from the shared secret by HKDF, so both are unique to it. ``info`` says what sort of thing is
sealed, ``associated`` which one: neither opens as another.
"""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_SIZE = 32
NONCE_SIZE = 12


def seal_to(
    recipient: bytes, plain: bytes, associated: bytes, *, ephemeral: bytes, info: bytes
) -> tuple[bytes, bytes]:
    """The public half of the ephemeral key, and what only ``recipient`` can open."""
    key = X25519PrivateKey.from_private_bytes(ephemeral)
    public = key.public_key().public_bytes_raw()
    shared = key.exchange(X25519PublicKey.from_public_bytes(recipient))
    cipher, nonce = _cipher(shared, public + recipient, info)
    return public, cipher.encrypt(nonce, plain, associated)


def open_with(
    key: X25519PrivateKey, ephemeral: bytes, sealed: bytes, associated: bytes, *, info: bytes
) -> bytes:
    """What ``seal_to`` sealed. Raises ``ValueError`` or ``InvalidTag``."""
    recipient = key.public_key().public_bytes_raw()
    shared = key.exchange(X25519PublicKey.from_public_bytes(ephemeral))
    cipher, nonce = _cipher(shared, ephemeral + recipient, info)
    return cipher.decrypt(nonce, sealed, associated)


def _cipher(shared: bytes, keys: bytes, info: bytes) -> tuple[AESGCM, bytes]:
    material = HKDF(SHA256(), KEY_SIZE + NONCE_SIZE, salt=keys, info=info).derive(shared)
    return AESGCM(material[:KEY_SIZE]), material[KEY_SIZE:]

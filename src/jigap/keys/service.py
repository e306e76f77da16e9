"""Service keys: the keys of the platform itself, opened by the ring instead of a passphrase.

Only the dispatcher and the node open them: the web server records wishes and never signs.
"""

import re
from pathlib import Path

import msgspec

from jigap import entropy
from jigap.chain.signature import PrivateKey
from jigap.keys.files import write_synced
from jigap.keys.keystore import is_secret
from jigap.keys.ring import NONCE_SIZE, KeyRing, SealBroken
from jigap.refusal import Kind, Refusal

#: Every role that has a key, and what it signs.
ROLES: dict[str, str] = {
    "token_owner": "creates and governs tokens, and pays gas refills",
    "treasury": "holds what is not given out yet",
    "ca": "registers citizens with the embedded certificate authority",
    "master_ca": "registers certificate authorities in the genesis block",
    "block_signer": "signs the blocks of our own node",
    "operator": "the operator's own account on the chain",
    "audit": "seals the audit trail; the chain does not know it",
}


class ServiceKeyMissing(Refusal):
    """The platform's key for a role is not there."""

    code = "service_key_missing"
    kind = Kind.UNAVAILABLE
    hint = "Put the folder with the service keys back from your backup."


class ServiceKeyExists(Refusal):
    """There is a key for this role; it is never overwritten."""

    code = "service_key_exists"


class ServiceKeyDamaged(Refusal):
    """The file is there but does not open."""

    code = "service_key_damaged"
    kind = Kind.UNAVAILABLE
    hint = "Put the file back from your backup, together with the master key it was sealed by."


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    role: str
    public_key_hash: str
    secret: bytes


class ServiceKeys:
    """The folder with one sealed file for each role."""

    def __init__(self, ring: KeyRing, folder: Path) -> None:
        self._ring = ring
        self._folder = folder

    def create(self, role: str) -> bytes:
        """Make a fresh key for a role; its public key hash. Raises ``ServiceKeyExists``."""
        secret = entropy.random_bytes(32)
        while not is_secret(secret):
            secret = entropy.random_bytes(32)
        return self.adopt(role, secret)

    def adopt(self, role: str, secret: bytes) -> bytes:
        """Keep a key that exists already (32 bytes) for a role. Raises ``ServiceKeyExists``."""
        public_key_hash = PrivateKey(secret).public_key_hash
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = self._seal(role, public_key_hash, secret)
        try:
            write_synced(_path(self._folder, role), content, replace=False)
        except FileExistsError:
            raise ServiceKeyExists(f"There is a {role} key already.", role=role) from None
        return public_key_hash

    def roles(self) -> list[str]:
        """The roles that have a key."""
        return [role for role in ROLES if _path(self._folder, role).exists()]

    def public_key_hash(self, role: str) -> bytes:
        """What others know the key by; read without opening it."""
        return public_key_hash(self._folder, role)

    def signer(self, role: str) -> PrivateKey:
        """The key itself. Raises ``ServiceKeyMissing``, ``ServiceKeyDamaged``."""
        stored = _read(self._folder, role)
        try:
            secret = self._ring.open(stored.secret, _bound(role, stored.public_key_hash))
        except SealBroken:
            raise _damaged(role) from None
        key = PrivateKey(secret)
        if key.public_key_hash.hex() != stored.public_key_hash:
            raise _damaged(role)
        return key

    def rewrap(self, role: str) -> bool:
        """Seal a role's key by the ring's current master key; whether that was needed."""
        stored = _read(self._folder, role)
        if self._ring.sealed_with(stored.secret) == self._ring.current:
            return False
        try:
            secret = self._ring.open(stored.secret, _bound(role, stored.public_key_hash))
        except SealBroken:
            raise _damaged(role) from None
        content = self._seal(role, bytes.fromhex(stored.public_key_hash), secret)
        write_synced(_path(self._folder, role), content)
        return True

    def _seal(self, role: str, public_key_hash: bytes, secret: bytes) -> bytes:
        nonce = entropy.random_bytes(NONCE_SIZE)
        sealed = self._ring.seal(secret, _bound(role, public_key_hash.hex()), nonce=nonce)
        stored = _Stored(1, role, public_key_hash.hex(), sealed)
        return msgspec.json.encode(stored) + b"\n"


def public_key_hash(folder: Path, role: str) -> bytes:
    """What others know a role's key by; no master key is needed to tell.

    Raises ``ServiceKeyMissing``, ``ServiceKeyDamaged``.
    """
    return bytes.fromhex(_read(folder, role).public_key_hash)


def _read(folder: Path, role: str) -> _Stored:
    try:
        stored = msgspec.json.decode(_path(folder, role).read_bytes(), type=_Stored)
    except FileNotFoundError:
        raise ServiceKeyMissing(f"There is no {role} key.", role=role) from None
    except (OSError, ValueError):
        raise _damaged(role) from None
    if stored.format != 1 or not re.fullmatch("[0-9a-f]{40}", stored.public_key_hash):
        raise _damaged(role)
    return stored


def _path(folder: Path, role: str) -> Path:
    assert role in ROLES, f"service key role {role!r} is not listed in ROLES"
    return folder / f"{role}.key"


def _bound(role: str, public_key_hash: str) -> bytes:
    return f"jigap service key 1 {role} {public_key_hash}".encode()


def _damaged(role: str) -> ServiceKeyDamaged:
    return ServiceKeyDamaged(f"The {role} key does not open.", role=role)

"""The key ring: versioned master keys, and an index key that never rotates.

Everything the platform keeps sealed (wallet keys, service keys, personal data) is sealed by the
newest master key and carries that key's version, so that what older keys sealed stays readable
until it is sealed again. Blind indexes and tags must never change, so they are derived from the
index key, which no rotation touches.

By default the ring is a JSON file that only its owner may read. Any other place for it (a hardware
module's export, a secret store) only has to give the same three things to ``KeyRing``.
"""

import fcntl
import os
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jigap import entropy
from jigap.keys.files import write_synced
from jigap.refusal import Kind, Refusal

NONCE_SIZE = 12
KEY_SIZE = 32
_VERSION_SIZE = 4


class MasterKeyMissing(Refusal):
    """The master key that this needs is not there."""

    code = "master_key_missing"
    kind = Kind.UNAVAILABLE
    hint = "Put the master key file back from where you keep its copy; nothing else opens the keys."


class MasterKeyMalformed(Refusal):
    """The file is there but is not a master key file."""

    code = "master_key_malformed"
    kind = Kind.UNAVAILABLE
    hint = "Put the master key file back from where you keep its copy."


class MasterKeyExposed(Refusal):
    """Other users of the machine may read the master key file."""

    code = "master_key_exposed"
    kind = Kind.UNAVAILABLE
    hint = "Take the rights of others away: chmod 600 on the file."


class MasterKeyExists(Refusal):
    """There is a master key file already; it is never overwritten."""

    code = "master_key_exists"


class SealBroken(Refusal):
    """Sealed bytes were changed, cut, or belong to something else."""

    code = "seal_broken"
    kind = Kind.UNAVAILABLE
    hint = "Something stored was changed from outside; restore it from a backup."


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    """The file: keys in hex, versions as decimal strings."""

    format: int
    current: int
    master_keys: dict[str, str]
    index_key: str


class KeyRing:
    """Master keys in memory. ``repr`` says versions only."""

    def __init__(
        self,
        master_keys: Mapping[int, bytes],
        current: int,
        index_key: bytes,
        *,
        path: Path | None = None,
    ) -> None:
        assert current in master_keys, "the current master key must be in the ring"
        assert all(len(one) == KEY_SIZE for one in (*master_keys.values(), index_key))
        self._master_keys = dict(master_keys)
        self._current = current
        self._index_key = index_key
        self._path = path
        self._lock = threading.Lock()

    @classmethod
    def create(cls, path: Path) -> "KeyRing":
        """Make a ring of one fresh master key and its file. Raises ``MasterKeyExists``."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        ring = cls({1: _fresh_key()}, 1, _fresh_key(), path=path)
        try:
            write_synced(path, ring._encode(), replace=False)
        except FileExistsError:
            raise MasterKeyExists(f"{path} exists already.", file=str(path)) from None
        return ring

    @classmethod
    def load(cls, path: Path) -> "KeyRing":
        """Read a ring from its file.

        Raises ``MasterKeyMissing``, ``MasterKeyMalformed`` or ``MasterKeyExposed``.
        """
        master_keys, current, index_key = _read(path)
        return cls(master_keys, current, index_key, path=path)

    @property
    def current(self) -> int:
        """The version of the master key that seals."""
        return self._current

    @property
    def versions(self) -> tuple[int, ...]:
        """Every version in the ring, oldest first."""
        return tuple(sorted(self._master_keys))

    def seal(self, plain: bytes, associated: bytes, *, nonce: bytes) -> bytes:
        """Seal bytes with the current master key (AES-256-GCM).

        ``nonce`` is 12 fresh random bytes. ``associated`` says what the bytes are and whose; the
        same must be given to ``open``. The result is version (4), nonce (12), ciphertext, tag (16).
        """
        assert len(nonce) == NONCE_SIZE
        current = self._current  # read once: another thread may learn of a rotation meanwhile
        version = current.to_bytes(_VERSION_SIZE, "big")
        cipher = AESGCM(self._master_keys[current])
        return version + nonce + cipher.encrypt(nonce, plain, version + associated)

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        """What ``seal`` sealed, under any version. Raises ``SealBroken``, ``MasterKeyMissing``."""
        version, rest = sealed[:_VERSION_SIZE], sealed[_VERSION_SIZE:]
        if len(rest) < NONCE_SIZE + 16:
            raise SealBroken("The sealed bytes are cut short.")
        cipher = AESGCM(self._master_key(int.from_bytes(version, "big")))
        try:
            return cipher.decrypt(rest[:NONCE_SIZE], rest[NONCE_SIZE:], version + associated)
        except InvalidTag:
            raise SealBroken("The sealed bytes were changed or belong to something else.") from None

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose, the same for ever: blind indexes, tags, tokens."""
        hkdf = HKDF(SHA256(), KEY_SIZE, salt=None, info=b"jigap index key: " + purpose.encode())
        return hkdf.derive(self._index_key)

    def add_version(self) -> int:
        """Put a fresh master key on top and save the ring; its version.

        Running processes learn of it when they meet something that it sealed.
        """
        with self._lock, _alone(self._path):
            self._take_over()
            version = max(self._master_keys) + 1
            added = KeyRing(self._master_keys | {version: _fresh_key()}, version, self._index_key)
            if self._path is not None:
                write_synced(self._path, added._encode(), replace=True)
            self._master_keys, self._current = added._master_keys, version
        return version

    def sealed_with(self, sealed: bytes) -> int:
        """The version of the master key that sealed these bytes."""
        return sealed_with(sealed)

    def _master_key(self, version: int) -> bytes:
        if version not in self._master_keys:
            self._reload()
        try:
            return self._master_keys[version]
        except KeyError:
            raise MasterKeyMissing(
                f"Master key {version} is not in the ring.", version=version
            ) from None

    def _reload(self) -> None:
        with self._lock:
            self._take_over()

    def _take_over(self) -> None:
        """Another process may have rotated since we read the file; keys are only ever added."""
        if self._path is None:
            return
        master_keys, current, index_key = _read(self._path)
        if index_key == self._index_key:
            self._master_keys = self._master_keys | master_keys
            self._current = max(current, self._current)

    def _encode(self) -> bytes:
        stored = _Stored(
            format=1,
            current=self._current,
            master_keys={str(v): self._master_keys[v].hex() for v in self.versions},
            index_key=self._index_key.hex(),
        )
        return msgspec.json.format(msgspec.json.encode(stored), indent=1) + b"\n"

    def __repr__(self) -> str:
        return f"KeyRing(current={self._current}, versions={self.versions})"


@contextmanager
def _alone(path: Path | None) -> Iterator[None]:
    """Two rotations at once must not overwrite each other's fresh key."""
    if path is None:
        yield
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def sealed_with(sealed: bytes) -> int:
    """The version of the master key that sealed these bytes; no key is needed to tell."""
    return int.from_bytes(sealed[:_VERSION_SIZE], "big")


def _read(path: Path) -> tuple[dict[int, bytes], int, bytes]:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except OSError as error:
        raise MasterKeyMissing(
            f"The master key file {path} cannot be read: {error.strerror}.", file=str(path)
        ) from None
    if mode & 0o077:
        raise MasterKeyExposed(
            f"The master key file {path} may be read by others (mode {mode:o}).", file=str(path)
        )
    try:
        return _decode(text)
    except ValueError:
        raise MasterKeyMalformed(f"{path} is not a master key file.", file=str(path)) from None


def _decode(text: bytes) -> tuple[dict[int, bytes], int, bytes]:
    """Master keys by version, the current version, the index key. Raises ``ValueError``."""
    stored = msgspec.json.decode(text, type=_Stored)
    master_keys = {int(v): bytes.fromhex(key) for v, key in stored.master_keys.items()}
    index_key = bytes.fromhex(stored.index_key)
    sizes = {len(key) for key in (*master_keys.values(), index_key)}
    if stored.format != 1 or stored.current not in master_keys or sizes != {KEY_SIZE}:
        raise ValueError
    return master_keys, stored.current, index_key


def _fresh_key() -> bytes:
    return entropy.random_bytes(KEY_SIZE)

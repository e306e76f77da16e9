"""The envelope around a keystore. Pure: randomness is an argument.

A keystore alone is as strong as its passphrase. In the envelope it is sealed under a data key of
its own (AES-256-GCM), and the data key under the master key of the ring: who steals the database
cannot even start to guess. Everything sealed is bound to the wallet's id, the hash of its public
key and the version, so that an envelope put in another wallet's place, or an older one put back,
does not open.

The envelope may have a *recovery slot*: the private key itself, sealed to the operator's offline
X25519 key. Nothing the platform holds opens it.

It is JSON, so that a person with two files before them can see which wallet and version each is of:
the label outside is the same as the one bound inside.
"""

from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jigap.keys.ring import NONCE_SIZE, KeyRing, SealBroken, sealed_with
from jigap.keys.sealing import open_with, seal_to
from jigap.refusal import Kind, Refusal

_KEY_SIZE = 32
#: Data key, its nonce, the nonce of its wrapping, the ephemeral key of the recovery slot.
RANDOMNESS_SIZE = _KEY_SIZE + 2 * NONCE_SIZE + _KEY_SIZE
_SLOT_INFO = b"jigap recovery slot 1"
SIZE_MAX = 64 * 1024


class EnvelopeDamaged(Refusal):
    """A stored key cannot be opened although the master key is there: one copy is damaged."""

    code = "envelope_damaged"
    kind = Kind.UNAVAILABLE
    hint = "`jigap keys verify` says which copies are damaged; `jigap keys restore` repairs them."


class RecoveryKeyInvalid(Refusal):
    """The recovery key is not 32 bytes of X25519, or not the one that a slot is sealed to."""

    code = "recovery_key_invalid"
    kind = Kind.INVALID
    hint = "`jigap keys recovery-key FILE` makes a pair and says which half goes where."


@dataclass(frozen=True, slots=True)
class Label:
    """Whose key an envelope holds, and the how-manieth time it was put away (from 1)."""

    wallet_id: str
    public_key_hash: bytes
    version: int

    def bound(self, part: str) -> bytes:
        """What a sealed part of this envelope is bound to."""
        words = (part.encode(), self.wallet_id.encode(), self.public_key_hash)
        lengths = b"".join(len(word).to_bytes(2, "big") + word for word in words)
        return b"jigap envelope 1" + lengths + self.version.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class Slot:
    """A private key sealed to the recovery key ``recipient``."""

    recipient: bytes
    ephemeral: bytes
    sealed: bytes


class _Recovery(msgspec.Struct, forbid_unknown_fields=True):
    recipient: str  # hex of the operator's public key
    ephemeral: str  # hex
    sealed: bytes


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON; ``bytes`` are base64."""

    format: int
    wallet_id: str
    public_key_hash: str
    version: int
    data_key: bytes
    keystore: bytes
    recovery: _Recovery | None = None


def seal(
    label: Label,
    keystore: bytes,
    ring: KeyRing,
    *,
    randomness: bytes,
    secret: bytes | None = None,
    recovery: bytes | None = None,
) -> bytes:
    """Put a keystore (JSON bytes) into an envelope.

    ``randomness`` is ``RANDOMNESS_SIZE`` fresh bytes. With ``recovery``, the operator's X25519
    public key, ``secret`` goes into the recovery slot too.
    """
    assert len(randomness) == RANDOMNESS_SIZE
    data_key, rest = randomness[:_KEY_SIZE], randomness[_KEY_SIZE:]
    nonce, wrap_nonce, ephemeral = rest[:12], rest[12:24], rest[24:]
    slot = None
    if recovery is not None:
        assert secret is not None
        slot = _seal_to(label, secret, recovery, ephemeral)
    envelope = _Envelope(
        format=1,
        wallet_id=label.wallet_id,
        public_key_hash=label.public_key_hash.hex(),
        version=label.version,
        data_key=ring.seal(data_key, label.bound("data key"), nonce=wrap_nonce),
        keystore=nonce + AESGCM(data_key).encrypt(nonce, keystore, label.bound("keystore")),
        recovery=slot,
    )
    return msgspec.json.encode(envelope)


def open_(envelope: bytes, label: Label, ring: KeyRing) -> bytes:
    """The keystore's JSON bytes. Raises ``EnvelopeDamaged`` or ``MasterKeyMissing``."""
    found = _decode(envelope)
    try:
        data_key = ring.open(found.data_key, label.bound("data key"))
        nonce, sealed = found.keystore[:NONCE_SIZE], found.keystore[NONCE_SIZE:]
        return AESGCM(data_key).decrypt(nonce, sealed, label.bound("keystore"))
    except (SealBroken, InvalidTag, ValueError):
        raise _damaged("It was changed, or belongs to another wallet or version.", label) from None


def read_label(envelope: bytes) -> Label:
    """What the envelope says it is; only opening it proves that. Raises ``EnvelopeDamaged``."""
    return _label(_decode(envelope))


def master_key_version(envelope: bytes) -> int:
    """Which master key wraps the data key. Raises ``EnvelopeDamaged``."""
    return sealed_with(_decode(envelope).data_key)


def recovery_recipient(envelope: bytes) -> bytes | None:
    """The recovery public key that the slot is sealed to; None without a slot."""
    slot = _decode(envelope).recovery
    return None if slot is None else bytes.fromhex(slot.recipient)


def rewrap(envelope: bytes, ring: KeyRing, *, nonce: bytes) -> bytes:
    """The same envelope with its data key under the ring's current master key.

    Needs no passphrase and leaves keystore and slot as they are. Raises as ``open_`` does.
    """
    found = _decode(envelope)
    bound = _label(found).bound("data key")
    try:
        data_key = ring.open(found.data_key, bound)
    except SealBroken:
        raise _damaged("The data key does not open.", _label(found)) from None
    found.data_key = ring.seal(data_key, bound, nonce=nonce)
    return msgspec.json.encode(found)


def open_recovery(envelope: bytes, private_key: bytes) -> bytes | None:
    """The private key out of the recovery slot, with the operator's offline X25519 private key.

    None when the envelope has no slot. Raises ``RecoveryKeyInvalid`` when the slot is sealed to
    another key, ``EnvelopeDamaged`` when it was changed.
    """
    found = _decode(envelope)
    if found.recovery is None:
        return None
    slot = recovery_slot(envelope)
    assert slot is not None
    return open_slot(_label(found), slot, recovery_private_key(private_key))


def recovery_slot(envelope: bytes) -> Slot | None:
    """The recovery slot as it is, still sealed; None without one. Raises ``EnvelopeDamaged``."""
    found = _decode(envelope)
    if found.recovery is None:
        return None
    try:
        recipient = bytes.fromhex(found.recovery.recipient)
        ephemeral = bytes.fromhex(found.recovery.ephemeral)
    except ValueError:
        raise _damaged("The recovery slot was changed.", _label(found)) from None
    return Slot(recipient, ephemeral, found.recovery.sealed)


def open_slot(label: Label, slot: Slot, key: X25519PrivateKey) -> bytes:
    """The private key out of a slot. Raises ``RecoveryKeyInvalid`` or ``EnvelopeDamaged``."""
    if key.public_key().public_bytes_raw() != slot.recipient:
        raise RecoveryKeyInvalid(
            "The recovery slot is sealed to another key.", recipient=slot.recipient.hex()
        )
    try:
        bound = label.bound("recovery")
        return open_with(key, slot.ephemeral, slot.sealed, bound, info=_SLOT_INFO)
    except (InvalidTag, ValueError):
        raise _damaged("The recovery slot was changed.", label) from None


def new_recovery_key(randomness: bytes) -> tuple[bytes, bytes]:
    """A recovery key made of 32 random bytes: private and public half, 32 bytes each."""
    key = recovery_private_key(randomness)
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def recovery_public_key(raw: bytes) -> bytes:
    """Check an X25519 public key. Raises ``RecoveryKeyInvalid``."""
    try:
        key = X25519PublicKey.from_public_bytes(raw)
        X25519PrivateKey.from_private_bytes(b"\x01" * _KEY_SIZE).exchange(key)
    except ValueError:  # another size, or one of the few points that give no secret
        raise RecoveryKeyInvalid("A recovery public key is 32 bytes of X25519.") from None
    return raw


def recovery_private_key(raw: bytes) -> X25519PrivateKey:
    """Check an X25519 private key. Raises ``RecoveryKeyInvalid``."""
    try:
        return X25519PrivateKey.from_private_bytes(raw)
    except ValueError:
        raise RecoveryKeyInvalid("A recovery private key is 32 bytes of X25519.") from None


def _seal_to(label: Label, secret: bytes, recipient: bytes, ephemeral: bytes) -> _Recovery:
    bound = label.bound("recovery")
    public, sealed = seal_to(recipient, secret, bound, ephemeral=ephemeral, info=_SLOT_INFO)
    return _Recovery(recipient=recipient.hex(), ephemeral=public.hex(), sealed=sealed)


def _decode(envelope: bytes) -> _Envelope:
    try:
        if len(envelope) > SIZE_MAX:
            raise ValueError
        found = msgspec.json.decode(envelope, type=_Envelope)
        if found.format != 1 or found.version < 1 or len(_label(found).public_key_hash) != 20:
            raise ValueError
    except ValueError:
        raise EnvelopeDamaged("This is not an envelope.") from None
    return found


def _label(envelope: _Envelope) -> Label:
    return Label(envelope.wallet_id, bytes.fromhex(envelope.public_key_hash), envelope.version)


def _damaged(why: str, label: Label) -> EnvelopeDamaged:
    return EnvelopeDamaged(
        f"The stored key of wallet {label.wallet_id} does not open. {why}",
        wallet_id=label.wallet_id,
        version=label.version,
    )

"""How a wallet's key comes back from the offline recovery key, without that key ever coming here.

    request   what the platform writes: the recovery slot, whose it is, and the platform's own
              X25519 *transport key*
    answer    what the holder of the recovery key makes of it, offline: the private key, sealed to
              the transport key and bound to that one request
    accept    the platform looks whether it is this wallet's key, and keeps it under the key ring
    reveal    only the vault does this, for the length of one change of passphrase

Pure but for the ring: randomness is an argument. Both files are JSON, so that two people can
compare by eye what they carry; what matters in them is bound inside the seals.
"""

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from jigap.chain.signature import PrivateKey
from jigap.keys import envelope
from jigap.keys.envelope import Label, RecoveryKeyInvalid, Slot, recovery_private_key
from jigap.keys.keystore import Opened, is_secret
from jigap.keys.ring import KeyRing, SealBroken
from jigap.keys.sealing import open_with, seal_to
from jigap.refusal import Kind, Refusal

_INFO = b"jigap recovery answer 1"
SIZE_MAX = 16 * 1024


class RecoverySlotMissing(Refusal):
    """This wallet's key was put away without a recovery slot."""

    code = "recovery_slot_missing"
    hint = "Only the passphrase opens this wallet. A slot is made with the next passphrase change."


class RecoveryRequestMalformed(Refusal):
    """The file is not a recovery request, or was changed."""

    code = "recovery_request_malformed"
    kind = Kind.INVALID
    hint = "Download it again: POST /api/v1/operator/recoveries/{id}/request."


class RecoveryAnswerInvalid(Refusal):
    """The answer does not belong to this request, or does not hold this wallet's key."""

    code = "recovery_answer_invalid"
    kind = Kind.INVALID
    hint = "Run `jigap keys recover` on the newest request file of this recovery."


class Request(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What goes to the holder of the recovery key; ``bytes`` are base64, the rest hex."""

    format: int
    request_id: str
    wallet_id: str
    public_key_hash: str
    version: int
    recipient: str
    ephemeral: str
    sealed: bytes
    transport_key: str


class Answer(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What comes back."""

    format: int
    request_id: str
    wallet_id: str
    ephemeral: str
    sealed: bytes


def request(request_id: str, envelope_: bytes, ring: KeyRing) -> Request:
    """What to ask the holder of the recovery key. Raises ``RecoverySlotMissing``."""
    label, slot = envelope.read_label(envelope_), envelope.recovery_slot(envelope_)
    if slot is None:
        raise RecoverySlotMissing("This wallet's key has no recovery slot.")
    return Request(
        format=1,
        request_id=request_id,
        wallet_id=label.wallet_id,
        public_key_hash=label.public_key_hash.hex(),
        version=label.version,
        recipient=slot.recipient.hex(),
        ephemeral=slot.ephemeral.hex(),
        sealed=slot.sealed,
        transport_key=_transport_key(ring).public_key().public_bytes_raw().hex(),
    )


def read_request(content: bytes) -> Request:
    """A request from its file. Raises ``RecoveryRequestMalformed``."""
    try:
        found = msgspec.json.decode(content[: SIZE_MAX + 1], type=Request)
        if len(content) > SIZE_MAX or found.format != 1:
            raise ValueError
        envelope.recovery_public_key(bytes.fromhex(found.transport_key))
        _label(found)
        _slot(found)
    except (ValueError, RecoveryKeyInvalid):
        raise RecoveryRequestMalformed("This is not a recovery request.") from None
    return found


def answer(asked: Request, private_key: bytes, *, ephemeral: bytes) -> Answer:
    """The offline half: open the slot, seal the key to the platform's transport key.

    ``private_key`` is the recovery key, ``ephemeral`` 32 fresh random bytes. Raises
    ``RecoveryKeyInvalid``, ``EnvelopeDamaged`` or ``RecoveryRequestMalformed``.
    """
    label = _label(asked)
    secret = envelope.open_slot(label, _slot(asked), recovery_private_key(private_key))
    if not _is_key_of(label, secret):
        raise RecoveryRequestMalformed("The slot does not hold this wallet's key.")
    public, sealed = seal_to(
        bytes.fromhex(asked.transport_key),
        secret,
        _bound(asked.request_id, label),
        ephemeral=ephemeral,
        info=_INFO,
    )
    return Answer(1, asked.request_id, asked.wallet_id, public.hex(), sealed)


def accept(found: Answer, request_id: str, label: Label, ring: KeyRing, *, nonce: bytes) -> bytes:
    """The wallet's key out of an answer, sealed under the ring. Raises ``RecoveryAnswerInvalid``.

    ``nonce`` is 12 fresh random bytes.
    """
    bound = _bound(request_id, label)
    try:
        ephemeral = bytes.fromhex(found.ephemeral)
        secret = open_with(_transport_key(ring), ephemeral, found.sealed, bound, info=_INFO)
    except (InvalidTag, ValueError):
        raise RecoveryAnswerInvalid("This does not answer this request.") from None
    if found.format != 1 or not _is_key_of(label, secret):
        raise RecoveryAnswerInvalid("The answer does not hold this wallet's key.")
    return ring.seal(secret, bound, nonce=nonce)


def reveal(sealed: bytes, request_id: str, label: Label, ring: KeyRing) -> Opened:
    """The key that ``accept`` sealed; for the vault. Raises ``RecoveryAnswerInvalid``."""
    try:
        secret = ring.open(sealed, _bound(request_id, label))
    except SealBroken:
        raise RecoveryAnswerInvalid("The stored key changed after the answer.") from None
    return Opened(secret, PrivateKey(secret), "sha3256")


def rewrapped(sealed: bytes, request_id: str, label: Label, ring: KeyRing, nonce: bytes) -> bytes:
    """The same under the ring's newest master key. Raises ``SealBroken``."""
    bound = _bound(request_id, label)
    return ring.seal(ring.open(sealed, bound), bound, nonce=nonce)


def _transport_key(ring: KeyRing) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(ring.derive("recovery-transport"))


def _is_key_of(label: Label, secret: bytes) -> bool:
    return is_secret(secret) and PrivateKey(secret).public_key_hash == label.public_key_hash


def _bound(request_id: str, label: Label) -> bytes:
    return label.bound(f"recovery {request_id}")


def _label(asked: Request) -> Label:
    return Label(asked.wallet_id, bytes.fromhex(asked.public_key_hash), asked.version)


def _slot(asked: Request) -> Slot:
    return Slot(bytes.fromhex(asked.recipient), bytes.fromhex(asked.ephemeral), asked.sealed)

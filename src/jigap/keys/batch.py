"""Many keys under one passphrase, derived once: for test data, and for nothing else.

A wallet of a person has a salt of its own, so that each guess at a passphrase costs one derivation
for each wallet. The keys of a batch share salt and derived key: one guess tries them all. Each is a
valid keystore all the same, has its own secret, initialization vector and envelope, and opens with
the passphrase as any other does. A change of passphrase gives it a salt of its own.
"""

import msgspec

from jigap import entropy
from jigap.chain.signature import PrivateKey
from jigap.keys import envelope, keystore
from jigap.keys.copies import NewKey
from jigap.keys.envelope import Label
from jigap.keys.passphrase import chosen
from jigap.keys.ring import KeyRing
from jigap.keys.vault import recovery_key
from jigap.settings import Settings


class KeyBatch:
    """Makes keys that one passphrase opens. Raises ``PassphraseWeak`` or ``RecoveryKeyInvalid``."""

    def __init__(self, ring: KeyRing, settings: Settings, passphrase: str) -> None:
        self._ring = ring
        self._n = settings.scrypt_n
        self._recovery = recovery_key(settings)
        self._salt = entropy.random_bytes(32)
        self._derived = keystore.derive(chosen(passphrase), salt=self._salt, n=self._n)

    def make(self, wallet_id: str) -> NewKey:
        """A new key in its first version; neither of its copies is written yet."""
        secret = entropy.random_bytes(32)
        while not keystore.is_secret(secret):
            secret = entropy.random_bytes(32)
        label = Label(wallet_id, PrivateKey(secret).public_key_hash, 1)
        document = keystore.encrypt_derived(
            secret,
            self._derived,
            salt=self._salt,
            iv=entropy.random_bytes(16),
            uuid=keystore.uuid_of(entropy.random_bytes(16)),
            n=self._n,
            address="0x" + label.public_key_hash.hex(),
        )
        sealed = envelope.seal(
            label,
            msgspec.json.encode(document),
            self._ring,
            randomness=entropy.random_bytes(envelope.RANDOMNESS_SIZE),
            secret=secret,
            recovery=self._recovery,
        )
        return NewKey(wallet_id, label.public_key_hash, label.version, sealed)

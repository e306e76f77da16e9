"""Keys that the server holds: how they are encrypted, kept twice, opened and repaired.

``Vault`` opens wallet keys with their owners' passphrases, ``ServiceKeys`` the platform's own with
the key ring. ``keystore`` is the file format, ``envelope`` what is around it at rest.
"""

from jigap.keys.attempts import PassphraseBusy, PassphraseWait
from jigap.keys.batch import KeyBatch
from jigap.keys.copies import (
    KeystoreChanged,
    KeystoreMissing,
    NewKey,
    StoredKey,
    insert_copies,
    insert_copy,
    keystores,
    stored,
)
from jigap.keys.diagnosis import Fault, diagnose
from jigap.keys.envelope import EnvelopeDamaged, RecoveryKeyInvalid
from jigap.keys.files import KeyFiles, write_synced
from jigap.keys.handover import (
    RecoveryAnswerInvalid,
    RecoveryRequestMalformed,
    RecoverySlotMissing,
)
from jigap.keys.kdf import KdfBusy, KdfPool
from jigap.keys.keystore import (
    KeystoreKeyInvalid,
    KeystoreKeyMismatch,
    KeystoreMalformed,
    KeystoreUnsupported,
    PassphraseWrong,
)
from jigap.keys.passphrase import PassphraseWeak
from jigap.keys.repair import Caretaker, Report
from jigap.keys.ring import (
    KeyRing,
    MasterKeyExists,
    MasterKeyExposed,
    MasterKeyMalformed,
    MasterKeyMissing,
    SealBroken,
)
from jigap.keys.service import (
    ROLES,
    ServiceKeyDamaged,
    ServiceKeyExists,
    ServiceKeyMissing,
    ServiceKeys,
    public_key_hash,
)
from jigap.keys.vault import Unlocked, Vault

__all__ = [
    "ROLES",
    "Caretaker",
    "EnvelopeDamaged",
    "Fault",
    "KdfBusy",
    "KdfPool",
    "KeyBatch",
    "KeyFiles",
    "KeyRing",
    "KeystoreChanged",
    "KeystoreKeyInvalid",
    "KeystoreKeyMismatch",
    "KeystoreMalformed",
    "KeystoreMissing",
    "KeystoreUnsupported",
    "MasterKeyExists",
    "MasterKeyExposed",
    "MasterKeyMalformed",
    "MasterKeyMissing",
    "NewKey",
    "PassphraseBusy",
    "PassphraseWait",
    "PassphraseWeak",
    "PassphraseWrong",
    "RecoveryAnswerInvalid",
    "RecoveryKeyInvalid",
    "RecoveryRequestMalformed",
    "RecoverySlotMissing",
    "Report",
    "SealBroken",
    "ServiceKeyDamaged",
    "ServiceKeyExists",
    "ServiceKeyMissing",
    "ServiceKeys",
    "StoredKey",
    "Unlocked",
    "Vault",
    "diagnose",
    "insert_copies",
    "insert_copy",
    "keystores",
    "public_key_hash",
    "stored",
    "write_synced",
]

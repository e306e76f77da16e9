"""Which copy of a wallet's key counts, and what is wrong with the others. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from jigap.keys import envelope, keystore
from jigap.keys.copies import StoredKey
from jigap.keys.envelope import Label
from jigap.keys.ring import KeyRing


class Fault(Enum):
    """What can be wrong with the copies of one wallet's key."""

    ROW_MISSING = "there is a file but no row"
    ROW_DAMAGED = "the row does not open"
    FILE_MISSING = "there is no file of the version that counts"
    FILE_DAMAGED = "the file does not open"
    COPIES_DIFFER = "both copies open, but they are not the same"
    FILE_STRAY = "there is a file of another version than the one that counts"
    SLOT_WRONG = "the recovery slot does not open, or holds another key"
    LOST = "no copy opens"
    BUSY = "somebody was changing this key; look again"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What ``diagnose`` says about one wallet."""

    faults: tuple[tuple[Fault, int | None], ...]
    good: StoredKey | None  # what both copies should be; None when nothing opens
    file_wanted: bool = False  # the file of ``good.version`` has to be written
    row_wanted: bool = False  # the row has to be made or replaced
    stray: tuple[int, ...] = ()


def diagnose(
    wallet_id: str, row: StoredKey | None, files: Mapping[int, bytes], ring: KeyRing
) -> Diagnosis:
    """Which copy of a key counts and what is wrong with the others.

    A row that opens counts. Without one, the file of the version it names, and without that the
    highest version that opens. Raises ``MasterKeyMissing``: that is not damage.
    """
    faults: list[tuple[Fault, int | None]] = []
    good = row if row is not None and _opens(row, ring) else None
    if row is None:
        faults.append((Fault.ROW_MISSING, None))
    elif good is None:
        faults.append((Fault.ROW_DAMAGED, row.version))
    if good is None:
        first = row.version if row is not None else 0
        good = _best_file(wallet_id, files, first, ring)
    if good is None:
        return Diagnosis((*faults, (Fault.LOST, None)), None)
    file_fault = _file_fault(good, files.get(good.version), ring)
    if file_fault is not None:
        faults.append((file_fault, good.version))
    stray = tuple(sorted(version for version in files if version != good.version))
    faults += [(Fault.FILE_STRAY, version) for version in stray]
    return Diagnosis(tuple(faults), good, file_fault is not None, good is not row, stray)


def _best_file(
    wallet_id: str, files: Mapping[int, bytes], first: int, ring: KeyRing
) -> StoredKey | None:
    for version in sorted(files, key=lambda one: (one == first, one), reverse=True):
        try:
            label = envelope.read_label(files[version])
        except envelope.EnvelopeDamaged:
            continue
        key = StoredKey(wallet_id, version, label.public_key_hash, files[version])
        if _opens(key, ring):
            return key
    return None


def _file_fault(good: StoredKey, content: bytes | None, ring: KeyRing) -> Fault | None:
    if content is None:
        return Fault.FILE_MISSING
    if content == good.envelope:
        return None
    file = StoredKey(good.wallet_id, good.version, good.public_key_hash, content)
    return Fault.COPIES_DIFFER if _opens(file, ring) else Fault.FILE_DAMAGED


def _opens(key: StoredKey, ring: KeyRing) -> bool:
    """Whether an envelope opens and holds a keystore of the key it is labelled with."""
    label = Label(key.wallet_id, key.public_key_hash, key.version)
    try:
        document = keystore.read(envelope.open_(key.envelope, label, ring))
        return keystore.parse(document).address == key.public_key_hash.hex()
    except (
        envelope.EnvelopeDamaged, keystore.KeystoreMalformed, keystore.KeystoreUnsupported
    ):  # fmt: skip
        return False

"""Which copy counts: every combination of a row and files, as a table."""

import msgspec
import pytest
from tests.unit.keys.keyring import KEY_HASH, document, ring

from jigap.keys import Fault, KeyRing, MasterKeyMissing, StoredKey, diagnose, envelope
from jigap.keys.envelope import RANDOMNESS_SIZE, Label


def sealed(version, wallet_id="wa_1", key_hash=KEY_HASH, content=None, random=0):
    return envelope.seal(
        Label(wallet_id, key_hash, version),
        msgspec.json.encode(content or document()),
        ring(),
        randomness=bytes([random]) * RANDOMNESS_SIZE,
    )


def row(version, content=None):
    return StoredKey("wa_1", version, KEY_HASH, sealed(version) if content is None else content)


ONE, TWO, BAD = sealed(1), sealed(2), b"damaged"
TABLE = [
    # row, files, what is found, version that counts
    (row(1), {1: ONE}, [], 1),
    (row(1), {}, [Fault.FILE_MISSING], 1),
    (row(1), {1: BAD}, [Fault.FILE_DAMAGED], 1),
    (row(1), {1: TWO}, [Fault.FILE_DAMAGED], 1),
    (row(1), {1: sealed(1, random=1)}, [Fault.COPIES_DIFFER], 1),
    (row(1), {1: ONE, 2: TWO}, [Fault.FILE_STRAY], 1),
    (row(2), {1: ONE, 2: TWO}, [Fault.FILE_STRAY], 2),
    (row(2), {1: ONE}, [Fault.FILE_MISSING, Fault.FILE_STRAY], 2),
    (row(1, BAD), {1: ONE}, [Fault.ROW_DAMAGED], 1),
    (row(1, BAD), {1: ONE, 2: TWO}, [Fault.ROW_DAMAGED, Fault.FILE_STRAY], 1),
    (row(1, BAD), {1: BAD, 2: TWO}, [Fault.ROW_DAMAGED, Fault.FILE_STRAY], 2),
    (row(2, BAD), {1: ONE, 2: TWO}, [Fault.ROW_DAMAGED, Fault.FILE_STRAY], 2),
    (row(1, sealed(1, "wa_2")), {1: ONE}, [Fault.ROW_DAMAGED], 1),
    (row(1, BAD), {1: BAD}, [Fault.ROW_DAMAGED, Fault.LOST], None),
    (row(1, BAD), {}, [Fault.ROW_DAMAGED, Fault.LOST], None),
    (None, {1: ONE}, [Fault.ROW_MISSING], 1),
    (None, {1: ONE, 2: TWO}, [Fault.ROW_MISSING, Fault.FILE_STRAY], 2),
    (None, {1: ONE, 2: BAD}, [Fault.ROW_MISSING, Fault.FILE_STRAY], 1),
    (None, {1: BAD}, [Fault.ROW_MISSING, Fault.LOST], None),
    (None, {1: sealed(1, "wa_2")}, [Fault.ROW_MISSING, Fault.LOST], None),
    (None, {1: TWO}, [Fault.ROW_MISSING, Fault.LOST], None),
]


@pytest.mark.parametrize(("stored", "files", "faults", "version"), TABLE)
def test_which_copy_counts(stored, files, faults, version):
    found = diagnose("wa_1", stored, files, ring())
    assert [fault for fault, _ in found.faults] == faults
    assert (found.good.version if found.good else None) == version
    if found.good is not None:
        assert found.row_wanted is (stored is None or found.good.envelope != stored.envelope)
        assert found.file_wanted is (files.get(version) != found.good.envelope)


@pytest.mark.parametrize(
    "content",
    [{"version": 9}, {"version": 4}, document(address="0x" + "11" * 20), document(address="")],
)
def test_an_envelope_around_something_else_does_not_count(content):
    stored = row(1, sealed(1, content=content))
    found = diagnose("wa_1", stored, {1: ONE}, ring())
    assert [fault for fault, _ in found.faults] == [Fault.ROW_DAMAGED]
    assert found.good.envelope == ONE


def test_a_missing_master_key_is_not_taken_for_damage():
    """A restore run with the wrong ring must stop, not replace good copies."""
    with pytest.raises(MasterKeyMissing):
        diagnose("wa_1", row(1), {1: ONE}, KeyRing({2: bytes(32)}, 2, bytes(32)))

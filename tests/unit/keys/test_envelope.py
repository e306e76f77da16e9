"""The envelope: what it is bound to, what opens it, what does not."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.unit.keys.keyring import KEY_HASH, SECRET, ring

from jigap.keys import EnvelopeDamaged, KeyRing, MasterKeyMissing, RecoveryKeyInvalid, envelope
from jigap.keys.envelope import RANDOMNESS_SIZE, Label

LABEL = Label("wa_1", KEY_HASH, 3)
KEYSTORE = b'{"version":4}'
RANDOM = bytes(range(RANDOMNESS_SIZE))
OFFLINE = X25519PrivateKey.from_private_bytes(b"\x0b" * 32)
PUBLIC = OFFLINE.public_key().public_bytes_raw()
PRIVATE = OFFLINE.private_bytes_raw()


def sealed(label=LABEL, recovery=None, with_ring=None):
    return envelope.seal(
        label, KEYSTORE, with_ring or ring(), randomness=RANDOM, secret=SECRET, recovery=recovery
    )


def test_opens_under_its_own_label():
    assert envelope.open_(sealed(), LABEL, ring()) == KEYSTORE
    assert envelope.read_label(sealed()) == LABEL


@pytest.mark.parametrize(
    "other",
    [
        replace(LABEL, wallet_id="wa_2"),
        replace(LABEL, public_key_hash=bytes(20)),
        replace(LABEL, version=2),
        replace(LABEL, version=4),
    ],
)
def test_does_not_open_in_another_place(other):
    with pytest.raises(EnvelopeDamaged):
        envelope.open_(sealed(), other, ring())


def test_a_changed_label_outside_does_not_help():
    """Moving an envelope to another wallet and editing what it says there is noticed too."""
    moved = json.loads(sealed())
    moved["wallet_id"] = "wa_2"
    other = replace(LABEL, wallet_id="wa_2")
    with pytest.raises(EnvelopeDamaged):
        envelope.open_(json.dumps(moved).encode(), other, ring())


def test_parts_of_two_envelopes_do_not_mix():
    """Somebody's data key with somebody else's keystore: each part is bound by itself."""
    mine, theirs = json.loads(sealed()), json.loads(sealed(replace(LABEL, wallet_id="wa_2")))
    for part in ("data_key", "keystore"):
        mixed = json.dumps(mine | {part: theirs[part]}).encode()
        with pytest.raises(EnvelopeDamaged):
            envelope.open_(mixed, LABEL, ring())


def test_the_parts_of_one_envelope_are_bound_to_their_place():
    assert len({LABEL.bound(part) for part in ("data key", "keystore", "recovery")}) == 3


def test_labels_are_bound_unambiguously():
    """Lengths are bound, so that no other split of the same bytes gives the same binding."""
    assert Label("wa_1", b"2" + bytes(19), 1).bound("") != Label("wa_12", bytes(20), 1).bound("")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b"x" * 70_000])
def test_what_is_not_an_envelope_is_damage(content):
    with pytest.raises(EnvelopeDamaged):
        envelope.open_(content, LABEL, ring())


def test_another_master_key_does_not_open_it():
    with pytest.raises(EnvelopeDamaged):
        envelope.open_(sealed(), LABEL, KeyRing({1: b"\x02" * 32}, 1, b"i" * 32))


def test_a_missing_master_key_is_not_damage():
    """Otherwise a repair would throw away what only waits for its key."""
    with pytest.raises(MasterKeyMissing):
        envelope.open_(sealed(), LABEL, KeyRing({2: b"\x02" * 32}, 2, b"i" * 32))


def test_rewrapping_changes_the_master_key_and_nothing_else():
    two = KeyRing({1: b"\x01" * 32, 2: b"\x02" * 32}, 2, b"i" * 32)
    before = sealed(recovery=PUBLIC)
    after = envelope.rewrap(before, two, nonce=b"n" * 12)
    assert envelope.master_key_version(before) == 1
    assert envelope.master_key_version(after) == 2
    only_new = KeyRing({2: b"\x02" * 32}, 2, b"i" * 32)
    assert envelope.open_(after, LABEL, only_new) == KEYSTORE
    assert envelope.open_recovery(after, PRIVATE) == SECRET
    old, new = json.loads(before), json.loads(after)
    assert {name for name in old if old[name] != new[name]} == {"data_key"}


def test_nothing_inside_can_be_read_without_the_ring():
    content = sealed(recovery=PUBLIC)
    assert KEYSTORE not in content
    assert SECRET not in content and SECRET.hex().encode() not in content


def test_the_recovery_slot_opens_with_the_offline_key_only():
    content = sealed(recovery=PUBLIC)
    assert envelope.recovery_recipient(content) == PUBLIC
    assert envelope.open_recovery(content, PRIVATE) == SECRET
    with pytest.raises(RecoveryKeyInvalid):
        envelope.open_recovery(content, b"\x0c" * 32)


def test_naming_another_recipient_does_not_open_the_slot():
    other = X25519PrivateKey.from_private_bytes(b"\x0c" * 32)
    content = json.loads(sealed(recovery=PUBLIC))
    content["recovery"]["recipient"] = other.public_key().public_bytes_raw().hex()
    with pytest.raises(EnvelopeDamaged):
        envelope.open_recovery(json.dumps(content).encode(), b"\x0c" * 32)


def test_a_slot_moved_to_another_wallet_does_not_open():
    mine = json.loads(sealed(recovery=PUBLIC))
    theirs = json.loads(sealed(replace(LABEL, wallet_id="wa_2")))
    moved = json.dumps(theirs | {"recovery": mine["recovery"]}).encode()
    with pytest.raises(EnvelopeDamaged):
        envelope.open_recovery(moved, PRIVATE)


def test_without_a_recovery_key_there_is_no_slot():
    assert envelope.open_recovery(sealed(), PRIVATE) is None
    assert envelope.recovery_recipient(sealed()) is None


@pytest.mark.parametrize("raw", [b"", b"x" * 31, b"x" * 33])
def test_refuses_a_recovery_key_of_another_size(raw):
    with pytest.raises(RecoveryKeyInvalid):
        envelope.recovery_public_key(raw)
    with pytest.raises(RecoveryKeyInvalid):
        envelope.open_recovery(sealed(recovery=PUBLIC), raw)


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)])
def test_refuses_a_recovery_key_that_gives_no_secret(point):
    with pytest.raises(RecoveryKeyInvalid):
        envelope.recovery_public_key(point)


def test_damage_is_told_without_content():
    with pytest.raises(EnvelopeDamaged) as told:
        envelope.open_(sealed(), replace(LABEL, version=9), ring())
    assert set(told.value.facts) == {"wallet_id", "version"}

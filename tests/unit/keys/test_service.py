"""The platform's own keys."""

import json

import pytest
from tests.unit.keys.keyring import KEY_HASH, SECRET, ring

from jigap.keys import KeyRing, ServiceKeyExists, ServiceKeyMissing, ServiceKeys
from jigap.keys.service import ROLES, ServiceKeyDamaged


@pytest.fixture
def keys(tmp_path):
    return ServiceKeys(ring(), tmp_path / "service")


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_made_key_signs_for_its_role(keys, role):
    public_key_hash = keys.create(role)
    assert keys.signer(role).public_key_hash == public_key_hash == keys.public_key_hash(role)
    assert keys.roles() == [role]


def test_keys_differ_by_role(keys):
    assert len({keys.create(role) for role in ROLES}) == len(ROLES)


def test_an_existing_key_is_kept(keys):
    assert keys.adopt("ca", SECRET) == KEY_HASH
    with pytest.raises(ServiceKeyExists):
        keys.create("ca")
    assert keys.signer("ca").public_key_hash == KEY_HASH


def test_the_file_is_its_owners_alone_and_sealed(keys, tmp_path):
    keys.adopt("ca", SECRET)
    path = tmp_path / "service" / "ca.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert SECRET.hex() not in path.read_text()
    assert SECRET not in path.read_bytes()


def test_a_missing_key_is_told(keys):
    with pytest.raises(ServiceKeyMissing):
        keys.signer("ca")


def test_a_file_in_the_place_of_another_role_does_not_open(keys, tmp_path):
    """Otherwise who can write files could have the treasury sign as the CA."""
    keys.create("treasury")
    folder = tmp_path / "service"
    moved = json.loads((folder / "treasury.key").read_text()) | {"role": "ca"}
    (folder / "ca.key").write_text(json.dumps(moved))
    with pytest.raises(ServiceKeyDamaged):
        keys.signer("ca")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[1]"])
def test_a_damaged_file_is_told(keys, tmp_path, content):
    keys.create("ca")
    (tmp_path / "service" / "ca.key").write_bytes(content)
    with pytest.raises(ServiceKeyDamaged):
        keys.signer("ca")


def test_another_ring_does_not_open_it(keys, tmp_path):
    keys.create("ca")
    stranger = ServiceKeys(KeyRing({1: b"\x02" * 32}, 1, b"i" * 32), tmp_path / "service")
    with pytest.raises(ServiceKeyDamaged):
        stranger.signer("ca")


def test_rewrapping_keeps_the_key(tmp_path):
    made = KeyRing.create(tmp_path / "master.json")
    keys = ServiceKeys(made, tmp_path / "service")
    public_key_hash = keys.create("ca")
    assert not keys.rewrap("ca")
    made.add_version()
    assert keys.rewrap("ca")
    assert not keys.rewrap("ca")
    assert keys.signer("ca").public_key_hash == public_key_hash

"""The key ring: versions, binding, files."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.unit.keys.keyring import ring

from jigap.keys import (
    KeyRing,
    MasterKeyExists,
    MasterKeyExposed,
    MasterKeyMalformed,
    MasterKeyMissing,
    SealBroken,
)

NONCE = b"n" * 12


def test_opens_what_it_sealed_for_the_same_purpose_only():
    sealed = ring().seal(b"secret", b"name of mb_1", nonce=NONCE)
    assert ring().open(sealed, b"name of mb_1") == b"secret"
    with pytest.raises(SealBroken):
        ring().open(sealed, b"name of mb_2")


@pytest.mark.parametrize("place", range(39))
def test_any_changed_byte_is_noticed(place):
    sealed = bytearray(ring().seal(b"secret!", b"", nonce=NONCE))
    sealed[place] ^= 1
    with pytest.raises((SealBroken, MasterKeyMissing)):
        ring().open(bytes(sealed), b"")


@pytest.mark.parametrize("size", [0, 3, 4, 15, 31])
def test_cut_bytes_are_noticed(size):
    sealed = ring().seal(b"", b"", nonce=NONCE)
    with pytest.raises((SealBroken, MasterKeyMissing)):
        ring().open(sealed[:size], b"")


def test_an_older_version_still_opens_and_the_newest_seals(tmp_path):
    made = KeyRing.create(tmp_path / "master.json")
    old = made.seal(b"secret", b"", nonce=NONCE)
    assert made.add_version() == 2
    assert made.open(old, b"") == b"secret"
    assert made.sealed_with(old) == 1
    assert made.sealed_with(made.seal(b"", b"", nonce=NONCE)) == 2
    assert KeyRing.load(tmp_path / "master.json").versions == (1, 2)


def test_a_version_cannot_be_passed_off_as_another():
    """The version is bound too: otherwise bytes could be made to open under a leaked old key."""
    two = KeyRing({1: b"k" * 32, 2: b"k" * 32}, 1, b"i" * 32)
    sealed = two.seal(b"secret", b"", nonce=NONCE)
    with pytest.raises(SealBroken):
        two.open(b"\x00\x00\x00\x02" + sealed[4:], b"")


def test_a_running_process_learns_of_a_rotation(tmp_path):
    web = KeyRing.create(tmp_path / "master.json")
    operator = KeyRing.load(tmp_path / "master.json")
    operator.add_version()
    assert web.open(operator.seal(b"secret", b"", nonce=NONCE), b"") == b"secret"
    assert web.current == 2


def test_rotations_at_once_lose_no_key(tmp_path):
    """What either sealed with its fresh key must open afterwards."""
    path = tmp_path / "master.json"
    KeyRing.create(path)
    rings = [KeyRing.load(path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(KeyRing.add_version, rings))
    assert sorted(versions) == list(range(2, 10))
    after = KeyRing.load(path)
    for one in rings:
        assert after.open(one.seal(b"secret", b"", nonce=NONCE), b"") == b"secret"


def test_derived_keys_survive_rotation_and_differ_by_purpose(tmp_path):
    made = KeyRing.create(tmp_path / "master.json")
    before = made.derive("phone")
    made.add_version()
    assert KeyRing.load(tmp_path / "master.json").derive("phone") == before
    assert made.derive("name") != before
    assert len(before) == 32


def test_the_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "keys" / "master.json"
    KeyRing.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    KeyRing.load(path).add_version()
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["master.json"]


def test_an_exposed_file_is_refused(tmp_path):
    path = tmp_path / "master.json"
    KeyRing.create(path)
    path.chmod(0o640)
    with pytest.raises(MasterKeyExposed):
        KeyRing.load(path)


def test_a_ring_is_never_overwritten(tmp_path):
    path = tmp_path / "master.json"
    KeyRing.create(path)
    before = path.read_bytes()
    with pytest.raises(MasterKeyExists):
        KeyRing.create(path)
    assert path.read_bytes() == before


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(MasterKeyMissing):
        KeyRing.load(tmp_path / "none.json")


def _sound():
    return {"format": 1, "current": 1, "master_keys": {"1": "00" * 32}, "index_key": "00" * 32}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        json.dumps(_sound() | {"format": 2}),
        json.dumps(_sound() | {"current": 2}),
        json.dumps(_sound() | {"master_keys": {"1": "00" * 16}}),
        json.dumps(_sound() | {"master_keys": {"one": "00" * 32}}),
        json.dumps(_sound() | {"index_key": "xx"}),
        json.dumps(_sound() | {"more": 1}),
    ],
)
def test_a_malformed_file_is_told_without_its_content(tmp_path, content):
    path = tmp_path / "master.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(MasterKeyMalformed) as told:
        KeyRing.load(path)
    assert "00" * 16 not in str(told.value) + str(told.value.facts)


def test_keys_are_not_shown():
    assert repr(ring()) == "KeyRing(current=1, versions=(1,))"

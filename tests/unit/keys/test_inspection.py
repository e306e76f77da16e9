"""What is told about a key file."""

import json

import pytest
from tests.unit.keys.keyring import KEY_HASH, PASSPHRASE, SECRET, WRONG, document

from jigap.keys import KeystoreMalformed, inspection


def test_a_file_is_described_without_a_passphrase():
    shown = inspection.inspect(document(name="wallet", symId={}))
    assert shown["version"] == 4
    assert shown["kdf"] == "scrypt"
    assert shown["kdfparams"] == {"n": 16, "r": 8, "p": 1, "dklen": 32}
    assert (shown["address"], shown["address_form"]) == ("0x" + KEY_HASH.hex(), "public_key_hash")
    assert shown["machash"] == "sha3256"
    assert shown["other_members"] == ["name", "symId"]
    assert "opens" not in shown


def test_the_right_passphrase_tells_the_public_half_only():
    shown = inspection.inspect(document(), PASSPHRASE)
    assert (shown["opens"], shown["mac_hash"]) == (True, "sha3256")
    assert shown["public_key_hash"] == "0x" + KEY_HASH.hex()
    assert SECRET.hex() not in json.dumps(shown)


def test_a_wrong_passphrase_is_an_answer():
    shown = inspection.inspect(document(), WRONG)
    assert (shown["opens"], shown["reason"]) == (False, "passphrase_wrong")
    assert shown["public_key_hash"] is None


def test_a_file_that_lies_about_its_key_is_an_answer():
    shown = inspection.inspect(document(address="0x" + "11" * 20), PASSPHRASE)
    assert (shown["opens"], shown["reason"]) == (False, "keystore_key_mismatch")


def test_a_symid_is_told_from_a_key_hash():
    shown = inspection.inspect(document(address="00021000000000010002", version=3))
    assert (shown["address"], shown["address_form"]) == ("00021000000000010002", "symid")
    shown = inspection.inspect(document(address=None, version=3))
    assert (shown["address"], shown["address_form"]) == (None, "missing")


def test_what_is_no_keystore_is_refused():
    with pytest.raises(KeystoreMalformed):
        inspection.inspect({"version": 4})

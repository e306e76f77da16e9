"""Keys of a batch share a derivation and nothing else."""

import pytest
from tests.unit.keys.keyring import N_TEST, PASSPHRASE, WRONG, ring

from jigap.keys import KeyBatch, PassphraseWeak, envelope, keystore
from jigap.keys.envelope import Label
from jigap.settings import Settings

RING = ring()
GIVEN = Settings(scrypt_n=N_TEST)


def opened_document(key):
    label = Label(key.wallet_id, key.public_key_hash, key.version)
    return keystore.read(envelope.open_(key.envelope, label, RING))


@pytest.fixture
def two():
    batch = KeyBatch(RING, GIVEN, PASSPHRASE)
    return [batch.make("wa_1"), batch.make("wa_2")]


def test_the_passphrase_opens_each_of_them(two):
    for key in two:
        opened = keystore.decrypt(opened_document(key), PASSPHRASE, keccak=False)
        assert opened.public_key_hash == key.public_key_hash


def test_another_passphrase_opens_none(two):
    with pytest.raises(keystore.PassphraseWrong):
        keystore.decrypt(opened_document(two[0]), WRONG, keccak=False)


def test_they_share_the_salt_and_neither_secret_nor_vector(two):
    first, second = (opened_document(key)["crypto"] for key in two)
    assert first["kdfparams"] == second["kdfparams"]
    assert first["cipherparams"]["iv"] != second["cipherparams"]["iv"]
    assert first["ciphertext"] != second["ciphertext"]
    assert two[0].public_key_hash != two[1].public_key_hash


def test_two_batches_have_two_salts():
    salts = {
        opened_document(KeyBatch(RING, GIVEN, PASSPHRASE).make("wa_1"))["crypto"]["kdfparams"][
            "salt"
        ]
        for _ in range(2)
    }
    assert len(salts) == 2


def test_they_cost_what_the_settings_say(two):
    assert opened_document(two[0])["crypto"]["kdfparams"]["n"] == N_TEST


def test_a_weak_passphrase_is_refused():
    with pytest.raises(PassphraseWeak):
        KeyBatch(RING, GIVEN, "short")

"""The key file format: published vectors, both versions, and every "no" told apart."""

import copy
import json
from pathlib import Path

import pytest
from tests.unit.keys.keyring import KEY_HASH, N_TEST, OTHER, PASSPHRASE, SECRET, WRONG, document

from jigap.keys import keystore
from jigap.keys.keystore import (
    KeystoreCipherUnsupported,
    KeystoreKdfUnsupported,
    KeystoreKeyInvalid,
    KeystoreKeyMismatch,
    KeystoreMacUnsupported,
    KeystoreMalformed,
    KeystoreParameterInvalid,
    KeystoreTooCostly,
    KeystoreVersionUnsupported,
    PassphraseWrong,
)

VECTORS = [
    one
    for one in json.loads((Path(__file__).parents[2] / "vectors/symverse.json").read_text())[
        "vectors"
    ]
    if one["category"] == "keystore"
]


@pytest.mark.parametrize("vector", VECTORS, ids=[one["name"] for one in VECTORS])
def test_published_vectors_open(vector):
    opened = keystore.decrypt(vector["inputs"]["keystore"], vector["inputs"]["passphrase"])
    assert "0x" + opened.secret.hex() == vector["expected"]["private_key"]
    assert opened.mac_hash == "sha3256"


def test_there_are_vectors_of_both_versions():
    assert {one["inputs"]["keystore"]["version"] for one in VECTORS} == {3, 4}


@pytest.mark.parametrize("vector", VECTORS, ids=[one["name"] for one in VECTORS])
def test_the_writer_reproduces_published_vectors(vector):
    published = vector["inputs"]["keystore"]
    kdfparams = published["crypto"]["kdfparams"]
    written = keystore.encrypt(
        bytes.fromhex(vector["expected"]["private_key"][2:]),
        vector["inputs"]["passphrase"],
        salt=bytes.fromhex(kdfparams["salt"]),
        iv=bytes.fromhex(published["crypto"]["cipherparams"]["iv"]),
        uuid=published["id"],
        n=kdfparams["n"],
        address=published["address"],
        version=published["version"],
    )
    assert written == published


def test_reads_the_nested_layout_of_the_papers_listing():
    made = document()
    crypto = made["crypto"]
    inner = {key: crypto[key] for key in ("cipher", "kdf", "kdfparams", "mac", "machash")}
    nested = {
        "ciphertext": crypto["ciphertext"],
        "cipherparams": crypto["cipherparams"] | inner,
    }
    found = made | {"crypto": nested}
    assert keystore.parse(found).nested
    assert not keystore.parse(made).nested
    assert keystore.decrypt(found, PASSPHRASE).secret == SECRET


def test_the_papers_own_listing_is_readable_and_refuses_a_guess():
    listing = {
        "version": 4,
        "id": "64cbaeb8-431b-41d4-a5e6-0508fc509b74",
        "address": "0x1bff0b319a73b51159fb4e2d0111d5c93fa1b3d6",
        "crypto": {
            "ciphertext": "1ab011aead5d288465a1f4c89cf6b4a494ba90d908ef015ffa43fa9838ff1483",
            "cipherparams": {
                "iv": "2dd0641c64f19d978854a0ab3e27c0a8",
                "cipher": "aes-128-ctr",
                "kdf": "scrypt",
                "kdfparams": {
                    "dklen": 32,
                    "salt": "cfaeccc4d27f0305f0af2d3d87214a360a06714cdf2320db44c815b9c03b4ce8",
                    "n": 4096,
                    "r": 8,
                    "p": 1,
                },
                "mac": "5ad80b19d7338245fb12129c2c441eee104ab054171edfd07c44cd602cdefdf6",
                "machash": "sha3256",
            },
        },
    }
    found = keystore.parse(listing)
    assert (found.n, found.machash, found.address_form) == (4096, "sha3256", "public_key_hash")
    with pytest.raises(PassphraseWrong):
        keystore.decrypt(listing, PASSPHRASE)


def with_keccak_mac(made):
    """The same file with the mac that Ethereum writes."""
    found = keystore.parse(made)
    derived = keystore.scrypt(PASSPHRASE.encode(), found.salt, n=found.n)
    made["crypto"]["mac"] = keystore._keccak_256(derived[16:] + found.ciphertext).hex()
    return made


def test_a_file_without_machash_may_be_ethereums():
    made = with_keccak_mac(document())
    del made["crypto"]["machash"]
    assert keystore.decrypt(made, PASSPHRASE).mac_hash == "keccak256"


def test_keccak_is_tried_only_where_allowed():
    made = with_keccak_mac(document())
    del made["crypto"]["machash"]
    with pytest.raises(PassphraseWrong):
        keystore.decrypt(made, PASSPHRASE, keccak=False)


def test_a_named_machash_is_believed():
    """A file that says sha3256 is not opened by a Keccak mac."""
    with pytest.raises(PassphraseWrong):
        keystore.decrypt(with_keccak_mac(document()), PASSPHRASE)


def test_opens_a_published_ethereum_file():
    """go-ethereum, accounts/keystore/testdata/very-light-scrypt.json; its passphrase is empty."""
    ethereum = {
        "address": "45dea0fb0bba44f4fcf290bba71fd57d7117cbb8",
        "crypto": {
            "cipher": "aes-128-ctr",
            "ciphertext": "b87781948a1befd247bff51ef4063f716cf6c2d3481163e9a8f42e1f9bb74145",
            "cipherparams": {"iv": "dc4926b48a105133d2f16b96833abf1e"},
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": 32,
                "n": 2,
                "p": 1,
                "r": 8,
                "salt": "004244bbdc51cadda545b1cfa43cff9ed2ae88e08c61f1479dbb45410722f8f0",
            },
            "mac": "39990c1684557447940d4c69e06b1b82b2aceacb43f284df65c956daf3046b85",
        },
        "id": "ce541d8d-c79b-40f8-9f8c-20f59616faba",
        "version": 3,
    }
    opened = keystore.decrypt(ethereum, "")
    assert opened.mac_hash == "keccak256"
    public_key = keystore.PrivateKey(opened.secret).public_key
    assert keystore._keccak_256(public_key)[-20:].hex() == ethereum["address"]


def test_a_new_passphrase_keeps_id_and_unknown_members():
    made = document(name="월급", symId={"accountNum": "0002"}, role=["General"])
    opened = keystore.decrypt(made, PASSPHRASE)
    derived = keystore.derive(OTHER, salt=b"a" * 32, n=N_TEST)
    again = keystore.reencrypt(made, opened, derived, salt=b"a" * 32, iv=b"b" * 16, n=N_TEST)
    assert again["id"] == made["id"]
    assert (again["name"], again["symId"], again["role"]) == (
        made["name"], made["symId"], made["role"]
    )  # fmt: skip
    assert again["crypto"]["kdfparams"]["salt"] != made["crypto"]["kdfparams"]["salt"]
    assert again["crypto"]["cipherparams"]["iv"] != made["crypto"]["cipherparams"]["iv"]
    assert keystore.decrypt(again, OTHER).secret == SECRET
    with pytest.raises(PassphraseWrong):
        keystore.decrypt(again, PASSPHRASE)


def test_version_3_names_the_symid_without_prefix():
    made = keystore.encrypt(
        SECRET, PASSPHRASE, salt=bytes(32), iv=bytes(16), uuid=keystore.uuid_of(bytes(16)),
        n=N_TEST, address="00021000000000010002", version=3,
    )  # fmt: skip
    assert "machash" not in made["crypto"]
    assert keystore.parse(made).address_form == "symid"
    assert keystore.decrypt(made, PASSPHRASE).public_key_hash == KEY_HASH


def test_the_uuid_is_a_random_one():
    assert keystore.uuid_of(b"\xff" * 16) == "ffffffff-ffff-4fff-bfff-ffffffffffff"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '"text"', "null", "12", "\x00", "{" * 5000, "[" * 100_000, b"\xff\xfe{}"],
    ids=repr,
)
def test_refuses_what_is_not_a_json_object(text):
    with pytest.raises(KeystoreMalformed):
        keystore.read(text[:60_000])


def test_refuses_a_long_text_before_reading_it():
    with pytest.raises(KeystoreMalformed, match="too long"):
        keystore.read(" " * (keystore.TEXT_SIZE_MAX + 1))


def changed(path, value):
    made = copy.deepcopy(document())
    *parents, last = path.split(".")
    inner = made
    for name in parents:
        inner = inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return made


HUGE = 10**30
REFUSED = [
    ("version", 1, KeystoreVersionUnsupported),
    ("version", 5, KeystoreVersionUnsupported),
    ("version", "4", KeystoreVersionUnsupported),
    ("version", True, KeystoreVersionUnsupported),
    ("version", 4.0, KeystoreVersionUnsupported),
    ("version", ..., KeystoreVersionUnsupported),
    ("crypto", ..., KeystoreMalformed),
    ("crypto", [], KeystoreMalformed),
    ("crypto.cipherparams", "iv", KeystoreMalformed),
    ("crypto.cipher", "aes-256-gcm", KeystoreCipherUnsupported),
    ("crypto.cipher", ..., KeystoreCipherUnsupported),
    ("crypto.cipher", 7, KeystoreCipherUnsupported),
    ("crypto.kdf", "pbkdf2", KeystoreKdfUnsupported),
    ("crypto.kdf", ..., KeystoreKdfUnsupported),
    ("crypto.machash", "md5", KeystoreMacUnsupported),
    ("crypto.machash", 3, KeystoreMacUnsupported),
    ("crypto.kdfparams", ..., KeystoreMalformed),
    ("crypto.kdfparams.salt", "00" * 31, KeystoreParameterInvalid),
    ("crypto.kdfparams.salt", "zz" * 32, KeystoreParameterInvalid),
    ("crypto.kdfparams.salt", 5, KeystoreParameterInvalid),
    ("crypto.cipherparams.iv", "00" * 15, KeystoreParameterInvalid),
    ("crypto.cipherparams.iv", "00" * 17, KeystoreParameterInvalid),
    ("crypto.ciphertext", "00" * 33, KeystoreParameterInvalid),
    ("crypto.ciphertext", ..., KeystoreParameterInvalid),
    ("crypto.mac", "00" * 20, KeystoreParameterInvalid),
    ("crypto.mac", "", KeystoreParameterInvalid),
    ("crypto.kdfparams.dklen", 64, KeystoreParameterInvalid),
    ("crypto.kdfparams.dklen", "32", KeystoreParameterInvalid),
    ("crypto.kdfparams.n", 0, KeystoreParameterInvalid),
    ("crypto.kdfparams.n", 1, KeystoreParameterInvalid),
    ("crypto.kdfparams.n", -4096, KeystoreParameterInvalid),
    ("crypto.kdfparams.n", 4095, KeystoreParameterInvalid),
    ("crypto.kdfparams.n", 4096.0, KeystoreParameterInvalid),
    ("crypto.kdfparams.n", True, KeystoreParameterInvalid),
    ("crypto.kdfparams", {"dklen": 32, "n": 2**16, "r": 1, "p": 1}, KeystoreParameterInvalid),
    ("crypto.kdfparams.r", 0, KeystoreParameterInvalid),
    ("crypto.kdfparams.p", 0, KeystoreParameterInvalid),
    ("crypto.kdfparams.n", 2**20, KeystoreTooCostly),
    ("crypto.kdfparams.n", 2**200, KeystoreTooCostly),
    ("crypto.kdfparams.r", HUGE, KeystoreTooCostly),
    ("crypto.kdfparams.p", HUGE, KeystoreTooCostly),
    ("address", "0x12", KeystoreParameterInvalid),
    ("address", "hello", KeystoreParameterInvalid),
    ("address", 5, KeystoreParameterInvalid),
]


@pytest.mark.parametrize(("path", "value", "refusal"), REFUSED)
def test_every_fault_of_a_file_has_its_own_refusal(path, value, refusal):
    """... which is raised before any key is derived, and is exactly of this class."""
    with pytest.raises(refusal) as told:
        keystore.decrypt(changed(path, value), PASSPHRASE)
    assert type(told.value) is refusal
    assert len(str(told.value.facts)) < 500


def test_the_cost_ceiling_is_exact():
    """n*r up to 2**22 is read, twice that is not."""
    assert keystore.parse(changed("crypto.kdfparams.n", 2**19)).n == 2**19
    with pytest.raises(KeystoreTooCostly):
        keystore.parse(changed("crypto.kdfparams.n", 2**20))


def test_a_wrong_passphrase_is_told_from_a_damaged_file():
    with pytest.raises(PassphraseWrong):
        keystore.decrypt(document(), WRONG)


def test_text_that_is_no_text_is_a_wrong_passphrase():
    with pytest.raises(PassphraseWrong):
        keystore.decrypt(document(), "\ud800")


@pytest.mark.parametrize("secret", [bytes(32), keystore.CURVE_ORDER.to_bytes(32, "big")])
def test_refuses_a_key_out_of_range(secret):
    made = keystore.encrypt(
        secret, PASSPHRASE, salt=bytes(32), iv=bytes(16), uuid="", n=N_TEST, address=""
    )
    with pytest.raises(KeystoreKeyInvalid):
        keystore.decrypt(made, PASSPHRASE)


def test_refuses_a_key_that_is_not_the_addresss():
    with pytest.raises(KeystoreKeyMismatch) as told:
        keystore.decrypt(document(address="0x" + "11" * 20), PASSPHRASE)
    assert told.value.facts["public_key_hash"] == "0x" + KEY_HASH.hex()


@pytest.mark.parametrize("address", ["0x" + KEY_HASH.hex().upper(), KEY_HASH.hex()])
def test_case_and_prefix_of_the_address_do_not_matter(address):
    assert keystore.decrypt(document(address=address), PASSPHRASE).secret == SECRET


def test_an_opened_key_does_not_show_itself():
    opened = keystore.decrypt(document(), PASSPHRASE)
    assert SECRET.hex() not in repr(opened) + str(opened)
    assert repr(SECRET) not in repr(opened)

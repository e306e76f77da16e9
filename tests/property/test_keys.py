"""Keystores and envelopes over generated inputs."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.keys.keyring import document, ring

from jigap.chain.signature import CURVE_ORDER
from jigap.keys import EnvelopeDamaged, MasterKeyMissing, PassphraseWrong, envelope, keystore
from jigap.keys.envelope import RANDOMNESS_SIZE, Label
from jigap.keys.passphrase import PassphraseWeak, chosen, normalized
from jigap.refusal import Refusal

secrets = st.integers(1, CURVE_ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
passphrases = st.text(max_size=40)
labels = st.builds(
    Label,
    wallet_id=st.from_regex(r"wa_[a-z0-9]{1,26}", fullmatch=True),
    public_key_hash=st.binary(min_size=20, max_size=20),
    version=st.integers(1, 2**31 - 1),
)


def written(secret, passphrase, salt, iv, version=4):
    address = "00021000000000010002"
    if version == 4:
        address = "0x" + keystore.PrivateKey(secret).public_key_hash.hex()
    return keystore.encrypt(
        secret, passphrase, salt=salt, iv=iv, uuid=keystore.uuid_of(iv), n=2, address=address,
        version=version,
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    secret=secrets,
    passphrase=passphrases,
    salt=st.binary(min_size=32, max_size=32),
    iv=st.binary(min_size=16, max_size=16),
    version=st.sampled_from([3, 4]),
)
def test_what_is_encrypted_is_decrypted_also_through_json(secret, passphrase, salt, iv, version):
    text = json.dumps(written(secret, passphrase, salt, iv, version))
    opened = keystore.decrypt(keystore.read(text), passphrase)
    assert (opened.secret, opened.mac_hash) == (secret, "sha3256")


@settings(max_examples=100, deadline=None)
@given(secret=secrets, right=passphrases, wrong=passphrases)
def test_no_other_passphrase_opens(secret, right, wrong):
    made = written(secret, right, bytes(32), bytes(16))
    if wrong == right:
        return
    with pytest.raises(PassphraseWrong):
        keystore.decrypt(made, wrong)


@settings(max_examples=100, deadline=None)
@given(
    members=st.dictionaries(
        st.text(max_size=10).filter(lambda name: name not in document()),
        st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
        max_size=5,
    )
)
def test_unknown_members_survive_a_new_passphrase(members):
    before = document() | members
    opened = keystore.decrypt(before, "correct horse battery staple")
    derived = keystore.derive("another", salt=bytes(32), n=2)
    after = keystore.reencrypt(before, opened, derived, salt=bytes(32), iv=bytes(16), n=2)
    assert {name: after[name] for name in members} == members
    assert after["id"] == before["id"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
places = st.sampled_from(
    [
        ("version",), ("address",), ("id",), ("crypto",), ("crypto", "cipher"),
        ("crypto", "ciphertext"), ("crypto", "cipherparams"), ("crypto", "cipherparams", "iv"),
        ("crypto", "kdf"), ("crypto", "kdfparams"), ("crypto", "kdfparams", "n"),
        ("crypto", "kdfparams", "r"), ("crypto", "kdfparams", "p"),
        ("crypto", "kdfparams", "salt"), ("crypto", "kdfparams", "dklen"), ("crypto", "mac"),
        ("crypto", "machash"),
    ]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(place=places, value=values)
def test_any_value_in_any_place_is_read_or_refused(place, value):
    """Nothing but a refusal comes out, and the cost of a file that is read is bounded."""
    made = document()
    inner = made
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    try:
        found = keystore.parse(made)
    except Refusal:
        return
    assert found.n * found.r <= keystore.COST_MAX
    assert found.n * found.r * found.p <= keystore.WORK_MAX


@settings(max_examples=100, deadline=None)
@given(
    label=labels,
    content=st.binary(max_size=2000),
    randomness=st.binary(min_size=RANDOMNESS_SIZE, max_size=RANDOMNESS_SIZE),
)
def test_an_envelope_gives_back_what_was_put_in(label, content, randomness):
    sealed = envelope.seal(label, content, ring(), randomness=randomness)
    assert envelope.open_(sealed, label, ring()) == content
    assert envelope.read_label(sealed) == label


@settings(max_examples=100, deadline=None)
@given(mine=labels, other=labels)
def test_an_envelope_opens_in_its_own_place_only(mine, other):
    sealed = envelope.seal(mine, b"content", ring(), randomness=bytes(RANDOMNESS_SIZE))
    if other == mine:
        return
    with pytest.raises(EnvelopeDamaged):
        envelope.open_(sealed, other, ring())


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_no_bit_of_an_envelope_can_be_turned_unnoticed(place, bit):
    label = Label("wa_1", bytes(20), 1)
    sealed = bytearray(envelope.seal(label, b"content", ring(), randomness=bytes(RANDOMNESS_SIZE)))
    sealed[place % len(sealed)] ^= 1 << bit
    try:
        assert envelope.open_(bytes(sealed), label, ring()) == b"content"
    except (EnvelopeDamaged, MasterKeyMissing):
        return
    # What still opens differs only in the label outside, which nothing relies on, or in a
    # spelling of base64 or JSON that means the same bytes.


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=300))
def test_a_chosen_passphrase_is_its_own_normal_form(text):
    try:
        taken = chosen(text)
    except PassphraseWeak:
        return
    assert taken == normalized(text) == normalized(taken)
    assert len(taken) >= 8

"""The way of a key from its recovery slot to its member, and everything that must not go."""

import msgspec
import pytest

from jigap.keys import (
    EnvelopeDamaged,
    KeyRing,
    RecoveryAnswerInvalid,
    RecoveryKeyInvalid,
    RecoveryRequestMalformed,
    RecoverySlotMissing,
    envelope,
    handover,
)
from jigap.keys.envelope import Label

from .keyring import KEY_HASH, SECRET, ring

RING = ring()
LABEL = Label("wa_1", KEY_HASH, 3)
PRIVATE, PUBLIC = envelope.new_recovery_key(b"\x07" * 32)
OTHER, _ = envelope.new_recovery_key(b"\x08" * 32)
EPHEMERAL, NONCE = b"\x0a" * 32, b"\x0b" * 12


def sealed(label=LABEL, recovery=PUBLIC, secret=SECRET):
    randomness = bytes(range(envelope.RANDOMNESS_SIZE))
    return envelope.seal(
        label, b"{}", RING, randomness=randomness, secret=secret, recovery=recovery
    )


def asked(request_id="rv_1", **given):
    return handover.request(request_id, sealed(**given), RING)


def answered(**given):
    return handover.answer(asked(**given), PRIVATE, ephemeral=EPHEMERAL)


def test_the_key_comes_back_and_is_in_clear_nowhere_on_the_way():
    request = asked()
    through_a_file = handover.read_request(msgspec.json.encode(request))
    answer = handover.answer(through_a_file, PRIVATE, ephemeral=EPHEMERAL)
    kept = handover.accept(answer, "rv_1", LABEL, RING, nonce=NONCE)
    assert handover.reveal(kept, "rv_1", LABEL, RING).secret == SECRET
    for file in (msgspec.json.encode(request), msgspec.json.encode(answer), kept):
        assert SECRET not in file
        assert SECRET.hex().encode() not in file
    assert SECRET.hex() not in repr(answer)


def test_an_envelope_without_a_slot_has_nothing_to_ask_for():
    with pytest.raises(RecoverySlotMissing):
        handover.request("rv_1", sealed(recovery=None), RING)


def test_another_recovery_key_opens_nothing():
    with pytest.raises(RecoveryKeyInvalid):
        handover.answer(asked(), OTHER, ephemeral=EPHEMERAL)


@pytest.mark.parametrize(
    "changed",
    [
        {"wallet_id": "wa_2"},
        {"version": 4},
        {"public_key_hash": "00" * 20},
        {"sealed": b"\x00" * 48},
        {"ephemeral": "01" * 32},
    ],
)
def test_a_request_that_was_changed_opens_nothing(changed):
    request = msgspec.structs.replace(asked(), **changed)
    with pytest.raises(EnvelopeDamaged):
        handover.answer(request, PRIVATE, ephemeral=EPHEMERAL)


@pytest.mark.parametrize(
    ("request_id", "label"),
    [
        ("rv_2", LABEL),
        ("rv_1", Label("wa_2", KEY_HASH, 3)),
        ("rv_1", Label("wa_1", KEY_HASH, 4)),
        ("rv_1", Label("wa_1", bytes(20), 3)),
    ],
)
def test_an_answer_is_good_for_its_own_request_only(request_id, label):
    with pytest.raises(RecoveryAnswerInvalid):
        handover.accept(answered(), request_id, label, RING, nonce=NONCE)
    kept = handover.accept(answered(), "rv_1", LABEL, RING, nonce=NONCE)
    with pytest.raises(RecoveryAnswerInvalid):
        handover.reveal(kept, request_id, label, RING)


def test_an_answer_for_another_platform_opens_nothing():
    other = KeyRing({1: b"\x01" * 32}, 1, b"\x0c" * 32)
    with pytest.raises(RecoveryAnswerInvalid):
        handover.accept(answered(), "rv_1", LABEL, other, nonce=NONCE)


def test_an_answer_with_another_key_is_refused_on_both_sides():
    wrong = b"\x11" * 32
    with pytest.raises(RecoveryRequestMalformed):
        handover.answer(asked(secret=wrong), PRIVATE, ephemeral=EPHEMERAL)
    request = asked()
    public, box = handover.seal_to(
        bytes.fromhex(request.transport_key),
        wrong,
        LABEL.bound("recovery rv_1"),
        ephemeral=EPHEMERAL,
        info=b"jigap recovery answer 1",
    )
    forged = handover.Answer(1, "rv_1", "wa_1", public.hex(), box)
    with pytest.raises(RecoveryAnswerInvalid):
        handover.accept(forged, "rv_1", LABEL, RING, nonce=NONCE)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b"x" * 20_000, b'{"format":2}'])
def test_what_is_no_request_is_refused(content):
    with pytest.raises(RecoveryRequestMalformed):
        handover.read_request(content)


@pytest.mark.parametrize("key", ["00" * 32, "zz", "01"])
def test_a_transport_key_that_gives_no_secret_is_refused(key):
    content = msgspec.json.encode(msgspec.structs.replace(asked(), transport_key=key))
    with pytest.raises(RecoveryRequestMalformed):
        handover.read_request(content)

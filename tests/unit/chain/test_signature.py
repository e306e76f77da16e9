import copy
import pickle

import pytest

from jigap.chain.invalid import HighS, InvalidSignature
from jigap.chain.signature import CURVE_ORDER, HALF_CURVE_ORDER, PrivateKey, Signature, recover

SECRET = bytes.fromhex("99957b9d39dd63c40f8425b2d8e5a70c7b234e24f1aeaf6a34e38837627fc9e8")
DIGEST = bytes(range(32))


def test_repr_names_the_key_hash_and_not_the_secret() -> None:
    key = PrivateKey(SECRET)
    assert repr(key) == "PrivateKey(public_key_hash=0x85a784e634ab7644ba4a43b7a1455ba592c11b13)"
    assert SECRET.hex() not in f"{key} {key!r} {[key]}"


def test_a_key_is_neither_pickled_nor_copied() -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(PrivateKey(SECRET))


@pytest.mark.parametrize(
    "secret",
    [
        b"",
        bytes(32),
        SECRET[:31],
        SECRET + b"\x00",
        CURVE_ORDER.to_bytes(32, "big"),
        b"\xff" * 32,
    ],
)
def test_refuses_a_secret_out_of_range_without_repeating_it(secret: bytes) -> None:
    with pytest.raises(InvalidSignature) as refusal:
        PrivateKey(secret)
    assert not secret or secret.hex() not in repr(refusal.value)


def test_the_smallest_and_largest_secret_sign() -> None:
    for number in (1, CURVE_ORDER - 1):
        key = PrivateKey(number.to_bytes(32, "big"))
        assert recover(DIGEST, key.sign(DIGEST)) == key.public_key


@pytest.mark.parametrize(
    ("v", "r", "s"),
    [
        (2, 1, 1),
        (27, 1, 1),
        (-1, 1, 1),
        (0, 0, 1),
        (0, 1, 0),
        (0, CURVE_ORDER, 1),
        (0, 1, CURVE_ORDER),
        (0, 2**256, 1),
        (0, -1, 1),
    ],
)
def test_refuses_numbers_that_cannot_be_a_signature(v: int, r: int, s: int) -> None:
    with pytest.raises(InvalidSignature, match="invalid transaction v, r, s values") as refusal:
        recover(DIGEST, Signature(v, r, s))
    assert not isinstance(refusal.value, HighS)


def test_refuses_the_upper_half_of_s_and_says_so() -> None:
    assert Signature(0, 1, HALF_CURVE_ORDER).check() is None
    with pytest.raises(HighS):
        Signature(0, 1, HALF_CURVE_ORDER + 1).check()


def test_refuses_an_r_that_is_no_point() -> None:
    """5 is not the X coordinate of a point of secp256k1."""
    with pytest.raises(InvalidSignature):
        recover(DIGEST, Signature(0, 5, 1))


@pytest.mark.parametrize("size", [0, 64, 66])
def test_refuses_signature_bytes_of_another_length(size: int) -> None:
    with pytest.raises(InvalidSignature, match="length"):
        Signature.from_bytes(bytes(size))


def test_refuses_to_sign_anything_but_a_digest() -> None:
    with pytest.raises(ValueError):
        PrivateKey(SECRET).sign(b"short")

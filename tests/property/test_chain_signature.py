"""Signatures: our one way to sign, judged by a second implementation (OpenSSL)."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from jigap.chain.invalid import InvalidSignature
from jigap.chain.signature import (
    CURVE_ORDER,
    HALF_CURVE_ORDER,
    PrivateKey,
    Signature,
    public_key_hash,
    recover,
)

FAST = settings(max_examples=100, deadline=None)

secrets = st.integers(1, CURVE_ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
digests = st.binary(min_size=32, max_size=32)
PREHASHED = ec.ECDSA(Prehashed(hashes.SHA256()))  # any hash of 32 bytes: nothing is hashed again


def second_opinion(secret: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256K1())


def recovered(digest: bytes, signature: Signature) -> bytes | None:
    try:
        return recover(digest, signature)
    except InvalidSignature:
        return None


@FAST
@given(secrets, digests)
def test_openssl_derives_the_same_key_and_verifies_the_signature(
    secret: bytes, digest: bytes
) -> None:
    key, theirs = PrivateKey(secret), second_opinion(secret).public_key()
    point = theirs.public_numbers()
    assert key.public_key == point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
    _, r, s = key.sign(digest)
    theirs.verify(encode_dss_signature(r, s), digest, PREHASHED)


@FAST
@given(secrets, digests)
def test_a_signature_made_by_openssl_recovers_to_its_key(secret: bytes, digest: bytes) -> None:
    theirs = second_opinion(secret)
    r, s = decode_dss_signature(theirs.sign(digest, PREHASHED))
    low = min(s, CURVE_ORDER - s)
    keys = [recovered(digest, Signature(v, r, low)) for v in (0, 1)]
    assert PrivateKey(secret).public_key in keys


@FAST
@given(secrets, digests)
def test_signing_is_deterministic_low_and_recoverable(secret: bytes, digest: bytes) -> None:
    key = PrivateKey(secret)
    signature = key.sign(digest)
    assert signature == PrivateKey(secret).sign(digest)
    assert signature.v in (0, 1)
    assert 0 < signature.s <= HALF_CURVE_ORDER
    assert recover(digest, signature) == key.public_key
    assert public_key_hash(key.public_key) == key.public_key_hash
    assert Signature.from_bytes(signature.to_bytes()) == signature


@FAST
@given(secrets, digests)
def test_the_malleable_twin_is_refused(secret: bytes, digest: bytes) -> None:
    v, r, s = PrivateKey(secret).sign(digest)
    assert recovered(digest, Signature(1 - v, r, CURVE_ORDER - s)) is None


@FAST
@given(secrets, digests, digests)
def test_another_digest_recovers_another_key(secret: bytes, digest: bytes, other: bytes) -> None:
    key = PrivateKey(secret)
    assert (recovered(other, key.sign(digest)) == key.public_key) == (other == digest)


@FAST
@given(digests, st.binary(min_size=65, max_size=65))
def test_any_65_bytes_give_a_key_or_a_refusal(digest: bytes, data: bytes) -> None:
    try:
        key = recover(digest, Signature.from_bytes(data))
    except InvalidSignature:
        return
    assert len(key) == 64


@FAST
@given(digests, st.integers(0, 1), st.integers(1, CURVE_ORDER - 1), st.integers(1, CURVE_ORDER - 1))
def test_plausible_numbers_give_a_key_that_verifies_or_a_refusal(
    digest: bytes, v: int, r: int, s: int
) -> None:
    """Whatever key is recovered, OpenSSL agrees that it made the signature."""
    key = recovered(digest, Signature(v, r, s))
    if key is None:
        return
    x, y = int.from_bytes(key[:32], "big"), int.from_bytes(key[32:], "big")
    theirs = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256K1()).public_key()
    theirs.verify(encode_dss_signature(r, s), digest, PREHASHED)

"""One algorithm, three libraries."""

import hashlib

import pytest

from jigap.keys import scrypt

LIBRARIES = sorted(scrypt.IMPLEMENTATIONS)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("n", "r", "p"), [(2, 1, 1), (1024, 8, 1), (16, 8, 6)])
def test_every_library_gives_the_bytes_of_hashlib(library, n, r, p):
    expected = hashlib.scrypt(b"pass\xc3\xa9", salt=b"s" * 32, n=n, r=r, p=p, dklen=32)
    assert scrypt.IMPLEMENTATIONS[library](b"pass\xc3\xa9", b"s" * 32, n, r, p) == expected


def test_rfc_7914_vector():
    derived = scrypt.scrypt(b"pleaseletmein", b"SodiumChloride", n=16384, r=8, p=1)
    assert derived.hex() == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"


def test_openssl_is_the_one_in_use():
    """The requirements bring an OpenSSL with scrypt; another library here is a packaging bug."""
    assert scrypt.NAME == "openssl"

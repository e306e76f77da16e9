"""scrypt (RFC 7914) from the best library there is on this machine.

All three give the same bytes and let other threads run meanwhile. They differ in where their memory
comes from: libsodium maps and unmaps it for every call (1025 page faults at n=4096), OpenSSL uses
the same again. Where pages are cheap libsodium was a little faster (6.2 ms, OpenSSL 7.0, hashlib
8.2), where they are dear it was slower by far (12.8 ms, OpenSSL 5.8, hashlib 6.5). So OpenSSL comes
first.
"""

import hashlib
from collections.abc import Callable

Scrypt = Callable[[bytes, bytes, int, int, int], bytes]

KEY_SIZE = 32


def _with_libsodium(passphrase: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    from nacl.bindings.crypto_pwhash import crypto_pwhash_scryptsalsa208sha256_ll

    derived: bytes = crypto_pwhash_scryptsalsa208sha256_ll(
        passphrase, salt, n, r, p, KEY_SIZE, _memory(n, r, p)
    )
    return derived


def _with_openssl(passphrase: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt as OpenSslScrypt

    return OpenSslScrypt(salt=salt, length=KEY_SIZE, n=n, r=r, p=p).derive(passphrase)


def _with_hashlib(passphrase: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        passphrase, salt=salt, n=n, r=r, p=p, maxmem=_memory(n, r, p), dklen=KEY_SIZE
    )


def _memory(n: int, r: int, p: int) -> int:
    """More bytes than the algorithm needs: the caps of the libraries are far below n=262144."""
    return 128 * r * (n + p + 2) + (1 << 20)


#: By preference. A minimal build of libsodium, or OpenSSL, may be without scrypt.
IMPLEMENTATIONS: dict[str, Scrypt] = {
    "openssl": _with_openssl,
    "libsodium": _with_libsodium,
    "hashlib": _with_hashlib,
}


def _first_that_works() -> tuple[str, Scrypt]:
    for name, implementation in IMPLEMENTATIONS.items():
        try:
            implementation(b"probe", bytes(32), 2, 1, 1)
        except Exception:  # whatever it is, this one cannot be used here
            continue
        return name, implementation
    raise RuntimeError("no library on this machine has scrypt")


NAME, _scrypt = _first_that_works()


def scrypt(passphrase: bytes, salt: bytes, *, n: int, r: int = 8, p: int = 1) -> bytes:
    """32 bytes derived from a passphrase; needs 128 * n * r bytes of memory meanwhile."""
    return _scrypt(passphrase, salt, n, r, p)

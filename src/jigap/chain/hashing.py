"""One hash everywhere: NIST SHA3-256.

Symverse descends from Ethereum but hashes with the standardised SHA3-256, not with Keccak-256: for
keys, transactions, contract addresses, keystore MACs and the mixed-case checksum alike. The only
survivor of Keccak is the constant that stands for an empty trie.
"""

import hashlib

HASH_BYTES = 32

ZERO_HASH = bytes(HASH_BYTES)
"""Stands for "no block": the hash of the block of a pending transaction."""

EMPTY_TRIE = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
"""Root of an empty Ethereum trie; Symverse headers still print it. Opaque: never recompute it."""


def sha3_256(data: bytes) -> bytes:
    """The 32-byte SHA3-256 digest of ``data``."""
    return hashlib.sha3_256(data).digest()


def checksum_hex(data: bytes) -> str:
    """``0x`` + hex whose letter case is a checksum, as in EIP-55 but over SHA3-256.

    A letter is upper case where the matching hex digit of the hash of the lower-case text is 8 or
    more. Used for 10-byte addresses and 20-byte public key hashes.
    """
    plain = data.hex()
    digest = sha3_256(plain.encode("ascii")).hex()
    return "0x" + "".join(
        letter.upper() if mark >= "8" else letter
        for letter, mark in zip(plain, digest, strict=False)
    )

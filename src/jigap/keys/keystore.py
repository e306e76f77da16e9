"""The encrypted key file of Symverse wallets, versions 3 and 4. Pure: no clock, no randomness.

    derived key = scrypt(passphrase, salt)                 32 bytes
    ciphertext  = AES-128-CTR(derived[0:16], iv, secret)   32 bytes
    mac         = SHA3-256(derived[16:32] || ciphertext)

Version 3 names the SymID of its account, version 4 the hash of its public key. Ethereum's version 3
looks the same but has a Keccak-256 mac, and nothing in the file says which: a reader tries SHA3-256
first and then Keccak-256, and reports which one matched. Listing 1 of the paper nests the fields of
``crypto`` inside ``cipherparams``; such files are read too, but never written.
"""

import hmac
import json
import re
import uuid as uuids
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from jigap.chain.hashing import sha3_256
from jigap.chain.signature import CURVE_ORDER, PrivateKey
from jigap.keys.scrypt import KEY_SIZE, scrypt
from jigap.refusal import Kind, Refusal

MacHash = Literal["sha3256", "keccak256"]
AddressForm = Literal["symid", "public_key_hash", "missing"]

TEXT_SIZE_MAX = 64 * 1024
N_LIGHT = 4_096
N_FULL = 262_144
#: scrypt needs 128 * n * r bytes; 2**22 is half a gigabyte. A file that asks for more is an attack.
COST_MAX = 2**22
#: ... and its time grows with n * r * p.
WORK_MAX = 2**23

_HEX = re.compile(r"(?:0x)?([0-9a-fA-F]*)", re.ASCII)


class KeystoreMalformed(Refusal):
    """The text is not a keystore: not JSON, not an object, or a field of the wrong shape."""

    code = "keystore_malformed"
    kind = Kind.INVALID
    hint = "Give the keystore file as the wallet wrote it: one JSON object."


class KeystoreParameterInvalid(KeystoreMalformed):
    """A parameter has a length or a value that the format does not allow."""

    code = "keystore_parameter_invalid"


class KeystoreTooCostly(KeystoreParameterInvalid):
    """Opening the file would take more memory or time than we lend to anybody."""

    code = "keystore_too_costly"


class KeystoreUnsupported(Refusal):
    """The file is a keystore of a kind we do not read."""

    code = "keystore_unsupported"
    kind = Kind.INVALID
    hint = "Versions 3 and 4 with scrypt and aes-128-ctr can be read."


class KeystoreVersionUnsupported(KeystoreUnsupported):
    """The version is neither 3 nor 4."""

    code = "keystore_version_unsupported"


class KeystoreCipherUnsupported(KeystoreUnsupported):
    """The cipher is not aes-128-ctr."""

    code = "keystore_cipher_unsupported"


class KeystoreKdfUnsupported(KeystoreUnsupported):
    """The key derivation is not scrypt."""

    code = "keystore_kdf_unsupported"


class KeystoreMacUnsupported(KeystoreUnsupported):
    """``machash`` names a hash that we do not know."""

    code = "keystore_mac_unsupported"


class PassphraseWrong(Refusal):
    """The passphrase does not open the key."""

    code = "passphrase_wrong"
    kind = Kind.FORBIDDEN
    hint = "Check capital letters and the keyboard language, then try again."


class KeystoreKeyInvalid(Refusal):
    """The passphrase is right, but what it opens is not a private key."""

    code = "keystore_key_invalid"
    kind = Kind.INVALID
    hint = "The program that wrote this file made a mistake; take another copy of the key."


class KeystoreKeyMismatch(Refusal):
    """The key inside is not the key that the file, or the wallet, speaks of."""

    code = "keystore_key_mismatch"
    kind = Kind.INVALID
    hint = "Take the file of this wallet's own key; a wallet's key never changes."


@dataclass(frozen=True, slots=True)
class Keystore:
    """The readable part of a key file: everything but the key."""

    version: int
    id: str
    address: str  # lowercase hex without prefix, "" when the file has none
    n: int
    r: int
    p: int
    salt: bytes
    iv: bytes
    ciphertext: bytes
    mac: bytes
    machash: MacHash | None  # None: the file does not say
    nested: bool  # the layout of Listing 1

    @property
    def address_form(self) -> AddressForm:
        """What ``address`` is: decided by its length alone."""
        forms: dict[int, AddressForm] = {20: "symid", 40: "public_key_hash"}
        return forms.get(len(self.address), "missing")


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened key file. ``secret`` is kept out of every representation."""

    secret: bytes = field(repr=False)
    key: PrivateKey
    mac_hash: MacHash

    @property
    def public_key_hash(self) -> bytes:
        """What the chain knows the key by."""
        return self.key.public_key_hash


def read(text: str | bytes) -> dict[str, Any]:
    """The JSON object in a key file, every member of it. Raises ``KeystoreMalformed``."""
    if len(text) > TEXT_SIZE_MAX:
        raise KeystoreMalformed("This file is too long to be a keystore.", size=len(text))
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise KeystoreMalformed("This is not JSON.") from None
    if not isinstance(document, dict):
        raise KeystoreMalformed("A keystore is a JSON object.")
    return document


def parse(document: dict[str, Any]) -> Keystore:
    """Check every field and its bounds, without opening anything.

    Raises ``KeystoreMalformed``, ``KeystoreUnsupported`` or one of their kinds.
    """
    version = document.get("version")
    if type(version) is not int or version not in (3, 4):
        raise KeystoreVersionUnsupported(
            "Only keystores of version 3 and 4 can be read.", version=_shown(version)
        )
    crypto = _object(document, "crypto")
    fields = _object(crypto, "cipherparams") | crypto
    if fields.get("cipher") != "aes-128-ctr":
        raise KeystoreCipherUnsupported(
            "Only the cipher aes-128-ctr can be read.", cipher=_shown(fields.get("cipher"))
        )
    if fields.get("kdf") != "scrypt":
        raise KeystoreKdfUnsupported(
            "Only keys derived with scrypt can be read.", kdf=_shown(fields.get("kdf"))
        )
    n, r, p, salt = _cost(_object(fields, "kdfparams"))
    return Keystore(
        version=version,
        id=str(document.get("id") or "")[:100],
        address=_address(document.get("address")),
        n=n,
        r=r,
        p=p,
        salt=salt,
        iv=_bytes(fields, "iv", 16),
        ciphertext=_bytes(fields, "ciphertext", 32),
        mac=_bytes(fields, "mac", 32),
        machash=_machash(fields.get("machash")),
        nested="cipher" not in crypto,
    )


def encrypt(
    secret: bytes,
    passphrase: str,
    *,
    salt: bytes,
    iv: bytes,
    uuid: str,
    n: int,
    address: str,
    version: int = 4,
) -> dict[str, Any]:
    """A key file for ``secret`` (32 bytes).

    ``salt`` is 32 fresh random bytes, ``iv`` 16, ``uuid`` the file's id (``uuid_of`` makes one).
    ``address`` is the SymID without prefix in version 3, and ``0x`` with the public key hash in
    version 4. Takes as long as scrypt with cost ``n`` does.
    """
    derived = derive(passphrase, salt=salt, n=n)
    return encrypt_derived(
        secret, derived, salt=salt, iv=iv, uuid=uuid, n=n, address=address, version=version
    )


def encrypt_derived(
    secret: bytes,
    derived: bytes,
    *,
    salt: bytes,
    iv: bytes,
    uuid: str,
    n: int,
    address: str,
    version: int = 4,
) -> dict[str, Any]:
    """The same, with what scrypt already ``derived`` from the passphrase, ``salt`` and ``n``."""
    assert version in (3, 4) and len(secret) == len(salt) == len(derived) == 32 and len(iv) == 16
    ciphertext = _aes_128_ctr(derived, iv, secret)
    crypto: dict[str, Any] = {
        "cipher": "aes-128-ctr",
        "ciphertext": ciphertext.hex(),
        "cipherparams": {"iv": iv.hex()},
        "kdf": "scrypt",
        "kdfparams": {"dklen": KEY_SIZE, "n": n, "p": 1, "r": 8, "salt": salt.hex()},
        "mac": sha3_256(derived[16:] + ciphertext).hex(),
    }
    if version == 4:
        crypto["machash"] = "sha3256"
    return {"address": address, "crypto": crypto, "id": uuid, "version": version}


def decrypt(document: dict[str, Any], passphrase: str, *, keccak: bool = True) -> Opened:
    """Open a key file. Takes as long as scrypt with the file's cost does.

    ``keccak`` allows the mac of Ethereum's files where the file does not name its hash. Raises
    what ``parse`` raises, ``PassphraseWrong``, ``KeystoreKeyInvalid`` or ``KeystoreKeyMismatch``.
    """
    keystore = parse(document)
    return decrypt_derived(keystore, derive_for(keystore, passphrase), keccak=keccak)


def derive_for(keystore: Keystore, passphrase: str) -> bytes:
    """What ``decrypt_derived`` wants; takes as long as scrypt with the file's cost does."""
    return scrypt(_utf8(passphrase), keystore.salt, n=keystore.n, r=keystore.r, p=keystore.p)


def decrypt_derived(keystore: Keystore, derived: bytes, *, keccak: bool = True) -> Opened:
    """The same, with what scrypt already ``derived`` from the passphrase as the file says."""
    mac_hash = _matching_hash(keystore, derived[16:] + keystore.ciphertext, keccak)
    if mac_hash is None:
        raise PassphraseWrong("The passphrase does not open this key.")
    secret = _aes_128_ctr(derived, keystore.iv, keystore.ciphertext)
    if not is_secret(secret):
        raise KeystoreKeyInvalid("The key inside is not a number between 1 and n-1.")
    key = PrivateKey(secret)
    if keystore.version == 4 and keystore.address_form == "public_key_hash":
        _must_be(key.public_key_hash, bytes.fromhex(keystore.address))
    return Opened(secret, key, mac_hash)


def reencrypt(
    document: dict[str, Any], opened: Opened, derived: bytes, *, salt: bytes, iv: bytes, n: int
) -> dict[str, Any]:
    """The same key under another passphrase: same id, same unknown members, version 4.

    ``derived`` is what ``derive`` made of the passphrase, ``salt`` and ``n``.
    """
    fresh = encrypt_derived(
        opened.secret,
        derived,
        salt=salt,
        iv=iv,
        uuid=str(document.get("id")),
        n=n,
        address="0x" + opened.public_key_hash.hex(),
    )
    return document | fresh


def derive(passphrase: str, *, salt: bytes, n: int) -> bytes:
    """What ``encrypt_derived`` wants; takes as long as scrypt with cost ``n`` does."""
    return scrypt(_utf8(passphrase), salt, n=n)


def is_secret(secret: bytes) -> bool:
    """Whether 32 bytes are a private key of secp256k1."""
    return len(secret) == 32 and 0 < int.from_bytes(secret, "big") < CURVE_ORDER


def uuid_of(randomness: bytes) -> str:
    """The random (version 4) UUID made of these 16 bytes."""
    return str(uuids.UUID(bytes=randomness, version=4))


def _utf8(passphrase: str) -> bytes:
    """The bytes a key is derived from; text that is no text is just a wrong passphrase."""
    return passphrase.encode("utf-8", "surrogatepass")


def _must_be(found: bytes, named: bytes) -> None:
    if found != named:
        raise KeystoreKeyMismatch(
            "The key inside does not belong to the address of the file.",
            address="0x" + named.hex(),
            public_key_hash="0x" + found.hex(),
        )


def _matching_hash(keystore: Keystore, preimage: bytes, keccak: bool) -> MacHash | None:
    tried: list[MacHash] = [keystore.machash] if keystore.machash else ["sha3256"]
    if keystore.machash is None and keccak:
        tried.append("keccak256")
    for name in tried:
        mac = sha3_256(preimage) if name == "sha3256" else _keccak_256(preimage)
        if hmac.compare_digest(mac, keystore.mac):
            return name
    return None


def _keccak_256(preimage: bytes) -> bytes:
    from Crypto.Hash import keccak

    digest: bytes = keccak.new(digest_bits=256, data=preimage).digest()
    return digest


def _aes_128_ctr(derived: bytes, iv: bytes, text: bytes) -> bytes:
    """Encrypts and decrypts: counter mode is its own inverse."""
    stream = Cipher(algorithms.AES(derived[:16]), modes.CTR(iv)).encryptor()
    return stream.update(text) + stream.finalize()


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    found = parent.get(name)
    if not isinstance(found, dict):
        raise KeystoreMalformed(f"The keystore has no object {name!r}.", parameter=name)
    return found


def _cost(kdfparams: dict[str, Any]) -> tuple[int, int, int, bytes]:
    """n, r, p and salt of a key file, within what we lend."""
    if _integer(kdfparams, "dklen") != KEY_SIZE:
        raise _invalid("dklen", "must be 32")
    n, r, p = (_integer(kdfparams, name) for name in "nrp")
    if n < 2 or n & (n - 1):
        raise _invalid("n", "must be a power of two")
    if r < 1 or p < 1:
        raise _invalid("r" if r < 1 else "p", "must be positive")
    if n * r > COST_MAX or n * r * p > WORK_MAX:
        raise KeystoreTooCostly(
            f"The keystore asks for n*r over {COST_MAX} or n*r*p over {WORK_MAX}.",
            parameter="n", n=_shown(n), r=_shown(r), p=_shown(p),
        )  # fmt: skip
    if r == 1 and n >= 2**16:  # RFC 7914: n < 2**(16*r); with r > 1 the ceiling is lower
        raise _invalid("n", "must be below 2**(16*r)")
    return n, r, p, _bytes(kdfparams, "salt", 32)


def _integer(parent: dict[str, Any], name: str) -> int:
    found = parent.get(name)
    if type(found) is not int:
        raise _invalid(name, "must be a whole number")
    return found


def _bytes(parent: dict[str, Any], name: str, size: int) -> bytes:
    found = parent.get(name)
    match = _HEX.fullmatch(found) if isinstance(found, str) else None
    if match is None or len(match[1]) != 2 * size:
        raise _invalid(name, f"must be {size} bytes in hex")
    return bytes.fromhex(match[1])


def _address(found: Any) -> str:
    match = _HEX.fullmatch(found) if isinstance(found, str) else None
    if found is not None and (match is None or len(match[1]) not in (0, 20, 40)):
        raise _invalid("address", "must be a SymID or a public key hash in hex")
    return match[1].lower() if match else ""


def _machash(found: Any) -> MacHash | None:
    if found is None:
        return None
    names: dict[str, MacHash] = {"sha3256": "sha3256", "keccak256": "keccak256"}
    name = names.get(found.lower().replace("-", "")) if isinstance(found, str) else None
    if name is None:
        raise KeystoreMacUnsupported("The machash is not known.", machash=_shown(found))
    return name


def _invalid(name: str, rule: str) -> KeystoreParameterInvalid:
    return KeystoreParameterInvalid(f"The keystore's {name} {rule}.", parameter=name)


def _shown(value: Any) -> str:
    """A value of a stranger's file as a fact: never long."""
    return str(value)[:40] if not isinstance(value, int) or value < 2**64 else "over 64 bits"

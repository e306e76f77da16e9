"""What can be told about a key file without ever showing the key."""

from typing import Any

from jigap.keys import keystore
from jigap.keys.keystore import Keystore, KeystoreKeyInvalid, KeystoreKeyMismatch, PassphraseWrong
from jigap.keys.scrypt import KEY_SIZE
from jigap.keys.vault import open_foreign

_KNOWN = {"version", "id", "address", "crypto"}


def inspect(document: dict[str, Any], passphrase: str | None = None) -> dict[str, Any]:
    """Everything readable in a key file, and with a passphrase whether it opens.

    Raises what ``keystore.parse`` raises. That the passphrase is wrong, or the key inside is not
    what the file says, is an answer: ``opens`` is False and ``reason`` is the refusal's code.
    """
    found = keystore.parse(document)
    shown = _readable(found) | {"other_members": sorted(set(document) - _KNOWN)}
    if passphrase is not None:
        shown |= _opening(document, passphrase)
    return shown


def _readable(found: Keystore) -> dict[str, Any]:
    prefix = "0x" if found.address_form == "public_key_hash" else ""
    return {
        "format": "keystore",
        "version": found.version,
        "id": found.id,
        "address": prefix + found.address if found.address else None,
        "address_form": found.address_form,
        "cipher": "aes-128-ctr",
        "kdf": "scrypt",
        "kdfparams": {"n": found.n, "r": found.r, "p": found.p, "dklen": KEY_SIZE},
        "machash": found.machash,
        "layout": "nested" if found.nested else "sibling",
    }


def _opening(document: dict[str, Any], passphrase: str) -> dict[str, Any]:
    closed = {"opens": False, "public_key_hash": None, "mac_hash": None}
    try:
        opened = open_foreign(document, passphrase)
    except (PassphraseWrong, KeystoreKeyInvalid, KeystoreKeyMismatch) as refusal:
        return closed | {"reason": refusal.code, "detail": refusal.detail}
    return {
        "opens": True,
        "public_key_hash": "0x" + opened.public_key_hash.hex(),
        "mac_hash": opened.mac_hash,
    }

"""Names and phone numbers: their one form, their masks, their seals and their blind indexes.

A personal field exists in the clear only inside a request. It is stored sealed with AES-256-GCM
under the member's data key, and found by HMAC-SHA3-256 under keys that the ring derives for that
purpose alone: without the ring nobody can try all phone numbers against a stolen table.
"""

import hmac
import re
import unicodedata
from contextlib import suppress
from typing import Any

import phonenumbers
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jigap import entropy
from jigap.keys import KeyRing
from jigap.refusal import Kind, Refusal

REGION = "KR"
NAME_MAX_CHARS = 50
PHONE_MAX_CHARS = 40
NONCE_BYTES = 12
DATA_KEY_BYTES = 32


#: How most of the world dials a country code.
_ABROAD = re.compile(r"^[( ]*00")


class PhoneMalformed(Refusal):
    """The text is not a telephone number."""

    code = "phone_malformed"
    kind = Kind.INVALID
    hint = "Write a Korean number such as 010-1234-5678, or any other with + and its country code."


class NameMalformed(Refusal):
    """The text is not a person's name."""

    code = "name_malformed"
    kind = Kind.INVALID
    hint = "Write the name as on the identity card, at most 50 characters."


def phone_of(text: str) -> str:
    """The E.164 form of a number however it is written. Raises ``PhoneMalformed``.

    Understood are digits of any width and script, dots and dashes of any kind, the invisible marks
    that contact lists add, and 00 for +.
    """
    text = unicodedata.normalize("NFKC", text).replace("·", "-")
    text = "".join(one for one in text if unicodedata.category(one) != "Cf").strip()
    if len(text) > PHONE_MAX_CHARS:
        raise PhoneMalformed("This is too long for a phone number.")
    # As it stands first: Korean carriers have prefixes of their own (001, 00700) for abroad.
    for form in (text, _ABROAD.sub("+", text)):
        with suppress(phonenumbers.NumberParseException):
            number = phonenumbers.parse(form, REGION)
            if not number.extension and phonenumbers.is_valid_number(number):
                return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    raise PhoneMalformed("There is no such phone number.")


def name_of(text: str) -> str:
    """The one form of a name. Raises ``NameMalformed``."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(name) <= NAME_MAX_CHARS:
        raise NameMalformed("This name is empty or too long.")
    if not all(one.isalpha() or one in " .'-·" or unicodedata.combining(one) for one in name):
        raise NameMalformed("A name has letters only.")
    return name


def masked_name(name: str) -> str:
    """``김철수`` as ``김*수``, ``김수`` as ``김*``; spaces stay."""
    if len(name) <= 2:
        return name[:1] + "*" if len(name) == 2 else "*"
    middle = re.sub(r"\S", "*", name[1:-1])
    return name[0] + middle + name[-1]


def masked_phone(phone: str) -> str:
    """``+821012345678`` as ``010-****-5678``; a foreign number as ``+1 ****-5678``."""
    number = phonenumbers.parse(phone)
    if number.country_code != phonenumbers.country_code_for_region(REGION):
        return f"+{number.country_code} ****-{phone[-4:]}"
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    area = national.split("-")[0]
    return f"{area}-****-{phone[-4:]}"


def phone_digits(phone: str) -> str:
    """The digits as they are dialled at home: ``01012345678``."""
    number = phonenumbers.parse(phone)
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    if number.country_code != phonenumbers.country_code_for_region(REGION):
        national = phone
    return re.sub(r"\D", "", national)


class Indexes:
    """The keyed hashes by which members are found."""

    def __init__(self, ring: KeyRing) -> None:
        self._phone = ring.derive("blind-index:phone")
        self._name_last4 = ring.derive("blind-index:name-last4")
        self._login = ring.derive("blind-index:login-attempt")

    def phone(self, phone: str) -> bytes:
        return _index(self._phone, phone)

    def name_last4(self, name: str, last4: str) -> bytes:
        return _index(self._name_last4, name.casefold().replace(" ", "") + "\0" + last4)

    def login(self, login: str) -> bytes:
        return _index(self._login, login)


def new_data_key(ring: KeyRing, member_id: str) -> bytes:
    """A fresh data key for a member, wrapped by the ring."""
    return _wrap(ring, member_id, entropy.random_bytes(DATA_KEY_BYTES))


def seal_prefix(ring: KeyRing) -> bytes:
    """The first bytes of everything that the newest master key seals: its version."""
    return ring.current.to_bytes(4, "big")


def rewrapped(ring: KeyRing, member_id: str, data_key_sealed: bytes) -> bytes:
    """The same data key under the ring's newest master key."""
    return _wrap(ring, member_id, ring.open(data_key_sealed, _key_label(member_id)))


def seal(ring: KeyRing, member_id: str, data_key_sealed: bytes, field: str, text: str) -> bytes:
    """``text`` under the member's data key; ``field`` and member are bound to it."""
    key = AESGCM(ring.open(data_key_sealed, _key_label(member_id)))
    nonce = entropy.random_bytes(NONCE_BYTES)
    return nonce + key.encrypt(nonce, text.encode(), _field_label(member_id, field))


def unseal(ring: KeyRing, member_id: str, data_key_sealed: bytes, field: str, sealed: bytes) -> str:
    """What ``seal`` sealed."""
    key = AESGCM(ring.open(data_key_sealed, _key_label(member_id)))
    return _opened(key, member_id, field, sealed)


def open_details(ring: KeyRing, row: Any) -> tuple[str | None, str | None]:
    """Name and phone of a member's row in the clear, None where there is none."""
    if row.name_sealed is None and row.phone_sealed is None:
        return None, None
    key = AESGCM(ring.open(row.data_key_sealed, _key_label(row.id)))

    def opened(field: str, sealed: bytes | None) -> str | None:
        return None if sealed is None else _opened(key, row.id, field, sealed)

    return opened("name", row.name_sealed), opened("phone", row.phone_sealed)


def _opened(key: AESGCM, member_id: str, field: str, sealed: bytes) -> str:
    nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    return key.decrypt(nonce, body, _field_label(member_id, field)).decode()


def _wrap(ring: KeyRing, member_id: str, data_key: bytes) -> bytes:
    return ring.seal(data_key, _key_label(member_id), nonce=entropy.random_bytes(NONCE_BYTES))


def _key_label(member_id: str) -> bytes:
    return f"member-data-key:{member_id}".encode()


def _field_label(member_id: str, field: str) -> bytes:
    return f"member-field:{member_id}:{field}".encode()


def _index(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha3_256")

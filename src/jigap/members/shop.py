"""The public name of a shop: what may be one, and when two are the same. Pure.

Everybody sees it, next to money, so that nobody may pass for somebody else by it: no invisible,
control or direction-changing characters, letters of the scripts that people here read, no name of
ours. Two names are the same if they read the same: case, width, accents, spaces and punctuation do
not tell them apart.
"""

import unicodedata

from jigap.refusal import Kind, Refusal

CHARS_MIN = 2
CHARS_MAX = 30

_SCRIPTS = ("HANGUL SYLLABLE ", "LATIN ", "CJK UNIFIED IDEOGRAPH", "HIRAGANA ", "KATAKANA")
#: Basic Latin, Latin-1 and Latin Extended-A end here; what follows is phonetic and historical.
_LATIN_END = "\u0180"
_OTHERS = frozenset("0123456789 &'’().,-·+!/#")
#: Nobody is called so.
_RESERVED = frozenset(
    {"admin", "administrator", "official", "operator", "root", "staff", "support", "system"}
    | {"blocksigner", "ca", "masterca", "tokenowner", "treasury"}
    | {"공식", "본사", "지갑", "시스템"}
)
#: Nobody is called anything with this in it.
_RESERVED_PARTS = ("jigap", "운영자", "관리자", "고객센터", "고객지원")


class ShopNameMalformed(Refusal):
    """A shop's name is a short line that everybody can read."""

    code = "shop_name_malformed"
    kind = Kind.INVALID
    hint = (
        "Use 2 to 30 letters (Hangul, Latin, Chinese or Japanese), digits, single spaces and "
        "& ' ( ) . , - · + ! / #, with at least one letter."
    )


class ShopNameReserved(Refusal):
    """A shop must not look like the platform itself."""

    code = "shop_name_reserved"
    kind = Kind.INVALID
    hint = "Choose a name that nobody takes for ours."


def shop_name_of(text: str) -> str:
    """The one form of a shop's name. Raises ``ShopNameMalformed`` or ``ShopNameReserved``."""
    if any(unicodedata.category(one).startswith("C") for one in text):
        raise ShopNameMalformed("There are invisible characters in this name.")
    name = unicodedata.normalize("NFKC", text).strip()
    if not CHARS_MIN <= len(name) <= CHARS_MAX or "  " in name:
        raise ShopNameMalformed("This name is too short, too long or has gaps.", length=len(name))
    if not all(_is_letter(one) or one in _OTHERS for one in name):
        raise ShopNameMalformed("There are characters in this name that nobody may use.")
    if not any(_is_letter(one) for one in name):
        raise ShopNameMalformed("There is no letter in this name.")
    key = shop_key(name)
    if key in _RESERVED or any(part in key for part in _RESERVED_PARTS):
        raise ShopNameReserved("This name is reserved.")
    return name


def shop_key(name: str) -> str:
    """What two names have in common that read the same."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    plain = (one for one in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(one))
    joined = unicodedata.normalize("NFKC", "".join(plain)).replace("ı", "i")
    return "".join(one for one in joined if one.isalnum())


def _is_letter(one: str) -> bool:
    """Of Latin those that languages are written in: others are drawn like them (``ɡ``, ``ɪ``)."""
    name = unicodedata.name(one, "")
    if name.startswith("LATIN ") and unicodedata.normalize("NFKD", one)[0] >= _LATIN_END:
        return False
    return one.isalpha() and name.startswith(_SCRIPTS)

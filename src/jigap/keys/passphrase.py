"""What a passphrase may be. Pure.

A passphrase is compared by its NFC form, so that 지갑 typed on a Mac and on a phone is the same.
"""

import unicodedata

from jigap.refusal import Kind, Refusal

LENGTH_MIN = 8
BYTES_MAX = 256
DISTINCT_MIN = 4


class PassphraseWeak(Refusal):
    """The passphrase may not be used: too short, too long, or too simple."""

    code = "passphrase_weak"
    kind = Kind.INVALID
    hint = "Use 8 characters or more; a few words that do not belong together are best."


def normalized(passphrase: str) -> str:
    """The form that keys are derived from."""
    return unicodedata.normalize("NFC", passphrase)


def chosen(passphrase: str) -> str:
    """The normalized form of a passphrase somebody chooses. Raises ``PassphraseWeak``."""
    text = normalized(passphrase)
    if len(text) < LENGTH_MIN:
        raise PassphraseWeak(
            f"A passphrase has at least {LENGTH_MIN} characters.", length_min=LENGTH_MIN
        )
    if len(text.encode("utf-8", "surrogatepass")) > BYTES_MAX:
        raise PassphraseWeak(
            f"A passphrase has at most {BYTES_MAX} bytes of UTF-8.", bytes_max=BYTES_MAX
        )
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise PassphraseWeak("A passphrase has no control characters.")
    if len(set(text)) < DISTINCT_MIN:
        raise PassphraseWeak(
            f"A passphrase has at least {DISTINCT_MIN} different characters.",
            distinct_min=DISTINCT_MIN,
        )
    return text

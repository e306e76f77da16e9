"""One-time codes: what an authenticator app shows, and the codes for the day it is lost. Pure.

A code of the app (TOTP, RFC 6238: SHA-1, six digits, 30 seconds) belongs to a time step, the number
of half minutes since 1970. A clock may be one step off either way. Whoever accepts a code remembers
its step and takes only later ones: a code that somebody has read over a shoulder is worth nothing.
"""

import base64
import hmac

import pyotp

STEP_MS = 30_000
WINDOW = 1
SECRET_BYTES = 20  # as long as the hash, as RFC 4226 recommends
ISSUER = "jigap"

RECOVERY_CODES = 10
RECOVERY_CODE_BYTES = 10
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_MISREAD = str.maketrans("oil", "011", "- ")


def secret_of(randomness: bytes) -> str:
    """The secret of these 20 random bytes, as an app takes it."""
    assert len(randomness) == SECRET_BYTES
    return base64.b32encode(randomness).decode()


def step_of(now_ms: int) -> int:
    """The time step of a moment."""
    return now_ms // STEP_MS


def code_of(secret: str, step: int) -> str:
    """The six digits that the app shows during a step."""
    return pyotp.TOTP(secret).generate_otp(step)


def step_shown(secret: str, otp: str, now_ms: int, after: int | None) -> int | None:
    """The step of which ``otp`` is the code: near now, and later than ``after``; else None."""
    typed = otp.replace(" ", "").encode("utf-8", "surrogatepass")
    now = step_of(now_ms)
    steps = [
        step
        for step in range(now - WINDOW, now + WINDOW + 1)
        if hmac.compare_digest(code_of(secret, step).encode(), typed)
    ]
    return next((step for step in steps if after is None or step > after), None)


def uri_of(secret: str, login: str) -> str:
    """The ``otpauth:`` address that an app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)


def recovery_code(randomness: bytes) -> str:
    """A recovery code of 10 random bytes: four groups of four, nothing that looks like another."""
    assert len(randomness) == RECOVERY_CODE_BYTES
    number = int.from_bytes(randomness, "big")
    letters = "".join(_ALPHABET[(number >> shift) & 31] for shift in range(75, -1, -5))
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def recovery_code_typed(text: str) -> str:
    """The one form of a recovery code that somebody typed."""
    return text.strip().lower().translate(_MISREAD)

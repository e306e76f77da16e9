"""Which passwords nobody may choose: those that are guessed first.

Refused are the 30,000 most common passwords, in any case, and a word of ours or one's own member id
with nothing around it but digits and marks (``jigap2026!``). Nothing else is asked of a password
but its length: no capital, no digit, no mark, and no change from time to time.

Only who *chooses* a password is told; one that was chosen before keeps signing in.
"""

import unicodedata
from functools import cache

from jigap.members.member import PasswordWeak, password_of

#: Words that say where a password is for; SECURITY.md and docs/security/asvs.md point here.
OUR_WORDS = frozenset(
    {
        *("jigap", "지갑", "symverse", "symid", "wallet", "token", "tokens", "payment", "payments"),
        *("member", "operator", "admin", "administrator", "seller", "treasury", "korea"),
        *("password", "passphrase", "비밀번호", "암호", "결제", "송금"),
    }
)


def chosen_password(text: str, login: str = "") -> str:
    """A new password in its one form. Raises ``PasswordWeak``.

    ``login`` is the member id it is for, where that is known.
    """
    password = password_of(text)
    folded = unicodedata.normalize("NFKC", password).casefold()
    core = _core(folded)
    if folded in _common() or core in OUR_WORDS or (core and core == _core(login.casefold())):
        raise PasswordWeak("This password is one of the first that are guessed.")
    return password


def _core(text: str) -> str:
    """What is left without digits, marks and spaces at both ends."""
    letters = [place for place, one in enumerate(text) if one.isalpha()]
    return text[letters[0] : letters[-1] + 1] if letters else ""


@cache
def _common() -> frozenset[str]:
    # Loaded when the first password is chosen: it takes longer than the rest of this package.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(one.casefold() for one in FREQUENCY_LISTS["passwords"])

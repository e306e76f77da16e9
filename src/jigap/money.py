"""Integer amounts and the text people write for them.

Money inside the system is always an ``int`` of the smallest unit: hug for SYM (1 SYM = 10**18 hug),
base units for a token (1 token = 10**decimals). At the edge an amount is a decimal string in whole
tokens, written one way only: no sign, no exponent, no leading zero, no trailing zero, no comma.
"""

import re

from jigap.refusal import Kind, Refusal

HUG_PER_SYM = 10**18
SYM_DECIMALS = 18
TOKEN_DECIMALS = 18
AMOUNT_MAX = 2**256 - 1

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,77})(?:\.([0-9]{1,18}))?", re.ASCII)


class AmountMalformed(Refusal):
    """The text is not an amount."""

    code = "amount_malformed"
    kind = Kind.INVALID
    hint = 'Write the amount as a decimal string such as "5000" or "12.5", without sign or comma.'


def parse_amount(text: str, decimals: int = TOKEN_DECIMALS) -> int:
    """The number of base units that a decimal string such as ``"12.5"`` means.

    Raises ``AmountMalformed`` for anything else, for more than ``decimals`` places and for amounts
    over 256 bits. Zero is an amount; whether it is allowed is the caller's rule.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise AmountMalformed("This is not an amount.", amount=text[:100])
    whole, fraction = match[1], match[2] or ""
    if len(fraction) > decimals:
        raise AmountMalformed(
            f"At most {decimals} decimal places are possible.", amount=text, decimals=decimals
        )
    units: int = int(whole) * 10**decimals + int(fraction.ljust(decimals, "0") or 0)
    if units > AMOUNT_MAX:
        raise AmountMalformed("This amount does not fit in 256 bits.", amount=text)
    return units


def format_amount(units: int, decimals: int = TOKEN_DECIMALS) -> str:
    """The one decimal string for an amount: ``125`` with 1 decimal is ``12.5``."""
    whole, fraction = divmod(units, 10**decimals)
    if not fraction:
        return str(whole)
    return f"{whole}.{str(fraction).rjust(decimals, '0').rstrip('0')}"

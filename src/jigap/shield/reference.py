"""The reference number of a refusal, which is the record of it. Pure.

Whoever is turned away is given a number, and an operator can say of that number when it was, from
where, and by which rule. Nothing is stored for it, so that a flood of refusals writes nothing: the
number *is* what happened, one AES block under a key of the platform's. To anybody else it is noise
(it shows neither address nor rule), and a made-up number opens to nothing.

In the block: seconds since 1970 (4), rule and class of route (1), 4 or 6 (1), the IPv4 address or
the /64 (8), zeros (2).
"""

from dataclasses import dataclass
from ipaddress import ip_network

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from jigap.entropy import BASE32
from jigap.refusal import Kind, Refusal
from jigap.shield.address import Address, Network
from jigap.shield.verdict import Rule

KEY_PURPOSE = "shield-reference"
LENGTH = 29
#: What sort of route was asked for, as far as that was known.
ROUTE_CLASSES = ("", "read", "write", "money", "sign_in")
#: No reference is older than the project.
_EPOCH_S = 1_700_000_000
_AHEAD_S = 600
_RULES = tuple(Rule)
_RULE_NUMBERS = {rule: number for number, rule in enumerate(_RULES)}
_CLASS_NUMBERS = {name: number for number, name in enumerate(ROUTE_CLASSES)}
_PAIRS = [one + other for one in BASE32 for other in BASE32]
_DIGITS = {digit: number for number, digit in enumerate(BASE32)} | {"o": 0, "i": 1, "l": 1}


class ReferenceUnknown(Refusal):
    """No refusal of this platform has this number."""

    code = "reference_unknown"
    kind = Kind.MISSING
    hint = "Copy the whole number from the page: 26 letters and digits."


@dataclass(frozen=True, slots=True)
class Refused:
    """What a reference number says. ``network`` is an IPv4 address as /32, or a /64."""

    at_s: int
    rule: Rule
    route_class: str
    network: Network


class References:
    """Writes and opens reference numbers."""

    def __init__(self, key: bytes) -> None:
        cipher = Cipher(AES(key), ECB())  # one block each, so there is nothing to chain
        self._seal = cipher.encryptor().update
        self._open = cipher.decryptor().update

    def make(self, tail: bytes, rule: Rule, now_s: float, route_class: str = "") -> str:
        """The number of a refusal; ``tail`` is ``tail_of`` its address."""
        kind = _RULE_NUMBERS[rule] << 3 | _CLASS_NUMBERS[route_class]
        block = self._seal((int(now_s) << 8 | kind).to_bytes(5, "big") + tail)
        n = int.from_bytes(block, "big") << 2
        p = _PAIRS
        return (
            f"{p[n >> 120]}{p[n >> 110 & 1023]}{p[n >> 100 & 1023]}{p[n >> 90 & 1023]}"
            f"-{p[n >> 80 & 1023]}{p[n >> 70 & 1023]}{p[n >> 60 & 1023]}"
            f"-{p[n >> 50 & 1023]}{p[n >> 40 & 1023]}{p[n >> 30 & 1023]}"
            f"-{p[n >> 20 & 1023]}{p[n >> 10 & 1023]}{p[n & 1023]}"
        )

    def open(self, text: str, now_s: float) -> Refused:
        """What a number says, however it is typed. Raises ``ReferenceUnknown``."""
        block = self._open(_block_of(text))
        at_s, kind, version = int.from_bytes(block[:4], "big"), block[4], block[5]
        rule, route_class, spare = kind >> 3, kind & 7, block[10 if version == 4 else 14 :]
        if (
            version not in (4, 6)
            or any(spare)
            or rule >= len(_RULES)
            or route_class >= len(ROUTE_CLASSES)
            or not _EPOCH_S <= at_s <= now_s + _AHEAD_S
        ):
            raise _unknown()
        return Refused(at_s, _RULES[rule], ROUTE_CLASSES[route_class], _network(version, block))


def tail_of(address: Address) -> bytes:
    """The end of the block that is the same for every refusal of one address."""
    start = address.packed[:8]  # all of IPv4, the /64 of IPv6
    return bytes((address.version,)) + start.ljust(8, b"\0") + b"\0\0"


def _network(version: int, block: bytes) -> Network:
    if version == 4:
        return ip_network(block[6:10])
    return ip_network((block[6:14] + bytes(8), 64))


def _block_of(text: str) -> bytes:
    digits = text.lower().replace("-", "").replace(" ", "")
    number = 0
    for digit in digits if len(digits) == 26 else "?":
        if digit not in _DIGITS:
            raise _unknown()
        number = number << 5 | _DIGITS[digit]
    if number & 3:
        raise _unknown()
    return (number >> 2).to_bytes(16, "big")


def _unknown() -> ReferenceUnknown:
    return ReferenceUnknown("This is not the number of a refusal.")

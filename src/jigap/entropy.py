"""The only reader of system randomness, and the shape of the ids made from it.

Ids are prefixed and sortable: ``tr_`` + 10 characters of milliseconds + 16 of randomness, in
Crockford's base 32. Sorting by id is sorting by time of making, to the millisecond.
"""

import secrets

BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"


def random_bytes(count: int) -> bytes:
    """``count`` bytes from the operating system."""
    return secrets.token_bytes(count)


def new_id(prefix: str, now_ms: int) -> str:
    """A new id such as ``tr_01jd…`` for a thing made at ``now_ms``."""
    return make_id(prefix, now_ms, random_bytes(10))


def make_id(prefix: str, now_ms: int, randomness: bytes) -> str:
    """The id of a thing made at ``now_ms`` with these 10 random bytes."""
    number = (now_ms << 80) | int.from_bytes(randomness, "big")
    return prefix + "_" + "".join(BASE32[(number >> shift) & 31] for shift in range(125, -1, -5))


def new_token(count: int = 32) -> str:
    """A bearer secret of ``count`` random bytes, URL-safe."""
    return secrets.token_urlsafe(count)

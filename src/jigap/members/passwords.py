"""Passwords of members: argon2id, off the event loop, a bounded number at a time.

The cost follows OWASP (19 MiB, two passes, one lane). A login nobody has costs the same time as one
that exists, because a password is then checked against a hash that nothing matches.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from jigap.refusal import Kind, Refusal

P = ParamSpec("P")
T = TypeVar("T")

_HASHER = PasswordHasher(
    time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)
#: Made with these parameters from random bytes that nobody kept: no password matches it.
_NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1"
    "$T+Ny5/BRtyjKed6xB94tiQ$gCZa6NuKbI/S5JIW59VDv0DYXzJfz0IzdzR04pI9jMs"
)


class PasswordsBusy(Refusal):
    """As many passwords as we allow are being checked."""

    code = "passwords_busy"
    kind = Kind.BUSY
    retryable = True
    hint = "Many people are signing in; try again in a moment."


class Passwords(Protocol):
    """Hashing, whoever does it."""

    async def hash(self, password: str) -> str: ...

    async def matches(self, password: str, hash_: str | None) -> bool: ...

    def is_outdated(self, hash_: str) -> bool: ...


class Argon2Pool:
    """``threads`` passwords at a time, ``queue_max`` more may wait."""

    def __init__(self, threads: int = 2, queue_max: int = 64) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = threads + queue_max

    async def hash(self, password: str) -> str:
        """A new hash. Raises ``PasswordsBusy``."""
        return await self._run(hash_password, password)

    async def matches(self, password: str, hash_: str | None) -> bool:
        """Whether the password is the one; with None the answer is no, after the same work."""
        return await self._run(_matches, password, hash_)

    def is_outdated(self, hash_: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return _HASHER.check_needs_rehash(hash_)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        if self._places == 0:
            raise PasswordsBusy("Too many passwords are being checked.", retry_after_s=1)
        self._places -= 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, partial(work, *arguments, **named))
        finally:
            self._places += 1


def hash_password(password: str) -> str:
    """The argon2id hash of a password, at once (for the command line)."""
    return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def _matches(password: str, hash_: str | None) -> bool:
    try:
        _HASHER.verify(hash_ or _NOBODY, password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return hash_ is not None

"""The base of every expected "no".

A refusal is an answer, not an accident: it has a stable ``code`` that programs may match on, a
sentence that tells a person what to do, and the facts that disagreed. Each one lives beside the
rule that raises it; only the web layer turns it into HTTP and only the command line into an exit
status. Anything that is *not* a ``Refusal`` is a bug or a broken machine.
"""

from enum import Enum
from typing import Any, ClassVar


class Kind(Enum):
    """What sort of "no" it is: decides the HTTP status and nothing else."""

    MALFORMED = "malformed"  # the request itself cannot be read
    INVALID = "invalid"  # readable, but breaks a rule about its own content
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    CONFLICT = "conflict"  # the present state does not allow it
    TOO_MANY = "too_many"  # come back later: the caller's own limit
    BUSY = "busy"  # come back later: our limit
    UNAVAILABLE = "unavailable"  # a part we need is not there


class Refusal(Exception):
    """An expected refusal.

    Class attributes: ``code`` (stable, snake_case), ``kind``, ``retryable`` (whether the very same
    request may succeed later), ``hint`` (what to do). ``facts`` are the values that disagreed; they
    are shown to the caller, so they never hold a secret.
    """

    code: ClassVar[str]
    kind: ClassVar[Kind] = Kind.CONFLICT
    retryable: ClassVar[bool] = False
    hint: ClassVar[str] = ""

    def __init__(self, detail: str, *, retry_after_s: int | None = None, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.facts = facts


def every_refusal() -> list[type[Refusal]]:
    """Every refusal class that has been imported, by code; the error reference is made of it."""
    found: list[type[Refusal]] = []
    waiting = list(Refusal.__subclasses__())
    while waiting:
        one = waiting.pop()
        waiting.extend(one.__subclasses__())
        if "code" in vars(one):
            found.append(one)
    return sorted(set(found), key=lambda refusal: refusal.code)

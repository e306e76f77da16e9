"""What our layers tell each other of a request, in its ASGI scope."""

from typing import Any

from jigap.shield import Source

SOURCE = "jigap.source"
REFUSED = "jigap.refused"


def source_in(scope: Any) -> Source | None:
    """Where the request comes from, once the connection or the gate has said it."""
    found: Source | None = scope.get(SOURCE)
    return found


def note_refused(scope: Any, code: str) -> None:
    """Say with which refusal the request was answered."""
    scope[REFUSED] = code


def refused_in(scope: Any) -> str:
    """The code of the refusal that the request was answered with, or nothing."""
    return str(scope.get(REFUSED, ""))

"""What can become of a signed transaction: the states and the arrows between them.

``unknown`` means that the bytes may be anywhere: they were handed to the network and no answer came
back. It is never read as failure. A row leaves the first four states only by what a block shows:

    signed ──> unknown <──> sent          the payment itself is on its way
       └──────────┴──────────┴──> cancelling   its cancel is on its way, too
    any of these ──> confirmed | refused | void

``confirmed``: mined, receipt 1. ``refused``: mined, receipt 0. ``void``: its nonce was used by
another transaction (its own cancel or an outsider's), so that it can never be mined any more.
"""

from enum import StrEnum


class State(StrEnum):
    """Where an outgoing transaction stands."""

    SIGNED = "signed"
    UNKNOWN = "unknown"
    SENT = "sent"
    CANCELLING = "cancelling"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    VOID = "void"

    @property
    def is_final(self) -> bool:
        """Whether nothing can change it any more."""
        return self in FINAL


FINAL = frozenset({State.CONFIRMED, State.REFUSED, State.VOID})

NEXT: dict[State, frozenset[State]] = {
    State.SIGNED: frozenset({State.UNKNOWN, State.CANCELLING}) | FINAL,
    State.UNKNOWN: frozenset({State.SENT, State.CANCELLING}) | FINAL,
    State.SENT: frozenset({State.UNKNOWN, State.CANCELLING}) | FINAL,
    State.CANCELLING: FINAL,
    State.CONFIRMED: frozenset(),
    State.REFUSED: frozenset(),
    State.VOID: frozenset(),
}


class IllegalTransition(Exception):
    """A bug: somebody tried to move a row along an arrow that does not exist."""


def advance(present: State, wanted: State) -> State:
    """``wanted``, if there is an arrow to it from ``present``."""
    if wanted not in NEXT[present]:
        raise IllegalTransition(f"{present} -> {wanted}")
    return wanted

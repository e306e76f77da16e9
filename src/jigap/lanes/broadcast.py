"""Which bytes a lane should put on the wire now, and what the node's answer means. Pure.

A lane goes out in nonce order. It stops at the first transaction that must wait: its account cannot
pay for it yet, or its owner is frozen and it has never left us. After its deadline a transaction's
cancel goes out instead of it, for ever: whichever of the two is mined decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jigap.lanes.outcome import Outgoing
from jigap.lanes.states import State

RESEND_UNKNOWN_MS = 500
RESEND_SENT_MS = 10_000

#: Words of a node that say "not now" rather than "never"; everything else it says is "never".
NOT_NOW = (
    "nonce too low",
    "nonce too high",
    "insufficient funds",
    "pool is full",
    "too many transactions",
    "busy",
)


@dataclass(frozen=True, slots=True)
class Departure:
    """Bytes to hand to the node, and the state to record before doing so."""

    outgoing: Outgoing
    raw: bytes
    state: State


@dataclass(frozen=True, slots=True)
class LaneView:
    """What decides about one lane, as of the indexed height."""

    nonce: int
    balance_hug: int
    frozen: bool


def departures(view: LaneView, waiting: Sequence[Outgoing], now_ms: int) -> list[Departure]:
    """What of this lane should leave now. ``waiting`` is in nonce order."""
    leaving: list[Departure] = []
    funds_hug = view.balance_hug
    for entry in waiting:
        cancelling = _cancels(entry, view, now_ms)
        cost_hug = entry.fee_max_hug + (0 if cancelling else entry.value_hug)
        if cost_hug > funds_hug:
            break
        if view.frozen and entry.state is State.SIGNED and not cancelling:
            break
        funds_hug -= cost_hug
        if entry.nonce >= view.nonce and _is_due(entry, cancelling, now_ms):
            raw = entry.cancel_raw if cancelling else entry.raw
            state = State.CANCELLING if cancelling else _before_sending(entry.state)
            leaving.append(Departure(entry, raw, state))
    return leaving


def after_answer(departure: Departure, kind: str, message: str) -> State:
    """The state to record when the node has answered ``accepted|known|rejected|unknown``."""
    if departure.state is State.CANCELLING:
        return State.CANCELLING
    if kind in ("accepted", "known"):
        return State.SENT
    if kind == "rejected" and not any(words in message for words in NOT_NOW):
        return State.CANCELLING
    return State.UNKNOWN


def left(departure: Departure) -> Outgoing:
    """The row as it stands once its departure has been recorded."""
    return replace(departure.outgoing, state=departure.state)


def _cancels(entry: Outgoing, view: LaneView, now_ms: int) -> bool:
    return entry.state is State.CANCELLING or now_ms >= entry.deadline_ms


def _before_sending(state: State) -> State:
    return State.SENT if state is State.SENT else State.UNKNOWN


def _is_due(entry: Outgoing, cancelling: bool, now_ms: int) -> bool:
    if entry.state is State.SIGNED or (cancelling and entry.state is not State.CANCELLING):
        return True
    pause_ms = RESEND_SENT_MS if entry.state is State.SENT else RESEND_UNKNOWN_MS
    # A clock that was set back must not keep anything waiting.
    return not 0 <= now_ms - entry.last_sent_ms < pause_ms

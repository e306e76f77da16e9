"""Lanes: one account, one sequence of nonces, and every signed transaction until a block ends it.

A payment, a gas refill and a token operation differ in what they mean; here they are the same:
bytes recorded before they are sent, sent in order, sent again after any doubt, and ended by a block
only.
"""

from jigap.lanes.broadcast import Departure, LaneView, after_answer, departures, left
from jigap.lanes.outcome import Outgoing, Settled, adopted
from jigap.lanes.prepare import Signer, sign_with_cancel, transaction
from jigap.lanes.readiness import dispatch, set_dispatch_state
from jigap.lanes.records import (
    NonceTaken,
    adopt,
    expire_unsent,
    has_late,
    is_lane,
    known,
    lanes,
    move,
    next_nonce,
    note_stuck,
    open_lane,
    outgoing,
    owed,
    owed_by,
    recompute,
    record,
    settle,
    stuck,
    unfinished,
    with_tag,
    without_lane,
)
from jigap.lanes.states import FINAL, State
from jigap.lanes.tag import TagKeys

__all__ = [
    "FINAL",
    "Departure",
    "LaneView",
    "NonceTaken",
    "Outgoing",
    "Settled",
    "Signer",
    "State",
    "TagKeys",
    "adopt",
    "adopted",
    "after_answer",
    "departures",
    "dispatch",
    "expire_unsent",
    "has_late",
    "is_lane",
    "known",
    "lanes",
    "left",
    "move",
    "next_nonce",
    "note_stuck",
    "open_lane",
    "outgoing",
    "owed",
    "owed_by",
    "recompute",
    "record",
    "set_dispatch_state",
    "settle",
    "sign_with_cancel",
    "stuck",
    "transaction",
    "unfinished",
    "with_tag",
    "without_lane",
]

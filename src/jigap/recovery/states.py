"""How the recovery of a forgotten payment passphrase goes on: the states and the rules. Pure.

    requested ──> waiting ──> approved_once ──> approved ──> opened ──> done
        │            │              │              │            │
        └────────────┴──────────────┴──────────────┴────────────┴──> cancelled, refused, expired

``requested``: the member is being checked. ``waiting``: the check was right; whoever is the member
has until ``ready_ms`` to say no, and is told on every device. Then one operator approves, and then
another. ``approved``: the holder of the offline key is asked. ``opened``: the answer is here; the
member chooses a new passphrase.

It ends at once when the old passphrase turns out not to be forgotten: the next payment signed or
passphrase changed with it cancels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from jigap.refusal import Kind, Refusal


class State(StrEnum):
    """How far a recovery has come."""

    REQUESTED = "requested"
    WAITING = "waiting"
    APPROVED_ONCE = "approved_once"
    APPROVED = "approved"
    OPENED = "opened"
    DONE = "done"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    EXPIRED = "expired"


_ENDS = frozenset({State.CANCELLED, State.REFUSED, State.EXPIRED})
#: From each state to each that may follow it.
TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.WAITING}) | _ENDS,
    State.WAITING: frozenset({State.APPROVED_ONCE}) | _ENDS,
    State.APPROVED_ONCE: frozenset({State.APPROVED}) | _ENDS,
    State.APPROVED: frozenset({State.OPENED}) | _ENDS,
    State.OPENED: frozenset({State.DONE}) | _ENDS,
    State.DONE: frozenset(),
    State.CANCELLED: frozenset(),
    State.REFUSED: frozenset(),
    State.EXPIRED: frozenset(),
}
#: States in which something may still be done.
OPEN = frozenset(state for state, following in TRANSITIONS.items() if following)

#: Why a recovery was cancelled.
BY_MEMBER, PASSPHRASE_USED = "by_member", "passphrase_used"
KEY_CHANGED, PASSWORD_RESET = "key_changed", "password_reset"
REPLACED = "replaced"


class RecoveryUnavailable(Refusal):
    """Nobody can recover this passphrase: there is no recovery key, or no slot for it."""

    code = "recovery_unavailable"
    hint = "Only the passphrase opens this wallet. If it is lost, an operator can say what is left."


class RecoveryUnknown(Refusal):
    """There is no such recovery."""

    code = "recovery_unknown"
    kind = Kind.MISSING
    hint = "A member begins one with POST /api/v1/me/recovery."


class RecoveryUnderWay(Refusal):
    """A recovery of this wallet is under way."""

    code = "recovery_under_way"
    hint = "GET /api/v1/me/recovery shows it, DELETE cancels it."


class RecoveryNotThere(Refusal):
    """The recovery is in another state than this needs; ``state`` says in which."""

    code = "recovery_not_there"
    hint = "Look at `state`: each step has its turn."


class RecoveryWaits(Refusal):
    """The time in which the member may say no is not over."""

    code = "recovery_waits"
    retryable = True
    hint = "Come back when it is ready; Retry-After says when."


class RecoveryOwn(Refusal):
    """No operator has a hand in the recovery of their own wallet."""

    code = "recovery_own"
    kind = Kind.FORBIDDEN
    hint = "Two other operators decide."


class RecoverySameOperator(Refusal):
    """The second approval comes from another operator than the first."""

    code = "recovery_same_operator"
    kind = Kind.FORBIDDEN
    hint = "Ask another operator."


@dataclass(frozen=True, slots=True)
class Recovery:
    """One recovery as it stands. ``reason`` says why it was cancelled or refused."""

    id: str
    member_id: str
    wallet_id: str
    state: State
    check_id: str
    version: int
    operators: tuple[str, ...]
    reason: str
    created_ms: int
    ready_ms: int | None
    expires_ms: int
    finished_ms: int | None


def becomes(state: State, next_: State) -> State:
    """``next_``, which must be allowed after ``state``; anything else is a bug."""
    assert next_ in TRANSITIONS[state], f"a recovery never goes from {state} to {next_}"
    return next_


def overtaken(
    found: Recovery, now_ms: int, *, opened_ms: int | None, version: int
) -> tuple[State, str] | None:
    """How an open recovery has ended by itself, and why; None if it has not.

    ``opened_ms`` is when the passphrase last opened the key, ``version`` the key's present one.
    """
    if found.state not in OPEN:
        return None
    if opened_ms is not None and opened_ms >= found.created_ms:
        return State.CANCELLED, PASSPHRASE_USED
    if version != found.version:
        return State.CANCELLED, KEY_CHANGED
    if now_ms >= found.expires_ms:
        return State.EXPIRED, ""
    return None


def must_be(found: Recovery, *states: State) -> None:
    """Raises ``RecoveryNotThere``."""
    if found.state not in states:
        raise RecoveryNotThere("This recovery is in another state.", state=found.state.value)


def must_be_anothers(found: Recovery, operator_id: str) -> None:
    """Raises ``RecoveryOwn``."""
    if operator_id == found.member_id:
        raise RecoveryOwn("This is the operator's own wallet.")


def approved(found: Recovery, operator_id: str, now_ms: int) -> State:
    """The state after this operator's approval.

    Raises ``RecoveryOwn``, ``RecoveryNotThere``, ``RecoveryWaits`` or ``RecoverySameOperator``.
    """
    must_be_anothers(found, operator_id)
    must_be(found, State.WAITING, State.APPROVED_ONCE)
    assert found.ready_ms is not None, "whoever waits knows for how long"
    if now_ms < found.ready_ms:
        left_s = -(-(found.ready_ms - now_ms) // 1000)
        raise RecoveryWaits("The waiting time is not over.", retry_after_s=left_s)
    if found.state is State.WAITING:
        return becomes(found.state, State.APPROVED_ONCE)
    if operator_id in found.operators:
        raise RecoverySameOperator("This operator approved already.")
    return becomes(found.state, State.APPROVED)

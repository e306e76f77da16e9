"""What a mined transaction means for the one we had prepared at its nonce. Pure."""

from dataclasses import dataclass

from jigap.lanes.states import State
from jigap.node.client import ChainTransaction


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A transaction we have signed, beside the cancel that was signed with it.

    ``fee_max_hug`` is what the account must be able to pay for it, ``value_hug`` what it moves in
    SYM. ``deadline_ms`` is when its cancel is sent instead. ``tag`` is what it carries in
    extraData.
    """

    sender: bytes
    nonce: int
    purpose: str
    subject_id: str
    hash: bytes
    raw: bytes
    cancel_hash: bytes
    cancel_raw: bytes
    fee_max_hug: int
    value_hug: int
    state: State
    created_ms: int
    deadline_ms: int
    tag: bytes
    last_sent_ms: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """The end of an outgoing transaction, as one block shows it."""

    outgoing: Outgoing
    state: State
    reason: str
    block_number: int
    time_ms: int


def outcome(
    prepared: Outgoing, mined_hash: bytes, ok: bool, err_code: int | None
) -> tuple[State, str]:
    """The final state of ``prepared`` when ``mined_hash`` used its nonce, and why."""
    if mined_hash == prepared.hash:
        if ok:
            return State.CONFIRMED, ""
        return State.REFUSED, f"sct_{err_code}" if err_code else "out_of_gas"
    if mined_hash == prepared.cancel_hash:
        return State.VOID, "cancelled"
    return State.VOID, "nonce_used_elsewhere"


def adopted(mined: ChainTransaction, purpose: str, subject_id: str, time_ms: int) -> Outgoing:
    """The row of a mined transaction of ours whose bytes and cancel we no longer have."""
    return Outgoing(
        sender=mined.sender,
        nonce=mined.nonce,
        purpose=purpose,
        subject_id=subject_id,
        hash=mined.hash,
        raw=b"",
        cancel_hash=bytes(32),
        cancel_raw=b"",
        fee_max_hug=mined.gas_limit * mined.gas_price,
        value_hug=mined.value,
        state=State.CONFIRMED if mined.status else State.REFUSED,
        created_ms=time_ms,
        deadline_ms=time_ms,
        tag=mined.extra_data,
    )

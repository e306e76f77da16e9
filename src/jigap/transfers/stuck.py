"""What no block ends: transactions long past their deadline, and why the chain does not take them.

Normally a payment that was not mined is undone by its cancel within seconds. If the chain takes
neither, because the payer's SymID was revoked after signing, because there is no gas or because the
node is away, the amount stays on hold: only the chain may decide, and it may still. An operator has
to know of it.
"""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from jigap import events, index, lanes, members
from jigap.lanes import Outgoing, State
from jigap.settings import Settings
from jigap.transfers import records
from jigap.transfers.transfer import PURPOSE


class Why(StrEnum):
    """What keeps a transaction from ending, as far as we can see it."""

    FROZEN = "frozen"  # never sent, and its owner is frozen without gas for the cancel
    REVOKED = "revoked"  # the chain takes nothing that this account signs
    NO_GAS = "no_gas"  # its account cannot pay for it
    NODE = "node"  # the node does not take it; its last word is kept


@dataclass(frozen=True, slots=True)
class Stuck:
    """A transaction that no block ends. ``member_id`` is None for those of service accounts.

    ``token`` and ``amount`` (base units) are what a payment holds, None for anything else.
    """

    outgoing: Outgoing
    since_ms: int
    why: Why
    member_id: str | None
    token: str | None
    amount: int | None


def is_due(connection: Connection, settings: Settings, now_ms: int) -> bool:
    """Whether ``note`` would find something."""
    return lanes.has_late(connection, settings.chain_id, _deadline_ms(settings, now_ms))


def note(connection: Connection, settings: Settings, now_ms: int) -> list[str]:
    """Tell once of everything that has become stuck; the subjects."""
    found = lanes.note_stuck(connection, settings.chain_id, _deadline_ms(settings, now_ms), now_ms)
    for entry in found:
        payer = None
        if entry.purpose == PURPOSE:
            payer = records.by_id(connection, entry.subject_id).member_id
        events.record(
            connection,
            "transaction.stuck",
            subject=entry.subject_id,
            member_id=payer,
            now_ms=now_ms,
            purpose=entry.purpose,
            state=entry.state.value,
        )
    return [entry.subject_id for entry in found]


def listed(connection: Connection, settings: Settings) -> list[Stuck]:
    """What is stuck, oldest first, as much as a page holds."""
    found = lanes.stuck(connection, settings.chain_id, settings.page_max)
    return [_told(connection, entry, since_ms) for entry, since_ms in found]


def why(entry: Outgoing, *, frozen: bool, active: bool, balance_hug: int) -> Why:
    """The first reason that explains it. Pure."""
    if not active:
        return Why.REVOKED
    if entry.fee_max_hug > balance_hug:
        return Why.FROZEN if frozen and entry.state is State.SIGNED else Why.NO_GAS
    return Why.NODE


def _told(connection: Connection, entry: Outgoing, since_ms: int) -> Stuck:
    member = members.by_symid(connection, entry.sender)
    active = True
    if member is not None and member.wallet is not None:
        active = index.is_active(connection, entry.sender, member.wallet.public_key_hash)
    reason = why(
        entry,
        frozen=member is not None and member.frozen,
        active=active,
        balance_hug=index.account(connection, entry.sender).balance_hug,
    )
    member_id = None if member is None else member.id
    if entry.purpose != PURPOSE:
        return Stuck(entry, since_ms, reason, member_id, None, None)
    row = records.by_id(connection, entry.subject_id)
    return Stuck(entry, since_ms, reason, member_id, row.token, row.amount)


def _deadline_ms(settings: Settings, now_ms: int) -> int:
    return now_ms - settings.stuck_after_s * 1000

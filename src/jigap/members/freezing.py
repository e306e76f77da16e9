"""Freezing: from now on nothing of a member's leaves.

A member freezes themselves with nothing but a session, because it must be quick; to lift it takes
the password again, and the one-time code of whoever has a second factor. What an operator froze
only an operator lifts. A freeze ends what was accepted and has never been on the wire: the
deadline of such a payment is brought forward, so that its cancel goes out and the amount comes
back, and nothing is paid by surprise when the member is free again. A delayed payment stays
delayed: it can be withdrawn, and confirmed once nobody is frozen. A raise of limits that was
pending is forgotten.
"""

from sqlalchemy import Connection

from jigap import audit, events, lanes
from jigap.clock import Clock
from jigap.database import Database
from jigap.index import printable
from jigap.keys import KeyRing
from jigap.members import own_limits, records
from jigap.members.accounts import MemberUnknown
from jigap.members.factors import note_recovery, use_otp
from jigap.members.held import account_of, hold
from jigap.members.member import FrozenBy
from jigap.members.proof import Proofs
from jigap.members.sessions import SignedIn
from jigap.refusal import Kind, Refusal

REASON_MAX_CHARS = 200


class FreezeReasonMissing(Refusal):
    """An operator says why."""

    code = "freeze_reason_missing"
    kind = Kind.INVALID
    hint = "Say why, in at most 200 characters, for the operators who come after."


class FrozenByOperator(Refusal):
    """An operator froze this member."""

    code = "frozen_by_operator"
    kind = Kind.FORBIDDEN
    hint = "Ask the operator; only an operator can lift this."


class Freezing:
    """Freezing and lifting it, by members and by operators."""

    def __init__(
        self, database: Database, ring: KeyRing, clock: Clock, chain_id: int, proofs: Proofs
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._chain_id = chain_id
        self._proofs = proofs

    async def freeze_oneself(self, member_id: str, reason: str = "") -> None:
        """Stop everything of one's own. Again, or over an operator's freeze, changes nothing."""
        await self._database.write(self._freeze, member_id, member_id, FrozenBy.MEMBER, reason)

    async def unfreeze_oneself(self, asker: SignedIn, password: str, otp: str | None) -> None:
        """Act again. If nothing is frozen nothing changes.

        Raises ``FrozenByOperator`` and what ``Proofs`` and ``use_otp`` raise.
        """
        await self._database.read(_own_freeze, asker.member.id)
        await self._proofs.password(asker, password)
        await self._database.write(self._unfreeze_oneself, asker, otp)

    async def freeze(self, operator_id: str, name_or_id: str, reason: str) -> str:
        """Stop everything of a member; the member's id.

        It takes the place of the member's own freeze. Again changes nothing. Raises
        ``MemberUnknown`` or ``FreezeReasonMissing``.
        """
        if not reason.strip():
            raise FreezeReasonMissing("A reason is missing.")
        member_id = await self._database.read(_id_of, name_or_id)
        await self._database.write(
            self._freeze, operator_id, member_id, FrozenBy.OPERATOR, reason.strip()
        )
        return member_id

    async def unfreeze(self, operator_id: str, name_or_id: str) -> str:
        """Let a member act again, whoever froze them; the member's id. Raises ``MemberUnknown``."""
        member_id = await self._database.read(_id_of, name_or_id)
        await self._database.write(self._unfreeze, operator_id, member_id, FrozenBy.OPERATOR)
        return member_id

    def _unfreeze_oneself(self, connection: Connection, asker: SignedIn, otp: str | None) -> None:
        member_id, now_ms = asker.member.id, self._clock.now_ms()
        hold(connection, self._chain_id, member_id)
        _own_freeze(connection, member_id)
        shown = use_otp(connection, self._ring, member_id, otp, now_ms)
        self._proofs.succeeded(connection, asker)
        self._unfreeze(connection, member_id, member_id, FrozenBy.MEMBER)
        note_recovery(connection, shown, member_id, now_ms)

    def _freeze(
        self, connection: Connection, actor: str, member_id: str, by: FrozenBy, reason: str
    ) -> None:
        member = hold(connection, self._chain_id, member_id)
        if member.frozen_by in (by, FrozenBy.OPERATOR):
            return
        now_ms = self._clock.now_ms()
        records.change(
            connection,
            member_id,
            frozen_ms=now_ms,
            frozen_by=by.value,
            frozen_reason=printable(reason, REASON_MAX_CHARS),
        )
        present = member.own_limits.at(now_ms)
        if present.raised_from_ms is not None:
            own_limits.write(connection, member_id, present.settled())
        account = account_of(member)
        if account is not None:
            lanes.expire_unsent(connection, self._chain_id, account, now_ms)
        _tell(connection, "frozen", actor, member_id, by, now_ms)

    def _unfreeze(self, connection: Connection, actor: str, member_id: str, by: FrozenBy) -> None:
        member = hold(connection, self._chain_id, member_id)
        if member.frozen_by is None:
            return
        records.change(connection, member_id, frozen_ms=None, frozen_by=None, frozen_reason="")
        _tell(connection, "unfrozen", actor, member_id, by, self._clock.now_ms())


def _own_freeze(connection: Connection, member_id: str) -> None:
    """Refuse to lift what an operator froze."""
    member = records.get(connection, member_id)
    if member is not None and member.frozen_by is FrozenBy.OPERATOR:
        raise FrozenByOperator("An operator froze this account.")


def _id_of(connection: Connection, name_or_id: str) -> str:
    member = records.by_login(connection, name_or_id) or records.get(connection, name_or_id)
    if member is None:
        raise MemberUnknown("There is no such member.")
    return member.id


def _tell(
    connection: Connection, what: str, actor: str, member_id: str, by: FrozenBy, now_ms: int
) -> None:
    events.record(
        connection,
        f"member.{what}",
        subject=member_id,
        member_id=member_id,
        now_ms=now_ms,
        by=by.value,
    )
    audit.append(
        connection,
        now_ms=now_ms,
        actor=actor,
        action="member:freeze" if what == "frozen" else "member:unfreeze",
        object_=member_id,
        detail=by.value,
    )

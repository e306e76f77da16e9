"""Recoveries as operators see them: two approve, one carries the files to the offline key and back.

Nobody here sees a key: the request file holds a slot that only the offline key opens, the answer is
sealed to the platform, and what is kept of it only the member's new passphrase puts to use.
"""

from sqlalchemy import Connection

from jigap import audit, entropy, members
from jigap.clock import Clock
from jigap.database import Database
from jigap.keys import KeyRing, handover, stored
from jigap.keys.envelope import Label
from jigap.keys.handover import Answer, Request
from jigap.members import may_act
from jigap.recovery import records
from jigap.recovery.states import OPEN, Recovery, State, approved, must_be, must_be_anothers


class RecoveryDesk:
    """What operators do with recoveries. Each deed is in the audit trail."""

    def __init__(self, database: Database, ring: KeyRing, clock: Clock) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock

    async def page(self, before: str | None, limit: int) -> list[Recovery]:
        """All recoveries, newest first, ids below ``before``."""
        return await self._database.read(records.page, before, limit, self._clock.now_ms())

    async def get(self, recovery_id: str) -> Recovery:
        """One recovery. Raises ``RecoveryUnknown``."""
        return await self._database.read(records.get, recovery_id, self._clock.now_ms())

    async def approve(self, operator_id: str, recovery_id: str) -> Recovery:
        """The first approval, or the second by another operator.

        Raises ``RecoveryUnknown``, ``RecoveryOwn``, ``RecoveryNotThere``, ``RecoveryWaits``,
        ``RecoverySameOperator`` or ``MemberFrozen``.
        """
        return await self._database.write(
            self._approve, operator_id, recovery_id, self._clock.now_ms()
        )

    async def refuse(self, operator_id: str, recovery_id: str, reason: str) -> Recovery:
        """End a recovery. ``reason`` is for the operators who come after.

        Raises ``RecoveryUnknown``, ``RecoveryOwn`` or ``RecoveryNotThere``.
        """
        now_ms = self._clock.now_ms()
        return await self._database.write(self._refuse, operator_id, recovery_id, reason, now_ms)

    async def request(self, operator_id: str, recovery_id: str) -> Request:
        """The file for the holder of the offline key, after the second approval.

        Raises ``RecoveryUnknown``, ``RecoveryOwn``, ``RecoveryNotThere`` or
        ``RecoverySlotMissing``.
        """
        return await self._database.write(
            self._request, operator_id, recovery_id, self._clock.now_ms()
        )

    async def answer(self, operator_id: str, recovery_id: str, given: Answer) -> Recovery:
        """Take what the offline half made of the request.

        Raises ``RecoveryUnknown``, ``RecoveryOwn``, ``RecoveryNotThere``, ``MemberFrozen`` or
        ``RecoveryAnswerInvalid``.
        """
        return await self._database.write(
            self._answer, operator_id, recovery_id, given, self._clock.now_ms()
        )

    def _approve(
        self, connection: Connection, operator_id: str, recovery_id: str, now_ms: int
    ) -> Recovery:
        found = records.get(connection, recovery_id, now_ms, lock=True)
        next_ = approved(found, operator_id, now_ms)
        _member_may_act(connection, found)
        operators = ",".join((*found.operators, operator_id))
        records.move(connection, found, next_, operator_id, now_ms, operators=operators)
        return records.get(connection, recovery_id, now_ms)

    def _refuse(
        self,
        connection: Connection,
        operator_id: str,
        recovery_id: str,
        reason: str,
        now_ms: int,
    ) -> Recovery:
        found = records.get(connection, recovery_id, now_ms, lock=True)
        must_be_anothers(found, operator_id)
        must_be(found, *OPEN)
        records.move(connection, found, State.REFUSED, operator_id, now_ms, reason=reason)
        return records.get(connection, recovery_id, now_ms)

    def _request(
        self, connection: Connection, operator_id: str, recovery_id: str, now_ms: int
    ) -> Request:
        found = records.get(connection, recovery_id, now_ms, lock=True)
        must_be_anothers(found, operator_id)
        must_be(found, State.APPROVED)
        key = stored(connection, found.wallet_id)
        made = handover.request(found.id, key.envelope, self._ring)
        audit.append(
            connection,
            now_ms=now_ms,
            actor=operator_id,
            action="recovery:download",
            object_=found.id,
        )
        return made

    def _answer(
        self,
        connection: Connection,
        operator_id: str,
        recovery_id: str,
        given: Answer,
        now_ms: int,
    ) -> Recovery:
        found = records.get(connection, recovery_id, now_ms, lock=True)
        must_be_anothers(found, operator_id)
        must_be(found, State.APPROVED)
        _member_may_act(connection, found)
        key = stored(connection, found.wallet_id)
        label = Label(key.wallet_id, key.public_key_hash, key.version)
        nonce = entropy.random_bytes(records.NONCE_BYTES)
        sealed = handover.accept(given, found.id, label, self._ring, nonce=nonce)
        records.move(connection, found, State.OPENED, operator_id, now_ms, secret_sealed=sealed)
        return records.get(connection, recovery_id, now_ms)


def _member_may_act(connection: Connection, found: Recovery) -> None:
    member = members.get(connection, found.member_id)
    assert member is not None, "members are never deleted"
    may_act(member)

"""A forgotten payment passphrase, as its member gets over it.

Begin and type the code of a fresh real-name check; wait; choose a new passphrase once the operators
have opened the key. At any moment before that, from any device, say no.
"""

from sqlalchemy import Connection

from jigap import entropy, members
from jigap.clock import Clock
from jigap.database import Database
from jigap.keys import Vault, envelope, stored
from jigap.members import Member, WalletMissing, may_act
from jigap.realname import (
    Check,
    Details,
    Purpose,
    RealName,
    RealNameUnknown,
)
from jigap.recovery import records, states
from jigap.recovery.states import (
    OPEN,
    Recovery,
    RecoveryNotThere,
    RecoveryUnavailable,
    RecoveryUnderWay,
    RecoveryUnknown,
    State,
    must_be,
)
from jigap.settings import Settings


class Recoveries:
    """Recoveries of members, as they see them."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        realname: RealName,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._database = database
        self._vault = vault
        self._realname = realname
        self._clock = clock
        self._configured = bool(settings.recovery_public_key)
        self._wait_ms = settings.recovery_wait_s * 1000
        self._open_ms = settings.recovery_open_s * 1000
        self._code_ms = settings.realname_ttl_s * 1000 + settings.realname_fresh_s * 1000

    async def begin(self, member: Member, details: Details, *, address: str = "") -> Recovery:
        """Have a code sent to the member's number. One that was begun before is begun anew.

        Raises ``RecoveryUnavailable``, ``WalletMissing``, ``RecoveryUnderWay``,
        ``MemberUnverified``, ``MemberFrozen`` and what ``RealName.request`` raises.
        """
        await self._database.read(self._may_begin, member.id, self._clock.now_ms())
        check_id = await self._realname.begin(member.id, details, Purpose.PASSPHRASE, address)
        found = await self._database.write(self._insert, member.id, check_id, self._clock.now_ms())
        await self._realname.ask(check_id)
        return found

    async def confirm(self, member: Member, code: str, *, address: str = "") -> Recovery:
        """Type the code; if it is right, the waiting time begins.

        Raises ``RecoveryUnknown``, ``RecoveryNotThere``, ``CheckNotFresh`` and what
        ``RealName.confirm`` raises.
        """
        found = await self.of(member)
        must_be(found, State.REQUESTED)
        await self._realname.confirm(member, found.check_id, code, address=address)
        return await self._database.write(self._wait, found.id, self._clock.now_ms())

    async def of(self, member: Member) -> Recovery:
        """The member's last recovery. Raises ``RecoveryUnknown``."""
        found = await self.last(member.id)
        if found is None:
            raise RecoveryUnknown("This member has begun none.")
        return found

    async def check_of(self, member: Member, found: Recovery) -> Check | None:
        """The real-name check of a recovery; None once it is forgotten."""
        try:
            return await self._realname.get(member, found.check_id)
        except RealNameUnknown:
            return None

    async def last(self, member_id: str) -> Recovery | None:
        """The member's last recovery, or None."""
        return await self._database.read(records.latest, member_id, self._clock.now_ms())

    async def cancel(self, member: Member) -> Recovery:
        """Say no, from any device. Cancelling twice changes nothing."""
        await self._database.write(
            records.cancel_open, member.id, member.id, states.BY_MEMBER, self._clock.now_ms()
        )
        return await self.of(member)

    async def complete(self, member: Member, passphrase: str) -> Recovery:
        """Choose the new passphrase. Key and SymID stay; the kept key is let go of.

        Raises ``RecoveryUnknown``, ``RecoveryNotThere``, ``MemberFrozen`` and what
        ``Vault.recover`` raises.
        """
        found = await self.of(member)
        must_be(found, State.OPENED)
        sealed = await self._database.read(records.secret, found.id)
        if sealed is None:  # it ended since we looked
            raise RecoveryNotThere("This recovery is over.")

        def also(connection: Connection, wallet_id: str, now_ms: int) -> None:
            self._finish(connection, found, now_ms)

        await self._vault.recover(found.wallet_id, found.id, sealed, passphrase, also)
        return await self.of(member)

    # --- transactions

    def _may_begin(self, connection: Connection, member_id: str, now_ms: int) -> int:
        """The version of the member's key, if it can be recovered."""
        member = members.get(connection, member_id)
        assert member is not None, "a session belongs to a member"
        may_act(member)
        if member.wallet is None:
            raise WalletMissing("This member has no wallet.")
        key = stored(connection, member.wallet.id)
        if not self._configured or envelope.recovery_slot(key.envelope) is None:
            raise RecoveryUnavailable("This passphrase cannot be recovered.")
        found = records.latest(connection, member_id, now_ms)
        if found is not None and found.state in OPEN and found.state is not State.REQUESTED:
            raise RecoveryUnderWay("A recovery is under way.", state=found.state.value)
        return key.version

    def _insert(
        self, connection: Connection, member_id: str, check_id: str, now_ms: int
    ) -> Recovery:
        row = members.row_of(connection, member_id, lock=True)
        assert row is not None
        version = self._may_begin(connection, member_id, now_ms)
        found = records.latest(connection, member_id, now_ms, lock=True)
        if found is not None and found.state is State.REQUESTED and found.check_id == check_id:
            return found  # the same request again, while the agency has not answered
        records.cancel_open(connection, member_id, member_id, states.REPLACED, now_ms)
        member = members.get(connection, member_id)
        assert member is not None
        assert member.wallet is not None
        recovery = Recovery(
            id=entropy.new_id("rv", now_ms),
            member_id=member_id,
            wallet_id=member.wallet.id,
            state=State.REQUESTED,
            check_id=check_id,
            version=version,
            operators=(),
            reason="",
            created_ms=now_ms,
            ready_ms=None,
            expires_ms=now_ms + self._code_ms,
            finished_ms=None,
        )
        records.add(connection, recovery, now_ms)
        return recovery

    def _wait(self, connection: Connection, recovery_id: str, now_ms: int) -> Recovery:
        found = records.get(connection, recovery_id, now_ms, lock=True)
        if found.state is State.WAITING:
            return found  # the same code was sent twice at once
        must_be(found, State.REQUESTED)
        purpose = Purpose.PASSPHRASE
        self._realname.spend(connection, found.member_id, found.check_id, purpose, now_ms)
        ready_ms = now_ms + self._wait_ms
        expires_ms = ready_ms + self._open_ms
        records.move(
            connection,
            found,
            State.WAITING,
            found.member_id,
            now_ms,
            ready_ms=ready_ms,
            expires_ms=expires_ms,
        )
        return records.get(connection, recovery_id, now_ms)

    def _finish(self, connection: Connection, begun: Recovery, now_ms: int) -> None:
        """In the transaction of the new version. Raises ``RecoveryNotThere``, ``MemberFrozen``."""
        found = records.get_put_away(connection, begun.id, now_ms)
        must_be(found, State.OPENED)
        member = members.get(connection, begun.member_id)
        assert member is not None
        may_act(member)
        records.move(connection, found, State.DONE, begun.member_id, now_ms)

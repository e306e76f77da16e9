"""Leaving: from one moment on the account is found by nobody, opened by nobody, paid by nobody.

It is refused while payments are under way, because nobody could be told how they end, and while
tokens are left, unless the member says that they may stay behind. The name and number are kept,
sealed, as long as the law wants payments to be traceable; the number itself is free at once for a
new account. ``retention`` does the rest.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from jigap import audit, events, index, lanes, members, realname, recovery, tokens
from jigap.clock import DAY_MS, Clock
from jigap.database import Database
from jigap.keys import KeyRing
from jigap.members import Member, MemberFrozen
from jigap.money import format_amount
from jigap.refusal import Refusal
from jigap.settings import Settings
from jigap.transfers import transfers


class PaymentsUnfinished(Refusal):
    """Payments of this member, or to them, are under way."""

    code = "payments_unfinished"
    retryable = True
    hint = "Wait until they are final, withdraw those that wait; GET /api/v1/transfers lists them."


class BalanceLeft(Refusal):
    """There are tokens on the account."""

    code = "balance_left"
    hint = (
        "Pay them to somebody or have them paid out first, or say `leave_balance`: then nobody "
        "here can move them any more."
    )


@dataclass(frozen=True, slots=True)
class Closed:
    """When an account was closed, and from when on it is erased."""

    closed_ms: int
    erased_after_ms: int


class Closing:
    """The end of accounts."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Clock,
        settings: Settings,
        proofs: members.Proofs,
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._settings = settings
        self._proofs = proofs

    async def close(
        self,
        asker: members.SignedIn,
        password: str,
        otp: str | None = None,
        *,
        leave_balance: bool = False,
    ) -> Closed:
        """Close the asker's account.

        Raises ``MemberFrozen``, ``PaymentsUnfinished``, ``BalanceLeft`` and what proving oneself
        raises.
        """
        await self._proofs.password(asker, password)
        return await self._database.write(
            self._close, asker, otp, leave_balance, self._clock.now_ms()
        )

    def _close(
        self,
        connection: Connection,
        asker: members.SignedIn,
        otp: str | None,
        leave_balance: bool,
        now_ms: int,
    ) -> Closed:
        member_id = asker.member.id
        member = members.hold(connection, self._settings.chain_id, member_id)
        if member.closed:  # by the same member at the same moment
            raise members.SessionMissing("This account is closed.")
        shown = members.use_otp(connection, self._ring, member_id, otp, now_ms)
        if member.frozen:
            raise MemberFrozen("This member is frozen.")
        _refuse_unfinished(connection, member)
        if not leave_balance:
            _refuse_balance(connection, member)
        self._proofs.succeeded(connection, asker)
        realname.end_open(connection, member_id, now_ms)
        members.close(connection, member_id, now_ms)
        recovery.cancel_open(connection, member_id, member_id, "member_closed", now_ms)
        events.record(
            connection, "member.closed", subject=member_id, member_id=member_id, now_ms=now_ms
        )
        audit.append(
            connection, now_ms=now_ms, actor=member_id, action="member:close", object_=member_id
        )
        members.note_recovery(connection, shown, member_id, now_ms)
        return Closed(now_ms, now_ms + self._settings.retention_days * DAY_MS)


def _refuse_unfinished(connection: Connection, member: Member) -> None:
    """Refuse while anything of the member's is not final, or is coming to them."""
    under_way = transfers.join(lanes.outgoing, lanes.outgoing.c.subject_id == transfers.c.id)
    symid = member.wallet.symid if member.wallet else None
    unfinished = lanes.outgoing.c.final.is_(False)
    found = (
        select(transfers.c.id)
        .select_from(under_way)
        .where(unfinished, lanes.outgoing.c.sender == symid),
        select(transfers.c.id)
        .select_from(under_way)
        .where(unfinished, transfers.c.recipient == member.id),
        select(transfers.c.id).where(
            transfers.c.waiting.is_(True), transfers.c.member_id == member.id
        ),
    )
    for query in found:
        if connection.execute(query.limit(1)).first() is not None:
            raise PaymentsUnfinished("Payments are under way.")


def _refuse_balance(connection: Connection, member: Member) -> None:
    """Refuse while the account holds any token of the registry."""
    if member.wallet is None or member.wallet.symid is None:
        return
    left = {}
    for token in tokens.every(connection):
        if token.contract is None:
            continue
        units = index.holding(connection, token.contract, member.wallet.symid)
        if units:
            left[token.symbol] = format_amount(units, token.decimals)
    if left:
        raise BalanceLeft("There are tokens on this account.", balances=left)

"""Becoming a seller: a member asks under a shop's name, an operator decides.

    applied ──> accepted ──> ended      (by an operator, or by a new name that was accepted)
       ├──────> rejected                (by an operator, with a reason)
       └──────> withdrawn               (by the member)

An accepted member has the role ``seller`` and a public shop name; no two sellers have the same. A
member has one open application at a time; a seller who wants another name applies again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from jigap import audit, entropy, events
from jigap.clock import Clock
from jigap.database import Database
from jigap.index import printable
from jigap.members import records
from jigap.members.changes import check_changes
from jigap.members.member import Member, Role, may_act
from jigap.members.shop import shop_key, shop_name_of
from jigap.members.tables import members, seller_applications
from jigap.refusal import Kind, Refusal

REASON_MAX_CHARS = 200


class SellerPending(Refusal):
    """One application at a time."""

    code = "seller_pending"
    hint = "Wait for the operator, or withdraw with DELETE /api/v1/me/seller and apply again."


class SellerAlready(Refusal):
    """The member is a seller under this name."""

    code = "seller_already"
    hint = "Nothing is to be done; apply with another name to change it."


class ShopNameTaken(Refusal):
    """A seller has this name, or one that reads the same."""

    code = "shop_name_taken"
    hint = "Choose another name."


class ApplicationUnknown(Refusal):
    """There is no such application."""

    code = "seller_application_unknown"
    kind = Kind.MISSING
    hint = "GET /api/v1/operator/sellers lists them; a member sees their own with GET me/seller."


class ApplicationDecided(Refusal):
    """The application is not in a state for this."""

    code = "seller_application_decided"
    hint = "GET it to see where it stands: `state` says what became of it."


class OwnApplication(Refusal):
    """Nobody decides about themselves."""

    code = "seller_application_own"
    kind = Kind.FORBIDDEN
    hint = "Another operator has to decide."


class SellerReasonMissing(Refusal):
    """A no has a reason."""

    code = "seller_reason_missing"
    kind = Kind.INVALID
    hint = "Say why, in at most 200 characters; the member reads it."


class State(StrEnum):
    """Where an application stands."""

    APPLIED = "applied"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Application:
    """A member's wish to sell under a name; ``reason`` is the operator's for a no."""

    id: str
    member_id: str
    state: State
    shop_name: str
    reason: str
    created_ms: int
    decided_ms: int | None


class Sellers:
    """Applications as members and operators see them."""

    def __init__(self, database: Database, clock: Clock, changes_day: int) -> None:
        self._database = database
        self._clock = clock
        self._changes_day = changes_day

    async def apply(self, member_id: str, text: str) -> Application:
        """Ask to sell under a name.

        Raises ``ShopNameMalformed``, ``ShopNameReserved``, ``ShopNameTaken``, ``SellerPending``,
        ``SellerAlready``, ``ChangesLimit``, ``MemberUnverified`` or ``MemberFrozen``.
        """
        return await self._database.write(self._apply, member_id, shop_name_of(text))

    async def of(self, member_id: str) -> Application | None:
        """A member's newest application, None if there is none."""
        return await self._database.read(_newest, member_id)

    async def withdraw(self, member_id: str) -> Application:
        """Take the open application back. Raises ``ApplicationUnknown``."""
        return await self._database.write(self._withdraw, member_id)

    async def page(self, state: State | None, before: str | None, limit: int) -> list[Application]:
        """Applications, newest first, older than the id ``before``."""
        return await self._database.read(_page, state, before, limit)

    async def accept(self, operator_id: str, application_id: str) -> Application:
        """Make the applicant a seller under the name they asked for.

        Raises ``ApplicationUnknown``, ``ApplicationDecided``, ``OwnApplication``,
        ``ShopNameTaken``, ``MemberUnverified`` or ``MemberFrozen``.
        """
        try:
            return await self._decided(operator_id, application_id, self._accept, "")
        except IntegrityError:  # another was accepted at the same moment
            raise ShopNameTaken("A seller has this name.") from None

    async def reject(self, operator_id: str, application_id: str, reason: str) -> Application:
        """Say no. Raises as ``accept``, and ``SellerReasonMissing``."""
        return await self._decided(operator_id, application_id, self._reject, _words(reason))

    async def end(self, operator_id: str, application_id: str, reason: str) -> Application:
        """Take role and name of a seller away again. Raises as ``reject``."""
        return await self._decided(operator_id, application_id, self._end, _words(reason))

    async def _decided(
        self,
        operator_id: str,
        application_id: str,
        decide: Callable[[Connection, str, Application, Member, str], None],
        reason: str,
    ) -> Application:
        def write(connection: Connection) -> Application:
            applicant = _find(connection, application_id).member_id
            if applicant == operator_id:
                raise OwnApplication("This is your own application.")
            member = _locked(connection, applicant)
            decide(connection, operator_id, _find(connection, application_id), member, reason)
            return _find(connection, application_id)

        return await self._database.write(write)

    def _apply(self, connection: Connection, member_id: str, shop_name: str) -> Application:
        member = _locked(connection, member_id)
        may_act(member)
        for open_ in _in_state(connection, member_id, State.APPLIED):
            raise SellerPending("There is an open application.", id=open_.id)
        _check_free(connection, member_id, shop_name)
        now_ms = self._clock.now_ms()
        check_changes(connection, member_id, self._changes_day, now_ms)
        application_id = entropy.new_id("sa", now_ms)
        connection.execute(
            insert(seller_applications).values(
                id=application_id,
                member_id=member_id,
                state=State.APPLIED.value,
                shop_name=shop_name,
                reason="",
                created_ms=now_ms,
                decided_by="",
            )
        )
        self._tell(connection, "applied", member_id, member_id, application_id)
        return _find(connection, application_id)

    def _withdraw(self, connection: Connection, member_id: str) -> Application:
        _locked(connection, member_id)
        for open_ in _in_state(connection, member_id, State.APPLIED):
            self._move(connection, open_, State.WITHDRAWN, member_id, "")
            return _find(connection, open_.id)
        raise ApplicationUnknown("There is no open application.")

    def _accept(
        self, connection: Connection, operator_id: str, one: Application, member: Member, _: str
    ) -> None:
        _must_be(one, State.APPLIED)
        may_act(member)
        _check_free(connection, member.id, one.shop_name)
        # The name first: it may have to wait for whoever takes the same one, and the trail is last.
        _set_shop(connection, member, one.shop_name)
        for earlier in _in_state(connection, member.id, State.ACCEPTED):
            self._move(connection, earlier, State.ENDED, operator_id, "renamed")
        self._move(connection, one, State.ACCEPTED, operator_id, "")

    def _reject(
        self, connection: Connection, operator_id: str, one: Application, _: Member, reason: str
    ) -> None:
        _must_be(one, State.APPLIED)
        self._move(connection, one, State.REJECTED, operator_id, reason)

    def _end(
        self, connection: Connection, operator_id: str, one: Application, who: Member, reason: str
    ) -> None:
        _must_be(one, State.ACCEPTED)
        _set_shop(connection, who, None)
        self._move(connection, one, State.ENDED, operator_id, reason)

    def _move(
        self, connection: Connection, one: Application, state: State, actor: str, reason: str
    ) -> None:
        connection.execute(
            update(seller_applications)
            .where(seller_applications.c.id == one.id)
            .values(
                state=state.value,
                reason=reason,
                decided_ms=self._clock.now_ms(),
                decided_by=actor,
            )
        )
        self._tell(connection, state.value, actor, one.member_id, one.id)

    def _tell(
        self, connection: Connection, what: str, actor: str, member_id: str, application_id: str
    ) -> None:
        now_ms = self._clock.now_ms()
        events.record(
            connection,
            f"seller.{what}",
            subject=application_id,
            member_id=member_id,
            now_ms=now_ms,
        )
        audit.append(
            connection,
            now_ms=now_ms,
            actor=actor,
            action=_ACTIONS[State(what)],
            object_=application_id,
        )


_ACTIONS = {
    State.APPLIED: "seller:apply",
    State.ACCEPTED: "seller:accept",
    State.REJECTED: "seller:reject",
    State.WITHDRAWN: "seller:withdraw",
    State.ENDED: "seller:end",
}


def _words(reason: str) -> str:
    if not reason.strip():
        raise SellerReasonMissing("A reason is missing.")
    return printable(reason.strip(), REASON_MAX_CHARS)


def _must_be(one: Application, state: State) -> None:
    if one.state is not state:
        raise ApplicationDecided(f"This application is not {state.value}.", state=one.state.value)


def _check_free(connection: Connection, member_id: str, shop_name: str) -> None:
    query = select(members.c.id, members.c.shop_name).where(
        members.c.shop_key == shop_key(shop_name)
    )
    holder = connection.execute(query).first()
    if holder is None:
        return
    if holder.id != member_id:
        raise ShopNameTaken("A seller has this name.")
    if holder.shop_name == shop_name:
        raise SellerAlready("You are a seller under this name.")


def _set_shop(connection: Connection, member: Member, shop_name: str | None) -> None:
    roles = member.roles - {Role.SELLER} if shop_name is None else member.roles | {Role.SELLER}
    records.change(
        connection,
        member.id,
        roles=",".join(sorted(roles)),
        shop_name=shop_name,
        shop_key=None if shop_name is None else shop_key(shop_name),
    )


def _locked(connection: Connection, member_id: str) -> Member:
    records.row_of(connection, member_id, lock=True)
    member = records.get(connection, member_id)
    assert member is not None, "members are never deleted"
    return member


def _find(connection: Connection, application_id: str) -> Application:
    query = select(seller_applications).where(seller_applications.c.id == application_id)
    row = connection.execute(query).first()
    if row is None:
        raise ApplicationUnknown("There is no such application.", id=application_id[:40])
    return _application(row)


def _newest(connection: Connection, member_id: str) -> Application | None:
    query = select(seller_applications).where(seller_applications.c.member_id == member_id)
    row = connection.execute(query.order_by(seller_applications.c.id.desc()).limit(1)).first()
    return None if row is None else _application(row)


def _in_state(connection: Connection, member_id: str, state: State) -> list[Application]:
    query = select(seller_applications).where(
        seller_applications.c.member_id == member_id,
        seller_applications.c.state == state.value,
    )
    return [_application(row) for row in connection.execute(query).all()]


def _page(
    connection: Connection, state: State | None, before: str | None, limit: int
) -> list[Application]:
    query = select(seller_applications)
    if state is not None:
        query = query.where(seller_applications.c.state == state.value)
    if before is not None:
        query = query.where(seller_applications.c.id < before)
    rows = connection.execute(query.order_by(seller_applications.c.id.desc()).limit(limit))
    return [_application(row) for row in rows]


def _application(row: Any) -> Application:
    return Application(
        row.id,
        row.member_id,
        State(row.state),
        row.shop_name,
        row.reason,
        row.created_ms,
        row.decided_ms,
    )

"""Joining, and what an operator decides about a member."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from jigap import audit, entropy
from jigap.clock import Clock
from jigap.database import Database
from jigap.keys import KeyRing
from jigap.members import personal, records
from jigap.members.chosen import chosen_password
from jigap.members.identity import Identity, PhoneTaken, establish
from jigap.members.member import (
    LEVEL_UNVERIFIED,
    Member,
    Role,
    login_of,
)
from jigap.members.passwords import Passwords
from jigap.refusal import Kind, Refusal


class LoginTaken(Refusal):
    """Somebody has this member id."""

    code = "member_id_taken"
    hint = "Choose another member id."


class MemberUnknown(Refusal):
    """There is no such member."""

    code = "member_unknown"
    kind = Kind.MISSING
    hint = "Use a member id or an id that GET /api/v1/operator/members lists."


class DetailsMissing(Refusal):
    """There is nothing to verify."""

    code = "member_details_missing"
    hint = "A member is verified by name and phone number; give those that are missing."


@dataclass(frozen=True, slots=True)
class Profile:
    """A member with their masked name and phone; None where none was given."""

    member: Member
    masked_name: str | None
    masked_phone: str | None
    created_ms: int
    verified_ms: int | None
    minor: bool | None
    frozen_ms: int | None = None
    frozen_reason: str = ""
    shop_name: str | None = None
    closed_ms: int | None = None
    erased_ms: int | None = None


class Members:
    """Members as they join and are looked after."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Clock,
        passwords: Passwords,
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._passwords = passwords

    async def sign_up(
        self, login: str, password: str, name: str | None = None, phone: str | None = None
    ) -> Profile:
        """Make an unverified member. Raises ``LoginTaken`` and the refusals of each field."""
        login = login_of(login)
        password = chosen_password(password, login)
        name = None if name is None else personal.name_of(name)
        phone = None if phone is None else personal.phone_of(phone)
        if await self._database.read(records.by_login, login) is not None:
            raise LoginTaken("This member id is taken.", member_id=login)
        password_hash = await self._passwords.hash(password)
        member_id = await self._database.write(
            create_member,
            ring=self._ring,
            login=login,
            password_hash=password_hash,
            roles=frozenset({Role.PAYER}),
            name=name,
            phone=phone,
            now_ms=self._clock.now_ms(),
        )
        return await self.profile(member_id)

    async def profile(self, member_id: str) -> Profile:
        """One member with masked details. Raises ``MemberUnknown``."""
        return await self._database.read(self._profile, member_id)

    async def find(self, name_or_id: str) -> Profile:
        """One member by member id or id. Raises ``MemberUnknown``."""
        return self._unless_left(
            await self._database.read(
                lambda connection: self._profile(connection, _known(connection, name_or_id).id)
            )
        )

    async def profiles(self, member_ids: Collection[str]) -> dict[str, Profile]:
        """Several members with masked details, by id, those that exist."""
        return await self._database.read(self._profiles, member_ids)

    async def page(self, before: int | None, limit: int) -> list[Profile]:
        """Members for the operator, newest first, numbered below ``before``."""
        return await self._database.read(self._page, before, limit)

    async def verify(
        self, operator_id: str, name_or_id: str, name: str | None = None, phone: str | None = None
    ) -> Profile:
        """Mark name and phone as checked; what is given replaces what the member wrote.

        Raises ``MemberUnknown``, ``DetailsMissing`` or ``PhoneTaken``.
        """
        name = None if name is None else personal.name_of(name)
        phone = None if phone is None else personal.phone_of(phone)
        try:
            member_id = await self._database.write(
                self._verify, operator_id, name_or_id, name, phone, self._clock.now_ms()
            )
        except IntegrityError:  # verified elsewhere between our look and our write
            raise PhoneTaken("Another verified member has this phone number.") from None
        return await self.profile(member_id)

    def _profile(self, connection: Connection, member_id: str) -> Profile:
        member = records.get(connection, member_id)
        row = records.row_of(connection, member_id)
        if member is None or row is None:
            raise MemberUnknown("There is no such member.")
        return self._masked(member, row)

    def _profiles(self, connection: Connection, member_ids: Collection[str]) -> dict[str, Profile]:
        rows = records.rows_of(connection, member_ids)
        return {row.id: self._masked(records.member_of(row), row) for row in rows}

    def _page(self, connection: Connection, before: int | None, limit: int) -> list[Profile]:
        rows = records.page(connection, before, limit)
        return [self._unless_left(self._masked(records.member_of(row), row)) for row in rows]

    @staticmethod
    def _unless_left(profile: Profile) -> Profile:
        """Of who has left, operators see that, and nothing of the person."""
        if profile.closed_ms is None:
            return profile
        return replace(profile, masked_name=None, masked_phone=None, minor=None, frozen_reason="")

    def _masked(self, member: Member, row: records.AnyRow) -> Profile:
        name, phone = personal.open_details(self._ring, row)
        return Profile(
            member,
            None if name is None else personal.masked_name(name),
            None if phone is None else personal.masked_phone(phone),
            row.created_ms,
            row.verified_ms,
            member.minor,
            row.frozen_ms,
            row.frozen_reason,
            row.shop_name,
            row.closed_ms,
            row.erased_ms,
        )

    def _verify(
        self,
        connection: Connection,
        operator_id: str,
        name_or_id: str,
        name: str | None,
        phone: str | None,
        now_ms: int,
    ) -> str:
        row = _locked(connection, name_or_id)
        known_name, known_phone = personal.open_details(self._ring, row)
        name, phone = name or known_name, phone or known_phone
        if name is None or phone is None:
            raise DetailsMissing("Name or phone number is missing.")
        identity = Identity(name, phone)
        establish(connection, self._ring, row, identity, actor=operator_id, now_ms=now_ms)
        return str(row.id)


def create_member(
    connection: Connection,
    *,
    ring: KeyRing,
    login: str,
    password_hash: str,
    roles: frozenset[str],
    name: str | None,
    phone: str | None,
    now_ms: int,
) -> str:
    """Insert a member and return the id. Raises ``LoginTaken``."""
    member_id = entropy.new_id("mb", now_ms)
    data_key_sealed = personal.new_data_key(ring, member_id)

    def sealed(field: str, text: str | None) -> bytes | None:
        if text is None:
            return None
        return personal.seal(ring, member_id, data_key_sealed, field, text)

    added = records.add(
        connection,
        id=member_id,
        login=login,
        password_hash=password_hash,
        roles=",".join(sorted(roles)),
        level=LEVEL_UNVERIFIED,
        frozen_reason="",
        data_key_sealed=data_key_sealed,
        name_sealed=sealed("name", name),
        phone_sealed=sealed("phone", phone),
        created_ms=now_ms,
    )
    if not added:
        raise LoginTaken("This member id is taken.", member_id=login)
    return member_id


def create_operator(
    connection: Connection, *, ring: KeyRing, login: str, password_hash: str, now_ms: int
) -> str:
    """Make an operator, as only the command line can, and return the id. Raises ``LoginTaken``."""
    member_id = create_member(
        connection,
        ring=ring,
        login=login_of(login, reserved_allowed=True),
        password_hash=password_hash,
        roles=frozenset({Role.OPERATOR}),
        name=None,
        phone=None,
        now_ms=now_ms,
    )
    audit.append(
        connection, now_ms=now_ms, actor="console", action="operator:create", object_=member_id
    )
    return member_id


def rewrap_data_keys(connection: Connection, ring: KeyRing, limit: int = 500) -> int:
    """Seal data keys again that an older master key sealed; how many were. Again until 0."""
    rows = records.data_keys_sealed_before(connection, personal.seal_prefix(ring), limit)
    for row in rows:
        fresh = personal.rewrapped(ring, row.id, row.data_key_sealed)
        records.change(connection, row.id, data_key_sealed=fresh)
    return len(rows)


def _locked(connection: Connection, name_or_id: str) -> records.AnyRow:
    """The row of a member named by member id or id, locked. Raises ``MemberUnknown``."""
    row = records.row_of(connection, _known(connection, name_or_id).id, lock=True)
    assert row is not None, "members are never deleted"
    return row


def _known(connection: Connection, name_or_id: str) -> Member:
    member = records.by_login(connection, name_or_id) or records.get(connection, name_or_id)
    if member is None:
        raise MemberUnknown("There is no such member.")
    return member

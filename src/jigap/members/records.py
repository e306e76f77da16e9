"""All SQL on members and their looked-up days; wallets, sessions and factors have their own."""

from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    select,
    update,
)

from jigap.clock import DAY_MS, day_of
from jigap.database import insert_if_absent, prepared
from jigap.members import attempts
from jigap.members.limits import NOTHING_SET, OwnLimits
from jigap.members.member import FrozenBy, Member, Wallet, WalletState
from jigap.members.tables import (
    devices,
    directory_days,
    favourites,
    members,
    sessions,
    wallets,
)

AnyRow = Row[*tuple[Any, ...]]

_PERSONAL = (
    members.c.name_sealed,
    members.c.phone_sealed,
    members.c.data_key_sealed,
    members.c.created_ms,
    members.c.verified_ms,
    members.c.frozen_reason,
    members.c.shop_name,
    members.c.erased_ms,
)

#: Nobody else is anywhere in the directory, whoever asks and however.
_FINDABLE = (members.c.level > 0, members.c.closed_ms.is_(None))


def get(connection: Connection, member_id: str) -> Member | None:
    """The member of an id, or None."""
    return _one(connection, _by_id, member_id)


def by_login(connection: Connection, login: str) -> Member | None:
    """The member with this member id (as people type it, any case), or None."""
    return _one(connection, _by_login, login.strip().lower())


def by_symid(connection: Connection, symid: bytes) -> Member | None:
    """The member whose wallet has this SymID, or None."""
    return _one(connection, _by_symid, symid)


def frozen_among(
    connection: Connection, symids: Collection[bytes], *, lock: bool = False
) -> set[bytes]:
    """Which of these accounts belong to frozen members.

    With ``lock`` none of the others can be frozen until the transaction ends.
    """
    if not symids:
        return set()
    query = (
        select(wallets.c.symid, members.c.frozen_ms)
        .join(members, members.c.id == wallets.c.member_id)
        .where(wallets.c.symid.in_(sorted(symids)))
        .order_by(members.c.id)
    )
    if lock:
        query = query.with_for_update(read=True, of=members)
    return {row.symid for row in connection.execute(query) if row.frozen_ms is not None}


def is_frozen(member_id: ColumnElement[str]) -> ColumnElement[bool]:
    """For a query elsewhere: whether the member of this column is frozen."""
    return exists().where(members.c.id == member_id, members.c.frozen_ms.is_not(None))


def page(connection: Connection, before: int | None, limit: int) -> list[AnyRow]:
    """Rows with personal fields, newest member first, numbered below ``before``."""
    query = joined(*_PERSONAL)
    if before is not None:
        query = query.where(members.c.number < before)
    return list(connection.execute(query.order_by(members.c.number.desc()).limit(limit)))


def rows_of(connection: Connection, member_ids: Collection[str]) -> list[AnyRow]:
    """Rows with personal fields of several members."""
    if len(member_ids) == 1:  # a list in a statement costs as much as the rest of it
        return list(connection.execute(*_row_with_personal(*member_ids)))
    return list(connection.execute(_ROWS_OF, {"member_ids": list(member_ids)}))


def row_of(connection: Connection, member_id: str, *, lock: bool = False) -> AnyRow | None:
    """The whole row of a member, or None; with ``lock`` it is ours until the transaction ends."""
    return connection.execute(*(_row_locked if lock else _row)(member_id)).first()


@prepared
def _row(member_id: Any) -> Any:
    return select(members).where(members.c.id == member_id)


def keep_from_leaving(connection: Connection, member_id: str) -> bool:
    """Whether a member is still here; if so they cannot leave until the transaction ends.

    On SQLite, where one transaction writes at a time, whoever has looked in it knows already.
    """
    if connection.dialect.name == "sqlite":
        return True
    return connection.scalar(*_here(member_id)) is not None


@prepared
def _here(member_id: Any) -> Any:
    mine = (members.c.id == member_id) & members.c.closed_ms.is_(None)
    return select(members.c.id).where(mine).with_for_update(read=True)


@prepared
def _row_locked(member_id: Any) -> Any:
    # Not against those who only refer to the member (FOR KEY SHARE): two who keep each other as
    # favourites at the same moment would wait for each other.
    mine = select(members).where(members.c.id == member_id)
    return mine.with_for_update(key_share=True)


def row_by_login(connection: Connection, login: str) -> AnyRow | None:
    """The whole row of the member of a login (in its one form) who has not left, or None."""
    mine = (members.c.login == login) & members.c.closed_ms.is_(None)
    return connection.execute(select(members).where(mine)).first()


def data_keys_sealed_before(connection: Connection, prefix: bytes, limit: int) -> list[AnyRow]:
    """Id and data key of members whose key was not sealed under the version of this prefix."""
    present = func.substr(members.c.data_key_sealed, 1, len(prefix))
    query = select(members.c.id, members.c.data_key_sealed).where(
        present != prefix, members.c.erased_ms.is_(None)
    )
    return list(connection.execute(query.order_by(members.c.number).limit(limit)))


def add(connection: Connection, **values: Any) -> bool:
    """Insert a member; False if the login is taken."""
    return insert_if_absent(connection, members, **values)


def change(connection: Connection, member_id: str, **values: Any) -> None:
    """Set columns of one member."""
    connection.execute(update(members).where(members.c.id == member_id).values(**values))


def close(connection: Connection, member_id: str, now_ms: int) -> None:
    """A member leaves: no session, no password that fits, nowhere in the directory.

    Their own favourites and known devices go at once: nothing obliges anybody to keep them.
    """
    for table in (favourites, devices):
        connection.execute(delete(table).where(table.c.member_id == member_id))
    revoke_sessions(connection, member_id, now_ms)
    change(
        connection,
        member_id,
        closed_ms=now_ms,
        password_hash="",
        phone_index=None,
        name_last4_index=None,
        shop_name=None,
        shop_key=None,
    )


def forget_old(connection: Connection, now_ms: int) -> None:
    """Forget sessions that are over, sign-ins that nobody failed at, and old days' counts."""
    connection.execute(delete(sessions).where(sessions.c.expires_ms <= now_ms))
    attempts.forget_old(connection, now_ms)
    yesterday = day_of(now_ms - DAY_MS)
    connection.execute(delete(directory_days).where(directory_days.c.day < yesterday))


def forget_favourite(connection: Connection, payee_id: str) -> None:
    """Nobody keeps this member as a favourite any more."""
    connection.execute(delete(favourites).where(favourites.c.payee_id == payee_id))


def with_index(connection: Connection, column: str, value: bytes, limit: int) -> list[AnyRow]:
    """Verified members whose blind index ``column`` has this value."""
    query = select(members).where(members.c[column] == value, *_FINDABLE)
    return list(connection.execute(query.order_by(members.c.number).limit(limit)))


def with_login(connection: Connection, login: str) -> list[AnyRow]:
    """The verified member of a login, as a list of one or none."""
    query = select(members).where(members.c.login == login, *_FINDABLE)
    return list(connection.execute(query))


def payable(connection: Connection, member_ids: Collection[str]) -> dict[str, AnyRow]:
    """Whole rows, by id, of those among these members who can be found."""
    query = select(members).where(members.c.id.in_(sorted(member_ids)), *_FINDABLE)
    return {row.id: row for row in connection.execute(query)}


def revoke_sessions(connection: Connection, member_id: str, now_ms: int) -> None:
    """End every session of a member."""
    connection.execute(
        update(sessions)
        .where(sessions.c.member_id == member_id, sessions.c.revoked_ms.is_(None))
        .values(revoked_ms=now_ms)
    )


def count_lookup(connection: Connection, member_id: str, day: str) -> int:
    """Count one more look into the directory; how many there are today with it."""
    insert_if_absent(connection, directory_days, member_id=member_id, day=day, lookups=0)
    mine = (directory_days.c.member_id == member_id) & (directory_days.c.day == day)
    connection.execute(
        update(directory_days).where(mine).values(lookups=directory_days.c.lookups + 1)
    )
    return int(connection.scalar(select(directory_days.c.lookups).where(mine)) or 0)


def count(connection: Connection) -> int:
    """How many members there are."""
    return int(connection.scalar(select(func.count()).select_from(members)) or 0)


def member_of(row: Any) -> Member:
    """The member a row describes that begins with the columns of ``joined``."""
    # By place, not by name: every request needs whoever asks, and names cost half of it.
    id_, number, login, roles, level, frozen_ms, frozen_by, closed_ms, minor = row[:9]
    limits = row[9:14]
    wallet_id, state, symid, public_key_hash = row[14:18]
    return Member(
        id=id_,
        number=number,
        login=login,
        roles=_roles(roles),
        level=level,
        frozen=frozen_ms is not None,
        frozen_by=None if frozen_ms is None else FrozenBy(frozen_by or "operator"),
        wallet=None
        if wallet_id is None
        else Wallet(wallet_id, WalletState(state), symid, public_key_hash),
        closed=closed_ms is not None,
        minor=minor,
        own_limits=OwnLimits(*limits) if any(one is not None for one in limits) else NOTHING_SET,
    )


@cache
def _roles(text: str) -> frozenset[str]:
    """The roles of a column; there are few different ones."""
    return frozenset(filter(None, text.split(",")))


def _one(connection: Connection, query: Any, *values: Any) -> Member | None:
    row = connection.execute(*query(*values)).first()
    return None if row is None else member_of(row)


@prepared
def _by_id(member_id: Any) -> Any:
    return joined().where(members.c.id == member_id)


@prepared
def _by_login(login: Any) -> Any:
    return joined().where(members.c.login == login)


@prepared
def _by_symid(symid: Any) -> Any:
    return joined().where(wallets.c.symid == symid)


def joined(*more: Any) -> Select[*tuple[Any, ...]]:
    """All that ``member_of`` reads, and ``more`` columns."""
    return select(
        members.c.id,
        members.c.number,
        members.c.login,
        members.c.roles,
        members.c.level,
        members.c.frozen_ms,
        members.c.frozen_by,
        members.c.closed_ms,
        members.c.minor,
        members.c.payment_limit,
        members.c.daily_limit,
        members.c.raised_payment_limit,
        members.c.raised_daily_limit,
        members.c.limits_raised_ms,
        wallets.c.wallet_id,
        wallets.c.state,
        wallets.c.symid,
        wallets.c.public_key_hash,
        *more,
    ).select_from(members.outerjoin(wallets, wallets.c.member_id == members.c.id))


@prepared
def _row_with_personal(member_id: Any) -> Any:
    return joined(*_PERSONAL).where(members.c.id == member_id)


_ROWS_OF = joined(*_PERSONAL).where(members.c.id.in_(bindparam("member_ids", expanding=True)))

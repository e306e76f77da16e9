"""People a member pays often, kept under words of the member's own.

A favourite is made of a ``recipient_id`` and gives a fresh one whenever it is shown. The label is
personal twice, of the member and of the person it names, so it is sealed under the member's data
key. A favourite who has left the platform is not shown; the row goes when their account is erased.
"""

import unicodedata
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from jigap import audit, entropy
from jigap.clock import Clock
from jigap.database import Database
from jigap.keys import KeyRing
from jigap.members import personal, records
from jigap.members.changes import check_changes
from jigap.members.directory import Directory, Found, RecipientUnknown
from jigap.members.member import Member, may_act
from jigap.members.tables import favourites
from jigap.refusal import Kind, Refusal

FAVOURITES_MAX = 100
LABEL_MAX_CHARS = 50


class FavouriteUnknown(Refusal):
    """The member has no such favourite."""

    code = "favourite_unknown"
    kind = Kind.MISSING
    hint = "GET /api/v1/me/favourites lists them."


class FavouriteIsSelf(Refusal):
    """Nobody pays themselves."""

    code = "favourite_is_self"
    kind = Kind.INVALID
    hint = "Choose somebody else."


class FavouritesFull(Refusal):
    """There is an end to the list."""

    code = "favourites_full"
    hint = "Remove a favourite first: DELETE /api/v1/me/favourites/{id}."


class LabelMalformed(Refusal):
    """A label is a short line of text."""

    code = "label_malformed"
    kind = Kind.INVALID
    hint = "Write one line of at most 50 characters, or leave the label away."


@dataclass(frozen=True, slots=True)
class Favourite:
    """A favourite as its owner sees it; ``label`` is empty where none was given."""

    id: str
    label: str
    found: Found
    created_ms: int


class Favourites:
    """Everybody's favourites."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Clock,
        directory: Directory,
        changes_day: int,
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._directory = directory
        self._changes_day = changes_day

    async def add(self, member: Member, recipient_id: str, label: str = "") -> Favourite:
        """Keep somebody a search has found; somebody who is kept already gets the new label.

        Raises ``RecipientUnknown``, ``RecipientExpired``, ``FavouriteIsSelf``, ``FavouritesFull``,
        ``LabelMalformed``, ``ChangesLimit``, or what forbids the member to act.
        """
        may_act(member)
        label, now_ms = label_of(label), self._clock.now_ms()
        payee_id = self._directory.open_recipient(recipient_id, member.id, now_ms)
        if payee_id == member.id:
            raise FavouriteIsSelf("This recipient is you.")
        return await self._database.write(self._add, member.id, payee_id, label, now_ms)

    async def remove(self, member_id: str, favourite_id: str) -> None:
        """Keep somebody no longer. Raises ``FavouriteUnknown``."""
        now_ms = self._clock.now_ms()
        await self._database.write(_remove, member_id, favourite_id, now_ms)

    async def every(self, member_id: str) -> list[Favourite]:
        """All of a member's favourites who can be paid, the oldest first."""
        return await self._database.read(self._every, member_id)

    def _add(
        self,
        connection: Connection,
        member_id: str,
        payee_id: str,
        label: str,
        now_ms: int,
    ) -> Favourite:
        row = records.row_of(connection, member_id, lock=True)
        assert row is not None, "a session belongs to a member"
        found = self._directory.offered(connection, member_id, [payee_id])
        if payee_id not in found:
            raise RecipientUnknown("This recipient cannot be paid.")
        sealed = seal_label(self._ring, row, payee_id, label)
        mine = favourites.c.member_id == member_id
        known = connection.execute(
            select(favourites).where(mine, favourites.c.payee_id == payee_id)
        ).first()
        if known is not None:
            same = favourites.c.id == known.id
            connection.execute(update(favourites).where(same).values(label_sealed=sealed))
            return Favourite(known.id, label, found[payee_id], known.created_ms)
        count = connection.scalar(select(func.count()).select_from(favourites).where(mine)) or 0
        if count >= FAVOURITES_MAX:
            raise FavouritesFull("There are as many favourites as can be.", limit=FAVOURITES_MAX)
        check_changes(connection, member_id, self._changes_day, now_ms)
        id_ = entropy.new_id("fv", now_ms)
        connection.execute(
            insert(favourites).values(
                id=id_,
                member_id=member_id,
                payee_id=payee_id,
                label_sealed=sealed,
                created_ms=now_ms,
            )
        )
        _note(connection, "favourite:add", member_id, id_, now_ms)
        return Favourite(id_, label, found[payee_id], now_ms)

    def _every(self, connection: Connection, member_id: str) -> list[Favourite]:
        me = records.row_of(connection, member_id)
        rows = rows_of(connection, member_id)
        found = self._directory.offered(connection, member_id, [row.payee_id for row in rows])
        return [
            Favourite(row.id, open_label(self._ring, me, row), found[row.payee_id], row.created_ms)
            for row in rows
            if row.payee_id in found
        ]


def label_of(text: str) -> str:
    """The one form of a label, perhaps empty. Raises ``LabelMalformed``."""
    label = " ".join(unicodedata.normalize("NFC", text).split())
    unseen = any(unicodedata.category(one) in ("Cc", "Cs") for one in label)
    if len(label) > LABEL_MAX_CHARS or unseen:
        raise LabelMalformed("This cannot be a label.")
    return label


def rows_of(connection: Connection, member_id: str) -> list[Any]:
    """A member's favourites, the oldest first."""
    query = select(favourites).where(favourites.c.member_id == member_id)
    return list(connection.execute(query.order_by(favourites.c.id)))


def seal_label(ring: KeyRing, owner: Any, payee_id: str, label: str) -> bytes | None:
    """A label under the data key of ``owner``, a member's row; None for none."""
    if not label:
        return None
    return personal.seal(ring, owner.id, owner.data_key_sealed, f"favourite:{payee_id}", label)


def open_label(ring: KeyRing, owner: Any, row: Any) -> str:
    """The label of a favourite's row; ``owner`` is its member's row."""
    if row.label_sealed is None:
        return ""
    return personal.unseal(
        ring, owner.id, owner.data_key_sealed, f"favourite:{row.payee_id}", row.label_sealed
    )


def _remove(connection: Connection, member_id: str, favourite_id: str, now_ms: int) -> None:
    gone = connection.execute(
        delete(favourites).where(
            favourites.c.id == favourite_id, favourites.c.member_id == member_id
        )
    )
    if not gone.rowcount:
        raise FavouriteUnknown("There is no such favourite.", id=favourite_id[:40])
    _note(connection, "favourite:remove", member_id, favourite_id, now_ms)


def _note(
    connection: Connection,
    action: str,
    member_id: str,
    favourite_id: str,
    now_ms: int,
) -> None:
    audit.append(
        connection,
        now_ms=now_ms,
        actor=member_id,
        action=action,
        object_=favourite_id,
    )

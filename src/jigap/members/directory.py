"""Finding the person to pay, without telling anybody who else is here.

Only verified members ask, only verified members are found, and a search says the same for a person
who is not here, is not verified, has left, or does not want to be found by name. It also does the
same: each search opens and seals as many people as it could find at most, and where there are
fewer, a person who does not exist takes their places, so that neither the statements nor the
cipher operations depend on who is here.

What is found has a masked name and a ``recipient_id``: a sealed word that only the asker can use,
for fifteen minutes. The people a member has favoured or paid need no search: they are offered with
fresh ``recipient_id``s, without counting against the day's searches.
"""

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection

from jigap import audit, entropy
from jigap.clock import Clock, day_of
from jigap.database import Database
from jigap.keys import KeyRing
from jigap.members import personal, records
from jigap.members.identity import Nobody
from jigap.members.member import Member, may_act
from jigap.refusal import Kind, Refusal

#: Most people of one name and four digits; a phone number and a member id belong to one.
NAMESAKES_MAX = 5
RECIPIENT_TTL_MS = 15 * 60 * 1000
_PREFIX = "rc_"


class DirectoryBudget(Refusal):
    """A member may look up so many people a day."""

    code = "directory_budget"
    kind = Kind.TOO_MANY
    retryable = True
    hint = "Try again tomorrow (the day changes at 00:00 UTC)."


class SearchMalformed(Refusal):
    """A search names a person in exactly one way."""

    code = "search_malformed"
    kind = Kind.INVALID
    hint = "Search by phone=, or by member_id=, or by name= together with last4=."


class RecipientUnknown(Refusal):
    """The recipient_id was not made for this member by a search."""

    code = "recipient_unknown"
    kind = Kind.INVALID
    hint = "Search the recipient again with GET /api/v1/recipients and use the new recipient_id."


class RecipientExpired(Refusal):
    """The recipient_id is too old."""

    code = "recipient_expired"
    kind = Kind.INVALID
    hint = "Search the recipient again with GET /api/v1/recipients and use the new recipient_id."


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody who can be paid."""

    recipient_id: str
    masked_name: str
    masked_phone: str
    shop_name: str | None = None


class Directory:
    """The members a member can find, ``lookups_per_day`` times a day (UTC)."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Clock,
        lookups_per_day: int,
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._lookups_per_day = lookups_per_day
        self._indexes = personal.Indexes(ring)
        self._tokens = AESGCM(ring.derive("recipient-token"))
        self._nobody = Nobody(ring)

    async def by_phone(self, asker: Member, phone: str) -> list[Found]:
        """The member with this phone number, however it is written."""
        index = self._indexes.phone(personal.phone_of(phone))
        return await self._look(asker, 1, records.with_index, "phone_index", index, 1)

    async def by_login(self, asker: Member, login: str) -> list[Found]:
        """The member with this member id."""
        return await self._look(asker, 1, records.with_login, login.strip().lower())

    async def by_name(self, asker: Member, name: str, last4: str) -> list[Found]:
        """Members with this name and these last four digits of the phone number."""
        if not (len(last4) == 4 and last4.isascii() and last4.isdigit()):
            raise SearchMalformed("last4 is four digits.")
        index = self._indexes.name_last4(personal.name_of(name), last4)
        limit = NAMESAKES_MAX
        return await self._look(asker, limit, records.with_index, "name_last4_index", index, limit)

    async def offer(self, asker_id: str, member_ids: Collection[str]) -> dict[str, Found]:
        """Those of these members who can still be paid, by id, without a search."""
        return await self._database.read(self.offered, asker_id, member_ids)

    def offered(
        self, connection: Connection, asker_id: str, member_ids: Collection[str]
    ) -> dict[str, Found]:
        """The same, within a transaction."""
        rows, now_ms = records.payable(connection, member_ids), self._clock.now_ms()
        return {id_: self._found(row, asker_id, now_ms) for id_, row in rows.items()}

    async def is_found_by_name(self, member_id: str) -> bool:
        """Whether a member lets others search them by name and four digits."""
        row = await self._database.read(records.row_of, member_id)
        return row is not None and row.name_hidden_ms is None

    async def let_find_by_name(self, member_id: str, wanted: bool) -> None:
        """Let others search a member by name, or not. Phone number and member id still find."""
        await self._database.write(self._set_found_by_name, member_id, wanted, self._clock.now_ms())

    def make_recipient(self, member_id: str, asker_id: str, now_ms: int) -> str:
        """A ``recipient_id`` that only ``asker_id`` can use, until it expires."""
        nonce = entropy.random_bytes(personal.NONCE_BYTES)
        words = f"{now_ms + RECIPIENT_TTL_MS:013d}{member_id}".encode()
        sealed = nonce + self._tokens.encrypt(nonce, words, asker_id.encode())
        return _PREFIX + base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open_recipient(self, text: str, asker_id: str, now_ms: int | None) -> str:
        """The member id in a ``recipient_id``; with ``now_ms`` None it may have expired (a replay).

        Raises ``RecipientUnknown`` or ``RecipientExpired``.
        """
        try:
            sealed = base64.b64decode(
                text.removeprefix(_PREFIX) + "=" * (-(len(text) - len(_PREFIX)) % 4),
                altchars=b"-_",
                validate=True,
            )
            nonce, body = sealed[: personal.NONCE_BYTES], sealed[personal.NONCE_BYTES :]
            words = self._tokens.decrypt(nonce, body, asker_id.encode()).decode()
        except (binascii.Error, ValueError, InvalidTag):
            raise RecipientUnknown("This is not a recipient_id of yours.") from None
        if now_ms is not None and now_ms >= int(words[:13]):
            raise RecipientExpired("This recipient_id has expired.")
        return words[13:]

    async def _look(self, asker: Member, most: int, search: Any, *arguments: Any) -> list[Found]:
        may_act(asker)
        now_ms = self._clock.now_ms()
        day = day_of(now_ms)
        lookups = await self._database.write(records.count_lookup, asker.id, day)
        if lookups > self._lookups_per_day:
            raise DirectoryBudget("No more searches today.", limit=self._lookups_per_day)
        rows = await self._database.read(search, *arguments)
        places = [*rows, *[self._nobody] * (most - len(rows))]
        return [self._found(row, asker.id, now_ms) for row in places][: len(rows)]

    def _set_found_by_name(
        self, connection: Connection, member_id: str, wanted: bool, now_ms: int
    ) -> None:
        row = records.row_of(connection, member_id, lock=True)
        assert row is not None, "a session belongs to a member"
        if wanted is (row.name_hidden_ms is None):
            return
        index = None
        if wanted and row.level and row.closed_ms is None:
            name, phone = personal.open_details(self._ring, row)
            assert name is not None and phone is not None, "a verified member has name and phone"
            index = self._indexes.name_last4(name, phone[-4:])
        records.change(
            connection,
            member_id,
            name_last4_index=index,
            name_hidden_ms=None if wanted else now_ms,
        )
        audit.append(
            connection,
            now_ms=now_ms,
            actor=member_id,
            action="directory:show" if wanted else "directory:hide",
            object_=member_id,
        )

    def _found(self, row: Any, asker_id: str, now_ms: int) -> Found:
        name, phone = personal.open_details(self._ring, row)
        assert name is not None and phone is not None, "a verified member has name and phone"
        return Found(
            recipient_id=self.make_recipient(row.id, asker_id, now_ms),
            masked_name=personal.masked_name(name),
            masked_phone=personal.masked_phone(phone),
            shop_name=row.shop_name,
        )

"""Finding the person to pay, without telling anybody who else is here.

Only verified members ask, only verified members are found, and a search says the same for a person
who is not here, is not verified or has left. What is found has a masked name and a
``recipient_id``: a sealed word that only the asker can use, for fifteen minutes.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jigap import entropy
from jigap.clock import Clock
from jigap.database import Database
from jigap.keys import KeyRing
from jigap.members import personal, records
from jigap.members.member import Member, may_act
from jigap.refusal import Kind, Refusal

LOOKUPS_PER_DAY = 200
FOUND_MAX = 5
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


class Directory:
    """The members a member can find."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Clock,
        lookups_per_day: int = LOOKUPS_PER_DAY,
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._lookups_per_day = lookups_per_day
        self._indexes = personal.Indexes(ring)
        self._tokens = AESGCM(ring.derive("recipient-token"))

    async def by_phone(self, asker: Member, phone: str) -> list[Found]:
        """The member with this phone number, however it is written."""
        index = self._indexes.phone(personal.phone_of(phone))
        return await self._look(asker, records.with_index, "phone_index", index, FOUND_MAX)

    async def by_login(self, asker: Member, login: str) -> list[Found]:
        """The member with this member id."""
        return await self._look(asker, records.with_login, login.strip().lower())

    async def by_name(self, asker: Member, name: str, last4: str) -> list[Found]:
        """Members with this name and these last four digits of the phone number."""
        if not (len(last4) == 4 and last4.isascii() and last4.isdigit()):
            raise SearchMalformed("last4 is four digits.")
        index = self._indexes.name_last4(personal.name_of(name), last4)
        return await self._look(asker, records.with_index, "name_last4_index", index, FOUND_MAX)

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

    async def _look(self, asker: Member, search: Any, *arguments: Any) -> list[Found]:
        may_act(asker)
        now_ms = self._clock.now_ms()
        day = datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()
        lookups = await self._database.write(records.count_lookup, asker.id, day)
        if lookups > self._lookups_per_day:
            raise DirectoryBudget("No more searches today.", limit=self._lookups_per_day)
        rows = await self._database.read(search, *arguments)
        if not rows:
            await self._same_work(asker, now_ms)
        return [self._found(row, asker.id, now_ms) for row in rows]

    async def _same_work(self, asker: Member, now_ms: int) -> None:
        """Finding nobody takes as long as finding somebody: open and seal the asker's own."""
        row = await self._database.read(records.row_of, asker.id)
        if row is not None:
            self._found(row, asker.id, now_ms)

    def _found(self, row: Any, asker_id: str, now_ms: int) -> Found:
        name, phone = personal.open_details(self._ring, row)
        assert name is not None and phone is not None, "a verified member has name and phone"
        return Found(
            recipient_id=self.make_recipient(row.id, asker_id, now_ms),
            masked_name=personal.masked_name(name),
            masked_phone=personal.masked_phone(phone),
        )

"""Sessions: who is signed in, from where, and until when.

A session is a random token that only its owner has; here there is only its hash. It ends when it is
signed out or revoked, some hours after it was opened, when it was not used for a while, and when
its member opens one too many and it is the oldest. However it ended, whoever comes with its token
is told the same.

Every request asks whose session it is, so all who ask in one turn of the event loop are answered by
one read. When a session was last seen is written at most once a minute.
"""

import hashlib
import hmac
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from jigap import audit, entropy
from jigap.clock import Clock
from jigap.database import Database, DatabaseBusy, DatabaseUnavailable, prepared
from jigap.gathering import Gathering
from jigap.keys import KeyRing
from jigap.members import records
from jigap.members.member import Member
from jigap.members.tables import members, sessions
from jigap.members.visitor import Visitor, label_of
from jigap.packed import Packed
from jigap.refusal import Kind, Refusal
from jigap.settings import Settings

SEEN_EVERY_MS = 60_000
ADDRESS_MAX_CHARS = 64


class SessionMissing(Refusal):
    """The token is missing, unknown, expired or signed out."""

    code = "session_missing"
    kind = Kind.UNAUTHENTICATED
    hint = "Sign in with POST /api/v1/session and send Authorization: Bearer <token>."


class SessionUnknown(Refusal):
    """This member has no such session."""

    code = "session_unknown"
    kind = Kind.MISSING
    hint = "GET /api/v1/sessions lists the sessions there are."


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that was just opened. What is secret is shown to its owner once.

    ``device`` is the token of the device from which it was opened.
    """

    id: str
    token: str = field(repr=False)
    expires_ms: int
    token_hash: bytes
    device: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A member who asks, and the session they ask in."""

    member: Member
    session_id: str
    token_hash: bytes
    second_factor: bool
    cookie: bool = False


class _Living(NamedTuple):
    """A session that has not ended."""

    who: SignedIn
    last_seen_ms: int


@dataclass(frozen=True, slots=True)
class SessionListed:
    """One of a member's sessions, as its owner sees it."""

    id: str
    created_ms: int
    last_seen_ms: int
    expires_ms: int
    address: str
    device: str
    second_factor: bool
    current: bool


class Sessions:
    """All sessions, with their two limits: since opening, and since last seen."""

    def __init__(self, database: Database, ring: KeyRing, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._csrf_key = ring.derive("csrf-token")
        self._clock = clock
        self._ttl_ms = settings.session_ttl_s * 1000
        self._idle_ms = settings.session_idle_s * 1000
        self._most = max(settings.sessions_max, 1)
        self._seen_every_ms = min(SEEN_EVERY_MS, self._idle_ms // 4)
        self._asked_for = Gathering[bytes, _Living | None](self._find)

    async def authenticate(self, token: str, *, cookie: bool = False) -> SignedIn:
        """Whose session it is. Raises ``SessionMissing``.

        ``cookie``: how the token came, which must be how it was given out.
        """
        found = await self._asked_for.ask(token_hash(token))
        if found is None or found.who.cookie != cookie:
            raise SessionMissing("This session is unknown or has ended.")
        now_ms = self._clock.now_ms()
        if found.last_seen_ms <= now_ms - self._seen_every_ms:
            with suppress(DatabaseBusy, DatabaseUnavailable):  # no reason not to answer
                await self._database.write(_see, found.who.token_hash, now_ms)
        return found.who

    async def _find(self, hashes: list[bytes]) -> list["_Living | None"]:
        """The sessions of these tokens that have not ended."""
        now_ms = self._clock.now_ms()
        living = await self._database.read(_living, hashes, now_ms, now_ms - self._idle_ms)
        return [living.get(one) for one in hashes]

    def csrf_token(self, hash_: bytes) -> str:
        """What a page of ours sends with each change, and a page of others cannot know.

        A keyed hash of the session: nothing to store, and nothing of use without the cookie.
        """
        return hmac.digest(self._csrf_key, hash_, "sha3_256").hex()

    def open(
        self,
        connection: Connection,
        member_id: str,
        visitor: Visitor,
        *,
        device: str,
        second_factor: bool,
        cookie: bool,
    ) -> NewSession:
        """A new session, in the caller's transaction.

        This member's ended ones are dropped, and the oldest are ended that would be too many.
        """
        now_ms = self._clock.now_ms()
        token, id_ = entropy.new_token(), entropy.new_id("se", now_ms)
        address = visitor.address[:ADDRESS_MAX_CHARS]
        connection.execute(*_drop_ended(member_id, now_ms, now_ms - self._idle_ms))
        too_many = self._too_many(connection, member_id, now_ms)
        connection.execute(
            _INSERT,
            {
                "token_hash": token_hash(token),
                "id": id_,
                "member_id": member_id,
                "second_factor": second_factor,
                "cookie": cookie,
                "address": address,
                "device": label_of(visitor.user_agent),
                "created_ms": now_ms,
                "last_seen_ms": now_ms,
                "expires_ms": now_ms + self._ttl_ms,
            },
        )
        _end_oldest(connection, member_id, too_many, now_ms)
        audit.append(connection, now_ms=now_ms, actor=member_id, action="session:open", object_=id_)
        return NewSession(id_, token, now_ms + self._ttl_ms, token_hash(token), device)

    def _too_many(self, connection: Connection, member_id: str, now_ms: int) -> list[str]:
        """The ids of the living sessions that leave no place for another, the oldest."""
        rows = connection.execute(*_living_of(member_id, now_ms, now_ms - self._idle_ms)).all()
        return [row.id for row in rows[self._most - 1 :]]

    async def of(self, asker: SignedIn) -> list[SessionListed]:
        """The living sessions of whoever asks, the newest first."""
        now_ms = self._clock.now_ms()
        rows = await self._database.read(
            lambda connection: connection.execute(
                *_living_of(asker.member.id, now_ms, now_ms - self._idle_ms)
            ).all()
        )
        return [
            SessionListed(
                row.id,
                row.created_ms,
                row.last_seen_ms,
                row.expires_ms,
                row.address,
                row.device,
                row.second_factor,
                row.id == asker.session_id,
            )
            for row in rows
        ]

    async def end(self, asker: SignedIn, session_id: str) -> None:
        """End one session of whoever asks. Raises ``SessionUnknown``."""
        now_ms = self._clock.now_ms()
        ended = await self._database.write(
            _end_one, asker.member.id, session_id, now_ms, now_ms - self._idle_ms
        )
        if not ended:
            raise SessionUnknown("There is no such session.")

    async def end_others(self, asker: SignedIn) -> None:
        """End every session of whoever asks but the one they ask in."""
        await self._database.write(
            end_sessions, asker.member.id, self._clock.now_ms(), but=asker.session_id
        )

    async def end_all_of(self, member_id: str, operator_id: str) -> None:
        """End every session of a member, as an operator wants it."""
        now_ms = self._clock.now_ms()
        await self._database.write(end_sessions, member_id, now_ms, actor=operator_id)


def end_sessions(
    connection: Connection,
    member_id: str,
    now_ms: int,
    *,
    but: str = "",
    actor: str = "",
) -> None:
    """End all sessions of a member, or all ``but`` one, in the caller's transaction.

    ``actor`` is who wants it, if not the member. Appends to the trail, so it comes late.
    """
    done = connection.execute(
        update(sessions)
        .where(
            sessions.c.member_id == member_id,
            sessions.c.id != but,
            sessions.c.revoked_ms.is_(None),
        )
        .values(revoked_ms=now_ms)
    )
    if done.rowcount:
        audit.append(
            connection,
            now_ms=now_ms,
            actor=actor or member_id,
            action="session:end_all",
            object_=member_id,
        )


def token_hash(token: str) -> bytes:
    """What is stored of a session token: it is random, so a plain hash keeps it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _end_one(
    connection: Connection,
    member_id: str,
    session_id: str,
    now_ms: int,
    seen_after_ms: int,
) -> bool:
    mine = (sessions.c.id == session_id) & (sessions.c.member_id == member_id)
    living = (sessions.c.expires_ms > now_ms) & (sessions.c.last_seen_ms > seen_after_ms)
    done = connection.execute(
        update(sessions)
        .where(mine, living, sessions.c.revoked_ms.is_(None))
        .values(revoked_ms=now_ms)
    )
    if done.rowcount:
        audit.append(
            connection, now_ms=now_ms, actor=member_id, action="session:end", object_=session_id
        )
    return done.rowcount == 1


def _end_oldest(connection: Connection, member_id: str, ids: list[str], now_ms: int) -> None:
    if not ids:
        return
    those = sessions.c.id.in_(ids)
    connection.execute(update(sessions).where(those).values(revoked_ms=now_ms))
    for id_ in ids:
        audit.append(
            connection, now_ms=now_ms, actor=member_id, action="session:replace", object_=id_
        )


def _living(
    connection: Connection, hashes: list[bytes], now_ms: int, seen_after_ms: int
) -> dict[bytes, _Living]:
    """The living sessions among these, by the hash of their token."""
    found = {}
    for row in _BY_TOKENS.rows(
        connection, hashes=hashes, now_ms=now_ms, seen_after_ms=seen_after_ms
    ):
        hash_, session_id, second_factor, cookie, last_seen_ms = row[-5:]
        who = SignedIn(records.member_of(row), session_id, hash_, second_factor, cookie)
        found[hash_] = _Living(who, last_seen_ms)
    return found


def _see(connection: Connection, hash_: bytes, now_ms: int) -> None:
    connection.execute(*_seen(hash_, now_ms))


_BY_TOKENS = Packed(
    records.joined(
        sessions.c.token_hash,
        sessions.c.id.label("session_id"),
        sessions.c.second_factor,
        sessions.c.cookie,
        sessions.c.last_seen_ms,
    )
    .join(sessions, sessions.c.member_id == members.c.id)
    .where(
        sessions.c.token_hash.in_(bindparam("hashes", expanding=True)),
        sessions.c.expires_ms > bindparam("now_ms"),
        sessions.c.last_seen_ms > bindparam("seen_after_ms"),
        sessions.c.revoked_ms.is_(None),
        members.c.closed_ms.is_(None),
    )
)


@prepared
def _seen(token_hash: Any, now_ms: Any) -> Any:
    return update(sessions).where(sessions.c.token_hash == token_hash).values(last_seen_ms=now_ms)


@prepared
def _living_of(member_id: Any, now_ms: Any, seen_after_ms: Any) -> Any:
    return (
        select(sessions)
        .where(
            sessions.c.member_id == member_id,
            sessions.c.expires_ms > now_ms,
            sessions.c.last_seen_ms > seen_after_ms,
            sessions.c.revoked_ms.is_(None),
        )
        .order_by(sessions.c.id.desc())
    )


@prepared
def _drop_ended(member_id: Any, now_ms: Any, seen_after_ms: Any) -> Any:
    return delete(sessions).where(
        sessions.c.member_id == member_id,
        (sessions.c.expires_ms <= now_ms) | (sessions.c.last_seen_ms <= seen_after_ms),
    )


_INSERT = insert(sessions)

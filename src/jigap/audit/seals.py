"""Seals over the trail, made by the one component that holds the key for it.

Whoever can write the database could change a row and then every hash after it. So the dispatcher
signs, every few seconds in which rows were added, which row was the last and what its hash was;
each seal also names the one before it. To change a sealed row one needs the dispatcher's key.

Somebody who takes away the newest seals *and* the newest rows leaves a shorter trail that is sound
in itself. Against that the newest head is kept outside the database: by the dispatcher in a file,
and by anybody who has run ``jigap audit head``. With that the trail must still hold that row.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Table,
    func,
    insert,
    select,
)

from jigap.audit.trail import GENESIS, audit_trail, follow, link
from jigap.chain import signature as ecdsa
from jigap.chain.hashing import sha3_256
from jigap.chain.invalid import Invalid
from jigap.clock import Clock
from jigap.database import Database, metadata
from jigap.refusal import Kind, Refusal

log = logging.getLogger("jigap.audit")

audit_seals = Table(
    "audit_seals",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("row_id", BigInteger, nullable=False),
    Column("head", LargeBinary(32), nullable=False),
    Column("previous", LargeBinary(32), nullable=False, unique=True),
    Column("signature", LargeBinary(65), nullable=False),
)

_DOMAIN = b"jigap audit seal 1 "
_HEAD = re.compile(r"jigap-audit-1:([0-9]{1,18}):([0-9a-f]{64}):([0-9a-f]{40})", re.ASCII)


class TrailBroken(Refusal):
    """The audit trail is not what was sealed."""

    code = "audit_trail_broken"
    kind = Kind.UNAVAILABLE
    hint = "Run `jigap audit verify`, and find out who has written in the database."


class HeadMalformed(Refusal):
    """This is not what `jigap audit head` prints."""

    code = "audit_head_malformed"
    kind = Kind.INVALID
    hint = "Give the whole line that `jigap audit head` printed."


class Signer(Protocol):
    """The dispatcher's key."""

    @property
    def public_key_hash(self) -> bytes: ...

    def sign(self, digest: bytes) -> ecdsa.Signature: ...


@dataclass(frozen=True, slots=True)
class Head:
    """What to keep outside: the newest row, its hash, and who seals (public key hash)."""

    row_id: int
    hash: bytes
    sealer: bytes

    @classmethod
    def parse(cls, text: str) -> "Head":
        """From the line that ``str`` makes. Raises ``HeadMalformed``."""
        match = _HEAD.fullmatch(text.strip())
        if match is None:
            raise HeadMalformed("This is not the head of an audit trail.")
        return cls(int(match[1]), bytes.fromhex(match[2]), bytes.fromhex(match[3]))

    def __str__(self) -> str:
        return f"jigap-audit-1:{self.row_id}:{self.hash.hex()}:{self.sealer.hex()}"


@dataclass(frozen=True, slots=True)
class Seal:
    """That the trail ended at ``row_id`` with the hash ``head``, as of ``created_ms``."""

    id: int
    created_ms: int
    row_id: int
    head: bytes
    previous: bytes
    signature: bytes

    @property
    def digest(self) -> bytes:
        """What is signed."""
        return _digest(self.row_id, self.head, self.created_ms, self.previous)

    @property
    def hash(self) -> bytes:
        """What the next seal names."""
        return sha3_256(self.digest + self.signature)

    def is_by(self, sealer: bytes | None) -> bool:
        """Whether the key with this public key hash made it."""
        try:
            signed = ecdsa.Signature.from_bytes(self.signature)
            return ecdsa.public_key_hash(ecdsa.recover(self.digest, signed)) == sealer
        except Invalid:
            return False


@dataclass(frozen=True, slots=True)
class Broken:
    """The first thing found wrong: a word for programs, the row or seal, a sentence."""

    what: str
    at: int
    words: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at. ``unsealed`` counts the rows at the end that no seal covers yet."""

    rows: int
    seals: int
    last_sealed_ms: int | None
    unsealed: int
    row_id: int
    head: bytes
    last_seal: bytes
    broken: Broken | None = None


def inspect(
    connection: Connection,
    sealer: bytes | None,
    known: Sequence[Head] = (),
    *,
    since: Seal | None = None,
) -> Report:
    """Recompute the chain, check every seal, and find every head known from outside.

    ``sealer`` is the public key hash of the key that seals; None if there is none. ``since`` is a
    seal at which to begin, to look only at what is newer.
    """
    rows = unsealed = made = 0
    row_id, head, last_seal, sealed_ms = 0, GENESIS, GENESIS, None
    broken = None
    if since is not None:
        broken = _wrong_seal(connection, since, since.previous, sealer)
        row_id, head, last_seal, sealed_ms = (
            since.row_id, since.head, since.hash, since.created_ms
        )  # fmt: skip
    seals = _seals(connection, 0 if since is None else since.id)
    due = next(seals, None)
    for entry, fields in follow(connection, row_id) if broken is None else ():
        if link(head, fields) != entry.hash:
            words = f"Row {entry.id} does not follow from the rows before it."
            broken = Broken("row_changed", entry.id, words)
            break
        rows, unsealed, row_id, head = rows + 1, unsealed + 1, entry.id, entry.hash
        while due is not None and due.row_id <= row_id and broken is None:
            broken = _wrong_seal(connection, due, last_seal, sealer)
            made, unsealed, last_seal, sealed_ms = made + 1, 0, due.hash, due.created_ms
            due = next(seals, None)
        if broken is not None:
            break
    if broken is None and due is not None:
        broken = _wrong_seal(connection, due, last_seal, sealer) or _missing(due.row_id)
    broken = broken or _unlike(connection, sealer, known)
    return Report(rows, made, sealed_ms, unsealed, row_id, head, last_seal, broken)


def newest_head(connection: Connection, sealer: bytes) -> Head:
    """What to keep outside, as of now."""
    newest = select(audit_trail.c.id, audit_trail.c.hash).order_by(audit_trail.c.id.desc())
    row = connection.execute(newest.limit(1)).first()
    return Head(0, GENESIS, sealer) if row is None else Head(row.id, row.hash, sealer)


def unsealed_rows(connection: Connection) -> int:
    """How many rows no seal covers yet."""
    sealed = select(func.coalesce(func.max(audit_seals.c.row_id), 0)).scalar_subquery()
    query = select(func.count()).select_from(audit_trail).where(audit_trail.c.id > sealed)
    return int(connection.scalar(query) or 0)


def read_head(path: Path) -> Head | None:
    """The head that a dispatcher has kept in a file, or None. Raises ``HeadMalformed``."""
    try:
        return Head.parse(path.read_text(encoding="ascii", errors="replace"))
    except FileNotFoundError:
        return None


class Sealer:
    """Seals the trail from time to time. ``path`` keeps the newest head outside the database.

    ``write`` puts bytes at a path, durably and whole or not at all.
    """

    def __init__(
        self,
        database: Database,
        key: Signer,
        clock: Clock,
        path: Path,
        write: Callable[[Path, bytes], None],
    ) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._path = path
        self._write = write
        self._said = ""

    async def run(self, every_s: float) -> None:
        """Seal until cancelled, and then once more. A broken trail is said and never sealed."""
        try:
            while True:
                await self._try()
                await asyncio.sleep(every_s)
        finally:
            await self._try()

    async def seal(self) -> Seal | None:
        """Seal what is new, or nothing if nothing is. Raises ``TrailBroken``, ``HeadMalformed``."""
        kept = read_head(self._path)
        report = await self._database.read(self._look, kept)
        if report.broken is not None:
            raise TrailBroken(report.broken.words, what=report.broken.what, at=report.broken.at)
        if not report.unsealed:
            return None
        now_ms = self._clock.now_ms()
        digest = _digest(report.row_id, report.head, now_ms, report.last_seal)
        signed = self._key.sign(digest).to_bytes()
        seal = await self._database.write(
            _add, now_ms, report.row_id, report.head, report.last_seal, signed
        )
        head = Head(report.row_id, report.head, self._key.public_key_hash)
        await asyncio.to_thread(self._write, self._path, f"{head}\n".encode())
        return seal

    def _look(self, connection: Connection, kept: Head | None) -> Report:
        known = () if kept is None else (kept,)
        return inspect(connection, self._key.public_key_hash, known, since=_last(connection))

    async def _try(self) -> None:
        try:
            await self.seal()
            self._said = ""
        except Refusal as refusal:
            self._say(f"{refusal.detail} {refusal.hint}")
        except OSError as trouble:  # the disk is full, say: payments go on
            self._say(f"{self._path} cannot be used: {trouble.strerror}.")

    def _say(self, words: str) -> None:
        if words != self._said:  # once for each new finding
            log.error("the audit trail is not sealed: %s", words)
        self._said = words


def _digest(row_id: int, head: bytes, created_ms: int, previous: bytes) -> bytes:
    fields = (row_id, head.hex(), created_ms, previous.hex())
    return sha3_256(_DOMAIN + msgspec.json.encode(fields))


def _add(
    connection: Connection, now_ms: int, row_id: int, head: bytes, previous: bytes, signed: bytes
) -> Seal:
    values = {
        "created_ms": now_ms,
        "row_id": row_id,
        "head": head,
        "previous": previous,
        "signature": signed,
    }
    added = connection.execute(insert(audit_seals).values(**values).returning(audit_seals))
    return Seal(*added.one())


def _last(connection: Connection) -> Seal | None:
    query = select(audit_seals).order_by(audit_seals.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Seal(*row)


def _seals(connection: Connection, after_id: int) -> Iterator[Seal]:
    query = select(audit_seals).where(audit_seals.c.id > after_id).order_by(audit_seals.c.id)
    for row in connection.execute(query):
        yield Seal(*row)


def _wrong_seal(
    connection: Connection, seal: Seal, previous: bytes, sealer: bytes | None
) -> Broken | None:
    if not seal.is_by(sealer):
        words = f"Seal {seal.id} is not by the key that seals this trail."
        return Broken("seal_forged", seal.id, words)
    if seal.previous != previous:
        words = f"Seal {seal.id} does not follow the seal before it."
        return Broken("seal_missing", seal.id, words)
    found = _hash_of(connection, seal.row_id)
    if found is None:
        return _missing(seal.row_id)
    if found != seal.head:
        words = f"Row {seal.row_id} is not the one that was sealed."
        return Broken("row_changed", seal.row_id, words)
    return None


def _unlike(connection: Connection, sealer: bytes | None, known: Sequence[Head]) -> Broken | None:
    """What differs from a head that was kept outside."""
    for head in known:
        if head.sealer != sealer:
            words = "The key that seals this trail is not the one of the head that was kept."
            return Broken("key_changed", head.row_id, words)
        found = _hash_of(connection, head.row_id) if head.row_id else head.hash
        if found is None:
            return _missing(head.row_id)
        if found != head.hash:
            words = f"Row {head.row_id} is not the one of the head that was kept."
            return Broken("row_changed", head.row_id, words)
    return None


def _missing(row_id: int) -> Broken:
    return Broken("rows_missing", row_id, f"The trail had a row {row_id}, which is gone.")


def _hash_of(connection: Connection, row_id: int) -> bytes | None:
    found = connection.scalar(select(audit_trail.c.hash).where(audit_trail.c.id == row_id))
    return None if found is None else bytes(found)

"""Looking after the two copies of every wallet key: verify, restore, rotate.

* ``verify_all`` looks and changes nothing.
* ``restore_all`` makes the two copies of a wallet the same and whole again, from whichever opens.
* ``rotate_all`` puts the data keys under the newest master key; no passphrase is needed.

All three may run beside a live platform: whatever changes a wallet's key takes that wallet's lease
first, as a change of passphrase does, and looks again under it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import Connection, func, select

from jigap import entropy
from jigap.chain.signature import PrivateKey
from jigap.clock import Clock
from jigap.database import Database
from jigap.keys import attempts, copies, envelope
from jigap.keys.attempts import LEASE_MS, Attempt, PassphraseBusy
from jigap.keys.copies import StoredKey, keystores
from jigap.keys.diagnosis import Diagnosis, Fault, diagnose
from jigap.keys.files import KeyFiles
from jigap.keys.keystore import is_secret
from jigap.keys.ring import NONCE_SIZE, KeyRing

PAGE = 200
#: A temporary file this old belongs to nobody any more.
LEFTOVER_MS = 3_600_000
_PAUSE_S = 0.1
#: Pauses after which a lease must have run out.
_PATIENCE = 10 + int(LEASE_MS / 1000 / _PAUSE_S)

Progress = Callable[[int, int], None]
_Visit = Callable[[str, StoredKey | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with one wallet's key."""

    wallet_id: str
    fault: Fault
    version: int | None = None

    def shown(self) -> dict[str, str | int | None]:
        """For JSON and tables."""
        return {
            "wallet_id": self.wallet_id,
            "fault": self.fault.name.lower(),
            "version": self.version,
            "meaning": self.fault.value,
        }


@dataclass(slots=True)
class Report:
    """What a run over all wallets saw and did."""

    wallets: int = 0
    findings: list[Finding] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    rederived: int = 0
    rewrapped: int = 0
    leftovers: int = 0

    def note(self, wallet_id: str, found: Diagnosis) -> None:
        """One wallet was looked at."""
        self.wallets += 1
        self.findings += [Finding(wallet_id, fault, version) for fault, version in found.faults]

    def note_busy(self, wallet_id: str) -> None:
        """One wallet was being changed all the time."""
        self.wallets += 1
        self.findings.append(Finding(wallet_id, Fault.BUSY))

    @property
    def sound(self) -> bool:
        """Whether nothing was found that a person must look at."""
        mended = set(self.repaired)
        return all(one.wallet_id in mended and one.fault is not Fault.LOST for one in self.findings)


class Caretaker:
    """Goes over every wallet's key. ``progress`` is told how many of how many are done."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        files: KeyFiles,
        clock: Clock,
        *,
        progress: Progress | None = None,
    ) -> None:
        self._database = database
        self._ring = ring
        self._files = files
        self._clock = clock
        self._progress = progress or (lambda done, total: None)

    async def verify_all(self, recovery_private_key: bytes | None = None) -> Report:
        """Look at both copies of every wallet's key; nothing is changed.

        With the offline recovery key every recovery slot is opened and the public key derived
        again. Raises ``MasterKeyMissing`` or ``RecoveryKeyInvalid``.
        """
        report = Report(leftovers=len(list(self._files.leftovers())))

        async def look(wallet_id: str, row: StoredKey | None) -> None:
            found = await asyncio.to_thread(self._diagnosis, wallet_id, row)
            if found.faults:  # it may have been changed between the two looks
                found = await self._second_look(wallet_id)
            report.note(wallet_id, found)
            if recovery_private_key is not None and found.good is not None:
                _rederive(report, found.good, recovery_private_key)

        await self._every(look)
        return report

    async def restore_all(self) -> Report:
        """Make both copies of every wallet's key whole and the same again.

        Raises ``MasterKeyMissing``; what cannot be restored is in the report.
        """
        report = Report()

        async def mend(wallet_id: str, row: StoredKey | None) -> None:
            found = await asyncio.to_thread(self._diagnosis, wallet_id, row)
            if not found.faults:
                report.wallets += 1
                return
            async with self._lease(report, wallet_id) as mine:
                if mine:
                    await self._mend(report, wallet_id)

        await self._every(mend)
        report.leftovers = await asyncio.to_thread(self._clear_leftovers)
        return report

    async def rotate_all(self) -> Report:
        """Put every data key under the ring's current master key, in both copies.

        A key whose row does not open is in the report and left alone.
        """
        report = Report()

        async def wrap(wallet_id: str, row: StoredKey | None) -> None:
            async with self._lease(report, wallet_id) as mine:
                if mine:
                    await self._rewrap(report, wallet_id)

        await self._every(wrap)
        return report

    # -- one wallet -----------------------------------------------------------------------------

    def _diagnosis(self, wallet_id: str, row: StoredKey | None) -> Diagnosis:
        found: dict[int, bytes] = {}
        for version in self._files.versions(wallet_id):
            content = self._files.read(wallet_id, version)
            if content is not None:
                found[version] = content
        return diagnose(wallet_id, row, found, self._ring)

    async def _look(self, wallet_id: str) -> tuple[StoredKey | None, Diagnosis]:
        row = await self._database.read(_stored_or_none, wallet_id)
        return row, await asyncio.to_thread(self._diagnosis, wallet_id, row)

    async def _second_look(self, wallet_id: str) -> Diagnosis:
        """What is wrong, once nobody is changing this key; a lease runs out by itself.

        A change may begin, or begin and end, while we look at the row and then at the files. So
        only what is seen with nobody at work before and after, and with the same row, counts.
        """
        for _ in range(_PATIENCE):
            busy = await self._database.read(_is_busy, wallet_id, self._clock.now_ms())
            row, found = await self._look(wallet_id)
            if not found.faults:
                break
            busy |= await self._database.read(_is_busy, wallet_id, self._clock.now_ms())
            if not busy and row == await self._database.read(_stored_or_none, wallet_id):
                break
            await asyncio.sleep(_PAUSE_S)
        return found

    @asynccontextmanager
    async def _lease(self, report: Report, wallet_id: str) -> AsyncIterator[bool]:
        """Keep everybody else from changing this key; False when that cannot be had.

        A key without a row has no lease, and nobody who could change it.
        """
        lease: Attempt | None = None
        for _ in range(_PATIENCE):
            try:
                lease = await self._database.write(
                    attempts.take,
                    wallet_id,
                    token=entropy.random_bytes(16),
                    now_ms=self._clock.now_ms(),
                    counted=False,
                )
                break
            except copies.KeystoreMissing:
                break
            except PassphraseBusy:
                await asyncio.sleep(_PAUSE_S)
        else:
            report.note_busy(wallet_id)
            yield False
            return
        try:
            yield True
        finally:
            if lease is not None:
                await self._database.write(attempts.undo, lease)

    async def _mend(self, report: Report, wallet_id: str) -> None:
        row, found = await self._look(wallet_id)
        report.note(wallet_id, found)
        good = found.good
        if good is None or not found.faults:
            return
        if found.file_wanted:
            await asyncio.to_thread(self._files.write, good.wallet_id, good.version, good.envelope)
        if found.row_wanted:
            await self._database.write(copies.put_back, row, good, self._clock.now_ms())
        await asyncio.to_thread(self._files.keep_only, good.wallet_id, good.version)
        report.repaired.append(wallet_id)

    async def _rewrap(self, report: Report, wallet_id: str) -> None:
        """Row first, then file: the row is what opens keys."""
        row, found = await self._look(wallet_id)
        if row is None or found.good is not row:
            report.note(wallet_id, found)
            return
        report.wallets += 1
        sealed = row.envelope
        if envelope.master_key_version(sealed) != self._ring.current:
            nonce = entropy.random_bytes(NONCE_SIZE)
            sealed = envelope.rewrap(sealed, self._ring, nonce=nonce)
            await self._database.write(copies.replace_envelope, row, sealed)
        if await asyncio.to_thread(self._files.read, wallet_id, row.version) != sealed:
            await asyncio.to_thread(self._files.write, wallet_id, row.version, sealed)
            report.rewrapped += 1

    # -- all of them ----------------------------------------------------------------------------

    async def _every(self, visit: _Visit) -> None:
        """Visit every wallet that has a row, then every one that has only files."""
        total = await self._database.read(_count)
        done = 0
        last = ""
        while page := await self._database.read(copies.stored_after, last, PAGE):
            for row in page:
                await visit(row.wallet_id, row)
                done += 1
                self._progress(done, max(done, total))
            last = page[-1].wallet_id
        for ids in _pages(self._files.wallets()):
            known = await self._database.read(_known, ids)
            for wallet_id in ids:
                if wallet_id not in known:
                    await visit(wallet_id, None)
                    done += 1
                    self._progress(done, max(done, total))

    def _clear_leftovers(self) -> int:
        cleared = 0
        for path in self._files.leftovers():
            if path.stat().st_mtime_ns // 1_000_000 < self._clock.now_ms() - LEFTOVER_MS:
                path.unlink(missing_ok=True)
                cleared += 1
        return cleared


def _rederive(report: Report, key: StoredKey, private_key: bytes) -> None:
    try:
        secret = envelope.open_recovery(key.envelope, private_key)
    except envelope.EnvelopeDamaged:
        secret = b""
    if secret is None:
        return
    if is_secret(secret) and PrivateKey(secret).public_key_hash == key.public_key_hash:
        report.rederived += 1
    else:
        report.findings.append(Finding(key.wallet_id, Fault.SLOT_WRONG, key.version))


def _stored_or_none(connection: Connection, wallet_id: str) -> StoredKey | None:
    try:
        return copies.stored(connection, wallet_id)
    except copies.KeystoreMissing:
        return None


def _is_busy(connection: Connection, wallet_id: str, now_ms: int) -> bool:
    until = connection.scalar(
        select(keystores.c.busy_until_ms).where(keystores.c.wallet_id == wallet_id)
    )
    return until is not None and until > now_ms


def _count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(keystores)) or 0


def _known(connection: Connection, ids: list[str]) -> set[str]:
    known = select(keystores.c.wallet_id).where(keystores.c.wallet_id.in_(ids))
    return set(connection.scalars(known))


def _pages(ids: Iterator[str]) -> Iterator[list[str]]:
    while page := list(islice(ids, PAGE)):
        yield page

"""The vault: the one place where a wallet's private key is ever in clear.

    new_key       make a key and its first copy
    unlocked      open a key for the length of a ``with`` block and sign
    change_passphrase, export, import_

What opens a key takes one turn per wallet (in this process), one lease per wallet (over all
processes), one place in the pool's queue and one attempt, in this order; the derivation itself runs
on the pool. A request that is cancelled half-way does not stop it: attempt and lease are settled
whatever happens to the caller. Python cannot wipe memory; what we can do is to hold a key no longer
than one ``with`` block and to let it appear in no representation, log or error.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection

from jigap import entropy
from jigap.chain.signature import PrivateKey
from jigap.chain.transaction import SignedTransaction, Transaction, sign
from jigap.clock import Clock
from jigap.database import Database, DatabaseBusy, DatabaseUnavailable
from jigap.keys import attempts, copies, envelope, handover, keystore
from jigap.keys.attempts import Attempt, PassphraseBusy
from jigap.keys.changing import Also, changed_by
from jigap.keys.copies import NewKey, StoredKey
from jigap.keys.envelope import Label
from jigap.keys.files import KeyFiles
from jigap.keys.kdf import KdfPool, Place
from jigap.keys.keystore import Opened, PassphraseWrong
from jigap.keys.passphrase import chosen, normalized
from jigap.keys.ring import KeyRing
from jigap.refusal import Refusal
from jigap.settings import Settings
from jigap.steps import step

T = TypeVar("T")

#: Requests of one wallet that may wait for their turn in one process.
TURNS_MAX = 64
#: How long to wait for a lease that another process holds.
LEASE_WAIT_S = 5.0
#: How often a lease is renewed by who holds it.
RENEW_S = attempts.LEASE_MS / 1000 / 4
#: How long to wait before asking a busy database again.
BUSY_PAUSE_S = 0.05


class Unlocked:
    """An open key. It signs inside its ``with`` block and is empty afterwards."""

    def __init__(self, key: PrivateKey) -> None:
        self._key: PrivateKey | None = key
        self.public_key_hash = key.public_key_hash

    def sign(self, transaction: Transaction, chain_id: int) -> SignedTransaction:
        """Sign one transaction for one chain."""
        if self._key is None:
            raise RuntimeError("the key was signed with outside its with block")
        return sign(transaction, self._key, chain_id)

    def _close(self) -> None:
        self._key = None

    def __repr__(self) -> str:
        state = "closed" if self._key is None else "open"
        return f"Unlocked({state}, public_key_hash=0x{self.public_key_hash.hex()})"


@dataclass(slots=True)
class _Turns:
    """Who waits for one wallet in this process."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: int = 0


class Vault:
    """Keys of wallets: made, opened, put away anew. See the module."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        root: Path,
        pool: KdfPool,
        clock: Clock,
        settings: Settings,
    ) -> None:
        """``root`` is the folder of the first copies. Raises ``RecoveryKeyInvalid``."""
        self._database = database
        self._ring = ring
        self._files = KeyFiles(root)
        self._pool = pool
        self._clock = clock
        self._n = settings.scrypt_n
        self._recovery = recovery_key(settings)
        self._turns: dict[str, _Turns] = {}
        self._under_way: set[asyncio.Task[Any]] = set()

    @property
    def files(self) -> KeyFiles:
        """The first copies."""
        return self._files

    async def new_key(self, wallet_id: str, passphrase: str) -> NewKey:
        """Make a key for a new wallet. Its first copy is durable when this returns.

        The caller inserts the second with ``insert_copy``, in the transaction (step ``wallet.row``)
        that makes the wallet. Raises ``PassphraseWeak`` or ``KdfBusy``.
        """
        text = chosen(passphrase)
        with self._pool.place() as place:
            key = await self._make(place, wallet_id, text)
        with step("wallet.file"):
            await asyncio.to_thread(self._files.write, wallet_id, key.version, key.envelope)
        return key

    async def discard(self, key: NewKey) -> None:
        """Take away the first copy of a key whose wallet was not made; a key with a row stays."""
        try:
            await self._database.read(copies.stored, key.wallet_id)
        except copies.KeystoreMissing:
            await asyncio.to_thread(self._files.remove, key.wallet_id, key.version)

    @asynccontextmanager
    async def unlocked(self, wallet_id: str, passphrase: str) -> AsyncIterator[Unlocked]:
        """Open a wallet's key for the length of the ``with`` block.

        Raises ``KeystoreMissing``, ``PassphraseWrong``, ``PassphraseWait``, ``PassphraseBusy``,
        ``KdfBusy``, ``EnvelopeDamaged`` or ``MasterKeyMissing``.
        """

        async def nothing_more(place: Place, attempt: Attempt, opened: Opened) -> Unlocked:
            return Unlocked(opened.key)

        key = await self._whole(self._opened(wallet_id, passphrase, nothing_more))
        try:
            yield key
        finally:
            key._close()

    async def change_passphrase(
        self, wallet_id: str, old: str, new: str, *, member_id: str | None = None
    ) -> int:
        """Put the key away under another passphrase; the version that counts from now on.

        With ``member_id`` the same transaction records the event ``passphrase.changed`` and the
        audit row. Raises ``PassphraseWeak`` and what ``unlocked`` raises.
        """
        text = chosen(new)

        async def put_away(place: Place, attempt: Attempt, opened: Opened) -> int:
            return await self._put_away(place, attempt.key, opened, text, changed_by(member_id))

        return await self._whole(self._opened(wallet_id, old, put_away))

    async def export(
        self,
        wallet_id: str,
        passphrase: str,
        *,
        version: int = 4,
        symid: bytes | None = None,
        new_passphrase: str | None = None,
    ) -> dict[str, Any]:
        """The key as a standard file at full scrypt strength, under the same passphrase or another.

        Version 3 names the wallet's ``symid``, which it needs. Raises what ``unlocked`` and
        ``PassphraseWeak`` raise.
        """
        assert version == 4 or symid is not None, "a version 3 file names a SymID"
        text = normalized(passphrase) if new_passphrase is None else chosen(new_passphrase)

        async def write(place: Place, attempt: Attempt, opened: Opened) -> dict[str, Any]:
            address = "0x" + opened.public_key_hash.hex()
            if version == 3 and symid is not None:
                address = symid.hex()
            return await place.run_heavy(
                keystore.encrypt,
                opened.secret,
                text,
                salt=entropy.random_bytes(32),
                iv=entropy.random_bytes(16),
                uuid=keystore.uuid_of(entropy.random_bytes(16)),
                n=keystore.N_FULL,
                address=address,
                version=version,
            )

        return await self._whole(self._opened(wallet_id, passphrase, write))

    async def import_(
        self,
        wallet_id: str,
        document: dict[str, Any],
        passphrase: str,
        *,
        new_passphrase: str | None = None,
        member_id: str | None = None,
    ) -> int:
        """Put the wallet's own key, from a key file, in the place of the stored one.

        Whoever holds the file and its passphrase holds the key, so the stored passphrase is not
        asked for; it becomes ``new_passphrase``, or the file's. Refused with
        ``KeystoreKeyMismatch`` unless the file holds the key that the wallet has had from the
        beginning. Raises also what ``keystore.decrypt`` raises, ``PassphraseWeak``,
        ``KeystoreMissing``, ``PassphraseBusy`` and ``KdfBusy``. The new version is returned.
        """
        keystore.parse(document)
        text = chosen(passphrase if new_passphrase is None else new_passphrase)
        return await self._whole(self._imported(wallet_id, document, passphrase, text, member_id))

    async def recover(
        self, wallet_id: str, request_id: str, sealed: bytes, new: str, also: Also
    ) -> int:
        """Put the key that came back from the recovery key away under a new passphrase.

        ``sealed`` is what ``handover.accept`` made for ``request_id``. ``also`` runs in the
        transaction that names the new version and may refuse. Raises what it raises,
        ``PassphraseWeak``, ``RecoveryAnswerInvalid``, ``KeystoreMissing``, ``PassphraseBusy``,
        ``KdfBusy``. The new version is returned.
        """
        text = chosen(new)
        return await self._whole(self._recovered(wallet_id, request_id, sealed, text, also))

    async def settled(self) -> None:
        """Wait for what cancelled requests left under way; call before closing the database."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)

    # -- opening --------------------------------------------------------------------------------

    async def _opened(
        self,
        wallet_id: str,
        passphrase: str,
        then: Callable[[Place, Attempt, Opened], Awaitable[T]],
    ) -> T:
        """Take an attempt, open the key, do ``then`` with it while turn and lease are held."""
        async with self._turn(wallet_id):
            with self._pool.place() as place:
                attempt = await self._take(wallet_id, counted=True)
                async with self._renewed(attempt):
                    try:
                        opened = await self._open(place, attempt.key, normalized(passphrase))
                    except PassphraseWrong as wrong:
                        await self._settle(attempts.keep, attempt, self._clock.now_ms())
                        raise _told(wrong, attempt) from None
                    except BaseException:
                        await self._settle(attempts.undo, attempt)
                        raise
                    try:
                        return await then(place, attempt, opened)
                    finally:
                        await self._settle(attempts.give_back, attempt, self._clock.now_ms())

    async def _imported(
        self,
        wallet_id: str,
        document: dict[str, Any],
        passphrase: str,
        text: str,
        member_id: str | None,
    ) -> int:
        async with self._turn(wallet_id):
            with self._pool.place() as place:
                opened = await place.run_heavy(open_foreign, document, passphrase)
                lease = await self._take(wallet_id, counted=False)
                try:
                    must_be_the_key_of(lease.key, opened)
                    also = changed_by(member_id)
                    async with self._renewed(lease):
                        return await self._put_away(place, lease.key, opened, text, also)
                finally:
                    await self._settle(attempts.undo, lease)

    async def _recovered(
        self, wallet_id: str, request_id: str, sealed: bytes, text: str, also: Also
    ) -> int:
        async with self._turn(wallet_id):
            with self._pool.place() as place:
                lease = await self._take(wallet_id, counted=False)
                key = lease.key
                try:
                    label = Label(key.wallet_id, key.public_key_hash, key.version)
                    opened = handover.reveal(sealed, request_id, label, self._ring)
                    must_be_the_key_of(key, opened)
                    async with self._renewed(lease):
                        return await self._put_away(place, key, opened, text, also)
                except (copies.KeystoreChanged, DatabaseUnavailable):
                    raise  # the row may name this version: by another, or by us
                except Refusal:  # the row was not written, so nobody needs the file
                    await asyncio.to_thread(self._files.remove, wallet_id, key.version + 1)
                    raise
                finally:
                    await self._settle(attempts.undo, lease)

    async def _take(self, wallet_id: str, *, counted: bool) -> Attempt:
        """Take the lease, waiting a little for another process to end with it."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + LEASE_WAIT_S
        pause = 0.004
        while True:
            token = entropy.random_bytes(16)
            try:
                return await self._database.write(
                    attempts.take,
                    wallet_id,
                    token=token,
                    now_ms=self._clock.now_ms(),
                    counted=counted,
                )
            except PassphraseBusy:
                if loop.time() >= give_up:
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 1.5, 0.05)

    @asynccontextmanager
    async def _renewed(self, attempt: Attempt) -> AsyncIterator[None]:
        """Keep the lease alive: on a machine that is busy a derivation may outlast it.

        Otherwise others would begin meanwhile, and their attempts, though right, make it wait.
        """
        renewing = asyncio.create_task(self._renew(attempt))
        try:
            yield
        finally:
            renewing.cancel()

    async def _renew(self, attempt: Attempt) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with suppress(DatabaseBusy, DatabaseUnavailable):  # there is time for another go
                await self._database.write(attempts.renew, attempt, self._clock.now_ms())

    async def _settle(self, fn: Callable[..., None], *args: Any) -> None:
        """Settle attempt and lease, however busy the database is: the passphrase was tried."""
        while True:
            try:
                return await self._database.write(fn, *args)
            except DatabaseBusy:
                await asyncio.sleep(BUSY_PAUSE_S)

    @asynccontextmanager
    async def _turn(self, wallet_id: str) -> AsyncIterator[None]:
        """One after another, first come first served. Raises ``PassphraseBusy`` for too many."""
        turns = self._turns.setdefault(wallet_id, _Turns())
        if turns.wanted > TURNS_MAX:
            raise PassphraseBusy(
                "Too many requests of this wallet wait for their turn.", retry_after_s=1
            )
        turns.wanted += 1
        try:
            async with turns.lock:
                yield
        finally:
            turns.wanted -= 1
            if not turns.wanted:
                self._turns.pop(wallet_id, None)

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Let ``work`` run to its end even if the caller is cancelled."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        task.add_done_callback(_look_at)
        return await asyncio.shield(task)

    # -- putting away ---------------------------------------------------------------------------

    async def _put_away(
        self, place: Place, key: StoredKey, opened: Opened, text: str, also: Also | None
    ) -> int:
        """File, row, older files: the order that a crash at any instant leaves usable."""
        label = Label(key.wallet_id, key.public_key_hash, key.version + 1)
        sealed = await self._again(place, key, label, opened, text)
        with step("passphrase.file"):
            await asyncio.to_thread(self._files.write, label.wallet_id, label.version, sealed)
        with step("passphrase.row"):
            await self._database.write(_change_row, label, sealed, also, self._clock.now_ms())
        with step("passphrase.old_file"):
            await asyncio.to_thread(self._files.keep_only, label.wallet_id, label.version)
        return label.version

    # -- only deriving is done on the pool's threads: the rest would wait there for its turn -----

    async def _make(self, place: Place, wallet_id: str, text: str) -> NewKey:
        secret = entropy.random_bytes(32)
        while not keystore.is_secret(secret):
            secret = entropy.random_bytes(32)
        opened = Opened(secret, PrivateKey(secret), "sha3256")
        label = Label(wallet_id, opened.public_key_hash, 1)
        document = {"id": keystore.uuid_of(entropy.random_bytes(16))}
        sealed = self._seal(label, await self._closed(place, document, opened, text), secret)
        return NewKey(wallet_id, label.public_key_hash, label.version, sealed)

    async def _open(self, place: Place, key: StoredKey, text: str) -> Opened:
        file = keystore.parse(self._document(key))
        derived = await place.run(keystore.derive_for, file, text)
        opened = keystore.decrypt_derived(file, derived, keccak=False)
        must_be_the_key_of(key, opened)
        return opened

    async def _again(
        self, place: Place, key: StoredKey, label: Label, opened: Opened, text: str
    ) -> bytes:
        try:
            document = self._document(key)
        except envelope.EnvelopeDamaged:  # an import mends a damaged row
            document = {"id": keystore.uuid_of(entropy.random_bytes(16))}
        return self._seal(label, await self._closed(place, document, opened, text), opened.secret)

    def _document(self, key: StoredKey) -> dict[str, Any]:
        label = Label(key.wallet_id, key.public_key_hash, key.version)
        return keystore.read(envelope.open_(key.envelope, label, self._ring))

    async def _closed(
        self, place: Place, document: dict[str, Any], opened: Opened, text: str
    ) -> dict[str, Any]:
        salt, iv, n = entropy.random_bytes(32), entropy.random_bytes(16), self._n
        derived = await place.run(keystore.derive, text, salt=salt, n=n)
        return keystore.reencrypt(document, opened, derived, salt=salt, iv=iv, n=n)

    def _seal(self, label: Label, document: dict[str, Any], secret: bytes) -> bytes:
        return envelope.seal(
            label,
            msgspec.json.encode(document),
            self._ring,
            randomness=entropy.random_bytes(envelope.RANDOMNESS_SIZE),
            secret=secret,
            recovery=self._recovery,
        )


def recovery_key(settings: Settings) -> bytes | None:
    """The operator's offline recovery public key; None if there is none."""
    if not settings.recovery_public_key:
        return None
    try:
        raw = bytes.fromhex(settings.recovery_public_key)
    except ValueError:
        raw = b""
    return envelope.recovery_public_key(raw)


def open_foreign(document: dict[str, Any], passphrase: str) -> Opened:
    """Open a file that another program wrote, which may not have normalized its passphrase."""
    try:
        return keystore.decrypt(document, passphrase)
    except PassphraseWrong:
        if normalized(passphrase) == passphrase:
            raise
    return keystore.decrypt(document, normalized(passphrase))


def must_be_the_key_of(key: StoredKey, opened: Opened) -> None:
    """Raises ``KeystoreKeyMismatch`` unless this is the key the wallet has had all along."""
    if opened.public_key_hash != key.public_key_hash:
        raise keystore.KeystoreKeyMismatch(
            "This is the key of another wallet.",
            public_key_hash="0x" + opened.public_key_hash.hex(),
            expected="0x" + key.public_key_hash.hex(),
        )


def _change_row(
    connection: Connection, label: Label, sealed: bytes, also: Also | None, now_ms: int
) -> None:
    copies.next_version(
        connection, label.wallet_id, version=label.version, envelope=sealed, now_ms=now_ms
    )
    if also is not None:
        also(connection, label.wallet_id, now_ms)


def _told(wrong: PassphraseWrong, attempt: Attempt) -> PassphraseWrong:
    """The refusal with what the owner should know: how many in a row, and how long to wait."""
    wait_s = attempts.wait_ms(attempt.number) // 1000
    return PassphraseWrong(
        wrong.detail,
        retry_after_s=wait_s or None,
        attempts=attempt.number,
        free_attempts_left=max(0, attempts.FREE_ATTEMPTS - attempt.number),
    )


def _look_at(task: asyncio.Task[Any]) -> None:
    """A task whose caller has gone must not complain that nobody read its refusal."""
    if not task.cancelled():
        task.exception()

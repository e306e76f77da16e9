"""Accepting a payment: check everything, sign, record, and only then let it go.

The twelve steps of the paper's section 4.5, made safe. A request is answered from its key if it has
been accepted before; refused, if it must be, before anything is written; else signed together with
its cancel and recorded in one transaction with its nonce, its hold and its gas refill. The
dispatcher does the rest: when ``send`` returns, the payment will end well or be undone by the
chain, whatever happens to this process.

Much money, or much for somebody new, may have to wait first. Such a payment holds its amount but
has neither nonce nor signature: the payer confirms it with the passphrase after the delay, or takes
it back.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from jigap import events, lanes, members, tokens
from jigap.chain import sct20
from jigap.chain.transaction import TYPE_SCT
from jigap.clock import Clock
from jigap.database import Database
from jigap.entropy import new_id
from jigap.events import Bell
from jigap.keys import KeyRing, Vault
from jigap.lanes import NonceTaken, Outgoing
from jigap.settings import Settings
from jigap.steps import step
from jigap.transfers import records, refills, refusals
from jigap.transfers.examine import Examiner, OpenRecipient, Ready, Spent
from jigap.transfers.gas_refill import refill_hug
from jigap.transfers.transfer import PURPOSE, Order, Standing, Transfer

SIGN_AGAIN_MAX = 20
POLL_S = 0.1
POLL_MAX_S = 0.5
SELDOM_S = 2.0
#: Recent payees are as many different ones as the newest payments name.
PAYEES_MAX = 20
PAYEES_FROM = 200

#: Reads a payment's situation again, inside a transaction that holds its lane.
Look = Callable[[Connection], Transfer | Ready]
#: Writes what a payment adds besides its transaction.
Write = Callable[[Connection, Ready, Outgoing], None]


class Payments:
    """Payments as members make and see them.

    ``work`` wakes the dispatcher, ``news`` rings whenever a block has changed something.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        ring: KeyRing,
        clock: Clock,
        settings: Settings,
        work: Bell,
        news: Bell,
        open_recipient: OpenRecipient,
        work_node: bytes,
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._settings = settings
        self._work = work
        self._news = news
        self._work_node = work_node
        self._examiner = Examiner(ring, clock, settings, open_recipient)
        self._lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def send(self, member_id: str, key: str, order: Order, passphrase: str) -> Transfer:
        """Accept a payment, or answer the one this key is bound to. Raises a ``Refusal``."""
        tokens.require_key(key)
        look = partial(self._examiner.look, member_id=member_id, key=key, order=order)
        lane_lock = self._lane_lock(member_id)
        if lane_lock.locked():  # what can be answered at once need not wait for another payment
            found = await self._database.read(look)
            if isinstance(found, Transfer):
                return found
        async with lane_lock:
            found = await self._database.read(look)
            if isinstance(found, Transfer):
                return found
            if found.confirm_after_ms is not None:
                return await self._delay(found, key, passphrase, look)
            made = await self._sign_and_record(
                found,
                passphrase,
                key=key,
                transfer_id=None,
                look=look,
                write=partial(self._write_new, key=key),
            )
        self._work.ring({PURPOSE})
        return made

    async def confirm(self, member_id: str, transfer_id: str, passphrase: str) -> Transfer:
        """Sign a payment whose delay is over; confirming again answers how it stands."""
        look = partial(self._examiner.look_again, member_id=member_id, transfer_id=transfer_id)
        async with self._lane_lock(member_id):
            found = await self._database.read(look)
            if isinstance(found, Transfer):
                return found
            key = await self._database.read(records.key_of, transfer_id)
            made = await self._sign_and_record(
                found,
                passphrase,
                key=key,
                transfer_id=transfer_id,
                look=look,
                write=self._end_waiting,
            )
        self._work.ring({PURPOSE})
        return made

    async def withdraw(self, member_id: str, transfer_id: str) -> Transfer:
        """Take back a delayed payment; taking it back twice changes nothing."""
        return await self._database.write(self._withdraw, member_id, transfer_id)

    async def get(self, member_id: str, transfer_id: str) -> Transfer:
        """A payment this member made or received. Raises ``TransferUnknown``."""
        return await self._database.read(self._examiner.get, member_id, transfer_id)

    async def page(
        self, member_id: str, cursor: str | None, limit: int
    ) -> tuple[list[Transfer], str | None]:
        """A page of a member's payments, newest first, and the cursor of the next page."""
        size = min(limit, self._settings.page_max)
        found = await self._database.read(self._examiner.page, member_id, cursor, size + 1)
        return found[:size], found[size - 1].id if len(found) > size else None

    async def payees(self, member_id: str) -> dict[str, int]:
        """Whom a member paid lately, the latest first, and when (ms): member id -> time."""
        newest = await self._database.read(records.payees, member_id, PAYEES_FROM)
        found: dict[str, int] = {}
        for payee, created_ms in newest:
            if payee and len(found) < PAYEES_MAX:
                found.setdefault(payee, created_ms)
        return found

    async def spent_today(self, member_id: str) -> list[Spent]:
        """What this member has sent today, by token, less what came back."""
        return await self._database.read(self._examiner.spent_today, member_id)

    async def wait(self, member_id: str, present: Transfer, seconds: float) -> Transfer:
        """The payment once it is final, or as it stands after ``seconds``; ``present``: as read."""
        end = time.monotonic() + min(seconds, self._settings.wait_max_s)
        pause_s, fresh = POLL_S, True
        while not (present.state.is_final or present.state is Standing.DELAYED):
            with self._news.listening(present.id) as heard:
                # What was read in this very turn of the loop need not be read again: no block can
                # have ended it since without passing through the loop.
                if not fresh:
                    present = await self.get(member_id, present.id)
                fresh = False
                left_s = end - time.monotonic()
                if present.state.is_final or left_s <= 0:
                    break
                # In the dispatcher's own process the bell will ring; looking is for all others.
                await heard(min(left_s, SELDOM_S if self._news.is_near else pause_s))
            pause_s = min(pause_s * 1.5, POLL_MAX_S)
        return present

    def _lane_lock(self, member_id: str) -> asyncio.Lock:
        lock = self._lanes.get(member_id)
        if lock is None:
            lock = self._lanes[member_id] = asyncio.Lock()
        return lock

    # --- sign and record

    async def _sign_and_record(
        self,
        ready: Ready,
        passphrase: str,
        *,
        key: str,
        transfer_id: str | None,
        look: Look,
        write: Write,
    ) -> Transfer:
        assert ready.payer.wallet is not None
        found: Transfer | Ready = ready
        async with self._vault.unlocked(ready.payer.wallet.id, passphrase) as unlocked:
            for _ in range(SIGN_AGAIN_MAX):
                if isinstance(found, Transfer):
                    return found
                entry = self._signed(unlocked, found, key, transfer_id)
                try:
                    with step("transfer.record"):
                        return await self._database.write(
                            self._record, ready.payer.id, entry, look, write
                        )
                except (IntegrityError, NonceTaken):
                    # Another process was first: with the same key, or with the lane's next nonce.
                    found = await self._database.read(look)
        raise refusals.LaneFull("Too many payments of this member at the same time.")

    def _signed(
        self, signer: lanes.Signer, ready: Ready, key: str, transfer_id: str | None
    ) -> Outgoing:
        now_ms = self._clock.now_ms()
        call = sct20.Transfer(ready.recipient_symid, ready.intent.amount)
        wanted = lanes.transaction(
            sender=ready.sender,
            nonce=ready.nonce,
            to=ready.contract,
            work_node=self._work_node,
            type_=TYPE_SCT,
            input_=sct20.encode(call),
            extra_data=self._examiner.tags.make(PURPOSE, ready.payer.id, key, ready.sender),
        )
        return lanes.sign_with_cancel(
            signer,
            self._settings.chain_id,
            wanted,
            purpose=PURPOSE,
            subject_id=transfer_id or new_id("tr", now_ms),
            now_ms=now_ms,
            deadline_ms=now_ms + self._settings.transfer_deadline_ms,
        )

    def _record(
        self, connection: Connection, member_id: str, entry: Outgoing, look: Look, write: Write
    ) -> Transfer:
        """After this transaction the payment must happen or be undone by the chain."""
        chain_id = self._settings.chain_id
        self._hold_lane(connection, entry.sender)
        ready = look(connection)
        if isinstance(ready, Transfer):
            return ready
        if ready.nonce != entry.nonce or ready.sender != entry.sender:
            raise NonceTaken
        if not members.keep_from_leaving(connection, ready.intent.recipient):
            raise refusals.RecipientNotReady("The recipient cannot receive any more.")
        purse = refills.purse(connection, chain_id, entry.sender)
        write(connection, ready, entry)
        lanes.record(connection, chain_id, entry)
        missing_hug = refill_hug(purse, entry.fee_max_hug, self._settings.gas_refill_payments)
        if missing_hug:
            refills.wish(
                connection,
                self._settings,
                symid=entry.sender,
                member_id=member_id,
                amount_hug=missing_hug,
                transfer_id=entry.subject_id,
                now_ms=entry.created_ms,
            )
        return self._examiner.get(connection, member_id, entry.subject_id)

    def _hold_lane(self, connection: Connection, sender: bytes) -> None:
        chain_id = self._settings.chain_id
        if lanes.next_nonce(connection, chain_id, sender, lock=True) is None:
            lanes.open_lane(connection, chain_id, sender)
            lanes.next_nonce(connection, chain_id, sender, lock=True)

    def _write_new(
        self, connection: Connection, ready: Ready, entry: Outgoing, *, key: str
    ) -> None:
        self._add(connection, ready, key, entry.subject_id, entry.created_ms)

    def _add(
        self, connection: Connection, ready: Ready, key: str, transfer_id: str, now_ms: int
    ) -> None:
        """The payment itself, its hold, its part of the day's limit, its event."""
        intent, member_id = ready.intent, ready.payer.id
        records.add(
            connection,
            id=transfer_id,
            member_id=member_id,
            idempotency_key=key,
            recipient=intent.recipient,
            sender_symid=ready.sender,
            recipient_symid=ready.recipient_symid,
            token=intent.token,
            contract=ready.contract,
            amount=intent.amount,
            memo_sealed=self._examiner.seal_memo(intent.memo, transfer_id),
            created_ms=now_ms,
            confirm_after_ms=ready.confirm_after_ms,
            limit_day=ready.limit_day,
        )
        events.record(
            connection,
            "transfer.delayed" if ready.confirm_after_ms else "transfer.accepted",
            subject=transfer_id,
            member_id=member_id,
            now_ms=now_ms,
            token=intent.token,
            amount=str(intent.amount),
        )

    # --- delays

    async def _delay(self, ready: Ready, key: str, passphrase: str, look: Look) -> Transfer:
        assert ready.payer.wallet is not None
        async with self._vault.unlocked(ready.payer.wallet.id, passphrase):
            pass  # whoever orders it must be able to pay it; nothing is signed yet
        try:
            return await self._database.write(
                self._record_delayed, key, look, ready.confirm_after_ms
            )
        except IntegrityError:
            found = await self._database.read(look)
            assert isinstance(found, Transfer), "the key is bound: another process was first"
            return found

    def _record_delayed(
        self, connection: Connection, key: str, look: Look, confirm_after_ms: int | None
    ) -> Transfer:
        first = look(connection)
        if isinstance(first, Transfer):
            return first
        self._hold_lane(connection, first.sender)
        ready = look(connection)
        if isinstance(ready, Transfer):
            return ready
        # It waits as decided, even if the payee is not new any more: nothing is signed for it.
        ready = replace(ready, confirm_after_ms=confirm_after_ms)
        now_ms = self._clock.now_ms()
        transfer_id = new_id("tr", now_ms)
        self._add(connection, ready, key, transfer_id, now_ms)
        return self._examiner.get(connection, ready.payer.id, transfer_id)

    def _end_waiting(self, connection: Connection, ready: Ready, entry: Outgoing) -> None:
        if not records.end_waiting(connection, entry.subject_id):
            raise NonceTaken  # somebody confirmed or withdrew it meanwhile: look again
        records.count(connection, entry.subject_id, ready.limit_day)
        events.record(
            connection,
            "transfer.accepted",
            subject=entry.subject_id,
            member_id=ready.payer.id,
            now_ms=entry.created_ms,
            token=ready.intent.token,
            amount=str(ready.intent.amount),
        )

    def _withdraw(self, connection: Connection, member_id: str, transfer_id: str) -> Transfer:
        found = self._examiner.get(connection, member_id, transfer_id)
        if found.member_id != member_id:
            raise refusals.TransferUnknown("This is not a payment of yours.", id=transfer_id)
        if found.state is Standing.WITHDRAWN:
            return found
        self._hold_lane(connection, found.sender_symid)
        now_ms = self._clock.now_ms()
        if not records.end_waiting(connection, transfer_id, withdrawn_ms=now_ms):
            raise refusals.NotDelayed("This payment does not wait.", state=found.state.value)
        records.give_back(connection, transfer_id)
        events.record(
            connection,
            "transfer.withdrawn",
            subject=transfer_id,
            member_id=member_id,
            now_ms=now_ms,
        )
        return self._examiner.get(connection, member_id, transfer_id)

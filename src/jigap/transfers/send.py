"""Accepting a payment: check everything, sign, record, and only then let it go.

The twelve steps of the paper's section 4.5, made safe. A request is answered from its key if it has
been accepted before; refused, if it must be, before anything is written; else signed together with
its cancel and recorded in one transaction with its nonce, its hold and its gas refill. The
dispatcher does the rest: when ``send`` returns, the payment will end well or be undone by the
chain, whatever happens to this process.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from jigap import events, index, lanes, members, tokens
from jigap.chain import sct20
from jigap.chain.transaction import TYPE_SCT
from jigap.clock import Clock
from jigap.database import Database
from jigap.entropy import new_id, random_bytes
from jigap.events import Bell
from jigap.keys import KeyRing, Vault
from jigap.lanes import NonceTaken, Outgoing, TagKeys
from jigap.money import parse_amount
from jigap.refusal import Refusal
from jigap.settings import Settings
from jigap.steps import step
from jigap.transfers import records, refills, refusals
from jigap.transfers.gas_refill import refill_hug
from jigap.transfers.transfer import (
    PURPOSE,
    Intent,
    Order,
    Spending,
    Transfer,
    check_spending,
    check_words,
    same_request,
)

SIGN_AGAIN_MAX = 20
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Balance:
    """One token of a member as of one height; amounts in base units."""

    token: str
    decimals: int
    available: int
    on_hold: int
    total: int
    height: int


@dataclass(frozen=True, slots=True)
class _Ready:
    """Everything a payment needs, as one snapshot says; nothing stands against it."""

    intent: Intent
    payer: members.Member
    sender: bytes
    recipient_symid: bytes
    contract: bytes
    nonce: int


class Payments:
    """Payments as members make and see them.

    ``work`` wakes the dispatcher, ``news`` rings whenever a block has changed something.
    ``open_recipient`` turns (recipient_id, asker, now_ms or None) into a member's id and refuses
    what is not one; without a time it does not mind that the id has expired, for replays.
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
        open_recipient: Callable[[str, str, int | None], str],
        work_node: bytes,
    ) -> None:
        self._database = database
        self._vault = vault
        self._ring = ring
        self._clock = clock
        self._settings = settings
        self._work = work
        self._news = news
        self._open_recipient = open_recipient
        self._work_node = work_node
        self._tags = TagKeys(ring.derive("transaction-tag"))
        self._lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def send(self, member_id: str, key: str, order: Order, passphrase: str) -> Transfer:
        """Accept a payment, or answer the one this key is bound to. Raises a ``Refusal``."""
        tokens.require_key(key)
        found = await self._database.read(self._look, member_id, key, order)
        if isinstance(found, Transfer):
            return found
        async with self._lane_lock(member_id):
            found = await self._database.read(self._look, member_id, key, order)
            if isinstance(found, Transfer):
                return found
            made = await self._sign_and_record(found, key, order, passphrase)
        self._work.ring()
        return made

    async def get(self, member_id: str, transfer_id: str) -> Transfer:
        """A payment this member made or received. Raises ``TransferUnknown``."""
        return await self._database.read(self._get, member_id, transfer_id)

    async def page(
        self, member_id: str, cursor: str | None, limit: int
    ) -> tuple[list[Transfer], str | None]:
        """A page of a member's payments, newest first, and the cursor of the next page."""
        size = min(limit, self._settings.page_max)
        found = await self._database.read(self._page, member_id, cursor, size + 1)
        return found[:size], found[size - 1].id if len(found) > size else None

    async def balances(self, member_id: str) -> list[Balance]:
        """Every registered token: what is free, on hold and in all, as of the indexed height."""
        return await self._database.read(self._balances, member_id)

    async def wait(self, member_id: str, transfer_id: str, seconds: float) -> Transfer:
        """The payment once it is final, or as it stands after ``seconds``."""
        end = time.monotonic() + min(seconds, self._settings.wait_max_s)
        while True:
            present = await self.get(member_id, transfer_id)
            left_s = end - time.monotonic()
            if present.state.is_final or left_s <= 0:
                return present
            await self._news.wait(min(left_s, POLL_S))

    def _lane_lock(self, member_id: str) -> asyncio.Lock:
        lock = self._lanes.get(member_id)
        if lock is None:
            lock = self._lanes[member_id] = asyncio.Lock()
        return lock

    async def _sign_and_record(
        self, ready: _Ready, key: str, order: Order, passphrase: str
    ) -> Transfer:
        member_id, wallet = ready.payer.id, ready.payer.wallet
        assert wallet is not None
        found: Transfer | _Ready = ready
        async with self._vault.unlocked(wallet.id, passphrase) as unlocked:
            for _ in range(SIGN_AGAIN_MAX):
                if isinstance(found, Transfer):
                    return found
                entry = self._signed(unlocked, found, key)
                try:
                    with step("transfer.record"):
                        return await self._database.write(
                            self._record, member_id, key, order, entry
                        )
                except (IntegrityError, NonceTaken):
                    # Another process was first: with the same key, or with the lane's next nonce.
                    found = await self._database.read(self._look, member_id, key, order)
        raise refusals.LaneFull("Too many payments of this member at the same time.")

    def _signed(self, signer: lanes.Signer, ready: _Ready, key: str) -> Outgoing:
        now_ms = self._clock.now_ms()
        tag = self._tags.make(PURPOSE, ready.payer.id, key, ready.sender)
        call = sct20.Transfer(ready.recipient_symid, ready.intent.amount)
        wanted = lanes.transaction(
            sender=ready.sender,
            nonce=ready.nonce,
            to=ready.contract,
            work_node=self._work_node,
            type_=TYPE_SCT,
            input_=sct20.encode(call),
            extra_data=tag,
        )
        return lanes.sign_with_cancel(
            signer,
            self._settings.chain_id,
            wanted,
            purpose=PURPOSE,
            subject_id=new_id("tr", now_ms),
            now_ms=now_ms,
            deadline_ms=now_ms + self._settings.transfer_deadline_ms,
        )

    def _record(
        self, connection: Connection, member_id: str, key: str, order: Order, entry: Outgoing
    ) -> Transfer:
        """After this transaction the payment must happen or be undone by the chain."""
        lanes.open_lane(connection, self._settings.chain_id, entry.sender)
        lanes.next_nonce(connection, self._settings.chain_id, entry.sender, lock=True)
        ready = self._look(connection, member_id, key, order)
        if isinstance(ready, Transfer):
            return ready
        if ready.nonce != entry.nonce or ready.sender != entry.sender:
            raise NonceTaken
        purse = refills.purse(connection, self._settings.chain_id, entry.sender)
        now_ms, intent = entry.created_ms, ready.intent
        records.add(
            connection,
            id=entry.subject_id,
            member_id=member_id,
            idempotency_key=key,
            recipient=intent.recipient,
            sender_symid=entry.sender,
            recipient_symid=ready.recipient_symid,
            token=intent.token,
            contract=ready.contract,
            amount=intent.amount,
            memo_sealed=self._seal_memo(intent.memo, entry.subject_id),
            created_ms=now_ms,
        )
        lanes.record(connection, self._settings.chain_id, entry)
        day = refills.day_of(now_ms)
        records.add_spent(connection, member_id, intent.token, day, intent.amount)
        missing_hug = refill_hug(purse, entry.fee_max_hug, self._settings.gas_refill_payments)
        if missing_hug:
            refills.wish(
                connection,
                self._settings,
                symid=entry.sender,
                member_id=member_id,
                amount_hug=missing_hug,
                transfer_id=entry.subject_id,
                now_ms=now_ms,
            )
        events.record(
            connection,
            "transfer.accepted",
            subject=entry.subject_id,
            member_id=member_id,
            now_ms=now_ms,
            token=intent.token,
            amount=str(intent.amount),
        )
        return self._get(connection, member_id, entry.subject_id)

    def _look(
        self, connection: Connection, member_id: str, key: str, order: Order
    ) -> Transfer | _Ready:
        """The payment this key is bound to; else what a new one needs, or a refusal."""
        known = self._replay(connection, member_id, key, order)
        return known or self._examine(connection, member_id, order)

    def _examine(self, connection: Connection, member_id: str, order: Order) -> _Ready:
        """Refuse what must be refused, in the documented order; else say what to sign."""
        caught_up, stopped, _ = lanes.dispatch(connection)
        if not caught_up:
            raise refusals.CatchingUp(stopped or "The platform is not ready for payments yet.")
        payer = members.get(connection, member_id)
        assert payer is not None, "only a member who is signed in pays"
        members.may_act(payer)
        if payer.wallet is None or payer.wallet.symid is None:
            raise refusals.WalletNotReady("There is no active wallet to pay from.")
        now_ms = self._clock.now_ms()
        recipient_id = self._open_recipient(order.recipient_id, member_id, now_ms)
        if recipient_id == member_id:
            raise refusals.RecipientIsSelf("Payer and recipient are the same person.")
        recipient = members.get(connection, recipient_id)
        if recipient is None or recipient.wallet is None or recipient.wallet.symid is None:
            raise refusals.RecipientNotReady("The recipient cannot receive yet.")
        token, contract = self._payable(connection, order.token)
        amount = parse_amount(order.amount, token.decimals)
        intent = Intent(recipient.id, token.symbol, amount, order.memo)
        check_words(intent)
        sender = payer.wallet.symid
        check_spending(amount, self._spending(connection, payer.id, sender, token, contract))
        chain_id = self._settings.chain_id
        nonce = lanes.next_nonce(connection, chain_id, sender)
        if nonce is None:
            nonce = index.account(connection, sender).nonce
        return _Ready(intent, payer, sender, recipient.wallet.symid, contract, nonce)

    def _payable(self, connection: Connection, name: str) -> tuple[tokens.Token, bytes]:
        token = tokens.find(connection, name)
        view = None if token.contract is None else index.contract(connection, token.contract)
        if token.contract is None or view is None:
            raise tokens.TokenNotReady("This token is not on the chain yet.", token=token.symbol)
        if view.paused:
            raise tokens.TokenPaused("This token is paused.", token=token.symbol)
        if token.stopped_reason:
            raise tokens.TokenStopped("Payments of this token are stopped.", token=token.symbol)
        return token, token.contract

    def _spending(
        self,
        connection: Connection,
        member_id: str,
        sender: bytes,
        token: tokens.Token,
        contract: bytes,
    ) -> Spending:
        on_hold, unfinished = records.on_hold(connection, sender, contract)
        day = refills.day_of(self._clock.now_ms())
        return Spending(
            holding=index.holding(connection, contract, sender),
            on_hold=on_hold,
            spent_today=records.spent(connection, member_id, token.symbol, day),
            payment_limit=parse_amount(self._settings.payment_limit, token.decimals),
            daily_limit=parse_amount(self._settings.daily_limit, token.decimals),
            unfinished=unfinished,
            decimals=token.decimals,
        )

    def _replay(
        self, connection: Connection, member_id: str, key: str, order: Order
    ) -> Transfer | None:
        """The payment this key is bound to. Raises ``KeyReused`` if it was another one."""
        row = records.by_key(connection, member_id, key)
        if row is None:
            row = self._found_on_chain(connection, member_id, key)
        if row is None:
            return None
        memo = self._open_memo(row.memo_sealed, row.id)
        asked = self._asked(connection, member_id, order)
        if row.idempotency_key is None:  # found again on the chain, where no memo is
            asked = replace(asked, memo="")
        same_request(Intent(row.recipient, row.token, row.amount, memo), asked)
        return self._get(connection, member_id, row.id)

    def _asked(self, connection: Connection, member_id: str, order: Order) -> Intent:
        """What a repeated order says. A word that means nothing now differs from what it was."""
        recipient, symbol, amount = "", "", -1
        with suppress(Refusal):
            recipient = self._open_recipient(order.recipient_id, member_id, None)
        with suppress(Refusal):
            token = tokens.find(connection, order.token)
            symbol = token.symbol
            amount = parse_amount(order.amount, token.decimals)
        return Intent(recipient, symbol, amount, order.memo)

    def _found_on_chain(self, connection: Connection, member_id: str, key: str) -> object | None:
        """The row of a payment whose records were lost and which its tag brought back."""
        payer = members.get(connection, member_id)
        if payer is None or payer.wallet is None or payer.wallet.symid is None:
            return None
        tag = self._tags.make(PURPOSE, member_id, key, payer.wallet.symid)
        chain_id = self._settings.chain_id
        subject = lanes.with_tag(connection, chain_id, payer.wallet.symid, tag)
        return None if subject is None else records.by_id(connection, subject)

    def _get(self, connection: Connection, member_id: str, transfer_id: str) -> Transfer:
        row = records.find(connection, transfer_id, member_id)
        if row is None:
            raise refusals.TransferUnknown("There is no such payment.", id=transfer_id[:40])
        return records.transfer_of(row, self._open_memo(row.memo_sealed, row.id))

    def _page(
        self, connection: Connection, member_id: str, cursor: str | None, limit: int
    ) -> list[Transfer]:
        return [
            records.transfer_of(row, self._open_memo(row.memo_sealed, row.id))
            for row in records.page(connection, member_id, cursor, limit)
        ]

    def _balances(self, connection: Connection, member_id: str) -> list[Balance]:
        member = members.get(connection, member_id)
        sender = member.wallet.symid if member and member.wallet else None
        height = index.height(connection)
        found = []
        for token in tokens.every(connection):
            if token.contract is None:
                continue
            total = index.holding(connection, token.contract, sender) if sender else 0
            held = records.on_hold(connection, sender, token.contract)[0] if sender else 0
            free = max(total - held, 0)
            found.append(Balance(token.symbol, token.decimals, free, held, total, height))
        return found

    def _seal_memo(self, memo: str, transfer_id: str) -> bytes:
        if not memo:
            return b""
        return self._ring.seal(memo.encode(), transfer_id.encode(), nonce=random_bytes(12))

    def _open_memo(self, sealed: bytes, transfer_id: str) -> str:
        return self._ring.open(sealed, transfer_id.encode()).decode() if sealed else ""

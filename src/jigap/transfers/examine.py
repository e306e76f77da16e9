"""What a payment is decided by, read from one snapshot of the database.

Every function here is given a connection and writes nothing. ``look`` answers a request from the
key it is bound to, or examines it: the closed list of refusals, in the order of the documentation.
``look_again`` does the same for a payment that has waited out its delay.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from jigap import index, lanes, members, tokens
from jigap.clock import Clock, day_of
from jigap.keys import KeyRing
from jigap.lanes import TagKeys
from jigap.money import parse_amount
from jigap.refusal import Refusal
from jigap.settings import Settings
from jigap.transfers import memos, records, refusals
from jigap.transfers.transfer import (
    PURPOSE,
    Caution,
    Intent,
    Order,
    Spending,
    Transfer,
    check_acknowledged,
    check_confirmable,
    check_limits,
    check_spending,
    check_words,
    same_request,
)

OpenRecipient = Callable[[str, str, int | None], str]


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything a payment needs; nothing stands against it.

    ``limit_day`` is the day whose limit has room for it. ``confirm_after_ms`` is set if it must
    wait before it may be signed.
    """

    intent: Intent
    payer: members.Member
    sender: bytes
    recipient_symid: bytes
    contract: bytes
    nonce: int
    limit_day: str
    confirm_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a member has sent of one token today, in base units."""

    token: str
    decimals: int
    amount: int


class Examiner:
    """Reads payments and what decides about them.

    ``open_recipient`` turns (recipient_id, asker, now_ms or None) into a member's id and refuses
    what is not one; without a time it does not mind that the id has expired, for replays.
    """

    def __init__(
        self, ring: KeyRing, clock: Clock, settings: Settings, open_recipient: OpenRecipient
    ) -> None:
        self._ring = ring
        self._clock = clock
        self._settings = settings
        self._open_recipient = open_recipient
        self._levels = members.LevelLimits(settings)
        self._delays_s = {
            Caution.NEW_PAYEE: settings.new_payee_delay_s,
            Caution.LARGE_AMOUNT: settings.large_amount_delay_s,
        }
        self.tags = TagKeys(ring.derive("transaction-tag"))

    def look(
        self, connection: Connection, member_id: str, key: str, order: Order
    ) -> Transfer | Ready:
        """The payment this key is bound to; else what a new one needs, or a refusal."""
        payer = members.get(connection, member_id)
        assert payer is not None, "only a member who is signed in pays"
        known = self._replay(connection, payer, key, order)
        return known or self._examine(connection, payer, order)

    def look_again(
        self, connection: Connection, member_id: str, transfer_id: str
    ) -> Transfer | Ready:
        """What a delayed payment needs now; the payment itself if it was confirmed before."""
        found = self.get(connection, member_id, transfer_id)
        if found.member_id != member_id:
            raise refusals.TransferUnknown("This is not a payment of yours.", id=transfer_id)
        if found.transaction_hash is not None:
            return found
        now_ms = self._clock.now_ms()
        check_confirmable(found, now_ms)
        payer = members.get(connection, member_id)
        assert payer is not None, "only a member who is signed in pays"
        sender = self._may_pay(connection, payer)
        recipient_symid = self._recipient(connection, found.recipient)
        token, contract = self._payable(connection, found.token)
        intent = Intent(found.recipient, found.token, found.amount, found.memo)
        spending = self._spending(
            connection, payer, found.recipient, sender, token, contract, now_ms
        )
        check_limits(found.amount, _without(connection, found, spending, day_of(now_ms)))
        nonce = self._next_nonce(connection, sender)
        return Ready(intent, payer, sender, recipient_symid, contract, nonce, day_of(now_ms))

    def get(self, connection: Connection, member_id: str, transfer_id: str) -> Transfer:
        """A payment this member made or received. Raises ``TransferUnknown``."""
        row = records.find(connection, transfer_id, member_id)
        if row is None:
            raise refusals.TransferUnknown("There is no such payment.", id=transfer_id[:40])
        return self._shown(row)

    def page(
        self, connection: Connection, member_id: str, cursor: str | None, limit: int
    ) -> list[Transfer]:
        """Payments this member made or received, newest first."""
        return [self._shown(row) for row in records.page(connection, member_id, cursor, limit)]

    def spent_today(self, connection: Connection, member_id: str) -> list[Spent]:
        """What counts against the day's limit, of every token of which something does."""
        spent = records.spent_in(connection, member_id, day_of(self._clock.now_ms()))
        return [
            Spent(token.symbol, token.decimals, spent[token.symbol])
            for token in tokens.every(connection)
            if token.symbol in spent
        ]

    def seal_memo(self, memo: str, transfer_id: str) -> bytes:
        """A memo as it is stored: personal, so sealed, bound to its payment."""
        return memos.seal(self._ring, memo, transfer_id)

    # --- refusals, in the documented order

    def _examine(self, connection: Connection, payer: members.Member, order: Order) -> Ready:
        sender = self._may_pay(connection, payer)
        now_ms = self._clock.now_ms()
        recipient = self._open_recipient(order.recipient_id, payer.id, now_ms)
        if recipient == payer.id:
            raise refusals.RecipientIsSelf("Payer and recipient are the same person.")
        recipient_symid = self._recipient(connection, recipient)
        token, contract = self._payable(connection, order.token)
        amount = parse_amount(order.amount, token.decimals)
        intent = Intent(recipient, token.symbol, amount, order.memo)
        check_words(intent)
        spending = self._spending(connection, payer, recipient, sender, token, contract, now_ms)
        check_spending(amount, spending)
        delay_s = check_acknowledged(amount, spending, order.acknowledged, self._delays_s)
        confirm_after_ms = now_ms + delay_s * 1000 if delay_s else None
        nonce = self._next_nonce(connection, sender)
        return Ready(
            intent,
            payer,
            sender,
            recipient_symid,
            contract,
            nonce,
            day_of(now_ms),
            confirm_after_ms,
        )

    def _may_pay(self, connection: Connection, payer: members.Member) -> bytes:
        """The account a payer pays from, if nothing stands against paying at all."""
        caught_up, stopped, _ = lanes.dispatch(connection)
        if not caught_up:
            raise refusals.CatchingUp(stopped or "The platform is not ready for payments yet.")
        members.may_act(payer)
        if payer.wallet is None or payer.wallet.symid is None:
            raise refusals.WalletNotReady("There is no active wallet to pay from.")
        if not index.is_active(connection, payer.wallet.symid, payer.wallet.public_key_hash):
            raise refusals.WalletNotReady("The SymID of this wallet is not active on the chain.")
        return payer.wallet.symid

    def _recipient(self, connection: Connection, member_id: str) -> bytes:
        recipient = members.get(connection, member_id)
        if recipient is None or recipient.closed:
            raise refusals.RecipientNotReady("The recipient cannot receive any more.")
        if recipient.wallet is None or recipient.wallet.symid is None:
            raise refusals.RecipientNotReady("The recipient cannot receive yet.")
        return recipient.wallet.symid

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
        payer: members.Member,
        recipient: str,
        sender: bytes,
        token: tokens.Token,
        contract: bytes,
        now_ms: int,
    ) -> Spending:
        on_hold, unfinished = records.on_hold(connection, sender, contract)
        ceiling = self._levels.of(payer.level, payer.minor)
        limits = members.in_force(ceiling, payer.own_limits, now_ms).at(token.decimals)
        warn = parse_amount(self._settings.new_payee_warn, token.decimals)
        return Spending(
            holding=index.holding(connection, contract, sender),
            on_hold=on_hold,
            spent_today=records.spent(connection, payer.id, token.symbol, day_of(now_ms)),
            payment_limit=limits.payment,
            daily_limit=limits.daily,
            unfinished=unfinished,
            decimals=token.decimals,
            new_payee_warn=warn,
            large_amount_warn=parse_amount(self._settings.large_amount_warn, token.decimals),
            payee_is_new=bool(warn) and not records.has_paid(connection, payer.id, recipient),
        )

    def _next_nonce(self, connection: Connection, sender: bytes) -> int:
        nonce = lanes.next_nonce(connection, self._settings.chain_id, sender)
        return index.account(connection, sender).nonce if nonce is None else nonce

    # --- replays

    def _replay(
        self, connection: Connection, payer: members.Member, key: str, order: Order
    ) -> Transfer | None:
        """The payment this key is bound to. Raises ``KeyReused`` if it was another one."""
        row = records.by_key(connection, payer.id, key)
        if row is None:
            row = self._found_on_chain(connection, payer, key)
        if row is None:
            return None
        known = self.get(connection, payer.id, row.id)
        asked = self._asked(connection, payer.id, order)
        if row.idempotency_key is None:  # found again on the chain, where no memo is
            asked = replace(asked, memo="")
        same_request(Intent(known.recipient, known.token, known.amount, known.memo), asked)
        return known

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

    def _found_on_chain(self, connection: Connection, payer: members.Member, key: str) -> Any:
        """The row of a payment whose records were lost and which its tag brought back."""
        if payer.wallet is None or payer.wallet.symid is None:
            return None
        tag = self.tags.make(PURPOSE, payer.id, key, payer.wallet.symid)
        chain_id = self._settings.chain_id
        subject = lanes.with_tag(connection, chain_id, payer.wallet.symid, tag)
        return None if subject is None else records.by_id(connection, subject)

    def _shown(self, row: Any) -> Transfer:
        return records.transfer_of(row, memos.opened(self._ring, row.memo_sealed, row.id))


def _without(connection: Connection, found: Transfer, spending: Spending, today: str) -> Spending:
    """The same for a payment that may be counted against today already."""
    if records.by_id(connection, found.id).limit_day != today:
        return spending
    return replace(spending, spent_today=spending.spent_today - found.amount)

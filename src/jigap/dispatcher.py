"""The dispatcher: the only component that broadcasts.

It reads blocks in order, one database transaction each, in which everything a block means is
written: index, ended payments, events, refills ahead of need. Between blocks it signs what was
wished (gas refills, token operations: it alone holds the service keys), puts lanes on the wire in
nonce order, sends the same bytes again after any doubt, and cancels what is past its deadline.

What is not money runs beside that, in loops of its own: it asks for the SymIDs of new wallets, and
keeps house (``housekeeping``). Whatever goes wrong there, payments go on.

It keeps nothing in memory that it could not read again: killed at any instant, it starts over from
the database and the chain.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection

from jigap import auditor, events, index, lanes, members, tokens, transfers
from jigap.ca import CertificateAuthority
from jigap.chain import sct20, symid
from jigap.chain.transaction import TYPE_REMIT, TYPE_SCT, Transaction
from jigap.clock import Clock
from jigap.database import Database
from jigap.events import Bell
from jigap.housekeeping import Housekeeping, for_ever
from jigap.keys import KeyRing
from jigap.lanes import Departure, LaneView, Outgoing, State, TagKeys
from jigap.node.client import (
    ChainBlock,
    ChainTransaction,
    NodeClient,
    NodeTrouble,
    RpcError,
    Submitted,
)
from jigap.refusal import Kind, Refusal
from jigap.settings import Settings
from jigap.steps import step
from jigap.transfers import refills

log = logging.getLogger("jigap.dispatcher")

QUEUED_RETRY_MS = 1_000
HEARTBEAT_MS = 1_000
TROUBLE_PAUSE_S = 0.5
LOST_PAUSE_S = 0.05
#: New wallets gather this long, so that many SymIDs cost one question and one write; longer after
#: a batch of many, when their keys take the cores.
CERTIFY_PAUSE_S, CERTIFY_BUSY_S, CERTIFY_MANY = 0.05, 0.2, 4
LOST_LOOKS_MAX = 600


class ChainChanged(Refusal):
    """The node is not on the chain this database belongs to."""

    code = "chain_changed"
    kind = Kind.UNAVAILABLE
    hint = "Point the platform at the node it was used with, or restore both from one backup."


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """An account of the platform itself, with its unlocked key."""

    symid: bytes
    signer: lanes.Signer


class Dispatcher:
    """One per platform. ``work`` wakes it, ``news`` is rung when a block has changed something.

    ``accounts`` are the service accounts by role; ``token_owner`` is the sponsor of all gas.
    """

    def __init__(
        self,
        database: Database,
        client: NodeClient,
        authority: CertificateAuthority,
        ring: KeyRing,
        clock: Clock,
        settings: Settings,
        accounts: Mapping[str, ServiceAccount],
        work_node: bytes,
        work: Bell,
        news: Bell,
        housekeeping: Housekeeping,
    ) -> None:
        self._database = database
        self._client = client
        self._authority = authority
        self._ring = ring
        self._clock = clock
        self._settings = settings
        self._accounts = accounts
        self._sponsor = accounts["token_owner"]
        self._work_node = work_node
        self._work = work
        self._news = news
        self._housekeeping = housekeeping
        self._tags = TagKeys(ring.derive("transaction-tag"))
        self._chain_id = settings.chain_id
        self._retried_ms = 0
        self._heartbeat_ms = 0

    async def start(self) -> None:
        """Check the chain, read all of it, set the lanes right, and only then allow payments.

        A node that is away is waited for. Raises ``ChainChanged`` or ``ChainForked``.
        """
        await self._state(caught_up=False)
        while True:
            try:
                await self._catch_up()
                break
            except NodeTrouble as trouble:
                log.warning("waiting for the node: %s", trouble)
                await asyncio.sleep(TROUBLE_PAUSE_S)
        await self._database.write(lanes.recompute, self._chain_id)
        await self._state(caught_up=True)

    async def _catch_up(self) -> None:
        await self._check_chain()
        await self._database.write(self._open_service_lanes)
        while await self._follow():
            pass
        await self._let_lost_ones_pass()

    async def run(self) -> None:
        """Work until cancelled. A node that is away is waited for; a forked chain ends it."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._carry())
            loops.create_task(for_ever("asking for SymIDs", self._certify, TROUBLE_PAUSE_S))
            loops.create_task(self._housekeeping.run())

    async def _carry(self) -> None:
        """Blocks in, transactions out, for ever."""
        while True:
            try:
                under_way = await self.turn()
                pause_ms = self._settings.busy_poll_ms if under_way else self._settings.idle_poll_ms
                await self._work.wait(pause_ms / 1000, transfers.PURPOSE)
            except (NodeTrouble, RpcError) as trouble:
                log.warning("the node does not answer: %s", trouble)
                await asyncio.sleep(TROUBLE_PAUSE_S)
            except Refusal as refusal:
                if refusal.retryable:  # such as a database that cannot keep up
                    log.warning("the dispatcher tries again: %s", refusal.detail)
                    await asyncio.sleep(TROUBLE_PAUSE_S)
                    continue
                log.error("the dispatcher stops: %s %s", refusal.detail, refusal.hint)
                await self._state(caught_up=False, stopped_reason=refusal.detail)
                raise

    async def turn(self) -> bool:
        """One look at everything; whether any transaction is under way."""
        await self._follow()
        await self._sign_wishes()
        under_way = await self._broadcast()
        await self._look_around()
        return under_way

    async def _certify(self) -> None:
        """Ask the CA for SymIDs, beside everything else: it may be slow, payments must not wait."""
        while True:
            try:
                asked = await members.request_citizens(
                    self._database, self._authority, self._ring, self._clock.now_ms()
                )
            except Refusal as trouble:
                log.warning("asking for SymIDs failed: %s", trouble)
                asked = 0
            if not asked:
                await self._work.wait(self._settings.idle_poll_ms / 1000, members.NEW_WALLET)
            await asyncio.sleep(CERTIFY_BUSY_S if asked >= CERTIFY_MANY else CERTIFY_PAUSE_S)

    # --- the chain

    async def _check_chain(self) -> None:
        chain_id = await self._client.chain_id()
        if chain_id != self._chain_id:
            raise ChainChanged(
                f"The node's chain id is {chain_id}, the platform's is {self._chain_id}.",
                node=chain_id,
                platform=self._chain_id,
            )
        height = await self._database.read(index.height)
        known = await self._database.read(index.block, height) if height >= 0 else None
        if known is None:
            return
        header = await self._client.header(height)
        if header is None or header.hash != known.hash:
            raise ChainChanged(
                f"The node's block {height} is not the one the platform has followed.",
                block_number=height,
            )

    async def _follow(self) -> bool:
        """Take in every block there is; whether there was one."""
        followed, ended = False, set[str]()
        while True:
            number = await self._database.read(index.height) + 1
            block = await self._client.fetch(number)
            if block is None:
                break
            await index.prepare(self._database, self._client, block)
            with step("index.block"):
                ended |= await self._database.write(self._take_in, block)
            followed = True
        if followed:
            self._news.ring(ended)
        return followed

    async def _let_lost_ones_pass(self) -> None:
        """Wait until blocks hold what waits in the pool and our records have lost.

        After a restore from backup a new payment could otherwise take the nonce of an old one that
        is still on its way.
        """
        for _ in range(LOST_LOOKS_MAX):
            if not await self._lost_in_pool():
                return
            await asyncio.sleep(LOST_PAUSE_S)
            await self._follow()
        log.warning("payments that our records have lost wait in the pool and are not mined")

    async def _lost_in_pool(self) -> bool:
        waiting = await self._client.pending()
        ours = {one.hash for one in waiting if self._tags.is_ours(one.extra_data, one.sender)}
        return bool(ours - await self._database.read(lanes.known, self._chain_id, ours))

    def _take_in(self, connection: Connection, block: ChainBlock) -> set[str]:
        """All that one block means, in one transaction; the ids of what it ended."""
        # Lanes are locked first: whoever decides about an account's money holds its lane.
        self._open_lanes(connection, block)
        ended, strangers = lanes.settle(connection, self._chain_id, block)
        applied = index.apply(connection, block)
        members.activate(connection, block.citizens, block.time_ms)
        transfers.settle(connection, self._settings, ended)
        for one in ended:
            if one.outgoing.purpose == tokens.PURPOSE:
                tokens.settle(
                    connection, one.outgoing.subject_id, one.state, one.reason, one.time_ms
                )
        ours = self._ours(connection, block, ended, strangers)
        transfers.note_external(connection, block, applied.movements, ours)
        auditor.check_block(connection, applied, block.time_ms)
        events.number_new(connection)
        return {one.outgoing.subject_id for one in ended}

    def _open_lanes(self, connection: Connection, block: ChainBlock) -> None:
        """A member may have paid from here before our records knew that they ever would."""
        senders = {one.sender for one in block.transactions}
        for sender in sorted(lanes.without_lane(connection, self._chain_id, senders)):
            if members.by_symid(connection, sender) is not None:
                lanes.open_lane(connection, self._chain_id, sender)

    def _ours(
        self,
        connection: Connection,
        block: ChainBlock,
        ended: Sequence[lanes.Settled],
        strangers: Sequence[ChainTransaction],
    ) -> set[bytes]:
        """Hashes of the block's transactions that are payments or refills of ours."""
        purposes = (transfers.PURPOSE, refills.PURPOSE)
        ours = {one.outgoing.hash for one in ended if one.outgoing.purpose in purposes}
        for mined in strangers:
            if lanes.with_tag(connection, self._chain_id, mined.sender, mined.extra_data):
                continue  # a tag is public once it is on the chain, and can be copied
            adopted = transfers.adopt(
                connection, self._settings, self._tags, self._sponsor.symid, block, mined
            )
            if adopted:
                ours.add(mined.hash)
            else:
                tokens.adopt(connection, self._chain_id, self._tags, block, mined)
        return ours

    # --- wishes

    def _open_service_lanes(self, connection: Connection) -> None:
        for account in self._accounts.values():
            lanes.open_lane(connection, self._chain_id, account.symid)

    async def _sign_wishes(self) -> None:
        """Sign what was wished, in the lanes of the service accounts."""
        operations, wanted = await self._database.read(_wishes)
        for operation in operations:
            await self._sign_operation(operation)
        if wanted:
            with step("refill.record"):
                await self._database.write(self._record_refills)

    async def _sign_operation(self, operation: tokens.Operation) -> None:
        with step("token.record"):
            await self._database.write(self._record_operation, operation)

    def _record_operation(self, connection: Connection, operation: tokens.Operation) -> None:
        wish = operation.wish
        account = self._accounts[wish.signer]
        nonce = self._next(connection, account)
        if wish.kind is tokens.Kind.CREATE:
            contract = b""
            tokens.set_contract(
                connection, wish.symbol, symid.contract_address(account.symid, nonce)
            )
        else:
            # None if its creation failed meanwhile: then the chain refuses this, too.
            contract = tokens.contract_of(connection, wish.symbol) or b""
        wanted = lanes.transaction(
            sender=account.symid,
            nonce=nonce,
            to=contract,
            work_node=self._work_node,
            type_=TYPE_SCT,
            input_=sct20.encode(tokens.call(wish, account.symid)),
            extra_data=tokens.tag_of(self._tags, connection, operation.id, account.symid),
        )
        self._record(connection, account, wanted, tokens.PURPOSE, operation.id)

    def _record_refills(self, connection: Connection) -> None:
        for row in refills.wished(connection):
            wanted = lanes.transaction(
                sender=self._sponsor.symid,
                nonce=self._next(connection, self._sponsor),
                to=row.symid,
                work_node=self._work_node,
                type_=TYPE_REMIT,
                value=row.amount_hug,
                extra_data=refills.tag_of(self._tags, row, self._sponsor.symid),
            )
            self._record(connection, self._sponsor, wanted, refills.PURPOSE, row.id)

    def _next(self, connection: Connection, account: ServiceAccount) -> int:
        nonce = lanes.next_nonce(connection, self._chain_id, account.symid, lock=True)
        assert nonce is not None, "service lanes are opened at start"
        return nonce

    def _record(
        self,
        connection: Connection,
        account: ServiceAccount,
        wanted: Transaction,
        purpose: str,
        subject_id: str,
    ) -> None:
        now_ms = self._clock.now_ms()
        entry = lanes.sign_with_cancel(
            account.signer,
            self._chain_id,
            wanted,
            purpose=purpose,
            subject_id=subject_id,
            now_ms=now_ms,
            deadline_ms=now_ms + self._settings.transfer_deadline_ms,
        )
        lanes.record(connection, self._chain_id, entry)

    # --- the wire

    async def _broadcast(self) -> bool:
        """Put on the wire what should leave now; whether anything is unfinished."""
        leaving, waiting = await self._database.read(self._departures)
        if leaving:
            now_ms = self._clock.now_ms()
            leaving = await self._database.write(self._leave, leaving, now_ms)
            # Two names for the crash tests; to the wire payments and refills are alike.
            with step("refill.broadcast"), step("transfer.broadcast"):
                answers = await asyncio.gather(*(self._client.submit(one.raw) for one in leaving))
            await self._database.write(lanes.move, self._chain_id, _after(leaving, answers), now_ms)
        return waiting

    def _leave(
        self, connection: Connection, leaving: Sequence[Departure], now_ms: int
    ) -> list[Departure]:
        """Record what leaves: all but new payments of members frozen this moment."""
        new = {
            one.outgoing.sender
            for one in leaving
            if (one.outgoing.state, one.state) == (State.SIGNED, State.UNKNOWN)
        }
        frozen = members.frozen_among(connection, new, lock=True)
        kept = [one for one in leaving if one.outgoing.sender not in frozen]
        changes = [(one.outgoing, one.state, one.outgoing.message) for one in kept]
        lanes.move(connection, self._chain_id, changes, now_ms)
        return kept

    def _departures(self, connection: Connection) -> tuple[list[Departure], bool]:
        now_ms = self._clock.now_ms()
        unfinished = lanes.unfinished(connection, self._chain_id)
        senders = {entry.sender for entry in unfinished}
        accounts = index.accounts(connection, senders)
        frozen = members.frozen_among(connection, senders)
        leaving: list[Departure] = []
        for sender, entries in groupby(unfinished, key=lambda entry: entry.sender):
            account = accounts.get(sender, index.AccountView())
            view = LaneView(account.nonce, account.balance_hug, sender in frozen)
            leaving += lanes.departures(view, list(entries), now_ms)
        return leaving, bool(unfinished)

    # --- the rest

    async def _look_around(self) -> None:
        now_ms = self._clock.now_ms()
        if not 0 <= now_ms - self._retried_ms < QUEUED_RETRY_MS:
            self._retried_ms = now_ms
            if await self._database.read(self._needs_gas):
                await self._database.write(self._refill_stranded)
        if not 0 <= now_ms - self._heartbeat_ms < HEARTBEAT_MS:
            self._heartbeat_ms = now_ms
            await self._state(caught_up=True)

    def _needs_gas(self, connection: Connection) -> bool:
        return refills.has_queued(connection) or bool(self._stranded(connection))

    def _refill_stranded(self, connection: Connection) -> None:
        """Give lanes what they lack when their refill was refused or their SYM went elsewhere."""
        now_ms = self._clock.now_ms()
        refills.retry_queued(connection, self._settings, now_ms)
        for sender, member_id, missing_hug in self._stranded(connection):
            refills.wish(
                connection,
                self._settings,
                symid=sender,
                member_id=member_id,
                amount_hug=missing_hug,
                transfer_id=None,
                now_ms=now_ms,
            )

    def _stranded(self, connection: Connection) -> list[tuple[bytes, str, int]]:
        """(account, member, missing hug) of members' lanes that nothing under way can pay for."""
        found = []
        senders = lanes.owed(connection, self._chain_id).keys()
        for sender, purse in sorted(refills.purses(connection, self._chain_id, senders).items()):
            if purse.free_hug >= 0:
                continue
            member = members.by_symid(connection, sender)
            if member is not None and not member.frozen:
                found.append((sender, member.id, -purse.free_hug))
        return found

    async def _state(self, *, caught_up: bool, stopped_reason: str = "") -> None:
        await self._database.write(
            lanes.set_dispatch_state,
            caught_up=caught_up,
            now_ms=self._clock.now_ms(),
            stopped_reason=stopped_reason,
        )


def _wishes(connection: Connection) -> tuple[list[tokens.Operation], bool]:
    """Operations to sign, and whether there are refills; what spends a frozen member's waits."""
    operations = tokens.wished(connection)
    sources = {one.wish.account for one in operations if one.wish.spends_for_another}
    frozen = members.frozen_among(connection, sources)
    free = [
        one
        for one in operations
        if not (one.wish.spends_for_another and one.wish.account in frozen)
    ]
    return free, bool(refills.wished(connection, limit=1))


def _after(
    leaving: Sequence[Departure], answers: Sequence[Submitted]
) -> list[tuple[Outgoing, State, str]]:
    return [
        (
            lanes.left(one),
            lanes.after_answer(one, answer.kind, answer.message),
            answer.message,
        )
        for one, answer in zip(leaving, answers, strict=True)
    ]

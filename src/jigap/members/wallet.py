"""How a member comes to have an account on the chain.

    key_stored ──> citizen_requested ──> active

The web stores both copies of a new key; the dispatcher records that the CA is going to be asked,
asks, and asks again until a block shows a citizen with the wallet's key hash. Only a block makes a
wallet active: what the CA answers is never more than a hint, so an answer that is lost costs
nothing.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from cryptography.exceptions import InvalidTag
from sqlalchemy import Connection, and_, bindparam, func, insert, not_, or_, select, update
from sqlalchemy.exc import IntegrityError

from jigap import entropy, events, index
from jigap.ca import (
    AlreadyIssued,
    CertificateAuthority,
    CitizenRequest,
    InDoubt,
    Issued,
    RefusedByCa,
)
from jigap.chain.citizen import Verification
from jigap.clock import Clock
from jigap.database import Database, prepared
from jigap.events import Bell
from jigap.keys import KeyRing, NewKey, SealBroken, Vault, insert_copy
from jigap.members import personal, records
from jigap.members.member import Member, Wallet, WalletState, may_act
from jigap.members.tables import wallets
from jigap.node.client import ChainCitizen
from jigap.refusal import Kind, Refusal
from jigap.steps import step

log = logging.getLogger("jigap.members")

#: What the dispatcher's bell rings about when only a SymID is wanted: no payment waits.
NEW_WALLET = "new wallet"
ASK_AT_ONCE_MAX = 128
KEYS_PER_QUERY = 500
ASK_AGAIN_MS = 5_000
ASK_AGAIN_MAX_MS = 10 * 60 * 1000
POLL_S = 0.1
REASON_CHARS_MAX = 200


class WalletExists(Refusal):
    """A member has one wallet."""

    code = "wallet_exists"
    hint = "GET /api/v1/me shows the wallet; its passphrase is changed with PUT wallet/passphrase."


class WalletMissing(Refusal):
    """The member has no wallet yet."""

    code = "wallet_missing"
    kind = Kind.MISSING
    hint = "Make a wallet with POST /api/v1/wallet."


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A wallet without a SymID."""

    wallet_id: str
    member_id: str
    public_key_hash: bytes
    requests: int


class Wallets:
    """Wallets as members make and see them.

    ``work`` wakes the dispatcher, ``news`` rings whenever a block has changed something.
    """

    def __init__(
        self, database: Database, vault: Vault, clock: Clock, work: Bell, news: Bell
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._work = work
        self._news = news
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def make(self, member_id: str, passphrase: str, *, known: Member | None = None) -> Wallet:
        """Store a new key twice.

        ``known``: the member as read a moment ago; the rules are looked at once more in the
        transaction that makes the wallet. Raises ``MemberUnverified``, ``MemberFrozen``,
        ``WalletExists`` and the vault's refusals.
        """
        lock = self._making.setdefault(member_id, asyncio.Lock())
        if lock.locked():
            known = None  # whoever is at it may have made the wallet by then
        async with lock:
            if known is None:
                known = await self._database.read(_member, member_id)
            _may_make(known)
            wallet_id = entropy.new_id("wa", self._clock.now_ms())
            key = await self._vault.new_key(wallet_id, passphrase)
            try:
                with step("wallet.row"):
                    await self._database.write(_insert, member_id, key, self._clock.now_ms())
            except IntegrityError:
                await self._vault.discard(key)  # another process was first
                raise WalletExists("This member has a wallet already.") from None
            except Refusal:
                await self._vault.discard(key)
                raise
        self._work.ring({NEW_WALLET})
        return Wallet(key.wallet_id, WalletState.KEY_STORED, None, key.public_key_hash)

    async def of(self, member_id: str) -> Wallet:
        """The member's wallet. Raises ``WalletMissing``."""
        return await self._database.read(_wallet_of, member_id)

    async def wait(self, member_id: str, seconds: float) -> Wallet:
        """The wallet once it is active, or as it is after ``seconds``."""
        end = time.monotonic() + seconds
        while True:
            wallet = await self.of(member_id)
            left_s = end - time.monotonic()
            if wallet.is_active or left_s <= 0:
                return wallet
            await self._news.wait(min(left_s, POLL_S))

    async def change_passphrase(self, member_id: str, old: str, new: str) -> Wallet:
        """Put the same key under a new passphrase. Raises the vault's refusals."""
        wallet = await self.of(member_id)
        await self._vault.change_passphrase(wallet.id, old, new, member_id=member_id)
        return wallet


async def request_citizens(
    database: Database, authority: CertificateAuthority, ring: KeyRing, now_ms: int
) -> int:
    """Ask the CA for the SymIDs that are due, some at once; how many were asked for.

    Called by the dispatcher again and again. That a wallet is being asked for is recorded before
    the CA hears of it, so a crash in between only means that it is asked again.
    """
    if not await database.read(_is_any_due, now_ms):
        return 0  # asked again and again, this must not cost a write
    with step("wallet.citizen_recorded"):
        due = await database.write(_take_due, now_ms)
    requests = await database.read(_requests, ring, due)
    if requests:
        with step("wallet.citizen_requested"):
            await asyncio.gather(
                *(_ask(database, authority, wallet, one) for wallet, one in requests)
            )
    return len(requests)


def activate(connection: Connection, citizens: Iterable[ChainCitizen], now_ms: int) -> list[str]:
    """Give wallets the SymIDs that a block registered; the ids of the members they belong to."""
    return _activate(connection, {one.key_hash: one.symid for one in citizens}, now_ms)


def ask_again_ms(requests: int) -> int:
    """How long after the ``requests``-th question the next one is due. Pure."""
    return int(min(ASK_AGAIN_MS * 2 ** min(max(requests - 1, 0), 16), ASK_AGAIN_MAX_MS))


def count_by_state(connection: Connection) -> dict[str, int]:
    """How many wallets there are in each state."""
    rows = connection.execute(select(wallets.c.state, func.count()).group_by(wallets.c.state))
    return {state.value: 0 for state in WalletState} | {row[0]: row[1] for row in rows}


async def _ask(
    database: Database, authority: CertificateAuthority, wallet: _Waiting, request: CitizenRequest
) -> None:
    answer = await authority.issue(request)
    match answer:
        case Issued() | AlreadyIssued() | InDoubt():
            return  # a block will tell; if none does, we ask again
        case RefusedByCa(reason):
            await database.write(_note_refused, wallet.wallet_id, reason)


def _member(connection: Connection, member_id: str) -> Member:
    member = records.get(connection, member_id)
    assert member is not None, "a session belongs to a member"
    return member


def _may_make(member: Member) -> None:
    may_act(member)
    if member.wallet is not None:
        raise WalletExists("This member has a wallet already.")


def _insert(connection: Connection, member_id: str, key: NewKey, now_ms: int) -> None:
    _may_make(_member(connection, member_id))
    insert_copy(connection, key, now_ms)
    connection.execute(
        _INSERT,
        {
            "wallet_id": key.wallet_id,
            "member_id": member_id,
            "state": WalletState.KEY_STORED,
            "public_key_hash": key.public_key_hash,
            "created_ms": now_ms,
        },
    )


_INSERT = insert(wallets)


def _wallet_of(connection: Connection, member_id: str) -> Wallet:
    member = records.get(connection, member_id)
    if member is None or member.wallet is None:
        raise WalletMissing("This member has no wallet.")
    return member.wallet


def _is_any_due(connection: Connection, now_ms: int) -> bool:
    return connection.execute(*_due(now_ms)).first() is not None


def _take_due(connection: Connection, now_ms: int) -> list[_Waiting]:
    """Mark wallets as being asked for. What the index knows already is not asked again."""
    rows = connection.execute(*_due(now_ms)).all()
    known = index.citizens_by_key(connection, {row.public_key_hash for row in rows})
    if known:
        _activate(connection, known, now_ms)
    due = [
        _Waiting(row.wallet_id, row.member_id, row.public_key_hash, row.requests + 1)
        for row in rows
        if row.public_key_hash not in known
    ]
    if due:
        connection.execute(
            _ASK_FOR,
            [
                {"asked_id": one.wallet_id, "asked_requests": one.requests, "asked_ms": now_ms}
                for one in due
            ],
        )
    return due


_ASK_FOR = (
    update(wallets)
    .where(wallets.c.wallet_id == bindparam("asked_id"))
    .values(
        state=WalletState.CITIZEN_REQUESTED,
        requests=bindparam("asked_requests"),
        requested_ms=bindparam("asked_ms"),
    )
)


@prepared
def _due(now_ms: Any) -> Any:
    """Wallets nobody has asked for, and those whose last question is too long ago.

    Those of frozen members wait.
    """
    waits = [ask_again_ms(n) for n in range(1, 9)]
    late = or_(
        *(
            and_(
                wallets.c.requests == n if n < len(waits) else wallets.c.requests >= n,
                wallets.c.requested_ms + wait_ms <= now_ms,
            )
            for n, wait_ms in enumerate(waits, 1)
        )
    )
    return (
        select(wallets)
        .where(
            or_(
                wallets.c.state == WalletState.KEY_STORED,
                and_(wallets.c.state == WalletState.CITIZEN_REQUESTED, late),
            ),
            not_(records.is_frozen(wallets.c.member_id)),
        )
        .order_by(wallets.c.created_ms)
        .limit(ASK_AT_ONCE_MAX)
        .with_for_update(skip_locked=True)
    )


def _requests(
    connection: Connection, ring: KeyRing, due: Sequence[_Waiting]
) -> list[tuple[_Waiting, CitizenRequest]]:
    found = []
    rows = {row.id: row for row in records.rows_of(connection, {one.member_id for one in due})}
    for wallet in due:
        row = rows[wallet.member_id]
        if row.closed_ms is not None:  # whoever left is named to nobody
            continue
        try:
            name, phone = personal.open_details(ring, row)
        except (SealBroken, InvalidTag):  # one damaged row must not keep the others waiting
            log.error("the details of %s do not open: no SymID can be asked for", row.id)
            continue
        request = CitizenRequest(
            number=row.number,
            phone=personal.phone_digits(phone or ""),
            name=name or "",
            public_key_hash=wallet.public_key_hash,
            v_flag=Verification.PHONE,
        )
        found.append((wallet, request))
    return found


def _activate(connection: Connection, symids: Mapping[bytes, bytes], now_ms: int) -> list[str]:
    """Make the wallets of these key hashes active; the members of those that are ours and were not.

    ``symids`` is key hash -> SymID.
    """
    hashes = sorted(symids)
    rows = [
        row
        for start in range(0, len(hashes), KEYS_PER_QUERY)
        for row in connection.execute(
            _INACTIVE, {"key_hashes": hashes[start : start + KEYS_PER_QUERY]}
        )
    ]
    if rows:
        active = [
            {
                "active_id": row.wallet_id,
                "active_symid": symids[row.public_key_hash],
                "active_at_ms": now_ms,
            }
            for row in rows
        ]
        connection.execute(_SET_ACTIVE, active)
        who = [(row.wallet_id, row.member_id) for row in rows]
        events.record_many(connection, "wallet.active", who, now_ms=now_ms)
    return [row.member_id for row in rows]


_INACTIVE = select(wallets.c.wallet_id, wallets.c.member_id, wallets.c.public_key_hash).where(
    wallets.c.public_key_hash.in_(bindparam("key_hashes", expanding=True)),
    wallets.c.state != WalletState.ACTIVE,
)
_SET_ACTIVE = (
    update(wallets)
    .where(wallets.c.wallet_id == bindparam("active_id"))
    .values(
        state=WalletState.ACTIVE,
        symid=bindparam("active_symid"),
        active_ms=bindparam("active_at_ms"),
        refused_reason="",
    )
)


def _note_refused(connection: Connection, wallet_id: str, reason: str) -> None:
    connection.execute(
        update(wallets)
        .where(wallets.c.wallet_id == wallet_id, wallets.c.state != WalletState.ACTIVE)
        .values(refused_reason=index.printable(reason, REASON_CHARS_MAX))
    )

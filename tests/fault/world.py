"""A platform in one process, on a real chain held in memory by a node that can lie.

``World`` is the real vault, members, payments and dispatcher on a real database, with a simulated
clock. ``LyingNode`` runs the real state machine and stands where ``NodeClient`` stands; a test
makes it lose answers, refuse, withhold blocks or let an outsider in, and decides when a block is
made.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from jigap import auditor, index, lanes, members, tokens, transfers
from jigap.audit import Sealer
from jigap.ca import Issued
from jigap.chain import symid, transaction
from jigap.chain.citizen import CitizenTransaction
from jigap.chain.citizen import sign as sign_citizen
from jigap.chain.invalid import Invalid
from jigap.chain.signature import PrivateKey
from jigap.clock import SimulatedClock
from jigap.database import Database, metadata
from jigap.dispatcher import Dispatcher, ServiceAccount
from jigap.entropy import random_bytes
from jigap.events import Bell
from jigap.housekeeping import Housekeeping
from jigap.keys import KdfPool, KeyRing, Vault
from jigap.lanes import TagKeys
from jigap.members import Directory, Wallets
from jigap.members.accounts import create_member
from jigap.members.records import change
from jigap.node.client import (
    ChainBlock,
    ChainCitizen,
    ChainContract,
    ChainHeader,
    NodeUnreachable,
    RpcError,
    Submitted,
    Waiting,
)
from jigap.node.genesis import OPERATOR, TOKEN_OWNER, TREASURY, first_block, platform_genesis
from jigap.node.state import MemoryReader, State
from jigap.node.transition import (
    Candidate,
    CitizenCandidate,
    Rules,
    Tip,
    check,
    finalize,
    prepare,
    signer_of,
)
from jigap.privacy import Retention
from jigap.settings import Settings
from tests.blocks import as_client_sees

CHAIN_ID = 7777
PASSPHRASE = "correct horse battery"
KEYS = {
    name: PrivateKey(bytes([number]) * 32)
    for number, name in enumerate(
        ("master_ca", "ca", "block_signer", "token_owner", "treasury", "operator"), 1
    )
}


class LyingNode:
    """A chain in memory behind the interface of ``NodeClient``.

    ``pool`` holds what was taken in; nothing is mined until ``mine``. ``hidden`` blocks at the top
    are not shown. ``answer`` may replace the honest answer to ``submit``.
    """

    def __init__(self) -> None:
        hashes = {name: key.public_key_hash for name, key in KEYS.items()}
        self.genesis = platform_genesis(
            master_ca=hashes["master_ca"],
            first_ca=hashes["ca"],
            block_signer=hashes["block_signer"],
            token_owner=hashes["token_owner"],
            treasury=hashes["treasury"],
            operator=hashes["operator"],
        )
        first = first_block(self.genesis)
        self.rules = Rules(CHAIN_ID)
        self.tip = first.tip()
        self.states = [MemoryReader(dict(self.tip.state.items()))]  # type: ignore[attr-defined]
        self.blocks = [as_client_sees(first.finalized, first.block.hash)]
        self.pool: dict[bytes, transaction.SignedTransaction] = {}
        self.citizens: list[CitizenCandidate] = []
        self.seen: list[bytes] = []
        self.hidden = 0
        self.answer: Callable[[transaction.SignedTransaction], Submitted | None] = lambda _: None

    # --- what a NodeClient is asked

    async def chain_id(self) -> int:
        return CHAIN_ID

    async def fetch(self, number: int) -> ChainBlock | None:
        shown = len(self.blocks) - self.hidden
        return self.blocks[number] if number < shown else None

    async def header(self, number: int) -> ChainHeader | None:
        block = await self.fetch(number)
        if block is None:
            return None
        return ChainHeader(block.number, block.hash, block.parent_hash, block.time_ms)

    async def balance(self, who: bytes, tag: int) -> int:
        return self._at(tag).account(who).balance

    async def nonce(self, who: bytes, tag: int) -> int:
        return self._at(tag).account(who).nonce

    async def deposit(self, who: bytes, tag: int) -> int:
        return self._at(tag).account(who).deposit

    async def token_balance(self, contract: bytes, who: bytes, tag: int) -> int:
        return self._at(tag).token_balance(contract, who)

    async def token_balances(self, asked: Sequence[tuple[bytes, bytes]], tag: int) -> Sequence[int]:
        if not 0 <= tag < len(self.states):
            raise RpcError(-32000, f"state at block {tag} is not kept")
        state = State(self.states[tag])
        return [state.token_balance(contract, who) for contract, who in asked]

    async def contract(self, contract: bytes, tag: int) -> ChainContract | None:
        return None

    async def citizen(self, who: bytes, tag: int) -> ChainCitizen | None:
        return None

    async def pending(self) -> list[Waiting]:
        return [
            Waiting(one.hash, one.transaction.sender, one.transaction.extra_data)
            for one in self.pool.values()
        ]

    async def submit(self, raw: bytes) -> Submitted:
        signed = transaction.decode(raw)
        self.seen.append(signed.hash)
        told = self.answer(signed)
        if told is not None and told.kind != "accepted":
            if told.message == "kept":
                self._take(signed)
            return told
        return self._take(signed)

    def _take(self, signed: transaction.SignedTransaction) -> Submitted:
        if signed.hash in self.pool:
            return Submitted("known", "known transaction")
        same = [
            one
            for one in self.pool.values()
            if (one.transaction.sender, one.transaction.nonce)
            == (signed.transaction.sender, signed.transaction.nonce)
        ]
        if same:
            return Submitted("rejected", "replacement transaction underpriced")
        try:
            check(self.state, signed, signer_of(signed, CHAIN_ID), self.rules)
        except Invalid as reason:
            return Submitted("rejected", str(reason))
        self.pool[signed.hash] = signed
        return Submitted("accepted")

    # --- what a test decides

    @property
    def state(self) -> State:
        return State(self.tip.state)

    def mine(self, *, drop: bool = False, only: Callable[[Any], bool] | None = None) -> ChainBlock:
        """Make a block of what waits; ``drop`` forgets the pool first."""
        if drop:
            self.pool.clear()
        chosen = sorted(
            (one for one in self.pool.values() if only is None or only(one)),
            key=lambda one: (one.transaction.sender, one.transaction.nonce),
        )
        made = prepare(
            self.tip,
            self.citizens,
            [Candidate(one, signer_of(one, CHAIN_ID)) for one in chosen],
            self.rules,
        )
        time_ms = self.tip.header.time_ms + 1000
        done = finalize(self.tip, made, time_ms, self.genesis.proposer, self.rules)
        reader = self.tip.state
        assert isinstance(reader, MemoryReader)
        reader.apply(done.changes)
        self.states.append(MemoryReader(reader.entries))
        self.tip = Tip(done.header, done.header.hash, reader, done.sum)
        self.citizens = []
        for one in done.body.transactions:
            self.pool.pop(one.hash, None)
        self.blocks.append(as_client_sees(done, done.header.hash))
        return self.blocks[-1]

    def register(self, key_hash: bytes, citizen_id: bytes) -> bytes:
        """Bind a SymID to a key, in the next block."""
        who = symid.make(2, citizen_id)
        nonce = self.state.citizen_nonce(symid.FIRST_CA) + len(self.citizens)
        asked = CitizenTransaction(
            sender=symid.FIRST_CA, to=b"", nonce=nonce, symid=who, key_hash=key_hash
        )
        signed = sign_citizen(asked, KEYS["ca"], CHAIN_ID)
        self.citizens.append(CitizenCandidate(signed, KEYS["ca"].public_key_hash))
        return who

    def _at(self, tag: int) -> State:
        return State(self.states[0]) if tag == 0 else self.state


class PaperCa:
    """A certificate authority that registers in the lying node's next block."""

    def __init__(self, node: LyingNode) -> None:
        self._node = node

    async def issue(self, request: Any) -> Issued:
        return Issued(self._node.register(request.public_key_hash, random_bytes(6)), None)


class DeafNode:
    """Stands in for a node that cannot be reached."""

    async def chain_id(self) -> int:
        raise NodeUnreachable("no node")


def _keep_nothing(path: Path, content: bytes) -> None:
    """These worlds have no data folder."""


class World:
    """Everything above the node, built on one database."""

    def __init__(self, database: Database, node: LyingNode, root: Path, **changes: Any) -> None:
        settings = {"scrypt_n": 2, "transfer_deadline_ms": 60_000} | changes
        self.settings = Settings(data_dir=str(root), **settings)
        self.database = database
        self.node = node
        self.payer = self.payee = ""  # ids of the two whom most tests are about
        self.clock = SimulatedClock(1_800_000_000_000)
        ring_file = root / "master.json"
        self.ring = KeyRing.load(ring_file) if ring_file.exists() else KeyRing.create(ring_file)
        self.work, self.news = Bell(), Bell()
        self.pool = KdfPool(2, 256)
        self.vault = Vault(
            database, self.ring, root / "keystores", self.pool, self.clock, self.settings
        )
        self.wallets = Wallets(database, self.vault, self.clock, self.work, self.news)
        self.directory = Directory(database, self.ring, self.clock, 200)
        self.payments = transfers.Payments(
            database,
            self.vault,
            self.ring,
            self.clock,
            self.settings,
            self.work,
            self.news,
            self.directory.open_recipient,
            OPERATOR,
        )
        self.balances = transfers.Balances(database, node)
        self.tokens = tokens.Tokens(
            database,
            node,  # type: ignore[arg-type]
            self.clock,
            self.work,
            {"token_owner": TOKEN_OWNER, "treasury": TREASURY},
            TagKeys(self.ring.derive("transaction-tag")),
            CHAIN_ID,
        )
        self.housekeeping = Housekeeping(
            database,
            self.clock,
            self.settings,
            Sealer(database, KEYS["operator"], self.clock, Path("unwritten"), _keep_nothing),
            Retention(database, self.vault.files, self.clock, self.settings),
        )
        self.dispatcher = Dispatcher(
            database,
            node,  # type: ignore[arg-type]
            PaperCa(node),
            self.ring,
            self.clock,
            self.settings,
            {
                "token_owner": ServiceAccount(TOKEN_OWNER, _Signer(KEYS["token_owner"])),
                "treasury": ServiceAccount(TREASURY, _Signer(KEYS["treasury"])),
            },
            OPERATOR,
            self.work,
            self.news,
            self.housekeeping,
        )

    async def turn(self, times: int = 1, *, blocks: bool = True) -> None:
        """Let the dispatcher look, and the node make a block, ``times`` times; then look again."""
        for _ in range(times):
            await self.dispatcher.turn()
            if blocks:
                self.node.mine()
        await self.dispatcher.turn()
        await self.housekeeping.tell_stuck()

    async def add_member(self, login: str) -> str:
        """A verified member with an active wallet."""
        member_id = await self.database.write(
            create_member,
            ring=self.ring,
            login=login,
            password_hash="!",
            roles=frozenset({"payer"}),
            name="김지갑",
            phone="+821012345678",
            now_ms=self.clock.now_ms(),
        )
        await self.database.write(change, member_id, level=1, verified_ms=self.clock.now_ms())
        await self.wallets.make(member_id, PASSPHRASE)
        await members.request_citizens(
            self.database, PaperCa(self.node), self.ring, self.clock.now_ms()
        )
        self.node.mine()
        await self.dispatcher.turn()
        return member_id

    async def add_token(self, symbol: str, to: str, amount: str) -> None:
        """A token of which one member holds ``amount``."""
        await self.tokens.create("mb_operator", f"create-{symbol}", symbol, symbol, "0")
        await self.turn(2)
        await self.tokens.mint("mb_operator", f"mint-{symbol}-{to}", symbol, amount, to)
        await self.turn(2)

    async def pay(
        self, payer: str, payee: str, amount: str, key: str, **order: Any
    ) -> transfers.Transfer:
        """One payment as a member makes it."""
        recipient = self.directory.make_recipient(payee, payer, self.clock.now_ms())
        made = transfers.Order(recipient, order.pop("token", "EST"), amount, **order)
        return await self.payments.send(payer, key, made, PASSPHRASE)

    async def balance(self, member_id: str) -> tuple[int, int]:
        """(available, on hold) in whole tokens."""
        (one,) = await self.balances.of(await self.symid(member_id))
        assert one.asked
        return one.available // 10**18, one.on_hold // 10**18

    async def symid(self, member_id: str) -> bytes:
        member = await self.database.read(members.get, member_id)
        assert member is not None and member.wallet is not None and member.wallet.symid
        return member.wallet.symid

    async def held(self, member_id: str) -> int:
        """Base units the chain says this member has."""
        token = await self.database.read(tokens.find, "EST")
        return self.node.state.token_balance(token.contract or b"", await self.symid(member_id))

    async def height(self) -> int:
        return await self.database.read(index.height)

    async def unfinished(self) -> list[lanes.Outgoing]:
        return await self.database.read(lanes.unfinished, CHAIN_ID)

    def close(self) -> None:
        self.pool.close()


@asynccontextmanager
async def world(
    database: Database, root: Path, node: LyingNode | None = None, **changes: Any
) -> AsyncIterator[World]:
    """A started world; audited and closed afterwards, the database left open."""
    made = World(database, node or LyingNode(), root, **changes)
    try:
        await made.dispatcher.start()
        yield made
        report = await database.read(auditor.recount)
        assert report.conserved and report.clean, report.differences
    finally:
        made.close()


async def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table: what a backup of the database has."""
    return await database.read(
        lambda connection: {
            table.name: [tuple(row) for row in connection.execute(table.select())]
            for table in metadata.sorted_tables
        }
    )


async def load(database: Database, kept: dict[str, list[tuple[Any, ...]]]) -> None:
    """Put a dump in the place of what is there."""

    def put_back(connection: Connection) -> None:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        for table in metadata.sorted_tables:
            names = [column.name for column in table.columns]
            rows = [dict(zip(names, row, strict=True)) for row in kept[table.name]]
            if rows:
                connection.execute(table.insert(), rows)

    await database.write(put_back)


class _Signer:
    def __init__(self, key: PrivateKey) -> None:
        self._key = key

    def sign(self, wanted: transaction.Transaction, chain_id: int) -> transaction.SignedTransaction:
        return transaction.sign(wanted, self._key, chain_id)

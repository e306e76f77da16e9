"""A small platform on paper: a chain, its index, and our records, all of which agree.

A test makes them disagree in one place and asks the auditor.
"""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Connection, insert
from tests.unit.index.blocks import PaperChain, citizen, symid

from jigap import auditor, index, lanes, tokens, transfers
from jigap.auditor import Difference
from jigap.chain import sct20
from jigap.chain.hashing import sha3_256
from jigap.database import Database
from jigap.lanes import Outgoing, State
from jigap.members import wallets
from jigap.members.tables import members
from jigap.node.client import ChainBlock, ChainContract, ChainTransaction, NodeClient
from jigap.transfers import refills

CHAIN_ID = 7777
SPONSOR, ALICE, BOB, CAROL, STRANGER = (symid(n) for n in (2, 10, 11, 12, 99))
MEMBERS = {ALICE: "mb_alice", BOB: "mb_bob", CAROL: "mb_carol"}
FUNDS_HUG = 10**21


class IndexAsNode:
    """A node that answers with what the index held when it was copied: right by definition."""

    def __init__(self, connection: Connection) -> None:
        table = index.chain_accounts.c
        self.accounts = index.accounts(
            connection,
            connection.scalars(index.chain_accounts.select().with_only_columns(table.symid)).all(),
        )
        self.holdings = {
            (row.contract, row.symid): row.balance
            for row in connection.execute(index.chain_holdings.select())
        }
        self.contracts = {one.contract: one for one in index.every_contract(connection)}

    async def balance(self, symid: bytes, tag: int) -> int:
        return self.accounts[symid].balance_hug

    async def nonce(self, symid: bytes, tag: int) -> int:
        return self.accounts[symid].nonce

    async def token_balance(self, contract: bytes, symid: bytes, tag: int) -> int:
        return self.holdings.get((contract, symid), 0)

    async def contract(self, contract: bytes, tag: int) -> ChainContract | None:
        one = self.contracts.get(contract)
        return one and ChainContract(
            one.contract, one.creator, one.owner, one.name, one.symbol, one.total, one.paused
        )


class Books:
    """The platform's database beside a chain on paper. Begin with ``await books.open()``."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.chain = PaperChain()
        self.contract = b""
        self._subjects = 0

    async def open(self) -> None:
        """Block 0: everybody. Block 1: the token TOK, a million base units, by an operation."""
        await self.database.write(self._people)
        await self.take()
        creation = sct20.Create("Token", "TOK", 1_000_000, SPONSOR)
        made = self.chain.create(SPONSOR, creation)
        assert made.contract_address is not None
        self.contract = made.contract_address
        await self.database.write(self._register)
        await self._operation(made, tokens.Kind.CREATE, 1_000_000, b"")
        await self.take()

    async def give(self, to: bytes, amount: int) -> None:
        """An operation of the operator: tokens from the sponsor's account."""
        made = self.chain.call(SPONSOR, self.contract, sct20.Transfer(to, amount))
        await self._operation(made, tokens.Kind.TRANSFER, amount, to)

    async def mint(self, to: bytes, amount: int) -> None:
        made = self.chain.call(SPONSOR, self.contract, sct20.Mint(to, amount))
        await self._operation(made, tokens.Kind.MINT, amount, to)

    async def burn(self, source: bytes, amount: int) -> None:
        made = self.chain.call(SPONSOR, self.contract, sct20.Burn(source, amount))
        await self._operation(made, tokens.Kind.BURN, amount, source)

    async def pause(self) -> None:
        made = self.chain.call(SPONSOR, self.contract, sct20.Pause())
        await self._operation(made, tokens.Kind.PAUSE, 0, b"")

    async def pay(self, payer: bytes, to: bytes, amount: int, **fields: Any) -> str:
        """A payment of a member; returns its id."""
        made = self.chain.call(payer, self.contract, sct20.Transfer(to, amount), **fields)
        transfer_id = self._next_id("tr")
        await self.database.write(self._add_payment, transfer_id, made, to, amount)
        return transfer_id

    async def cancel(self, payer: bytes, to: bytes, amount: int) -> str:
        """A payment whose cancel is mined instead."""
        cancel = self.chain.remit(payer, payer, 0)
        transfer_id = self._next_id("tr")
        await self.database.write(
            self._add_payment, transfer_id, cancel, to, amount, as_cancel=True
        )
        return transfer_id

    async def refill(self, to: bytes, amount_hug: int) -> str:
        """A gas refill; returns its id."""
        made = self.chain.remit(SPONSOR, to, amount_hug)
        refill_id = self._next_id("rf")
        await self.database.write(self._add_refill, refill_id, made, to, amount_hug)
        return refill_id

    async def take(self) -> list[Difference]:
        """Mine what waits and take the block in as the dispatcher does; what the auditor found."""
        citizens = [citizen(n) for n in (2, 10, 11, 12, 99)] if not self.chain.blocks else []
        block = self.chain.mine(*citizens)
        await index.prepare(self.database, cast(NodeClient, _Genesis()), block)
        return await self.database.write(take_in, block)

    async def recount(self) -> auditor.Report:
        return await self.database.read(auditor.recount)

    async def recount_after(self, statement: Any) -> auditor.Report:
        """The report after somebody's hand in our database, which is undone again."""

        def change_and_recount(connection: Connection) -> None:
            assert connection.execute(statement).rowcount >= 1
            raise _Undone(auditor.recount(connection))

        try:
            await self.database.write(change_and_recount)
        except _Undone as undone:
            return undone.report
        raise AssertionError("unreachable")

    async def stopped(self) -> dict[str, str]:
        """Why each stopped token is stopped."""
        every = await self.database.read(tokens.every)
        return {one.symbol: one.stopped_reason for one in every if one.stopped_reason}

    async def change(self, statement: Any) -> None:
        """Somebody's hand in our database."""
        changed = await self.database.write(
            lambda connection: connection.execute(statement).rowcount
        )
        assert changed >= 1

    def _people(self, connection: Connection) -> None:
        for number, (account, member_id) in enumerate(MEMBERS.items(), 1):
            connection.execute(
                insert(members).values(
                    number=number,
                    id=member_id,
                    login=member_id,
                    password_hash="",
                    roles="payer",
                    level=1,
                    data_key_sealed=b"",
                    created_ms=0,
                )
            )
            connection.execute(
                insert(wallets).values(
                    wallet_id=member_id.replace("mb", "wa"),
                    member_id=member_id,
                    state="active",
                    public_key_hash=account + account,
                    symid=account,
                    created_ms=0,
                )
            )
        for account in (SPONSOR, *MEMBERS):
            lanes.open_lane(connection, CHAIN_ID, account)

    def _register(self, connection: Connection) -> None:
        connection.execute(
            insert(tokens.tokens).values(
                symbol="TOK", contract=self.contract, name="Token", decimals=18, created_ms=0
            )
        )

    async def _operation(
        self, made: ChainTransaction, kind: tokens.Kind, amount: int, account: bytes
    ) -> None:
        await self.database.write(self._add_operation, made, kind, amount, account)

    def _add_operation(
        self,
        connection: Connection,
        made: ChainTransaction,
        kind: tokens.Kind,
        amount: int,
        account: bytes,
    ) -> None:
        operation_id = self._next_id("op")
        connection.execute(
            insert(tokens.token_operations).values(
                id=operation_id,
                operator_id="mb_operator",
                idempotency_key=operation_id,
                kind=kind.value,
                symbol="TOK",
                signer="token_owner",
                name="",
                amount=amount,
                account=account,
                counterpart=b"",
                created_ms=0,
            )
        )
        lanes.record(connection, CHAIN_ID, _outgoing(made, tokens.PURPOSE, operation_id))

    def _add_payment(
        self,
        connection: Connection,
        transfer_id: str,
        made: ChainTransaction,
        to: bytes,
        amount: int,
        as_cancel: bool = False,
    ) -> None:
        connection.execute(
            insert(transfers.transfers).values(
                id=transfer_id,
                member_id=MEMBERS[made.sender],
                operation="transfer",
                idempotency_key=transfer_id,
                recipient=MEMBERS[to],
                sender_symid=made.sender,
                recipient_symid=to,
                token="TOK",
                contract=self.contract,
                amount=amount,
                memo_sealed=b"",
                created_ms=0,
            )
        )
        entry = _outgoing(made, transfers.PURPOSE, transfer_id, as_cancel)
        lanes.record(connection, CHAIN_ID, entry)

    def _add_refill(
        self, connection: Connection, refill_id: str, made: ChainTransaction, to: bytes, hug: int
    ) -> None:
        connection.execute(
            insert(transfers.gas_refills).values(
                id=refill_id,
                symid=to,
                member_id=MEMBERS[to],
                transfer_id=None,
                amount_hug=hug,
                gas_units=1,
                day="2026-01-01",
                queued_reason="",
                created_ms=0,
            )
        )
        lanes.record(connection, CHAIN_ID, _outgoing(made, refills.PURPOSE, refill_id))

    def _next_id(self, prefix: str) -> str:
        self._subjects += 1
        return f"{prefix}_{self._subjects:04}"


def take_in(connection: Connection, block: ChainBlock) -> list[Difference]:
    """The parts of a block's transaction that concern money."""
    ended, _ = lanes.settle(connection, CHAIN_ID, block)
    applied = index.apply(connection, block)
    purposes = (transfers.PURPOSE, refills.PURPOSE)
    ours = {one.outgoing.hash for one in ended if one.outgoing.purpose in purposes}
    transfers.note_external(connection, block, applied.movements, ours)
    return auditor.check_block(connection, applied, block.time_ms)


def kinds(found: Sequence[Difference]) -> list[tuple[str, str | None]]:
    """(check, token) of each difference."""
    return [(one.check, one.token) for one in found]


class _Undone(Exception):
    """Rolls a change back and carries out what was seen meanwhile."""

    def __init__(self, report: auditor.Report) -> None:
        self.report = report


class _Genesis:
    """Funds for everybody at block 0."""

    async def balance(self, symid: bytes, tag: int) -> int:
        return FUNDS_HUG

    async def nonce(self, symid: bytes, tag: int) -> int:
        return 0

    async def deposit(self, symid: bytes, tag: int) -> int:
        return 0


def _outgoing(
    made: ChainTransaction, purpose: str, subject_id: str, as_cancel: bool = False
) -> Outgoing:
    other = sha3_256(b"other" + made.hash)
    return Outgoing(
        sender=made.sender,
        nonce=made.nonce,
        purpose=purpose,
        subject_id=subject_id,
        hash=other if as_cancel else made.hash,
        raw=b"raw",
        cancel_hash=made.hash if as_cancel else other,
        cancel_raw=b"raw",
        fee_max_hug=made.gas_used * made.gas_price,
        value_hug=made.value,
        state=State.SENT,
        created_ms=0,
        deadline_ms=1,
        tag=made.hash[:16],
    )

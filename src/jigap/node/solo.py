"""The ``solo`` engine: one signer makes, signs and keeps every block.

``SoloChain`` is the running chain: the store's newest view, the pool, the guard. Reads and
submissions happen on the event loop and never wait; what must reach the disk does so in one writer
thread, in order, so that the loop answers while a disk syncs.

A block is made in steps: prepare and finalize (pure), sign, guard synced, store committed, pool
advanced. A submitted transaction is acknowledged once it is kept on disk; those that arrive
together share one sync.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ClassVar, TypeVar

import lmdb

from jigap.chain import citizen, transaction
from jigap.chain.block import Block, Body, Header, sign_header
from jigap.chain.citizen import SignedCitizenTransaction
from jigap.chain.invalid import Invalid
from jigap.chain.signature import PrivateKey
from jigap.chain.transaction import SignedTransaction
from jigap.node import transition
from jigap.node.guard import DoubleSign, Guard
from jigap.node.mempool import Mempool
from jigap.node.state import State
from jigap.node.store import Store
from jigap.node.transition import Execution, Finalized, Rules, Tip
from jigap.node.view import StoreDamaged, View
from jigap.refusal import Kind, Refusal
from jigap.steps import step

T = TypeVar("T")

_TRANSACTION = b"t"
_CITIZEN = b"c"


class StoreFailed(Refusal):
    """The disk did not take a write: full, read-only or broken. The node stops."""

    code: ClassVar[str] = "store_failed"
    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    hint: ClassVar[str] = "Make room or repair the disk, then start the node again."


class WrongSigner(Refusal):
    """The key at hand is not that of the block signer named by the genesis."""

    code: ClassVar[str] = "wrong_block_signer"
    kind: ClassVar[Kind] = Kind.CONFLICT


class SoloChain:
    """A chain that this process alone extends. Made by ``SoloChain.start``."""

    def __init__(self, store: Store, guard: Guard, key: PrivateKey) -> None:
        self.store = store
        self.guard = guard
        self.view: View = store.view()
        self.tip: Tip = self.view.tip()
        self.genesis = self._genesis_header()
        self.rules = Rules(self.genesis.chain_id)
        self.pool = Mempool(self.rules)
        self.proposer = self.genesis.proposer
        self.public_key = key.public_key
        self.on_candidate: Callable[[], None] = lambda: None
        self.failure: StoreFailed | None = None
        self._key = key
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="chain-writer")
        self._unkept: list[tuple[bytes, bytes]] = []
        self._keeping: asyncio.Task[None] | None = None
        self._forget: set[bytes] = set()

    @classmethod
    def start(cls, store: Store, guard: Guard, key: PrivateKey) -> "SoloChain":
        """The chain as the last run left it, also after a crash at any instant.

        Raises ``WrongSigner``, ``DoubleSign`` or ``StoreDamaged``.
        """
        chain = cls(store, guard, key)
        chain._check_signer()
        chain._resume_signed()
        chain._refill_pool()
        return chain

    def _genesis_header(self) -> Header:
        first = self.view.header(0)
        if first is None:
            raise StoreDamaged("block 0 is missing")
        return first.signed.header

    def _check_signer(self) -> None:
        signer = State(self.view).citizen(self.proposer)
        if signer is None or signer.key_hash != self._key.public_key_hash:
            raise WrongSigner(
                f"the key of the block signer is 0x{self._key.public_key_hash.hex()}, which is not "
                f"that of 0x{self.proposer.hex()} on this chain"
            )

    def _resume_signed(self) -> None:
        """Commit the block that was signed but not stored, if the last run ended between."""
        signed, tip = self.guard.last, self.tip
        if signed is None or signed.number < tip.header.number:
            return
        if signed.number == tip.header.number:
            self.guard.check(tip.header.number, tip.hash)
        elif signed.number == tip.header.number + 1:
            self._commit(*self._remake(Block.decode(signed.block)))
        else:
            raise DoubleSign(
                f"block {signed.number} is already signed, but the store ends at block "
                f"{tip.header.number}"
            )

    def _remake(self, block: Block) -> tuple[Block, Finalized]:
        header = block.header
        try:
            finalized = transition.finalize(
                self.tip,
                transition.process(self.tip, block.body, self.rules),
                header.time_ms,
                header.proposer,
                self.rules,
                header.extra_data,
            )
        except Invalid as error:
            raise StoreDamaged(
                f"the signed block {header.number} does not apply: {error}"
            ) from error
        if finalized.header.hash != block.hash:
            raise StoreDamaged(f"the signed block {header.number} does not follow from the store")
        return block, finalized

    def _refill_pool(self) -> None:
        """Take back what waited; what no longer may is forgotten with the next block."""
        state, height = State(self.view), self.tip.header.number
        waiting = [(hash_, _decode(kept)) for hash_, kept in self.view.kept()]
        for hash_, signed in sorted(waiting, key=lambda one: one[1].transaction.nonce):
            try:
                self._add(signed, state, height)
            except Invalid:
                self._forget.add(hash_)

    def _add(
        self, signed: SignedTransaction | SignedCitizenTransaction, state: State, height: int
    ) -> None:
        if isinstance(signed, SignedCitizenTransaction):
            self.pool.add_citizen(state, signed)
        else:
            self.pool.add(state, signed, height)

    # -- submit ----------------------------------------

    def submit(self, raw: bytes) -> bytes:
        """Take a transaction into the pool; its hash. Raises ``Invalid``.

        It may be acknowledged once ``keep_accepted`` has returned.
        """
        return self._accept(_TRANSACTION + raw)

    def submit_citizen(self, raw: bytes) -> bytes:
        """Take a citizen transaction into the pool; its hash. Raises ``Invalid``."""
        return self._accept(_CITIZEN + raw)

    def _accept(self, kept: bytes) -> bytes:
        signed = _decode(kept)
        self._add(signed, State(self.view), self.tip.header.number)
        self._unkept.append((signed.hash, kept))
        self.on_candidate()
        return signed.hash

    async def keep_accepted(self) -> None:
        """Return once everything accepted so far is on disk; raises ``StoreFailed``."""
        if self._keeping is not None and self._unkept:
            await asyncio.wait((self._keeping,))  # it began before our transaction came
        if self._unkept and self._keeping is None:
            self._keeping = asyncio.ensure_future(self._keep())
            self._keeping.add_done_callback(self._kept)
        if self._keeping is not None:
            await asyncio.wait((self._keeping,))
        if self.failure is not None:
            raise self.failure

    async def _keep(self) -> None:
        """One sync for all that came since the last; a failure is told by ``failure``."""
        waiting, self._unkept = self._unkept, []

        def write() -> None:
            with step("mempool.keep"):
                self.store.keep(waiting)

        with suppress(StoreFailed):
            await self._write(write)

    def _kept(self, task: "asyncio.Task[None]") -> None:
        if self._keeping is task:
            self._keeping = None

    # -- make blocks ----------------------------------------

    def wants_block(self) -> bool:
        """Whether something waits that the next block could hold, or that must be told."""
        return self.failure is not None or self.pool.has_candidates(State(self.view))

    async def extend(self, now_ms: int) -> Block:
        """Make, sign and commit the next block. Raises ``StoreFailed`` or ``DoubleSign``."""
        if self.failure is not None:
            raise self.failure
        state = State(self.view)
        execution = transition.prepare(
            self.tip,
            self.pool.citizen_candidates(state),
            self.pool.candidates(state),
            self.rules,
        )
        time_ms = max(now_ms, self.tip.header.time_ms + 1)
        finalized = transition.finalize(self.tip, execution, time_ms, self.proposer, self.rules)
        block = Block(sign_header(finalized.header, self._key), execution.body, execution.receipts)
        forget = self._forgettable(execution)
        await self._write(lambda: self._sign_and_store(block, finalized, forget))
        self._move_on(block.body, execution)
        return block

    def _forgettable(self, execution: Execution) -> list[bytes]:
        forget, self._forget = self._forget, set()
        forget.update(signed.hash for signed in execution.body.transactions)
        forget.update(signed.hash for signed in execution.body.citizens)
        return sorted(forget)

    def _sign_and_store(self, block: Block, finalized: Finalized, forget: list[bytes]) -> None:
        with step("block.guard"):
            self.guard.sign(block.header.number, block.hash, block.encode())
        with step("block.commit"):
            self.store.commit(block, finalized, forget)

    def _commit(self, block: Block, finalized: Finalized) -> None:
        """Commit at the start of a run, before there is a loop to keep free."""
        with step("block.commit"):
            self.store.commit(block, finalized)
        self._move_on(block.body, None)

    def _move_on(self, body: Body, execution: Execution | None) -> None:
        """Show the new block to readers and bring the pool up to date."""
        before, self.view = self.view, self.store.view()
        self.tip = self.view.tip()
        before.close()
        refused = execution.refused if execution else ()
        gone = self.pool.advance(State(self.view), self.tip.header.number, body, refused)
        self._forget.update(gone)

    async def _write(self, write: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, write)
        except (lmdb.Error, OSError) as error:
            self.failure = StoreFailed(f"the chain store cannot be written: {error}")
            self.on_candidate()  # the producer is the one who stops the node
            raise self.failure from error

    def close(self) -> None:
        """Wait for the writer and let go of the files."""
        self._writer.shutdown(wait=True)
        self.view.close()
        self.store.close()


def _decode(kept: bytes) -> SignedTransaction | SignedCitizenTransaction:
    raw = kept[1:]
    return citizen.decode(raw) if kept[:1] == _CITIZEN else transaction.decode(raw)

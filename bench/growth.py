"""TC9: what a block and its state root cost as the chain's state grows.

One chain grows from a thousand accounts to a million, and at each size blocks of the same payments
are made. An account is what a member has on the chain: a citizen, the key that speaks for it, SYM
and tokens, four entries of the state. The accounts are written into the state by blocks of our own
making, through the rules' own ``finalize`` and the store's ``commit``; they are not grown by a
million signed transactions, which would take an hour and leave the same state. Payers are spread
over the whole state, and those they pay are drawn from all accounts.

Times are processor time of this process, all its threads together: the same work takes the same
however busy the machine is. Starting is measured as long as it takes.
"""

import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.chain import BLOCK_TRANSACTIONS, PEOPLE, Scenario, scenario
from bench.machine import Meter
from bench.plan import Plan, Say
from bench.rounds import Measure, Round, summary
from jigap.chain import sct20, symid
from jigap.chain.block import Block, Body, sign_header
from jigap.chain.citizen import Citizen, Verification
from jigap.chain.symid import FIRST_CA, SymId
from jigap.chain.transaction import TYPE_SCT, SignedTransaction, sign
from jigap.lanes import transaction
from jigap.node import TOKEN_OWNER, TREASURY, transition
from jigap.node.genesis import BLOCK_SIGNER
from jigap.node.server import open_chain
from jigap.node.solo import SoloChain
from jigap.node.state import Account, Overlay, State, added, removed
from jigap.node.transition import Execution

BLOCK = Measure(
    "growth_block",
    f"A block of {BLOCK_TRANSACTIONS} payments, largest state",
    " ms",
    "smallest state",
    aim=1.5,
    aim_of="ratio",
    at_most=True,
)
ROOT = Measure(
    "growth_root",
    "State root of that block, an entry, largest state",
    " µs",
    "smallest state",
    aim=1.2,
    aim_of="ratio",
    at_most=True,
)

SIZES = (1_000, 100_000, 1_000_000)
QUICK_SIZES = (800, 1_500)
#: Accounts written by one block: with fewer than 128 blocks in all, the store drops none of what
#: they replaced while payments are measured.
CHUNK = 20_000
BLOCKS = 9
QUICK_BLOCKS = 2
EMPTY_BLOCKS = 5
#: Hug and base units that an account has at least.
_EACH = 10**15


@dataclass(slots=True)
class Growing:
    """The chain as it grows, and everybody on it."""

    given: Scenario
    folder: Path
    chain: SoloChain
    chance: random.Random
    strangers: list[SymId] = field(default_factory=list)
    nonce: int = 0

    @property
    def contract(self) -> SymId:
        return symid.contract_address(TOKEN_OWNER, 0)

    @property
    def accounts(self) -> int:
        return len(self.strangers) + PEOPLE


@dataclass(slots=True)
class Size:
    """What one size of the state costs. ``pool_ms`` and so on are of each block, in order."""

    accounts: int
    entries: int
    store_mib: float
    start_s: float
    start_cpu_s: float
    read_us: float
    empty_ms: list[float]
    pool_ms: list[float] = field(default_factory=list)
    root_ms: list[float] = field(default_factory=list)
    block_ms: list[float] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    failed: int = 0
    foreign: float = 0.0

    @property
    def root_us(self) -> list[float]:
        """Microseconds for each entry that changed: one element less and one more."""
        return [1000 * ms / n for ms, n in zip(self.root_ms, self.changed, strict=True)]

    def row(self) -> list[str]:
        return [
            f"{self.accounts:,}",
            f"{self.entries:,}",
            f"{self.store_mib:,.1f}",
            f"{median(self.empty_ms):.2f}",
            f"{median(self.pool_ms):.1f}",
            f"{median(self.block_ms):.1f}",
            f"{median(self.root_ms):.2f}",
            f"{median(self.root_us):.1f}",
            f"{self.read_us:.1f}",
            f"{self.start_s:.2f} ({self.start_cpu_s:.2f})",
        ]


async def run(plan: Plan, say: Say, folder: Path) -> list[dict[str, Any]]:
    """Both measures, and a table of all sizes."""
    sizes = QUICK_SIZES if plan.quick else SIZES
    blocks = QUICK_BLOCKS if plan.quick else BLOCKS
    given = scenario(folder / "scenario", 0)
    chain = open_chain(folder / "chain", given.chain.genesis, given.chain.proposer_key)
    growing = Growing(given, folder / "chain", chain, random.Random(1))
    taken: list[Size] = []
    try:
        await _mine(growing, given.before)
        for accounts in sizes:
            say(f"growing to {accounts:,} accounts")
            while growing.accounts < accounts:
                _grow(growing, min(CHUNK, accounts - growing.accounts))
            taken.append(await _measured(growing, blocks))
    finally:
        growing.chain.close()
    return [_summed(BLOCK, taken, "block_ms") | _shown(taken), _summed(ROOT, taken, "root_us")]


def _summed(measure: Measure, taken: Sequence[Size], what: str) -> dict[str, Any]:
    first, last = taken[0], taken[-1]
    reference = median(getattr(first, what))
    rounds = [Round(value, reference, last.foreign, {}) for value in getattr(last, what)]
    if last.failed or first.failed:
        rounds[0].errors["payments failed"] = last.failed + first.failed
    return summary(measure, rounds)


def _shown(taken: Sequence[Size]) -> dict[str, Any]:
    """The table and the chart for the report."""
    changed = median(taken[-1].changed)

    def points(what: str) -> list[list[float]]:
        return [[one.accounts, round(median(getattr(one, what)), 3)] for one in taken]

    return {
        "table": {
            "title": "Growth of the state",
            "head": [
                "Accounts",
                "Entries",
                "Store, MiB",
                "Empty block, ms",
                "Into the pool, ms",
                "Block, ms",
                "of it root, ms",
                "Root, µs an entry",
                "Read, µs",
                "Start, s (CPU)",
            ],
            "rows": [one.row() for one in taken],
            "note": (
                f"Processor milliseconds, medians of {len(taken[-1].block_ms)} blocks of "
                f"{BLOCK_TRANSACTIONS} payments that change {changed:.0f} entries of the state. "
                "Into the pool: signature, rules and one synced write for all. Block: choose, "
                "apply, root, sign, guard, commit with both syncs. A state of more than 200,000 "
                "entries is not added up again at each start."
            ),
        },
        "chart": {
            "title": "A block of the same payments, by accounts on the chain",
            "x": "accounts",
            "y": "processor ms",
            "series": [
                {"name": "block", "points": points("block_ms")},
                {"name": "state root", "points": points("root_ms")},
                {"name": "empty block", "points": points("empty_ms")},
            ],
            "log_x": True,
            "log_y": False,
        },
    }


def _grow(growing: Growing, count: int) -> None:
    """One block with ``count`` more accounts; what they have is taken from who has much."""
    chain, chance, contract = growing.chain, growing.chance, growing.contract
    overlay = Overlay(chain.view)
    state = State(overlay)
    given = 0
    for number in range(len(growing.strangers), len(growing.strangers) + count):
        one = symid.make(2, chance.randbytes(symid.RANDOM_BYTES))
        key_hash, each = chance.randbytes(20), _EACH + number
        state.put_citizen(Citizen(one, FIRST_CA, number, key_hash, Verification.PHONE))
        state.put_account(one, Account(each, number % 50))
        state.put_token_balance(contract, one, each)
        growing.strangers.append(one)
        given += each
    treasury, rich = state.account(TREASURY), growing.given.chain.accounts[0].symid
    state.put_account(TREASURY, treasury._replace(balance=treasury.balance - given))
    state.put_token_balance(contract, rich, state.token_balance(contract, rich) - given)
    _commit(growing, Execution(Body((), ()), (), overlay.changes(), (), chain.tip.hash))


def _commit(growing: Growing, execution: Execution) -> None:
    chain = growing.chain
    time_ms = chain.tip.header.time_ms + 1_000
    made = transition.finalize(chain.tip, execution, time_ms, chain.proposer, chain.rules)
    header = sign_header(made.header, growing.given.chain.proposer_key)
    block = Block(header, execution.body, execution.receipts)
    chain.guard.sign(block.header.number, block.hash, block.encode())
    chain.store.commit(block, made)
    before, chain.view = chain.view, chain.store.view()
    chain.tip = chain.view.tip()
    before.close()


async def _measured(growing: Growing, blocks: int) -> Size:
    """Start the chain again as a node does, and make blocks."""
    growing.chain.close()
    meter = Meter({"bench": os.getpid()})
    cpu_s, began = sum(os.times()[:4]), time.perf_counter()
    growing.chain = chain = open_chain(growing.folder, None, growing.given.chain.proposer_key)
    start_s = time.perf_counter() - began
    start_cpu_s = sum(os.times()[:4]) - cpu_s
    found = Size(
        accounts=growing.accounts,
        entries=chain.view.entry_count(),
        store_mib=(growing.folder / "chain" / "data.mdb").stat().st_size / 2**20,
        start_s=start_s,
        start_cpu_s=start_cpu_s,
        read_us=_read_us(growing),
        empty_ms=[await _extended_ms(chain) for _ in range(EMPTY_BLOCKS)],
    )
    for _ in range(blocks):
        found.failed += await _block(growing, found)
    # One core is ours; the other may be anybody's.
    cores = os.cpu_count() or 1
    found.foreign = max(meter.use().foreign - (cores - 1) / cores, 0.0)
    return found


async def _block(growing: Growing, found: Size) -> int:
    """One block of payments; how many of them failed."""
    chain, payments = growing.chain, _payments(growing)
    began = time.process_time()
    for signed in payments:
        chain.submit(signed.raw)
    await chain.keep_accepted()
    found.pool_ms.append(1000 * (time.process_time() - began))
    state = State(chain.view)
    execution = transition.prepare(chain.tip, (), chain.pool.candidates(state), chain.rules)
    found.changed.append(len(execution.changes))
    changes = execution.changes
    began = time.process_time()
    chain.tip.sum.changed(removed(changes), added(changes)).root()
    found.root_ms.append(1000 * (time.process_time() - began))
    found.block_ms.append(await _extended_ms(chain))
    located = (chain.view.transaction(one.hash) for one in payments)
    return sum(one is None or not one.receipt.status for one in located)


async def _extended_ms(chain: SoloChain) -> float:
    began = time.process_time()
    await chain.extend(chain.tip.header.time_ms + 1_000)
    return 1000 * (time.process_time() - began)


def _read_us(growing: Growing, count: int = 20_000) -> float:
    """Microseconds to look up the account of somebody, whoever it is."""
    state = State(growing.chain.view)
    asked = growing.chance.choices(growing.strangers, k=count)
    began = time.process_time()
    for one in asked:
        state.account(one)
    return 1e6 * (time.process_time() - began) / count


def _payments(growing: Growing) -> list[SignedTransaction]:
    """Payments of the payers in turn, each to somebody else, signed."""
    made = []
    payers = growing.given.chain.accounts
    paid = growing.chance.sample(growing.strangers, BLOCK_TRANSACTIONS)
    for number in range(BLOCK_TRANSACTIONS):
        at = (growing.nonce + number) % PEOPLE
        call = sct20.Transfer(paid[number], 1 + number)
        wanted = transaction(
            sender=payers[at].symid,
            nonce=(growing.nonce + number) // PEOPLE,
            to=growing.contract,
            work_node=BLOCK_SIGNER,
            type_=TYPE_SCT,
            input_=sct20.encode(call),
            extra_data=growing.chance.randbytes(16),
        )
        made.append(sign(wanted, payers[at].key, growing.given.chain.genesis.chain_id))
    growing.nonce += BLOCK_TRANSACTIONS
    return made


async def _mine(growing: Growing, waiting: Sequence[SignedTransaction]) -> None:
    for signed in waiting:
        growing.chain.submit(signed.raw)
    await growing.chain.keep_accepted()
    await growing.chain.extend(growing.chain.tip.header.time_ms + 1_000)

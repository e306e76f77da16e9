"""The rules of the chain on one core, against the one thing that cannot be done faster.

Every transaction needs its signer recovered from the signature; coincurve does that as fast as
anything we know. ``apply_transaction`` with that recovery is compared with the bare recovery of the
same signatures, and so are whole blocks: raw bytes into the pool, kept on disk, made into blocks,
signed, guarded and committed.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coincurve

from bench.machine import Meter, Use
from bench.plan import Plan, Say
from bench.rounds import Measure, Round, repeat, summary
from jigap.chain import sct20, symid
from jigap.chain.signature import PrivateKey
from jigap.chain.transaction import TYPE_SCT, SignedTransaction, sign
from jigap.lanes import transaction
from jigap.node import TOKEN_OWNER, DevChain, dev_chain, transition
from jigap.node.genesis import BLOCK_SIGNER, first_block
from jigap.node.server import open_chain
from jigap.node.solo import SoloChain
from jigap.node.state import MemoryReader, Overlay, State
from jigap.node.transition import Candidate, Rules

APPLY = Measure(
    "apply_transaction",
    "Transactions applied",
    "/s",
    "signature recovery",
)
BLOCKS = Measure(
    "blocks",
    "Transactions in committed blocks",
    "/s",
    "signature recovery",
)

PEOPLE = 200
BLOCK_TRANSACTIONS = 500
GRANT = 10**24


@dataclass(frozen=True, slots=True)
class Scenario:
    """A chain, the transactions that give its people tokens, and those that are measured."""

    chain: DevChain
    before: list[SignedTransaction]
    payments: list[SignedTransaction]

    @property
    def rules(self) -> Rules:
        return Rules(self.chain.genesis.chain_id)


async def run(plan: Plan, say: Say, folder: Path) -> list[dict[str, Any]]:
    """Both measures."""
    say("the chain's rules")
    given = scenario(folder / "scenario", plan.chain_payments)

    async def applied() -> Round:
        return apply_round(given)

    rounds = (plan.chain_rounds, plan.repeats_max)
    found = [summary(APPLY, await repeat(applied, *rounds))]
    return [*found, summary(BLOCKS, await repeat(lambda: blocks_round(given), *rounds))]


def scenario(folder: Path, payments: int) -> Scenario:
    """``payments`` token transfers among people of a development chain, all signed."""
    chain = dev_chain(folder, PEOPLE)
    contract = symid.contract_address(TOKEN_OWNER, 0)
    owner = chain.keys["token_owner"]
    create = sct20.Create("Bench Point", "BENCH", GRANT * PEOPLE, TOKEN_OWNER)
    before = [_call(chain, TOKEN_OWNER, owner, 0, b"", create)]
    for nonce, person in enumerate(chain.accounts, 1):
        grant = sct20.Transfer(person.symid, GRANT)
        before.append(_call(chain, TOKEN_OWNER, owner, nonce, contract, grant))
    keys = [person.key for person in chain.accounts]
    made = []
    for number in range(payments):
        at, nonce = number % PEOPLE, number // PEOPLE
        to = chain.accounts[(at + 1 + nonce) % PEOPLE].symid
        payer = chain.accounts[at].symid
        made.append(_call(chain, payer, keys[at], nonce, contract, sct20.Transfer(to, 1 + number)))
    return Scenario(chain, before, made)


def _call(
    chain: DevChain, sender: bytes, key: PrivateKey, nonce: int, to: bytes, call: sct20.Call
) -> SignedTransaction:
    wanted = transaction(
        sender=sender,
        nonce=nonce,
        to=to,
        work_node=BLOCK_SIGNER,
        type_=TYPE_SCT,
        input_=sct20.encode(call),
        extra_data=os.urandom(16),
    )
    return sign(wanted, key, chain.genesis.chain_id)


def apply_round(given: Scenario) -> Round:
    """One look at ``apply_transaction``, the bare recovery right before it."""
    with _one_core() as meter:
        reference = _recoveries_per_s(given)
        value, refused = _applied_per_s(given)
        use = meter.use()
    return _round(value, reference, use, {"refused": refused} if refused else {})


async def blocks_round(given: Scenario) -> Round:
    """One look at whole blocks, the bare recovery right before it."""
    with _one_core() as meter, tempfile.TemporaryDirectory(prefix="jigap-bench-") as folder:
        reference = _recoveries_per_s(given)
        chain = open_chain(Path(folder), given.chain.genesis, given.chain.proposer_key)
        try:
            await _extend(chain, given.before, len(given.before))
            begun = time.perf_counter()
            await _extend(chain, given.payments, BLOCK_TRANSACTIONS)
            value = len(given.payments) / (time.perf_counter() - begun)
            failed = _failed(chain, given)
        finally:
            chain.close()
        use = meter.use()
    return _round(value, reference, use, {"failed": failed} if failed else {})


def _round(value: float, reference: float, use: Use, errors: dict[str, int]) -> Round:
    # Only one core is in use here, so the other may be anybody's as far as it is there.
    spare = max((os.cpu_count() or 1) - 1, 0) / (os.cpu_count() or 1)
    return Round(
        value, reference, max(use.foreign - spare, 0.0), errors, {"busy": round(use.busy, 3)}
    )


def _recoveries_per_s(given: Scenario) -> float:
    rules = given.rules
    signed = [
        (one.signature.to_bytes(), one.transaction.signing_digest(rules.chain_id))
        for one in given.payments
    ]
    recover = coincurve.PublicKey.from_signature_and_message
    begun = time.perf_counter()
    for signature, digest in signed:
        recover(signature, digest, hasher=None)
    return len(signed) / (time.perf_counter() - begun)


def _applied_per_s(given: Scenario) -> tuple[float, int]:
    """Transactions per second, and how many had no success."""
    rules, state = given.rules, State(Overlay(_funded(given)))
    refused, gas_used = 0, 0
    begun = time.perf_counter()
    for number, signed in enumerate(given.payments):
        if number % BLOCK_TRANSACTIONS == 0:
            gas_used = 0
        signer = transition.signer_of(signed, rules.chain_id)
        receipt = transition.apply_transaction(state, Candidate(signed, signer), rules, gas_used)
        gas_used = receipt.cumulative_gas_used
        refused += not receipt.status
    return len(given.payments) / (time.perf_counter() - begun), refused


def _funded(given: Scenario) -> MemoryReader:
    tip = first_block(given.chain.genesis).tip()
    candidates = (
        Candidate(one, transition.signer_of(one, given.rules.chain_id)) for one in given.before
    )
    execution = transition.prepare(tip, (), candidates, given.rules)
    assert not execution.refused and all(one.status for one in execution.receipts)
    assert isinstance(tip.state, MemoryReader)
    tip.state.apply(execution.changes)
    return tip.state


async def _extend(chain: SoloChain, waiting: list[SignedTransaction], size: int) -> None:
    """Submit and mine ``size`` at a time."""
    for start in range(0, len(waiting), size):
        for signed in waiting[start : start + size]:
            chain.submit(signed.raw)
        await chain.keep_accepted()
        await chain.extend(chain.tip.header.time_ms + 1_000)


def _failed(chain: SoloChain, given: Scenario) -> int:
    located = (chain.view.transaction(one.hash) for one in given.payments)
    return sum(one is None or not one.receipt.status for one in located)


@contextmanager
def _one_core() -> Iterator[Meter]:
    """Stay on one core, with every thread that is started meanwhile."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield Meter({"bench": os.getpid()})
    finally:
        os.sched_setaffinity(0, allowed)

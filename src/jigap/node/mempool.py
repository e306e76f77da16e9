"""Transactions that wait for a block.

Per sender they form a lane of consecutive nonces from the account's own on: these are *pending* and
may enter the next block. What lies behind a gap is *queued* until the gap is filled. The price of
gas is fixed, so nobody can outbid: of two transactions with one nonce the first stays, and the
other is told ``replacement transaction underpriced``. A transaction leaves when it is mined, when
it turns out that it can never be applied (its sender revoked, or unable to pay), or after a long
wait behind a gap.

Pure: no clock, no disk. Rules come from ``transition.check``; the caller brings the state.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from jigap.chain.block import Body
from jigap.chain.citizen import SignedCitizenTransaction
from jigap.chain.invalid import (
    InvalidTransaction,
    NonceTooHigh,
    NonceTooLow,
)
from jigap.chain.symid import SymId
from jigap.chain.transaction import SignedTransaction
from jigap.node import registration, transition
from jigap.node.state import State
from jigap.node.transition import Candidate, CitizenCandidate, Refused, Rules

POOL_MAX = 16_384
POOL_BYTES_MAX = 64 << 20
PER_SENDER_MAX = 2_048
#: How far ahead of the account's nonce a queued transaction may be.
GAP_MAX = 1_024
#: Blocks that a queued transaction waits for its gap to be filled.
QUEUED_BLOCKS_MAX = 10_800


class PoolFull(InvalidTransaction):
    """No room, for this sender or at all."""

    code = "pool_full"
    words = "txpool is full"


class KnownTransaction(InvalidTransaction):
    """These very bytes wait already."""

    code = "known_transaction"


class ReplacementUnderpriced(InvalidTransaction):
    """Another transaction of this nonce waits, and nobody can outbid it."""

    code = "replacement_underpriced"
    words = "replacement transaction underpriced"


@dataclass(slots=True)
class _Waiting:
    candidate: Candidate
    arrival: int
    height: int  # of the chain when it arrived


@dataclass(slots=True)
class _Lane:
    """What one sender has waiting, by nonce."""

    by_nonce: dict[int, _Waiting] = field(default_factory=dict)


class Mempool:
    """The pool of one chain."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._lanes: dict[SymId, _Lane] = {}
        self._by_hash: dict[bytes, Candidate] = {}
        self._citizens: dict[SymId, dict[int, CitizenCandidate]] = {}
        self._citizens_by_hash: dict[bytes, CitizenCandidate] = {}
        self._claims: dict[bytes, tuple[SymId, int]] = {}  # key hash -> who, by how many waiting
        self._arrivals = 0
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._by_hash) + len(self._citizens_by_hash)

    # -- transactions --

    def add(self, state: State, signed: SignedTransaction, height: int) -> Candidate:
        """Let a transaction wait; raises ``Invalid`` with the words a node answers."""
        if signed.hash in self._by_hash:
            raise KnownTransaction(f"known transaction: {signed.hash.hex()}")
        asked = signed.transaction
        transition.check_form(asked, self._rules)
        signer = transition.signer_of(signed, self._rules.chain_id)
        transition.check(state, signed, signer, self._rules)
        lane = self._lanes.get(asked.sender) or _Lane()
        if asked.nonce in lane.by_nonce:
            raise ReplacementUnderpriced(nonce=asked.nonce)
        expected = state.account(asked.sender).nonce
        if asked.nonce > expected + GAP_MAX and asked.nonce - 1 not in lane.by_nonce:
            raise NonceTooHigh(nonce=asked.nonce, expected=expected)
        self._check_room(len(lane.by_nonce), len(signed.raw))
        candidate = Candidate(signed, signer)
        self._lanes[asked.sender] = lane
        lane.by_nonce[asked.nonce] = _Waiting(candidate, self._arrivals, height)
        self._arrivals += 1
        self._by_hash[signed.hash] = candidate
        self._bytes += len(signed.raw)
        return candidate

    def _check_room(self, of_sender: int, size: int) -> None:
        if of_sender >= PER_SENDER_MAX:
            raise PoolFull("too many transactions of this sender wait", limit=PER_SENDER_MAX)
        if len(self) >= POOL_MAX or self._bytes + size > POOL_BYTES_MAX:
            raise PoolFull(waiting=len(self), limit=POOL_MAX)

    def get(self, hash_: bytes) -> SignedTransaction | None:
        """A waiting transaction."""
        candidate = self._by_hash.get(hash_)
        return None if candidate is None else candidate.signed

    def next_nonce(self, symid: SymId, account_nonce: int) -> int:
        """The first nonce after what is pending."""
        lane = self._lanes.get(symid)
        nonce = account_nonce
        while lane is not None and nonce in lane.by_nonce:
            nonce += 1
        return nonce

    def candidates(self, state: State) -> Iterator[Candidate]:
        """What is pending: first come, first served, each sender in nonce order."""
        heads = []
        for symid, lane in self._lanes.items():
            nonce = state.account(symid).nonce
            if nonce in lane.by_nonce:
                heads.append((lane.by_nonce[nonce].arrival, symid, nonce))
        heapify(heads)
        while heads:
            _, symid, nonce = heappop(heads)
            by_nonce = self._lanes[symid].by_nonce
            yield by_nonce[nonce].candidate
            if nonce + 1 in by_nonce:
                heappush(heads, (by_nonce[nonce + 1].arrival, symid, nonce + 1))

    def has_candidates(self, state: State) -> bool:
        """Whether the next block would not be empty, as far as the pool can tell."""
        if any(True for _ in self.citizen_candidates(state)):
            return True
        return any(
            state.account(symid).nonce in lane.by_nonce for symid, lane in self._lanes.items()
        )

    def content(self, state: State) -> tuple[list[SignedTransaction], list[SignedTransaction]]:
        """Everything that waits: pending and queued, by sender and nonce."""
        pending: list[SignedTransaction] = []
        queued: list[SignedTransaction] = []
        for symid, lane in sorted(self._lanes.items()):
            executable = self.next_nonce(symid, state.account(symid).nonce)
            for nonce, waiting in sorted(lane.by_nonce.items()):
                (pending if nonce < executable else queued).append(waiting.candidate.signed)
        return pending, queued

    def counts(self, state: State) -> tuple[int, int]:
        """How many are pending and how many queued."""
        pending = 0
        for symid in self._lanes:
            nonce = state.account(symid).nonce
            pending += self.next_nonce(symid, nonce) - nonce
        return pending, len(self._by_hash) - pending

    # -- citizens --

    def add_citizen(self, state: State, signed: SignedCitizenTransaction) -> CitizenCandidate:
        """Let a citizen transaction wait; raises ``Invalid`` with the words a node answers."""
        if signed.hash in self._citizens_by_hash:
            raise KnownTransaction(f"known transaction: {signed.hash.hex()}")
        asked = signed.transaction
        signer = registration.signer_of(signed, self._rules.chain_id)
        registration.check_citizen(state, asked, signer)
        expected = state.citizen_nonce(asked.sender)
        if asked.nonce < expected:
            raise NonceTooLow(nonce=asked.nonce, expected=expected)
        if asked.nonce > expected + GAP_MAX:
            raise NonceTooHigh(nonce=asked.nonce, expected=expected)
        claimed_by, claims = self._claims.get(asked.key_hash, (asked.symid, 0))
        if claimed_by != asked.symid:
            raise registration.KeyHashTaken(key_hash=asked.key_hash.hex())
        lane = self._citizens.get(asked.sender) or {}
        if asked.nonce in lane:
            raise ReplacementUnderpriced(nonce=asked.nonce)
        self._check_room(len(lane), len(signed.raw))
        candidate = CitizenCandidate(signed, signer)
        self._citizens.setdefault(asked.sender, lane)[asked.nonce] = candidate
        self._citizens_by_hash[signed.hash] = candidate
        self._claims[asked.key_hash] = (asked.symid, claims + 1)
        self._bytes += len(signed.raw)
        return candidate

    def get_citizen(self, hash_: bytes) -> SignedCitizenTransaction | None:
        """A waiting citizen transaction."""
        candidate = self._citizens_by_hash.get(hash_)
        return None if candidate is None else candidate.signed

    def next_citizen_nonce(self, ca: SymId, state_nonce: int) -> int:
        """The first nonce of a CA after what is pending."""
        lane = self._citizens.get(ca, {})
        nonce = state_nonce
        while nonce in lane:
            nonce += 1
        return nonce

    def citizen_candidates(self, state: State) -> Iterator[CitizenCandidate]:
        """What is pending, by CA and nonce."""
        for ca, lane in sorted(self._citizens.items()):
            nonce = state.citizen_nonce(ca)
            while nonce in lane:
                yield lane[nonce]
                nonce += 1

    def pending_citizens(self) -> list[SignedCitizenTransaction]:
        """Everything that waits, by CA and nonce."""
        return [
            candidate.signed
            for _, lane in sorted(self._citizens.items())
            for _, candidate in sorted(lane.items())
        ]

    # -- after a block --

    def advance(
        self, state: State, height: int, body: Body, refused: Iterable[Refused] = ()
    ) -> list[bytes]:
        """Bring the pool up to date with a new block; the hashes it no longer holds.

        ``refused`` is what ``prepare`` could not apply: it goes, unless it only came too early.
        """
        gone = {signed.hash for signed in body.transactions}
        gone.update(signed.hash for signed in body.citizens)
        gone.update(one.hash for one in refused if not isinstance(one.reason, NonceTooHigh))
        for signed in body.transactions:
            gone.update(self._used(state, signed.transaction.sender))
        gone.update(self._stale_citizens(state))
        gone.update(self._expired(state, height))
        return [hash_ for hash_ in gone if self._drop(hash_)]

    def _used(self, state: State, sender: SymId) -> Iterator[bytes]:
        lane = self._lanes.get(sender)
        if lane is None:
            return
        expected = state.account(sender).nonce
        for nonce, waiting in lane.by_nonce.items():
            if nonce < expected:
                yield waiting.candidate.signed.hash

    def _stale_citizens(self, state: State) -> Iterator[bytes]:
        for ca, lane in self._citizens.items():
            expected = state.citizen_nonce(ca)
            for nonce, candidate in lane.items():
                if nonce < expected:
                    yield candidate.signed.hash

    def _expired(self, state: State, height: int) -> Iterator[bytes]:
        if height % 64:  # looking at everything now and then is enough
            return
        for symid, lane in self._lanes.items():
            if state.account(symid).nonce in lane.by_nonce:
                continue
            for waiting in lane.by_nonce.values():
                if height - waiting.height > QUEUED_BLOCKS_MAX:
                    yield waiting.candidate.signed.hash

    def _drop(self, hash_: bytes) -> bool:
        candidate = self._by_hash.pop(hash_, None)
        if candidate is None:
            return self._drop_citizen(hash_)
        asked = candidate.signed.transaction
        lane = self._lanes[asked.sender]
        del lane.by_nonce[asked.nonce]
        if not lane.by_nonce:
            del self._lanes[asked.sender]
        self._bytes -= len(candidate.signed.raw)
        return True

    def _drop_citizen(self, hash_: bytes) -> bool:
        candidate = self._citizens_by_hash.pop(hash_, None)
        if candidate is None:
            return False
        asked = candidate.signed.transaction
        lane = self._citizens[asked.sender]
        del lane[asked.nonce]
        if not lane:
            del self._citizens[asked.sender]
        claimed_by, claims = self._claims.pop(asked.key_hash)
        if claims > 1:
            self._claims[asked.key_hash] = (claimed_by, claims - 1)
        self._bytes -= len(candidate.signed.raw)
        return True

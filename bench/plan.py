"""How much of everything a run does."""

from collections.abc import Callable
from dataclasses import dataclass

#: Tells the person who waits, in one short line.
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes. ``quick`` runs through everything once and measures nothing worth keeping."""

    quick: bool
    rounds: int
    repeats_max: int
    scrypt_s: float
    #: The paper's cases: loops of each client, clients of each cell, seconds of a cell at most
    #: for the paper's stack, rounds.
    loops: int
    wallet_clients: tuple[int, ...]
    balance_clients: tuple[int, ...]
    paper_stack_s: float
    case_rounds: int
    #: The rest.
    chain_rounds: int
    chain_payments: int
    wallets_each_round: int
    payers: int
    payments_s: float
    delay_per_second: float
    delay_s: float
    lookup_pairs: int

    @property
    def members(self) -> int:
        """As many as make wallets in the measures that are not the paper's."""
        return self.wallets_each_round * (self.rounds + self.repeats_max)


FULL = Plan(
    quick=False,
    rounds=3,
    repeats_max=2,
    scrypt_s=1.0,
    loops=100,
    wallet_clients=(10, 20, 50),
    balance_clients=(50, 100, 200, 300),
    paper_stack_s=8.0,
    case_rounds=3,
    chain_rounds=5,
    chain_payments=6_000,
    wallets_each_round=400,
    payers=96,
    payments_s=8,
    delay_per_second=20,
    delay_s=20,
    lookup_pairs=400,
)
QUICK = Plan(
    quick=True,
    rounds=1,
    repeats_max=0,
    scrypt_s=0.1,
    loops=2,
    wallet_clients=(2, 4),
    balance_clients=(5, 10),
    paper_stack_s=1.0,
    case_rounds=1,
    chain_rounds=1,
    chain_payments=400,
    wallets_each_round=8,
    payers=6,
    payments_s=1.5,
    delay_per_second=5,
    delay_s=1,
    lookup_pairs=10,
)

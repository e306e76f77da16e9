"""Recounts all money, and stops a token whose books do not agree.

Three things are compared: what the chain did (the index), what we said about it (payments, gas
refills, token operations, movements without us), and what the node answers about balances at the
same height. ``check_block`` does the cheap part inside the transaction of every block; ``audit``
does all of it, for `jigap audit money`.

* Tokens are conserved: the holdings of a token add up to its total, and each is what its movements
  left there.
* Every mined transaction of ours is explained by exactly one record that says the same of it, and
  every record of ours that claims to be mined is in a block.
* What members' money did without us is written down as such.
* The sponsor's spending is the gas refills that we recorded.
* Contracts, holdings and accounts are what the node says.

A difference stops new payments of its token. One in SYM stops all, because every payment needs gas.
"""

from jigap.auditor.checks import Report, audit, check_block, recount, stop
from jigap.auditor.comparison import Comparison, compare_with_node
from jigap.auditor.judge import SYM, Difference, Mined, Moved, Prepared, judge

__all__ = [
    "SYM",
    "Comparison",
    "Difference",
    "Mined",
    "Moved",
    "Prepared",
    "Report",
    "audit",
    "check_block",
    "compare_with_node",
    "judge",
    "recount",
    "stop",
]

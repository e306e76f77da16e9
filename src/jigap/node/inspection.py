"""Finding damage in a chain file before it is used.

LMDB maps the file into memory and trusts it: a page of garbage can end the process that reads it.
So a child process reads everything first, and whatever becomes of the child, the parent can say in
one line that the store is damaged. The state is added up again, from nothing, and must give the
state root of the last header; the last headers must follow each other.
"""

import os
import subprocess
import sys
from pathlib import Path

import lmdb

from jigap.chain.invalid import Invalid
from jigap.node.lthash import LtHash
from jigap.node.state import element
from jigap.node.store import Store
from jigap.node.view import StoreDamaged, View

#: Larger states are not added up at each start (about 6 s for a million entries).
ENTRIES_MAX = 200_000
#: Larger stores are not read whole at each start (about a second for as many entries).
READ_ENTRIES_MAX = 1_000_000
HEADERS_MAX = 256
TRANSACTIONS_MAX = 20_000
TIMEOUT_S = 120

_CHILD = "import sys; from jigap.node import inspection; sys.exit(inspection.main(sys.argv[1]))"
_EMPTY = 3
_DAMAGED = 4


def check_store(folder: Path, *, may_be_empty: bool = False) -> None:
    """Raises ``StoreDamaged`` unless the file in ``folder`` is a sound chain."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _CHILD, str(folder)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return  # slow is not damaged
    if done.returncode == 0 or (may_be_empty and done.returncode == _EMPTY):
        return
    if done.returncode == _DAMAGED:
        raise StoreDamaged(done.stdout.decode(errors="replace").strip())
    raise StoreDamaged(f"the chain store in {folder} is damaged: it cannot be read")


def inspect(view: View, entries_max: int = ENTRIES_MAX) -> None:
    """Read a chain whole; raises ``StoreDamaged`` where it contradicts itself."""
    tip = view.tip()
    _inspect_headers(view, tip.header.number)
    if tip.sum.root() != tip.header.state_root:
        raise StoreDamaged("the state sum is not that of the last block")
    if view.entry_count() <= entries_max and recount(view).root() != tip.header.state_root:
        raise StoreDamaged("the state is not that of the last block")


def recount(view: View) -> LtHash:
    """The state sum from a full scan, without trusting the one that was kept."""
    return LtHash().changed((), (element(key, value) for key, value in view.entries()))


def _inspect_headers(view: View, tip: int) -> None:
    """The last headers follow each other, and the last blocks are those of their headers."""
    expected = None
    transactions = 0
    for number in range(tip, max(-1, tip - HEADERS_MAX), -1):
        stored = view.header(number)
        if stored is None or stored.signed.header.number != number:
            raise StoreDamaged(f"block {number} is missing")
        header, hash_ = stored.signed.header, stored.signed.hash
        if hash_ != header.hash or expected not in (None, hash_):
            raise StoreDamaged(f"block {number} is not the parent of the one after it")
        if transactions + stored.transaction_count <= TRANSACTIONS_MAX:
            transactions += stored.transaction_count
            _inspect_body(view, number)
        expected = header.parent_hash


def _inspect_body(view: View, number: int) -> None:
    block = view.block(number)
    assert block is not None, "its header was there"
    block.check_roots()


def main(folder: str) -> int:
    """The child: its exit status, after printing what it found."""
    try:
        store = Store(Path(folder))
        with store.view() as view:
            if view.meta(b"format") is None and view.entry_count() == 0:
                return _EMPTY
            inspect(view)
        store.rehearse(READ_ENTRIES_MAX)
    except (StoreDamaged, Invalid, lmdb.Error, ValueError, IndexError) as error:
        sys.stdout.write(f"the chain store in {folder} is damaged: {error}\n")
        return _DAMAGED
    return 0

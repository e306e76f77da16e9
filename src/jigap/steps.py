"""Named durable steps, and the place where a test may kill us between two of them.

Everything that must survive a crash is written in steps, and each step has a name in ``STEPS``. In
production ``step`` does nothing. A crash test sets ``JIGAP_CRASH_AT`` to ``name:before``,
``name:after`` or ``name:before#3`` (the third time), and the process leaves there by ``_exit``, as
if the power had gone: no cleanup, no flush.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

#: Every durable step there is: name, what is on disk once it is done.
STEPS: dict[str, str] = {
    "block.guard": "the block signer's guard file holds the new block",
    "block.commit": "the block, its state and its receipts are in the node's store",
    "mempool.keep": "an accepted transaction will outlive the node",
    "wallet.file": "the first copy of a new key is a synced file",
    "wallet.row": "the second copy and the wallet are in the database",
    "wallet.citizen_recorded": "it is recorded that the CA is going to be asked",
    "wallet.citizen_requested": "the CA has been asked for a SymID",
    "passphrase.file": "the key under the new passphrase is a synced file",
    "passphrase.row": "the database names the new version",
    "passphrase.old_file": "the file under the old passphrase is gone",
    "transfer.record": "the payment, its cancel, its hold and its nonce are recorded",
    "transfer.broadcast": "the node has been given the payment",
    "refill.record": "the gas refill is signed and recorded",
    "refill.broadcast": "the node has been given the gas refill",
    "token.record": "the token operation is signed and recorded",
    "index.block": "the index, the outcomes and the events of a block are recorded",
}

_POINT, _, _NTH = os.environ.get("JIGAP_CRASH_AT", "").partition("#")
_seen: dict[str, int] = {}


@contextmanager
def step(name: str) -> Iterator[None]:
    """Mark the code inside as the durable step ``name``."""
    assert name in STEPS, f"durable step {name!r} is not listed in steps.STEPS"
    if not _POINT:
        yield
        return
    _crash_if(f"{name}:before")
    yield
    _crash_if(f"{name}:after")


def _crash_if(point: str) -> None:
    if point != _POINT:
        return
    _seen[point] = _seen.get(point, 0) + 1
    if _seen[point] == int(_NTH or 1):
        os._exit(86)

"""Who did what: an append-only trail, chained by hash.

``trail`` is what everybody writes: one row for each state change of a person, a key or a token,
in the transaction that makes the change. Each row holds the hash of the row before it and of
itself, so that a row changed, removed or put in between afterwards breaks every hash that follows.
``seals`` is what the dispatcher alone writes: signatures over the newest hash, because whoever can
change a row can change the hashes after it, too.
"""

from jigap.audit.seals import (
    Broken,
    Head,
    HeadMalformed,
    Report,
    Sealer,
    TrailBroken,
    audit_seals,
    inspect,
    newest_head,
    read_head,
    unsealed_rows,
)
from jigap.audit.trail import (
    ACTIONS,
    Entry,
    append,
    asked_from,
    audit_trail,
    nth_newest_ms,
    page,
)

__all__ = [
    "ACTIONS",
    "Broken",
    "Entry",
    "Head",
    "HeadMalformed",
    "Report",
    "Sealer",
    "TrailBroken",
    "append",
    "asked_from",
    "audit_seals",
    "audit_trail",
    "inspect",
    "newest_head",
    "nth_newest_ms",
    "page",
    "read_head",
    "unsealed_rows",
]

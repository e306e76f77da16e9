"""Who did what: an append-only trail, chained by hash.

``trail`` is what everybody writes: one row for each state change of a person, a key or a token,
in the transaction that makes the change. Each row holds the hash of the row before it and of
itself, so that a row changed, removed or put in between afterwards breaks every hash that follows.
"""

from jigap.audit.trail import (
    ACTIONS,
    Entry,
    append,
    asked_from,
    audit_trail,
    broken_link,
    page,
)

__all__ = [
    "ACTIONS",
    "Entry",
    "append",
    "asked_from",
    "audit_trail",
    "broken_link",
    "page",
]

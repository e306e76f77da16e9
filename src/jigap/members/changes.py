"""How often members may change what they set for themselves.

Each change leaves a row in the audit trail, which is never shortened, so a day has an end to them.
Only what puts something in place counts: a favourite added, limits set or a raise asked for, an
application. What takes it back (and freezing) is always possible, and cannot happen more often.
"""

from sqlalchemy import Connection

from jigap import audit
from jigap.clock import DAY_MS
from jigap.refusal import Kind, Refusal

COUNTED = ("favourite:add", "limits:ask_raise", "limits:change", "seller:apply")


class ChangesLimit(Refusal):
    """The member has changed too much in 24 hours."""

    code = "changes_limit"
    kind = Kind.TOO_MANY
    retryable = True
    hint = (
        "Wait as long as Retry-After says. Removing a favourite, taking back a raise or an"
        " application, and freezing the account are always possible."
    )


def check_changes(connection: Connection, member_id: str, most: int, now_ms: int) -> None:
    """Refuse the change after ``most`` within 24 hours. Raises ``ChangesLimit``.

    Call with the member's row locked, in the transaction that appends to the trail.
    """
    earlier_ms = audit.nth_newest_ms(connection, actor=member_id, actions=COUNTED, nth=most)
    if earlier_ms is None or earlier_ms <= now_ms - DAY_MS:
        return
    left_ms = earlier_ms + DAY_MS - now_ms
    raise ChangesLimit(
        "There were too many changes today.", retry_after_s=-(-left_ms // 1000), limit=most
    )

"""The audit trail, page by page, for operators."""

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter
from msgspec import Meta, Struct

from jigap import audit
from jigap.web.caller import (
    PAGE_DEFAULT,
    AnyRequest,
    operator_only,
    page_size,
    platform,
    signed_in,
)
from jigap.web.describe import says
from jigap.web.parameters import Cursor, Limit
from jigap.web.problems import CursorMalformed
from jigap.web.shapes import NO_CONTROL, Page, Time, time_of

Actor = Annotated[
    str | None,
    QueryParameter(
        max_length=80, pattern=NO_CONTROL, description="An id beginning with mb_, or `console`."
    ),
]
Action = Annotated[
    str | None,
    QueryParameter(
        max_length=80,
        pattern=NO_CONTROL,
        description="An action, such as `member:freeze`, or a subject: `member`.",
    ),
]


class AuditShown(Struct, frozen=True):
    """One line of the audit trail. It holds ids, nothing personal."""

    id: int
    created_at: Time
    actor: Annotated[
        str, Meta(description="A member's id, `console`, or an agency that was asked.")
    ]
    action: Annotated[str, Meta(description="`subject:action`.", examples=["member:freeze"])]
    object: Annotated[str, Meta(description="The id of what it was done to.")]
    address: Annotated[str, Meta(description="Where the request came from; empty if nowhere.")]
    outcome: str
    detail: str
    hash: Annotated[str, Meta(description="Of this row and all before it, hex with 0x.")]


@get(
    "/operator/audit",
    guards=[signed_in, operator_only],
    opt=says("Audit trail", CursorMalformed, tag="operator"),
)
async def trail_page(
    request: AnyRequest,
    cursor: Cursor = None,
    actor: Actor = None,
    action: Action = None,
    limit: Limit = PAGE_DEFAULT,
) -> Page[AuditShown]:
    """Who did what, newest first."""
    size = page_size(request, limit)
    found = await platform(request).database.read(
        audit.page, _number(cursor), size + 1, actor=actor, action=action
    )
    next_ = str(found[size - 1].id) if len(found) > size else None
    return Page([_shown(one) for one in found[:size]], next_)


def _number(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise CursorMalformed("This is not the cursor of a page of the trail.")
    return int(cursor)


def _shown(entry: audit.Entry) -> AuditShown:
    return AuditShown(
        id=entry.id,
        created_at=time_of(entry.created_ms),
        actor=entry.actor,
        action=entry.action,
        object=entry.object,
        address=entry.address,
        outcome=entry.outcome,
        detail=entry.detail,
        hash="0x" + entry.hash.hex(),
    )


ROUTES = trail_page

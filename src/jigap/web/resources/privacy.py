"""A member's own data, and the end of an account."""

from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
from litestar import Response, Router, get, post
from litestar.params import JSONBody
from litestar.response import Stream

from jigap import members, privacy
from jigap.web.caller import AnyRequest, asker, caller, platform, signed_in
from jigap.web.describe import says
from jigap.web.own_shapes import CloseAsked, ClosedShown, ExportShown
from jigap.web.resources.money import transfers_shown
from jigap.web.shapes import time_of

_HEADERS = {
    "Content-Disposition": 'attachment; filename="jigap-export.json"',
    "Cache-Control": "no-store",
}


@get(
    "/export",
    guards=[signed_in],
    opt=says("All my data", privacy.ExportLimit, tag="people"),
)
async def export(request: AnyRequest) -> Response[ExportShown]:
    """Everything that is held about me, in the clear, as one JSON document.

    The answer is sent as it is read, so it may be long. That it was asked for is written into the
    audit trail and told to me as an event.
    """
    about = await platform(request).holdings.begin(caller(request).id)
    head = {
        "format": privacy.FORMAT,
        "made_at": time_of(platform(request).clock.now_ms()),
        "about": about,
        "withheld": privacy.WITHHELD,
    }
    document = Stream(_document(request, head), media_type="application/json", headers=_HEADERS)
    return cast("Response[ExportShown]", document)


@post(
    "/close",
    guards=[signed_in],
    status_code=200,
    opt=says(
        "Close my account",
        members.PasswordWrong,
        members.OtpRequired,
        members.OtpWrong,
        members.SignInWait,
        members.SignInLocked,
        members.PasswordsBusy,
        members.MemberFrozen,
        privacy.PaymentsUnfinished,
        privacy.BalanceLeft,
        tag="people",
    ),
)
async def close(request: AnyRequest, data: JSONBody[CloseAsked]) -> ClosedShown:
    """Leave: every session ends, nobody finds me, and my number is free for a new account.

    What the law wants kept is kept sealed until `erased_after`, then it is erased. This cannot be
    undone.
    """
    closed = await platform(request).closing.close(
        asker(request), data.password, data.otp, leave_balance=data.leave_balance
    )
    return ClosedShown(time_of(closed.closed_ms), time_of(closed.erased_after_ms))


async def _document(request: AnyRequest, head: dict[str, Any]) -> AsyncIterator[bytes]:
    """The document in pieces: its head, the payments, then table after table."""
    holdings, member_id = platform(request).holdings, caller(request).id
    yield msgspec.json.encode(head)[:-1] + b',"payments":['
    async for piece in _listed(_payments(request, member_id)):
        yield piece
    yield b'],"records":{'
    for number, section in enumerate(holdings.sections()):
        yield (b"," if number else b"") + msgspec.json.encode(section) + b":["
        async for piece in _listed(holdings.rows(member_id, section)):
            yield piece
        yield b"]"
    yield b"}}"


async def _payments(request: AnyRequest, member_id: str) -> AsyncIterator[list[Any]]:
    """Payments as the API shows them everywhere, the newest first."""
    cursor: str | None = None
    while True:
        found, cursor = await platform(request).payments.page(
            member_id, cursor, platform(request).settings.page_max
        )
        yield list(await transfers_shown(request, found))
        if cursor is None:
            return


async def _listed(pages: AsyncIterator[list[Any]]) -> AsyncIterator[bytes]:
    """The inside of one JSON list, a page at a time."""
    begun = False
    async for page in pages:
        if page:
            yield (b"," if begun else b"") + msgspec.json.encode(page)[1:-1]
            begun = True


ROUTES = Router("/me", route_handlers=[export, close])

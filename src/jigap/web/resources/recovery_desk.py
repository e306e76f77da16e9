"""Recoveries of payment passphrases, as operators decide about them."""

import re

from litestar import Router, get, post
from litestar.params import JSONBody

from jigap import keys, members
from jigap.keys.handover import Answer
from jigap.recovery import (
    Recovery,
    RecoveryNotThere,
    RecoveryOwn,
    RecoverySameOperator,
    RecoveryUnknown,
    RecoveryWaits,
)
from jigap.web import recovery_shapes as shapes
from jigap.web.caller import (
    PAGE_DEFAULT,
    AnyRequest,
    caller,
    operator_only,
    page_size,
    platform,
    signed_in,
)
from jigap.web.describe import says
from jigap.web.parameters import Cursor, Limit, RecoveryId
from jigap.web.problems import CursorMalformed
from jigap.web.recovery_shapes import RecoveryDecided, RecoveryRequest
from jigap.web.shapes import Page, time_of, time_or_none

_ID = re.compile(r"rv_[0-9a-z]{26}", re.ASCII)
_ALWAYS = (RecoveryUnknown, RecoveryOwn, RecoveryNotThere)


@get("/", opt=says("Recoveries", CursorMalformed, tag="operator"))
async def recovery_page(
    request: AnyRequest, cursor: Cursor = None, limit: Limit = PAGE_DEFAULT
) -> Page[RecoveryDecided]:
    """Recoveries of payment passphrases, newest first."""
    if cursor is not None and _ID.fullmatch(cursor) is None:
        raise CursorMalformed("This is not the cursor of a page of recoveries.")
    size = page_size(request, limit)
    found = await platform(request).recovery_desk.page(cursor, size + 1)
    next_ = found[size - 1].id if len(found) > size else None
    return Page([_shown(one) for one in found[:size]], next_)


@get("/{id:str}", opt=says("One recovery", RecoveryUnknown, tag="operator"))
async def one_recovery(request: AnyRequest, id: RecoveryId) -> RecoveryDecided:
    """The recovery of a payment passphrase, and where it stands."""
    return _shown(await platform(request).recovery_desk.get(id))


@post(
    "/{id:str}/approve",
    status_code=200,
    opt=says(
        "Approve a recovery",
        *_ALWAYS,
        RecoveryWaits,
        RecoverySameOperator,
        members.MemberUnverified,
        members.MemberFrozen,
        tag="operator",
    ),
)
async def approve_recovery(request: AnyRequest, id: RecoveryId) -> RecoveryDecided:
    """After the waiting time; then another operator once more. Nobody approves their own."""
    return _shown(await platform(request).recovery_desk.approve(caller(request).id, id))


@post(
    "/{id:str}/refuse",
    status_code=200,
    opt=says("Refuse a recovery", *_ALWAYS, tag="operator"),
)
async def refuse_recovery(
    request: AnyRequest, id: RecoveryId, data: JSONBody[shapes.RecoveryRefused]
) -> RecoveryDecided:
    """At any moment before a new passphrase was chosen."""
    desk = platform(request).recovery_desk
    return _shown(await desk.refuse(caller(request).id, id, data.reason))


@post(
    "/{id:str}/request",
    status_code=200,
    opt=says("The file for the recovery key", *_ALWAYS, keys.RecoverySlotMissing, tag="operator"),
)
async def recovery_request(request: AnyRequest, id: RecoveryId) -> RecoveryRequest:
    """After the second approval: what `jigap keys recover` reads, beside the offline key."""
    made = await platform(request).recovery_desk.request(caller(request).id, id)
    return RecoveryRequest(
        format=made.format,
        request_id=made.request_id,
        wallet_id=made.wallet_id,
        public_key_hash=made.public_key_hash,
        version=made.version,
        recipient=made.recipient,
        ephemeral=made.ephemeral,
        sealed=made.sealed,
        transport_key=made.transport_key,
    )


@post(
    "/{id:str}/answer",
    status_code=200,
    opt=says(
        "Bring the answer of the recovery key",
        *_ALWAYS,
        keys.RecoveryAnswerInvalid,
        members.MemberUnverified,
        members.MemberFrozen,
        tag="operator",
    ),
)
async def recovery_answer(
    request: AnyRequest, id: RecoveryId, data: JSONBody[shapes.RecoveryAnswer]
) -> RecoveryDecided:
    """The file that `jigap keys recover` wrote; then the member chooses a passphrase."""
    answer = Answer(data.format, data.request_id, data.wallet_id, data.ephemeral, data.sealed)
    return _shown(await platform(request).recovery_desk.answer(caller(request).id, id, answer))


def _shown(found: Recovery) -> RecoveryDecided:
    return RecoveryDecided(
        id=found.id,
        member=found.member_id,
        wallet_id=found.wallet_id,
        state=found.state.value,
        operators=list(found.operators),
        reason=found.reason,
        created_at=time_of(found.created_ms),
        ready_at=time_or_none(found.ready_ms),
        expires_at=time_of(found.expires_ms),
        finished_at=time_or_none(found.finished_ms),
    )


ROUTES = Router(
    "/operator/recoveries",
    guards=[signed_in, operator_only],
    route_handlers=[
        recovery_page,
        one_recovery,
        approve_recovery,
        refuse_recovery,
        recovery_request,
        recovery_answer,
    ],
)

"""Real-name checks: a member's own, and the log of all of them for operators."""

import re
from typing import Annotated

from litestar import Router, get, post
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET

from jigap import members, realname
from jigap.web.caller import (
    PAGE_DEFAULT,
    AnyRequest,
    address,
    caller,
    operator_only,
    page_size,
    platform,
    signed_in,
)
from jigap.web.describe import says
from jigap.web.parameters import CheckId, Cursor, Limit
from jigap.web.problems import CursorMalformed
from jigap.web.realname_shapes import (
    RealNameAsked,
    RealNameCode,
    RealNameLogged,
    RealNameShown,
    RealNameState,
)
from jigap.web.shapes import (
    NO_CONTROL,
    Page,
    time_of,
    time_or_none,
)

Member = Annotated[
    str | None,
    QueryParameter(
        max_length=64, pattern=NO_CONTROL, description="Only this member's: member id, or mb_ id."
    ),
]
Outcome = Annotated[RealNameState | None, QueryParameter(description="Only checks in this state.")]
_ID = re.compile(r"rn_[0-9a-z]{26}", re.ASCII)


@post(
    "/realname",
    guards=[signed_in],
    opt=says(
        "Have my real name verified",
        members.NameMalformed,
        members.PhoneMalformed,
        members.PersonDiffers,
        members.MemberFrozen,
        realname.BirthMalformed,
        realname.PhoneUnsupported,
        realname.RealNameLimit,
        realname.RealNameUnavailable,
        tag="people",
    ),
)
async def request_check(request: AnyRequest, data: JSONBody[RealNameAsked]) -> RealNameShown:
    """The agency sends a code to the phone. A new check takes the place of the one before.

    While a check is `requested`, the same request goes on with it and costs nothing.
    """
    check = await platform(request).realname.request(
        caller(request),
        data.name,
        data.phone,
        data.birth,
        data.sex,
        carrier=data.carrier,
        address=address(request),
    )
    return check_shown(check)


@post(
    "/realname/{id:str}/confirm",
    guards=[signed_in],
    status_code=200,
    opt=says(
        "Type the code",
        members.MemberFrozen,
        members.PhoneTaken,
        members.PersonDiffers,
        realname.RealNameUnknown,
        realname.CodeWrong,
        realname.CodeBurnt,
        realname.CodesPending,
        realname.RealNameExpired,
        realname.RealNameRefused,
        realname.RealNameConfirmed,
        realname.RealNameUnavailable,
        realname.AgencySilent,
        tag="people",
    ),
)
async def confirm_check(
    request: AnyRequest, id: CheckId, data: JSONBody[RealNameCode]
) -> RealNameShown:
    """If the code is right, the member is verified and can make a wallet."""
    return check_shown(
        await platform(request).realname.confirm(
            caller(request), id, data.code, address=address(request)
        )
    )


@get(
    "/realname/{id:str}",
    guards=[signed_in],
    opt=says("One check of mine", realname.RealNameUnknown, tag="people"),
)
async def check(request: AnyRequest, id: CheckId) -> RealNameShown:
    """A real-name check and where it stands."""
    return check_shown(await platform(request).realname.get(caller(request), id))


@get(
    "/operator/realname-checks",
    guards=[signed_in, operator_only],
    opt=says("Log of real-name checks", CursorMalformed, members.MemberUnknown, tag="operator"),
)
async def check_page(
    request: AnyRequest,
    cursor: Cursor = None,
    member: Member = None,
    outcome: Outcome = None,
    limit: Limit = PAGE_DEFAULT,
) -> Page[RealNameLogged]:
    """Checks, newest first, names and phone numbers masked."""
    if cursor is not None and _ID.fullmatch(cursor) is None:
        raise CursorMalformed("This is not the cursor of a page of checks.")
    here, size = platform(request), page_size(request, limit)
    found = await here.realname.page(
        cursor,
        size + 1,
        member_id=(await here.members.find(member)).member.id if member is not None else None,
        state=realname.State(outcome) if outcome is not None else None,
    )
    next_ = found[size - 1].id if len(found) > size else None
    return Page([_logged(one) for one in found[:size]], next_)


def check_shown(found: realname.Check) -> RealNameShown:
    return RealNameShown(
        id=found.id,
        state=found.state.value,
        masked_name=found.masked_name,
        masked_phone=found.masked_phone,
        minor=found.minor,
        created_at=time_of(found.created_ms),
        expires_at=time_of(found.expires_ms),
        finished_at=time_or_none(found.finished_ms),
        reason=found.reason or UNSET,
    )


def _logged(found: realname.Check) -> RealNameLogged:
    return RealNameLogged(
        id=found.id,
        member=found.member_id,
        purpose=found.purpose.value,
        times=found.times,
        state=found.state.value,
        provider=found.provider,
        masked_name=found.masked_name,
        masked_phone=found.masked_phone,
        minor=found.minor,
        address=found.address,
        tries=found.tries,
        reason=found.reason,
        created_at=time_of(found.created_ms),
        sent_at=time_or_none(found.sent_ms),
        finished_at=time_or_none(found.finished_ms),
    )


ROUTES = Router("/", route_handlers=[request_check, confirm_check, check, check_page])

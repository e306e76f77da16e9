"""Becoming a seller: members apply under a shop's name, operators decide."""

from typing import Annotated, Literal

from litestar import Router, delete, get, post
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta, Struct

from jigap import members
from jigap.members import sellers, shop
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
from jigap.web.parameters import ApplicationId, Cursor, Limit
from jigap.web.problems import CursorMalformed
from jigap.web.shapes import NO_CONTROL, Asked, Page, Time, time_of, time_or_none

SellerState = Literal["applied", "accepted", "rejected", "withdrawn", "ended"]


class SellerAsked(Asked, frozen=True):
    """The name everybody shall see."""

    shop_name: Annotated[
        str,
        Meta(
            max_length=200,
            description="2 to 30 letters, digits, single spaces and some punctuation.",
            examples=["민지네 과일가게"],
        ),
    ]


class Because(Asked, frozen=True):
    """Why; the member reads it."""

    reason: Annotated[str, Meta(max_length=200, pattern=NO_CONTROL)]


class ApplicationShown(Struct, frozen=True):
    """An application and where it stands; `reason` is why it was rejected or ended."""

    id: str
    state: SellerState
    shop_name: str
    reason: str
    created_at: Time
    decided_at: Time | None


class SellerShown(Struct, frozen=True):
    """Whether I am a seller, under which name, and my newest application."""

    seller: bool
    shop_name: str | None
    application: ApplicationShown | None


class ApplicationListed(Struct, frozen=True):
    """An application as operators see it, and who asks."""

    id: str
    state: SellerState
    shop_name: str
    reason: str
    member: Annotated[str, Meta(description="The member's id, beginning with mb_.")]
    member_id: str
    masked_name: str | None
    created_at: Time
    decided_at: Time | None


@get("/me/seller", guards=[signed_in], opt=says("Am I a seller?", tag="people"))
async def seller(request: AnyRequest) -> SellerShown:
    """My shop's name, and where my newest application stands."""
    return await _seller(request)


@post(
    "/me/seller",
    guards=[signed_in],
    opt=says(
        "Apply to become a seller",
        members.MemberUnverified,
        members.MemberFrozen,
        shop.ShopNameMalformed,
        shop.ShopNameReserved,
        sellers.ShopNameTaken,
        sellers.SellerPending,
        sellers.SellerAlready,
        members.ChangesLimit,
        tag="people",
    ),
)
async def apply(request: AnyRequest, data: JSONBody[SellerAsked]) -> SellerShown:
    """Ask to sell under a name. A seller asks for another name in the same way."""
    await platform(request).sellers.apply(caller(request).id, data.shop_name)
    return await _seller(request)


@delete(
    "/me/seller",
    guards=[signed_in],
    status_code=200,
    opt=says("Withdraw my application", sellers.ApplicationUnknown, tag="people"),
)
async def withdraw_application(request: AnyRequest) -> SellerShown:
    """Take back the application that is not decided yet."""
    await platform(request).sellers.withdraw(caller(request).id)
    return await _seller(request)


@get(
    "/sellers",
    opt=says("Applications of sellers", CursorMalformed, tag="operator"),
)
async def applications(
    request: AnyRequest,
    in_state: Annotated[
        SellerState | None, QueryParameter(name="state", description="Only those in this state.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_DEFAULT,
) -> Page[ApplicationListed]:
    """Newest first, in one `state` or in all."""
    if cursor is not None and not cursor.startswith("sa_"):
        raise CursorMalformed("This is not the cursor of a page of applications.")
    size = page_size(request, limit)
    wanted = None if in_state is None else sellers.State(in_state)
    found = await platform(request).sellers.page(wanted, cursor, size + 1)
    next_ = found[size - 1].id if len(found) > size else None
    return Page(await _listed(request, found[:size]), next_)


@post(
    "/sellers/{id:str}/accept",
    status_code=200,
    opt=says(
        "Accept a seller",
        sellers.ApplicationUnknown,
        sellers.ApplicationDecided,
        sellers.OwnApplication,
        sellers.ShopNameTaken,
        members.MemberUnverified,
        members.MemberClosed,
        tag="operator",
    ),
)
async def accept(request: AnyRequest, id: ApplicationId) -> ApplicationListed:
    """Give the applicant the role `seller` and the name that they asked for."""
    found = await platform(request).sellers.accept(caller(request).id, id)
    return (await _listed(request, [found]))[0]


_NO = (
    sellers.ApplicationUnknown,
    sellers.ApplicationDecided,
    sellers.OwnApplication,
    sellers.SellerReasonMissing,
)


@post(
    "/sellers/{id:str}/reject",
    status_code=200,
    opt=says("Reject a seller", *_NO, tag="operator"),
)
async def reject(
    request: AnyRequest, id: ApplicationId, data: JSONBody[Because]
) -> ApplicationListed:
    """Say no, and why. The member may apply again."""
    found = await platform(request).sellers.reject(caller(request).id, id, data.reason)
    return (await _listed(request, [found]))[0]


@post(
    "/sellers/{id:str}/end",
    status_code=200,
    opt=says("End a seller", *_NO, tag="operator"),
)
async def end(request: AnyRequest, id: ApplicationId, data: JSONBody[Because]) -> ApplicationListed:
    """Take role and name of a seller away, and say why. The name is free again."""
    found = await platform(request).sellers.end(caller(request).id, id, data.reason)
    return (await _listed(request, [found]))[0]


async def _seller(request: AnyRequest) -> SellerShown:
    here, me = platform(request), caller(request)
    profile, found = await here.members.profile(me.id), await here.sellers.of(me.id)
    application = None
    if found is not None:
        application = ApplicationShown(
            found.id,
            found.state.value,
            found.shop_name,
            found.reason,
            time_of(found.created_ms),
            time_or_none(found.decided_ms),
        )
    return SellerShown(members.Role.SELLER in profile.member.roles, profile.shop_name, application)


async def _listed(request: AnyRequest, found: list[sellers.Application]) -> list[ApplicationListed]:
    profiles = await platform(request).members.profiles({one.member_id for one in found})
    return [
        ApplicationListed(
            id=one.id,
            state=one.state.value,
            shop_name=one.shop_name,
            reason=one.reason,
            member=one.member_id,
            member_id=profiles[one.member_id].member.login,
            masked_name=profiles[one.member_id].masked_name,
            created_at=time_of(one.created_ms),
            decided_at=time_or_none(one.decided_ms),
        )
        for one in found
    ]


ROUTES = Router(
    "/",
    route_handlers=[
        seller,
        apply,
        withdraw_application,
        Router(
            "/operator",
            guards=[signed_in, operator_only],
            route_handlers=[applications, accept, reject, end],
        ),
    ],
)

"""Whom a member pays again and again, and how the directory shows the member to others."""

from litestar import Router, delete, get, post, put
from litestar.params import JSONBody

from jigap import members
from jigap.web.caller import AnyRequest, caller, platform, signed_in
from jigap.web.describe import says
from jigap.web.own_shapes import FavouriteAsked, FavouriteShown, RecentShown, Visibility
from jigap.web.parameters import FavouriteId
from jigap.web.shapes import time_of


@get("/favourites", guards=[signed_in], opt=says("My favourites", tag="people"))
async def favourites(request: AnyRequest) -> list[FavouriteShown]:
    """People I keep to pay again, the oldest first, each with a fresh `recipient_id`.

    This is no search and does not count as one. Who has left is not shown.
    """
    found = await platform(request).favourites.every(caller(request).id)
    return [_favourite_shown(one) for one in found]


@post(
    "/favourites",
    guards=[signed_in],
    opt=says(
        "Keep a favourite",
        members.MemberUnverified,
        members.MemberFrozen,
        members.LabelMalformed,
        members.RecipientUnknown,
        members.RecipientExpired,
        members.FavouriteIsSelf,
        members.FavouritesFull,
        members.ChangesLimit,
        tag="people",
    ),
)
async def add_favourite(request: AnyRequest, data: JSONBody[FavouriteAsked]) -> FavouriteShown:
    """Keep somebody a search has found, under a label of my own.

    Keeping the same person again changes the label and nothing else.
    """
    added = await platform(request).favourites.add(caller(request), data.recipient_id, data.label)
    return _favourite_shown(added)


@delete(
    "/favourites/{id:str}",
    guards=[signed_in],
    opt=says("Drop a favourite", members.FavouriteUnknown, tag="people"),
)
async def drop_favourite(request: AnyRequest, id: FavouriteId) -> None:
    """Keep somebody no longer."""
    await platform(request).favourites.remove(caller(request).id, id)


@get("/recents", guards=[signed_in], opt=says("Whom I paid lately", tag="people"))
async def recents(request: AnyRequest) -> list[RecentShown]:
    """Up to 20 people among my newest 200 payments, the latest first, each once.

    Each has a fresh `recipient_id`; this is no search and does not count as one. Who has left is
    not shown.
    """
    me = caller(request).id
    paid = await platform(request).payments.payees(me)
    found = await platform(request).directory.offer(me, paid)
    return [
        RecentShown(
            one.recipient_id, one.masked_name, one.masked_phone, one.shop_name, time_of(paid_ms)
        )
        for payee, paid_ms in paid.items()
        if (one := found.get(payee)) is not None
    ]


@get("/directory", guards=[signed_in], opt=says("How I am found", tag="people"))
async def visibility(request: AnyRequest) -> Visibility:
    """How others may search me."""
    return Visibility(await platform(request).directory.is_found_by_name(caller(request).id))


@put("/directory", guards=[signed_in], opt=says("Change how I am found", tag="people"))
async def set_visibility(request: AnyRequest, data: JSONBody[Visibility]) -> Visibility:
    """Let others find me by name, or not. To them it is as if nobody had my name.

    My phone number and my member id still find me: whoever knows them knows me.
    """
    me = caller(request).id
    await platform(request).directory.let_find_by_name(me, data.found_by_name)
    return data


def _favourite_shown(one: members.Favourite) -> FavouriteShown:
    return FavouriteShown(
        recipient_id=one.found.recipient_id,
        masked_name=one.found.masked_name,
        masked_phone=one.found.masked_phone,
        shop_name=one.found.shop_name,
        id=one.id,
        label=one.label,
        created_at=time_of(one.created_ms),
    )


ROUTES = Router(
    "/me",
    route_handlers=[favourites, add_favourite, drop_favourite, recents, visibility, set_visibility],
)

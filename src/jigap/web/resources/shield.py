"""The shield, for operators: what it does now, what is listed, who is banned, what a number says.

Every change is made in the shield's own file and written into the platform's audit trail, in that
trail's transaction: neither is there without the other, but for a crash in between.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal

from litestar import Router, delete, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta, Struct
from sqlalchemy import Connection

from jigap import audit, shield
from jigap.shield import EntryKind, Rule
from jigap.web.caller import AnyRequest, caller, operator_only, platform, signed_in
from jigap.web.describe import says
from jigap.web.scope import source_in
from jigap.web.shapes import NO_CONTROL, Asked, Time, time_of, time_or_none

YEAR_S = 366 * 24 * 3600
ACTIONS = {
    EntryKind.ALLOW: "shield:allow",
    EntryKind.DENY: "shield:deny",
    EntryKind.SHARED: "shield:share",
}

CidrText = Annotated[
    str,
    Meta(
        max_length=64,
        pattern=NO_CONTROL,
        description="A range such as 203.0.113.0/24, or one address.",
        examples=["203.0.113.0/24"],
    ),
]
ReasonText = Annotated[
    str, Meta(max_length=200, description="For other operators; name no member.", examples=["spam"])
]
Lasting = (
    Annotated[int, Meta(ge=1, le=YEAR_S, description="For so many seconds; else see the route.")]
    | None
)
Cidr = Annotated[
    str,
    QueryParameter(max_length=64, pattern=NO_CONTROL, description="The range, as it is listed."),
]
ReferenceText = Annotated[
    str,
    PathParameter(
        max_length=64, pattern=NO_CONTROL, description="The number on the page of a refusal."
    ),
]
RuleName = Annotated[str, Meta(description="Which rule.", examples=[one.value for one in Rule])]


class EntryAsked(Asked, frozen=True):
    """A range to be listed."""

    cidr: CidrText
    kind: Literal["allow", "deny", "shared"]
    reason: ReasonText
    lasts_s: Lasting = None


class BanAsked(Asked, frozen=True):
    """A range to be banned."""

    cidr: CidrText
    reason: ReasonText
    lasts_s: Lasting = None


class EntryShown(Struct, frozen=True):
    """What an operator has listed."""

    cidr: str
    kind: Literal["allow", "deny", "shared"]
    reason: str
    author: Annotated[str, Meta(description="A member's id, or `console`.")]
    created_at: Time
    expires_at: Time | None


class BanShown(Struct, frozen=True):
    """Who is banned."""

    cidr: str
    reason: str
    author: Annotated[str, Meta(description="`auto`, a member's id, or `console`.")]
    since: Time
    until: Time
    step: Annotated[int, Meta(description="How often of late; each step is six times longer.")]


class Refusals(Struct, frozen=True):
    """How many were refused."""

    what: Annotated[str, Meta(description="A rule, an address, or a network.")]
    count: int


class ShieldShown(Struct, frozen=True):
    """The shield of the web process that answers; another process has its own counts."""

    on: bool
    damage: Annotated[str, Meta(description="What is wrong with its files; empty if nothing is.")]
    refused: Annotated[list[Refusals], Meta(description="By rule, since the process started.")]
    addresses: Annotated[list[Refusals], Meta(description="Most refused in the last 5 minutes.")]
    networks: Annotated[list[Refusals], Meta(description="The same by /24, and /64 of IPv6.")]
    bans: list[BanShown]
    entries: list[EntryShown]
    countries: Annotated[str, Meta(description="Where the data about countries is from.")]
    countries_age_days: int | None
    countries_old: Annotated[bool, Meta(description="Older than 60 days, or of unknown age.")]


class ReferenceShown(Struct, frozen=True):
    """What the reference number of a refusal says."""

    at: Time
    rule: RuleName
    route: Annotated[str, Meta(description="read, write, money, sign_in; empty if not known.")]
    network: Annotated[str, Meta(description="The address; of IPv6 the /64.")]
    country: Annotated[str, Meta(description="Where that is registered; empty if unknown.")]
    now: Annotated[str, Meta(description="The rule that keeps it out now; empty if none does.")]


class WouldShutYouOut(shield.EntryInvalid):
    """The range has the address that you come from."""

    code = "shield_would_shut_you_out"
    hint = "Come from another network, or use `jigap shield` on the server."


@get("", opt=says("The shield now", tag="operator"))
async def live(request: AnyRequest) -> ShieldShown:
    """Counts, bans and entries as this web process sees them."""
    here = platform(request).shield
    seen = here.live()
    return ShieldShown(
        on=here.on,
        damage=seen.damage,
        refused=[Refusals(rule.value, count) for rule, count in sorted(seen.refused.items())],
        addresses=[Refusals(*one) for one in seen.addresses],
        networks=[Refusals(*one) for one in seen.networks],
        bans=[_ban_shown(one) for one in seen.bans],
        entries=[_entry_shown(one) for one in seen.entries],
        countries=seen.source,
        countries_age_days=seen.ranges_age_days,
        countries_old=seen.ranges_old,
    )


@get("/entries", opt=says("Ranges that are listed", tag="operator"))
async def entries(request: AnyRequest) -> list[EntryShown]:
    """What operators have listed and has not expired, the oldest first."""
    return [_entry_shown(one) for one in platform(request).shield.live().entries]


@post(
    "/entries",
    opt=says(
        "List a range",
        shield.AddressMalformed,
        shield.EntryInvalid,
        WouldShutYouOut,
        shield.ShieldDamaged,
        tag="operator",
    ),
)
async def put_entry(request: AnyRequest, data: JSONBody[EntryAsked]) -> EntryShown:
    """`allow` skips bans and the country, `deny` turns away, `shared` is many people behind few
    addresses: limited, never banned. The longest prefix counts. Until removed, or for `lasts_s`.
    """
    store, kind, now_ms = platform(request).shield.store, EntryKind(data.kind), _now_ms(request)
    author, expires_ms = caller(request).id, _end_ms(now_ms, data.lasts_s)
    if kind is EntryKind.DENY:
        _must_not_be_here(request, data.cidr)

    def put() -> shield.ListEntry:
        return store.put_entry(data.cidr, kind, data.reason, author, now_ms, expires_ms)

    return _entry_shown(await _changed(request, ACTIONS[kind], data.cidr, put))


@delete(
    "/entries",
    opt=says(
        "Remove a range from the list",
        shield.AddressMalformed,
        shield.EntryUnknown,
        shield.ShieldDamaged,
        tag="operator",
    ),
)
async def remove_entry(request: AnyRequest, cidr: Cidr) -> None:
    """Every entry of exactly this range, of whatever kind."""
    store = platform(request).shield.store
    await _changed(request, "shield:remove", cidr, lambda: store.remove_entry(cidr))


@get("/bans", opt=says("Who is banned", tag="operator"))
async def bans(request: AnyRequest) -> list[BanShown]:
    """Bans that have not ended, the oldest first."""
    return [_ban_shown(one) for one in platform(request).shield.live().bans]


@post(
    "/bans",
    opt=says(
        "Ban a range",
        shield.AddressMalformed,
        shield.EntryInvalid,
        WouldShutYouOut,
        shield.ShieldDamaged,
        tag="operator",
    ),
)
async def ban(request: AnyRequest, data: JSONBody[BanAsked]) -> BanShown:
    """For `lasts_s`, or else ten minutes, and six times longer each further time."""
    store, now_ms = platform(request).shield.store, _now_ms(request)
    author, until_ms = caller(request).id, _end_ms(now_ms, data.lasts_s)
    _must_not_be_here(request, data.cidr)

    def put() -> shield.Ban:
        return store.ban(data.cidr, data.reason, author, now_ms, until_ms)

    return _ban_shown(await _changed(request, "shield:ban", data.cidr, put))


@delete(
    "/bans",
    opt=says(
        "Lift a ban",
        shield.AddressMalformed,
        shield.EntryUnknown,
        shield.ShieldDamaged,
        tag="operator",
    ),
)
async def unban(request: AnyRequest, cidr: Cidr) -> None:
    """The ban of exactly this range; its history is forgotten."""
    store = platform(request).shield.store
    await _changed(request, "shield:unban", cidr, lambda: store.unban(cidr))


@get(
    "/references/{reference:str}",
    opt=says("What a reference number says", shield.ReferenceUnknown, tag="operator"),
)
async def reference(request: AnyRequest, reference: ReferenceText) -> ReferenceShown:
    """When somebody was refused, from where, by which rule; and whether they would be now."""
    here = platform(request).shield
    found = here.open_reference(reference)

    def note(connection: Connection) -> None:
        _append(connection, request, "shield:lookup", str(found.network))

    await platform(request).database.write(note)
    now = here.refuses(here.source(str(found.network.network_address)))
    return ReferenceShown(
        at=time_of(found.at_s * 1000),
        rule=found.rule.value,
        route=found.route_class,
        network=str(found.network),
        country=here.country_of(found.network.network_address),
        now=now.value if now else "",
    )


async def _changed(request: AnyRequest, action: str, cidr: str, change: Callable[[], Any]) -> Any:
    """Make a change and note it in the trail; every process knows of it within a second."""
    network = str(shield.parse_network(cidr))

    def work(connection: Connection) -> Any:
        _append(connection, request, action, network)
        return change()

    done = await platform(request).database.write(work)
    await asyncio.to_thread(platform(request).shield.look)
    return done


def _append(connection: Connection, request: AnyRequest, action: str, network: str) -> None:
    audit.append(
        connection,
        now_ms=_now_ms(request),
        actor=caller(request).id,
        action=action,
        object_=network,
    )


def _must_not_be_here(request: AnyRequest, cidr: str) -> None:
    source = source_in(request.scope)
    if source is not None and source.address in shield.parse_network(cidr):
        raise WouldShutYouOut("That is where you are.")


def _now_ms(request: AnyRequest) -> int:
    return platform(request).clock.now_ms()


def _end_ms(now_ms: int, lasts_s: int | None) -> int | None:
    return None if lasts_s is None else now_ms + lasts_s * 1000


def _entry_shown(entry: shield.ListEntry) -> EntryShown:
    return EntryShown(
        cidr=str(entry.network),
        kind=entry.kind.value,
        reason=entry.reason,
        author=entry.author,
        created_at=time_of(entry.created_ms),
        expires_at=time_or_none(entry.expires_ms),
    )


def _ban_shown(ban: shield.Ban) -> BanShown:
    return BanShown(
        cidr=str(ban.network),
        reason=ban.reason,
        author=ban.author,
        since=time_of(ban.since_ms),
        until=time_of(ban.until_ms),
        step=ban.step,
    )


ROUTES = Router(
    "/operator/shield",
    guards=[signed_in, operator_only],
    route_handlers=[
        live,
        entries,
        put_entry,
        remove_entry,
        bans,
        ban,
        unban,
        reference,
    ],
)

"""What operators do: members and tokens. Everything here is written into the audit trail."""

import time
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, cast

from litestar import Response, Router, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from msgspec import UNSET

from jigap import members, tokens
from jigap.lanes import FINAL
from jigap.money import AmountMalformed, format_amount
from jigap.node import NodeMalformed, NodeTimeout, NodeUnreachable, RpcError
from jigap.refusal import Refusal
from jigap.tokens.refusals import (
    AccountUnknown,
    OperationUnknown,
    SymbolTaken,
    TokenFormat,
    TokenNotReady,
    TokenUnknown,
)
from jigap.web import shapes
from jigap.web.caller import (
    PAGE_DEFAULT,
    AnyRequest,
    caller,
    operator_only,
    page_size,
    platform,
    signed_in,
    wait_s,
    waited,
)
from jigap.web.describe import says
from jigap.web.parameters import Account, Cursor, Limit, MemberRef, OperationId, Symbol
from jigap.web.problems import CursorMalformed
from jigap.web.resources.money import token_shown
from jigap.web.resources.people import member_shown
from jigap.web.shapes import MemberShown, OperationShown, Page, TokenShown

POLL_S = 0.1

#: The one read that asks the node itself may find it away.
NODE_TROUBLE: tuple[type[Refusal], ...] = (NodeUnreachable, NodeTimeout, NodeMalformed, RpcError)
_ON_TOKEN: tuple[type[Refusal], ...] = (TokenUnknown, TokenNotReady)
_ON_ACCOUNT = (*_ON_TOKEN, AccountUnknown, AmountMalformed)

P = ParamSpec("P")
Wished = Response[OperationShown]


def _operation_route(
    path: str, title: str, *refusals: type[Refusal]
) -> Callable[..., HTTPRouteHandler]:
    """The route of an operation on a token: it takes a key, and may wait for the end."""
    said = says(title, *refusals, keyed=True, waits=True, tag="operator")
    return post(f"/tokens/{{symbol:str}}/{path}", opt=said)


@get("/members", opt=says("Members", CursorMalformed, tag="operator"))
async def member_page(
    request: AnyRequest, cursor: Cursor = None, limit: Limit = PAGE_DEFAULT
) -> Page[MemberShown]:
    """All members, newest first, names and phone numbers masked."""
    size = page_size(request, limit)
    found = await platform(request).members.page(_number(cursor), size + 1)
    next_ = str(found[size - 1].member.number) if len(found) > size else None
    return Page([member_shown(one, to_operator=True) for one in found[:size]], next_)


@get("/members/{id:str}", opt=says("One member", members.MemberUnknown, tag="operator"))
async def member(request: AnyRequest, id: MemberRef) -> MemberShown:
    """A member by member id or id, name and phone number masked."""
    return await _member(request, id)


@post(
    "/members/{id:str}/verify",
    status_code=200,
    opt=says(
        "Verify a member",
        members.MemberUnknown,
        members.DetailsMissing,
        members.PhoneTaken,
        members.NameMalformed,
        members.PhoneMalformed,
        tag="operator",
    ),
)
async def verify(
    request: AnyRequest,
    id: MemberRef,
    data: JSONBody[shapes.Verification | None] = None,
) -> MemberShown:
    """Say that name and phone number were checked. Verifying twice changes nothing."""
    given = data or shapes.Verification()
    await platform(request).members.verify(caller(request).id, id, given.name, given.phone)
    return await _member(request, id)


@post(
    "/members/{id:str}/freeze",
    status_code=200,
    opt=says("Freeze a member", members.MemberUnknown, members.FreezeReasonMissing, tag="operator"),
)
async def freeze(
    request: AnyRequest,
    id: MemberRef,
    data: JSONBody[shapes.Freeze],
) -> MemberShown:
    """Stop everything of a member that has not been broadcast, until an operator lifts it.

    It takes the place of a freeze by the member.
    """
    found = await platform(request).freezing.freeze(caller(request).id, id, data.reason)
    return await _member(request, found)


@post(
    "/members/{id:str}/unfreeze",
    status_code=200,
    opt=says("Unfreeze a member", members.MemberUnknown, tag="operator"),
)
async def unfreeze(request: AnyRequest, id: MemberRef) -> MemberShown:
    """Let a frozen member act again, whoever froze them."""
    return await _member(request, await platform(request).freezing.unfreeze(caller(request).id, id))


@delete(
    "/members/{id:str}/sessions",
    opt=says("End all sessions of a member", members.MemberUnknown, tag="operator"),
)
async def end_sessions(request: AnyRequest, id: MemberRef) -> None:
    """Whoever is signed in as this member, anywhere, has to sign in again."""
    here = platform(request)
    found = await here.members.find(id)
    await here.sessions.end_all_of(found.member.id, caller(request).id)


@post(
    "/tokens",
    opt=says(
        "Create a token",
        TokenFormat,
        SymbolTaken,
        AmountMalformed,
        keyed=True,
        waits=True,
        tag="operator",
    ),
)
async def create(request: AnyRequest, data: JSONBody[shapes.TokenAsked]) -> Wished:
    """Create an SCT-20 token; its whole supply goes to the token owner's account."""
    return await _wished(
        request, platform(request).tokens.create, data.name, data.symbol, data.amount
    )


@_operation_route("mint", "Mint", *_ON_ACCOUNT)
async def mint(request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.Mint]) -> Wished:
    """Issue more, to an account."""
    return await _wished(request, platform(request).tokens.mint, symbol, data.amount, data.to)


@_operation_route("burn", "Burn", *_ON_ACCOUNT)
async def burn(request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.Burn]) -> Wished:
    """Destroy tokens of an account."""
    return await _wished(request, platform(request).tokens.burn, symbol, data.amount, data.source)


@_operation_route("transfer", "Transfer from the owner", *_ON_ACCOUNT)
async def transfer_tokens(
    request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.TokenTransfer]
) -> Wished:
    """Move tokens from the token owner's account, as a grant does."""
    return await _wished(request, platform(request).tokens.transfer, symbol, data.amount, data.to)


@_operation_route("pause", "Pause a token", *_ON_TOKEN)
async def pause(request: AnyRequest, symbol: Symbol) -> Wished:
    """Pause the contract: no payment of it is possible until it is unpaused."""
    return await _wished(request, platform(request).tokens.pause, symbol)


@_operation_route("unpause", "Unpause a token", *_ON_TOKEN)
async def unpause(request: AnyRequest, symbol: Symbol) -> Wished:
    """Make a paused contract active again."""
    return await _wished(request, platform(request).tokens.unpause, symbol)


@_operation_route("owner", "Transfer ownership", *_ON_TOKEN, AccountUnknown)
async def owner(request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.OwnerChange]) -> Wished:
    """Make another account the contract's owner."""
    return await _wished(request, platform(request).tokens.transfer_owner, symbol, data.to)


@_operation_route("approve", "Approve a spender", *_ON_ACCOUNT)
async def approve(request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.Allowance]) -> Wished:
    """Allow a spender to move tokens of the token owner's account."""
    return await _wished(
        request, platform(request).tokens.approve, symbol, data.amount, data.spender
    )


@_operation_route("decrease_approve", "Decrease an allowance", *_ON_ACCOUNT)
async def decrease_approve(
    request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.Allowance]
) -> Wished:
    """Take back part of what a spender is allowed."""
    return await _wished(
        request, platform(request).tokens.decrease_approve, symbol, data.amount, data.spender
    )


@_operation_route("transfer_from", "Transfer on behalf", *_ON_ACCOUNT)
async def transfer_from(
    request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.TransferFrom]
) -> Wished:
    """Move tokens that `from` has allowed the treasury to move."""
    return await _wished(
        request, platform(request).tokens.transfer_from, symbol, data.amount, data.source, data.to
    )


@get(
    "/tokens/{symbol:str}/allowance",
    opt=says("Read an allowance", *_ON_TOKEN, AccountUnknown, *NODE_TROUBLE, tag="operator"),
)
async def allowance(
    request: AnyRequest, symbol: Symbol, owner: Account, spender: Account
) -> shapes.AllowanceShown:
    """What `spender` may still move of `owner`'s tokens."""
    registry = platform(request).tokens
    token, _ = await registry.find(symbol)
    units = await registry.allowance(symbol, owner, spender)
    return shapes.AllowanceShown(token.symbol, owner, spender, format_amount(units, token.decimals))


@post(
    "/tokens/{symbol:str}/resume",
    status_code=200,
    opt=says("Resume payments of a token", TokenUnknown, tag="operator"),
)
async def resume(request: AnyRequest, symbol: Symbol) -> TokenShown:
    """Allow payments again that the auditor had stopped."""
    registry = platform(request).tokens
    await registry.resume(caller(request).id, symbol)
    return token_shown(*await registry.find(symbol))


@get(
    "/operations/{id:str}",
    opt=says("One operation on a token", OperationUnknown, waits=True, tag="operator"),
)
async def operation(
    request: AnyRequest,
    id: OperationId,
) -> Wished:
    """An operation and what became of it."""
    return await _answer(request, await platform(request).tokens.operation(id))


async def _member(request: AnyRequest, name_or_id: str) -> MemberShown:
    return member_shown(await platform(request).members.find(name_or_id), to_operator=True)


async def _wished(
    request: AnyRequest,
    wish: Callable[Concatenate[str, str, P], Awaitable[tokens.Operation]],
    *given: P.args,
    **named: P.kwargs,
) -> Wished:
    """Wish for an operation as the operator who asks, under the key of the request."""
    key = tokens.require_key(request.headers.get("idempotency-key"))
    return await _answer(request, await wish(caller(request).id, key, *given, **named))


async def _answer(request: AnyRequest, found: tokens.Operation) -> Wished:
    seconds = wait_s(request)
    if seconds:
        found = await _final(request, found, seconds)
    wish = found.wish
    shown = OperationShown(
        id=found.id,
        kind=wish.kind.value,
        token=wish.symbol,
        amount=format_amount(wish.amount) if wish.amount else None,
        state=cast(shapes.OutgoingState, found.state),
        transaction_hash=shapes.hex_or_none(found.transaction_hash),
        block_number=found.block_number,
        created_at=shapes.time_of(found.created_ms),
        final_at=shapes.time_or_none(found.final_ms),
        reason=found.reason or UNSET,
    )
    location = {"Location": f"/api/v1/operator/operations/{found.id}"}
    return Response(shown, headers=location | waited(seconds))


async def _final(request: AnyRequest, found: tokens.Operation, seconds: int) -> tokens.Operation:
    """The operation once a block has ended it, or as it stands after ``seconds``."""
    here = platform(request)
    end = time.monotonic() + seconds
    while found.state not in FINAL and (left_s := end - time.monotonic()) > 0:
        await here.news.wait(min(left_s, POLL_S))
        found = await here.tokens.operation(found.id)
    return found


def _number(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise CursorMalformed("This is not the cursor of a page of members.")
    return int(cursor)


ROUTES = Router(
    "/operator",
    guards=[signed_in, operator_only],
    route_handlers=[
        member_page,
        member,
        verify,
        freeze,
        unfreeze,
        end_sessions,
        create,
        mint,
        burn,
        transfer_tokens,
        pause,
        unpause,
        owner,
        approve,
        decrease_approve,
        transfer_from,
        allowance,
        resume,
        operation,
    ],
)

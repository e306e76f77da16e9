"""What operators do: members and tokens. Everything here is written into the audit trail."""

import time
from typing import cast

from litestar import Response, Router, delete, get, post
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
async def create(
    request: AnyRequest, data: JSONBody[shapes.TokenAsked]
) -> Response[OperationShown]:
    """Create an SCT-20 token; its whole supply goes to the token owner's account."""
    operation = await platform(request).tokens.create(
        *_asks(request), data.name, data.symbol, data.amount
    )
    return await _answer(request, operation)


@post(
    "/tokens/{symbol:str}/mint",
    opt=says("Mint", *_ON_ACCOUNT, keyed=True, waits=True, tag="operator"),
)
async def mint(
    request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.Mint]
) -> Response[OperationShown]:
    """Issue more, to an account."""
    operation = await platform(request).tokens.mint(*_asks(request), symbol, data.amount, data.to)
    return await _answer(request, operation)


@post(
    "/tokens/{symbol:str}/burn",
    opt=says("Burn", *_ON_ACCOUNT, keyed=True, waits=True, tag="operator"),
)
async def burn(
    request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.Burn]
) -> Response[OperationShown]:
    """Destroy tokens of an account."""
    operation = await platform(request).tokens.burn(
        *_asks(request), symbol, data.amount, data.source
    )
    return await _answer(request, operation)


@post(
    "/tokens/{symbol:str}/transfer",
    opt=says("Transfer from the owner", *_ON_ACCOUNT, keyed=True, waits=True, tag="operator"),
)
async def transfer_tokens(
    request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.TokenTransfer]
) -> Response[OperationShown]:
    """Move tokens from the token owner's account, as a grant does."""
    operation = await platform(request).tokens.transfer(
        *_asks(request), symbol, data.amount, data.to
    )
    return await _answer(request, operation)


@post(
    "/tokens/{symbol:str}/pause",
    opt=says("Pause a token", *_ON_TOKEN, keyed=True, waits=True, tag="operator"),
)
async def pause(request: AnyRequest, symbol: Symbol) -> Response[OperationShown]:
    """Pause the contract: no payment of it is possible until it is unpaused."""
    return await _answer(request, await platform(request).tokens.pause(*_asks(request), symbol))


@post(
    "/tokens/{symbol:str}/unpause",
    opt=says("Unpause a token", *_ON_TOKEN, keyed=True, waits=True, tag="operator"),
)
async def unpause(request: AnyRequest, symbol: Symbol) -> Response[OperationShown]:
    """Make a paused contract active again."""
    return await _answer(request, await platform(request).tokens.unpause(*_asks(request), symbol))


@post(
    "/tokens/{symbol:str}/owner",
    opt=says(
        "Transfer ownership",
        *_ON_TOKEN,
        AccountUnknown,
        keyed=True,
        waits=True,
        tag="operator",
    ),
)
async def owner(
    request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.OwnerChange]
) -> Response[OperationShown]:
    """Make another account the contract's owner."""
    operation = await platform(request).tokens.transfer_owner(*_asks(request), symbol, data.to)
    return await _answer(request, operation)


@post(
    "/tokens/{symbol:str}/approve",
    opt=says("Approve a spender", *_ON_ACCOUNT, keyed=True, waits=True, tag="operator"),
)
async def approve(
    request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.Allowance]
) -> Response[OperationShown]:
    """Allow a spender to move tokens of the token owner's account."""
    operation = await platform(request).tokens.approve(
        *_asks(request), symbol, data.amount, data.spender
    )
    return await _answer(request, operation)


@post(
    "/tokens/{symbol:str}/decrease_approve",
    opt=says("Decrease an allowance", *_ON_ACCOUNT, keyed=True, waits=True, tag="operator"),
)
async def decrease_approve(
    request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.Allowance]
) -> Response[OperationShown]:
    """Take back part of what a spender is allowed."""
    operation = await platform(request).tokens.decrease_approve(
        *_asks(request), symbol, data.amount, data.spender
    )
    return await _answer(request, operation)


@post(
    "/tokens/{symbol:str}/transfer_from",
    opt=says("Transfer on behalf", *_ON_ACCOUNT, keyed=True, waits=True, tag="operator"),
)
async def transfer_from(
    request: AnyRequest, symbol: Symbol, data: JSONBody[shapes.TransferFrom]
) -> Response[OperationShown]:
    """Move tokens that `from` has allowed the treasury to move."""
    operation = await platform(request).tokens.transfer_from(
        *_asks(request), symbol, data.amount, data.source, data.to
    )
    return await _answer(request, operation)


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
) -> Response[OperationShown]:
    """An operation and what became of it."""
    return await _answer(request, await platform(request).tokens.operation(id))


async def _member(request: AnyRequest, name_or_id: str) -> MemberShown:
    return member_shown(await platform(request).members.find(name_or_id), to_operator=True)


def _asks(request: AnyRequest) -> tuple[str, str]:
    """Which operator asks, under which key."""
    return caller(request).id, tokens.require_key(request.headers.get("idempotency-key"))


async def _answer(request: AnyRequest, found: tokens.Operation) -> Response[OperationShown]:
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

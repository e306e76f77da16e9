"""Balances, payments and the tokens they are made in."""

from typing import cast

from litestar import Response, Router, delete, get, post
from litestar.params import JSONBody
from msgspec import UNSET

from jigap import index, members, tokens, transfers
from jigap.money import AmountMalformed, format_amount
from jigap.refusal import Refusal
from jigap.tokens.refusals import TokenNotReady, TokenPaused, TokenStopped, TokenUnknown
from jigap.transfers import refusals as payment_refusals
from jigap.web.caller import (
    PAGE_DEFAULT,
    AnyRequest,
    caller,
    page_size,
    platform,
    signed_in,
    wait_s,
    waited,
)
from jigap.web.describe import says
from jigap.web.parameters import Cursor, Limit, Symbol, TransferId
from jigap.web.problems import CursorMalformed
from jigap.web.resources.people import PASSPHRASE_REFUSALS
from jigap.web.shapes import (
    BalanceShown,
    Counterpart,
    Page,
    TokenShown,
    TokenState,
    TransferAsked,
    TransferConfirmed,
    TransferShown,
    TransferState,
    hex_or_none,
    time_of,
    time_or_none,
)

#: Every way in which a payment may be refused, in the order in which it is looked for.
PAYMENT_REFUSALS: tuple[type[Refusal], ...] = (
    payment_refusals.CatchingUp,
    members.MemberFrozen,
    payment_refusals.WalletNotReady,
    members.RecipientUnknown,
    members.RecipientExpired,
    payment_refusals.RecipientIsSelf,
    payment_refusals.RecipientNotReady,
    TokenUnknown,
    TokenNotReady,
    TokenPaused,
    TokenStopped,
    AmountMalformed,
    payment_refusals.AmountZero,
    payment_refusals.MemoTooLong,
    payment_refusals.PaymentLimit,
    payment_refusals.DailyLimit,
    payment_refusals.LaneFull,
    payment_refusals.BalanceInsufficient,
    payment_refusals.NewPayeeWarning,
    payment_refusals.LargeAmountWarning,
    *PASSPHRASE_REFUSALS,
)


async def transfers_shown(
    request: AnyRequest, found: list[transfers.Transfer]
) -> list[TransferShown]:
    """Payments as the member who asks sees them."""
    me = caller(request).id
    other = {one.id: one.recipient if one.member_id == me else one.member_id for one in found}
    profiles = await platform(request).members.profiles(set(other.values()))
    return [
        TransferShown(
            id=one.id,
            direction="outgoing" if one.member_id == me else "incoming",
            state=cast(TransferState, one.state.value),
            token=one.token,
            amount=format_amount(one.amount),
            memo=one.memo,
            counterpart=_counterpart(profiles.get(other[one.id])),
            transaction_hash=hex_or_none(one.transaction_hash),
            block_number=one.block_number,
            gas_refill_hug=str(one.gas_refill_hug if one.member_id == me else 0),
            created_at=time_of(one.created_ms),
            final_at=time_or_none(one.final_ms),
            reason=one.reason or one.queued_reason or UNSET,
            confirm_after=UNSET if one.confirm_after_ms is None else time_of(one.confirm_after_ms),
        )
        for one in found
    ]


def token_shown(token: tokens.Token, contract: index.ContractView | None) -> TokenShown:
    return TokenShown(
        name=token.name,
        symbol=token.symbol,
        contract=hex_or_none(token.contract),
        decimals=token.decimals,
        total=None if contract is None else format_amount(contract.total, token.decimals),
        state=_token_state(token, contract),
    )


@get("/balances", guards=[signed_in], opt=says("My balances", tag="money"))
async def balances(request: AnyRequest) -> list[BalanceShown]:
    """Every token, as of one height: what is free to spend, what is on hold, and both together.

    The node is asked each time, for the block that the platform has taken in last. If it cannot
    say, `source` is index: what the platform itself knows of that block.
    """
    return [balance_shown(one) for one in await _balances(request)]


@get(
    "/balances/{symbol:str}",
    guards=[signed_in],
    opt=says("My balance of one token", TokenUnknown, TokenNotReady, tag="money"),
)
async def balance(request: AnyRequest, symbol: Symbol) -> BalanceShown:
    """One token by its symbol or contract id."""
    found = await _balances(request)
    return balance_shown(await balance_among(platform(request).tokens, found, symbol))


@post(
    "/transfers",
    guards=[signed_in],
    opt=says("Pay", *PAYMENT_REFUSALS, keyed=True, waits=True, tag="money"),
)
async def pay(request: AnyRequest, data: JSONBody[TransferAsked]) -> Response[TransferShown]:
    """Pay the member a search has found.

    The answer comes when the payment is recorded and can no longer be lost; it is final when
    `state` is confirmed, refused or void. Nothing is bound to the Idempotency-Key by a refusal.
    """
    payments, me, seconds = platform(request).payments, caller(request), wait_s(request)
    key = tokens.require_key(request.headers.get("idempotency-key"))
    order = transfers.Order(
        data.recipient_id, data.token, data.amount, data.memo, data.acknowledged
    )
    sent = await payments.send(me.id, key, order, data.passphrase)
    if seconds:
        sent = await payments.wait(me.id, sent, seconds)
    shown = (await transfers_shown(request, [sent]))[0]
    location = {"Location": f"/api/v1/transfers/{sent.id}"}
    return Response(shown, headers=location | waited(seconds))


@get("/transfers", guards=[signed_in], opt=says("My payments", CursorMalformed, tag="money"))
async def transfer_page(
    request: AnyRequest, cursor: Cursor = None, limit: Limit = PAGE_DEFAULT
) -> Page[TransferShown]:
    """Payments made and received, newest first."""
    if cursor is not None and not cursor.startswith("tr_"):
        raise CursorMalformed("This is not the cursor of a page of payments.")
    found, next_ = await platform(request).payments.page(
        caller(request).id, cursor, page_size(request, limit)
    )
    return Page(await transfers_shown(request, found), next_)


@get(
    "/transfers/{id:str}",
    guards=[signed_in],
    opt=says("One payment", payment_refusals.TransferUnknown, waits=True, tag="money"),
)
async def transfer(request: AnyRequest, id: TransferId) -> Response[TransferShown]:
    """A payment I made or received."""
    payments, me, seconds = platform(request).payments, caller(request), wait_s(request)
    found = await payments.get(me.id, id)
    if seconds:
        found = await payments.wait(me.id, found, seconds)
    return Response((await transfers_shown(request, [found]))[0], headers=waited(seconds))


@post(
    "/transfers/{id:str}/confirm",
    guards=[signed_in],
    status_code=200,
    opt=says(
        "Confirm a delayed payment",
        payment_refusals.TransferUnknown,
        payment_refusals.NotDelayed,
        payment_refusals.DelayNotOver,
        payment_refusals.CatchingUp,
        members.MemberFrozen,
        TokenPaused,
        TokenStopped,
        payment_refusals.PaymentLimit,
        payment_refusals.DailyLimit,
        *PASSPHRASE_REFUSALS,
        waits=True,
        tag="money",
    ),
)
async def confirm(
    request: AnyRequest, id: TransferId, data: JSONBody[TransferConfirmed]
) -> Response[TransferShown]:
    """Sign and send a payment whose delay is over. Confirming again answers how it stands."""
    payments, me, seconds = platform(request).payments, caller(request), wait_s(request)
    found = await payments.confirm(me.id, id, data.passphrase)
    if seconds:
        found = await payments.wait(me.id, found, seconds)
    return Response((await transfers_shown(request, [found]))[0], headers=waited(seconds))


@delete(
    "/transfers/{id:str}",
    guards=[signed_in],
    status_code=200,
    opt=says(
        "Withdraw a delayed payment",
        payment_refusals.TransferUnknown,
        payment_refusals.NotDelayed,
        tag="money",
    ),
)
async def withdraw(request: AnyRequest, id: TransferId) -> TransferShown:
    """Take back a payment that waits for its delay; its amount is free again."""
    found = await platform(request).payments.withdraw(caller(request).id, id)
    return (await transfers_shown(request, [found]))[0]


@get("/tokens", opt=says("Tokens", tag="money"))
async def token_page(request: AnyRequest) -> Page[TokenShown]:
    """Every token of the registry, in one page."""
    return Page([token_shown(*one) for one in await platform(request).tokens.every()], None)


@get("/tokens/{symbol:str}", opt=says("One token", TokenUnknown, tag="money"))
async def token(request: AnyRequest, symbol: Symbol) -> TokenShown:
    """A token by its symbol or contract id."""
    return token_shown(*await platform(request).tokens.find(symbol))


async def _balances(request: AnyRequest) -> list[transfers.Balance]:
    wallet = caller(request).wallet
    return await platform(request).balances.of(wallet.symid if wallet else None)


async def balance_among(
    registry: tokens.Tokens, found: list[transfers.Balance], name: str
) -> transfers.Balance:
    """The balance of the token of this name. Raises ``TokenUnknown``, ``TokenNotReady``."""
    symbols = {one.token: one for one in found}
    if name not in symbols:
        token, _ = await registry.find(name)  # may be a contract id
        name = token.symbol
    if name not in symbols:
        raise TokenNotReady("This token is not on the chain yet.", token=name)
    return symbols[name]


def balance_shown(one: transfers.Balance) -> BalanceShown:
    """A balance as its owner sees it."""
    return BalanceShown(
        token=one.token,
        available=format_amount(one.available, one.decimals),
        on_hold=format_amount(one.on_hold, one.decimals),
        total=format_amount(one.total, one.decimals),
        height=one.height,
        source="node" if one.asked else "index",
    )


def _counterpart(profile: members.Profile | None) -> Counterpart:
    if profile is None:
        return Counterpart(None, None, None)
    return Counterpart(profile.masked_name, profile.masked_phone, profile.shop_name)


def _token_state(token: tokens.Token, contract: index.ContractView | None) -> TokenState:
    if contract is None:
        return "creating"
    if token.stopped_reason:
        return "stopped"
    return "paused" if contract.paused else "active"


ROUTES = Router(
    "/",
    route_handlers=[
        balances,
        balance,
        pay,
        transfer_page,
        transfer,
        confirm,
        withdraw,
        token_page,
        token,
    ],
)

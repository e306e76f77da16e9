"""What operators must look at: transactions that no block ends."""

from typing import Annotated, Literal, cast

from litestar import Router, get
from msgspec import Meta, Struct

from jigap import transfers
from jigap.money import format_amount
from jigap.web.caller import AnyRequest, operator_only, platform, signed_in
from jigap.web.describe import says
from jigap.web.shapes import (
    Amount,
    Hash,
    OutgoingState,
    Page,
    SymId,
    Time,
    hex_of,
    time_of,
)

Purpose = Literal["transfer", "gas_refill", "token_operation"]


class StuckShown(Struct, frozen=True):
    """A signed transaction that is long past its deadline and in no block.

    `reason`: `revoked` (the chain takes nothing from this account), `no_gas`, `frozen` (its owner
    is frozen and has no gas for the cancel), `node` (see `message`, the node's last word). What a
    payment holds stays on hold: the chain may still decide.
    """

    id: Annotated[str, Meta(description="The payment, refill or operation.")]
    purpose: Purpose
    reason: Literal["revoked", "no_gas", "frozen", "node"]
    state: OutgoingState
    member: Annotated[str | None, Meta(description="Whose account; null for one of ours.")]
    account: SymId
    nonce: int
    transaction_hash: Hash
    cancel_hash: Hash
    token: str | None
    amount: Amount | None
    message: str
    created_at: Time
    deadline_at: Time
    stuck_at: Time


@get("/stuck", opt=says("What no block ends", tag="operator"))
async def stuck(request: AnyRequest) -> Page[StuckShown]:
    """Transactions past their deadline of which neither they nor their cancel were mined, oldest
    first, in one page. Beyond the longest page `jigap_transactions_stuck` still counts all.
    """
    here = platform(request)
    found = await here.database.read(transfers.stuck.listed, here.settings)
    decimals = {token.symbol: token.decimals for token, _ in await here.tokens.every()}
    return Page([_shown(one, decimals) for one in found], None)


def _shown(one: transfers.stuck.Stuck, decimals: dict[str, int]) -> StuckShown:
    entry = one.outgoing
    amount = None
    if one.token is not None and one.amount is not None:
        amount = format_amount(one.amount, decimals[one.token])
    return StuckShown(
        id=entry.subject_id,
        purpose=cast(Purpose, entry.purpose),
        reason=one.why.value,
        state=entry.state.value,
        member=one.member_id,
        account=hex_of(entry.sender),
        nonce=entry.nonce,
        transaction_hash=hex_of(entry.hash),
        cancel_hash=hex_of(entry.cancel_hash),
        token=one.token,
        amount=amount,
        message=entry.message,
        created_at=time_of(entry.created_ms),
        deadline_at=time_of(entry.deadline_ms),
        stuck_at=time_of(one.since_ms),
    )


ROUTES = Router("/operator", guards=[signed_in, operator_only], route_handlers=[stuck])

"""How members guard their own money: limits, what is left of them today, and freezing it all."""

from typing import Annotated

from litestar import Router, delete, get, post, put
from litestar.params import JSONBody
from msgspec import Meta, Struct

from jigap import members
from jigap.clock import day_of, next_day_ms
from jigap.money import TOKEN_DECIMALS, AmountMalformed, format_amount, parse_amount
from jigap.web.caller import AnyRequest, asker, caller, platform, signed_in
from jigap.web.describe import says
from jigap.web.resources.people import PASSPHRASE_REFUSALS, member_shown
from jigap.web.shapes import Amount, Asked, Freeze, MemberShown, Passphrase, Password, Time, time_of
from jigap.web.sign_in_shapes import Otp


class LimitsAsked(Asked, frozen=True):
    """Both limits as they shall be; null: nothing of one's own, the level's limit holds.

    ``passphrase`` is needed only if one of them is raised.
    """

    payment_limit: Amount | None
    daily_limit: Amount | None
    passphrase: Passphrase | None = None


class Unfreeze(Asked, frozen=True):
    """The password again; ``otp`` of members who have a second factor."""

    password: Password
    otp: Otp | None = None


class RaiseShown(Struct, frozen=True):
    """Limits that were raised and wait for their time."""

    payment_limit: Amount
    daily_limit: Amount
    effective_at: Time


class SpentShown(Struct, frozen=True):
    """What was sent of one token today, and what may still be."""

    token: str
    spent: Amount
    left: Amount


class LimitsShown(Struct, frozen=True):
    """What a member may send, in whole tokens of each token apart.

    ``payment_limit`` and ``daily_limit`` hold now: the level's limits or the member's own,
    whichever are lower. ``spent_today`` lists the tokens of which something was sent.
    """

    verification_level: int
    payment_limit: Amount
    daily_limit: Amount
    level_payment_limit: Amount
    level_daily_limit: Amount
    day: Annotated[str, Meta(description="The day that is counted, UTC.", examples=["2026-11-21"])]
    day_ends_at: Time
    spent_today: list[SpentShown]
    pending_raise: RaiseShown | None


async def limits_shown(request: AnyRequest, view: members.LimitsView) -> LimitsShown:
    """A member's limits with what is spent of them."""
    here, member = platform(request), caller(request)
    now_ms = here.clock.now_ms()
    spent = await here.payments.spent_today(member.id)
    pending = None
    if view.raised is not None and view.raised_from_ms is not None:
        pending = RaiseShown(
            _words(view.raised.payment), _words(view.raised.daily), time_of(view.raised_from_ms)
        )
    return LimitsShown(
        verification_level=member.level,
        payment_limit=_words(view.present.payment),
        daily_limit=_words(view.present.daily),
        level_payment_limit=_words(view.ceiling.payment),
        level_daily_limit=_words(view.ceiling.daily),
        day=day_of(now_ms),
        day_ends_at=time_of(next_day_ms(now_ms)),
        spent_today=[
            SpentShown(
                one.token,
                format_amount(one.amount, one.decimals),
                format_amount(
                    max(view.present.at(one.decimals).daily - one.amount, 0), one.decimals
                ),
            )
            for one in spent
        ],
        pending_raise=pending,
    )


@get("/me/limits", guards=[signed_in], opt=says("My limits", tag="money"))
async def limits(request: AnyRequest) -> LimitsShown:
    """What I may send in one payment and in a day, what I have sent today, and a pending raise."""
    return await limits_shown(request, await platform(request).limits.of(caller(request).id))


@put(
    "/me/limits",
    guards=[signed_in],
    opt=says(
        "Change my limits",
        AmountMalformed,
        members.LimitAboveLevel,
        members.LimitRaiseLocked,
        members.ChangesLimit,
        members.MemberUnverified,
        members.MemberFrozen,
        members.WalletMissing,
        *PASSPHRASE_REFUSALS,
        tag="money",
    ),
)
async def change_limits(request: AnyRequest, data: JSONBody[LimitsAsked]) -> LimitsShown:
    """A lower limit holds at once. A higher one takes the passphrase and a waiting time.

    Whatever raise was pending before is forgotten.
    """
    wanted = members.OwnLimits(_units(data.payment_limit), _units(data.daily_limit))
    view = await platform(request).limits.change(caller(request).id, wanted, data.passphrase)
    return await limits_shown(request, view)


@delete(
    "/me/limits/pending",
    guards=[signed_in],
    status_code=200,
    opt=says("Cancel a raise of my limits", tag="money"),
)
async def cancel_raise(request: AnyRequest) -> LimitsShown:
    """Forget a raise that waits for its time. Without one, nothing changes."""
    view = await platform(request).limits.cancel(caller(request).id)
    return await limits_shown(request, view)


@post(
    "/me/freeze",
    guards=[signed_in],
    status_code=200,
    opt=says("Freeze my account", tag="people"),
)
async def freeze_oneself(request: AnyRequest, data: JSONBody[Freeze | None] = None) -> MemberShown:
    """Stop everything of mine that has not been broadcast, at once.

    Nothing is paid, no wallet is made and no gas is added. Payments that have not left yet are
    undone and end void; delayed ones can only be withdrawn. Lifting it takes the password. Freezing
    twice changes nothing.
    """
    here, me = platform(request), caller(request)
    await here.freezing.freeze_oneself(me.id, "" if data is None else data.reason)
    return member_shown(await here.members.profile(me.id))


@post(
    "/me/unfreeze",
    guards=[signed_in],
    status_code=200,
    opt=says(
        "Unfreeze my account",
        members.FrozenByOperator,
        members.PasswordWrong,
        members.SignInWait,
        members.SignInLocked,
        members.PasswordsBusy,
        members.OtpRequired,
        members.OtpWrong,
        tag="people",
    ),
)
async def unfreeze_oneself(request: AnyRequest, data: JSONBody[Unfreeze]) -> MemberShown:
    """Lift my own freeze, with the password and, if I have a second factor, a one-time code.

    What an operator froze only an operator lifts.
    """
    here, who = platform(request), asker(request)
    await here.freezing.unfreeze_oneself(who, data.password, data.otp)
    return member_shown(await here.members.profile(who.member.id))


def _words(units: int) -> str:
    return format_amount(units, TOKEN_DECIMALS)


def _units(text: str | None) -> int | None:
    return None if text is None else parse_amount(text, TOKEN_DECIMALS)


ROUTES = Router(
    "/", route_handlers=[limits, change_limits, cancel_raise, freeze_oneself, unfreeze_oneself]
)

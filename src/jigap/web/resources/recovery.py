"""What is forgotten and can be had again: the password, and the payment passphrase.

The member's own side; operators have ``recovery_desk``.
"""

from litestar import Router, delete, get, post
from litestar.params import JSONBody

from jigap import keys, members, realname
from jigap.recovery import (
    OPEN,
    Recovery,
    RecoveryNotThere,
    RecoveryUnavailable,
    RecoveryUnderWay,
    RecoveryUnknown,
    Reset,
    ResetCodeWrong,
    ResetOver,
    ResetUnknown,
)
from jigap.web import recovery_shapes as shapes
from jigap.web.caller import AnyRequest, address, asker, caller, platform, signed_in
from jigap.web.describe import says
from jigap.web.parameters import ResetId
from jigap.web.realname_shapes import RealNameAsked, RealNameCode
from jigap.web.recovery_shapes import RecoveryShown, ResetShown
from jigap.web.resources.realname import check_shown
from jigap.web.shapes import RecoveryBanner, time_of, time_or_none

_ON_DETAILS = (
    members.NameMalformed,
    members.PhoneMalformed,
    realname.BirthMalformed,
    realname.PhoneUnsupported,
    realname.RealNameLimit,
    realname.RealNameUnavailable,
)


def banner(found: Recovery | None) -> RecoveryBanner | None:
    """What every device of the member shows; nothing once it is over."""
    if found is None or found.state not in OPEN:
        return None
    return RecoveryBanner(found.state.value, time_or_none(found.ready_ms))


@post(
    "/password-resets",
    opt=says("Forgotten password: have a code sent", *_ON_DETAILS, guessing=True, tag="people"),
)
async def request_reset(request: AnyRequest, data: JSONBody[shapes.ResetAsked]) -> ResetShown:
    """The answer is the same for everybody, members or not.

    A code is sent only if member id, name, number and birth date are those the member was verified
    with, and only to that number.
    """
    app = platform(request)
    reset = await app.password_resets.request(
        data.member_id, _details(request, data), address=address(request)
    )
    return _reset(reset)


@post(
    "/password-resets/{id:str}/confirm",
    status_code=200,
    opt=says(
        "Forgotten password: set it anew",
        members.PasswordWeak,
        members.PasswordsBusy,
        ResetUnknown,
        ResetOver,
        ResetCodeWrong,
        guessing=True,
        tag="people",
    ),
)
async def confirm_reset(
    request: AnyRequest, id: ResetId, data: JSONBody[shapes.ResetConfirmed]
) -> ResetShown:
    """If the code is right, the password is set and every session of the member ends.

    A second factor is still asked for at the next sign-in.
    """
    reset = await platform(request).password_resets.confirm(
        id, data.code, data.new_password, address=address(request)
    )
    return _reset(reset)


@post(
    "/me/recovery",
    guards=[signed_in],
    opt=says(
        "Forgotten payment passphrase: have a code sent",
        *_ON_DETAILS,
        members.MemberUnverified,
        members.MemberFrozen,
        members.WalletMissing,
        members.PersonDiffers,
        RecoveryUnavailable,
        RecoveryUnderWay,
        tag="people",
    ),
)
async def begin_recovery(request: AnyRequest, data: JSONBody[RealNameAsked]) -> RecoveryShown:
    """Name, number and birth date must be those the member was verified with.

    Needs a recovery key of the operator. Until the end the old passphrase still pays, and doing so
    cancels the recovery.
    """
    found = await platform(request).recoveries.begin(
        caller(request), _details(request, data), address=address(request)
    )
    return await _shown(request, found)


@post(
    "/me/recovery/confirm",
    guards=[signed_in],
    status_code=200,
    opt=says(
        "Forgotten payment passphrase: type the code",
        members.MemberFrozen,
        members.PersonDiffers,
        RecoveryUnknown,
        RecoveryNotThere,
        realname.RealNameUnknown,
        realname.CheckNotFresh,
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
async def confirm_recovery(request: AnyRequest, data: JSONBody[RealNameCode]) -> RecoveryShown:
    """If the code is right, the waiting time begins; every device of the member shows it."""
    found = await platform(request).recoveries.confirm(
        caller(request), data.code, address=address(request)
    )
    return await _shown(request, found)


@get(
    "/me/recovery",
    guards=[signed_in],
    opt=says("My last recovery", RecoveryUnknown, tag="people"),
)
async def recovery(request: AnyRequest) -> RecoveryShown:
    """The recovery of my payment passphrase, and where it stands."""
    return await _shown(request, await platform(request).recoveries.of(caller(request)))


@delete(
    "/me/recovery",
    guards=[signed_in],
    status_code=200,
    opt=says("Say no to a recovery", RecoveryUnknown, tag="people"),
)
async def cancel_recovery(request: AnyRequest) -> RecoveryShown:
    """From any device, at any moment before a new passphrase was chosen."""
    return await _shown(request, await platform(request).recoveries.cancel(caller(request)))


@post(
    "/me/recovery/complete",
    guards=[signed_in],
    status_code=200,
    opt=says(
        "Forgotten payment passphrase: choose a new one",
        members.PasswordWrong,
        members.SignInWait,
        members.SignInLocked,
        members.PasswordsBusy,
        members.OtpRequired,
        members.OtpWrong,
        members.MemberUnverified,
        members.MemberFrozen,
        RecoveryUnknown,
        RecoveryNotThere,
        keys.RecoveryAnswerInvalid,
        keys.PassphraseWeak,
        keys.PassphraseBusy,
        keys.KdfBusy,
        keys.KeystoreChanged,
        tag="people",
    ),
)
async def complete_recovery(
    request: AnyRequest, data: JSONBody[shapes.RecoveryCompleted]
) -> RecoveryShown:
    """In state `opened`: the key goes under this passphrase. Key and SymID stay what they are.

    Takes the password again and, of who has a second factor, a one-time code: whoever found a
    session open must not get the money with it.
    """
    here = platform(request)
    await here.factors.prove(asker(request), data.password, data.otp)
    found = await here.recoveries.complete(caller(request), data.passphrase)
    return await _shown(request, found)


def _details(request: AnyRequest, data: RealNameAsked) -> realname.Details:
    now_ms = platform(request).clock.now_ms()
    return realname.details_of(data.name, data.phone, data.birth, data.sex, data.carrier, now_ms)


def _reset(reset: Reset) -> ResetShown:
    return ResetShown(
        id=reset.id,
        state="done" if reset.done else "requested",
        expires_at=time_of(reset.expires_ms),
    )


async def _shown(request: AnyRequest, found: Recovery) -> RecoveryShown:
    check = await platform(request).recoveries.check_of(caller(request), found)
    return RecoveryShown(
        id=found.id,
        state=found.state.value,
        check=None if check is None else check_shown(check),
        approvals=len(found.operators),
        reason=found.reason,
        created_at=time_of(found.created_ms),
        ready_at=time_or_none(found.ready_ms),
        expires_at=time_of(found.expires_ms),
        finished_at=time_or_none(found.finished_ms),
    )


ROUTES = Router(
    "/",
    route_handlers=[
        request_reset,
        confirm_reset,
        begin_recovery,
        confirm_recovery,
        recovery,
        cancel_recovery,
        complete_recovery,
    ],
)

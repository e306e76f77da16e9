"""What is forgotten and can be had again: the password."""

from litestar import Router, post
from litestar.params import JSONBody

from jigap import members, realname
from jigap.recovery import Reset, ResetCodeWrong, ResetOver, ResetUnknown
from jigap.web import shapes
from jigap.web.caller import AnyRequest, address, platform
from jigap.web.describe import says
from jigap.web.parameters import ResetId
from jigap.web.shapes import ResetShown, time_of


@post(
    "/password-resets",
    opt=says(
        "Forgotten password: have a code sent",
        members.NameMalformed,
        members.PhoneMalformed,
        realname.BirthMalformed,
        realname.PhoneUnsupported,
        realname.RealNameLimit,
        realname.RealNameUnavailable,
        tag="people",
    ),
)
async def request_reset(request: AnyRequest, data: JSONBody[shapes.ResetAsked]) -> ResetShown:
    """The answer is the same for everybody, members or not.

    A code is sent only if member id, name, number and birth date are those the member was verified
    with, and only to that number.
    """
    app = platform(request)
    details = realname.details_of(
        data.name, data.phone, data.birth, data.sex, data.carrier, app.clock.now_ms()
    )
    reset = await app.password_resets.request(data.member_id, details, address=address(request))
    return _shown(reset)


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
    return _shown(reset)


def _shown(reset: Reset) -> ResetShown:
    return ResetShown(
        id=reset.id,
        state="done" if reset.done else "requested",
        expires_at=time_of(reset.expires_ms),
    )


ROUTES = Router("/", route_handlers=[request_reset, confirm_reset])

"""Signing in, sessions and second factors."""

from contextlib import suppress

from litestar import Response, Router, delete, get, post, put
from litestar.params import JSONBody

from jigap import members
from jigap.web import cookies
from jigap.web.caller import AnyRequest, asker, platform, signed_in, visitor
from jigap.web.describe import says
from jigap.web.parameters import FactorId, SessionId
from jigap.web.scope import source_in
from jigap.web.shapes import time_of
from jigap.web.sign_in_shapes import (
    FactorAsked,
    FactorShown,
    NewFactorShown,
    OtpAsked,
    OwnSessionShown,
    PasswordChange,
    RecoveryCodesShown,
    SessionListed,
    SessionShown,
    SignIn,
)

#: What may go wrong when the password is asked for again.
_PASSWORD_REFUSALS = (
    members.PasswordWrong,
    members.SignInWait,
    members.SignInLocked,
    members.PasswordsBusy,
)


@post(
    "/session",
    opt=says(
        "Sign in",
        members.SignInFailed,
        members.SignInWait,
        members.SignInLocked,
        members.SignInLimit,
        members.OtpRequired,
        members.OtpWrong,
        members.PasswordsBusy,
        guessing=True,
        tag="people",
    ),
)
async def sign_in(request: AnyRequest, data: JSONBody[SignIn]) -> Response[SessionShown]:
    """Open a session; its token goes into the Authorization header of everything else.

    `otp_required` is told only once the password was right. Nobody learns whether a member id
    exists. With `cookie` the session is a cookie, and so is the device.
    """
    here = platform(request)
    secure, device = cookies.is_secure(request, here), data.device
    if data.cookie:
        device = cookies.read(request.cookies, cookies.DEVICE, secure=secure)
    new = await here.sign_ins.sign_in(
        data.member_id, data.password, data.otp, visitor(request), device=device, cookie=data.cookie
    )
    if (source := source_in(request.scope)) is not None:
        here.shield.signed_in(source, data.member_id.strip().lower())  # one account in any spelling
    expires_at = time_of(new.expires_ms)
    if not data.cookie:
        return Response(SessionShown(expires_at, token=new.token, device=new.device))
    await _end_replaced(request)
    ttl_s = here.settings.session_ttl_s
    return Response(
        SessionShown(expires_at, csrf_token=here.sessions.csrf_token(new.token_hash)),
        cookies=[
            cookies.made(cookies.SESSION, new.token, secure=secure, kept_s=ttl_s),
            cookies.made(cookies.DEVICE, new.device, secure=secure, kept_s=members.DEVICE_KEPT_S),
        ],
    )


async def _end_replaced(request: AnyRequest) -> None:
    """The session whose cookie gives way to a new one would be nobody's: it ends."""
    secure = cookies.is_secure(request, platform(request))
    token = cookies.read(request.cookies, cookies.SESSION, secure=secure)
    if token is not None:
        with suppress(members.SessionMissing, members.SessionUnknown):
            who = await platform(request).sessions.authenticate(token, cookie=True)
            await platform(request).sign_ins.sign_out(who)


@get("/session", guards=[signed_in], opt=says("This session", tag="people"))
async def session(request: AnyRequest) -> OwnSessionShown:
    """Which session asks. A page that was loaded again finds its `csrf_token` here."""
    who = asker(request)
    csrf_token = platform(request).sessions.csrf_token(who.token_hash) if who.cookie else None
    return OwnSessionShown(who.session_id, who.second_factor, csrf_token)


@delete("/session", guards=[signed_in], opt=says("Sign out", tag="people"))
async def sign_out(request: AnyRequest) -> Response[None]:
    """End the session that asks. The cookie of a cookie session goes."""
    who = asker(request)
    await platform(request).sign_ins.sign_out(who)
    return Response(None, cookies=cookies.cleared(cookies.SESSION) if who.cookie else [])


@get("/sessions", guards=[signed_in], opt=says("My sessions", tag="people"))
async def sessions(request: AnyRequest) -> list[SessionListed]:
    """Every session of mine that has not ended, the newest first."""
    return [
        SessionListed(
            id=one.id,
            current=one.current,
            device=one.device,
            address=one.address,
            second_factor=one.second_factor,
            created_at=time_of(one.created_ms),
            last_seen_at=time_of(one.last_seen_ms),
            expires_at=time_of(one.expires_ms),
        )
        for one in await platform(request).sessions.of(asker(request))
    ]


@delete(
    "/sessions/{id:str}",
    guards=[signed_in],
    opt=says("End one session of mine", members.SessionUnknown, tag="people"),
)
async def end_session(request: AnyRequest, id: SessionId) -> None:
    """Whoever holds its token is told `session_missing` from then on."""
    await platform(request).sessions.end(asker(request), id)


@delete("/sessions", guards=[signed_in], opt=says("End my other sessions", tag="people"))
async def end_other_sessions(request: AnyRequest) -> None:
    """All but the one that asks."""
    await platform(request).sessions.end_others(asker(request))


@put(
    "/me/password",
    guards=[signed_in],
    status_code=204,
    opt=says("Change my password", *_PASSWORD_REFUSALS, members.PasswordWeak, tag="people"),
)
async def change_password(request: AnyRequest, data: JSONBody[PasswordChange]) -> None:
    """Every other session ends. The payment passphrase stays what it is."""
    await platform(request).sign_ins.change_password(asker(request), data.old, data.new)


@get("/me/factors", guards=[signed_in], opt=says("My second factors", tag="people"))
async def factors(request: AnyRequest) -> list[FactorShown]:
    """Authenticator apps, and how many recovery codes are left."""
    found, left = await platform(request).factors.of(asker(request).member.id)
    return [
        FactorShown(one.id, "totp", one.confirmed, time_of(one.created_ms), left) for one in found
    ]


@post(
    "/me/factors",
    guards=[signed_in],
    opt=says(
        "Add a second factor",
        *_PASSWORD_REFUSALS,
        members.OtpRequired,
        members.OtpWrong,
        members.FactorLimit,
        tag="people",
    ),
)
async def add_factor(request: AnyRequest, data: JSONBody[FactorAsked]) -> NewFactorShown:
    """A secret for an authenticator app. It counts once a code of it was confirmed."""
    new = await platform(request).factors.begin(asker(request), data.password, data.otp)
    return NewFactorShown(new.id, new.secret, new.uri)


@post(
    "/me/factors/{id:str}/confirm",
    guards=[signed_in],
    status_code=200,
    opt=says(
        "Confirm a second factor",
        members.FactorUnknown,
        members.OtpWrong,
        members.SignInWait,
        members.SignInLocked,
        tag="people",
    ),
)
async def confirm_factor(
    request: AnyRequest, id: FactorId, data: JSONBody[OtpAsked]
) -> RecoveryCodesShown:
    """With the code that the app shows. Every other session ends.

    This session stays one without a second factor: sign in again for what needs one.
    """
    codes = await platform(request).factors.confirm(asker(request), id, data.otp)
    return RecoveryCodesShown(list(codes))


@post(
    "/me/factors/recovery-codes",
    guards=[signed_in],
    status_code=200,
    opt=says(
        "Renew my recovery codes",
        members.FactorUnknown,
        members.OtpWrong,
        members.SignInWait,
        members.SignInLocked,
        tag="people",
    ),
)
async def renew_recovery_codes(request: AnyRequest, data: JSONBody[OtpAsked]) -> RecoveryCodesShown:
    """Ten new ones; those of before are void."""
    codes = await platform(request).factors.renew_codes(asker(request), data.otp)
    return RecoveryCodesShown(list(codes))


@post(
    "/me/factors/{id:str}/remove",
    guards=[signed_in],
    status_code=204,
    opt=says(
        "Remove a second factor",
        *_PASSWORD_REFUSALS,
        members.FactorUnknown,
        members.FactorNeeded,
        members.OtpRequired,
        members.OtpWrong,
        tag="people",
    ),
)
async def remove_factor(request: AnyRequest, id: FactorId, data: JSONBody[FactorAsked]) -> None:
    """Needs the password and a one-time code. An operator keeps at least one."""
    await platform(request).factors.remove(asker(request), id, data.password, data.otp)


ROUTES = Router(
    "/",
    route_handlers=[
        sign_in,
        session,
        sign_out,
        sessions,
        end_session,
        end_other_sessions,
        change_password,
        factors,
        add_factor,
        confirm_factor,
        renew_recovery_codes,
        remove_factor,
    ],
)

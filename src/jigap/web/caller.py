"""Who is asking, of which platform, and how: what every handler needs to know of a request."""

import re
from typing import TYPE_CHECKING, Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.typing import FieldDefinition

from jigap import members
from jigap.web import cookies
from jigap.web.gate import account_may
from jigap.web.problems import (
    MediaTypeUnsupported,
    OperatorOnly,
    RequestInvalid,
    RequestMalformed,
    SecondFactorRequired,
)
from jigap.web.scope import source_in

if TYPE_CHECKING:
    from jigap.app import App

AnyRequest = Request[Any, Any, Any]
AnyConnection = ASGIConnection[Any, Any, Any, Any]

PAGE_DEFAULT = 50
_WAIT = re.compile(r"(?:^|[,;\s])wait=([0-9]{1,5})(?:$|[,;\s])", re.ASCII)
_BEARER = re.compile(r"Bearer ([A-Za-z0-9._~+/=-]{1,200})", re.ASCII | re.IGNORECASE)


def platform(connection: AnyConnection) -> "App":
    """The platform this server belongs to."""
    found: App = connection.app.state.platform
    return found


def caller(request: AnyRequest) -> members.Member:
    """The member who asks; only behind ``signed_in``."""
    return asker(request).member


def asker(connection: AnyConnection) -> members.SignedIn:
    """The member who asks, and in which session; only behind ``signed_in``."""
    found: members.SignedIn = connection.scope["state"]["asker"]
    return found


def bearer(connection: AnyConnection) -> str | None:
    """The session token in the Authorization header."""
    return bearer_in(connection.headers.get("authorization", ""))


def bearer_in(authorization: str) -> str | None:
    """The session token in the value of an Authorization header."""
    match = _BEARER.fullmatch(authorization.strip())
    return None if match is None else match[1]


def address(request: AnyRequest) -> str:
    """Where the request came from."""
    return request.client.host if request.client else ""


def visitor(request: AnyRequest) -> members.Visitor:
    """Where the request came from, for the list of sessions."""
    return members.Visitor(address(request), request.headers.get("user-agent", ""))


async def signed_in(connection: AnyConnection, handler: BaseRouteHandler) -> None:
    """Guard: whoever asks has a session, and does not ask too often.

    A bearer token goes before a cookie.
    """
    connection.scope["state"]["asker"] = who = await _asker(connection)
    may_ask(platform(connection), connection.scope, who, money=bool(handler.opt.get("keyed")))


def may_ask(here: "App", scope: Any, who: members.SignedIn, *, money: bool = False) -> None:
    """Count one more request of a member. Raises ``RateLimited``."""
    source = source_in(scope)
    if here.shield.on and source is not None:
        account_may(here.shield, source, who.member.id, money=money)


async def _asker(connection: AnyConnection) -> members.SignedIn:
    """Whose session it is that the request brings."""
    sessions = platform(connection).sessions
    token = bearer(connection)
    if token is not None:
        return await sessions.authenticate(token)
    secure = cookies.is_secure(connection, platform(connection))
    token = cookies.read(connection.cookies, cookies.SESSION, secure=secure)
    if token is None:
        raise members.SessionMissing("This needs a session.")
    who = await sessions.authenticate(token, cookie=True)
    method = str(connection.scope.get("method", ""))
    csrf_token = sessions.csrf_token(who.token_hash)
    cookies.check_origin(method, connection.headers, connection.scope["scheme"], csrf_token)
    return who


async def account_reader(connection: AnyConnection, handler: BaseRouteHandler) -> None:
    """Guard: whoever asks has a session, unless the operator has opened accounts to everybody."""
    if not platform(connection).settings.explorer_public_accounts:
        await signed_in(connection, handler)


def acts_as_operator(connection: AnyConnection) -> bool:
    """Whether whoever asks is an operator, not frozen, in a session that shows it."""
    who = asker(connection)
    return who.member.is_operator and who.second_factor and not who.member.frozen


async def operator_only(connection: AnyConnection, _: BaseRouteHandler) -> None:
    """Guard: whoever asks is an operator, not frozen, and signed in with a second factor."""
    who = asker(connection)
    if not who.member.is_operator:
        raise OperatorOnly("This is for operators.")
    if who.member.frozen:
        raise members.MemberFrozen("This operator is frozen.")
    if not who.second_factor:
        raise SecondFactorRequired("This session was opened without a second factor.")


async def readable(connection: AnyConnection, handler: BaseRouteHandler) -> None:
    """Guard: a body is JSON, an address has no control characters and no word nobody reads."""
    if any(ord(one) < 32 or ord(one) == 127 for one in connection.scope["path"]):
        raise RequestMalformed("The address has control characters.")
    for name, value in connection.query_params.items():
        if any(ord(one) < 32 or ord(one) == 127 for one in f"{name}{value}"):
            raise RequestMalformed("The query has control characters.")
    if "summary" in handler.opt and connection.query_params:
        parameters = handler.parsed_fn_signature.parameters
        known = {query_word(name, field) for name, field in parameters.items()}
        unknown = connection.query_params.keys() - known
        if unknown:
            raise RequestInvalid(
                "The query has a word that this route does not know.",
                errors=[{"source": "query", "key": one[:40]} for one in sorted(unknown)],
            )
    has_body = connection.headers.get("content-length", "0") != "0" or (
        "transfer-encoding" in connection.headers
    )
    media_type = connection.headers.get("content-type", "").split(";")[0].strip().lower()
    if has_body and media_type != "application/json":
        raise MediaTypeUnsupported("The body is not application/json.")


def query_word(name: str, field: FieldDefinition) -> str:
    """What a parameter is called in a query: its own name, if that is not the framework's."""
    return getattr(field.kwarg_definition, "name", None) or name


def wait_s(request: AnyRequest) -> int:
    """The seconds of ``Prefer: wait=N``, no more than the setting allows; 0 if there is none."""
    match = _WAIT.search(request.headers.get("prefer", ""))
    if match is None:
        return 0
    return min(int(match[1]), platform(request).settings.wait_max_s)


def waited(seconds: int) -> dict[str, str]:
    """The header that says which preference was honoured."""
    return {"Preference-Applied": f"wait={seconds}"} if seconds else {}


def page_size(request: AnyRequest, limit: int) -> int:
    """How many rows a page has, whatever was asked for."""
    return max(1, min(limit, platform(request).settings.page_max))

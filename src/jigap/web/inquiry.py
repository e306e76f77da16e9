"""The balance inquiry, answered ahead of the framework.

Nothing is asked as often as "what do I have?", and of what an answer costs, most would be the way
through routing, guards and parameters. So a plain inquiry, which is what a program sends (GET, a
bearer token, no query, no body), is answered here: with the same session, the same balances, the
same shapes, the same problems. Whatever is not as plain goes on to the framework, whose route is in
``resources/money.py`` and has the last word on what the answer is; a test holds the two together.
"""

import re
from typing import TYPE_CHECKING, Any, cast

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from jigap.refusal import Refusal
from jigap.web import problems
from jigap.web.caller import bearer_in, may_ask
from jigap.web.resources.money import balance_among, balance_shown
from jigap.web.scope import note_refused

if TYPE_CHECKING:
    from jigap.app import App

_EVERY = "/api/v1/balances"
_ONE = "/api/v1/balances/{symbol}"
_SYMBOL = re.compile(r"[A-Z0-9]{3,10}", re.ASCII)
#: A request with one of these is not plain: it has a body, or says that it has.
_BODY = frozenset({b"content-length", b"transfer-encoding", b"content-type"})
_JSON = (b"content-type", b"application/json")

_encode = msgspec.json.Encoder().encode


class Inquiry:
    """Stands before the framework and answers plain balance inquiries itself."""

    def __init__(self, inside: ASGIApp, platform: "App") -> None:
        self._inside = inside
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not scope["path"].startswith(_EVERY):
            await self._inside(scope, receive, send)
            return
        token, symbol = _plain(scope)
        if token is None:
            await self._inside(scope, receive, send)
            return
        cast(dict[str, Any], scope)["path_template"] = _ONE if symbol else _EVERY
        status, headers, body = await self._answer(scope, token, symbol)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _answer(self, scope: HTTPScope, token: str, symbol: str) -> problems.Told:
        try:
            who = await self._platform.sessions.authenticate(token)
            may_ask(self._platform, scope, who)
            wallet = who.member.wallet
            found = await self._platform.balances.of(wallet.symid if wallet else None)
            if not symbol:
                return _ok(_encode([balance_shown(one) for one in found]))
            one = await balance_among(self._platform.tokens, found, symbol)
            return _ok(_encode(balance_shown(one)))
        except Refusal as refusal:
            note_refused(scope, refusal.code)
            return problems.told(refusal)
        except Exception as error:
            return problems.told(problems.bug(_ONE if symbol else _EVERY, error))


def _plain(scope: HTTPScope) -> tuple[str | None, str]:
    """The token and the symbol of a plain inquiry ("": every token); no token: not plain."""
    symbol = scope["path"][len(_EVERY) + 1 :]
    if scope["method"] != "GET" or scope["query_string"]:
        return None, ""
    if scope["path"] != _EVERY and not (
        scope["path"][len(_EVERY)] == "/" and _SYMBOL.fullmatch(symbol)
    ):
        return None, ""
    found: bytes | None = None
    for name, value in scope["headers"]:
        if name in _BODY or (name == b"authorization" and found is not None):
            return None, ""
        if name == b"authorization":
            found = value
    return (None if found is None else bearer_in(found.decode("latin-1"))), symbol


def _ok(body: bytes) -> problems.Told:
    return problems.Told(200, [_JSON, (b"content-length", b"%d" % len(body))], body)

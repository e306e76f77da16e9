"""Cookie sessions, for browsers, and what keeps other sites from using them.

A browser sends a cookie whoever wrote the page that made it ask. Three things stand against that:
the cookie is SameSite=Strict; every change must carry a token that only pages of ours can have
read; and a browser that says which site asks must name ours. Whoever sends a bearer token needs
none of it, because no browser adds that header by itself.
"""

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from jigap.refusal import Kind
from jigap.web.problems import WebRefusal

if TYPE_CHECKING:
    from jigap.app import App

SESSION = "jigap_session"
DEVICE = "jigap_device"
#: Browsers take a cookie of this name only over HTTPS, for this host alone and all of its paths.
HOST_PREFIX = "__Host-"
CSRF_HEADER = "X-CSRF-Token"
TOKEN_MAX_CHARS = 200

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class CsrfMissing(WebRefusal):
    """A change in a cookie session comes from a page that is not ours, or does not say so."""

    code = "csrf_missing"
    kind = Kind.FORBIDDEN
    hint = "Send the `csrf_token` of GET or POST /api/v1/session as X-CSRF-Token, from our origin."


def is_secure(connection: ASGIConnection[Any, Any, Any, Any], platform: "App") -> bool:
    """Whether cookies are for HTTPS only: it is in use, or a setting says that it is."""
    return connection.scope["scheme"] == "https" or bool(platform.settings.cookie_secure)


def read(cookies: Mapping[str, str], name: str, *, secure: bool) -> str | None:
    """The value of a cookie of ours.

    With HTTPS only the one with the prefix counts: any other host of our domain, and whoever sits
    on a line without TLS, can put one without it into a browser.
    """
    value = cookies.get(HOST_PREFIX + name if secure else name)
    return value if value and len(value) <= TOKEN_MAX_CHARS else None


def made(name: str, value: str, *, secure: bool, kept_s: int) -> Cookie:
    """A cookie that no script reads and no other site sends."""
    return Cookie(
        key=HOST_PREFIX + name if secure else name,
        value=value,
        max_age=kept_s,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def cleared(name: str) -> list[Cookie]:
    """What makes a browser drop a cookie, under either of its names."""
    return [made(name, "", secure=secure, kept_s=0) for secure in (True, False)]


def check_origin(method: str, headers: Mapping[str, str], scheme: str, csrf_token: str) -> None:
    """Refuse a change that a page of another site may have asked for. Pure.

    ``csrf_token`` is that of the session. ``headers`` has lower-case names. Raises ``CsrfMissing``.
    """
    if method in _SAFE:
        return
    sent = headers.get(CSRF_HEADER.lower(), "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(sent, csrf_token.encode()):
        raise CsrfMissing("The CSRF token is missing or is not that of the session.")
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise CsrfMissing("The browser says that another site asks.")
    origin = headers.get("origin")
    if origin is not None and not _is_ours(origin, headers.get("host", ""), scheme):
        raise CsrfMissing("The browser says that another origin asks.")


def _is_ours(origin: str, host: str, scheme: str) -> bool:
    """HTTPS in the origin is fine where we see HTTP: a proxy may speak TLS for us."""
    try:
        said = urlsplit(origin)
    except ValueError:
        return False
    return said.scheme in (scheme, "https") and bool(host) and said.netloc.lower() == host.lower()

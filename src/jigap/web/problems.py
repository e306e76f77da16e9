"""How a "no" looks over HTTP: problem details (RFC 9457), always in the same shape.

A refusal brings its own code, hint and facts; its kind decides the status and nothing else. What
the framework refuses (an unknown route, an unreadable body) becomes a refusal of this module first.
Anything that is not a refusal is a bug: it is logged whole and answered with ``internal_error``.
"""

import logging
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.routes import HTTPRoute

from jigap.refusal import Kind, Refusal
from jigap.web.scope import note_refused

log = logging.getLogger("jigap.web")

MEDIA_TYPE = "application/problem+json"
URN = "urn:jigap:problem:"

STATUS: dict[Kind, int] = {
    Kind.MALFORMED: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.MISSING: 404,
    Kind.CONFLICT: 409,
    Kind.INVALID: 422,
    Kind.TOO_MANY: 429,
    Kind.BUSY: 503,
    Kind.UNAVAILABLE: 503,
}

#: Facts may not take the place of the members that every problem has.
_OWN_MEMBERS = frozenset({"type", "title", "status", "detail", "code", "retryable", "hint"})


class WebRefusal(Refusal):
    """A refusal about HTTP itself; ``status`` where no kind has the right one."""

    status: ClassVar[int | None] = None


class RequestMalformed(WebRefusal):
    """The request cannot be read."""

    code = "request_malformed"
    kind = Kind.MALFORMED
    hint = (
        "Send one JSON object as application/json, in UTF-8, and no control characters in the URL."
    )


class RequestInvalid(WebRefusal):
    """The request does not have the shape that the API description gives."""

    code = "request_invalid"
    kind = Kind.INVALID
    hint = "Compare the request with /openapi.json; `errors` names every field that does not fit."


class RouteUnknown(WebRefusal):
    """There is nothing at this address."""

    code = "route_unknown"
    kind = Kind.MISSING
    hint = "See /openapi.json for every route."


class MethodNotAllowed(WebRefusal):
    """The address is right, the method is not."""

    code = "method_not_allowed"
    kind = Kind.MALFORMED
    status = 405
    hint = "The Allow header names the methods of this route."


class BodyTooLarge(WebRefusal):
    """A body has a limit."""

    code = "body_too_large"
    kind = Kind.MALFORMED
    status = 413
    hint = "A request body has at most 64 kB."


class MediaTypeUnsupported(WebRefusal):
    """A body that is not JSON."""

    code = "media_type_unsupported"
    kind = Kind.MALFORMED
    status = 415
    hint = "Send the body as application/json."


class OperatorOnly(WebRefusal):
    """The route is for operators."""

    code = "operator_only"
    kind = Kind.FORBIDDEN
    hint = "Sign in as an operator."


class SecondFactorRequired(WebRefusal):
    """What operators do needs a session that was opened with a second factor."""

    code = "second_factor_required"
    kind = Kind.FORBIDDEN
    hint = "Add a second factor with POST /api/v1/me/factors, then sign in again with its code."


class CursorMalformed(WebRefusal):
    """A cursor that no page gave."""

    code = "cursor_malformed"
    kind = Kind.INVALID
    hint = "Use the `next` of the page before as it is, or leave the cursor away."


class NotReady(WebRefusal):
    """A part the platform needs is not there; ``checks`` says which."""

    code = "not_ready"
    kind = Kind.UNAVAILABLE
    retryable = True
    hint = "Look at `checks`; send traffic here again when all of them are ok."


class InternalError(WebRefusal):
    """A bug of ours."""

    code = "internal_error"
    kind = Kind.UNAVAILABLE
    status = 500
    hint = "This is our mistake; it has been logged."


#: What the framework says when a body ends before its end.
_LEFT = "client disconnected prematurely"
_OF_STATUS: dict[int, type[WebRefusal]] = {
    400: RequestMalformed,
    404: RouteUnknown,
    405: MethodNotAllowed,
    413: BodyTooLarge,
    415: MediaTypeUnsupported,
    422: RequestInvalid,
}


def status_of(refusal: Refusal | type[Refusal]) -> int:
    """The HTTP status of a refusal."""
    return getattr(refusal, "status", None) or STATUS[refusal.kind]


def body_of(refusal: Refusal) -> dict[str, Any]:
    """The members of the problem that tells of a refusal."""
    return {
        "type": URN + refusal.code,
        "title": title_of(type(refusal)),
        "status": status_of(refusal),
        "detail": refusal.detail,
        "code": refusal.code,
        "retryable": refusal.retryable,
        "hint": refusal.hint,
        **{name: _plain(fact) for name, fact in refusal.facts.items() if name not in _OWN_MEMBERS},
    }


def title_of(refusal: type[Refusal]) -> str:
    """The first sentence of the class: the same for every refusal of this code."""
    return (refusal.__doc__ or refusal.code).strip().split("\n")[0].rstrip(".").replace("``", "")


def response_of(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """The answer that tells of a refusal."""
    return Response(
        msgspec.json.encode(body_of(refusal)),
        status_code=status_of(refusal),
        media_type=MEDIA_TYPE,
        headers={**(headers or {}), **_headers_of(refusal)},
    )


class Told(NamedTuple):
    """An answer as a server wants it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def told(refusal: Refusal) -> Told:
    """The same answer, for where there is no framework."""
    body = msgspec.json.encode(body_of(refusal))
    headers = {
        "content-type": MEDIA_TYPE,
        **_headers_of(refusal),
        "content-length": str(len(body)),
    }
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Told(status_of(refusal), sent, body)


def _headers_of(refusal: Refusal) -> dict[str, str]:
    """What a refusal says in headers besides."""
    sent = {}
    if refusal.retry_after_s is not None or refusal.kind in (Kind.BUSY, Kind.UNAVAILABLE):
        sent["Retry-After"] = str(max(refusal.retry_after_s or 1, 1))
    if refusal.kind is Kind.UNAUTHENTICATED:
        sent["WWW-Authenticate"] = 'Bearer realm="jigap"'
    return sent


def refused(request: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    """Exception handler: an expected no."""
    note_refused(request.scope, refusal.code)
    return response_of(refusal)


def not_served(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Exception handler: what the framework refused, in our words."""
    if isinstance(error.extra, list) and error.extra:
        errors = [_field_error(one) for one in error.extra]
        return response_of(
            RequestInvalid("The request does not have the right shape.", errors=errors)
        )
    class_ = _OF_STATUS.get(error.status_code)
    if error.detail == _LEFT:  # nobody is there to read the answer
        class_ = RequestMalformed
    if class_ is None:
        return failed(request, error)
    allow = {"Allow": ", ".join(_methods(request))} if class_ is MethodNotAllowed else {}
    return response_of(class_(title_of(class_) + "."), allow)


def too_deep(request: Request[Any, Any, Any], error: RecursionError) -> Response[bytes]:
    """Exception handler: a body nested deeper than any of ours."""
    log.warning("too deep: %s", request.scope.get("path_template"))
    return response_of(RequestMalformed("The body is nested too deeply."))


def failed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Exception handler: a bug. The caller learns nothing of it."""
    return response_of(bug(request.scope.get("path_template"), error))


def bug(route: object, error: Exception) -> InternalError:
    """What is told of a bug, after it was logged."""
    log.error("a bug while answering %s", route, exc_info=error)
    return InternalError("Something went wrong on our side.")


def _methods(request: Request[Any, Any, Any]) -> list[str]:
    """The methods of the route at this address."""
    parts = request.scope["path"].strip("/").split("/")
    found: set[str] = {"OPTIONS"}
    for route in request.app.routes:
        if isinstance(route, HTTPRoute) and _leads_to(route.path_format, parts):
            found |= set(route.methods)
    return sorted(found)


def _leads_to(template: str, parts: list[str]) -> bool:
    wanted = template.strip("/").split("/")
    return len(wanted) == len(parts) and all(
        one == part or one.startswith("{") for one, part in zip(wanted, parts, strict=True)
    )


def _field_error(one: Any) -> dict[str, str]:
    """Where and why; never the value, which may be a password."""
    if not isinstance(one, dict):
        return {"message": "does not fit"}
    return {name: str(one[name]) for name in ("source", "key", "message") if name in one}


def _plain(fact: Any) -> Any:
    if isinstance(fact, str | int | float | bool | list | dict) or fact is None:
        return fact
    return str(fact)

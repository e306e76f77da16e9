"""The outermost layer: security headers on every answer, one line of access log, two metrics.

It also says where a request came from, for whatever is written into the audit trail on its behalf.

Logs and metrics know routes by their template (``/api/v1/transfers/{id}``) and never see a query, a
body or a header: those hold phone numbers, names and secrets.
"""

import asyncio
import logging
import time
from typing import Any, cast

from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from jigap import audit
from jigap.shield import Shield
from jigap.web.headers import HEADERS
from jigap.web.health import Metrics
from jigap.web.scope import refused_in, source_in
from jigap.web.whole import Whole

log = logging.getLogger("jigap.access")

_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_CROSS_SITE = (b"sec-fetch-site", b"cross-site")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Outside:
    """Wraps the whole application."""

    def __init__(self, inside: ASGIApp, metrics: Metrics, shield: Shield) -> None:
        self._inside = inside
        self._metrics = metrics
        self._shield = shield
        self._whole = Whole()
        self._answered: list[tuple[str, str, int, float]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._inside(scope, receive, send)
            return
        status = 500
        held: Any = None
        begun = time.perf_counter()
        headers_only = scope["method"] == "HEAD"
        if headers_only:  # the answer of GET without its body; to the server it stays a HEAD
            scope = cast(HTTPScope, {**scope, "method": HttpMethod.GET.value})

        async def send_on(message: Message) -> None:
            nonlocal status, held
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", []))
                message["headers"] = _with_headers(headers)
                if not headers_only and any(name == b"content-length" for name, _ in headers):
                    held = message  # its body is about to come
                    return
            elif message["type"] == "http.response.body":
                if headers_only:
                    message["body"] = b""
                if held is not None:
                    start, held = held, None
                    if self._is_written(send, start, message):
                        return
                    await send(start)
            await send(message)

        try:
            with audit.asked_from(address_in(scope)):
                await self._inside(scope, receive, send_on)
        finally:
            self._note(scope, status, time.perf_counter() - begun)
            if status >= 400 and (source := source_in(scope)) is not None:
                cross_site = _CROSS_SITE in scope["headers"]
                self._shield.answered(source, status, refused_in(scope), cross_site=cross_site)

    def _is_written(self, send: Send, start: Any, message: Any) -> bool:
        """Whether the answer could be written as a whole."""
        body = message.get("body", b"")
        if message.get("more_body", False):
            return False
        headers = [one for one in start["headers"] if one[0] != b"content-length"]
        if len(headers) + 1 != len(start["headers"]):
            return False
        if (b"content-length", b"%d" % len(body)) not in start["headers"]:
            return False  # the server will say what is wrong with it
        return self._whole.write(send, start["status"], headers, body)

    def _note(self, scope: HTTPScope, status: int, seconds: float) -> None:
        template = str(cast(dict[str, Any], scope).get("path_template") or "(unknown)")
        method = scope["method"] if scope["method"] in _METHODS else "(other)"
        self._metrics.note(method, template, status, seconds)
        if log.isEnabledFor(logging.INFO):
            if not self._answered:
                asyncio.get_running_loop().call_soon(self._tell)
            self._answered.append((method, template, status, seconds * 1000))

    def _tell(self) -> None:
        """Log what was answered in one turn of the event loop: many lines, written once."""
        answered, self._answered = self._answered, []
        log.info(
            "%s",
            "\n".join(
                [f"{how} {where} {status} {ms:.1f} ms" for how, where, status, ms in answered]
            ),
        )


def address_in(scope: HTTPScope) -> str:
    """The network address a request came from."""
    client = scope.get("client")
    return client[0] if client else ""


def _with_headers(given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Our headers where the answer has none of its own."""
    present = {name.lower() for name, _ in given}
    return given + [one for one in _HEADERS if one[0] not in present]

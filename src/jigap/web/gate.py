"""The outermost layer for requests: who really asks, may they, and not too often.

Whoever may not come in at all has mostly been turned away when the connection was made
(``connection``). What is left for here is what a connection cannot know: whom a proxy of ours
speaks for, and a ban that came after. And each request takes from the buckets of its address. What
an account may ask for is asked where it is known (``account_may``).

From here on inwards the request's client is the true one, for everything that asks: the list of
sessions, the audit trail, the counters of guesses.
"""

import logging
import re
import time
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from jigap.shield import ForwardedMalformed, RateLimited, Rule, Shield, Source
from jigap.web.scope import SOURCE
from jigap.web.turned_away import WORDS, answer_of

log = logging.getLogger("jigap.shield")

_HTTP = ScopeType.HTTP
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """Wraps the whole application. ``guessing`` matches the paths where secrets may be guessed."""

    def __init__(self, inside: ASGIApp, shield: Shield, guessing: re.Pattern[str]) -> None:
        self._inside = inside
        self._shield = shield
        self._guessing = guessing
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != _HTTP:
            await self._inside(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused is None:
            await self._inside(scope, receive, send)
        else:
            await self._turn_away(scope, send, *refused)

    def _refused(self, scope: Any) -> tuple[Source, Rule, float] | None:
        """Who asks, said to the scope; and if it is refused, the rule and how long to wait."""
        shield = self._shield
        source: Source = scope.get(SOURCE) or shield.source(_peer(scope))
        rule: Rule | None = None
        wait_s = 1.0
        if source.proxy:
            try:
                source = shield.behind(source, _values(scope, shield.header))
            except ForwardedMalformed:
                rule = Rule.FORWARDED
            scope["client"] = (source.text, 0)
        elif source.verdict.local and not self._warned and _values(scope, shield.header):
            self._warn_of_proxy(source)
        scope[SOURCE] = source
        if rule is None and shield.on:
            rule = shield.refuses(source)
            if rule is None and (over := shield.over_rate(source, time.monotonic())):
                rule, wait_s = over
            if rule is None and scope["method"] not in _SAFE:
                rule, wait_s = self._of_change(scope, source)
        return None if rule is None else (source, rule, wait_s)

    def _of_change(self, scope: Any, source: Source) -> tuple[Rule | None, float]:
        """What keeps back a request that would change something, or guess."""
        if self._shield.damage:
            return Rule.DAMAGED, 10.0
        if source.proxy:  # for whom? nobody's country or ban could be looked at
            return Rule.FORWARDED, 1.0
        if scope["method"] == "POST" and self._guessing.fullmatch(scope["path"]):
            wait_s = self._shield.over_guesses(source, time.monotonic())
            return (Rule.RATE_ROUTE, wait_s) if wait_s else (None, 0.0)
        return None, 0.0

    def _warn_of_proxy(self, source: Source) -> None:
        """Once: a proxy that is not listed makes everybody local, and the shield lets them in."""
        self._warned = True
        log.warning(
            "%s says whom it speaks for, but is not listed in `proxies`: all who come through it "
            "count as local, and nobody's country or ban is looked at",
            source.text,
        )

    async def _turn_away(
        self, scope: Any, send: Send, source: Source, rule: Rule, wait_s: float
    ) -> None:
        class_ = "read" if scope["method"] in _SAFE else "write"
        if rule is Rule.RATE_ROUTE:
            class_ = "sign_in"
        reference = self._shield.turned_away(source, rule, class_)
        answer = answer_of(rule, next(iter(_values(scope, b"accept")), b""))
        headers = answer.headers_with(wait_s)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else answer.body(reference)
        await send({"type": "http.response.body", "body": body, "more_body": False})


def account_may(shield: Shield, source: Source, member_id: str, *, money: bool) -> None:
    """Take from the buckets of a member who asks. Raises ``RateLimited``."""
    over = shield.over_account(source, member_id, money=money, now_s=time.monotonic())
    if over is None:
        return
    rule, wait_s = over
    reference = shield.turned_away(source, rule, "money" if money else "")
    raise RateLimited(
        WORDS[rule].what_en,
        retry_after_s=-int(-wait_s // 1),
        rule=rule.value,
        reference=reference,
    )


def _peer(scope: Any) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _values(scope: Any, wanted: bytes) -> list[bytes]:
    """The lines of a header; the server has lowered their names."""
    return [value for name, value in scope["headers"] if name == wanted]

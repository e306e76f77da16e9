"""The first line: what is decided when a connection is made, and how long it may take its time.

``Door`` is a process's connections together, ``GuardedConnection`` is one of them: uvicorn's, which
asks the shield as soon as it has a peer. Whoever may not come in never reaches the application, nor
even the parser: the first bytes are answered with a page or a problem made beforehand, and whoever
keeps coming is not answered at all. Our own proxies come in always; for whom they speak is looked
at by ``gate``.

Every connection has a deadline: for the headers of a request, then for its body, then for taking
the answer. One look a second at all of them costs less than a timer for each request. When places
become few, those who have sent nothing are given less time.
"""

import asyncio
import resource
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from jigap.shield import Rule, Shield, Source
from jigap.shield.buckets import Buckets
from jigap.web.corked import Connection
from jigap.web.scope import SOURCE
from jigap.web.turned_away import accept_in, answer_of

HEADER_S = 10.0
#: When three of four places are taken, and for whoever is to be turned away.
HEADER_SHORT_S = 2.0
#: For all of a request, its body included.
BODY_S = 20.0
WRITE_S = 20.0
SWEEP_S = 1.0
HEADERS_MAX = 100
HEADER_BYTES_MAX = 16 * 1024
#: Of all that follows the headers: no body may be so long, so it is trailers, or chunks of nothing.
REST_BYTES_MAX = 1024 * 1024
PIPELINED_MAX = 16
#: To one address that may not come in, so many pages are shown; then the line is cut.
PAGES_PER_S, PAGES_BURST = 2.0, 20.0
LOCAL_FACTOR = 10
#: Files that are open besides connections: databases, key files, the node's socket.
OTHER_FILES = 256
_NEVER = float("inf")
#: Called for each request; looked up once.
_data_received = Connection.data_received
_on_message_begin = Connection.on_message_begin
_on_headers_complete = Connection.on_headers_complete
_on_message_complete = Connection.on_message_complete


def files_for(connections_max: int) -> int:
    """Let the process open as many files, as far as the system allows; how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections_max + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return connections_max
    return min(connections_max, soft - OTHER_FILES)


class Door:
    """All connections of one web process."""

    def __init__(self, shield: Shield, *, connections_max: int, address_max: int) -> None:
        self.shield = shield
        self._max = connections_max
        self._address_max = address_max
        self._inside: set[GuardedConnection] = set()
        self._by_host: Counter[int] = Counter()
        self._pages = Buckets(PAGES_PER_S, PAGES_BURST)
        self._sweeping = False
        self.header_s = HEADER_S  # how long the headers of a request may take

    @property
    def protocol(self) -> Callable[..., asyncio.Protocol]:
        """What uvicorn makes a connection of."""
        return partial(GuardedConnection, self)

    @property
    def connections(self) -> int:
        return len(self._inside)

    def enter(self, one: "GuardedConnection", source: Source) -> Rule | None:
        """Count a new connection; the rule that keeps it out, if one does."""
        if not self._sweeping:
            self._sweeping = True
            one.loop.call_later(SWEEP_S, self._sweep, one.loop)
        self._inside.add(one)
        self._look_around()
        self._by_host[source.host_key] += 1
        if source.proxy:
            return None
        rule = self.shield.refuses(source)
        if rule is not None:
            return rule
        mine = self._address_max * (LOCAL_FACTOR if source.verdict.local else 1)
        if self._by_host[source.host_key] > mine:
            return Rule.CONNECTIONS
        return Rule.FULL if len(self._inside) > self._max else None

    def leave(self, one: "GuardedConnection", source: Source) -> None:
        """A connection has ended."""
        self._inside.discard(one)
        self._look_around()
        self._by_host[source.host_key] -= 1
        if not self._by_host[source.host_key]:
            del self._by_host[source.host_key]

    def _look_around(self) -> None:
        few = len(self._inside) * 4 > self._max * 3
        self.header_s = HEADER_SHORT_S if few else HEADER_S

    def shows_page(self, source: Source) -> bool:
        """Whether somebody who may not come in is worth an answer still.

        Not when half the places are taken: they are for those who may.
        """
        few = len(self._inside) * 2 > self._max
        return not few and not self._pages.take(source.host_key, time.monotonic())

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        for one in list(self._inside):
            one.look(now_s)
        self._sweeping = bool(self._inside)
        if self._sweeping:
            loop.call_later(SWEEP_S, self._sweep, loop)


class _TurnedAway(Exception):
    """Ends the parser's work; the connection knows the rule."""


class GuardedConnection(Connection):
    """One connection."""

    def __init__(self, door: Door, *arguments: Any, **given: Any) -> None:
        super().__init__(*arguments, **given)
        self._door = door
        self._source: Source | None = None
        self._rule: Rule | None = None
        self._in_headers = True
        self._begun = False  # a request
        self._bytes = 0  # of its headers; then of what follows them
        self._deadline_s = _NEVER
        self._stuck_since_s = 0.0

    # --- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        host, port = self.client or ("", 0)
        source = self._source = self._door.shield.source(host)
        self.client = (source.text, port)
        self._rule = self._door.enter(self, source)
        self._deadline_s = self.loop.time() + self._door.header_s
        if self._rule is None:
            return
        self._deadline_s = self.loop.time() + HEADER_SHORT_S
        if not self._door.shows_page(source):
            self._door.shield.turned_away(source, self._rule)
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._source is not None:
            self._door.leave(self, self._source)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._rule is not None:
            self._turn_away(self._rule, data)
            return
        self._bytes += len(data)
        _data_received(self, data)
        if self._bytes > (HEADER_BYTES_MAX if self._in_headers else REST_BYTES_MAX):
            self._turn_away(Rule.HEADER_SIZE)
        elif self._deadline_s == _NEVER and (self.cycle is None or self.cycle.response_complete):
            # Empty lines between requests are none, and have stopped the clock of a quiet line.
            self._deadline_s = self.loop.time() + self._door.header_s

    def look(self, now_s: float) -> None:
        """Once a second: has this connection had its time?"""
        if not self.transport.get_write_buffer_size():
            self._stuck_since_s = 0.0
        elif not self._stuck_since_s:
            self._stuck_since_s = now_s
        elif now_s - self._stuck_since_s >= WRITE_S:
            self.transport.abort()
            return
        if now_s < self._deadline_s or self.transport.is_closing():
            return
        if self.flow.read_paused:  # it is we who do not read
            self._deadline_s = now_s + BODY_S
        elif self._rule is not None:
            self.transport.close()
        elif not self._begun:  # nothing was asked: browsers open lines that they may not need
            self._leave_silently()
        else:
            self._turn_away(Rule.HEADER_TIME if self._in_headers else Rule.BODY_TIME)

    # --- the parser

    def on_message_begin(self) -> None:
        _on_message_begin(self)
        self._begun = True
        self.scope[SOURCE] = self._source  # type: ignore[literal-required]
        self._deadline_s = self.loop.time() + self._door.header_s

    def on_headers_complete(self) -> None:
        if len(self.headers) > HEADERS_MAX or (
            self._bytes > HEADER_BYTES_MAX and self._length() > HEADER_BYTES_MAX
        ):
            self._rule = Rule.HEADER_SIZE
            raise _TurnedAway
        if len(self.pipeline) >= PIPELINED_MAX:
            self._rule = Rule.CONNECTIONS
            raise _TurnedAway
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            self._rule = Rule.MALFORMED  # a server before us may have read another host than we
            raise _TurnedAway
        self._in_headers = False
        self._bytes = 0
        self._deadline_s += BODY_S - HEADER_S
        _on_headers_complete(self)
        self.headers = []  # trailers are no headers: they might name another client

    def on_message_complete(self) -> None:
        self._in_headers = True
        self._begun = False
        self._bytes = 0
        self._deadline_s = _NEVER
        _on_message_complete(self)

    def send_400_response(self, msg: str) -> None:
        """The parser gave up: over something malformed, or because we told it to."""
        self._turn_away(self._rule or Rule.MALFORMED)

    # --- the end

    def _length(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _leave_silently(self) -> None:
        """End a line on which nothing was asked; there is nothing to answer."""
        assert self._source is not None
        self._door.shield.turned_away(self._source, Rule.SILENCE)
        self.transport.close()

    def _turn_away(self, rule: Rule, data: bytes = b"") -> None:
        """Answer that it ends here, unless another answer has begun, and end it."""
        self._rule = rule
        if self.transport.is_closing():
            return
        assert self._source is not None
        reference = self._door.shield.turned_away(self._source, rule)
        if self.cycle is not None and not self.cycle.response_complete:
            # Somebody inside is at work for this connection; what they say now goes nowhere.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started or self.pipeline or not self.cycle.more_body:
                # No answer to a request that came whole may be another request's.
                self.transport.abort()
                return
        elif self.cycle is not None and not self._in_headers:
            self.transport.close()  # what still comes is the rest of what was answered already
            return
        self.pipeline.clear()
        answer = answer_of(rule, accept_in(data))
        self.transport.write(answer.whole(reference, head=data.startswith(b"HEAD ")))
        self.transport.close()

"""An answer that is whole, head and body, leaves whole: one step instead of the server's several.

The server looks at each header of each answer with two regular expressions and writes head and body
in two steps. Nearly all answers are there as a whole when they are sent, and their headers are the
same few again and again. So the server's own look is taken once for each set of headers, and what
it allowed is kept as the bytes it becomes. Answers that are streamed, or ask for anything out of
the ordinary, go the server's way.
"""

from typing import Any

from litestar.types import Send
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

Headers = list[tuple[bytes, bytes]]

#: Sets of headers that are kept; those that differ each time would else fill the memory.
KEPT_MAX = 256
KEPT_BYTES_MAX = 2_000
_SERVERS_OWN = frozenset({b"connection", b"transfer-encoding"})


class Whole:
    """Writes whole answers; keeps what their heads become."""

    def __init__(self) -> None:
        self._heads: dict[tuple[Any, ...], bytes] = {}
        self._dated: tuple[Headers, bytes] = ([], b"")

    def write(self, send: Send, status: int, headers: Headers, body: bytes) -> bool:
        """Whether the answer has been written; if not, send it message by message.

        ``headers`` are all of them but content-length.
        """
        cycle = getattr(send, "__self__", None)
        if (
            not isinstance(cycle, RequestResponseCycle)
            or cycle.response_started
            or cycle.disconnected
            or not cycle.keep_alive
            or cycle.flow.write_paused
            or cycle.scope["method"] == "HEAD"
        ):
            return False
        head = self._head(status, headers)
        if head is None:
            return False
        dated = self._date(cycle.default_headers)
        length = b"content-length: %d\r\n\r\n" % len(body)
        cycle.transport.write(b"".join((STATUS_LINE[status], dated, head, length, body)))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()
        return True

    def _head(self, status: int, headers: Headers) -> bytes | None:
        """The lines of these headers; None if the server should look at them itself."""
        key = (status, *headers)
        head = self._heads.get(key)
        if head is None:
            for name, value in headers:
                if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
                    return None
                if name.lower() in _SERVERS_OWN:
                    return None
            head = _lines(headers)
            if status < 200 or status in (204, 304) or len(head) > KEPT_BYTES_MAX:
                return None
            if len(self._heads) >= KEPT_MAX:
                self._heads.clear()
            self._heads[key] = head
        return head

    def _date(self, headers: Headers) -> bytes:
        """The lines that the server adds; it makes a new list of them each second."""
        if self._dated[0] is not headers:
            self._dated = (headers, _lines(headers))
        return self._dated[1]


def _lines(headers: Headers) -> bytes:
    return b"".join(b"%s: %s\r\n" % (name.lower(), value) for name, value in headers)

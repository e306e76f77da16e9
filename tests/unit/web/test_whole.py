"""A whole answer is what the server would write; whatever is unusual goes the server's way."""

import asyncio
import logging
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from jigap.web.whole import KEPT_MAX, Whole

DATE = [(b"date", b"Sat, 21 Nov 2026 12:00:00 GMT")]
HEADERS = [(b"content-type", b"application/json"), (b"X-Frame-Options", b"DENY")]
BODY = b'{"status":"ok"}'


class Line:
    """A transport that remembers."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def cycle_of(line: Line, *, method: str = "GET", keep_alive: bool = True) -> Any:
    """A request that the server is about to answer."""
    quiet = logging.getLogger("nobody")
    cycle = RequestResponseCycle(
        scope={"type": "http", "method": method},  # type: ignore[typeddict-item]
        transport=line,  # type: ignore[arg-type]
        flow=FlowControl(line),  # type: ignore[arg-type]
        logger=quiet,
        access_logger=quiet,
        access_log=False,
        default_headers=DATE,
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: line.written.append(b"<next>"),
    )
    return cycle


async def servers_own(headers: list[tuple[bytes, bytes]], status: int, body: bytes) -> bytes:
    line = Line()
    cycle = cycle_of(line)
    with_length = [*headers, (b"content-length", b"%d" % len(body))]
    await cycle.send({"type": "http.response.start", "status": status, "headers": with_length})
    await cycle.send({"type": "http.response.body", "body": body, "more_body": False})
    return b"".join(line.written)


@pytest.mark.parametrize("status", [200, 201, 404, 503])
@pytest.mark.parametrize("body", [BODY, b""])
async def test_a_whole_answer_is_the_servers_own(status: int, body: bytes) -> None:
    whole = Whole()
    for _ in range(2):  # looked at, then kept
        line = Line()
        cycle = cycle_of(line)
        assert whole.write(cycle.send, status, HEADERS, body)
        assert b"".join(line.written) == await servers_own(HEADERS, status, body)
        assert cycle.response_complete


@pytest.mark.parametrize(
    "unusual",
    [
        [(b"x-a", b"b\r\nset-cookie: c")],
        [(b"x a", b"b")],
        [(b"Connection", b"close")],
        [(b"transfer-encoding", b"chunked")],
    ],
)
async def test_unusual_headers_are_left_to_the_server(unusual: list[tuple[bytes, bytes]]) -> None:
    line = Line()
    assert not Whole().write(cycle_of(line).send, 200, [*HEADERS, *unusual], BODY)
    assert line.written == []


async def test_unusual_requests_are_left_to_the_server() -> None:
    whole = Whole()
    assert not whole.write(cycle_of(Line(), method="HEAD").send, 200, HEADERS, BODY)
    assert not whole.write(cycle_of(Line(), keep_alive=False).send, 200, HEADERS, BODY)
    assert not whole.write(cycle_of(Line()).send, 204, HEADERS, b"")
    assert not whole.write(cycle_of(Line()).send, 304, HEADERS, b"")
    gone = cycle_of(Line())
    gone.disconnected = True
    assert not whole.write(gone.send, 200, HEADERS, BODY)

    async def send(_: Any) -> None: ...

    assert not whole.write(send, 200, HEADERS, BODY)


async def test_headers_that_differ_each_time_do_not_fill_the_memory() -> None:
    whole = Whole()
    for number in range(3 * KEPT_MAX):
        assert whole.write(cycle_of(Line()).send, 200, [(b"etag", b"%d" % number)], BODY)
    assert len(whole._heads) <= KEPT_MAX

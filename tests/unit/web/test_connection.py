"""A connection without a network: what it is given, what it writes, and when its time is up."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from jigap.clock import SimulatedClock
from jigap.settings import Settings
from jigap.shield import EntryKind, Rule, Shield
from jigap.web.connection import (
    BODY_S,
    HEADER_S,
    HEADER_SHORT_S,
    PAGES_BURST,
    PIPELINED_MAX,
    WRITE_S,
    Door,
    GuardedConnection,
)

KOREAN, FOREIGN = "1.11.0.1", "8.8.8.8"
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"


class FakeTransport(asyncio.Transport):
    """Remembers what was written and whether it was closed or cut."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self._host = host
        self.written = b""
        self.closing = False
        self.cut = False
        self.waiting_bytes = 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self._host, 4711) if name == "peername" else default

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.cut = True

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class World:
    """A door, and what came through it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.shield = Shield(folder, bytes(32), Settings(**settings), SimulatedClock())
        self.door = Door(self.shield, connections_max=20, address_max=3)
        self.seen: list[Any] = []
        self.heard: list[str] = []
        self.answering = asyncio.Event()
        self.answering.set()

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(scope)
        if scope["method"] == "POST":
            while (message := await receive()).get("more_body"):
                pass
            self.heard.append(message["type"])
        await self.answering.wait()
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    def connect(self, host: str = KOREAN) -> tuple[GuardedConnection, FakeTransport]:
        config = Config(
            self.application,
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        config.load()
        made: Any = self.door.protocol(config=config, server_state=ServerState(), app_state={})
        transport = FakeTransport(host)
        made.connection_made(transport)
        return made, transport


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(tmp_path, development="0")


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_may_come_in_is_answered_by_the_application(world: World):
    connection, transport = world.connect()
    connection.data_received(REQUEST)
    await settled()
    assert transport.written.startswith(b"HTTP/1.1 200 ")
    assert transport.written.endswith(b"ok")
    assert not transport.closing


async def test_who_may_not_never_reaches_it(world: World):
    connection, transport = world.connect(FOREIGN)
    assert transport.written == b""  # the answer belongs to a question
    connection.data_received(REQUEST)
    connection.data_received(REQUEST)
    await settled()
    assert transport.written.startswith(b"HTTP/1.1 403 ")
    assert transport.written.count(b"HTTP/1.1") == 1
    assert b'"rule":"country"' in transport.written
    assert transport.closing
    assert world.seen == []


async def test_a_browser_is_shown_a_page_and_head_no_body(world: World):
    connection, transport = world.connect(FOREIGN)
    connection.data_received(b"GET / HTTP/1.1\r\naccept: text/html\r\n\r\n")
    assert b"<html" in transport.written
    connection, transport = world.connect(FOREIGN)
    connection.data_received(b"HEAD / HTTP/1.1\r\nAccept: text/html\r\n\r\n")
    assert transport.written.endswith(b"\r\n\r\n")


async def test_whoever_keeps_coming_is_not_answered_any_more(world: World):
    cut = []
    for _ in range(int(PAGES_BURST) + 5):
        connection, transport = world.connect(FOREIGN)
        cut.append(transport.cut)
        connection.connection_lost(None)
    assert cut == [False] * int(PAGES_BURST) + [True] * 5
    assert world.shield.refused[Rule.COUNTRY] >= 5


async def test_an_ipv4_address_through_an_ipv6_socket_is_the_ipv4_address(world: World):
    connection, _ = world.connect("::ffff:1.11.0.1")
    connection.data_received(REQUEST)
    await settled()
    assert world.seen[0]["client"] == (KOREAN, 4711)
    _, foreign = world.connect("::ffff:8.8.8.8")
    assert not foreign.written


async def test_an_entry_of_an_operator_counts_at_the_door(world: World):
    world.shield.store.put_entry(KOREAN, EntryKind.DENY, "abuse", "mb_1", 1)
    world.shield.look()
    connection, transport = world.connect()
    connection.data_received(REQUEST)
    assert b'"rule":"entry"' in transport.written


async def test_headers_have_their_time(world: World):
    connection, transport = world.connect()
    connection.data_received(REQUEST[:-2])
    connection.look(now_s() + HEADER_S - 0.5)
    assert not transport.closing
    connection.look(now_s() + HEADER_S)
    assert transport.written.startswith(b"HTTP/1.1 408 ")
    assert b'"rule":"header_time"' in transport.written
    assert transport.closing


async def test_a_byte_now_and_then_buys_no_time(world: World):
    connection, transport = world.connect()
    begun_s = now_s()
    for number, byte in enumerate(REQUEST[:-2]):
        connection.data_received(bytes([byte]))
        connection.look(begun_s + number / 3)
    connection.look(begun_s + HEADER_S + 0.5)
    assert transport.closing
    assert world.seen == []


async def test_nothing_at_all_has_its_time_too(world: World):
    connection, transport = world.connect()
    connection.look(now_s() + HEADER_S)
    assert transport.closing
    assert transport.written == b""


async def test_lines_that_browsers_open_and_do_not_use_lead_to_no_ban(world: World):
    for _ in range(50):
        connection, transport = world.connect()
        connection.look(now_s() + HEADER_S)
        connection.connection_lost(None)
        assert transport.closing
    assert world.shield.refused == {Rule.SILENCE: 50}
    assert world.shield._wishes.empty()


async def test_empty_lines_between_requests_buy_no_time(world: World):
    connection, transport = world.connect()
    connection.data_received(REQUEST)
    await settled()
    begun_s = now_s()
    for _ in range(3):
        connection.data_received(b"\r\n")
    connection.look(begun_s + HEADER_S - 0.5)
    assert not transport.closing
    connection.look(begun_s + HEADER_S + 0.5)
    assert transport.closing


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"


async def test_trailers_are_no_headers(world: World):
    connection, transport = world.connect()
    connection.data_received(CHUNKED + b"X-Forwarded-For: 1.11.0.9\r\nHost: y\r\n\r\n")
    await settled()
    assert transport.written.startswith(b"HTTP/1.1 200 ")
    assert world.seen[0]["headers"] == [(b"host", b"x"), (b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("line", [b"a: " + b"x" * 60_000 + b"\r\n", b"x" * 60_000])
async def test_trailers_have_an_end(world: World, line: bytes):
    connection, transport = world.connect()
    connection.data_received(CHUNKED)
    await settled()
    for _ in range(20):
        if not transport.closing:
            connection.data_received(line)
    assert transport.closing
    assert b" 200 " not in transport.written


async def test_a_full_house_is_nobodys_fault(world: World):
    crowd = [world.connect(f"1.11.{number}.1") for number in range(20)]
    for _ in range(300):
        late, transport = world.connect("1.11.99.1")
        assert transport.cut
        late.connection_lost(None)
    assert world.shield.refused == {Rule.FULL: 300}
    assert world.shield._wishes.empty()
    assert not any(transport.closing for _, transport in crowd)


async def test_who_may_not_come_in_takes_no_place_that_others_need(world: World):
    outside = [world.connect(f"8.8.{number}.8") for number in range(20)]
    assert [transport.cut for _, transport in outside] == [False] * 10 + [True] * 10


async def test_a_body_has_its_time_and_the_application_hears_that_it_ended(world: World):
    connection, transport = world.connect()
    connection.data_received(POST + b"12345")
    await settled()
    assert len(world.seen) == 1
    connection.look(now_s() + BODY_S - 0.5)
    assert not transport.closing
    connection.look(now_s() + BODY_S)
    assert transport.written.startswith(b"HTTP/1.1 408 ")
    await settled()
    assert world.heard == ["http.disconnect"]
    assert transport.written.count(b"HTTP/1.1") == 1


async def test_a_body_that_nobody_waits_for_is_not_answered_twice(world: World):
    async def hasty(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    connection, transport = world.connect()
    connection.app = hasty
    connection.data_received(POST + b"12345")
    await settled()
    connection.look(now_s() + BODY_S)
    assert transport.closing
    assert transport.written.count(b"HTTP/1.1") == 1


async def test_an_answer_may_take_as_long_as_it_likes(world: World):
    """As with ``Prefer: wait``: the request has come, and it is we who take our time."""
    world.answering.clear()
    connection, transport = world.connect()
    connection.data_received(POST + b"1234567890")
    await settled()
    connection.look(now_s() + 10 * BODY_S)
    assert not transport.closing
    world.answering.set()
    await settled()
    assert transport.written.endswith(b"ok")


async def test_whoever_does_not_take_the_answer_is_cut_off(world: World):
    connection, transport = world.connect()
    connection.data_received(REQUEST)
    await settled()
    transport.waiting_bytes = 100
    connection.look(1.0)
    connection.look(0.9 + WRITE_S)
    assert not transport.cut
    transport.closing = True  # keep-alive has ended; what waits still waits
    connection.look(1.0 + WRITE_S)
    assert transport.cut


async def test_somebody_slow_who_takes_it_all_is_left_alone(world: World):
    connection, transport = world.connect()
    for second in range(100):
        transport.waiting_bytes = 0 if second % 10 == 0 else 100
        connection.look(float(second + 1) if second else 0.5)
    assert not transport.cut


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"y" * 17_000 + b"\r\n\r\n",
        b"GET /" + b"y" * 17_000,
        b"GET / HTTP/1.1\r\nx: " + b"y" * 17_000,
    ],
)
async def test_headers_have_their_size(world: World, request_: bytes):
    connection, transport = world.connect()
    connection.data_received(request_)
    await settled()
    assert transport.written.startswith(b"HTTP/1.1 431 ")
    assert world.seen == []


async def test_a_body_in_the_same_breath_is_no_header(world: World):
    body = b"x" * 60_000
    connection, transport = world.connect()
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection.data_received(head + body)
    await settled()
    assert transport.written.startswith(b"HTTP/1.1 200 ")


async def test_what_is_no_http_is_counted_and_ends(world: World):
    connection, transport = world.connect()
    connection.data_received(b"\x16\x03\x01 hello\r\n\r\n")
    assert transport.written.startswith(b"HTTP/1.1 400 ")
    assert transport.closing
    assert world.shield.refused[Rule.MALFORMED] == 1


async def test_no_answer_to_rubbish_is_taken_for_the_answer_to_a_payment(world: World):
    world.answering.clear()
    connection, transport = world.connect()
    connection.data_received(POST + b"1234567890")
    await settled()
    connection.data_received(b"rubbish\r\n\r\n")
    assert transport.written == b""
    assert transport.cut


async def test_requests_do_not_pile_up_on_a_connection(world: World):
    world.answering.clear()
    connection, transport = world.connect()
    connection.data_received(REQUEST * (PIPELINED_MAX + 10))
    await settled()
    assert transport.cut
    assert len(connection.pipeline) <= PIPELINED_MAX


async def test_pipelined_requests_are_answered_one_after_the_other(world: World):
    connection, transport = world.connect()
    connection.data_received(REQUEST * 5)
    for _ in range(10):
        await settled()
    assert transport.written.count(b"HTTP/1.1 200 ") == 5


async def test_one_address_may_have_so_many_connections(world: World):
    mine = [world.connect() for _ in range(4)]
    mine[3][0].data_received(REQUEST)
    assert mine[3][1].written.startswith(b"HTTP/1.1 429 ")
    assert b'"rule":"connections"' in mine[3][1].written
    assert b"retry-after: 1" in mine[3][1].written
    other, transport = world.connect("1.11.0.2")
    other.data_received(REQUEST)
    await settled()
    assert b" 200 " in transport.written
    for connection, _ in mine:
        connection.connection_lost(None)
    again, transport = world.connect()
    again.data_received(REQUEST)
    await settled()
    assert b" 200 " in transport.written


async def test_ended_connections_leave_nothing_behind(world: World):
    for number in range(50):
        connection, _ = world.connect(f"1.11.0.{number}")
        connection.connection_lost(None)
    assert world.door.connections == 0
    assert not world.door._by_host


async def test_when_places_become_few_silence_is_not_waited_for(world: World):
    crowd = [world.connect(f"1.11.{number}.1") for number in range(16)]
    late, transport = crowd[-1]
    late.look(now_s() + HEADER_SHORT_S)
    assert transport.closing


async def test_the_door_looks_at_its_connections_by_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("jigap.web.connection.SWEEP_S", 0.01)
    monkeypatch.setattr("jigap.web.connection.HEADER_S", 0.02)
    connection, transport = world.connect()
    for _ in range(200):
        await asyncio.sleep(0.01)
        if transport.closing:
            break
    assert transport.closing
    connection.connection_lost(None)


async def test_a_proxy_of_ours_comes_in_and_its_connections_are_not_counted(tmp_path: Path):
    world = World(tmp_path, proxies="10.0.0.0/8")
    for _ in range(10):
        connection, transport = world.connect("10.0.0.1")
    connection.data_received(REQUEST)
    await settled()
    assert b" 200 " in transport.written
    assert world.seen[0]["jigap.source"].proxy

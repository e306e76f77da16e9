"""The load process counts what happened, also when servers behave badly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bench.load import Job, loading, request

pytestmark = pytest.mark.e2e

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@asynccontextmanager
async def answering(*answers: list[bytes]) -> AsyncIterator[int]:
    """A server whose n-th connection gives the n-th answers, in pieces, then closes."""
    connections = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in next(connections, []):
            await reader.readuntil(b"\r\n\r\n")
            for at in range(0, len(answer), 30):
                writer.write(answer[at : at + 30])
                await writer.drain()
                await asyncio.sleep(0.002)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def taken(folder: Path, port: int, clients: int, loops: int, **more: float) -> dict:
    asked = [[request("GET", "/", port)]] * clients
    async with loading(folder) as load:
        found, samples = await load.run(Job("test", port, asked, loops, **more))
    assert len(samples) == found["samples"]
    return found


async def test_answers_in_pieces_are_whole_ones(tmp_path: Path):
    async with answering([WHOLE, CHUNKED, WHOLE]) as port:
        found = await taken(tmp_path, port, 1, 3)
    assert (found["samples"], found["ko"]) == (3, 0)
    assert found["received_kb_per_s"] > 0


async def test_a_connection_that_the_server_announces_to_close_is_no_error(tmp_path: Path):
    async with answering([WHOLE, CLOSING], [WHOLE]) as port:
        found = await taken(tmp_path, port, 1, 3)
    assert (found["samples"], found["ko"]) == (3, 0)


async def test_a_connection_that_breaks_is_a_ko_and_is_made_again(tmp_path: Path):
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"
    async with answering([WHOLE, half], [WHOLE, BUSY]) as port:
        found = await taken(tmp_path, port, 1, 4)
    assert (found["samples"], found["ko"]) == (4, 2)
    assert found["errors"] == {"connection broken": 1, "503": 1}


async def test_nobody_there_is_a_ko_for_every_request(tmp_path: Path):
    async with answering() as port:
        pass
    found = await taken(tmp_path, port, 2, 3)
    assert (found["samples"], found["ko"]) == (6, 6)


async def test_a_bounded_run_sends_nothing_after_its_time(tmp_path: Path):
    async with answering([WHOLE] * 10_000) as port:
        found = await taken(tmp_path, port, 1, 10_000, seconds_max=0.3)
    assert 1 < found["samples"] < 10_000
    assert found["ko"] == 0
    assert found["elapsed_s"] < 5

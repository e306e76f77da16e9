"""Clients that take their time: with their headers, with a body, with reading the answer.

Each holds a connection and asks for nothing that costs. Meanwhile whoever comes in good faith is
answered, and after the time that an honest client never needs the connection is ours again.
"""

import asyncio
import time
from contextlib import suppress

import httpx
import pytest

from jigap.web.connection import BODY_S, HEADER_S, SWEEP_S, WRITE_S
from tests.processes import Running

SLOW = 150
DRIP_S = 1.0
LATE_S = 15.0  # the machine of the tests may be busy
GET = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = (
    b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 5000\r\n\r\n{"
)


async def drips(port: int, first: bytes, seconds_max: float) -> tuple[float, bytes]:
    """Send ``first``, then a byte each second; how long it went on, and what came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = time.monotonic()
    answer = b""
    writer.write(first)
    with suppress(ConnectionError):
        while time.monotonic() < begun + seconds_max:
            with suppress(TimeoutError):
                async with asyncio.timeout(DRIP_S):
                    part = await reader.read(65536)
                answer += part
                if not part:
                    break
            writer.write(b"a")
    writer.close()
    return time.monotonic() - begun, answer


async def never_reads(port: int, seconds_max: float) -> float:
    """Ask for much and read nothing; how long the server put up with it."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    begun = time.monotonic()
    writer.write(GET * 15)
    with suppress(ConnectionError):
        while time.monotonic() < begun + seconds_max:
            await asyncio.sleep(DRIP_S)
            writer.write(b"\r\n")
            await writer.drain()
    writer.close()
    return time.monotonic() - begun


async def answered(url: str, until: asyncio.Future[object]) -> int:
    """How often an honest client was answered meanwhile; every answer must be a good one."""
    count = 0
    async with httpx.AsyncClient(base_url=url, timeout=5) as client:
        while not until.done():
            answer = await client.get("/healthz")
            assert answer.status_code == 200
            count += 1
            await asyncio.sleep(0.2)
    return count


@pytest.mark.slow
def test_slow_clients_lose_their_connections_and_nobody_else_notices(shared_platform: Running):
    port = int(shared_platform.url.rpartition(":")[2])

    async def attack() -> None:
        most_s = BODY_S + WRITE_S + LATE_S
        headers = asyncio.gather(*(drips(port, GET[:-2], most_s) for _ in range(SLOW)))
        bodies = asyncio.gather(*(drips(port, POST, most_s) for _ in range(SLOW)))
        readers = asyncio.gather(*(never_reads(port, most_s) for _ in range(5)))
        everybody = asyncio.gather(headers, bodies, readers)
        assert await answered(shared_platform.url, everybody) > 50
        await everybody
        for took_s, answer in headers.result():
            assert took_s < HEADER_S + SWEEP_S + LATE_S
            assert answer.startswith(b"HTTP/1.1 408 "), answer[:80]
            assert b'"rule":"header_time"' in answer
        for took_s, answer in bodies.result():
            assert took_s < BODY_S + SWEEP_S + LATE_S
            assert b'"rule":"body_time"' in answer, answer[:80]
        for took_s in readers.result():
            assert took_s < WRITE_S + 2 * SWEEP_S + LATE_S

    asyncio.run(attack())

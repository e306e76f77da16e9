"""Many clients at once, from few lines: plain HTTP/1.1 on kept connections.

An ordinary client library costs more for each request than the server that is attacked does. This
one sends bytes that were made before and reads only what it must to find the end of an answer.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_CODE = re.compile(rb'"code":"([a-z_]+)"')


@dataclass
class Answers:
    """What came back: how often each status with its code, and how long each took."""

    counted: Counter[tuple[int, str]] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.counted.values())

    def of(self, status: int) -> int:
        return sum(count for (one, _), count in self.counted.items() if one == status)


def request(
    method: str, path: str, body: bytes = b"", *, address: str = "", headers: str = ""
) -> bytes:
    """The bytes of one request; ``address`` goes into X-Forwarded-For."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if address:
        lines.append(f"X-Forwarded-For: {address}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    if headers:
        lines.append(headers)
    return "\r\n".join([*lines, "", ""]).encode() + body


async def send_all(
    port: int, requests: Iterable[bytes], *, clients: int, source: str = "127.0.0.1"
) -> Answers:
    """Send every request once, ``clients`` at a time, each on a kept connection."""
    answers, waiting = Answers(), iter(requests)
    await asyncio.gather(*(_client(port, waiting, answers, source) for _ in range(clients)))
    return answers


async def _client(port: int, waiting: Iterator[bytes], answers: Answers, source: str) -> None:
    reader = writer = None
    for sent in waiting:
        if writer is None:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(source, 0)
            )
        assert reader is not None
        begun = time.perf_counter()
        try:
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
        except (ConnectionError, asyncio.IncompleteReadError):
            answers.counted[0, "hung up"] += 1
            writer.close()
            writer = None
            continue
        status, code = _STATUS.match(head), _CODE.search(body)
        assert status is not None, head
        answers.counted[int(status[1]), code[1].decode() if code else ""] += 1
        answers.took_s.append(time.perf_counter() - begun)
        if b"\r\nconnection: close\r\n" in head.lower():
            writer.close()
            writer = None
    if writer is not None:
        writer.close()

"""The load of the paper's cases: a closed loop, from a process of its own.

Every client sends its next request when the answer to the one before is there, ``loops`` times, and
all begin at once (ramp-up 0). Requests are made beforehand, answers are only looked at as far as
their status and their end; so a request costs this process a few microseconds, and what it used is
part of the result. A connection that breaks is one KO and is made again; making it is part of the
time of the request that needed it.

The process (``python -m bench.load``) is told on its standard input where a job lies, says when it
is ready, begins when told to, and answers with the figures; the samples themselves lie beside the
job.
"""

import asyncio
import contextlib
import gc
import json
import pickle
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvloop

from bench.samples import BROKEN, UNANSWERED, Samples, by_active, columns, errors

#: How long answers are waited for after the last request of a bounded run.
GRACE_S = 20.0
#: No run is longer than this.
SECONDS_LIMIT = 300.0

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *(\d+)")
_CHUNKED = re.compile(rb"\r\n[Tt]ransfer-[Ee]ncoding: *chunked")
_CLOSE = re.compile(rb"\r\n[Cc]onnection: *close")


@dataclass(frozen=True, slots=True)
class Job:
    """What to do: each client sends its own requests in turn, ``loops`` in all.

    ``seconds_max`` bounds a run whose loops would take too long.
    """

    label: str
    port: int
    clients: Sequence[Sequence[bytes]]
    loops: int
    seconds_max: float | None = None
    host: str = "127.0.0.1"


class _Run:
    """One job under way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.samples = Samples()
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self.loop.create_future()
        self.active = len(job.clients)
        self.stop_at = float("inf")
        self._clients = [_Client(self, requests) for requests in job.clients]

    async def take(self) -> Samples:
        seconds_max = self.job.seconds_max
        now = time.perf_counter()
        self.stop_at = now + (seconds_max or SECONDS_LIMIT)
        for client in self._clients:
            client.start(now)
        await asyncio.wait([self.done], timeout=(seconds_max or SECONDS_LIMIT) + GRACE_S)
        for client in self._clients:
            client.give_up()
        return self.samples

    def add(self, start: float, end: float, status: int, received: int, sent: int) -> None:
        samples = self.samples
        samples.start_s.append(start)
        samples.end_s.append(end)
        samples.status.append(status)
        samples.received.append(received)
        samples.sent.append(sent)
        samples.active.append(self.active)

    def leave(self) -> None:
        self.active -= 1
        if not self.active and not self.done.done():
            self.done.set_result(None)


class _Client(asyncio.Protocol):
    """One client: at most one request under way."""

    def __init__(self, run: _Run, requests: Sequence[bytes]) -> None:
        self._run = run
        self._requests = requests
        self._number = 0
        self._request = b""
        self._begun = 0.0
        self._waiting = False
        self._left = False
        self._held = b""
        self._close = False
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None

    def start(self, now: float) -> None:
        """Send the next request, or leave if there is none."""
        if self._number >= self._run.job.loops or now >= self._run.stop_at:
            self._leave()
            return
        self._request = self._requests[self._number % len(self._requests)]
        self._number += 1
        self._begun = now
        self._waiting = True
        if self._transport is None:
            self._connecting = self._run.loop.create_task(self._connect())
        else:
            self._transport.write(self._request)

    async def _connect(self) -> None:
        job = self._run.job
        try:
            await self._run.loop.create_connection(lambda: self, job.host, job.port)
        except OSError:
            await asyncio.sleep(0.01)  # Nobody there: no need to ask faster than that.
            self._broken()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do what asyncio.Transport says without being one.
        self._transport, self._held = cast(asyncio.Transport, transport), b""
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        end = data.find(_HEAD_END)
        if end < 0 or not self._is_whole(data, end):
            self._held = data
            return
        self._held = b""
        now = time.perf_counter()
        if not self._waiting:
            return
        self._waiting = False
        self._run.add(self._begun, now, int(data[9:12]), len(data), len(self._request))
        if _CLOSE.search(data, 0, end + 2) is not None:
            self._drop()
        self.start(now)

    def _is_whole(self, data: bytes, end: int) -> bool:
        length = _LENGTH.search(data, 0, end + 2)
        if length is not None:
            return len(data) >= end + 4 + int(length[1])
        if _CHUNKED.search(data, 0, end + 2) is not None:
            return data.endswith(b"0\r\n\r\n")
        return data[9:12] in (b"204", b"304")

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._broken()

    def _broken(self) -> None:
        if self._waiting and not self._left:
            self._waiting = False
            now = time.perf_counter()
            self._run.add(self._begun, now, BROKEN, len(self._held), len(self._request))
            self.start(now)

    def _drop(self) -> None:
        """Let go of the connection; what it says afterwards is nobody's."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.set_protocol(asyncio.Protocol())
            transport.close()

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._drop()
            self._run.leave()

    def give_up(self) -> None:
        """The run is over, answered or not."""
        if self._left:
            return
        if self._waiting:
            self._waiting = False
            self._run.add(self._begun, time.perf_counter(), UNANSWERED, 0, len(self._request))
        if self._connecting is not None:
            self._connecting.cancel()
        self._leave()


def _serve() -> None:
    """The loop of the load process."""
    for line in sys.stdin:
        path = Path(json.loads(line)["job"])
        job: Job = pickle.loads(path.read_bytes())  # our own parent wrote it
        gc.collect()
        gc.freeze()
        gc.disable()
        _say({"ready": True})
        sys.stdin.readline()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            begun = time.process_time()
            samples = runner.run(_taken(job))
            cpu_s = time.process_time() - begun
        gc.enable()
        samples.keep(path.with_suffix(".samples"))
        _say(
            {
                **columns(job.label, [samples]),
                "errors": errors(samples),
                "by_active": by_active(samples),
                "load_cpu_s": round(cpu_s, 4),
            }
        )


async def _taken(job: Job) -> Samples:
    return await _Run(job).take()


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


@dataclass(slots=True)
class Load:
    """The load process, as the one who orders from it sees it."""

    process: asyncio.subprocess.Process
    folder: Path
    _jobs: int = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    async def run(
        self, job: Job, begin: Callable[[], None] | None = None
    ) -> tuple[dict[str, Any], Samples]:
        """The figures and the samples of a job; ``begin`` is called right before it begins."""
        self._jobs += 1
        path = self.folder / f"{self._jobs}.job"
        path.write_bytes(pickle.dumps(job))
        await self._tell({"job": str(path)})
        assert (await self._told()) == {"ready": True}
        if begin is not None:
            begin()
        await self._tell({"go": True})
        found = await self._told()
        path.unlink()
        return found, Samples.kept(path.with_suffix(".samples"))

    async def _tell(self, what: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        await self.process.stdin.drain()

    async def _told(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError("the load process has ended")
        return dict(json.loads(line))


@asynccontextmanager
async def loading(folder: Path) -> AsyncIterator[Load]:
    """A load process that keeps its jobs and samples in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.load",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    try:
        yield Load(process, folder)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def request(
    method: str, path: str, port: int, *, token: str = "", body: bytes = b"", source: str = ""
) -> bytes:
    """The bytes of one request; ``source`` is the address that a proxy says it speaks for."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if source:
        lines.append(f"X-Forwarded-For: {source}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


if __name__ == "__main__":
    _serve()

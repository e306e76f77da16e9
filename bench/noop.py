"""The least that a server like ours can do: an answer of a balance's size, and nothing behind it.

The same uvicorn, event loop and HTTP parser as the platform has; `python -m bench.noop` says its
port on one line and serves until it is ended.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
import uvloop

_BODY = b'{"token":"BENCH","available":"1000","on_hold":"0","total":"1000","height":1000}'
_HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(_BODY)).encode()),
]


async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An ASGI application that only answers."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _BODY})


def main() -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    config = uvicorn.Config(
        answer, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="error"
    )
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        uvloop.run(uvicorn.Server(config).serve([listener]))


@contextmanager
def serving() -> Iterator[tuple[int, int]]:
    """(process, port) of one that serves."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.noop"],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=os.environ.copy(),
    ) as process:
        try:
            assert process.stdout is not None
            yield process.pid, int(json.loads(process.stdout.readline())["port"])
        finally:
            process.terminate()


if __name__ == "__main__":
    main()

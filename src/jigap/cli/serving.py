"""What long-running commands have in common: one event loop, a clean stop, a web server in it.

SIGTERM and SIGINT cancel the command; a second one while it stops changes nothing. A part that ends
by itself ends the command, with that part's refusal as the reason.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator
from typing import Any

import uvicorn
import uvloop

from jigap.refusal import Refusal
from jigap.settings import SettingInvalid

GRACE_S = 10
#: New objects, less those that went by themselves, before the collector looks for cycles.
GARBAGE_AT = 10_000
LOG_LEVELS = ("debug", "info", "warning", "error")


def run(main: Coroutine[Any, Any, None], log_level: str = "warning") -> bool:
    """Run a command's coroutine on uvloop, our lines from ``log_level`` on going to stderr.

    Of other libraries only warnings are told: they know nothing of what must stay out of a log.

    SIGTERM and SIGINT cancel it, at whatever point it is, and its own ``finally`` clauses stop what
    it has started. False if that happened.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_EachLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    # Whoever sends what is no HTTP is counted by the shield and must not fill the log as well.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    _note_only_what_is_written()
    _set_level(log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_stoppable(main))


class _EachLine(logging.Formatter):
    """Every line of a record says whose it is: many may come at once, and none can be forged."""

    def format(self, record: logging.LogRecord) -> str:
        whose = f"jigap: {record.levelname} {record.name}: "
        text = whose + record.getMessage().replace("\n", f"\n{whose}")
        if record.exc_info:
            text += f"\n{self.formatException(record.exc_info)}"
        return text


def _note_only_what_is_written() -> None:
    """Spare each line the search for file, function, thread and process: the format has none.

    The way that Python's own documentation gives; it halves the cost of a line of the access log.
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None


def _set_level(name: str) -> None:
    if name not in LOG_LEVELS:
        raise SettingInvalid(f"log_level is one of {', '.join(LOG_LEVELS)}.", setting="log_level")
    logging.getLogger("jigap").setLevel(name.upper())


async def _stoppable(main: Coroutine[Any, Any, None]) -> bool:
    task = asyncio.create_task(main)
    asked = False

    def stop() -> None:
        nonlocal asked
        if not asked:
            asked = True
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise
        return False
    return True


def settle_memory() -> None:
    """Tell the garbage collector that what is there now stays; call once everything is built.

    A program of this size is some hundred thousand objects, and to go through all of them holds up
    whatever is under way for the better part of 0.1 s. What a request makes and drops is still
    looked at, only less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AT, 10, 10)


def say(text: str) -> None:
    """One line for whoever watches."""
    print(f"jigap: {text}", file=sys.stderr, flush=True)


async def until(*parts: "asyncio.Task[Any]") -> None:
    """Wait until a part ends; its refusal, if it has one, is raised."""
    await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    for part in parts:
        if part.done():
            raise_refusal(part)


def raise_refusal(part: "asyncio.Task[Any]") -> None:
    """Raise what ended the part; a refusal inside an exception group comes out of it."""
    try:
        part.result()
    except* Refusal as refused:
        raise _first(refused) from None


async def end(*parts: "asyncio.Task[Any]") -> None:
    """Cancel the parts and wait for them; how they ended no longer matters."""
    for part in parts:
        part.cancel()
    await asyncio.gather(*parts, return_exceptions=True)


class WebServer(uvicorn.Server):
    """An ASGI server on a socket of ours, in our loop, that leaves signals to us."""

    def __init__(self, site: Any, listener: socket.socket, protocol: Any = "httptools") -> None:
        super().__init__(
            uvicorn.Config(
                site,
                http=protocol,
                ws="none",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._listener = listener

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def start(self) -> "asyncio.Task[None]":
        """Serve; the task ends after ``finish``. Returns once requests are answered."""
        task = asyncio.create_task(self.serve(sockets=[self._listener]))
        while not self.started and not task.done():
            await asyncio.sleep(0.01)
        return task

    async def finish(self, task: "asyncio.Task[None]") -> None:
        """Answer what is under way, take nothing new."""
        self.should_exit = True
        await asyncio.gather(task, return_exceptions=True)


def _first(group: "BaseExceptionGroup[Refusal]") -> Refusal:
    one: BaseException = group
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    assert isinstance(one, Refusal)
    return one

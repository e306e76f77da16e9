"""Our node as a child process: started, waited for, started again when it dies, stopped.

The child leads a process group of its own, so that Ctrl-C reaches the parent alone, which then
stops both in order. It asks the kernel to be killed when the parent dies: a node without its
platform would keep the port and the store from the next start.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jigap.cli.failure import CommandFailed

READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
RESTARTS_MAX = 5  # in a row, each within STEADY_S of the one before
STEADY_S = 30

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Called by a child: be killed when the process ``parent_pid`` is gone. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before we asked
        os._exit(1)


class ChildKilled(CommandFailed):
    """A signal ended the child before it was ready; it had nothing to say against starting."""


class Child:
    """One command that prints a line of JSON with ``"ready": true`` and then runs for long."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        say: Callable[[str], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._say = say
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._inherited: tuple[int, ...] = ()
        self._errors: list[str] = []
        self._readers: list[asyncio.Task[None]] = []

    async def start(self, *inherited: int) -> dict[str, Any]:
        """Start it and wait until it is ready; what it said then.

        ``inherited`` are file descriptors it keeps, also when it is started again. Raises
        ``CommandFailed`` with its own last line when it ends or stays silent instead, and
        ``ChildKilled`` when a signal ended it.
        """
        self._errors.clear()
        self._inherited = inherited
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            "--parent-pid",
            str(os.getpid()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            pass_fds=inherited,
            start_new_session=True,
            limit=2**20,
        )
        errors = asyncio.create_task(self._read_errors(self._process))
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                ready = await _ready_line(self._process)
        except TimeoutError:
            ready = None
        except asyncio.CancelledError:
            await self.stop()
            raise
        if ready is None:
            status = await self._ended()
            await self.stop()
            await errors
            if status < 0:
                raise ChildKilled(f"The {self.name} was killed while it started.")
            last = self._errors[-1] if self._errors else f"The {self.name} did not become ready."
            raise CommandFailed(last.removeprefix("jigap: "))
        self._readers = [errors, asyncio.create_task(_drain(self._process))]
        return ready

    def fix(self, option: str, value: str) -> None:
        """Say ``option value`` from the next start on: what was any port is now this one."""
        at = self._command.index(option) + 1
        self._command[at] = value

    async def keep_running(self) -> None:
        """Start it again whenever it dies. Raises ``CommandFailed`` when that does not help."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while self._process is not None:
            since = loop.time()
            status = await self._process.wait()
            deaths = 0 if loop.time() - since > STEADY_S else deaths
            deaths = await self._start_again(deaths + 1, f"The {self.name} died (exit {status})")

    async def _start_again(self, deaths: int, why: str) -> int:
        """Start it once more, however often it is killed meanwhile; its deaths in a row by then.

        What it says itself against starting is final: trying again would not change it.
        """
        while True:
            if deaths > RESTARTS_MAX:
                raise CommandFailed(f"The {self.name} died {deaths} times in a row.")
            self._say(f"{why}; starting it again.")
            await asyncio.sleep(0.1 * 2**deaths)
            try:
                await self.start(*self._inherited)
                return deaths
            except ChildKilled as killed:
                deaths, why = deaths + 1, killed.detail.rstrip(".")

    async def _ended(self) -> int:
        """The exit status of a child that has closed its output; 0 if it goes on all the same."""
        assert self._process is not None
        try:
            return await asyncio.wait_for(self._process.wait(), 1)
        except TimeoutError:
            return 0

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL for one that does not listen."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        await asyncio.gather(*self._readers)

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            text = line.decode(errors="replace").rstrip()
            self._errors = [*self._errors[-19:], text]
            if self._readers:  # before it is ready its last line becomes our own
                self._say(text)


async def _ready_line(process: asyncio.subprocess.Process) -> dict[str, Any] | None:
    assert process.stdout is not None
    async for line in process.stdout:
        if line.startswith(b"{") and (said := json.loads(line)).get("ready"):
            return dict(said)
    return None


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    while await process.stdout.read(65536):
        pass

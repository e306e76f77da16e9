"""Real jigap processes for the tests: started, waited for, stopped or killed, by their own id."""

import json
import os
import queue
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.leaks import LEAKS

JIGAP = [sys.executable, "-m", "jigap.cli"]
#: Generous, for tests run beside others; who waits this long has a test that fails.
READY_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60


def run(*arguments: str | Path, input_: str | None = None, timeout_s: int = 180, **given: str):
    """Run one command to its end; the answer has returncode, stdout and stderr."""
    return subprocess.run(
        [*JIGAP, *map(str, arguments)],
        input=input_,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=environment(given),
    )


def free_port() -> int:
    """A port that was free a moment ago, and that nobody is given who asks for any."""
    while True:
        port = 16_384 + secrets.randbelow(16_384)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Running:
    """One running command and what it said when it was ready."""

    process: subprocess.Popen[str]
    lines: "queue.Queue[str | None]"
    log: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    ready: dict[str, Any] = field(default_factory=dict)
    operator_token: str = ""  # of the demo operator's session, once somebody has signed in

    def heard(self, line: str | None) -> None:
        """Take a line of stderr; an error is whatever is not said for information."""
        if line is not None:
            self.log.append(line)
            if not line.startswith(("jigap: INFO ", "jigap: DEBUG ")):
                self.errors.append(line)

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def rpc(self) -> str:
        return str(self.ready["rpc"])

    def person(self, role: str) -> dict[str, str]:
        """The demo person with this role."""
        return next(one for one in self.ready["people"] if one["role"] == role)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL, as a power cut does to a process."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)


def start(*arguments: str | Path, **given: str) -> Running:
    """Start a long-running command that prints one JSON line with ``"ready": true``.

    Raises ``AssertionError`` with what it wrote when it ends or stays silent instead.
    """
    process = subprocess.Popen(
        [*JIGAP, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(given),
    )
    running = Running(process, queue.Queue())
    written: list[str] = []
    LEAKS.output(arguments, written, running.log)
    _reader(process.stdout, running.lines.put, written)
    _reader(process.stderr, running.heard)
    running.ready = _await_ready(running)
    if "--data" in arguments:
        data = Path(arguments[arguments.index("--data") + 1])
        LEAKS.platform(data, running.ready.get("people", []))
    return running


def _await_ready(running: Running) -> dict[str, Any]:
    end = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < end:
        try:
            line = running.lines.get(timeout=0.2)
        except queue.Empty:
            continue
        if line is None:
            break
        if line.startswith("{") and (said := json.loads(line)).get("ready"):
            return dict(said)
    running.process.kill()
    status = running.process.wait()
    raise AssertionError(f"not ready, exit {status}: {''.join(running.errors)[-4000:]}")


def _reader(stream: IO[str] | None, take, written: list[str] | None = None) -> None:
    assert stream is not None

    def read() -> None:
        for line in stream:
            take(line)
            if written is not None:
                written.append(line)
        take(None)

    threading.Thread(target=read, daemon=True).start()


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without our settings, with the sources, loud, and ``more``."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("JIGAP_")}
    # Give to subprocess the sources under test, installed or not.
    source = str(Path(__file__).parent.parent / "src")
    mine["PYTHONPATH"] = os.pathsep.join(filter(None, [source, mine.get("PYTHONPATH")]))
    return mine | {"JIGAP_LOG_LEVEL": "debug"} | more

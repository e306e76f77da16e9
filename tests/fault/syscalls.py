"""System calls of a running process, in the order in which the kernel saw them.

A kill leaves the page cache standing, so kills alone cannot tell a synced write from an unsynced
one; the order of system calls can. A line of the trace stands where its call began, or where it
ended if no other thread said anything meanwhile.
"""

import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import cannot_be_had

CALLS = (
    "trace=fdatasync,fsync,msync,pwrite64,pwritev,write,writev,sendto,sendmsg,read,recvfrom,recvmsg,"
    "openat,rename,renameat,renameat2"
)
#: More than a page of a database and its header.
SHOWN_BYTES = 6000
SENT = r"(write|writev|sendto|sendmsg)\(\d+<(TCP|socket).*"
RECEIVED = r"(read|recvfrom|recvmsg)(\(\d+<(TCP|socket)| resumed>).*"


class Trace:
    """A running strace of one process and its threads, writing to a file."""

    def __init__(self, strace: str, process_id: int, output: Path) -> None:
        self.output = output
        command = [strace, "-f", "-y", "-s", str(SHOWN_BYTES), "-e", CALLS, "-o", str(output)]
        self._process = subprocess.Popen(
            [*command, "-p", str(process_id)], stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        said = self._process.stderr.readline()
        if "attached" not in said:
            self._process.kill()
            cannot_be_had(f"strace may not trace here: {said.strip()}")

    def stop(self) -> list[str]:
        """The lines of the trace."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(10)
        return self.output.read_text(errors="replace").splitlines()


def first(lines: Sequence[str], pattern: str, after: int = 0) -> int:
    """The first line from ``after`` on that matches."""
    for number in range(after, len(lines)):
        if re.search(pattern, lines[number]):
            return number
    raise AssertionError(f"no {pattern!r} after line {after} of {len(lines)}")


def synced(lines: Sequence[str], path: str, after: int) -> int:
    """The line where a sync of a file, begun after ``after``, had returned."""
    begun = first(lines, rf"(fdatasync|fsync)\(\d+<[^>]*{path}>", after)
    if re.search(r"= 0$", lines[begun]):
        return begun
    thread = lines[begun].split()[0]
    return first(lines, rf"^{thread} .*(fdatasync|fsync) resumed>.*= 0$", begun)

"""The system calls show it: what is acknowledged was synced first.

A kill leaves the page cache standing, so kills alone cannot tell a synced write from an unsynced
one. The trace can: between the request and its answer there is a sync of the store, and between a
block and its being shown there are one of the guard and one of the store.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jigap.node.client import NodeClient
from tests.conftest import cannot_be_had
from tests.fault.node_load import Payers, start_node

CALLS = (
    "trace=fdatasync,fsync,msync,pwrite64,pwritev,write,writev,sendto,sendmsg,read,recvfrom,openat"
)


@pytest.fixture
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        cannot_be_had("strace cannot be had: install it with `apt-get install strace`")
    return found


class Trace:
    """A running strace of one process, writing to a file."""

    def __init__(self, strace: str, process_id: int, output: Path) -> None:
        self.output = output
        self._process = subprocess.Popen(
            [
                strace,
                "-f",
                "-y",
                "-s",
                "4000",
                "-e",
                CALLS,
                "-o",
                str(output),
                "-p",
                str(process_id),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        said = self._process.stderr.readline()
        if "attached" not in said:
            self._process.kill()
            cannot_be_had(f"strace may not trace here: {said.strip()}")

    def stop(self) -> list[str]:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(10)
        return self.output.read_text(errors="replace").splitlines()


@pytest.fixture
def lines(strace: str, tmp_path: Path) -> Iterator[tuple[list[str], bytes]]:
    """The trace of one submission, up to its block, and the hash that was acknowledged."""
    running = start_node(tmp_path / "data")
    payers = Payers.of(running)
    try:
        trace = Trace(strace, running.process.pid, tmp_path / "trace")
        asyncio.run(_pay_once(running.rpc, payers))
        (acknowledged,) = payers.acknowledged
        yield trace.stop(), acknowledged
    finally:
        running.stop()


async def _pay_once(rpc: str, payers: Payers) -> None:
    async with NodeClient(rpc) as client:
        signed = payers.sign(0, 0)
        assert (await client.submit(signed.raw)).kind == "accepted"
        payers.acknowledged.add(signed.hash)
        while await client.receipt(signed.hash) is None:
            await asyncio.sleep(0.02)


def first(lines: list[str], pattern: str, after: int = 0) -> int:
    """The first line from ``after`` on that matches."""
    for number, line in enumerate(lines[after:], after):
        if re.search(pattern, line):
            return number
    raise AssertionError(f"no {pattern!r} after line {after} of {len(lines)}")


SENT = r"(write|writev|sendto|sendmsg)\(\d+<(TCP|socket).*"


def synced(lines: list[str], path: str, after: int) -> int:
    """The line where a sync of a file under ``path`` had returned."""
    begun = first(lines, rf"(fdatasync|fsync)\(\d+<[^>]*{path}>", after)
    if re.search(r"= 0$", lines[begun]):
        return begun
    thread = lines[begun].split()[0]
    return first(lines, rf"^{thread} .*(fdatasync|fsync) resumed>.*= 0$", begun)


def test_a_transaction_is_synced_before_it_is_acknowledged(
    lines: tuple[list[str], bytes],
) -> None:
    trace, hash_ = lines
    received = first(trace, "sym_sendRawTransaction")
    stored = synced(trace, "data.mdb", received)
    acknowledged = first(trace, SENT + hash_.hex()[:32], received)
    assert received < stored < acknowledged


def test_a_block_is_synced_in_guard_and_store_before_its_receipt_is_shown(
    lines: tuple[list[str], bytes],
) -> None:
    trace, _ = lines
    received = first(trace, "sym_sendRawTransaction")
    guarded = synced(trace, r"signed\.\d", received)
    stored = synced(trace, "data.mdb", guarded)
    shown = first(trace, SENT + "transactionHash", received)
    assert guarded < stored < shown


def test_the_store_writes_its_root_through(lines: tuple[list[str], bytes]) -> None:
    """The page that makes a commit valid goes out after the sync of all others, and at once."""
    trace, _ = lines
    stored = synced(trace, "data.mdb", first(trace, r"signed\.\d"))
    root = first(trace, r"pwrite64\(\d+<[^>]*data.mdb>", stored)
    assert root > stored


def test_the_root_page_file_is_opened_for_synchronous_writing(strace: str, tmp_path: Path) -> None:
    output = tmp_path / "opening"
    program = (
        "import sys; from pathlib import Path; from jigap.node.store import Store; "
        "Store(Path(sys.argv[1])).close()"
    )
    source = str(Path(__file__).parents[2] / "src")
    command = [sys.executable, "-c", program, str(tmp_path / "chain")]
    done = subprocess.run(
        [strace, "-f", "-e", "trace=openat,open", "-o", str(output), *command],
        env=os.environ | {"PYTHONPATH": source},
        capture_output=True,
        text=True,
    )
    if "ptrace" in done.stderr:
        cannot_be_had(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert re.search(r"data\.mdb.*O_(D)?SYNC", output.read_text())

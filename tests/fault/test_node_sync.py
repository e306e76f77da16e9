"""The system calls of the node show it: what is acknowledged was synced first.

Between a request and its answer there is a sync of the store, and between a block and its being
shown there are one of the guard and one of the store.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jigap.node.client import NodeClient
from tests.conftest import cannot_be_had
from tests.fault.node_load import Payers, start_node
from tests.fault.syscalls import SENT, Trace, first, synced


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

"""Killed before and after every durable step, started again, and nothing is lost or done twice.

The platform is a process of its own; it leaves by ``_exit`` at the named point, as if the power had
gone, and is then started again from what is on disk. So is the node, for the steps that are its
own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jigap.steps import STEPS
from tests import processes

CRASHED = 86
NODE_STEPS = sorted(name for name in STEPS if name.startswith(("block.", "mempool.")))
#: A step of a later version is tested as soon as it is listed; none may be left out here.
PLATFORM_STEPS = sorted(set(STEPS) - set(NODE_STEPS))
POINTS = ("before", "after")


def scenario(data: Path, rpc: str, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JIGAP_")}
    root = Path(__file__).parents[2]
    environment |= {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}", "JIGAP_CRASH_AT": crash_at}
    return subprocess.run(
        [sys.executable, "-m", "tests.fault.scenario", str(data), rpc],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        cwd=root,
    )


def assert_whole(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told == {
        "states": ["confirmed", "confirmed"],
        "transfers": 2,
        "balances": [50, 50],
        "audit": [],
        "supply": str(100 * 10**18),
        "keys": [],
        "keys_after_restore": [],
    }


def start_node(data: Path, port: int, **environment: str) -> processes.Running:
    return processes.start("node", "--data", data, "--port", str(port), **environment)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", PLATFORM_STEPS)
def test_a_crash_of_the_platform_loses_nothing(name: str, point: str, tmp_path: Path) -> None:
    node = start_node(tmp_path, processes.free_port())
    try:
        crashed = scenario(tmp_path, node.rpc, f"{name}:{point}")
        assert crashed.returncode == CRASHED, f"{name} was not reached: {crashed.stderr[-3000:]}"
        assert_whole(scenario(tmp_path, node.rpc))
    finally:
        node.stop()


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", NODE_STEPS)
def test_a_crash_of_the_node_loses_nothing(name: str, point: str, tmp_path: Path) -> None:
    """The node falls in the middle of the morning; the platform waits for it to come back."""
    port = processes.free_port()
    node = start_node(tmp_path, port, JIGAP_CRASH_AT=f"{name}:{point}#2")
    root = Path(__file__).parents[2]
    platform = subprocess.Popen(
        [sys.executable, "-m", "tests.fault.scenario", str(tmp_path), node.rpc],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
    )
    again = None
    try:
        assert node.process.wait(60) == CRASHED
        again = start_node(tmp_path, port)
        out, err = platform.communicate(timeout=300)
        assert_whole(subprocess.CompletedProcess(platform.args, platform.returncode, out, err))
    finally:
        platform.kill()
        platform.wait()
        node.kill()
        if again is not None:
            again.stop()

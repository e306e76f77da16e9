"""A child process is waited for, restarted when it dies, and never left behind."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from jigap.cli import child as child_module
from jigap.cli.child import Child
from jigap.cli.failure import CommandFailed

READY = 'print(\'{"ready": true, "pid": %d}\' % os.getpid(), flush=True)'


def child(script: str, said: list[str] | None = None) -> Child:
    """A child that runs a few lines of Python; what it is told about goes to ``said``."""
    lines = f"import os, signal, sys, time\n{script}"
    return Child("helper", [sys.executable, "-c", lines], (said or []).append)


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


async def test_ready_line_is_the_answer_whatever_comes_before():
    one = child(f"print('hello'); print('{{\"ready\": false}}'); {READY}; time.sleep(60)")
    ready = await one.start()
    assert ready["ready"] is True
    await one.stop()
    assert is_gone(ready["pid"])


async def test_child_that_ends_early_is_a_refusal_with_its_last_line():
    one = child("print('first', file=sys.stderr); sys.exit('jigap: the port is taken')")
    with pytest.raises(CommandFailed) as refused:
        await one.start()
    assert refused.value.detail == "the port is taken"


async def test_silent_child_is_given_up_and_ended(monkeypatch):
    monkeypatch.setattr(child_module, "READY_TIMEOUT_S", 0.3)
    one = child("time.sleep(60)")
    with pytest.raises(CommandFailed, match="did not become ready"):
        await one.start()


async def test_child_that_ignores_sigterm_is_killed(monkeypatch):
    monkeypatch.setattr(child_module, "STOP_TIMEOUT_S", 0.3)
    one = child(f"signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY}; time.sleep(60)")
    ready = await one.start()
    await one.stop()
    assert is_gone(ready["pid"])


async def test_killed_child_is_started_again_and_somebody_is_told():
    said: list[str] = []
    one = Child(
        "helper",
        [sys.executable, "-c", f"import os, time\n{READY}\ntime.sleep(60)"],
        said.append,
    )
    ready = await one.start()
    keeping = asyncio.create_task(one.keep_running())
    os.kill(ready["pid"], 9)
    for _ in range(200):
        if said and one._process is not None and one._process.pid != ready["pid"]:
            break
        await asyncio.sleep(0.05)
    assert "starting it again" in said[0]
    assert one._process is not None
    second = one._process.pid
    assert second != ready["pid"]
    keeping.cancel()
    await one.stop()
    assert is_gone(second)


async def test_child_that_is_killed_while_it_starts_is_started_again(tmp_path: Path):
    """The first start is whole, the next two are killed before they are ready."""
    script = (
        f"n = len(os.listdir({str(tmp_path)!r})); open(f'{tmp_path}/{{n}}', 'w')\n"
        f"if n in (1, 2): os.kill(os.getpid(), 9)\n{READY}\n"
        "if n == 0: os.kill(os.getpid(), 9)\ntime.sleep(60)"
    )
    one = child(script)
    first = await one.start()
    keeping = asyncio.create_task(one.keep_running())
    while len(os.listdir(tmp_path)) < 4 or one._process is None:
        await asyncio.sleep(0.05)
        assert not keeping.done()
    assert one._process.pid != first["pid"]
    keeping.cancel()
    await one.stop()


async def test_child_that_says_why_it_cannot_start_again_is_given_up(tmp_path: Path):
    script = (
        f"if os.listdir({str(tmp_path)!r}): sys.exit('jigap: the store is damaged')\n"
        f"open('{tmp_path}/was-here', 'w')\n{READY}"
    )
    one = child(script)
    await one.start()
    with pytest.raises(CommandFailed, match="the store is damaged"):
        await one.keep_running()


async def test_child_that_keeps_dying_is_given_up(monkeypatch):
    monkeypatch.setattr(child_module, "RESTARTS_MAX", 2)
    one = child(f"{READY}; sys.exit(3)")
    await one.start()
    with pytest.raises(CommandFailed, match="died 3 times in a row"):
        await one.keep_running()
    await one.stop()


async def test_child_dies_with_its_parent():
    """The middle process is killed; the innermost must go with it."""
    inner = (
        "import sys, time; from jigap.cli.child import die_with_parent; "
        "die_with_parent(int(sys.argv[-1])); print('up', flush=True); time.sleep(60)"
    )
    middle = (
        "import os, subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', {inner!r}, str(os.getpid())], stdout=-1)\n"
        "p.stdout.readline(); print(p.pid, flush=True); time.sleep(60)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", middle, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    innermost = int(await process.stdout.readline())
    assert not is_gone(innermost)
    process.kill()
    await process.wait()
    for _ in range(100):
        state = Path(f"/proc/{innermost}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        await asyncio.sleep(0.05)
    pytest.fail("the innermost process is still there")

"""A durable step does nothing in production and leaves at once in a crash test."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from jigap.steps import STEPS, step

SOURCE = Path(__file__).parent.parent.parent / "src" / "jigap"
SCRIPT = """
import atexit, sys
from jigap.steps import step
atexit.register(lambda: print("cleanup", flush=True))
for turn in range(3):
    print("turn", turn, flush=True)
    with step("wallet.row"):
        print("inside", flush=True)
"""


def crash_at(point: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"PYTHONPATH": str(SOURCE.parent), "JIGAP_CRASH_AT": point},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.returncode, " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("point", "status", "output"),
    [
        ("wallet.row:before", 86, "turn 0"),
        ("wallet.row:after", 86, "turn 0 inside"),
        ("wallet.row:before#2", 86, "turn 0 inside turn 1"),
        ("wallet.row:after#3", 86, "turn 0 inside turn 1 inside turn 2 inside"),
        ("wallet.file:before", 0, "turn 0 inside turn 1 inside turn 2 inside cleanup"),
        ("", 0, "turn 0 inside turn 1 inside turn 2 inside cleanup"),
    ],
)
def test_leaves_at_the_named_point_without_cleanup(point: str, status: int, output: str):
    assert crash_at(point) == (status, output)


def test_unlisted_step_is_a_bug():
    with pytest.raises(AssertionError, match="not listed"), step("wallet.imaginary"):
        pass


def test_every_listed_step_is_used_and_every_used_step_is_listed():
    used = {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r'\bstep\(\s*"([^"]+)"', path.read_text(encoding="utf-8"))
    }
    assert used == set(STEPS)

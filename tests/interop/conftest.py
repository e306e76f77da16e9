"""symjs 1.0.6 from npm, installed from its lock when it is not there yet."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SYMJS = Path(__file__).parent / "symjs"
RunJs = Callable[..., str]


@pytest.fixture(scope="session")
def symjs(node_js: Path) -> RunJs:
    """Run one of the programs in ``symjs/`` with arguments and input; its output."""
    path = os.pathsep.join([str(node_js.parent), os.environ["PATH"]])
    if not (SYMJS / "node_modules" / "symjs").is_dir():
        _install(path)

    def run(program: str, *arguments: str, given: str = "") -> str:
        done = subprocess.run(
            [str(node_js), str(SYMJS / program), *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def _install(path: str) -> None:
    npm = shutil.which("npm", path=path)
    assert npm is not None, "node was found, but npm was not"
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=SYMJS,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"npm ci failed:\n{done.stderr}"

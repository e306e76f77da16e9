"""What this machine is, and who used its processors while something was measured.

Time is read from ``/proc``: of the whole machine, and of the processes that take part. What is left
belongs to others (``foreign``), and a round in which they took much is not worth keeping.
"""

import contextlib
import os
import platform
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jigap.keys.scrypt import NAME as SCRYPT_LIBRARY

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PACKAGES = ("coincurve", "litestar", "lmdb", "pynacl", "sqlalchemy", "uvicorn", "uvloop")


@dataclass(frozen=True, slots=True)
class Use:
    """Processor time between two moments: seconds by process, the rest as shares of the machine.

    ``stolen`` is what the host gave to other virtual machines.
    """

    elapsed_s: float
    cpu_s: dict[str, float]
    busy: float
    foreign: float
    stolen: float

    def shown(self, each: int) -> dict[str, Any]:
        """As the results keep it, with the milliseconds that ``each`` thing done took."""
        return {
            "elapsed_s": round(self.elapsed_s, 3),
            "busy": round(self.busy, 3),
            "foreign": round(self.foreign, 3),
            "stolen": round(self.stolen, 3),
            "cpu_ms_each": {
                name: round(seconds * 1000 / max(each, 1), 4)
                for name, seconds in self.cpu_s.items()
            },
        }


class Meter:
    """Reads the clocks of the named processes and of the machine. ``use`` is since ``start``.

    Every process of the machine counts for its nearest named ancestor, so that workers do, and so
    does what ended meanwhile, if its parent has asked how.
    """

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = dict(processes)
        self.start()

    def start(self) -> None:
        self._before = self._read()

    def use(self) -> Use:
        then, busy_then, stolen_then, ours_then = self._before
        now, busy_now, stolen_now, ours_now = self._read()
        elapsed_s = max(now - then, 1e-9)
        capacity_s = elapsed_s * (os.cpu_count() or 1)
        cpu_s = {name: ours_now[name] - ours_then[name] for name in ours_now}
        busy_s = busy_now - busy_then
        return Use(
            elapsed_s=elapsed_s,
            cpu_s=cpu_s,
            busy=busy_s / capacity_s,
            # Ticks are coarse: of a short time they may say more than there was.
            foreign=min(max(busy_s - sum(cpu_s.values()), 0.0) / capacity_s, 1.0),
            stolen=(stolen_now - stolen_then) / capacity_s,
        )

    def _read(self) -> tuple[float, float, float, dict[str, float]]:
        busy_s, stolen_s = _machine_s()
        ours = _families_s(self._processes)
        return time.perf_counter(), busy_s, stolen_s, ours


def _machine_s() -> tuple[float, float]:
    """(busy, stolen) processor seconds of the machine since it was started."""
    first = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq, steal = (int(one) for one in first[:8])
    return (user + nice + system + irq + softirq) / _TICKS_PER_S, steal / _TICKS_PER_S


def _families_s(roots: Mapping[str, int]) -> dict[str, float]:
    """Processor seconds of each named process, of its descendants, and of those that ended."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # It has ended since the listing.
            fields = path.read_text().rpartition(")")[2].split()
            pid = int(path.parent.name)
            parents[pid], used[pid] = int(fields[1]), sum(map(int, fields[11:15]))
    names = {pid: name for name, pid in roots.items()}
    found = dict.fromkeys(roots, 0)
    for pid, ticks in used.items():
        above = pid
        while above and above not in names:
            above = parents.get(above, 0)
        if above:
            found[names[above]] += ticks
    return {name: ticks / _TICKS_PER_S for name, ticks in found.items()}


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(one) for one in path.read_text().split()]
    return found


def describe(folder: Path) -> dict[str, Any]:
    """The facts that belong to a result; ``folder`` is where the platform's data lies."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": _system(),
        "file_system": _file_system(folder),
        "sync_us": round(_sync_us(folder)),
        "scrypt_library": SCRYPT_LIBRARY,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _system() -> str:
    return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}"


def _file_system(folder: Path) -> str:
    asked = subprocess.run(
        ["stat", "--file-system", "--format=%T", folder], capture_output=True, text=True
    )
    return asked.stdout.strip() or "unknown"


def _sync_us(folder: Path, times: int = 50) -> float:
    """The median time to make 4 KiB at the end of a file durable, in microseconds."""
    took = []
    path = folder / "sync-probe"
    with open(path, "wb") as file:
        for _ in range(times):
            file.write(bytes(4096))
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begun)
    path.unlink()
    return sorted(took)[times // 2] * 1e6


def require_linux() -> None:
    """Say in one line that processor time is only known on Linux."""
    if not Path("/proc/self/stat").exists():
        sys.exit("bench: this needs /proc, that is, Linux.")

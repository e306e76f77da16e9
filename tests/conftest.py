"""Fixtures that more than one folder of tests uses.

What a machine cannot offer (PostgreSQL, Node.js) is skipped loudly there, and fails where ``CI`` is
set: a suite that is green because it did not look is worse than a red one.
"""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest
from xdist.scheduler import LoadScopeScheduling

import jigap.app.wiring  # noqa: F401  (declares every table)
from jigap.database import Database, metadata, sqlite_url
from tests import postgres, processes
from tests.leaks import (  # noqa: F401  (pytest finds its hooks here by their names)
    pytest_configure,
    pytest_runtest_logreport,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)

ROOT = Path(__file__).parent.parent
FAULT_SEED = int(os.environ.get("JIGAP_FAULT_SEED") or random.SystemRandom().randrange(2**32))
os.environ["JIGAP_FAULT_SEED"] = str(FAULT_SEED)  # workers of pytest-xdist take it from here
FAULT_KILLS = int(os.environ.get("JIGAP_FAULT_KILLS") or 20)


def pytest_report_header() -> str:
    return f"fault seed: {FAULT_SEED} (again: make fault SEED={FAULT_SEED}), kills: {FAULT_KILLS}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Scheduling(config, log)


class _Scheduling(LoadScopeScheduling):
    """Which tests stay together on one worker; any others go to the worker that is free first.

    A module of ``e2e`` or ``interop`` often has a platform for all its tests, and each worker that
    has some of them would start another. (Marks for groups would say the same of each module, but
    pytest-xdist 3.8 does not hear them under pytest 9.2.)
    """

    def _split_scope(self, nodeid: str) -> str:
        path, _, _ = nodeid.partition("::")
        return path if path.startswith(("tests/e2e/", "tests/interop/")) else nodeid


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = Path(item.path).relative_to(ROOT / "tests").parts[0]
        if folder in ("e2e", "fault"):
            item.add_marker(folder)
        if "postgres_server" in getattr(item, "fixturenames", ()):
            item.add_marker("postgresql")


def cannot_be_had(what: str) -> NoReturn:
    """Skip here, fail where CI is set."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} (CI is set, so this is a failure and not a skip)")
    pytest.skip(what)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL server on which databases may be created."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgres.server())
        except postgres.Unavailable as error:
            cannot_be_had(f"PostgreSQL cannot be had: {error}")
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The address of an empty PostgreSQL database of the test's own."""
    with postgres.fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database: each test runs once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "jigap.sqlite")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with every table and no rows; copy it."""
    path = tmp_path_factory.mktemp("template") / "jigap.sqlite"
    _make_tables(sqlite_url(path))
    return path


@pytest.fixture(scope="session")
def postgres_tables(postgres_server: str) -> Iterator[str]:
    """The address of a PostgreSQL database with every table; empty it before using it."""
    with postgres.fresh_database(postgres_server) as url:
        _make_tables(url)
        yield url


def _make_tables(url: str) -> None:
    opened = Database(url)
    metadata.create_all(opened.engine)
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database with every table: each test runs once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_database")
        return
    url = request.getfixturevalue("postgres_tables")
    postgres.empty(url)
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A database with every table, on SQLite only."""
    shutil.copyfile(sqlite_template, tmp_path / "jigap.sqlite")
    opened = Database(sqlite_url(tmp_path / "jigap.sqlite"))
    yield opened
    opened.close()


@pytest.fixture
def free_port() -> int:
    """A port that was free a moment ago."""
    return processes.free_port()


@pytest.fixture
def start() -> Iterator[Callable[..., processes.Running]]:
    """Start long-running commands; whatever still runs when the test ends is killed."""
    started: list[processes.Running] = []

    def start_one(*arguments: str | Path, **environment: str) -> processes.Running:
        started.append(processes.start(*arguments, **environment))
        return started[-1]

    yield start_one
    for one in started:
        one.kill()


@pytest.fixture
def platform(start: Callable[..., processes.Running], tmp_path: Path) -> processes.Running:
    """A platform of the test's own, with the demo people: `jigap up --demo --json`."""
    return _platform(start, tmp_path / "data")


@pytest.fixture(scope="session")
def shared_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.Running]:
    """One platform for all tests that neither stop it nor count all of its money."""
    running = _platform(processes.start, tmp_path_factory.mktemp("platform") / "data")
    yield running
    assert running.stop() == 0, "".join(running.errors)[-4000:]


@pytest.fixture(scope="session")
def stopped_platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a platform with demo that ran and was stopped; copy it, do not use it."""
    data = tmp_path_factory.mktemp("stopped") / "data"
    assert _platform(processes.start, data).stop() == 0
    return data


@pytest.fixture
def stopped(stopped_platform: Path, tmp_path: Path) -> Path:
    """A copy, the test's own, of the data folder of a platform that ran and was stopped."""
    shutil.copytree(stopped_platform, tmp_path / "data")
    return tmp_path / "data"


def _platform(start: Callable[..., processes.Running], data: Path) -> processes.Running:
    return start("up", "--data", data, "--port", "0", "--node-port", "0", "--demo", "--json")


@pytest.fixture(scope="session")
def node_js() -> Path:
    """The Node.js program: the machine's, or the one that was installed beside Python."""
    found = shutil.which("node") or shutil.which("node", path=str(ROOT / ".venv" / "bin"))
    if found is None:
        cannot_be_had("Node.js cannot be had: no `node` on PATH or in .venv/bin")
    return Path(found)


@pytest.fixture
def seed() -> int:
    """The seed of this run's faults; printed at the top of the report."""
    return FAULT_SEED


@pytest.fixture
def kills() -> int:
    """How many times a kill test kills."""
    return FAULT_KILLS

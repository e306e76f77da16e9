"""The paper's stack on this machine: Apache, PHP, MariaDB, SQLite, from ``bench/paper-php``.

It stands in a temporary folder of its own on free ports of loopback; each of its three processes is
started here and ended here. It is only measured where the Debian packages for it are installed.
"""

import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import request

HERE = Path(__file__).parent / "paper-php"
USERS = 10_000
RANGES = 200_000
START_S_MAX = 30.0
STOP_S_MAX = 15.0
_LOOPBACK = (127 << 24, (128 << 24) - 1)
_SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class PaperStack:
    """A stack that answers on ``port``; ``processes`` are its three."""

    port: int
    processes: dict[str, int]

    def balance(self, user: int, *, protected: bool) -> bytes:
        """The request for one user's balance."""
        return self._post(
            f'{{"act":"actGetBalance","domain":"NooWeb","user_id":"user{user}",'
            f'"sess":"{_session(user)}"}}',
            protected,
        )

    def wallet(self, name: str, *, protected: bool) -> bytes:
        """The request that makes a wallet for somebody new."""
        return self._post(
            f'{{"act":"actCreateWallet","domain":"NooWeb","user_id":"{name}","user_nm":"Hong",'
            f'"hp":"01012345678","passphrase":"a passphrase for the bench"}}',
            protected,
        )

    def _post(self, body: str, protected: bool) -> bytes:
        path = "/protected.php" if protected else "/api.php"
        return request("POST", path, self.port, body=body.encode())


def _session(user: int) -> str:
    return f"tok{user:029d}"


def missing() -> list[str]:
    """The Debian packages that would have to be installed; none if the stack can be built."""
    php = _php_module()
    version = php.stem.removeprefix("libphp") if php else "8.2"
    extensions = Path("/usr/lib/php")
    needed = {
        "apache2": _which("apache2") is not None,
        f"libapache2-mod-php{version}": php is not None,
        f"php{version}-mysql": any(extensions.glob("*/mysqli.so")),
        f"php{version}-sqlite3": any(extensions.glob("*/sqlite3.so")),
        f"php{version}-curl": any(extensions.glob("*/curl.so")),
        "mariadb-server": _which("mariadbd") is not None,
        "tor-geoipdb": Path("/usr/share/tor/geoip").exists(),
        "gcc libc6-dev": _which("gcc") is not None,
    }
    return [name for name, is_there in needed.items() if not is_there]


def _which(name: str) -> str | None:
    return shutil.which(name, path=_SYSTEM_PATH)


def _php_module() -> Path | None:
    found = sorted(Path("/usr/lib/apache2/modules").glob("libphp[0-9]*.so"))
    return found[-1] if found else None


@contextmanager
def standing() -> Iterator[PaperStack]:
    """The stack, built, filled and answering; gone afterwards with all its files."""
    with ExitStack() as stack:
        run = Path(tempfile.mkdtemp(prefix="jigap-paper-"))
        stack.callback(shutil.rmtree, run, ignore_errors=True)
        run.chmod(0o755)
        port, node_port = _free_ports(2)
        _lay_out(run, port, node_port)
        database = stack.enter_context(_database(run))
        node = stack.enter_context(
            _process([str(run / "node_stub"), str(node_port)], run / "node.log")
        )
        apache = stack.enter_context(
            _process(
                [_need("apache2"), "-f", str(run / "apache.conf"), "-DFOREGROUND"],
                run / "apache.log",
            )
        )
        _wait_for(lambda: _connects(port), apache, run / "apache-error.log")
        yield PaperStack(
            port, {"apache": apache.pid, "mariadb": database.pid, "paper_node": node.pid}
        )


def _need(name: str) -> str:
    found = _which(name)
    assert found is not None, f"{name} is installed, says missing()"
    return found


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _lay_out(run: Path, port: int, node_port: int) -> None:
    """Every file that the processes read."""
    is_root, php = os.geteuid() == 0, _php_module()
    assert php is not None
    shutil.copytree(HERE / "www", run / "www")
    (run / "php").mkdir()
    version = php.stem.removeprefix("libphp")
    ini = Path(f"/etc/php/{version}/apache2/php.ini").read_text(encoding="utf-8")
    (run / "php" / "php.ini").write_text(ini + "\nffi.enable=true\n", encoding="utf-8")
    (run / "keystore").mkdir()
    if is_root:
        shutil.chown(run / "keystore", "www-data")
        shutil.chown(run, group="mysql")
        run.chmod(0o775)
    given = {
        "@RUN@": str(run),
        "@PORT@": str(port),
        "@NODE_PORT@": str(node_port),
        "@PHP@": str(php),
        "@USER@": "User www-data\nGroup www-data" if is_root else "",
    }
    text = (HERE / "apache.conf.in").read_text(encoding="utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for name, value in given.items():
        text = text.replace(name, value)
    (run / "apache.conf").write_text(text + "\n", encoding="utf-8")
    subprocess.run([_need("gcc"), "-O2", "-o", run / "node_stub", HERE / "node_stub.c"], check=True)
    make_ranges(Path("/usr/share/tor/geoip"), run / "ranges.sqlite")


@contextmanager
def _database(run: Path) -> "Iterator[subprocess.Popen[bytes]]":
    data, is_root = run / "mysql", os.geteuid() == 0
    as_user = ["--user=mysql"] if is_root else []
    data.mkdir()
    if is_root:
        shutil.chown(data, "mysql")
    made = subprocess.run(
        [
            _need("mariadb-install-db"),
            "--no-defaults",
            *as_user,
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
        ],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        raise RuntimeError(f"MariaDB's tables could not be made: {made.stderr[-500:]}")
    command = [
        _need("mariadbd"),
        "--no-defaults",
        *as_user,
        f"--datadir={data}",
        f"--socket={run / 'mysql.sock'}",
        f"--pid-file={run / 'mysql.pid'}",
        "--skip-networking",
        "--max-connections=400",
    ]
    with _process(command, run / "mysql.log") as process:
        _wait_for((run / "mysql.sock").exists, process, run / "mysql.log")
        _fill(run)
        yield process


def _fill(run: Path) -> None:
    """The tables, and users with a session and a SymID each."""
    schema = (HERE / "schema.sql").read_text(encoding="utf-8")
    users = ",".join(
        f"('user{n}','name','010','{_session(n)}','{_symid(n)}')" for n in range(USERS)
    )
    wallets = ",".join(f"('user{n}','{_symid(n)}')" for n in range(USERS))
    sql = (
        f"{schema}\n"
        f"INSERT INTO nr_user(user_id,user_nm,hp,sess,sym_id) VALUES {users};\n"
        f"INSERT INTO est_wallet(user_id,sym_id) VALUES {wallets};\n"
    )
    subprocess.run(
        [_need("mariadb"), "--no-defaults", f"--socket={run / 'mysql.sock'}", "-u", "root"],
        input=sql.encode(),
        check=True,
    )


def _symid(user: int) -> str:
    return f"0x0003{user:012x}0002"


@contextmanager
def _process(command: Sequence[str], log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    with log.open("wb") as said:
        # Apache ends its whole process group when it ends: a group that must not be ours.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(is_ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_S_MAX
    while not is_ready():
        if process.poll() is not None or time.monotonic() > until:
            said = log.read_text(errors="replace")[-500:] if log.exists() else ""
            raise RuntimeError(f"{process.args!r} did not start: {said}")
        time.sleep(0.1)


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def make_ranges(geoip: Path, out: Path) -> None:
    """The table of the paper's query: Debian's ranges, thinned evenly to about ``RANGES``."""
    ranges = _thinned(_read_ranges(geoip))
    low, high = _LOOPBACK
    ranges = [
        (a, min(b, low - 1) if a < low else b, c) for a, b, c in ranges if not low <= a <= high
    ]
    ranges = sorted([*ranges, (low, high, "KR")])  # The load comes from loopback.
    with sqlite3.connect(out) as database:
        database.execute(
            "CREATE TABLE global_ip (no INTEGER PRIMARY KEY, country TEXT, startip TEXT,"
            " endip TEXT, startipL INTEGER, endipL INTEGER)"
        )
        database.execute(
            "CREATE TABLE nr_ddos_ip (no INTEGER PRIMARY KEY, ip TEXT UNIQUE, reg_dt TEXT)"
        )
        database.executemany(
            "INSERT INTO global_ip(country, startip, endip, startipL, endipL)"
            " VALUES (?, ?, ?, ?, ?)",
            ((c, _dotted(a), _dotted(b), a, b) for a, b, c in ranges),
        )
        database.executemany(
            "INSERT INTO nr_ddos_ip(ip, reg_dt) VALUES (?, '2023-05-15')",
            ((_dotted(0xC6120000 + 7 * n),) for n in range(10_000)),
        )
    database.close()
    out.chmod(0o644)


def _read_ranges(geoip: Path) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    for line in geoip.read_text(encoding="ascii").splitlines():
        if line.startswith("#"):
            continue
        first, last, country = line.split(",")
        if found and found[-1][2] == country and found[-1][1] + 1 == int(first):
            found[-1] = (found[-1][0], int(last), country)
        else:
            found.append((int(first), int(last), country))
    return found


def _thinned(ranges: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Evenly fewer, each reaching up to the next."""
    every = max(1.0, len(ranges) / RANGES)
    kept = [ranges[int(n * every)] for n in range(int(len(ranges) / every))]
    ends = [following[0] - 1 for following in kept[1:]] + [kept[-1][1]]
    return [(a, end, c) for (a, _, c), end in zip(kept, ends, strict=True)]


def _dotted(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))

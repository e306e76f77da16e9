"""Two network namespaces with a wire between them: a server's machine, and the world outside.

What is loaded into a namespace's kernel rules touches no other, so a ruleset can be tried for real:
packets leave one end of the wire, and either reach a process at the other end or do not. It takes
root, `ip` and `nft`, and a kernel that gives namespaces away; ``why_not`` says what is missing.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: The server's addresses; Korean, as a registry has it.
SERVER_V4 = "168.126.63.1"
SERVER_V6 = "2001:220::1"

#: Answers every connection with all peers that it ever had a connection of.
_SERVER = """
import json, socket, sys
listener = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6,
                                dualstack_ipv6=True, backlog=512)
peers = []
print("ready", flush=True)
while True:
    connection, peer = listener.accept()
    peers.append(peer[0].removeprefix("::ffff:"))
    connection.sendall(json.dumps(peers).encode())
    connection.close()
"""

#: Connects from the address that each line names, and says what came back.
_CLIENT = """
import json, socket, sys
for line in sys.stdin:
    source, target, port, timeout_s = json.loads(line)
    try:
        with socket.create_connection((target, port), timeout_s, (source, 0)) as connection:
            said = b"".join(iter(lambda: connection.recv(65536), b""))
        print(json.dumps(json.loads(said)), flush=True)
    except TimeoutError:
        print("null", flush=True)
"""


def why_not() -> str:
    """What is missing for this machine to make namespaces; empty if nothing is."""
    missing = missing_programs()
    if missing:
        return f"not installed: {', '.join(missing)}"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    name = f"jigap-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        return f"no network namespaces here: {made.stderr.strip()}"
    listed = subprocess.run(
        ["ip", "netns", "exec", name, "nft", "list", "ruleset"], capture_output=True, text=True
    )
    subprocess.run(["ip", "netns", "del", name], check=False)
    return f"no nftables here: {listed.stderr.strip()}" if listed.returncode else ""


def missing_programs() -> list[str]:
    """Programs that `.ci/run` installs."""
    return [name for name in ("ip", "nft") if shutil.which(name) is None]


class Wire:
    """The two ends, while they are there."""

    def __init__(self, name: str, port: int) -> None:
        self.inside, self.outside, self.port = f"{name}-in", f"{name}-out", port
        self._client: subprocess.Popen[str] | None = None

    def load(self, script: str) -> None:
        """Give a script to the kernel of the server's machine; all of it or nothing."""
        done = self._inside("nft", "-f", "-", input=script)
        assert done.returncode == 0, done.stderr

    def counters(self) -> dict[str, int]:
        """Packets counted by each counter of the ruleset."""
        listed = json.loads(self._inside("nft", "-j", "list", "counters").stdout)["nftables"]
        found = [one["counter"] for one in listed if "counter" in one]
        return {one["name"]: one["packets"] for one in found}

    def connect(self, source: str, timeout_s: float = 0.7) -> list[str] | None:
        """Every peer the server ever had, said to one that connects from ``source``.

        None if nothing came back in time. ``source`` has to be among the ``addresses``.
        """
        assert self._client is not None and self._client.stdin and self._client.stdout
        target = SERVER_V6 if ":" in source else SERVER_V4
        asked = json.dumps([source, target, self.port, timeout_s])
        self._client.stdin.write(asked + "\n")
        self._client.stdin.flush()
        answer: list[str] | None = json.loads(self._client.stdout.readline())
        return answer

    def _inside(self, *command: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["ip", "netns", "exec", self.inside, *command],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            **options,
        )

    @contextmanager
    def standing(self, addresses: list[str]) -> Iterator[None]:
        """Make it, with the server running and these addresses at the outer end."""
        server = None
        try:
            self._lay(addresses)
            server = self._process(self.inside, _SERVER, str(self.port))
            assert server.stdout and server.stdout.readline() == "ready\n"
            self._client = self._process(self.outside, _CLIENT)
            yield
        finally:
            for process in (server, self._client):
                if process is not None:
                    process.kill()
                    process.communicate()
            for name in (self.inside, self.outside):
                subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def _process(self, where: str, code: str, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["ip", "netns", "exec", where, sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _lay(self, addresses: list[str]) -> None:
        ends = (("in", self.inside, [SERVER_V4, SERVER_V6]), ("out", self.outside, addresses))
        for _, where, _ in ends:
            _ip("netns", "add", where)
        _ip(
            "-n",
            self.inside,
            "link",
            "add",
            "in",
            "type",
            "veth",
            "peer",
            "out",
            "netns",
            self.outside,
        )
        for link, where, own in ends:
            _ip("-n", where, "link", "set", "lo", "up")
            _ip("-n", where, "link", "set", link, "up")
            for address in own:
                bits, *nodad = ("128", "nodad") if ":" in address else ("32",)
                _ip("-n", where, "addr", "add", f"{address}/{bits}", "dev", link, *nodad)
            for family in ("-4", "-6"):
                _ip(family, "-n", where, "route", "add", "default", "dev", link)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"

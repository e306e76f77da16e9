"""A real `jigap up` in a folder of its own, with members who are ready to begin.

Members are made before it starts, through the platform's own code: they are signed up, verified
and signed in. Only their passwords are not hashed one by one, because hashing passwords is not what
is measured here and would take longer than all that is.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import aiohttp

from bench.machine import children
from jigap import settings
from jigap.app import install, open_database
from jigap.clock import SystemClock
from jigap.members import (
    Members,
    Sessions,
    SignIns,
    create_operator,
    enrol,
    hash_password,
    new_secret,
)

READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
ANSWER_TIMEOUT_S = 60
WAIT_S = 20
PASSPHRASE = "a passphrase for the bench"
_PASSWORD = "a password for the bench"
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Caller:
    """A member with a session."""

    login: str
    token: str


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who was made before the platform started."""

    operator: Caller
    members: list[Caller]


def phone_of(number: int) -> str:
    """The phone number of the member of a number."""
    return f"010{20_000_000 + number}"


class _PreparedHash:
    """Passwords whose one hash was made in advance."""

    def __init__(self) -> None:
        self._hash = hash_password(_PASSWORD)

    async def hash(self, password: str) -> str:
        return self._hash

    async def matches(self, password: str, hash_: str | None) -> bool:
        return hash_ == self._hash

    def is_outdated(self, hash_: str) -> bool:
        return False


async def prepare(folder: Path, count: int) -> People:
    """An installation in ``folder`` with an operator and ``count`` verified, signed-in members."""
    given = settings.load(folder, environment={})
    ring, clock, passwords = install(given), SystemClock(), _PreparedHash()
    database = open_database(given)
    try:
        members = Members(database, ring, clock, passwords)
        sessions = Sessions(database, ring, clock, given)
        sign_ins = SignIns(database, ring, clock, passwords, sessions, given)
        operator_id = await database.write(
            create_operator,
            ring=ring,
            login="bench-operator",
            password_hash=await passwords.hash(_PASSWORD),
            now_ms=clock.now_ms(),
        )
        free = asyncio.Semaphore(_AT_ONCE)

        async def join(number: int) -> Caller:
            login = f"bench-{number}"
            async with free:
                await members.sign_up(login, _PASSWORD, "김민수", phone_of(number))
                await members.verify(operator_id, login)
                return Caller(login, (await sign_ins.sign_in(login, _PASSWORD)).token)

        joined = await asyncio.gather(*(join(number) for number in range(count)))
        codes = await database.write(
            enrol, ring=ring, member_id=operator_id, secret=new_secret(), now_ms=clock.now_ms()
        )
        session = await sign_ins.sign_in("bench-operator", _PASSWORD, codes[0])
        return People(Caller("bench-operator", session.token), list(joined))
    finally:
        database.close()


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform that answers at ``url``; ``processes`` are its own and its node's."""

    url: str
    processes: Mapping[str, int]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].strip("/"))


@contextmanager
def running(
    folder: Path, shield: str | None = None, *, behind_proxy: bool = False
) -> Iterator[Platform]:
    """`jigap up` on a prepared folder, on free ports of loopback.

    Settings are the default ones, but for the access log, which is on, the limits of one address
    and one account, which are raised for the load, and ``shield`` ("on" or "off") if it is given.
    ``behind_proxy``: believe what loopback says about whom it speaks for.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JIGAP_")}
    environment["JIGAP_LOG_LEVEL"] = "info"  # a line for each request, as an operator has it
    if shield is not None:
        environment["JIGAP_SHIELD"] = shield
    if behind_proxy:
        environment |= {"JIGAP_PROXIES": "127.0.0.1", "JIGAP_DEVELOPMENT": "1"}
    command = [sys.executable, "-m", "jigap.cli", "up", "--json", "--bench-limits"]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [*command, "--data", str(folder), "--port", "0", "--node-port", "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        )
        try:
            ready = _ready(process, errors)
            nodes = children(process.pid)
            assert len(nodes) == 1, f"the platform has one child, its node, not {nodes}"
            url = str(ready["url"]).replace("localhost", "127.0.0.1")
            yield Platform(url, {"platform": process.pid, "node": nodes[0]})
            if process.poll() is not None:
                raise RuntimeError(f"the platform ended by itself: {_said(errors)}")
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(process: "subprocess.Popen[str]", errors: IO[str]) -> dict[str, Any]:
    assert process.stdout is not None
    alarm = threading.Timer(READY_TIMEOUT_S, process.kill)
    alarm.start()
    try:
        for line in process.stdout:
            if line.startswith("{") and (said := json.loads(line)).get("ready"):
                return dict(said)
    finally:
        alarm.cancel()
    raise RuntimeError(f"the platform did not become ready: {_said(errors)}")


def _said(errors: IO[str]) -> str:
    errors.seek(0)
    return errors.read()[-2000:]


@dataclass(slots=True)
class Client:
    """The load: requests on kept connections, as many at once as there are callers."""

    session: aiohttp.ClientSession
    errors: Counter[str] = field(default_factory=Counter)

    async def call(
        self, who: Caller, method: str, path: str, body: Any = None, *, key: str = "", wait: int = 0
    ) -> Any:
        """The decoded answer of a 2xx, else None and one more error of its kind."""
        headers = {"Authorization": f"Bearer {who.token}"}
        if key:
            headers["Idempotency-Key"] = key
        if wait:
            headers["Prefer"] = f"wait={wait}"
        try:
            async with self.session.request(
                method, f"/api/v1/{path}", json=body, headers=headers
            ) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self.errors[type(error).__name__] += 1
            return None
        if not 200 <= response.status < 300:
            self.errors[f"{response.status} {(answer or {}).get('code', '')}".strip()] += 1
            return None
        return answer

    def taken_errors(self) -> dict[str, int]:
        """The errors since this was last asked."""
        found = dict(self.errors)
        self.errors.clear()
        return found


@asynccontextmanager
async def connected(platform: Platform, connections: int) -> AsyncIterator[Client]:
    """A client with at most ``connections`` connections."""
    async with aiohttp.ClientSession(
        platform.url,
        # The server lets go of an idle connection after 5 s: be first, or a request may be lost.
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=3),
        timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S),
    ) as session:
        yield Client(session)


async def all_active(client: Client, people: Sequence[Caller]) -> int:
    """Wait until these members' wallets have their SymIDs; how many have none in the end."""
    late = 0
    for who in people:
        for _ in range(int(ANSWER_TIMEOUT_S / 0.05)):
            me = await client.call(who, "GET", "me")
            if me and me["wallet"] and me["wallet"]["state"] == "active":
                break
            await asyncio.sleep(0.05)
        else:
            late += 1
    return late

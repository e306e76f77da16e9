"""Real-name checks over one database: with an agency that says what a test tells it to, or with the
simulated agency over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp.test_utils import TestServer

from jigap import members
from jigap.clock import SimulatedClock
from jigap.database import Database
from jigap.keys import KeyRing
from jigap.members import Freezing, Member, Members, Proofs, Sessions, SignIns
from jigap.realname import (
    Approved,
    CodeInquiry,
    CodeSent,
    HttpAgency,
    Inquiry,
    RealName,
    WrongCode,
)
from jigap.realname.simulated import SimulatedAgency
from jigap.settings import Settings

NAME, PHONE, BIRTH, SEX = "김민지", "010-1234-5678", "900131", "2"
SECRET = "a secret of the agency"
CODE = "246810"


class Scripted:
    """An agency: the next answer of each list, or what a good agency says when a list is empty."""

    name = "scripted"

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.codes: list[Any] = []
        self.asked: list[Inquiry] = []
        self.typed: list[CodeInquiry] = []
        self.before_answering: Any = None

    async def request(self, asked: Inquiry) -> Any:
        self.asked.append(asked)
        return self.requests.pop(0) if self.requests else CodeSent(f"ag_{len(self.asked)}")

    async def confirm(self, asked: CodeInquiry) -> Any:
        self.typed.append(asked)
        if self.before_answering is not None:
            await self.before_answering()
        if self.codes:
            return self.codes.pop(0)
        return Approved() if asked.code == CODE else WrongCode()

    async def close(self) -> None:
        pass


@dataclass
class World:
    """Members, their checks and one agency."""

    database: Database
    ring: KeyRing
    clock: SimulatedClock
    members: Members
    agency: Any
    realname: RealName
    sessions: Sessions
    sign_ins: SignIns
    freezing: Freezing
    seen: dict[str, Member] = field(default_factory=dict)

    async def member(self, login: str = "minji") -> Member:
        """A member who is not verified."""
        await self.members.sign_up(login, "correct horse battery")
        return await self.again(login)

    async def again(self, login: str) -> Member:
        """The member as they are now."""
        found = await self.database.read(members.by_login, login)
        assert found is not None
        return found

    async def request(self, member: Member, **given: Any) -> Any:
        asked = {"name": NAME, "phone": PHONE, "birth": BIRTH, "sex": SEX} | given
        return await self.realname.request(member, **asked)

    async def verified(self, login: str, **given: Any) -> Member:
        """A member verified by the scripted agency."""
        member = await self.member(login)
        check = await self.request(member, **given)
        await self.realname.confirm(member, check.id, CODE)
        return await self.again(login)


class _PlainPasswords:
    async def hash(self, password: str) -> str:
        return password

    async def matches(self, password: str, hash_: str | None) -> bool:
        return password == hash_

    def is_outdated(self, hash_: str) -> bool:
        return False


def world(database: Database, agency: Any = None, **settings: Any) -> World:
    """Checks over ``database``; the agency is scripted unless one is given."""
    ring = KeyRing({1: bytes(32)}, 1, bytes([7]) * 32)
    clock = SimulatedClock()
    agency = Scripted() if agency is None else agency
    given = Settings(**{"session_ttl_s": 3600} | settings)
    realname = RealName(database, ring, agency, clock, given)
    passwords = _PlainPasswords()
    people = Members(database, ring, clock, passwords)
    sessions = Sessions(database, ring, clock, given)
    sign_ins = SignIns(database, ring, clock, passwords, sessions, given)
    freezing = Freezing(database, ring, clock, 7777, Proofs(database, clock, passwords))
    return World(database, ring, clock, people, agency, realname, sessions, sign_ins, freezing)


@dataclass
class Simulated:
    """The simulated agency on a port of its own, and an adapter that speaks to it."""

    program: SimulatedAgency
    server: TestServer
    adapter: HttpAgency
    clock: SimulatedClock

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    def code(self, phone: str = PHONE) -> str:
        """The code in the newest message to a phone."""
        text = self.program.inbox.messages(phone)[0].text
        return next(word for word in text.split() if word.isdigit())


@asynccontextmanager
async def simulated(
    clock: SimulatedClock, *, secret: str = SECRET, timeout_ms: int = 300, times: int = 2
) -> AsyncIterator[Simulated]:
    """The simulated agency, answering over HTTP."""
    program = SimulatedAgency(clock, secret=SECRET, late_s=0.05)
    server = TestServer(program.application)
    await server.start_server(shutdown_timeout=0.1)
    url = str(server.make_url("")).rstrip("/")
    adapter = HttpAgency(url, "jigap", secret, clock, timeout_ms=timeout_ms, times=times)
    try:
        yield Simulated(program, server, adapter, clock)
    finally:
        await adapter.close()
        await server.close()

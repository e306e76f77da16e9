"""A whole platform in one process, without a node, and its web application without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection

from jigap import app, members, web
from jigap.clock import SimulatedClock
from jigap.settings import Settings

PASSWORD = "correct horse battery"
PASSPHRASE = "blue river 42 stones"


@dataclass
class Site:
    """The platform, its clock, and a client that speaks to its web application."""

    app: app.App
    clock: SimulatedClock
    http: httpx.AsyncClient

    async def call(
        self, method: str, path: str, body: Any = None, *, token: str = "", **headers: str
    ) -> httpx.Response:
        """One call of ``/api/v1``; header names are given with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        return await self.http.request(method, f"/api/v1/{path}", json=body, headers=sent)

    async def member(self, login: str, *, phone: str = "", operator: bool = False) -> str:
        """A member with a session; the token. With a phone number, a verified one."""
        if operator:
            return await self._operator(login)
        await self.app.members.sign_up(login, PASSWORD)
        if phone:
            await self.app.members.verify("mb_console", login, "김민지", phone)
        return (await self.app.sign_ins.sign_in(login, PASSWORD)).token

    async def _operator(self, login: str) -> str:
        """An operator who has signed in with a second factor; the token."""
        ring, now_ms = self.app.ring, self.clock.now_ms()
        hash_ = members.hash_password(PASSWORD)

        def create(connection: Connection) -> str:
            id_ = members.create_operator(
                connection, ring=ring, login=login, password_hash=hash_, now_ms=now_ms
            )
            secret = members.new_secret()
            return members.enrol(
                connection, ring=ring, member_id=id_, secret=secret, now_ms=now_ms
            )[0]

        recovery_code = await self.app.database.write(create)
        return (await self.app.sign_ins.sign_in(login, PASSWORD, recovery_code)).token


@asynccontextmanager
async def site(folder: Path, **settings: Any) -> AsyncIterator[Site]:
    """A platform in ``folder``; its node does not answer."""
    given = Settings(
        data_dir=str(folder / "data"), scrypt_n=2, node_port=1, kdf_threads=1, **settings
    )
    app.install(given)
    clock = SimulatedClock()
    platform = app.build(given, clock=clock)
    transport = httpx.ASGITransport(web.create(platform), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://jigap") as http:
        yield Site(platform, clock, http)
    await platform.close()

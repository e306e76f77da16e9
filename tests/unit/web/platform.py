"""A whole platform in one process, without a node, and its web application without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

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
            await self.app.database.write(
                members.create_operator,
                ring=self.app.ring,
                login=login,
                password_hash=members.hash_password(PASSWORD),
                now_ms=self.clock.now_ms(),
            )
        else:
            await self.app.members.sign_up(login, PASSWORD)
        if phone:
            await self.app.members.verify("mb_console", login, "김민지", phone)
        return (await self.app.members.sign_in(login, PASSWORD)).token


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

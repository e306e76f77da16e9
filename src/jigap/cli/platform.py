"""Web server and dispatcher in this process, around one ``App``."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from jigap.app import App, build, build_dispatcher
from jigap.cli import seed
from jigap.cli.leases import dispatcher_lease
from jigap.cli.listening import url_of
from jigap.cli.serving import WebServer, end, say, settle_memory
from jigap.refusal import Refusal
from jigap.settings import Settings
from jigap.web import site


@dataclass(frozen=True, slots=True)
class Running:
    """The platform and the tasks that must not end before it is asked to stop."""

    app: App
    tasks: "tuple[asyncio.Task[None], ...]"


@asynccontextmanager
async def running(settings: Settings, listener: socket.socket) -> AsyncIterator[Running]:
    """Everything but the node, ready to answer; ended in order afterwards."""
    async with AsyncExitStack() as stack:
        app = build(settings)
        stack.push_async_callback(app.close)
        working = await stack.enter_async_context(dispatching(app))
        answering = await stack.enter_async_context(serving(app, listener))
        settle_memory()
        yield Running(app, (*working, answering))


@asynccontextmanager
async def dispatching(app: App) -> AsyncIterator["tuple[asyncio.Task[None], ...]"]:
    """The dispatcher, once it has caught up with the chain, and its lease."""
    async with dispatcher_lease(app, say) as lease:
        dispatcher = build_dispatcher(app)
        await dispatcher.start()
        task = asyncio.create_task(dispatcher.run())
        try:
            yield task, lease
        finally:
            await end(task)


@asynccontextmanager
async def serving(app: App, listener: socket.socket) -> AsyncIterator["asyncio.Task[None]"]:
    """The web server, once it answers."""
    server = WebServer(site.create(app), listener, site.protocol(app))
    app.shield.start()
    task = await server.start()
    try:
        yield task
    finally:
        await server.finish(task)


async def seed_demo(app: App, listener: socket.socket) -> list[dict[str, str | None]]:
    """Make what is missing of the demo; the people as the ready line says them.

    Demo people whom somebody has changed since are no reason not to start.
    """
    otp = await seed.ensure_operator(app, seed.OPERATOR)
    try:
        await seed.seed(url_of(listener), otp)
    except Refusal as refusal:
        say(f"The demo data is incomplete: {refusal.detail}")
    return [person.shown() for person in seed.PEOPLE]

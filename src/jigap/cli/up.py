"""`jigap up`: everything in one go, and on one screen where to look and whom to log in as."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib import import_module
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from jigap import settings
from jigap.app import Folder, hold, install
from jigap.cli.child import Child, die_with_parent
from jigap.cli.listening import listen, url_of
from jigap.cli.options import Data, Json, NodePort, ParentPid, Port
from jigap.cli.serving import end, run, say, until
from jigap.clock import SystemClock
from jigap.entropy import new_token
from jigap.members.totp import code_of, step_of
from jigap.settings import Settings

PLATFORM = "jigap.cli.platform"
#: More than any machine can ask for.
BENCH_RATE = 10_000_000

Say = Callable[[str], None]
#: The demo people as the ready line says them; only operators have a ``totp_secret``.
People = list[dict[str, str | None]]


def up(
    data: Data = None,
    port: Port = None,
    node_port: NodePort = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Make demo people, a demo token and some history.")
    ] = False,
    simulated_agency: Annotated[
        bool,
        typer.Option(
            "--simulated-agency",
            help="Verify real names with a simulated agency, unless agency_url names one; "
            "--demo implies it.",
        ),
    ] = False,
    bench_limits: Annotated[
        bool,
        typer.Option(
            "--bench-limits",
            help="Raise what one address and one account may ask for, for a load generator; all "
            "other limits stay.",
        ),
    ] = False,
    json_: Json = False,
    parent_pid: ParentPid = None,
) -> None:
    """Start everything: node, dispatcher and web server, until SIGTERM or Ctrl-C.

    With --json one line is printed when ready: ready, url, rpc, people, and inbox where a phone is
    simulated.
    """
    if parent_pid is not None:
        die_with_parent(parent_pid)
    given = settings.load(data, port=port, node_port=node_port)
    if bench_limits:
        raised: dict[str, Any] = dict.fromkeys(settings.ADDRESS_AND_ACCOUNT_RATES, BENCH_RATE)
        given = replace(given, **raised)
    with hold(Folder.of(given)):
        run(_up(given, demo, simulated_agency or demo, json_), given.log_level)


async def _up(given: Settings, demo: bool, simulated_agency: bool, json_: bool) -> None:
    listener = listen(given.host, given.port)
    url = url_of(listener)
    with Console(stderr=True).status("Starting …", spinner="dots") as status:
        quiet = json_ or not status.console.is_terminal
        tell: Say = _silent if quiet else lambda text: status.update(f"{text} …")
        tell("Looking at the data folder")
        install(given)
        async with (
            _chain(given, tell) as (rpc, node),
            _agency(given, simulated_agency) as (known, inbox, agency),
        ):
            from jigap.cli import platform

            tell("Opening the database and reading the chain")
            async with platform.running(replace(known, chain_url=rpc), listener) as parts:
                people: People = []
                if demo:
                    tell("Making the demo people, their wallets and their history")
                    people = await platform.seed_demo(parts.app, listener)
                status.stop()
                _announce(url, rpc, people, inbox, json_)
                await until(*parts.tasks, *node, *agency)


@asynccontextmanager
async def _chain(
    given: Settings, tell: Say
) -> AsyncIterator[tuple[str, tuple["asyncio.Task[None]", ...]]]:
    """The node's address, and the task that keeps our own one running."""
    if given.chain_url:
        yield given.chain_url, ()
        return
    tell("Starting the node")
    node = Child("node", node_command(given), say)
    # While it starts we load the rest of the program.
    ready, _ = await asyncio.gather(node.start(), asyncio.to_thread(import_module, PLATFORM))
    rpc = str(ready["rpc"])
    node.fix("--port", rpc.rpartition(":")[2].strip("/"))
    keeping = asyncio.create_task(node.keep_running())
    try:
        yield rpc, (keeping,)
    finally:
        await end(keeping)
        await node.stop()


@asynccontextmanager
async def _agency(
    given: Settings, simulated: bool
) -> AsyncIterator[tuple[Settings, str, tuple["asyncio.Task[None]", ...]]]:
    """Settings that name the agency, the simulated phone's address, and what keeps both running.

    Nothing is simulated where the settings name somebody real.
    """
    if not simulated or given.agency_url or given.realname_provider != "agency":
        yield given, "", ()
        return
    secret = given.agency_secret or new_token()
    command = [sys.executable, "-m", "jigap.cli", "simulate", "agency"]
    command += ["--data", str(given.data), "--port", "0"]
    environment = os.environ | {"JIGAP_AGENCY_SECRET": secret}
    agency = Child("simulated agency", command, say, environment)
    ready = await agency.start()
    url = str(ready["url"])
    agency.fix("--port", url.rpartition(":")[2])
    keeping = asyncio.create_task(agency.keep_running())
    try:
        yield replace(given, agency_url=url, agency_secret=secret), str(ready["inbox"]), (keeping,)
    finally:
        await end(keeping)
        await agency.stop()


def node_command(given: Settings) -> list[str]:
    """How to start our own node on this data folder."""
    command = [sys.executable, "-m", "jigap.cli", "node"]
    return [*command, "--data", str(given.data), "--port", str(given.node_port)]


def _silent(_: str) -> None:
    pass


def _announce(url: str, rpc: str, people: People, inbox: str, json_: bool) -> None:
    if json_:
        ready: dict[str, Any] = {"ready": True, "url": url, "rpc": rpc, "people": people}
        if inbox:
            ready["inbox"] = inbox
        print(json.dumps(ready, ensure_ascii=False), flush=True)
        return
    Console().print(_screen(url, rpc, people, inbox))


def _second_factor(member_id: str, secret: str) -> str:
    code = code_of(secret, step_of(SystemClock().now_ms()))
    return (
        f"{member_id} needs a code, too: [bold]{code}[/bold] now. For the next ones give an\n"
        f"authenticator app this secret: [bold]{secret}[/bold]"
    )


def _screen(url: str, rpc: str, people: People, inbox: str) -> Panel:
    grid = Table.grid(padding=(0, 2))
    grid.add_row("Start page", f"[bold]{url}/[/bold]")
    grid.add_row("API", f"{url}/api/v1")
    grid.add_row("OpenAPI", f"{url}/openapi.json")
    grid.add_row("Health", f"{url}/readyz")
    grid.add_row("Chain (JSON-RPC)", rpc)
    if inbox:
        grid.add_row("Simulated phone", inbox)
    parts = Table.grid()
    parts.add_row(grid)
    parts.add_row("")
    if people:
        # Two lines each: nothing that somebody has to type may be cut off at 80 columns.
        who = Table("Role", "Log in as, password", "Payment passphrase, phone", box=None)
        for one in people:
            who.add_row(
                one["role"],
                f"[bold]{one['member_id']}[/bold]\n{one['password']}",
                f"{one['passphrase']}\n{one['phone']}",
            )
        parts.add_row(who)
        for one in people:
            if one["totp_secret"]:
                parts.add_row(_second_factor(str(one["member_id"]), one["totp_secret"]))
        parts.add_row("[dim]These people are for trying things out; everybody knows them.[/dim]")
    else:
        parts.add_row("No people of ours. Make an operator: [bold]jigap operator create[/bold]")
    parts.add_row("")
    parts.add_row("Ctrl-C stops everything.")
    return Panel(parts, title="jigap is ready", expand=False)

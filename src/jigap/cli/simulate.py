"""`jigap simulate`: other people's services, simulated as programs of their own."""

import asyncio
import json
from typing import Annotated

import typer
from aiohttp import web

from jigap import settings
from jigap.cli.child import die_with_parent
from jigap.cli.listening import listen, url_of
from jigap.cli.options import Data, ParentPid
from jigap.cli.serving import run
from jigap.clock import SystemClock
from jigap.realname import SmsSender, SolapiSender
from jigap.realname.simulated import DEVELOPMENT_SECRET, SimulatedAgency
from jigap.settings import SettingInvalid, Settings

commands = typer.Typer(
    help="Services of others, simulated for development and tests.",
    no_args_is_help=True,
    add_completion=False,
)


@commands.callback()
def _family() -> None:
    pass


@commands.command()
def agency(
    data: Data = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on loopback; 0: any.")
    ] = 0,
    parent_pid: ParentPid = None,
) -> None:
    """Simulate the real-name agency and the phones it sends codes to.

    Prints one line when ready: ready, url and inbox. Its secret is agency_secret of the settings;
    without one it is the development secret of docs/reference/agency.md.
    """
    if parent_pid is not None:
        die_with_parent(parent_pid)
    given = settings.load(data)
    run(_serve(given, port), given.log_level)


async def _serve(given: Settings, port: int) -> None:
    listener = listen("127.0.0.1", port)
    simulated = SimulatedAgency(
        SystemClock(), secret=given.agency_secret or DEVELOPMENT_SECRET, sender=_sender(given)
    )
    runner = web.AppRunner(simulated.application, shutdown_timeout=0.5, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    url = url_of(listener)
    print(json.dumps({"ready": True, "url": url, "inbox": f"{url}/inbox"}), flush=True)
    try:
        await asyncio.Event().wait()  # until SIGTERM or Ctrl-C cancels it
    finally:
        await runner.cleanup()


def _sender(given: Settings) -> SmsSender | None:
    """Who brings the codes; None: nobody, they stay in the inbox."""
    if given.sms_sender == "solapi":
        return SolapiSender(given.sms_key, given.sms_secret, given.sms_from, given.sms_url)
    if given.sms_sender != "inbox":
        raise SettingInvalid("sms_sender is inbox or solapi.", setting="sms_sender")
    return None

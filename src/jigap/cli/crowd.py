"""`jigap seed …`: made-up data for tests and measures. It is never wanted where real people are.

Members are made in rounds. Of each round keys and rows are made first, then both copies are
written, then the node is asked for the SymIDs; meanwhile the next round is made, and the
dispatcher's own code takes in the blocks. What a stop leaves behind is whole: a wallet whose SymID
is missing gets it from the dispatcher when the platform runs.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from jigap import settings
from jigap.app import App, Folder, build, build_authority, build_dispatcher, hold, install
from jigap.ca import AlreadyIssued, CertificateAuthority, CitizenRequest, Issued
from jigap.chain.citizen import Verification
from jigap.cli.child import Child
from jigap.cli.failure import CommandFailed
from jigap.cli.leases import dispatcher_lease
from jigap.cli.options import Data, Json
from jigap.cli.serving import run, say
from jigap.cli.up import node_command
from jigap.dispatcher import Dispatcher
from jigap.keys import KeyBatch, ServiceKeys
from jigap.members import crowd, password_of
from jigap.members.crowd import Crowd, MadeUp
from jigap.settings import Settings

#: Members made and registered at a time: a node lets a CA be about so far ahead of its blocks.
ROUND_MAX = 1_000
REGISTERED_TIMEOUT_S = 120
_POLL_S = 0.02
#: What made-up members type when nothing else is said; everybody can read it here.
PASSWORD = "a password of nobody"
PASSPHRASE = "a passphrase of nobody"

commands = typer.Typer(
    help="Made-up data, for tests and measures only.", no_args_is_help=True, add_completion=False
)


class CaElsewhere(CommandFailed):
    """Made-up people are not named to a certificate authority outside."""

    code = "ca_elsewhere"
    hint = "Seed a platform that uses the embedded authority: one without ca_url."


@commands.callback()
def _family() -> None:
    pass


@commands.command()
def members(
    count: Annotated[int, typer.Argument(min=1, max=1_000_000, help="How many to make.")],
    data: Data = None,
    passphrase: Annotated[
        str, typer.Option("--passphrase", help="Payment passphrase of all of them.")
    ] = PASSPHRASE,
    password: Annotated[
        str, typer.Option("--password", help="Password of all of them.")
    ] = PASSWORD,
    force: Annotated[
        bool, typer.Option("--force", help="Also where there are real members.")
    ] = False,
    json_: Json = False,
) -> None:
    """Make verified members with active wallets, called seed-0000001 and so on. For tests only.

    The platform must be stopped. All share one password and one passphrase, which everybody may
    know, and their keystores share one salt. Refused where there are real members.
    """
    given = settings.load(data)
    if given.ca_url:
        raise CaElsewhere("This platform asks a certificate authority outside for SymIDs.")
    order = Order(count, passphrase, password_of(password), force)
    began = time.monotonic()
    made: list[str] = []
    with hold(Folder.of(given)):
        run(_seed(given, order, made, json_), given.log_level)
    if len(made) < count:
        raise CommandFailed(f"Stopped after {len(made)} of {count} members.")
    told = {
        "members": count,
        "first": made[0],
        "last": made[-1],
        "elapsed_s": round(time.monotonic() - began, 1),
    }
    print(json.dumps(told) if json_ else _words(told))


def _words(told: dict[str, Any]) -> str:
    return (
        "{members} made-up members, {first} to {last}, in {elapsed_s} s.\n"
        "Password and passphrase are those you gave, or else those that --help shows.\n"
        "All keystores share one salt: this is for tests only."
    ).format(**told)


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for."""

    count: int
    passphrase: str
    password: str
    forced: bool


async def _seed(given: Settings, order: Order, made: list[str], quiet: bool) -> None:
    """Make them; ``made`` gets the member ids of those that are written."""
    install(given)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(_chain(given))
        app = build(replace(given, chain_url=url))
        stack.push_async_callback(app.close)
        await stack.enter_async_context(dispatcher_lease(app, say))
        first = await app.database.read(crowd.first_number, order.count, forced=order.forced)
        dispatcher = build_dispatcher(app)
        await dispatcher.start()
        columns = (TextColumn("Making members"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True, quiet=quiet)
        with Progress(*columns, console=console) as shown:
            task = shown.add_task("", total=order.count)
            async for round_ in _rounds(app, dispatcher, order, first):
                made += (str(one.row["login"]) for one in round_)
                shown.advance(task, len(round_))
        await dispatcher.start()


async def _rounds(
    app: App, dispatcher: Dispatcher, order: Order, first: int
) -> AsyncIterator[list[MadeUp]]:
    """The members round by round, written and registered; the next round is made meanwhile."""
    password_hash = await app.passwords.hash(order.password)
    makes = Crowd(app.ring, KeyBatch(app.ring, app.settings, order.passphrase), password_hash)
    authority = build_authority(app, ServiceKeys(app.ring, app.folder.service_keys))
    numbers = range(first, first + order.count)

    def make(start: int) -> list[MadeUp]:
        now_ms = app.clock.now_ms()
        made = [makes.make_up(one, now_ms) for one in numbers[start : start + ROUND_MAX]]
        app.vault.files.write_many((one.key.wallet_id, one.key.envelope) for one in made)
        return made

    ahead = asyncio.create_task(asyncio.to_thread(make, 0))
    for start in range(0, order.count, ROUND_MAX):
        made = await ahead
        if start + ROUND_MAX < order.count:
            ahead = asyncio.create_task(asyncio.to_thread(make, start + ROUND_MAX))
        await app.database.write(crowd.add, made, app.clock.now_ms())
        await _register(authority, made)
        await _active(app, dispatcher, made)
        yield made


async def _register(authority: CertificateAuthority, made: Sequence[MadeUp]) -> None:
    """Ask for the SymIDs of all of them at once."""
    requests = [
        CitizenRequest(0, "", "", one.key.public_key_hash, int(Verification.PHONE)) for one in made
    ]
    answers = await asyncio.gather(*map(authority.issue, requests))
    for answer in answers:
        if not isinstance(answer, Issued | AlreadyIssued):
            raise CommandFailed(f"The certificate authority says: {answer.reason}.")


async def _active(app: App, dispatcher: Dispatcher, made: Sequence[MadeUp]) -> None:
    """Take in blocks until all of them have their SymIDs."""
    try:
        async with asyncio.timeout(REGISTERED_TIMEOUT_S):
            while await app.database.read(crowd.count_waiting, made):
                await dispatcher.turn()
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise CommandFailed("No block takes the new members' SymIDs.") from None


@asynccontextmanager
async def _chain(given: Settings) -> AsyncIterator[str]:
    """Where the node answers; our own runs meanwhile, on any free port."""
    if given.chain_url:
        yield given.chain_url
        return
    node = Child("node", node_command(replace(given, node_port=0)), say)
    ready = await node.start()
    try:
        yield str(ready["rpc"])
    finally:
        await node.stop()

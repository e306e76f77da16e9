"""`jigap audit verify` and `jigap audit money`: look whether what is recorded is true."""

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console

from jigap import audit, settings
from jigap.app import node_url, open_database
from jigap.auditor import Report, recount
from jigap.auditor import audit as recount_and_compare
from jigap.cli.failure import CommandFailed
from jigap.cli.options import Data, Json
from jigap.database import Database
from jigap.money import format_amount
from jigap.node import NodeClient, NodeTrouble
from jigap.settings import Settings

commands = typer.Typer(
    help="Check the trail of actions and all money.", no_args_is_help=True, add_completion=False
)


class NodeNeeded(CommandFailed):
    """The node does not answer, so the records cannot be compared with it."""

    code = "node_needed"
    hint = "Start the platform, name the node with --rpc, or say --offline to recount without it."


@commands.callback()
def _family() -> None:
    pass


@commands.command()
def verify(data: Data = None, json_: Json = False) -> None:
    """Follow the hash chain of the trail of actions; exit status 1 if a link is broken."""
    database = open_database(settings.load(data))
    try:
        broken = asyncio.run(database.read(audit.broken_link))
    finally:
        database.close()
    if json_:
        print(json.dumps({"intact": broken is None, "broken_at": broken}))
    elif broken is None:
        print("The trail of actions is intact.")
    if broken is not None:
        if not json_:
            print(f"The trail of actions was changed: row {broken} does not follow.")
        raise typer.Exit(1)


@commands.command()
def money(
    data: Data = None,
    rpc: Annotated[str | None, typer.Option("--rpc", help="JSON-RPC address of the node.")] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Recount the records without asking the node.")
    ] = False,
    json_: Json = False,
) -> None:
    """Recount all money and compare it with the chain; exit status 1 if anything differs.

    May run while the platform does.
    """
    given = settings.load(data, chain_url=rpc)
    with Console(stderr=True, quiet=json_).status("Recounting …"):
        report = asyncio.run(money_report(given, offline=offline))
    print(json.dumps(shown(report)) if json_ else _words(report))
    if not report.clean:
        raise typer.Exit(1)


async def money_report(given: Settings, *, offline: bool = False) -> Report:
    """Recount the database of these settings. Raises ``NodeNeeded``."""
    database = open_database(given)
    try:
        return await database.read(recount) if offline else await _compared(database, given)
    finally:
        database.close()


async def _compared(database: Database, given: Settings) -> Report:
    async with NodeClient(node_url(given), given.node_timeout_ms) as client:
        try:
            return await recount_and_compare(database, client)
        except NodeTrouble as trouble:
            raise NodeNeeded(f"The node at {client.url} does not answer: {trouble}.") from None


def shown(report: Report) -> dict[str, object]:
    """A report for machines; amounts are decimal strings in whole tokens."""
    return {
        "height": report.height,
        "conserved": report.conserved,
        "clean": report.clean,
        "supply": {symbol: format_amount(units) for symbol, units in report.supply.items()},
        "differences": [str(one) for one in report.differences],
        "transactions_checked": report.transactions_checked,
        "records_checked": report.records_checked,
        "holdings_checked": report.holdings_checked,
        "accounts_checked": report.accounts_checked,
    }


def _words(report: Report) -> str:
    lines = [f"As of block {report.height}:"]
    lines += [
        f"  {symbol}: supply {format_amount(units)}"
        + (" = sum of balances" if report.conserved else "")
        for symbol, units in report.supply.items()
    ]
    lines.append(
        f"  {report.transactions_checked} transactions, {report.records_checked} records, "
        f"{report.holdings_checked} holdings and {report.accounts_checked} accounts checked"
    )
    lines += [f"  DIFFERENCE {one}" for one in report.differences]
    lines.append("Records and chain agree." if report.clean else "Records and chain DIFFER.")
    return "\n".join(lines)

"""`jigap audit`: look whether what is recorded is true, the trail of actions and all money."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from sqlalchemy import Connection

from jigap import audit, settings
from jigap.app import Folder, node_url, open_database
from jigap.auditor import Report, recount
from jigap.auditor import audit as recount_and_compare
from jigap.cli.failure import CommandFailed
from jigap.cli.options import Data, Json
from jigap.database import Database
from jigap.keys import ServiceKeyMissing, public_key_hash
from jigap.money import format_amount
from jigap.node import NodeClient, NodeTrouble
from jigap.settings import Settings

T = TypeVar("T")

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
def verify(
    data: Data = None,
    head: Annotated[
        str | None,
        typer.Option("--head", help="What `jigap audit head` printed once, and you kept."),
    ] = None,
    json_: Json = False,
) -> None:
    """Check the trail of actions: its chain, every seal, its end; exit status 1 if it is broken.

    With --head a trail that was replaced together with its key is noticed, too. May run while the
    platform does.
    """
    given = settings.load(data)
    folder = Folder.of(given)
    kept = audit.read_head(folder.audit_head)
    known = [one for one in (kept, audit.Head.parse(head) if head else None) if one is not None]
    sealer = _sealer(folder.service_keys)
    report = _read(given, lambda connection: audit.inspect(connection, sealer, known))
    print(json.dumps(_trail_shown(report)) if json_ else _trail_words(report))
    if report.broken is not None:
        raise typer.Exit(1)


@commands.command()
def head(data: Data = None) -> None:
    """Print the newest row of the trail, its hash and whose key seals; keep the line elsewhere."""
    given = settings.load(data)
    sealer = public_key_hash(Folder.of(given).service_keys, "audit")
    print(_read(given, lambda connection: audit.newest_head(connection, sealer)))


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


def _read(given: Settings, fn: Callable[[Connection], T]) -> T:
    database = open_database(given)
    try:
        return asyncio.run(database.read(fn))
    finally:
        database.close()


def _sealer(service_keys: Path) -> bytes | None:
    """Whose seals are good; None where no dispatcher has ever had the key."""
    try:
        return public_key_hash(service_keys, "audit")
    except ServiceKeyMissing:
        return None


def _trail_shown(report: audit.Report) -> dict[str, object]:
    broken = report.broken
    return {
        "intact": broken is None,
        "broken": broken.what if broken else None,
        "broken_at": broken.at if broken else None,
        "detail": broken.words if broken else None,
        "rows": report.rows,
        "seals": report.seals,
        "last_sealed_at": _time(report.last_sealed_ms) if report.last_sealed_ms else None,
        "unsealed": report.unsealed,
    }


def _trail_words(report: audit.Report) -> str:
    if report.broken is not None:
        return f"The trail of actions is BROKEN: {report.broken.words}"
    sealed = f"last sealed {_time(report.last_sealed_ms)}" if report.last_sealed_ms else "no seal"
    return (
        f"The trail of actions is intact: {report.rows} rows, {report.seals} seals, {sealed}, "
        f"{report.unsealed} rows not sealed yet."
    )


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).isoformat().replace("+00:00", "Z")


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

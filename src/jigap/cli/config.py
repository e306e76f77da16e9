"""`jigap config show`: every setting, what it is now, and what it does."""

import json

import typer
from rich.console import Console
from rich.table import Table

from jigap import settings
from jigap.cli.options import Data, Json

commands = typer.Typer(
    help="The settings of this installation.", no_args_is_help=True, add_completion=False
)


@commands.callback()
def _family() -> None:
    pass


@commands.command()
def show(data: Data = None, json_: Json = False) -> None:
    """Show every setting with its value, default and meaning; secrets are masked."""
    now = settings.shown(settings.load(data))
    if json_:
        print(json.dumps(now, ensure_ascii=False, indent=2))
        return
    table = Table("Setting", "Value", "Meaning", box=None, pad_edge=False)
    for name, default, help_ in settings.describe():
        changed = now[name] != default
        value = "" if now[name] == "" else str(now[name])
        table.add_row(name, f"[bold]{value}[/bold]" if changed else value, help_)
    Console().print(table)

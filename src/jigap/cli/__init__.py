"""The same operations from a terminal.

One module for each command or family of commands, loaded when it is asked for. What a command
cannot do it says in one line (``failure``); what takes long it shows while it runs; ``--json`` says
it once, for machines.
"""

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from jigap import __version__
from jigap.cli.failure import RefusingGroup

#: Every command: where it is. A module's ``commands`` are a family, anything else is one command.
COMMANDS: dict[str, str] = {
    "up": "up:up",
    "demo": "demo:demo",
    "node": "node:node",
    "simulate": "simulate:commands",
    "web": "split:web",
    "dispatcher": "split:dispatcher",
    "keys": "keys:commands",
    "operator": "operator:commands",
    "seed": "crowd:commands",
    "audit": "audit:commands",
    "shield": "shield:commands",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "config": "config:commands",
}


class Commands(RefusingGroup):
    """The commands of ``COMMANDS``, each imported when it is called or when help lists them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(f"jigap.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            family = typer.main.get_command(found)
            assert isinstance(family, TyperGroup), f"{cmd_name} has a callback, so it is a group"
            family.name = cmd_name
            return family
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name=cmd_name)(found)
        return typer.main.get_command(alone)


commands = typer.Typer(
    name="jigap",
    help="Pay people in tokens, in real time, by phone number.",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"jigap {__version__}")
        raise typer.Exit


@commands.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The ``jigap`` program."""
    commands(prog_name="jigap")
    sys.exit(0)

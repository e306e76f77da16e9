"""The same operations from a terminal.

One module for each command or family of commands. What a command cannot do it says in one line
(``failure``); what takes long it shows while it runs; ``--json`` says it once, for machines.
"""

import sys
from typing import Annotated

import typer

from jigap import __version__
from jigap.cli import audit, backup, config, demo, node, operator, split, up
from jigap.cli.failure import RefusingGroup

commands = typer.Typer(
    name="jigap",
    help="Pay people in tokens, in real time, by phone number.",
    cls=RefusingGroup,
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


commands.command()(up.up)
commands.command()(node.node)
commands.command()(split.web)
commands.command()(split.dispatcher)
commands.command()(demo.demo)
commands.command()(backup.backup)
commands.command()(backup.restore)
commands.add_typer(operator.commands, name="operator")
commands.add_typer(audit.commands, name="audit")
commands.add_typer(config.commands, name="config")


def main() -> None:
    """The ``jigap`` program."""
    commands(prog_name="jigap")
    sys.exit(0)

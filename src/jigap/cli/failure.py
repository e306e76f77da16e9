"""How the command line says no: one line on stderr and exit status 1, never a traceback.

Only a ``Refusal`` is said this way. Anything else that gets here is a bug and shows where it is.
"""

import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from jigap.refusal import Kind, Refusal


class CommandFailed(Refusal):
    """A command could not do what it was asked to; the sentence says why."""

    code = "command_failed"
    kind = Kind.UNAVAILABLE


class RefusingGroup(TyperGroup):
    """A group of commands whose refusals become one line."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            fail(refusal)


def fail(refusal: Refusal) -> NoReturn:
    """Say it and leave with status 1."""
    print(line(refusal), file=sys.stderr, flush=True)
    raise typer.Exit(1)


def line(refusal: Refusal) -> str:
    """The refusal on one line: what is wrong, then what to do."""
    text = " ".join(f"{refusal.detail} {refusal.hint}".split())
    return f"jigap: {text}"

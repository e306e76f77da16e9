"""Options that several commands share, written once."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder (JIGAP_DATA_DIR, default: data)."),
]
Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="Port of the web server; 0: any.")
]
NodePort = Annotated[
    int | None, typer.Option("--node-port", min=0, max=65535, help="Port of our node; 0: any.")
]
Json = Annotated[bool, typer.Option("--json", help="Say it as JSON, for machines.")]
ParentPid = Annotated[int | None, typer.Option("--parent-pid", hidden=True)]

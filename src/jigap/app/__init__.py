"""Everything the platform is made of, built once, from settings.

``folder`` knows what lies where on disk and keeps a second owner out, ``installation`` makes what a
new one needs, ``wiring`` opens the database and puts the parts together. Nothing else constructs
them. ``wiring`` imports the whole platform, so it is loaded when it is first asked for: a node
alone starts in half the time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jigap.app.folder import DataFolderInUse, DataFolderUnusable, Folder, hold
from jigap.app.installation import (
    Accounts,
    AccountsMalformed,
    install,
    node_config,
    read_accounts,
)

if TYPE_CHECKING:
    from jigap.app.wiring import (
        App,
        DatabaseDamaged,
        DatabaseUnreachable,
        build,
        build_agency,
        build_authority,
        build_dispatcher,
        node_url,
        open_database,
    )

__all__ = [
    "Accounts",
    "AccountsMalformed",
    "App",
    "DataFolderInUse",
    "DataFolderUnusable",
    "DatabaseDamaged",
    "DatabaseUnreachable",
    "Folder",
    "build",
    "build_agency",
    "build_authority",
    "build_dispatcher",
    "hold",
    "install",
    "node_config",
    "node_url",
    "open_database",
    "read_accounts",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("jigap.app.wiring"), name)
    raise AttributeError(name)

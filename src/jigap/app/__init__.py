"""Everything the platform is made of, built once, from settings.

``folder`` knows what lies where on disk and keeps a second owner out, ``installation`` makes what a
new one needs, ``wiring`` opens the database and puts the parts together. Nothing else constructs
them.
"""

from jigap.app.folder import (
    DataFolderInUse,
    DataFolderUnusable,
    Folder,
    hold,
)
from jigap.app.installation import (
    Accounts,
    AccountsMalformed,
    install,
    node_config,
    read_accounts,
)
from jigap.app.wiring import (
    App,
    build,
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
    "Folder",
    "build",
    "build_authority",
    "build_dispatcher",
    "hold",
    "install",
    "node_config",
    "node_url",
    "open_database",
    "read_accounts",
]

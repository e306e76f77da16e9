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
    DevAccount,
    DevAccountsFixed,
    dev_accounts,
    install,
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
    "DevAccount",
    "DevAccountsFixed",
    "Folder",
    "build",
    "build_authority",
    "build_dispatcher",
    "dev_accounts",
    "hold",
    "install",
    "node_url",
    "open_database",
    "read_accounts",
]

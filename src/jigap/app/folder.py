"""The data folder: what lies where in it, and who owns it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jigap.refusal import Kind, Refusal
from jigap.settings import Settings


class DataFolderInUse(Refusal):
    """Another process owns the data folder."""

    code = "data_folder_in_use"
    kind = Kind.UNAVAILABLE
    hint = "Stop the other jigap first, or choose another folder with --data."


class DataFolderUnusable(Refusal):
    """The data folder cannot be made, read or written."""

    code = "data_folder_unusable"
    kind = Kind.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies where in a data folder."""

    root: Path
    master_key: Path

    @classmethod
    def of(cls, settings: Settings) -> "Folder":
        named = settings.master_key_file
        return cls(settings.data, Path(named) if named else settings.data / "keys" / "master.json")

    @property
    def database(self) -> Path:
        """The SQLite database, unless the settings name a PostgreSQL one."""
        return self.root / "jigap.sqlite"

    @property
    def keystores(self) -> Path:
        """The file copies of the wallet keys."""
        return self.root / "keystores"

    @property
    def service_keys(self) -> Path:
        """The platform's own keys, sealed by the ring."""
        return self.root / "keys" / "service"

    @property
    def audit_head(self) -> Path:
        """The newest sealed row of the audit trail, kept outside the database."""
        return self.root / "audit.head"

    @property
    def shield(self) -> Path:
        """The shield's own: entries and bans, and the table of countries if one was imported."""
        return self.root / "shield"

    @property
    def node(self) -> Path:
        """Our own node's: its store, its guard file, its genesis."""
        return self.root / "node"

    @property
    def genesis(self) -> Path:
        """Where the node keeps its genesis once the chain has begun."""
        return self.node / "genesis.json"

    def make(self) -> None:
        """Make the folder, readable by its owner only. Raises ``DataFolderUnusable``."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise DataFolderUnusable(f"{self.root} cannot be used: {error.strerror}.") from None


@contextmanager
def hold(folder: Folder, name: str = "owner") -> Iterator[None]:
    """Be the only process that holds ``name`` in this data folder; freed when the process ends.

    Raises ``DataFolderInUse``, or ``DataFolderUnusable`` when the lock file cannot be written.
    """
    folder.make()
    path = folder.root / f"{name}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataFolderUnusable(f"{path} cannot be written: {error.strerror}.") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            raise DataFolderInUse(
                f"The data folder {folder.root} is in use by process {holder}.", process=holder
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)

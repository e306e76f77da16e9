"""Files that are whole or not there, even after a power cut; and the first copy of wallet keys.

A file is written under a temporary name, synced, renamed, and its folder is synced: whoever looks
sees the old file or the new one. The first copy of the key of wallet ``wa_…`` in version 2 is
``<root>/<2 hex digits>/wa_….2``; the digits only keep folders small.
"""

import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from jigap import entropy
from jigap.chain.hashing import sha3_256

_WALLET_ID = re.compile(r"[a-z0-9_]{1,40}", re.ASCII)
_NAME = re.compile(r"([a-z0-9_]{1,40})\.([1-9][0-9]{0,8})", re.ASCII)


def write_synced(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Put ``content`` at ``path``, for its owner only; durable when this returns.

    With ``replace`` False an existing file is left alone and ``FileExistsError`` is raised.
    """
    temporary = _temporary(path)
    try:
        _write_new(temporary, content, sync=True)
        if replace:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)
            os.unlink(temporary)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_folder(path.parent)


def _write_new(path: str, content: bytes, *, sync: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> str:
    return f"{path.parent}/.{path.name}.{entropy.random_bytes(6).hex()}.tmp"


def sync_folder(folder: Path) -> None:
    """Make the names inside a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class KeyFiles:
    """The folder with the first copies."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._making = threading.Lock()
        self._made = False

    def path(self, wallet_id: str, version: int) -> Path:
        """Where one version of one wallet's key is kept."""
        assert _WALLET_ID.fullmatch(wallet_id) and version > 0
        shard = sha3_256(wallet_id.encode())[:1].hex()
        return self.root / shard / f"{wallet_id}.{version}"

    def write(self, wallet_id: str, version: int, envelope: bytes) -> None:
        """Put one version there; durable when this returns."""
        path = self.path(wallet_id, version)
        self._be_ready(path.parent)
        write_synced(path, envelope)

    def write_many(self, first_versions: Iterable[tuple[str, bytes]]) -> None:
        """Put version 1 of many wallets there, by their ids; all durable when this returns.

        One sync of everything is waited for instead of one for each file: quick for thousands, and
        nothing to do beside people who wait.
        """
        temporaries: dict[Path, str] = {}
        for wallet_id, envelope in first_versions:
            path = self.path(wallet_id, 1)
            self._be_ready(path.parent)
            temporaries[path] = _temporary(path)
            _write_new(temporaries[path], envelope, sync=False)
        os.sync()
        for path, temporary in temporaries.items():
            os.replace(temporary, path)
        os.sync()

    def _be_ready(self, folder: Path) -> None:
        with self._making:
            if not (self._made and folder.is_dir()):
                self._make_folders()

    def _make_folders(self) -> None:
        """All of them at once, synced before a file may be in one: later writes need not."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for shard in range(256):
            (self.root / f"{shard:02x}").mkdir(exist_ok=True, mode=0o700)
        sync_folder(self.root)
        sync_folder(self.root.parent)
        self._made = True

    def read(self, wallet_id: str, version: int) -> bytes | None:
        """One version as it is on disk; None when there is no such file."""
        try:
            return self.path(wallet_id, version).read_bytes()
        except FileNotFoundError:
            return None

    def versions(self, wallet_id: str) -> list[int]:
        """Every version of one wallet's key that has a file, oldest first."""
        folder = self.path(wallet_id, 1).parent
        found = (_NAME.fullmatch(path.name) for path in folder.glob(f"{wallet_id}.*"))
        return sorted(int(match[2]) for match in found if match and match[1] == wallet_id)

    def remove(self, wallet_id: str, version: int) -> None:
        """Take one version away; durable when this returns."""
        path = self.path(wallet_id, version)
        with suppress(FileNotFoundError):
            path.unlink()
            sync_folder(path.parent)

    def keep_only(self, wallet_id: str, version: int) -> None:
        """Take every other version away."""
        for other in self.versions(wallet_id):
            if other != version:
                self.remove(wallet_id, other)

    def wallets(self) -> Iterator[str]:
        """The id of every wallet that has a file, sorted within its folder."""
        for folder in sorted(self.root.glob("[0-9a-f][0-9a-f]")):
            found = (_NAME.fullmatch(path.name) for path in folder.iterdir())
            yield from sorted({match[1] for match in found if match})

    def leftovers(self) -> Iterator[Path]:
        """Temporary files of writes that a crash interrupted."""
        yield from self.root.glob("[0-9a-f][0-9a-f]/.*.tmp")

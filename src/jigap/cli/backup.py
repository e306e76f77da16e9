"""`jigap backup` and `jigap restore`: everything but the master key, and the master key apart.

A backup is a folder: ``manifest.json`` (what is in it, with SHA-256), ``database.sqlite``, the
sealed wallet keys and service keys, the shield's lists and bans, the chain. It is taken while the
platform runs. Each part is copied so that a later part is never older than an earlier one needs:
keystores, then the database (whose rows hold the second copy of every key), then the chain, which
is thus at least as high as the database has followed it. Without the master key nobody can open any
key in it; keep the two in different places.

After a restore the dispatcher reads the chain from the last block the database knows and finds the
payments made since: that is why a chain on disk that is newer than the backup's is kept.
"""

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import lmdb
import msgspec
import typer

from jigap import __version__, lanes, settings
from jigap.app import Folder, hold
from jigap.cli import dump
from jigap.cli.failure import CommandFailed
from jigap.cli.options import Data, Json
from jigap.clock import SystemClock
from jigap.database import Database, sqlite_url
from jigap.keys import KeyRing
from jigap.node.server import GENESIS_FILE, LOCK_FILE, STORE_FOLDER, locked_folder
from jigap.node.store import Store
from jigap.refusal import Kind, Refusal
from jigap.settings import Settings

DATABASE = "database.sqlite"
MANIFEST = "manifest.json"
NODE = "node"
FORMAT = 1

MasterKeyFile = Annotated[
    Path | None,
    typer.Option("--master-key", metavar="FILE", help="File for the master key, kept apart."),
]


class BackupDamaged(Refusal):
    """The folder is not a backup of ours, or not all of it is there unchanged."""

    code = "backup_damaged"
    kind = Kind.UNAVAILABLE
    hint = "Use another backup."


class WouldOverwrite(Refusal):
    """There is something already where the copy would go."""

    code = "would_overwrite"
    hint = "Choose an empty folder, or say --force to move what is there aside."


class Manifest(msgspec.Struct):
    """What a backup holds. ``files`` are relative paths with their SHA-256 in hex."""

    format: int
    version: str
    made_ms: int
    height: int
    files: dict[str, str]


def backup(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for the backup.")],
    data: Data = None,
    master_key: MasterKeyFile = None,
    json_: Json = False,
) -> None:
    """Copy database, chain and keystores into DIR, also while the platform runs.

    The master key is not among them; --master-key FILE copies it to a file of its own.
    """
    given = settings.load(data)
    folder = Folder.of(given)
    _must_be_free(target)
    if master_key is not None:
        _must_be_apart(master_key, target)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    try:
        manifest = _copy_all(given, folder, partial)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if master_key is not None:
        _copy_secret(folder.master_key, master_key)
    _report_backup(target, manifest, master_key, json_)


def restore(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="The backup.")],
    data: Data = None,
    master_key: MasterKeyFile = None,
    force: Annotated[
        bool, typer.Option("--force", help="Move what is in the data folder aside first.")
    ] = False,
    chain: Annotated[
        bool, typer.Option("--chain", help="Put the chain back even if the one here is newer.")
    ] = False,
    json_: Json = False,
) -> None:
    """Put a backup back into the data folder of a platform that is stopped.

    What is there is moved aside, never deleted. A chain that is newer than the backup's is kept, so
    that payments made since the backup are found again; --chain puts the old one back all the same.
    """
    manifest = check(source)
    given = settings.load(data)
    folder = Folder.of(given)
    with ExitStack() as held:
        held.enter_context(hold(folder))
        held.enter_context(locked_folder(folder.node))
        replaced = _make_room(given, folder, force)
        kept = not chain and _is_newer(folder, source, manifest.height)
        _put_back(given, folder, source, force=force, chain=not kept)
        _put_master_key(folder, master_key)
    _report_restore(folder, manifest, kept, replaced, json_)


def check(source: Path) -> Manifest:
    """The manifest of a backup whose every file is there, unchanged. Raises ``BackupDamaged``."""
    try:
        manifest = msgspec.json.decode((source / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupDamaged(f"{source} is not a backup: {error}.") from None
    if manifest.format != FORMAT:
        raise BackupDamaged(f"{source} has the format {manifest.format}, not {FORMAT}.")
    for name, digest in manifest.files.items():
        path = source / name
        if not path.is_file() or _sha256(path) != digest:
            raise BackupDamaged(f"{name} is missing or changed.", file=name)
    return manifest


# --- taking one


def _copy_all(given: Settings, folder: Folder, target: Path) -> Manifest:
    _copy_tree(folder.keystores, target / "keystores")
    _copy_tree(folder.service_keys, target / "service")
    _copy_shield(folder.shield, target / "shield")
    _copy_database(given, folder, target / DATABASE)
    _copy_node(folder.node, target / NODE)
    manifest = Manifest(
        format=FORMAT,
        version=__version__,
        made_ms=SystemClock().now_ms(),
        height=_height(target / NODE / STORE_FOLDER),
        files={str(path.relative_to(target)): _sha256(path) for path in _files(target)},
    )
    encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (target / MANIFEST).write_bytes(encoded + b"\n")
    for path in (*_files(target), *(one for one in target.rglob("*") if one.is_dir()), target):
        _sync(path)
    return manifest


def _copy_database(given: Settings, folder: Folder, target: Path) -> None:
    if not given.database_url:
        dump.copy_sqlite(folder.database, target)
        return
    database = Database(given.database_url)
    try:
        dump.save(database, target)
    finally:
        database.close()


def _copy_node(source: Path, target: Path) -> None:
    """The signer's guard before the store: a copy never has a guard ahead of its chain."""
    if not (source / STORE_FOLDER / "data.mdb").exists():
        return
    store = target / STORE_FOLDER
    store.mkdir(parents=True, mode=0o700)
    for path in sorted(source.iterdir()):
        if path.is_file() and path.name != LOCK_FILE and path.suffix != ".new":
            shutil.copy2(path, target / path.name)
    with lmdb.open(str(source / STORE_FOLDER), readonly=True, max_dbs=64) as running:
        running.copy(str(store), compact=True)


def _copy_tree(source: Path, target: Path) -> None:
    """Copy sealed files; one that its owner replaces meanwhile is in the database as well."""
    target.mkdir(mode=0o700)
    for path in _files(source):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            shutil.copy2(path, copy)
        except FileNotFoundError:
            continue


def _copy_shield(source: Path, target: Path) -> None:
    """Whom operators have listed and who is banned.

    A damaged file is copied as it is: it must not keep a backup of the money from being made.
    """
    target.mkdir(mode=0o700)
    for path in sorted(source.glob("*.sqlite")):
        try:
            dump.copy_sqlite(path, target / path.name)
        except (CommandFailed, sqlite3.Error):
            shutil.copy2(path, target / path.name)


def _copy_secret(source: Path, target: Path) -> None:
    content = source.read_bytes()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


# --- putting one back


@dataclass(frozen=True, slots=True)
class _Parts:
    """Where the parts of a backup go, but for the chain."""

    files: dict[Path, str]
    trees: dict[Path, str]

    @classmethod
    def of(cls, given: Settings, folder: Folder) -> "_Parts":
        database = {} if given.database_url else {folder.database: DATABASE}
        trees = {
            folder.keystores: "keystores",
            folder.service_keys: "service",
            folder.shield: "shield",
        }
        return cls(database, trees)


def _make_room(given: Settings, folder: Folder, force: bool) -> Path | None:
    """Move what is there aside, the chain excepted; where to. Raises ``WouldOverwrite``."""
    parts = _Parts.of(given, folder)
    wal = [folder.database.with_name(folder.database.name + end) for end in ("-wal", "-shm")]
    # An older trail would seem cut short beside the newest head.
    found = (*parts.files, *wal, *parts.trees, folder.audit_head)
    there = [path for path in found if path.exists()]
    if not there:
        return None
    if not force:
        raise WouldOverwrite(f"{folder.root} holds an installation already.")
    aside = folder.root / f"replaced-{SystemClock().now_ms()}"
    aside.mkdir(mode=0o700)
    for path in there:
        path.rename(aside / path.name)
    return aside


def _put_back(given: Settings, folder: Folder, source: Path, *, force: bool, chain: bool) -> None:
    parts = _Parts.of(given, folder)
    for path, name in parts.trees.items():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (source / name).is_dir():  # there was no shield in backups of before
            shutil.copytree(source / name, path)
    for path, name in parts.files.items():
        shutil.copy2(source / name, path)
        path.chmod(0o600)
    if given.database_url:
        database = Database(given.database_url)
        try:
            dump.load(source / DATABASE, database, replace=force)
        finally:
            database.close()
    asyncio.run(_forbid_payments(given, folder))
    if chain and (source / NODE).exists():
        _put_node(folder, source / NODE)
    for path in (*(file for tree in parts.trees for file in _files(tree)), *parts.files):
        _sync(path)


async def _forbid_payments(given: Settings, folder: Folder) -> None:
    """Until a dispatcher has read the chain: the backup's had caught up, but long ago."""
    database = Database(given.database_url or sqlite_url(folder.database))
    try:
        await database.write(
            lanes.set_dispatch_state, caught_up=False, now_ms=SystemClock().now_ms()
        )
    finally:
        database.close()


def _put_node(folder: Folder, source: Path) -> None:
    if _has_chain(folder.node):
        folder.node.rename(folder.root / f"node-replaced-{SystemClock().now_ms()}")
    shutil.copytree(source, folder.node, dirs_exist_ok=True)
    for path in _files(folder.node):
        _sync(path)


def _is_newer(folder: Folder, source: Path, height: int) -> bool:
    """Whether the chain on disk continues the backup's. Raises if it is another chain."""
    there = source / NODE / folder.genesis.name
    if not _has_chain(folder.node):
        return False
    if there.exists() and there.read_bytes() != folder.genesis.read_bytes():
        raise CommandFailed(
            "The chain here is another one than the backup's; say --chain to replace it."
        )
    return _height(folder.node / STORE_FOLDER) >= height


def _has_chain(node: Path) -> bool:
    return (node / STORE_FOLDER / "data.mdb").exists() and (node / GENESIS_FILE).exists()


def _put_master_key(folder: Folder, given: Path | None) -> None:
    """Put the master key in place unless it is there. Another one there is never overwritten."""
    if given is None:
        return
    if not given.is_file():
        raise CommandFailed(f"There is no master key at {given}.")
    if folder.master_key.exists():
        if folder.master_key.read_bytes() != given.read_bytes():
            raise WouldOverwrite(f"{folder.master_key} is another master key; move it first.")
        return
    folder.master_key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _copy_secret(given, folder.master_key)
    KeyRing.load(folder.master_key)


# --- small things


def _must_be_free(target: Path) -> None:
    if target.exists():
        raise WouldOverwrite(f"{target} exists already.")


def _must_be_apart(master_key: Path, target: Path) -> None:
    if master_key.exists():
        raise WouldOverwrite(f"{master_key} exists already.")
    if target.resolve() in master_key.resolve().parents:
        raise CommandFailed("Keep the master key apart from the backup: it opens every key in it.")


def _height(chain: Path) -> int:
    """Number of the last block of a chain that no node has open; -1 when there is none."""
    if not (chain / "data.mdb").exists():
        return -1
    store = Store.open(chain, None)
    try:
        with store.view() as view:
            return view.tip().header.number
    finally:
        store.close()
        (chain / "lock.mdb").unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _report_backup(target: Path, manifest: Manifest, master_key: Path | None, json_: bool) -> None:
    if json_:
        said = {"backup": str(target), "height": manifest.height, "files": len(manifest.files)}
        print(json.dumps(said | {"master_key": None if master_key is None else str(master_key)}))
        return
    print(f"Backup in {target}: {len(manifest.files)} files, the chain up to {manifest.height}.")
    if master_key is None:
        print("The master key is not in it. Without it nobody can open the keys: keep a copy apart")
        print("(jigap backup … --master-key FILE).")
    else:
        print(f"The master key is in {master_key}. Keep it in another place than the backup.")


def _report_restore(
    folder: Folder, manifest: Manifest, kept: bool, replaced: Path | None, json_: bool
) -> None:
    missing = not folder.master_key.exists()
    if json_:
        said = {
            "restored": str(folder.root),
            "height": manifest.height,
            "chain_kept": kept,
            "replaced": None if replaced is None else str(replaced),
            "master_key_missing": missing,
        }
        print(json.dumps(said))
        return
    print(f"Restored into {folder.root}.")
    if kept:
        print("The chain here was newer than the backup's and was kept: payments made since the")
        print("backup are found again at the next start.")
    if replaced is not None:
        print(f"What was there is in {replaced}.")
    if missing:
        print(f"Put the master key at {folder.master_key} before the next start.")

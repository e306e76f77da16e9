"""`jigap keys …`: look after the keys that the server holds, and read key files.

Every command may run beside a live platform. None of them ever shows a private key.
"""

import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from jigap import app, entropy, settings
from jigap.app import Folder
from jigap.cli.failure import CommandFailed
from jigap.cli.options import Data, Json
from jigap.clock import SystemClock
from jigap.database import Database
from jigap.keys import (
    Caretaker,
    KdfPool,
    KeyFiles,
    KeyRing,
    RecoveryKeyInvalid,
    Report,
    ServiceKeyDamaged,
    ServiceKeys,
    Vault,
    envelope,
    handover,
    inspection,
    keystore,
    write_synced,
)
from jigap.members import by_login, get, rewrap_data_keys, wallets
from jigap.recovery import rewrap_secrets
from jigap.settings import Settings
from jigap.transfers import rewrap_memos

T = TypeVar("T")

commands = typer.Typer(
    help="The keys that the server holds.", no_args_is_help=True, add_completion=False
)
keys_app = commands

Wallet = Annotated[str, typer.Argument(metavar="WALLET", help="A wallet id (wa_…) or a member id.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="File with the passphrase; - is standard input."),
]
NewPassphraseFile = Annotated[
    Path | None, typer.Option("--new-passphrase-file", help="File with another passphrase.")
]


@commands.callback()
def _family() -> None:
    pass


@commands.command()
def verify(
    data: Data = None,
    recovery_key_file: Annotated[
        Path | None,
        typer.Option(
            "--recovery-key-file",
            help="The offline recovery key, in hex: opens every recovery slot and derives the "
            "public key again.",
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Check both copies of every wallet key, and the platform's own keys. Changes nothing."""
    private_key = None if recovery_key_file is None else _read_hex(recovery_key_file)
    with _opened(data) as parts, _progress("Verifying", json_) as told:
        report = asyncio.run(parts.caretaker(told).verify_all(private_key))
        service = parts.check_service_keys()
    damaged = [role for role, state in service.items() if state != "sound"]
    shown = _shown(report) | {"service_keys": service, "master_key": _versions(parts.ring)}
    shown["sound"] = report.sound and not damaged
    _print(json_, shown, _words(report, "verified") + _service_words(service))
    if not shown["sound"]:
        raise typer.Exit(1)


@commands.command()
def restore(data: Data = None, json_: Json = False) -> None:
    """Repair either copy of a wallet key from the other."""
    with _opened(data, new=True) as parts, _progress("Restoring", json_) as told:
        report = asyncio.run(parts.caretaker(told).restore_all())
    shown = _shown(report) | {"repaired": report.repaired}
    _print(json_, shown, [*_words(report, "checked"), f"{len(report.repaired)} repaired."])
    if not report.sound:
        raise typer.Exit(1)


@commands.command()
def rotate(data: Data = None, json_: Json = False) -> None:
    """Make a new master key and put every key and memo under it; no passphrase is needed.

    The old versions stay in the master key file, so copy that file again when this is done.
    """
    with _opened(data) as parts, _progress("Rotating", json_) as told:
        version = parts.ring.add_version()
        report = asyncio.run(parts.caretaker(told).rotate_all())
        roles = [role for role in parts.service.roles() if parts.service.rewrap(role)]
        members = asyncio.run(_rewrap_members(parts))
        memos = asyncio.run(_rewrap_memos(parts))
        recoveries = asyncio.run(parts.database.write(rewrap_secrets, parts.ring))
    shown = _shown(report) | {
        "master_key": _versions(parts.ring),
        "rewrapped": report.rewrapped,
        "service_keys": roles,
        "members": members,
        "memos": memos,
        "recoveries": recoveries,
    }
    words = [f"Master key {version} is in use; copy the master key file to your safe place again."]
    words += [
        f"{report.rewrapped} wallet keys, {len(roles)} service keys, {members} members, "
        f"{memos} memos, {recoveries} keys of recoveries."
    ]
    _print(json_, shown, _words(report, "rotated") + words)
    if not report.sound:
        raise typer.Exit(1)


@commands.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="A keystore file, or an envelope of our own.")],
    passphrase_file: PassphraseFile = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Data folder whose master key opens envelopes."),
    ] = None,
    json_: Json = False,
) -> None:
    """Say what a key file is and, with a passphrase, whether it opens. Never shows the key."""
    document = keystore.read(_read(file))
    wrapping: dict[str, Any] = {}
    if "data_key" in document and "crypto" not in document:
        wrapping, document = _unwrapped(file.read_bytes(), data)
    passphrase = None if passphrase_file is None else _secret_of(passphrase_file)
    shown = {"file": str(file), **wrapping}
    if document:
        shown |= inspection.inspect(document, passphrase)
    if json_:
        print(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in shown.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        table.add_row(name.replace("_", " "), text)
    Console().print(table)


@commands.command()
def export(
    wallet: Wallet,
    data: Data = None,
    out: Annotated[Path | None, typer.Option("--out", help="File to write, for you only.")] = None,
    version: Annotated[int, typer.Option("--version", min=3, max=4, help="3 or 4.")] = 4,
    passphrase_file: PassphraseFile = None,
    new_passphrase_file: NewPassphraseFile = None,
) -> None:
    """Write a wallet's key as a standard keystore file at full scrypt strength."""
    if out is not None and out.exists():
        raise CommandFailed(f"{out} exists already.")
    passphrase = _passphrase(passphrase_file)
    other = None if new_passphrase_file is None else _secret_of(new_passphrase_file)
    with _opened(data) as parts, _spinner("Deriving the key"):

        async def work(vault: Vault) -> dict[str, Any]:
            wallet_id, named = await _wallet(parts.database, wallet)
            if version == 3 and named is None:
                raise CommandFailed("A version 3 file names the SymID; this wallet has none yet.")
            return await vault.export(
                wallet_id, passphrase, version=version, symid=named, new_passphrase=other
            )

        document = asyncio.run(parts.with_vault(work))
    text = json.dumps(document, indent=2) + "\n"
    if out is None:
        print(text, end="")
        return
    try:
        write_synced(out, text.encode(), replace=False)
    except OSError as error:
        raise CommandFailed(f"{out} cannot be written: {error.strerror}.") from None


@commands.command(name="import")
def import_(
    wallet: Wallet,
    file: Annotated[Path, typer.Argument(help="A keystore file of this wallet's own key.")],
    data: Data = None,
    passphrase_file: PassphraseFile = None,
    new_passphrase_file: NewPassphraseFile = None,
    json_: Json = False,
) -> None:
    """Put a wallet's own key, from a file, in the place of the stored one.

    The file's passphrase becomes the wallet's, or the one in --new-passphrase-file.
    """
    document = keystore.read(_read(file))
    passphrase = _passphrase(passphrase_file)
    other = None if new_passphrase_file is None else _secret_of(new_passphrase_file)
    with _opened(data) as parts, _spinner("Opening the file"):

        async def work(vault: Vault) -> tuple[str, int]:
            wallet_id, _ = await _wallet(parts.database, wallet)
            return wallet_id, await vault.import_(
                wallet_id, document, passphrase, new_passphrase=other
            )

        wallet_id, version = asyncio.run(parts.with_vault(work))
    shown = {"wallet_id": wallet_id, "version": version}
    _print(json_, shown, [f"The key of {wallet_id} is stored anew (version {version})."])


@commands.command()
def recovery_key(
    file: Annotated[Path, typer.Argument(help="New file for the private half; keep it offline.")],
    json_: Json = False,
) -> None:
    """Make an offline recovery key: the private half into FILE, the public half on the screen."""
    private_key, public_key = envelope.new_recovery_key(entropy.random_bytes(32))
    try:
        write_synced(file, private_key.hex().encode() + b"\n", replace=False)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {error.strerror}.") from None
    setting = f"recovery_public_key = {json.dumps(public_key.hex())}"
    shown = {"file": str(file), "recovery_public_key": public_key.hex()}
    _print(json_, shown, [f"Put this line into jigap.toml:  {setting}"])


@commands.command()
def recover(
    request: Annotated[Path, typer.Argument(help="The request file of a recovery.")],
    recovery_key_file: Annotated[
        Path, typer.Option("--recovery-key-file", help="The offline recovery key, in hex.")
    ],
    out: Annotated[Path, typer.Option("--out", help="File to write the answer to.")],
    json_: Json = False,
) -> None:
    """Open one wallet's recovery slot, offline, and seal the key to the platform that asks.

    Needs no data folder and no network; nothing of the key is in clear outside this command.
    """
    asked = handover.read_request(_read(request))
    private_key = _read_hex(recovery_key_file)
    made = handover.answer(asked, private_key, ephemeral=entropy.random_bytes(32))
    try:
        write_synced(out, msgspec.json.encode(made) + b"\n", replace=False)
    except OSError as error:
        raise CommandFailed(f"{out} cannot be written: {error.strerror}.") from None
    shown = {
        "file": str(out),
        "request_id": asked.request_id,
        "wallet_id": asked.wallet_id,
        "public_key_hash": "0x" + asked.public_key_hash,
        "transport_key": asked.transport_key,
    }
    words = [f"{name.replace('_', ' ')}: {value}" for name, value in shown.items()]
    _print(json_, shown, [*words, "Bring the file to the operator who asked."])


# -- what the commands stand on --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Parts:
    """What these commands need of an installation, and nothing more."""

    settings: Settings
    folder: Folder
    ring: KeyRing
    database: Database
    service: ServiceKeys

    def caretaker(self, told: Callable[[int, int], None]) -> Caretaker:
        files = KeyFiles(self.folder.keystores)
        return Caretaker(self.database, self.ring, files, SystemClock(), progress=told)

    async def with_vault(self, work: Callable[[Vault], Awaitable[T]]) -> T:
        pool = KdfPool(1)
        vault = Vault(
            self.database, self.ring, self.folder.keystores, pool, SystemClock(), self.settings
        )
        try:
            return await work(vault)
        finally:
            await vault.settled()
            pool.close()

    def check_service_keys(self) -> dict[str, str]:
        """Each role: opened, and its public key derived again."""
        states = {}
        for role in self.service.roles():
            try:
                self.service.signer(role)
                states[role] = "sound"
            except ServiceKeyDamaged:
                states[role] = "damaged"
        return states


@contextmanager
def _opened(data: Path | None, *, new: bool = False) -> Iterator[_Parts]:
    """The parts of an installation; with ``new`` a lost database is begun again."""
    given = settings.load(data)
    folder = Folder.of(given)
    ring = KeyRing.load(folder.master_key)
    if not new and not given.database_url and not folder.database.exists():
        raise CommandFailed(f"There is no database in {folder.root}.")
    database = app.open_database(given)  # loads the whole platform, so not before
    try:
        yield _Parts(given, folder, ring, database, ServiceKeys(ring, folder.service_keys))
    finally:
        database.close()


async def _wallet(database: Database, named: str) -> tuple[str, bytes | None]:
    """The id and the SymID of a wallet, by its id or its owner's member id."""
    by_id = wallets.select().where(wallets.c.wallet_id == named)
    row = await database.read(lambda connection: connection.execute(by_id).one_or_none())
    if row is not None:
        return str(row.wallet_id), None if row.symid is None else bytes(row.symid)
    member = await database.read(by_login, named) or await database.read(get, named)
    if member is None or member.wallet is None:
        raise CommandFailed(f"There is no wallet {named!r}, and no member of that name with one.")
    return member.wallet.id, member.wallet.symid


async def _rewrap_members(parts: _Parts) -> int:
    """The members' data keys, some at a time."""
    done = 0
    while some := await parts.database.write(rewrap_data_keys, parts.ring):
        done += some
    return done


async def _rewrap_memos(parts: _Parts) -> int:
    """The memos of payments, some at a time."""
    done, last = 0, ""
    while some := await parts.database.write(rewrap_memos, parts.ring, last):
        done, last = done + len(some), some[-1]
    return done


def _unwrapped(content: bytes, data: Path | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What an envelope says of itself and, where the master key is, the keystore inside."""
    label = envelope.read_label(content)
    recipient = envelope.recovery_recipient(content)
    shown: dict[str, Any] = {
        "format": "envelope",
        "wallet_id": label.wallet_id,
        "wallet_version": label.version,
        "wallet_public_key_hash": "0x" + label.public_key_hash.hex(),
        "master_key": envelope.master_key_version(content),
        "recovery_recipient": None if recipient is None else recipient.hex(),
    }
    if data is None:
        return shown, {}
    ring = KeyRing.load(Folder.of(settings.load(data)).master_key)
    return shown, keystore.read(envelope.open_(content, label, ring))


# -- reading ---------------------------------------------------------------------------------------


def _read(file: Path) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read()
        return file.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from None


def _secret_of(file: Path) -> str:
    """The first line of a passphrase file, as it is but for the line end."""
    try:
        return _read(file).decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise CommandFailed(f"{file} is not UTF-8 text.") from None


def _read_hex(file: Path) -> bytes:
    try:
        return bytes.fromhex(_secret_of(file).strip().removeprefix("0x"))
    except ValueError:
        raise RecoveryKeyInvalid(f"{file} does not hold a key in hex.") from None


def _passphrase(file: Path | None) -> str:
    if file is not None:
        return _secret_of(file)
    if not sys.stdin.isatty():
        raise CommandFailed("There is no terminal to ask on; say --passphrase-file FILE or -.")
    return getpass.getpass("Passphrase: ")


# -- saying ----------------------------------------------------------------------------------------


def _print(json_: bool, shown: dict[str, Any], words: list[str]) -> None:
    print(json.dumps(shown, ensure_ascii=False, indent=2) if json_ else "\n".join(words))


def _shown(report: Report) -> dict[str, Any]:
    return {
        "wallets": report.wallets,
        "sound": report.sound,
        "findings": [one.shown() for one in report.findings],
        "rederived": report.rederived,
        "leftovers": report.leftovers,
    }


def _words(report: Report, deed: str) -> list[str]:
    lines = [f"{report.wallets} wallet keys {deed}."]
    lines += [f"{one.wallet_id}: {one.fault.value}." for one in report.findings]
    if report.rederived:
        lines.append(f"{report.rederived} public keys derived again from recovery slots.")
    return lines


def _service_words(service: dict[str, str]) -> list[str]:
    return [f"{role} key: {state}." for role, state in service.items()]


def _versions(ring: KeyRing) -> dict[str, Any]:
    return {"current": ring.current, "versions": list(ring.versions)}


@contextmanager
def _progress(what: str, json_: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, which leaves standard output to the answer."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    hidden = json_ or not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        task = bar.add_task(what, total=None)

        def told(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield told


@contextmanager
def _spinner(what: str) -> Iterator[None]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield

"""`jigap operator`: the one member that no web page can make, or let in again."""

import getpass
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from jigap import settings
from jigap.app import Folder, install, open_database
from jigap.cli.failure import CommandFailed
from jigap.cli.options import Data, Json
from jigap.clock import SystemClock
from jigap.keys import KeyRing
from jigap.members import (
    chosen_password,
    create_operator,
    enrol,
    hash_password,
    login_of,
    new_secret,
    reset_operator,
    uri_of,
)

commands = typer.Typer(
    help="Members with operator rights.", no_args_is_help=True, add_completion=False
)


@commands.callback()
def _family() -> None:
    pass


PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", help="File with the password; - is standard input."),
]


MemberId = Annotated[str, typer.Argument(help="The name to sign in with.")]


#: The operator's id, and the recovery codes.
_Made = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Access:
    """How an operator will sign in; ``at_ms`` is when that is written."""

    login: str
    password_hash: str = field(repr=False)
    secret: str = field(repr=False)
    at_ms: int


@commands.command()
def create(
    member_id: MemberId,
    data: Data = None,
    password_file: PasswordFile = None,
    json_: Json = False,
) -> None:
    """Make an operator; also while the platform runs. Asks for the password.

    The secret for the authenticator app and the recovery codes are shown once.
    """

    def make(connection: Connection, ring: KeyRing, given: _Access) -> _Made:
        login, hash_, now_ms = given.login, given.password_hash, given.at_ms
        id_ = create_operator(
            connection, ring=ring, login=login, password_hash=hash_, now_ms=now_ms
        )
        codes = enrol(connection, ring=ring, member_id=id_, secret=given.secret, now_ms=now_ms)
        return id_, codes

    _let_in(member_id, data, password_file, json_, make, "is an operator now")


@commands.command()
def reset(
    member_id: MemberId,
    data: Data = None,
    password_file: PasswordFile = None,
    json_: Json = False,
) -> None:
    """Give an operator who is locked out a new password and second factor; sessions end.

    The secret for the authenticator app and the recovery codes are shown once.
    """

    def change(connection: Connection, ring: KeyRing, given: _Access) -> _Made:
        return reset_operator(
            connection,
            ring=ring,
            login=given.login,
            password_hash=given.password_hash,
            secret=given.secret,
            now_ms=given.at_ms,
        )

    _let_in(member_id, data, password_file, json_, change, "has a new password and second factor")


def _let_in(
    member_id: str,
    data: Path | None,
    password_file: Path | None,
    json_: bool,
    write: Callable[[Connection, KeyRing, _Access], _Made],
    done: str,
) -> None:
    """Take a password, write the new access in one transaction, show what is shown once."""
    given = settings.load(data)
    login = login_of(member_id, reserved_allowed=True)
    hash_ = hash_password(chosen_password(_password(password_file), login))
    secret = new_secret()
    ring, database = install(given), open_database(given)
    try:
        with (
            database.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            access = _Access(login, hash_, secret, SystemClock().now_ms())
            id_, codes = write(connection, ring, access)
    finally:
        database.close()
    if not json_:
        print(f"{login} {done}, at {Folder.of(given).root}.")
    _show(id_, login, secret, codes, json_)


def _show(id_: str, login: str, secret: str, codes: tuple[str, ...], json_: bool) -> None:
    if json_:
        made: dict[str, Any] = {"id": id_, "member_id": login, "roles": ["operator"]}
        made |= {"totp_secret": secret, "otpauth_uri": uri_of(secret, login)}
        print(json.dumps(made | {"recovery_codes": codes}))
        return
    print("\nOperators sign in with a code, too. Give this to an authenticator app:")
    print(f"  secret   {secret}\n  address  {uri_of(secret, login)}")
    print("\nRecovery codes, each good once. Keep them; nothing of this is shown again:")
    for code in codes:
        print(f"  {code}")


def _password(file: Path | None) -> str:
    if file is None:
        if not sys.stdin.isatty():
            raise CommandFailed("There is no terminal to ask on; say --password-file FILE or -.")
        first = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != first:
            raise CommandFailed("The two passwords differ.")
        return first
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{file} cannot be read: {error}.") from None
    return text.removesuffix("\n")

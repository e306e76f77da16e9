"""`jigap operator`: the one member that no web page can make, or let in again."""

import getpass
import json
import sys
from collections.abc import Callable
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
from jigap.settings import Settings

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


@commands.command()
def create(
    member_id: Annotated[str, typer.Argument(help="The name to sign in with.")],
    data: Data = None,
    password_file: PasswordFile = None,
    json_: Json = False,
) -> None:
    """Make an operator; also while the platform runs. Asks for the password.

    The secret for the authenticator app and the recovery codes are shown once.
    """
    given = settings.load(data)
    login = login_of(member_id, reserved_allowed=True)
    hash_ = hash_password(chosen_password(_password(password_file), login))
    secret = new_secret()

    def make(connection: Connection, ring: KeyRing) -> tuple[str, tuple[str, ...]]:
        now_ms = SystemClock().now_ms()
        id_ = create_operator(
            connection, ring=ring, login=login, password_hash=hash_, now_ms=now_ms
        )
        return id_, enrol(connection, ring=ring, member_id=id_, secret=secret, now_ms=now_ms)

    id_, codes = _written(given, make)
    if not json_:
        print(f"{login} is an operator of {Folder.of(given).root} now.")
    _show(id_, login, secret, codes, json_)


@commands.command()
def reset(
    member_id: Annotated[str, typer.Argument(help="The operator.")],
    data: Data = None,
    password_file: PasswordFile = None,
    json_: Json = False,
) -> None:
    """Give an operator who is locked out a new password and second factor; sessions end.

    The secret for the authenticator app and the recovery codes are shown once.
    """
    given = settings.load(data)
    login = login_of(member_id, reserved_allowed=True)
    hash_ = hash_password(chosen_password(_password(password_file), login))
    secret = new_secret()

    def change(connection: Connection, ring: KeyRing) -> tuple[str, tuple[str, ...]]:
        return reset_operator(
            connection,
            ring=ring,
            login=login,
            password_hash=hash_,
            secret=secret,
            now_ms=SystemClock().now_ms(),
        )

    id_, codes = _written(given, change)
    if not json_:
        print(f"{login} has a new password and a new second factor.")
    _show(id_, login, secret, codes, json_)


def _written(
    given: Settings, work: Callable[[Connection, KeyRing], tuple[str, tuple[str, ...]]]
) -> tuple[str, tuple[str, ...]]:
    """Do it in one transaction on the platform's database."""
    ring = install(given)
    database = open_database(given)
    try:
        with (
            database.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            return work(connection, ring)
    finally:
        database.close()


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

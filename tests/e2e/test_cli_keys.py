"""`jigap keys …` on a real installation: the drill an operator rehearses.

Most commands run inside the test's own process, which spares a second of starting each; what a
shell sees of a good answer and of a bad one is looked at with real processes.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from jigap.app import Folder, install, open_database
from jigap.cli import commands
from jigap.clock import SimulatedClock
from jigap.keys import KdfPool, KeyFiles, KeyRing, Vault, insert_copy, keystores
from jigap.members import members_table
from jigap.settings import Settings, load
from jigap.transfers import memos, transfers
from tests import processes
from tests.unit.keys.keyring import OTHER, PASSPHRASE, WRONG, document


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An installation with three wallet keys, and no process that runs on it."""
    folder = tmp_path / "data"
    given = load(folder, {}, scrypt_n=1024)
    ring = install(given)
    database, pool = open_database(given), KdfPool(1)
    vault = Vault(database, ring, Folder.of(given).keystores, pool, SimulatedClock(), given)

    async def make() -> None:
        for number in range(3):
            key = await vault.new_key(f"wa_{number}", PASSPHRASE)
            await database.write(insert_copy, key, 1)
            await database.write(_wallet_row, key.wallet_id, key.public_key_hash, number)

    asyncio.run(make())
    pool.close()
    database.close()
    return folder


def _wallet_row(connection, wallet_id: str, public_key_hash: bytes, number: int) -> None:
    from jigap.members import WalletState, create_member, wallets

    member_id = create_member(
        connection,
        ring=install(_settings_of(connection)),
        login=f"member{number}",
        password_hash="x",
        roles=frozenset(),
        name=None,
        phone=None,
        now_ms=1,
    )
    connection.execute(
        wallets.insert().values(
            wallet_id=wallet_id,
            member_id=member_id,
            state=WalletState.ACTIVE,
            public_key_hash=public_key_hash,
            symid=(number + 1).to_bytes(10, "big"),
            created_ms=1,
        )
    )


def _settings_of(connection) -> Settings:
    return load(Path(connection.engine.url.database).parent, {})


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    return secret(tmp_path, "passphrase", PASSPHRASE)


def secret(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text + "\n")
    return path


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def keys(*arguments: str | Path, data: Path | None = None) -> Done:
    """One ``jigap keys`` command in this process."""
    more = () if data is None else ("--data", data)
    result = CliRunner().invoke(commands, ["keys", *map(str, (*arguments, *more))])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def test_a_shell_sees_json_or_one_line(tmp_path: Path):
    """The same two answers, from real processes."""
    file = tmp_path / "key.json"
    file.write_text(json.dumps(document()))
    assert said(processes.run("keys", "inspect", file, "--json"))["version"] == 4
    file.write_text("not a keystore")
    one_line(processes.run("keys", "inspect", file, "--json"), "not JSON")


def said(done) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def files(data: Path) -> KeyFiles:
    return KeyFiles(Folder.of(load(data, {})).keystores)


def one_line(done, *words: str) -> None:
    assert done.returncode == 1, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("jigap: ")
    for word in words:
        assert word in done.stderr


def test_verify_damage_restore_rotate(data: Path):
    shown = said(keys("verify", "--json", data=data))
    assert (shown["wallets"], shown["sound"]) == (3, True)
    assert shown["service_keys"] and set(shown["service_keys"].values()) == {"sound"}

    files(data).path("wa_0", 1).unlink()
    files(data).path("wa_1", 1).write_bytes(b"bit rot")
    database = open_database(load(data, {}))
    remove = keystores.delete().where(keystores.c.wallet_id == "wa_2")
    asyncio.run(database.write(lambda connection: connection.execute(remove)))
    database.close()
    damaged = keys("verify", "--json", data=data)
    assert damaged.returncode == 1
    found = {(one["wallet_id"], one["fault"]) for one in json.loads(damaged.stdout)["findings"]}
    assert found == {
        ("wa_0", "file_missing"),
        ("wa_1", "file_damaged"),
        ("wa_2", "row_missing"),
    }

    assert sorted(said(keys("restore", "--json", data=data))["repaired"]) == [
        "wa_0",
        "wa_1",
        "wa_2",
    ]
    rotated = said(keys("rotate", "--json", data=data))
    assert (rotated["rewrapped"], rotated["members"]) == (3, 3)
    assert rotated["master_key"] == {"current": 2, "versions": [1, 2]}
    assert said(keys("verify", "--json", data=data))["sound"]


def test_after_rotating_nothing_needs_the_old_master_key(data: Path, passphrase: Path):
    """Nothing that is sealed anywhere, whatever room it belongs to, is left under version 1."""
    given = load(data, {})
    database, ring = open_database(given), install(given)
    transfer = dict.fromkeys(("amount", "created_ms"), 0)
    transfer |= dict.fromkeys(("sender_symid", "recipient_symid", "contract"), bytes(10))
    transfer |= {"operation": "transfer", "member_id": "mb", "recipient": "mb", "token": "EST"}
    transfer |= {"waiting": False, "limit_day": ""}
    sealed = [
        {"id": f"tr_{n}", "memo_sealed": memos.seal(ring, "고마워", f"tr_{n}")} for n in range(3)
    ]
    rows = [transfer | one for one in [*sealed, {"id": "tr_3", "memo_sealed": b""}]]
    asyncio.run(database.write(lambda connection: connection.execute(transfers.insert(), rows)))

    assert said(keys("rotate", "--json", data=data))["memos"] == 3

    master = Folder.of(given).master_key
    stored = json.loads(master.read_text())
    del stored["master_keys"]["1"]
    master.write_text(json.dumps(stored))
    ring = KeyRing.load(master)
    assert ring.versions == (2,)
    shown = said(keys("verify", "--json", data=data))
    assert shown["sound"] and set(shown["service_keys"].values()) == {"sound"}
    found = asyncio.run(database.read(_sealed_by_the_ring))
    assert {ring.sealed_with(one) for one in found} == {2}
    assert len(found) == 3 + 3
    assert keys("export", "wa_0", "--passphrase-file", passphrase, data=data).returncode == 0
    database.close()


def _sealed_by_the_ring(connection) -> list[bytes]:
    """Data keys and memos: what else is sealed is sealed under a data key."""
    data_keys = connection.scalars(select(members_table.c.data_key_sealed)).all()
    found = connection.scalars(select(transfers.c.memo_sealed)).all()
    return [one for one in (*data_keys, *found) if one]


def test_a_lost_database_is_restored_from_the_files(data: Path, passphrase: Path):
    for path in data.glob("jigap.sqlite*"):
        path.unlink()
    one_line(keys("verify", data=data), "no database")
    assert len(said(keys("restore", "--json", data=data))["repaired"]) == 3
    assert said(keys("verify", "--json", data=data))["sound"]


def test_export_inspect_import(data: Path, passphrase: Path, tmp_path: Path):
    out = tmp_path / "exported.json"
    other = secret(tmp_path, "other", OTHER)
    done = keys(
        "export", "wa_0", "--out", out, "--passphrase-file", passphrase,
        "--new-passphrase-file", other, data=data,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert out.stat().st_mode & 0o777 == 0o600
    shown = said(keys("inspect", out, "--passphrase-file", other, "--json"))
    assert (shown["opens"], shown["kdfparams"]["n"]) == (True, 262_144)

    one_line(keys("import", "wa_1", out, "--passphrase-file", other, data=data), "another wallet")
    imported = said(keys("import", "wa_0", out, "--passphrase-file", other, "--json", data=data))
    assert imported == {"wallet_id": "wa_0", "version": 2}
    assert said(keys("verify", "--json", data=data))["sound"]
    again = keys("export", "wa_0", "--out", out, "--passphrase-file", other, data=data)
    one_line(again, "exists already")


def test_a_version_3_export_names_the_symid_and_a_member_may_be_named(data: Path, passphrase: Path):
    shown = said(
        keys("export", "member1", "--version", "3", "--passphrase-file", passphrase, data=data)
    )
    assert (shown["version"], shown["address"]) == (3, "00000000000000000002")


def test_inspect_describes_an_envelope_and_opens_it_with_the_master_key(
    data: Path, passphrase: Path
):
    path = files(data).path("wa_0", 1)
    shown = said(keys("inspect", path, "--json"))
    assert (shown["format"], shown["wallet_id"], shown["master_key"]) == ("envelope", "wa_0", 1)
    assert "kdf" not in shown
    opened = said(keys("inspect", path, "--passphrase-file", passphrase, "--json", data=data))
    assert (opened["opens"], opened["kdfparams"]["n"]) == (True, 1024)
    assert opened["public_key_hash"] == opened["wallet_public_key_hash"]


def test_inspect_never_shows_the_key_and_says_when_it_does_not_open(tmp_path: Path):
    file = tmp_path / "key.json"
    file.write_text(json.dumps(document()))
    right, wrong = secret(tmp_path, "right", PASSPHRASE), secret(tmp_path, "wrong", WRONG)
    for arguments in ((), ("--json",), ("--json", "--passphrase-file", right)):
        done = keys("inspect", file, *arguments)
        assert done.returncode == 0, done.stderr
        assert "1a43aa39" not in done.stdout.lower()
    shown = said(keys("inspect", file, "--json", "--passphrase-file", wrong))
    assert (shown["opens"], shown["reason"]) == (False, "passphrase_wrong")


def test_a_recovery_key_opens_every_slot(data: Path, tmp_path: Path, passphrase: Path):
    offline = tmp_path / "recovery.key"
    public = said(keys("recovery-key", offline, "--json"))["recovery_public_key"]
    assert offline.stat().st_mode & 0o777 == 0o600
    (data / "jigap.toml").write_text(f'recovery_public_key = "{public}"\nscrypt_n = 1024\n')
    before = said(keys("verify", "--recovery-key-file", offline, "--json", data=data))
    assert before["rederived"] == 0
    exported = tmp_path / "exported.json"
    keys("export", "wa_0", "--out", exported, "--passphrase-file", passphrase, data=data)
    keys("import", "wa_0", exported, "--passphrase-file", passphrase, data=data)
    after = said(keys("verify", "--recovery-key-file", offline, "--json", data=data))
    assert after["rederived"] == 1


@pytest.mark.parametrize(
    ("content", "word"),
    [("", "not JSON"), ("[]", "JSON object"), ('{"version": 1}', "version 3 and 4")],
)
def test_inspect_says_in_one_line_what_is_wrong(tmp_path: Path, content: str, word: str):
    file = tmp_path / "key.json"
    file.write_text(content)
    one_line(keys("inspect", file), word)


def test_everything_missing_is_one_line(tmp_path: Path, data: Path):
    one_line(keys("inspect", tmp_path / "none.json"), "cannot be read")
    one_line(keys("verify", data=tmp_path / "empty"), "master key")
    one_line(keys("export", "wa_9", "--passphrase-file", data / "x", data=data), "cannot be read")
    wrong = secret(tmp_path, "wrong", WRONG)
    one_line(keys("export", "wa_9", "--passphrase-file", wrong, data=data), "wa_9")
    one_line(keys("export", "wa_0", "--passphrase-file", wrong, data=data), "does not open")


def test_an_exposed_master_key_is_refused(data: Path):
    Folder.of(load(data, {})).master_key.chmod(0o644)
    one_line(keys("verify", data=data), "chmod 600")

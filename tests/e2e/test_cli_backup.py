"""Back up while paying, lose everything, restore: nothing is paid twice, nothing forgotten."""

import json
import shutil
import sqlite3
from pathlib import Path

from jigap.cli.api import Api
from jigap.shield import EntryKind, ShieldStore
from tests import processes
from tests.e2e.test_cli_up import arguments, says_one_line

PAYER = ("demo-payer", "demo-payer-password")
SELLER = ("demo-seller", "demo-seller-password")
PASSPHRASE = "demo payer passphrase"


async def pay(url: str, key: str, amount: str = "10") -> dict:
    async with Api(url) as api:
        payer = await api.sign_in(*PAYER)
        to = await payer.recipient("010-2000-0002")
        return await payer.pay(to["recipient_id"], "DEMO", amount, PASSPHRASE, key=key)


async def balances(url: str) -> list[str]:
    async with Api(url) as api:
        people = [await api.sign_in(*PAYER), await api.sign_in(*SELLER)]
        return [(await person.balance("DEMO"))["available"] for person in people]


def money_is_clean(data: Path, running: processes.Running) -> None:
    done = processes.run("audit", "money", "--data", data, "--rpc", running.rpc, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["clean"] is True


async def test_drill_restore_over_a_chain_that_went_on(start, stopped, tmp_path):
    running = start(*arguments(stopped, "--demo"))
    early = await pay(running.url, "drill-before-backup")
    shield = stopped / "shield" / "shield.sqlite"
    ShieldStore(shield).put_entry("8.8.8.0/24", EntryKind.DENY, "abuse", "console", 1)
    done = processes.run(
        "backup", tmp_path / "backup", "--data", stopped, "--master-key", tmp_path / "key", "--json"
    )
    assert done.returncode == 0, done.stderr
    late = await pay(running.url, "drill-after-backup", "77")
    before = await balances(running.url)
    running.kill()
    shutil.rmtree(stopped / "keystores")
    shutil.rmtree(stopped / "shield")
    for file in stopped.glob("jigap.sqlite*"):
        file.unlink()
    (stopped / "keys" / "master.json").unlink()

    done = processes.run(
        "restore", tmp_path / "backup", "--data", stopped, "--force",
        "--master-key", tmp_path / "key", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["chain_kept"] is True
    assert [str(one.network) for one in ShieldStore(shield).entries(1)] == ["8.8.8.0/24"]

    again = start(*arguments(stopped, "--demo"))
    assert await balances(again.url) == before
    for paid, key, amount in (
        (early, "drill-before-backup", "10"),
        (late, "drill-after-backup", "77"),
    ):
        repeated = await pay(again.url, key, amount)
        assert repeated["transaction_hash"] == paid["transaction_hash"]
        assert repeated["state"] == "confirmed"
    assert await balances(again.url) == before
    assert (await pay(again.url, "drill-new", "1"))["state"] == "confirmed"
    money_is_clean(stopped, again)
    assert again.stop() == 0


async def test_drill_restore_onto_an_empty_machine(start, stopped, tmp_path):
    key = tmp_path / "key"
    done = processes.run("backup", tmp_path / "b", "--data", stopped, "--master-key", key)
    assert done.returncode == 0, done.stderr
    fresh = tmp_path / "fresh"
    done = processes.run("restore", tmp_path / "b", "--data", fresh, "--json")
    assert json.loads(done.stdout)["master_key_missing"] is True
    says_one_line(processes.run(*arguments(fresh)), "master key")
    (fresh / "keys" / "master.json").write_bytes(key.read_bytes())
    (fresh / "keys" / "master.json").chmod(0o600)
    again = start(*arguments(fresh, "--demo"))
    assert (await pay(again.url, "drill-fresh"))["state"] == "confirmed"
    money_is_clean(fresh, again)
    verified = processes.run("keys", "verify", "--data", fresh)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_backup_holds_no_master_key_and_nothing_in_the_clear(stopped, tmp_path):
    master = json.loads((stopped / "keys" / "master.json").read_text())
    done = processes.run("backup", tmp_path / "b", "--data", stopped)
    assert done.returncode == 0, done.stderr
    assert "master key is not in it" in done.stdout
    secrets = [*master["master_keys"].values(), master["index_key"]]
    for path in (tmp_path / "b").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in secrets:
                assert secret.encode() not in content
                assert bytes.fromhex(secret) not in content


def test_backup_refuses_to_overwrite(stopped, tmp_path):
    (tmp_path / "b").mkdir()
    says_one_line(processes.run("backup", tmp_path / "b", "--data", stopped), "exists")


def test_master_key_may_not_lie_in_the_backup(stopped, tmp_path):
    inside = tmp_path / "b" / "master.json"
    done = processes.run("backup", tmp_path / "b", "--data", stopped, "--master-key", inside)
    says_one_line(done, "apart")
    assert not (tmp_path / "b").exists()


def test_restore_refuses_to_overwrite_without_force(stopped, tmp_path):
    assert processes.run("backup", tmp_path / "b", "--data", stopped).returncode == 0
    before = (stopped / "jigap.sqlite").read_bytes()
    says_one_line(processes.run("restore", tmp_path / "b", "--data", stopped), "already")
    assert (stopped / "jigap.sqlite").read_bytes() == before


def test_restore_refuses_a_changed_backup(stopped, tmp_path):
    assert processes.run("backup", tmp_path / "b", "--data", stopped).returncode == 0
    with sqlite3.connect(tmp_path / "b" / "database.sqlite") as database:
        database.execute("UPDATE members SET level = 0")
    says_one_line(
        processes.run("restore", tmp_path / "b", "--data", tmp_path / "fresh"), "database.sqlite"
    )


def test_restore_refuses_a_folder_that_is_in_use(shared_platform, stopped, tmp_path):
    from tests.e2e.test_cli_up import data_of

    assert processes.run("backup", tmp_path / "b", "--data", stopped).returncode == 0
    done = processes.run("restore", tmp_path / "b", "--data", data_of(shared_platform), "--force")
    says_one_line(done, "in use")


def test_restore_refuses_the_backup_of_another_chain(stopped, tmp_path, start):
    assert processes.run("backup", tmp_path / "b", "--data", stopped).returncode == 0
    other = tmp_path / "other"
    assert start(*arguments(other)).stop() == 0
    says_one_line(
        processes.run("restore", tmp_path / "b", "--data", other, "--force"), "another", "--chain"
    )

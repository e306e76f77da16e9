"""`jigap config`, `operator`, `audit`, `--version`: small commands, no surprises."""

import json
import sqlite3

import pyotp
import pytest

from jigap import __version__
from jigap.cli.api import Api, ApiRefused
from tests import processes
from tests.e2e.test_cli_up import arguments, data_of, says_one_line


def test_version_is_the_package_version():
    assert processes.run("--version").stdout == f"jigap {__version__}\n"


def test_help_lists_every_command():
    from jigap.cli import COMMANDS

    done = processes.run("--help")
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f" {name} " in done.stdout


def test_config_show_masks_secrets(tmp_path):
    done = processes.run(
        "config", "show", "--data", tmp_path, "--json",
        JIGAP_DATABASE_URL="postgresql://someone:hunter2@host/db", JIGAP_PORT="1234",
    )  # fmt: skip
    shown = json.loads(done.stdout)
    assert shown["database_url"] == "***"
    assert shown["port"] == 1234
    table = processes.run("config", "show", "--data", tmp_path, JIGAP_CA_SECRET="c0ffee" * 5 + "00")
    assert "c0ffee" not in done.stdout + table.stdout
    assert "***" in table.stdout


async def test_operator_can_be_made_while_the_platform_runs(shared_platform):
    data = data_of(shared_platform)
    done = processes.run(
        "operator", "create", "boss", "--data", data, "--password-file", "-", "--json",
        input_="a password of the boss\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["member_id"] == "boss"
    assert made["otpauth_uri"].startswith("otpauth://totp/jigap:boss?secret=" + made["totp_secret"])
    assert len(set(made["recovery_codes"])) == 10
    async with Api(shared_platform.url) as api:
        with pytest.raises(ApiRefused) as refused:
            await api.sign_in("boss", "a password of the boss")
        assert refused.value.problem_code == "otp_required"
        for otp in (pyotp.TOTP(made["totp_secret"]).now(), made["recovery_codes"][0]):
            boss = await api.sign_in("boss", "a password of the boss", otp)
            assert "operator" in (await boss.me())["roles"]
            await boss.call("GET", "operator/members")


async def test_a_locked_out_operator_is_let_in_again(shared_platform):
    data = data_of(shared_platform)

    def run(word: str, name: str):
        return processes.run(
            "operator", word, name, "--data", data, "--password-file", "-", "--json",
            input_=f"a password after {word}\n",
        )  # fmt: skip

    made = json.loads(run("create", "lost").stdout)
    async with Api(shared_platform.url) as api:
        before = await api.sign_in("lost", "a password after create", made["recovery_codes"][0])
        again = json.loads(run("reset", "lost").stdout)
        assert again["id"] == made["id"]
        assert again["totp_secret"] != made["totp_secret"]
        with pytest.raises(ApiRefused) as refused:
            await before.me()
        assert refused.value.problem_code == "session_missing"
        for otp in (made["recovery_codes"][1], pyotp.TOTP(made["totp_secret"]).now()):
            with pytest.raises(ApiRefused) as refused:
                await api.sign_in("lost", "a password after reset", otp)
            assert refused.value.problem_code == "otp_wrong"
        otp = pyotp.TOTP(again["totp_secret"]).now()
        lost = await api.sign_in("lost", "a password after reset", otp)
        await lost.call("GET", "operator/members")
    says_one_line(run("reset", "demo-payer"), "no such operator")


@pytest.mark.parametrize(
    ("name", "password", "word"),
    [("demo-operator", "long enough it is", "taken"), ("someone", "short", "password")],
)
def test_operator_that_cannot_be_made_is_one_line(shared_platform, name, password, word):
    done = processes.run(
        "operator", "create", name, "--data", data_of(shared_platform), "--password-file", "-",
        input_=password,
    )  # fmt: skip
    says_one_line(done, word)


def test_operator_needs_a_password_from_somewhere(tmp_path):
    done = processes.run("operator", "create", "boss", "--data", tmp_path, input_="")
    says_one_line(done, "--password-file")


def test_audits_agree_while_the_platform_runs(shared_platform):
    data = data_of(shared_platform)
    done = processes.run("audit", "money", "--data", data, "--rpc", shared_platform.rpc, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["clean"] is report["conserved"] is True
    assert "DEMO" in report["supply"]
    assert report["transactions_checked"] > 5
    done = processes.run("audit", "verify", "--data", data)
    assert done.returncode == 0
    assert "intact" in done.stdout


def test_audit_finds_money_that_a_hand_has_changed(stopped):
    with sqlite3.connect(stopped / "jigap.sqlite") as database:
        database.execute("UPDATE transfers SET amount = substr(amount, 1, 77) || '7'")
    done = processes.run("audit", "money", "--data", stopped, "--offline")
    assert done.returncode == 1
    assert "DIFFERENCE" in done.stdout


def test_audit_finds_an_action_that_a_hand_has_changed(stopped):
    with sqlite3.connect(stopped / "jigap.sqlite") as database:
        database.execute("UPDATE audit_trail SET actor = 'nobody' WHERE id = 2")
    done = processes.run("audit", "verify", "--data", stopped, "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert (said["intact"], said["broken"], said["broken_at"]) == (False, "row_changed", 2)


def test_dispatcher_has_sealed_every_row_when_it_stops(stopped):
    done = processes.run("audit", "verify", "--data", stopped, "--json")
    said = json.loads(done.stdout)
    assert said["intact"] and said["rows"] > 5 and said["seals"] >= 1
    assert said["unsealed"] == 0


def test_audit_finds_a_trail_that_was_cut_and_sealed_no_more(stopped):
    """Whoever can write the database, but not the data folder, cannot hide the newest rows."""
    with sqlite3.connect(stopped / "jigap.sqlite") as database:
        database.execute("DELETE FROM audit_seals")
        database.execute("DELETE FROM audit_trail WHERE id > 3")
    done = processes.run("audit", "verify", "--data", stopped)
    assert (done.returncode, done.stderr) == (1, "")
    assert "BROKEN" in done.stdout and "gone" in done.stdout


def test_a_head_kept_elsewhere_finds_a_replaced_trail_with_a_key_of_its_own(stopped):
    kept = processes.run("audit", "head", "--data", stopped).stdout.strip()
    same = processes.run("audit", "verify", "--data", stopped, "--head", kept)
    assert same.returncode == 0, same.stdout
    with sqlite3.connect(stopped / "jigap.sqlite") as database:
        database.execute("DELETE FROM audit_seals")
        database.execute("DELETE FROM audit_trail")
    (stopped / "audit.head").unlink()
    assert processes.run("audit", "verify", "--data", stopped).returncode == 0
    done = processes.run("audit", "verify", "--data", stopped, "--head", kept, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["broken"] == "rows_missing"


def test_a_head_that_is_none_is_one_line(stopped):
    done = processes.run("audit", "verify", "--data", stopped, "--head", "yesterday's")
    says_one_line(done, "jigap audit head")


def test_audit_without_a_node_is_one_line(stopped):
    done = processes.run("audit", "money", "--data", stopped, "--rpc", "http://127.0.0.1:1")
    says_one_line(done, "--offline")


def test_split_commands_need_postgresql(tmp_path):
    for command in ("web", "dispatcher"):
        says_one_line(processes.run(command, "--data", tmp_path), "PostgreSQL")


def test_up_refuses_a_database_server_that_is_not_there(tmp_path):
    done = processes.run(
        *arguments(tmp_path), JIGAP_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"
    )
    says_one_line(done, "connection")


async def test_stranger_learns_nothing_without_a_session(shared_platform):
    async with Api(shared_platform.url) as api:
        for path in ("me", "balances", "transfers", "operator/members"):
            with pytest.raises(ApiRefused) as refused:
                await api.call("GET", path)
            assert refused.value.status == 401

"""`jigap up`: one command, one ready line, a clean stop, and one clear line when it cannot."""

import asyncio
import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from jigap.cli.api import Api
from tests import processes

from .client import Client


def arguments(data: Path, *more: str) -> list[str]:
    return ["up", "--data", str(data), "--port", "0", "--node-port", "0", "--json", *more]


def node_pid(running: processes.Running) -> int:
    """The child of ``jigap up`` that is our node."""
    pid = running.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in children:
        if b"node" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
            return int(child)
    raise AssertionError(f"no node among the children {children}")


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def says_one_line(done, *words: str) -> None:
    assert done.returncode == 1, done
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("jigap: ")
    for word in words:
        assert word in lines[0]


async def pay(url: str, amount: str, key: str) -> dict:
    async with Api(url) as api:
        payer = await api.sign_in("demo-payer", "demo-payer-password")
        to = await payer.recipient("010-2000-0002")
        return await payer.pay(to["recipient_id"], "DEMO", amount, "demo payer passphrase", key=key)


def test_ready_line_says_where_and_as_whom(shared_platform: processes.Running):
    ready = shared_platform.ready
    assert ready["ready"] is True
    assert ready["url"].startswith("http://localhost:")
    assert ready["rpc"].startswith("http://127.0.0.1:")
    assert ready["inbox"].startswith("http://localhost:")
    assert ready["inbox"].endswith("/inbox")
    assert [one["role"] for one in ready["people"]] == ["payer", "seller", "operator"]
    for person in ready["people"]:
        assert set(person) == {
            "member_id", "password", "passphrase", "role", "phone", "totp_secret",
        }  # fmt: skip
        assert (person["totp_secret"] is not None) == (person["role"] == "operator")


async def test_everybody_of_the_ready_line_can_log_in_and_pay(shared_platform: processes.Running):
    people = shared_platform.ready["people"]
    async with Api(shared_platform.url) as api:
        for person in people:
            me = (
                Client.at(shared_platform.url)
                .sign_in(person["member_id"], person["password"], totp_secret=person["totp_secret"])
                .get("me")
            )
            assert me["wallet"]["state"] == "active"
            assert (person["role"] == "operator") == ("operator" in me["roles"])
        payer = await api.sign_in(people[0]["member_id"], people[0]["password"])
        to = await payer.recipient(people[1]["phone"])
        paid = await payer.pay(
            to["recipient_id"], "DEMO", "1", people[0]["passphrase"], key="test-ready-line"
        )
        assert paid["state"] == "confirmed"


async def test_there_is_history_from_the_start(shared_platform: processes.Running):
    async with Api(shared_platform.url) as api:
        seller = await api.sign_in("demo-seller", "demo-seller-password")
        history = (await seller.transfers())["items"]
        assert len(history) >= 4
        assert {one["direction"] for one in history} == {"incoming", "outgoing"}
        assert {one["state"] for one in history} == {"confirmed"}
        assert (await api.token("DEMO"))["state"] == "active"


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly_and_starts_again_with_the_same_demo(start, tmp_path, signal_number):
    first = start(*arguments(tmp_path, "--demo"))
    before = asyncio.run(state(first.url))
    node = node_pid(first)
    first.process.send_signal(signal_number)
    assert first.process.wait(20) == 0
    assert first.errors == []
    assert not is_alive(node)
    second = start(*arguments(tmp_path, "--demo"))
    assert second.ready["people"] == first.ready["people"]
    assert asyncio.run(state(second.url)) == before


async def state(url: str) -> list:
    async with Api(url) as api:
        payer = await api.sign_in("demo-payer", "demo-payer-password")
        balance = await payer.balance("DEMO")
        balance.pop("height")
        return [balance, (await payer.transfers())["items"], await api.token("DEMO")]


def test_node_that_dies_is_started_again(platform: processes.Running):
    old = node_pid(platform)
    os.kill(old, signal.SIGKILL)
    paid = asyncio.run(pay_when_possible(platform.url))
    assert paid["state"] == "confirmed"
    assert node_pid(platform) != old
    assert any("starting it again" in line for line in platform.errors)
    assert platform.stop() == 0


def test_a_balance_is_the_nodes_or_says_that_it_is_from_the_index(platform: processes.Running):
    node = node_pid(platform)
    asked, *_ = asyncio.run(state(platform.url))
    assert asked["source"] == "node"
    os.kill(node, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        silent, *_ = asyncio.run(state(platform.url))
        assert silent == asked | {"source": "index"}
        assert time.monotonic() - begun < 15
    finally:
        os.kill(node, signal.SIGCONT)
    for _ in range(100):
        again, *_ = asyncio.run(state(platform.url))
        if again["source"] == "node":
            break
    assert again == asked
    assert platform.stop() == 0


async def pay_when_possible(url: str) -> dict:
    """The same request until it is final: what a client does when in doubt."""
    for _ in range(40):
        paid = await pay(url, "2", "test-node-killed")
        if paid["state"] == "confirmed":
            return paid
    raise AssertionError(paid)


def test_node_does_not_outlive_a_killed_platform(platform: processes.Running):
    node = node_pid(platform)
    platform.kill()
    for _ in range(100):
        if not is_alive(node):
            return
        time.sleep(0.05)
    pytest.fail("the node is still there")


def test_starts_again_after_a_kill_without_repair(start, platform, tmp_path):
    before = asyncio.run(state(platform.url))
    platform.kill()
    again = start(*arguments(tmp_path / "data", "--demo"))
    assert asyncio.run(state(again.url)) == before


def test_second_platform_on_one_data_folder_is_refused(shared_platform, tmp_path_factory):
    data = data_of(shared_platform)
    says_one_line(processes.run(*arguments(data)), "in use", str(shared_platform.process.pid))


def data_of(running: processes.Running) -> Path:
    command = Path(f"/proc/{running.process.pid}/cmdline").read_bytes().split(b"\0")
    return Path(command[command.index(b"--data") + 1].decode())


@pytest.mark.parametrize("option", ["--port", "--node-port"])
def test_port_in_use_is_one_line(tmp_path: Path, option: str):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = processes.run(*arguments(tmp_path, option, port))
    says_one_line(done, port)


def test_missing_master_key_is_one_line(stopped: Path):
    (stopped / "keys" / "master.json").unlink()
    says_one_line(processes.run(*arguments(stopped)), "master key", "master.json")
    assert not (stopped / "keys" / "master.json").exists()


def test_missing_service_key_is_one_line(stopped: Path):
    (stopped / "keys" / "service" / "token_owner.key").unlink()
    says_one_line(processes.run(*arguments(stopped)), "token_owner")


def test_damaged_chain_is_one_line(stopped: Path):
    store = stopped / "node" / "chain" / "data.mdb"
    size = store.stat().st_size
    store.write_bytes(os.urandom(size))
    says_one_line(processes.run(*arguments(stopped)), "damaged")


def test_damaged_database_is_one_line(stopped: Path):
    (stopped / "jigap.sqlite").write_bytes(b"not a database at all, but long enough" * 100)
    says_one_line(processes.run(*arguments(stopped)), "jigap.sqlite")


def test_chain_that_lost_blocks_is_one_line(stopped: Path):
    """The database has followed blocks that this chain does not have."""
    for path in (stopped / "node").rglob("*"):
        if path.is_file():
            path.unlink()
    says_one_line(processes.run(*arguments(stopped)), "block")


def test_unusable_data_folder_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    says_one_line(processes.run(*arguments(tmp_path / "file" / "data")), "file")


def test_unknown_setting_is_one_line(tmp_path: Path):
    (tmp_path / "jigap.toml").write_text("no_such_setting = 1\n")
    says_one_line(processes.run(*arguments(tmp_path)), "no_such_setting")


@pytest.mark.parametrize("wrong", [["--port", "x"], ["--port", "70000"], ["--no-such"], ["extra"]])
def test_wrong_usage_exits_with_2(tmp_path: Path, wrong: list[str]):
    done = processes.run(*arguments(tmp_path), *wrong)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_demo_nobody_is_there(start, tmp_path: Path):
    running = start(*arguments(tmp_path))
    assert running.ready["people"] == []
    assert json.loads(json.dumps(running.ready)) == running.ready

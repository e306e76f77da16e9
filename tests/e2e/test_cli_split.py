"""`jigap node`, `jigap web --workers 2` and `jigap dispatcher` on PostgreSQL, as one platform."""

import asyncio
import json
import time
from contextlib import ExitStack, contextmanager

import aiohttp
import pytest

from jigap.cli.api import Api
from tests import postgres, processes
from tests.e2e.test_cli_up import says_one_line


@contextmanager
def demo_on(data, database_url):
    """A platform with demo data, made by `jigap up` on PostgreSQL and stopped again."""
    running = processes.start(
        "up", "--data", data, "--port", "0", "--node-port", "0", "--demo", "--json",
        JIGAP_DATABASE_URL=database_url,
    )  # fmt: skip
    try:
        yield running
    finally:
        running.kill()


async def pay(url: str, key: str) -> dict:
    async with Api(url) as api:
        payer = await api.sign_in("demo-payer", "demo-payer-password")
        to = await payer.recipient("010-2000-0002")
        return await payer.pay(to["recipient_id"], "DEMO", "3", "demo payer passphrase", key=key)


@pytest.fixture(scope="module")
def split(tmp_path_factory, postgres_server):
    """Data folder, settings of the environment, and the three long-running commands."""
    data = tmp_path_factory.mktemp("split")
    with postgres.fresh_database(postgres_server) as database_url, ExitStack() as stack:
        with demo_on(data, database_url) as running:
            assert running.stop() == 0

        def started(*arguments, **environment) -> processes.Running:
            one = processes.start(*arguments, **environment)
            stack.callback(one.kill)
            return one

        node = started("node", "--data", data, "--port", "0")
        given = {"JIGAP_DATABASE_URL": database_url, "JIGAP_CHAIN_URL": node.rpc}
        dispatcher = started("dispatcher", "--data", data, "--json", **given)
        web = started("web", "--workers", "2", "--data", data, "--port", "0", "--json", **given)
        yield data, given, node, dispatcher, web


async def test_worker_that_dies_is_started_again(split):
    *_, web = split
    children = _children(web.process.pid)
    assert len(children) == 2
    for child in children:
        processes.os.kill(child, processes.signal.SIGKILL)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            assert (await pay(web.url, "split-worker-killed"))["state"] == "confirmed"
            break
        except aiohttp.ClientError:  # nobody listens for a moment
            await asyncio.sleep(0.2)
    assert set(_children(web.process.pid)).isdisjoint(children)


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as listed:
        return [int(child) for child in listed.read().split()]


async def test_payments_through_two_workers_and_a_new_dispatcher(split):
    data, environment, node, dispatcher, web = split
    paid = await asyncio.gather(*(pay(web.url, f"split-{n}") for n in range(6)))
    assert {one["state"] for one in paid} == {"confirmed"}
    assert len({one["transaction_hash"] for one in paid}) == 6

    standby = processes.subprocess.Popen(
        [*processes.JIGAP, "dispatcher", "--data", str(data), "--json"],
        stdout=processes.subprocess.PIPE, stderr=processes.subprocess.PIPE, text=True,
        env=processes.environment(environment),
    )  # fmt: skip
    try:
        assert standby.stderr is not None
        assert "waiting to take over" in standby.stderr.readline()
        dispatcher.kill()
        assert standby.stdout is not None
        assert json.loads(standby.stdout.readline())["ready"] is True
        assert (await pay(web.url, "split-after-takeover"))["state"] == "confirmed"
        standby.terminate()
        assert standby.wait(20) == 0
    finally:
        standby.kill()
        standby.communicate()  # what it has said is searched for secrets
    audit = processes.run("audit", "money", "--data", data, "--json", **environment)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert web.stop() == 0
    assert node.stop() == 0


async def test_backup_of_postgresql_can_be_restored_into_postgresql(
    tmp_path, start, postgres_server
):
    with postgres.fresh_database(postgres_server) as first, demo_on(tmp_path / "a", first) as up:
        paid = await pay(up.url, "split-backup")
        done = processes.run(
            "backup", tmp_path / "b", "--data", tmp_path / "a",
            "--master-key", tmp_path / "key", JIGAP_DATABASE_URL=first,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert up.stop() == 0
    with postgres.fresh_database(postgres_server) as second:
        restoring = ["restore", tmp_path / "b", "--data", tmp_path / "c"]
        done = processes.run(
            *restoring, "--master-key", tmp_path / "key", JIGAP_DATABASE_URL=second
        )
        assert done.returncode == 0, done.stderr
        says_one_line(processes.run(*restoring, JIGAP_DATABASE_URL=second), "already")
        with demo_on(tmp_path / "c", second) as again:
            assert (await pay(again.url, "split-backup"))["id"] == paid["id"]
            assert (await pay(again.url, "split-new"))["state"] == "confirmed"
            done = processes.run(
                "audit", "money", "--data", tmp_path / "c", "--rpc", again.rpc,
                JIGAP_DATABASE_URL=second,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr

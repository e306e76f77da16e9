"""`jigap shield` and a platform that runs; the kernel and what is exported for it."""

import asyncio
import json
import re
import sqlite3
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.e2e.test_cli_up import arguments
from tests.namespaces import Wire
from tests.namespaces import why_not as why_no_namespaces


def csv(folder: Path) -> Path:
    """A small table with a Korea of the right size, and all of IPv6 that we need."""
    path = folder / "ranges.csv"
    path.write_text(
        "1.0.0.0,7.142.119.127,KR\n2400::,2400:ffff:ffff:ffff:ffff:ffff:ffff:ffff,KR\n",
        encoding="utf-8",
    )
    return path


def shield(data: Path, *words: object) -> dict[str, Any]:
    """What a command says as JSON, the last line of it."""
    done = processes.run("shield", *map(str, words), "--data", data, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_the_kernel_takes_an_export_and_holds_to_it(tmp_path: Path) -> None:
    reason = why_no_namespaces()
    if reason:
        pytest.skip(f"THE RULESET FOR THE KERNEL IS NOT TESTED: {reason}")
    data = tmp_path / "data"
    shield(data, "import", csv(tmp_path), "--taken-on", "2026-11-01")
    shield(data, "ban", "1.11.0.0/24", "--reason", "x", "--for", "1h")
    shield(data, "allow", "8.8.8.8", "--reason", "x")
    port = 8443
    done = processes.run("shield", "export", "--nftables", "--port", str(port), "--data", data)
    assert done.returncode == 0, done.stderr
    wire = Wire(f"jigap-cli-{time.time_ns() % 10**8}", port)
    with wire.standing(["1.11.0.7", "1.12.0.7", "8.8.8.8", "8.8.4.4"]):
        assert wire.connect("8.8.4.4") is not None
        wire.load(done.stdout)
        assert wire.connect("8.8.4.4") is None
        assert wire.connect("1.11.0.7") is None
        assert wire.connect("8.8.8.8") is not None
        peers = wire.connect("1.12.0.7")
    assert peers == ["8.8.4.4", "8.8.8.8", "1.12.0.7"]


def asked(url: str) -> tuple[int, dict[str, Any]]:
    """Status and problem of one request on a new connection."""
    request = urllib.request.Request(f"{url}/api/v1/chain", headers={"Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, {}
    except urllib.error.HTTPError as error:
        return error.code, dict(json.loads(error.read()))


async def becomes(url: str, refused_: bool) -> tuple[float, dict[str, Any]]:
    """How long it takes until requests are refused, or not any more; and the problem."""
    begun = time.monotonic()
    while time.monotonic() - begun < 15:
        status, problem = await asyncio.to_thread(asked, url)
        if (status == 403) is refused_:
            return time.monotonic() - begun, problem
        await asyncio.sleep(0.05)
    raise AssertionError(f"requests are {'not' if refused_ else 'still'} refused")


async def ages_to(url: str, age_days: float | None) -> float:
    """How old the data about countries is; waited for, if a number is given."""
    for _ in range(300):
        with await asyncio.to_thread(urllib.request.urlopen, f"{url}/metrics", timeout=30) as said:
            found = re.search(rb"^jigap_shield_ranges_age_days (\S+)$", said.read(), re.MULTILINE)
        assert found is not None
        if age_days in (None, float(found[1])):
            return float(found[1])
        await asyncio.sleep(0.05)
    raise AssertionError(f"the data about countries is not {age_days} days old")


async def test_a_running_platform_notices_and_the_trail_has_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    running = processes.start(*arguments(data))
    try:
        await becomes(running.url, False)
        shield(data, "ban", "127.0.0.1", "--reason", "a test", "--for", "1h")
        took_s, problem = await becomes(running.url, True)
        assert took_s < 5  # it looks three times a second; this machine may be busy
        assert problem["rule"] == "ban"
        looked = shield(data, "lookup", problem["reference"])
        assert (looked["rule"], looked["network"]) == ("ban", "127.0.0.1/32")
        shield(data, "unban", "127.0.0.1")
        await becomes(running.url, False)
        shield(data, "deny", "127.0.0.0/8", "--reason", "a test")
        _, problem = await becomes(running.url, True)
        assert problem["rule"] == "entry"
        shield(data, "remove", "127.0.0.0/8")
        await becomes(running.url, False)
        age_days = await ages_to(running.url, None)
        shield(data, "import", csv(tmp_path), "--taken-on", "2026-10-20")
        await ages_to(running.url, age_days + 7)
        counted = shield(data, "stats", "--port", running.url.rpartition(":")[2])
        assert counted["refused"]["ban"] >= 1
        assert counted["refused"]["entry"] >= 1
    finally:
        assert running.stop() == 0
    trail = sqlite3.connect(data / "jigap.sqlite")
    rows = trail.execute(
        "SELECT action, object, actor FROM audit_trail WHERE action LIKE 'shield:%' ORDER BY id"
    ).fetchall()
    trail.close()
    assert rows == [
        ("shield:ban", "127.0.0.1/32", "console"),
        ("shield:lookup", "127.0.0.1/32", "console"),
        ("shield:unban", "127.0.0.1/32", "console"),
        ("shield:deny", "127.0.0.0/8", "console"),
        ("shield:remove", "127.0.0.0/8", "console"),
        ("shield:import", "ranges.csv, 2026-10-20", "console"),
    ]
    assert processes.run("audit", "verify", "--data", data).returncode == 0

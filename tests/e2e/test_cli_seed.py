"""`jigap seed members`: made-up members are members like all others, and kept from real ones."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.e2e.client import MEMBER_PASSWORD, Client, new_key

pytestmark = pytest.mark.e2e

PASSPHRASE = "all of them say this"
PASSWORD = "nobody's own password"


@dataclass
class Seeded:
    """A platform that was seeded twice, what the commands said, and what was looked at then."""

    data: Path
    said: list[dict[str, Any]]
    keys: dict[str, Any]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    data = tmp_path_factory.mktemp("seeded") / "data"
    said = [seed(data, "7"), seed(data, "3")]
    keys = processes.run("keys", "verify", "--data", data, "--json")
    assert keys.returncode == 0, keys.stdout + keys.stderr
    return Seeded(data, said, json.loads(keys.stdout))


@pytest.fixture(scope="module")
def platform(seeded: Seeded):
    running = processes.start(
        "up", "--data", seeded.data, "--port", "0", "--node-port", "0", "--json"
    )
    yield running
    running.stop()


def seed(data: Path, count: str, *more: str) -> dict[str, Any]:
    shared = ("--password", PASSWORD, "--passphrase", PASSPHRASE)
    done = processes.run("seed", "members", count, "--data", data, *shared, "--json", *more)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_numbers_go_on_where_they_ended(seeded: Seeded):
    named = [(one["members"], one["first"], one["last"]) for one in seeded.said]
    assert named == [(7, "seed-0000001", "seed-0000007"), (3, "seed-0000008", "seed-0000010")]


def test_both_copies_of_every_key_are_sound(seeded: Seeded):
    assert (seeded.keys["wallets"], seeded.keys["sound"]) == (10, True)
    assert len(list((seeded.data / "keystores").glob("*/wa_*.1"))) == 10


def test_made_up_members_sign_in_and_their_wallets_are_active(seeded: Seeded, platform):
    symids = set()
    for name in ("seed-0000001", "seed-0000010"):
        me = Client.at(platform.url).sign_in(name, PASSWORD).get("me")
        assert me["wallet"]["state"] == "active"
        symids.add(me["wallet"]["symid"])
    assert len(symids) == 2


def test_the_passphrase_opens_their_keys_and_no_other_does(seeded: Seeded, platform):
    one = Client.at(platform.url).sign_in("seed-0000002", PASSWORD)
    wrong = {"old": "it is not this", "new": "a word of my own"}
    refused = one.call("PUT", "wallet/passphrase", wrong)
    assert (refused.status_code, refused.json()["code"]) == (403, "passphrase_wrong")
    right = {"old": PASSPHRASE, "new": "a word of my own"}
    assert one.call("PUT", "wallet/passphrase", right).status_code == 200


def test_they_find_each_other(seeded: Seeded, platform):
    one = Client.at(platform.url).sign_in("seed-0000003", PASSWORD)
    found = one.get("recipients?phone=01000000004")
    assert len(found) == 1


def test_the_books_agree_and_the_trail_says_who_was_made_up(seeded: Seeded, platform):
    money = processes.run("audit", "money", "--data", seeded.data, "--rpc", platform.rpc, "--json")
    assert money.returncode == 0, money.stdout + money.stderr
    trail = processes.run("audit", "verify", "--data", seeded.data, "--json")
    assert json.loads(trail.stdout)["intact"] is True


def test_a_platform_with_real_members_is_left_alone_unless_forced(tmp_path: Path):
    data = tmp_path / "data"
    running = processes.start("up", "--data", data, "--port", "0", "--node-port", "0", "--json")
    try:
        body = {"member_id": "somebody", "password": MEMBER_PASSWORD}
        made = Client.at(running.url).call("POST", "members", body, key=new_key())
        assert made.status_code == 201, made.text
        busy = processes.run("seed", "members", "1", "--data", data)
        assert busy.returncode == 1
        assert "in use" in busy.stderr
    finally:
        running.stop()
    refused = processes.run("seed", "members", "1", "--data", data)
    assert refused.returncode == 1
    assert "There are 1 real members." in refused.stderr
    assert seed(data, "1", "--force")["members"] == 1


def test_a_ca_outside_is_told_of_nobody_made_up(tmp_path: Path):
    refused = processes.run(
        "seed", "members", "1", "--data", tmp_path / "data", JIGAP_CA_URL="http://127.0.0.1:9"
    )
    assert refused.returncode == 1
    assert "certificate authority outside" in refused.stderr

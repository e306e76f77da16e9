"""A forgotten payment passphrase over HTTP, with two operators and a recovery key kept offline.

The offline half runs in a folder of its own, without the platform's data.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import processes

from .client import Client, new_phone
from .test_realname import BIRTH, NAME, Here, confirm, request, wrong

OLD, NEW = "blue river 42 stones", "green hills 17 birds"
WAIT_S = 2
PASSWORD = "a password of the boss"


@dataclass
class Desk:
    """The platform, its second operator, and the place where the recovery key lies."""

    here: Here
    second: Client
    offline: Path

    def recover(self, asked: dict[str, Any], name: str) -> Any:
        """The offline half: a file in, a file out."""
        file, out = self.offline / f"{name}.request", self.offline / f"{name}.answer"
        file.write_text(json.dumps(asked))
        key = self.offline / "recovery.key"
        return processes.run(
            *("keys", "recover", file, "--recovery-key-file", key, "--out", out, "--json")
        ), out


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    offline = tmp_path_factory.mktemp("offline")
    data = tmp_path_factory.mktemp("recovery") / "data"
    made = processes.run("keys", "recovery-key", offline / "recovery.key", "--json")
    running = processes.start(
        *("up", "--data", data, "--port", "0", "--node-port", "0", "--demo", "--json"),
        JIGAP_RECOVERY_PUBLIC_KEY=json.loads(made.stdout)["recovery_public_key"],
        JIGAP_RECOVERY_WAIT_S=str(WAIT_S),
    )
    stranger = Client.at(running.url)
    other = processes.run(
        *("operator", "create", "boss", "--data", data, "--password-file", "-", "--json"),
        input_=PASSWORD + "\n",
    )
    secret = json.loads(other.stdout)["totp_secret"]
    second = stranger.sign_in("boss", PASSWORD, totp_secret=secret)
    here = Here(running, stranger, stranger.operator(running), running.ready["inbox"])
    yield Desk(here, second, offline)
    stranger.http.close()
    assert running.stop() == 0, "".join(running.errors)[-4000:]


def with_wallet(here: Here) -> tuple[Client, str]:
    member, phone = here.member(), new_phone()
    assert confirm(member, request(member, phone).json(), here.code(phone)).status_code == 200
    wallet = member.call("POST", "wallet", {"passphrase": OLD}, wait=20)
    assert wallet.json()["state"] == "active", wallet.text
    return member, phone


def begin(who: Client, phone: str, **given: str) -> httpx.Response:
    return who.call("POST", "me/recovery", {"name": NAME, "phone": phone, **BIRTH, **given})


def waiting(here: Here, member: Client, phone: str) -> dict[str, Any]:
    begun = begin(member, phone)
    assert (begun.status_code, begun.json()["state"]) == (201, "requested"), begun.text
    assert begun.json()["check"]["state"] == "code_sent"
    said = member.call("POST", "me/recovery/confirm", {"code": here.code(phone)})
    assert (said.status_code, said.json()["state"]) == (200, "waiting"), said.text
    return dict(said.json())


def decide(who: Client, found: dict[str, Any], deed: str, body: Any = None) -> httpx.Response:
    return who.call("POST", f"operator/recoveries/{found['id']}/{deed}", body)


def change(who: Client, old: str, new: str) -> httpx.Response:
    return who.call("PUT", "wallet/passphrase", {"old": old, "new": new})


def test_two_operators_and_the_offline_key_bring_a_wallet_back(desk: Desk):
    here = desk.here
    member, phone = with_wallet(here)
    other_device = here.stranger.sign_in(member.member_id, "correct horse")
    before = member.get("me")["wallet"]
    found = waiting(here, member, phone)
    shown = other_device.get("me")["recovery"]
    assert shown == {"state": "waiting", "ready_at": found["ready_at"]}
    early = decide(here.operator, found, "approve")
    assert (early.status_code, early.json()["code"]) == (409, "recovery_waits")
    assert int(early.headers["retry-after"]) <= WAIT_S
    time.sleep(WAIT_S)
    once = decide(here.operator, found, "approve")
    assert once.json()["state"] == "approved_once", once.text
    same = decide(here.operator, found, "approve")
    assert (same.status_code, same.json()["code"]) == (403, "recovery_same_operator")
    assert decide(desk.second, found, "approve").json()["state"] == "approved"
    asked = decide(here.operator, found, "request").json()
    done, out = desk.recover(asked, "whole")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["request_id"] == found["id"]
    answer = json.loads(out.read_text())
    opened = decide(here.operator, found, "answer", answer)
    assert opened.json()["state"] == "opened", opened.text
    complete = {"passphrase": NEW, "password": "correct horse"}
    thief = other_device.call("POST", "me/recovery/complete", complete | {"password": "a guess"})
    assert (thief.status_code, thief.json()["code"]) == (403, "password_wrong")
    assert member.get("me/recovery")["state"] == "opened"
    over = member.call("POST", "me/recovery/complete", complete)
    assert (over.status_code, over.json()["state"]) == (200, "done"), over.text
    me = member.get("me")
    assert (me["wallet"], me["recovery"]) == (before, None)
    assert change(member, OLD, "whatever else it was").status_code == 403
    assert change(member, NEW, "blue river 43 stones").status_code == 200
    again = member.call("POST", "me/recovery/complete", complete)
    assert (again.status_code, again.json()["code"]) == (409, "recovery_not_there")
    logged = here.operator.get("operator/recoveries?limit=1")["items"][0]
    assert (logged["id"], logged["state"], len(logged["operators"])) == (found["id"], "done", 2)


def test_the_owner_says_no_from_another_device(desk: Desk):
    here = desk.here
    member, phone = with_wallet(here)
    found = waiting(here, member, phone)
    other_device = here.stranger.sign_in(member.member_id, "correct horse")
    said = other_device.call("DELETE", "me/recovery")
    assert (said.status_code, said.json()["state"]) == (200, "cancelled")
    assert member.get("me")["recovery"] is None
    time.sleep(WAIT_S)
    late = decide(here.operator, found, "approve")
    assert (late.status_code, late.json()["state"]) == (409, "cancelled")


def test_the_old_passphrase_still_works_and_ends_it(desk: Desk):
    here = desk.here
    member, phone = with_wallet(here)
    found = waiting(here, member, phone)
    assert change(member, OLD, NEW).status_code == 200
    shown = member.get("me/recovery")
    assert (shown["state"], shown["reason"]) == ("cancelled", "passphrase_used")
    here.wait_for(
        lambda: here.operator.get(f"operator/recoveries/{found['id']}")["finished_at"] is not None
    )


def test_an_operator_refuses_and_says_why(desk: Desk):
    here = desk.here
    member, phone = with_wallet(here)
    found = waiting(here, member, phone)
    empty = decide(desk.second, found, "refuse", {"reason": ""})
    assert empty.json()["code"] == "request_invalid"
    refused = decide(desk.second, found, "refuse", {"reason": "called, knows nothing of it"})
    assert (refused.status_code, refused.json()["state"]) == (200, "refused")
    assert member.get("me/recovery")["reason"] == "called, knows nothing of it"


def test_only_operators_decide_and_only_the_right_person_begins(desk: Desk):
    here = desk.here
    member, phone = with_wallet(here)
    stolen = begin(member, phone, name="김철수")
    assert (stolen.status_code, stolen.json()["code"]) == (409, "person_differs")
    found = waiting(here, member, phone)
    for deed in ("approve", "request"):
        assert decide(member, found, deed).json()["code"] == "operator_only"
    twice = begin(member, phone)
    assert (twice.status_code, twice.json()["code"]) == (409, "recovery_under_way")
    unknown = decide(here.operator, {"id": "rv_none"}, "approve")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "recovery_unknown")


def test_a_wrong_code_begins_no_waiting(desk: Desk):
    here = desk.here
    member, phone = with_wallet(here)
    begin(member, phone)
    body = {"code": wrong(here.code(phone))}
    said = member.call("POST", "me/recovery/confirm", body)
    assert said.json()["code"] == "realname_code_wrong"
    assert member.get("me/recovery")["state"] == "requested"


def test_the_offline_half_refuses_what_it_must(desk: Desk):
    bad, _ = desk.recover({"format": 1}, "bad")
    assert bad.returncode != 0
    assert "This is not a recovery request" in bad.stderr


def test_without_a_recovery_key_it_is_unavailable(shared_platform: processes.Running):
    stranger = Client.at(shared_platform.url)
    here = Here(
        shared_platform,
        stranger,
        stranger.operator(shared_platform),
        shared_platform.ready["inbox"],
    )
    member, phone = with_wallet(here)
    said = begin(member, phone)
    assert (said.status_code, said.json()["code"]) == (409, "recovery_unavailable")


def test_whoever_leaves_takes_the_recovery_along(desk: Desk):
    here = desk.here
    member, phone = with_wallet(here)
    found = waiting(here, member, phone)
    left = member.call("POST", "me/close", {"password": "correct horse"})
    assert left.status_code == 200, left.text
    shown = here.operator.get(f"operator/recoveries/{found['id']}")
    assert (shown["state"], shown["reason"]) == ("cancelled", "member_closed")

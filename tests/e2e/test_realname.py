"""Real-name verification over HTTP: from sign-up to a wallet, and everything that goes wrong.

The platform, the agency and the simulated phones are processes of their own.
"""

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import processes

from .client import MEMBER_PASSWORD, Client, new_phone

BIRTH = {"birth": "900131", "sex": "2"}
NAME = "김민지"


@dataclass
class Here:
    """A platform, and the phones of everybody."""

    running: processes.Running
    stranger: Client
    operator: Client
    inbox: str

    def member(self) -> Client:
        """Somebody who has signed up and in."""
        login = f"r-{uuid.uuid4().hex[:12]}"
        body = {"member_id": login, "password": MEMBER_PASSWORD}
        assert self.stranger.call("POST", "members", body).status_code == 201
        return self.stranger.sign_in(login, MEMBER_PASSWORD)

    def messages(self, phone: str) -> list[str]:
        """The texts on a phone, the newest first."""
        found = httpx.get(self.inbox, params={"phone": phone}, timeout=60).json()
        return [one["text"] for one in found["messages"]]

    def code(self, phone: str) -> str:
        """The code in the newest message on a phone."""
        match = re.search(r"\b[0-9]{6}\b", self.messages(phone)[0])
        assert match is not None
        return match[0]

    def wait_for(self, true: Callable[[], bool], seconds: float = 60) -> None:
        """Come back when it is true."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end
            time.sleep(0.05)

    def agency(self, mode: str, times: int | None = None) -> None:
        """Make the agency misbehave."""
        url = self.inbox.removesuffix("/inbox") + "/simulated/mode"
        wish = {"mode": mode, "times": times}
        assert httpx.put(url, json=wish, timeout=60).status_code == 200


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    data = tmp_path_factory.mktemp("realname") / "data"
    running = processes.start(
        *("up", "--data", data, "--port", "0", "--node-port", "0", "--demo", "--json"),
        JIGAP_AGENCY_TIMEOUT_MS="500",
    )
    stranger = Client.at(running.url)
    operator = stranger.operator(running)
    yield Here(running, stranger, operator, running.ready["inbox"])
    stranger.http.close()
    assert running.stop() == 0, "".join(running.errors)[-4000:]


def request(who: Client, phone: str, **given: str) -> httpx.Response:
    return who.call("POST", "realname", {"name": NAME, "phone": phone, **BIRTH, **given})


def confirm(who: Client, check: dict[str, Any], code: str) -> httpx.Response:
    return who.call("POST", f"realname/{check['id']}/confirm", {"code": code})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def phone_ending(ending: str) -> str:
    return new_phone()[:7] + ending


def test_from_sign_up_to_a_wallet_and_a_payment_to_the_number(here: Here):
    member, phone = here.member(), new_phone()
    early = member.call("POST", "wallet", {"passphrase": "blue river 42 stones"})
    assert (early.status_code, early.json()["code"]) == (403, "member_unverified")
    begun = request(member, phone)
    assert begun.status_code == 201
    check = begun.json()
    assert check["state"] == "code_sent"
    assert member.get(f"realname/{check['id']}") == check
    done = confirm(member, check, here.code(phone))
    assert (done.status_code, done.json()["state"]) == (200, "confirmed")
    me = member.get("me")
    assert (me["verification_level"], me["masked_name"], me["minor"]) == (2, "김*지", False)
    wallet = member.call("POST", "wallet", {"passphrase": "blue river 42 stones"}, wait=20)
    symid = wallet.json()["symid"]
    assert wallet.json()["state"] == "active"
    asked = {"method": "citizen_getCitizenBySymID", "params": [symid, "latest"]}
    asked |= {"jsonrpc": "2.0", "id": 1}
    citizen = httpx.post(here.running.rpc, json=asked, timeout=60).json()["result"]
    assert citizen["vFlag"] == "0x2"  # verified by phone
    found = here.operator.get(f"recipients?phone={phone}")
    assert [one["masked_name"] for one in found] == ["김*지"]


def test_the_operators_manual_word_still_counts(here: Here):
    member = here.member()
    body = {"name": NAME, "phone": new_phone()}
    verified = here.operator.call("POST", f"operator/members/{member.member_id}/verify", body)
    assert verified.status_code == 200
    assert member.get("me")["verification_level"] == 1


@pytest.mark.parametrize(("ending", "reason"), [("9001", "mismatch"), ("9002", "declined")])
def test_a_refusal_of_the_agency_is_told_and_sends_nothing(here: Here, ending: str, reason: str):
    member, phone = here.member(), phone_ending(ending)
    check = request(member, phone).json()
    assert (check["state"], check["reason"]) == ("refused", reason)
    refused = confirm(member, check, "123456")
    assert (refused.status_code, refused.json()["code"]) == (409, "realname_refused")
    assert here.messages(phone) == []
    assert member.get("me")["verification_level"] == 0


@pytest.mark.parametrize("ending", ["9003", "9007"])
def test_silence_is_no_failure(here: Here, ending: str):
    member = here.member()
    first = request(member, phone := phone_ending(ending)).json()
    again = request(member, phone).json()
    assert (first["state"], again["state"], again["id"]) == ("requested", "requested", first["id"])
    silent = confirm(member, first, "123456")
    assert (silent.status_code, silent.json()["code"]) == (503, "agency_silent")
    assert silent.json()["retryable"] is True
    assert "retry-after" in silent.headers


def test_when_no_message_arrives_a_new_check_may_begin_at_once(here: Here):
    member, phone = here.member(), phone_ending("9004")
    first = request(member, phone).json()
    assert (first["state"], here.messages(phone)) == ("code_sent", [])
    second = request(member, phone).json()
    assert second["id"] != first["id"]
    over = confirm(member, first, "123456")
    assert (over.status_code, over.json()["code"]) == (409, "realname_expired")


def test_a_late_message_still_counts(here: Here):
    member, phone = here.member(), phone_ending("9005")
    check = request(member, phone).json()
    assert here.messages(phone) == []
    end = time.monotonic() + 60
    while not here.messages(phone) and time.monotonic() < end:
        time.sleep(0.2)
    assert confirm(member, check, here.code(phone)).json()["state"] == "confirmed"


def test_a_message_whose_answer_was_lost_counts_once_the_agency_is_back(here: Here):
    member, phone = here.member(), new_phone()
    here.agency("lost")
    check = request(member, phone).json()
    assert check["state"] == "requested"
    here.agency("normal")
    assert confirm(member, check, here.code(phone)).json()["state"] == "confirmed"
    assert len(here.messages(phone)) == 1


def test_a_confirmation_whose_answer_is_lost_counts(here: Here):
    member, phone = here.member(), phone_ending("9008")
    check = request(member, phone).json()
    assert confirm(member, check, here.code(phone)).json()["state"] == "confirmed"


@pytest.mark.parametrize("mode", ["unavailable", "timeout", "lost", "unsigned", "nonsense"])
def test_an_agency_down_in_the_middle_and_back(here: Here, mode: str):
    member, phone = here.member(), new_phone()
    check = request(member, phone).json()
    code = here.code(phone)
    here.agency(mode)
    try:
        for _ in range(2):
            silent = confirm(member, check, code)
            assert (silent.status_code, silent.json()["code"]) == (503, "agency_silent")
        assert member.get(f"realname/{check['id']}")["state"] == "code_sent"
        assert member.get("me")["verification_level"] == 0
    finally:
        here.agency("normal")
    assert confirm(member, check, code).json()["state"] == "confirmed"
    logged = here.operator.get("operator/realname-checks?limit=200")["items"]
    assert next(one["tries"] for one in logged if one["id"] == check["id"]) == 1


def test_a_code_is_good_once(here: Here):
    member, phone = here.member(), new_phone()
    check = request(member, phone).json()
    code = here.code(phone)
    assert confirm(member, check, code).status_code == 200
    twice = confirm(member, check, code)
    assert (twice.status_code, twice.json()["code"]) == (409, "realname_confirmed")


def test_a_code_for_another_number_is_wrong(here: Here):
    mine, other = here.member(), here.member()
    my_phone, other_phone = new_phone(), new_phone()
    check = request(mine, my_phone).json()
    request(other, other_phone)
    if here.code(other_phone) == here.code(my_phone):  # once in a million
        request(other, other_phone)
    answer = confirm(mine, check, here.code(other_phone))
    assert (answer.status_code, answer.json()["code"]) == (422, "realname_code_wrong")
    assert answer.json()["tries_left"] == 4


def test_five_wrong_codes_burn_it_and_a_new_one_may_be_had(here: Here):
    member, phone = here.member(), new_phone()
    check = request(member, phone).json()
    code = here.code(phone)
    codes = [f"{(int(code) + more) % 10**6:06d}" for more in range(1, 6)]
    said = [confirm(member, check, one).json()["code"] for one in codes]
    assert said == ["realname_code_wrong"] * 4 + ["realname_code_burnt"]
    assert confirm(member, check, code).json()["code"] == "realname_code_burnt"
    again = request(member, phone).json()
    assert confirm(member, again, here.code(phone)).json()["state"] == "confirmed"


def test_racing_confirmations_verify_once(here: Here):
    member, phone = here.member(), new_phone()
    check = request(member, phone).json()
    code, start = here.code(phone), threading.Barrier(8)

    def one(_: int) -> httpx.Response:
        start.wait()
        return confirm(member, check, code)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(one, range(8)))
    assert {a.status_code for a in answers} <= {200, 409}
    assert any(a.status_code == 200 for a in answers)
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"realname_confirmed"}
    logged = here.operator.get("operator/realname-checks?limit=200")["items"]
    assert next(one["tries"] for one in logged if one["id"] == check["id"]) == 1


def test_one_number_is_one_verified_member(here: Here):
    owner, thief, phone = here.member(), here.member(), new_phone()
    confirm(owner, request(owner, phone).json(), here.code(phone))
    check = request(thief, phone).json()
    assert check["state"] == "code_sent"
    taken = confirm(thief, check, here.code(phone))
    assert (taken.status_code, taken.json()["code"]) == (409, "phone_taken")
    assert thief.get("me")["verification_level"] == 0


def test_a_check_is_its_members_own(here: Here):
    mine, other, phone = here.member(), here.member(), new_phone()
    check = request(mine, phone).json()
    for answer in (
        other.call("GET", f"realname/{check['id']}"),
        confirm(other, check, here.code(phone)),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "realname_unknown")
    assert here.stranger.call("GET", f"realname/{check['id']}").status_code == 401


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"birth": "900230"}, "birth_malformed"),
        ({"birth": "990101", "sex": "3"}, "birth_malformed"),
        ({"birth": "9001"}, "request_invalid"),
        ({"sex": "12"}, "request_invalid"),
        ({"phone": "02-312-3456"}, "realname_phone_unsupported"),
        ({"phone": "12"}, "phone_malformed"),
        ({"name": "1"}, "name_malformed"),
        ({"extra": "1"}, "request_invalid"),
    ],
)
def test_what_cannot_be_is_refused(here: Here, given: dict[str, str], code: str):
    answer = request(here.member(), **({"phone": new_phone()} | given))
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_minors_are_flagged(here: Here):
    member, phone = here.member(), new_phone()
    check = request(member, phone, birth="150615", sex="7").json()
    assert check["minor"] is True
    confirm(member, check, here.code(phone))
    assert member.get("me")["minor"] is True


def test_a_members_day_ends(here: Here):
    member, phone = here.member(), new_phone()
    statuses = [request(member, phone).status_code for _ in range(11)]
    assert statuses == [201] * 10 + [429]
    refused = request(member, phone)
    assert refused.json()["code"] == "realname_limit"
    assert int(refused.headers["retry-after"]) <= 24 * 3600


def test_the_log_has_pages_and_is_for_operators(here: Here):
    member, phone = here.member(), new_phone()
    confirm(member, request(member, phone).json(), here.code(phone))
    first = here.operator.get("operator/realname-checks?limit=1")
    newest = first["items"][0]
    assert (newest["state"], newest["provider"], newest["address"]) == (
        "confirmed",
        "agency",
        "127.0.0.1",
    )
    assert newest["member"] == member.get("me")["id"]
    assert newest["masked_phone"] == f"010-****-{phone[-4:]}"
    second = here.operator.get(f"operator/realname-checks?limit=1&cursor={first['next']}")
    assert second["items"][0]["id"] < newest["id"]
    theirs = f"operator/realname-checks?member={member.member_id}"
    assert here.operator.get(theirs)["items"] == [newest]
    assert here.operator.get(f"{theirs}&outcome=confirmed")["items"] == [newest]
    assert here.operator.get(f"{theirs}&outcome=refused")["items"] == []
    nobody = here.operator.call("GET", "operator/realname-checks?member=nobody")
    assert (nobody.status_code, nobody.json()["code"]) == (404, "member_unknown")
    refused = member.call("GET", "operator/realname-checks")
    assert (refused.status_code, refused.json()["code"]) == (403, "operator_only")
    bad = here.operator.call("GET", "operator/realname-checks?cursor=x")
    assert bad.json()["code"] == "cursor_malformed"


def test_nothing_personal_and_no_code_is_on_disk_or_in_a_log(here: Here):
    member, phone = here.member(), new_phone()
    check = request(member, phone, birth="840719", name="탁월희").json()
    code = here.code(phone)
    confirm(member, check, wrong(code))
    confirm(member, check, code)
    data = Path(here.running.process.args[here.running.process.args.index("--data") + 1])
    stored = b"".join(path.read_bytes() for path in data.glob("jigap.sqlite*"))
    for secret in ("탁월희", phone, phone[1:], "840719", "1984-07-19"):
        assert secret.encode() not in stored, secret
    said = "".join(here.running.errors)
    assert not any(secret in said for secret in ("탁월희", phone, phone[1:], "840719", code))


def test_an_agency_that_dies_is_started_again_and_new_checks_go_on(here: Here):
    """It has forgotten the codes that were under way; a new check is all it takes."""
    member, phone = here.member(), new_phone()
    check = request(member, phone).json()
    code = here.code(phone)
    here.agency("forgetful", times=1)
    forgotten = confirm(member, check, code)
    assert (forgotten.status_code, forgotten.json()["reason"]) == (409, "agency_forgot")
    again = request(member, phone).json()
    assert confirm(member, again, here.code(phone)).json()["state"] == "confirmed"


def test_without_demo_and_without_an_agency_there_is_no_verification(
    start: Callable[..., processes.Running], tmp_path: Path
):
    data = tmp_path / "data"
    running = start("up", "--data", data, "--port", "0", "--node-port", "0", "--json")
    assert "inbox" not in running.ready
    stranger = Client.at(running.url)
    body = {"member_id": "alone", "password": MEMBER_PASSWORD}
    assert stranger.call("POST", "members", body).status_code == 201
    member = stranger.sign_in("alone", MEMBER_PASSWORD)
    answer = request(member, new_phone())
    assert (answer.status_code, answer.json()["code"]) == (503, "realname_unavailable")
    assert running.stop() == 0


def test_an_agency_of_its_own_serves_a_platform_that_names_it(
    start: Callable[..., processes.Running], tmp_path: Path
):
    """The agency stops and comes back on the same port while the platform runs."""
    secret = "a secret of this test"
    port = str(processes.free_port())
    agency = start("simulate", "agency", "--port", port, JIGAP_AGENCY_SECRET=secret)
    running = start(
        *("up", "--data", tmp_path / "data", "--port", "0", "--node-port", "0", "--json"),
        JIGAP_AGENCY_URL=agency.ready["url"],
        JIGAP_AGENCY_SECRET=secret,
        JIGAP_AGENCY_TIMEOUT_MS="500",
    )
    stranger = Client.at(running.url)
    body = {"member_id": "alone", "password": MEMBER_PASSWORD}
    assert stranger.call("POST", "members", body).status_code == 201
    member, phone = stranger.sign_in("alone", MEMBER_PASSWORD), new_phone()
    assert agency.stop() == 0
    check = request(member, phone).json()
    assert check["state"] == "requested"
    agency = start("simulate", "agency", "--port", port, JIGAP_AGENCY_SECRET=secret)
    here = Here(running, stranger, stranger, agency.ready["inbox"])
    back = request(member, phone).json()
    assert (back["id"], back["state"]) == (check["id"], "code_sent")
    assert confirm(member, check, here.code(phone)).json()["state"] == "confirmed"
    assert running.stop() == 0
    assert agency.stop() == 0


@pytest.mark.parametrize(
    "wrong_setting",
    [
        {"JIGAP_AGENCY_URL": "http://agency.example", "JIGAP_AGENCY_SECRET": "x" * 16},
        {"JIGAP_AGENCY_URL": "https://agency.example", "JIGAP_AGENCY_SECRET": "short-secret"},
        {"JIGAP_REALNAME_PROVIDER": "nobody"},
    ],
)
def test_a_setting_that_cannot_be_used_stops_the_start_with_one_line(
    tmp_path: Path, wrong_setting: dict[str, str]
):
    done = processes.run(
        *("up", "--data", tmp_path / "data", "--port", "0", "--node-port", "0", "--json"),
        **wrong_setting,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("jigap: ")
    assert done.stderr.count("\n") == 1
    assert "short-secret" not in done.stderr

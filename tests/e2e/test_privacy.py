"""A member's own data and the end of an account, over HTTP."""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import processes

from .client import MEMBER_PASSWORD, Client


@pytest.fixture(scope="module")
def operator(shared_platform: processes.Running) -> Iterator[Client]:
    stranger = Client.at(shared_platform.url)
    yield stranger.operator(shared_platform)
    stranger.http.close()


def close(who: Client, **given: object):
    return who.call("POST", "me/close", {"password": MEMBER_PASSWORD, **given})


def test_a_member_reads_all_that_is_held_about_them(operator: Client):
    payer, payee = operator.member(operator), operator.member(operator)
    token = operator.new_token()
    operator.mint(token, payer, "100")
    order = payer.order(payee, token, "3", memo="고마워")
    assert payer.call("POST", "transfers", order, key="export", wait=20).status_code == 201
    body = {"recipient_id": payer.recipient(payee), "label": "단골집"}
    assert payer.call("POST", "me/favourites", body).status_code == 201
    answer = payer.call("GET", "me/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "attachment" in answer.headers["content-disposition"]
    found = answer.json()
    about, records = found["about"], found["records"]
    assert (about["name"], about["phone"]) == ("김민지", "+82" + payer.phone[1:])
    assert about["login"] == payer.member_id
    (payment,) = found["payments"]
    assert (payment["memo"], payment["amount"], payment["state"]) == ("고마워", "3", "confirmed")
    assert [one["label"] for one in records["favourites"]] == ["단골집"]
    assert len(records["sessions"]) == 1
    assert records["directory_days"][0]["lookups"] >= 2
    assert "transfer.confirmed" in [one["kind"] for one in records["events"]]
    assert records["audit_trail"][-1]["action"] == "member:export"
    assert "wallet key" in found["withheld"]
    assert payee.phone not in answer.text and "keystores" not in records
    assert payee.get("me/export")["payments"][0]["direction"] == "incoming"


def test_nobody_else_reads_it(operator: Client):
    stranger = Client(operator.http)
    assert stranger.call("GET", "me/export").status_code == 401
    assert stranger.call("POST", "me/close", {"password": "x"}).status_code == 401


def test_an_account_is_closed_by_its_password_and_for_good(operator: Client):
    payer, gone = operator.member(operator), operator.member(operator)
    token = operator.new_token()
    operator.mint(token, gone, "5")
    other_session = gone.sign_in(gone.member_id, MEMBER_PASSWORD)
    recipient = payer.recipient(gone)
    kept = payer.call("POST", "me/favourites", {"recipient_id": recipient, "label": "친구"})
    assert kept.status_code == 201
    wrong = gone.call("POST", "me/close", {"password": "not the password"})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "password_wrong")
    left = close(gone)
    assert (left.status_code, left.json()["code"]) == (409, "balance_left")
    assert left.json()["balances"] == {token: "5"}
    assert gone.get("me")["verification_level"] >= 1, "nothing has happened yet"
    closed = close(gone, leave_balance=True)
    assert closed.status_code == 200, closed.text
    assert closed.json()["closed_at"] < closed.json()["erased_after"]

    for session in (gone, other_session):
        assert session.call("GET", "me").status_code == 401
    body = {"member_id": gone.member_id, "password": MEMBER_PASSWORD}
    again = gone.call("POST", "session", body)
    nobody = gone.call("POST", "session", {**body, "member_id": f"x-{uuid.uuid4().hex[:8]}"})
    assert (again.status_code, again.json()) == (nobody.status_code, nobody.json())

    assert payer.get(f"recipients?phone={gone.phone}") == []
    assert payer.get(f"recipients?member_id={gone.member_id}") == []
    assert payer.get(f"recipients?name=김민지&last4={gone.phone[-4:]}") == []
    assert payer.get("me/favourites") == []
    order = {"recipient_id": recipient, "token": token, "amount": "1"}
    order |= {"passphrase": payer.passphrase}
    refused = payer.call("POST", "transfers", order, key="to-nobody")
    assert refused.json()["code"] == "recipient_not_ready"

    seen = operator.get(f"operator/members/{gone.member_id}")
    assert (seen["masked_name"], seen["masked_phone"]) == (None, None)
    assert seen["closed_at"] is not None and seen["erased_at"] is None
    freed = operator.call(
        "POST",
        f"operator/members/{_signed_up(gone)}/verify",
        {"name": "이서연", "phone": gone.phone},
    )
    assert freed.status_code == 200, "the number is free for whoever has it now"
    assert [one["masked_name"] for one in payer.get(f"recipients?phone={gone.phone}")] == ["이*연"]
    verified = operator.call("POST", f"operator/members/{gone.member_id}/verify", {})
    assert (verified.status_code, verified.json()["code"]) == (409, "member_closed")


def test_the_dispatcher_erases_what_is_due_when_it_starts(
    start: Callable[..., processes.Running], tmp_path: Path
):
    """The demo's payer leaves; with no retention the next start forgets them."""
    arguments = ("up", "--data", tmp_path / "data", "--port", "0", "--node-port", "0", "--json")
    running = start(*arguments, "--demo")
    stranger = Client.at(running.url)
    payer = running.person("payer")
    me = stranger.sign_in(payer["member_id"], payer["password"])
    number = me.get("me/export")["about"]["number"]
    body = {"password": payer["password"], "leave_balance": True}
    closed = me.call("POST", "me/close", body)
    assert closed.status_code == 200, closed.text
    keys = sorted((tmp_path / "data").glob("keystores/*/wa_*"))
    stranger.http.close()
    assert running.stop() == 0

    again = start(*arguments, JIGAP_RETENTION_DAYS="0")
    stranger = Client.at(again.url)
    operator = stranger.operator(running)
    end = time.monotonic() + 60
    seen: dict = {}
    while time.monotonic() < end and not seen.get("erased_at"):
        found = operator.get("operator/members?limit=50")["items"]
        seen = next(one for one in found if one["member_id"] in (payer["member_id"], f"~{number}"))
        time.sleep(0.1)
    assert seen["member_id"] == f"~{number}" and seen["erased_at"]
    assert len([one for one in keys if not one.exists()]) == 1
    body = {"member_id": payer["member_id"], "password": MEMBER_PASSWORD}
    assert stranger.call("POST", "members", body).status_code == 201, "the member id is free"
    stranger.http.close()


def _signed_up(stranger: Client) -> str:
    login = f"n-{uuid.uuid4().hex[:12]}"
    body = {"member_id": login, "password": MEMBER_PASSWORD}
    assert stranger.call("POST", "members", body).status_code == 201
    return login

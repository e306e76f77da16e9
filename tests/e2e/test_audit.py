"""The audit trail over HTTP: who did what, from where, for operators alone."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.e2e.client import MEMBER_PASSWORD, Client
from tests.processes import Running

_NUMBERS: Iterator[int] = count()


@pytest.fixture(scope="module")
def operator(shared_platform: Running) -> Client:
    return Client.at(shared_platform.url).operator(shared_platform)


def stranger(operator: Client) -> str:
    """A new member's member id."""
    name = f"audited-{next(_NUMBERS)}"
    body = {"member_id": name, "password": MEMBER_PASSWORD}
    assert operator.call("POST", "members", body).status_code == 201
    return name


def test_what_an_operator_does_is_in_the_trail_with_actor_and_address(operator: Client):
    name = stranger(operator)
    frozen = operator.call("POST", f"operator/members/{name}/freeze", {"reason": "asked to"})
    assert frozen.status_code == 200, frozen.text
    me, them = operator.get("me")["id"], frozen.json()["id"]
    newest = operator.get(f"operator/audit?actor={me}&action=member:freeze&limit=1")["items"][0]
    assert (newest["actor"], newest["object"], newest["outcome"]) == (me, them, "done")
    assert newest["address"] == "127.0.0.1"
    assert "asked to" not in str(newest)


def test_the_trail_has_pages(operator: Client):
    name = stranger(operator)
    for action in ("freeze", "unfreeze", "freeze"):
        done = operator.call("POST", f"operator/members/{name}/{action}", {"reason": "a test"})
        assert done.status_code == 200, done.text
    seen: list[str] = []
    cursor = ""
    while len(seen) < 3:
        page = operator.get(f"operator/audit?action=member&limit=1{cursor}")
        seen += [one["action"] for one in page["items"]]
        cursor = f"&cursor={page['next']}"
    assert seen == ["member:freeze", "member:unfreeze", "member:freeze"]
    refused = operator.call("GET", "operator/audit?cursor=x")
    assert (refused.status_code, refused.json()["code"]) == (422, "cursor_malformed")


def test_the_trail_is_for_operators(shared_platform: Running):
    person = shared_platform.person("payer")
    payer = Client.at(shared_platform.url).sign_in(person["member_id"], person["password"])
    refused = payer.call("GET", "operator/audit")
    assert (refused.status_code, refused.json()["code"]) == (403, "operator_only")


def test_an_operator_ends_all_sessions_of_a_member(operator: Client):
    name = stranger(operator)
    sessions = [operator.sign_in(name, MEMBER_PASSWORD) for _ in range(2)]
    them = sessions[0].get("me")["id"]
    assert operator.call("DELETE", f"operator/members/{name}/sessions").status_code == 204
    for one in sessions:
        assert one.call("GET", "me").json()["code"] == "session_missing"
    (row,) = operator.get("operator/audit?action=session:end_all&limit=1")["items"]
    assert (row["actor"], row["object"]) == (operator.get("me")["id"], them)
    assert operator.sign_in(name, MEMBER_PASSWORD).get("me")["id"] == them
    unknown = operator.call("DELETE", "operator/members/nobody-here/sessions")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "member_unknown")

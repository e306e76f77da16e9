"""Freezing over HTTP: by the member, by an operator, and who may lift it."""

from collections.abc import Iterator

import pytest

from tests import processes

from .client import MEMBER_PASSWORD, Client


@pytest.fixture(scope="module")
def operator(shared_platform: processes.Running) -> Iterator[Client]:
    stranger = Client.at(shared_platform.url)
    yield stranger.operator(shared_platform)
    stranger.http.close()


def test_a_member_freezes_themselves_at_once_and_sees_why(operator: Client) -> None:
    me = operator.member(operator)
    frozen = me.call("POST", "me/freeze", {"reason": "lost phone"})
    assert frozen.status_code == 200
    shown = me.get("me")
    assert shown == frozen.json()
    assert (shown["frozen"], shown["frozen_by"]) == (True, "member")
    assert shown["frozen_reason"] == "lost phone"
    assert shown["frozen_at"] is not None
    assert operator.get(f"operator/members/{me.member_id}")["frozen_reason"] == "lost phone"
    for body, status, code in (
        ({}, 422, "request_invalid"),
        ({"password": "wrong password"}, 403, "password_wrong"),
    ):
        refused = me.call("POST", "me/unfreeze", body)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    mine = me.call("POST", "me/unfreeze", {"password": MEMBER_PASSWORD})
    assert (mine.status_code, mine.json()["frozen"]) == (200, False)
    me.call("POST", "me/freeze")
    lifted = operator.call("POST", f"operator/members/{me.member_id}/unfreeze")
    assert (lifted.json()["frozen"], lifted.json()["frozen_by"]) == (False, None)


def test_an_operator_says_why_to_operators_only(operator: Client) -> None:
    me = operator.member(operator)
    path = f"operator/members/{me.member_id}/freeze"
    for body in ({}, {"reason": "  "}):
        refused = operator.call("POST", path, body)
        assert (refused.status_code, refused.json()["code"]) == (422, "freeze_reason_missing")
    frozen = operator.call("POST", path, {"reason": "court order 7"}).json()
    assert (frozen["frozen_by"], frozen["frozen_reason"]) == ("operator", "court order 7")
    assert (me.get("me")["frozen_by"], me.get("me")["frozen_reason"]) == ("operator", "")
    again = me.call("POST", "me/freeze")
    assert again.json()["frozen_by"] == "operator"
    refused = me.call("POST", "me/unfreeze", {"password": MEMBER_PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (403, "frozen_by_operator")


def test_operators_see_what_is_stuck_and_nobody_else_does(operator: Client) -> None:
    assert operator.get("operator/stuck") == {"items": [], "next": None}
    me = operator.member(operator)
    refused = me.call("GET", "operator/stuck")
    assert (refused.status_code, refused.json()["code"]) == (403, "operator_only")

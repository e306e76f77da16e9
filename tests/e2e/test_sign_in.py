"""Signing in over HTTP: sessions, second factors, and what operators need."""

import uuid
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest

from jigap.app import install, open_database
from jigap.clock import SystemClock
from jigap.members import create_operator, hash_password
from jigap.settings import load
from tests.processes import Running

from .client import MEMBER_PASSWORD, Client


@pytest.fixture(scope="module")
def stranger(shared_platform: Running) -> Iterator[Client]:
    client = Client.at(shared_platform.url)
    yield client
    client.http.close()


def joined(stranger: Client) -> str:
    """A new member's member id."""
    name = f"s-{uuid.uuid4().hex[:12]}"
    body = {"member_id": name, "password": MEMBER_PASSWORD}
    assert stranger.call("POST", "members", body).status_code == 201
    return name


def refused(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def enrol(me: Client, password: str = MEMBER_PASSWORD) -> tuple[str, list[str]]:
    """A second factor for whoever is signed in: its secret and the recovery codes."""
    new = me.call("POST", "me/factors", {"password": password})
    assert new.status_code == 201, new.text
    secret = new.json()["secret"]
    done = me.call(
        "POST", f"me/factors/{new.json()['id']}/confirm", {"otp": pyotp.TOTP(secret).now()}
    )
    assert done.status_code == 200, done.text
    return secret, done.json()["recovery_codes"]


def test_sessions_are_listed_and_ended(stranger: Client) -> None:
    name = joined(stranger)
    here, there = (stranger.sign_in(name, MEMBER_PASSWORD) for _ in range(2))
    listed = here.get("sessions")
    assert [one["current"] for one in listed] == [False, True]
    assert listed[0]["address"] == "127.0.0.1"
    assert listed[0]["device"] == "Python"
    assert here.call("DELETE", f"sessions/{listed[0]['id']}").status_code == 204
    assert refused(there.call("GET", "me")) == (401, "session_missing")
    assert refused(here.call("DELETE", "sessions/se_nothing")) == (404, "session_unknown")
    again = stranger.sign_in(name, MEMBER_PASSWORD)
    assert here.call("DELETE", "sessions").status_code == 204
    assert refused(again.call("GET", "me")) == (401, "session_missing")
    assert len(here.get("sessions")) == 1


def browser(stranger: Client, name: str) -> tuple[Client, dict[str, str]]:
    """A cookie session: a client that has only cookies, and the header that goes with changes."""
    mine = Client.at(str(stranger.http.base_url).removesuffix("/api/v1/"))
    body = {"member_id": name, "password": MEMBER_PASSWORD, "cookie": True}
    opened = mine.call("POST", "session", body)
    assert opened.status_code == 201, opened.text
    assert opened.json().keys() == {"expires_at", "csrf_token"}
    cookies = opened.headers.get_list("set-cookie")
    assert [one.partition("=")[0] for one in cookies] == ["jigap_session", "jigap_device"]
    for one in cookies:
        parts = {part.strip().lower() for part in one.split(";")}
        assert {"httponly", "samesite=strict", "path=/"} <= parts
    return mine, {"X-CSRF-Token": opened.json()["csrf_token"]}


def test_a_cookie_session_needs_the_csrf_token_for_every_change(stranger: Client) -> None:
    name = joined(stranger)
    mine, csrf = browser(stranger, name)
    assert mine.get("me")["member_id"] == name
    own = mine.get("session")
    assert {"X-CSRF-Token": own["csrf_token"]} == csrf
    path, body = "me/password", {"old": MEMBER_PASSWORD, "new": "another horse"}
    for headers in (
        {},
        {"X-CSRF-Token": "0" * 64},
        csrf | {"Origin": "https://evil.example"},
        csrf | {"Sec-Fetch-Site": "cross-site"},
    ):
        answer = mine.http.request("PUT", path, json=body, headers=headers)
        assert refused(answer) == (403, "csrf_missing"), headers
        assert refused(mine.http.request("DELETE", "sessions", headers=headers))[0] == 403
    other, _ = browser(stranger, name)
    ours = f"http://{mine.http.base_url.netloc.decode()}"
    headers = csrf | {"Origin": ours, "Sec-Fetch-Site": "same-origin"}
    changed = mine.http.request("PUT", path, json=body, headers=headers)
    assert changed.status_code == 204, changed.text
    assert refused(other.call("GET", "me")) == (401, "session_missing")
    assert stranger.sign_in(name, "another horse")


def test_signing_out_of_a_cookie_session_clears_the_cookie(stranger: Client) -> None:
    mine, csrf = browser(stranger, joined(stranger))
    stolen = dict(mine.http.cookies)
    assert refused(mine.call("DELETE", "session")) == (403, "csrf_missing")
    out = mine.http.request("DELETE", "session", headers=csrf)
    assert out.status_code == 204
    assert "jigap_session" not in mine.http.cookies
    assert "jigap_device" in mine.http.cookies
    assert refused(mine.call("GET", "me")) == (401, "session_missing")
    mine.http.cookies.set("jigap_session", stolen["jigap_session"])
    assert refused(mine.call("GET", "me")) == (401, "session_missing")


def test_a_bearer_goes_before_a_cookie_and_neither_passes_for_the_other(stranger: Client) -> None:
    name, other = joined(stranger), joined(stranger)
    mine, _ = browser(stranger, name)
    bearer = stranger.sign_in(other, MEMBER_PASSWORD).token
    both = mine.http.request("GET", "me", headers={"Authorization": f"Bearer {bearer}"})
    assert both.json()["member_id"] == other
    change = mine.http.request("DELETE", "sessions", headers={"Authorization": f"Bearer {bearer}"})
    assert change.status_code == 204, "a bearer needs no CSRF token"
    cookie = mine.http.cookies["jigap_session"]
    as_bearer = stranger.http.get("me", headers={"Authorization": f"Bearer {cookie}"})
    assert refused(as_bearer) == (401, "session_missing")
    mine.http.cookies.clear()
    mine.http.cookies.set("jigap_session", bearer)
    assert refused(mine.call("GET", "me")) == (401, "session_missing")


def test_strangers_do_not_delay_a_known_device(stranger: Client) -> None:
    name = joined(stranger)
    body = {"member_id": name, "password": MEMBER_PASSWORD}
    device = stranger.call("POST", "session", body).json()["device"]
    wrong = body | {"password": "wrong password"}
    answers = [refused(stranger.call("POST", "session", wrong)) for _ in range(13)]
    assert answers[-1] == (429, "sign_in_wait")
    assert refused(stranger.call("POST", "session", body))[0] == 429
    home = stranger.call("POST", "session", body | {"device": device})
    assert (home.status_code, home.json()["device"]) == (201, device)


def test_a_password_is_changed_by_whoever_knows_it(stranger: Client) -> None:
    name = joined(stranger)
    me, other = (stranger.sign_in(name, MEMBER_PASSWORD) for _ in range(2))
    wrong = me.call("PUT", "me/password", {"old": "wrong password", "new": "another horse"})
    assert refused(wrong) == (403, "password_wrong")
    weak = me.call("PUT", "me/password", {"old": MEMBER_PASSWORD, "new": "short"})
    assert refused(weak) == (422, "password_weak")
    body = {"old": MEMBER_PASSWORD, "new": "another horse"}
    assert me.call("PUT", "me/password", body).status_code == 204
    assert me.get("me")["member_id"] == name
    assert refused(other.call("GET", "me")) == (401, "session_missing")
    assert stranger.sign_in(name, "another horse")


def test_a_member_adds_uses_and_removes_a_second_factor(stranger: Client) -> None:
    name = joined(stranger)
    me = stranger.sign_in(name, MEMBER_PASSWORD)
    assert me.get("me/factors") == []
    secret, codes = enrol(me)
    (factor,) = me.get("me/factors")
    assert (factor["kind"], factor["confirmed"], factor["recovery_codes_left"]) == (
        "totp", True, 10,
    )  # fmt: skip
    body = {"member_id": name, "password": MEMBER_PASSWORD}
    assert refused(stranger.call("POST", "session", body)) == (401, "otp_required")
    wrong = stranger.call("POST", "session", body | {"otp": "not-a-code"})
    assert refused(wrong) == (401, "otp_wrong")
    assert refused(stranger.call("POST", "session", body | {"password": "wrong password"})) == (
        401,
        "sign_in_failed",
    )
    assert stranger.call("POST", "session", body | {"otp": codes[0]}).status_code == 201
    me = stranger.sign_in(name, MEMBER_PASSWORD, totp_secret=secret)
    assert me.get("sessions")[0]["second_factor"] is True
    path = f"me/factors/{factor['id']}/remove"
    short = me.call("POST", path, {"password": MEMBER_PASSWORD})
    assert refused(short) == (401, "otp_required")
    gone = me.call("POST", path, {"password": MEMBER_PASSWORD, "otp": codes[1]})
    assert gone.status_code == 204, gone.text
    assert me.get("me/factors") == []
    assert stranger.sign_in(name, MEMBER_PASSWORD)


def test_an_otp_nobody_asked_for_is_not_looked_at(stranger: Client) -> None:
    body = {"member_id": joined(stranger), "password": MEMBER_PASSWORD, "otp": "000000"}
    assert stranger.call("POST", "session", body).status_code == 201


def test_an_operator_without_a_factor_can_only_enrol(
    shared_platform: Running, stranger: Client
) -> None:
    name = f"op-{uuid.uuid4().hex[:12]}"
    _operator_without_factor(shared_platform, name)
    boss = stranger.sign_in(name, MEMBER_PASSWORD)
    for path in ("operator/members", "operator/audit", "operator/realname-checks"):
        assert refused(boss.call("GET", path)) == (403, "second_factor_required")
    frozen = boss.call("POST", "operator/members/demo-payer/freeze", {"reason": "no"})
    assert refused(frozen) == (403, "second_factor_required")
    token = boss.call("POST", "operator/tokens/DEMO/pause", key="never")
    assert refused(token) == (403, "second_factor_required")
    secret, _ = enrol(boss)
    still = boss.call("GET", "operator/members")
    assert refused(still) == (403, "second_factor_required"), "opened before"
    boss = stranger.sign_in(name, MEMBER_PASSWORD, totp_secret=secret)
    assert boss.call("GET", "operator/members").status_code == 200
    (factor,) = boss.get("me/factors")
    body = {"password": MEMBER_PASSWORD, "otp": "000000"}
    kept = boss.call("POST", f"me/factors/{factor['id']}/remove", body)
    assert refused(kept) == (409, "factor_needed")


def _operator_without_factor(running: Running, name: str) -> None:
    """As a platform of before has them: the command line makes none any more."""
    arguments = running.process.args
    assert isinstance(arguments, list)
    given = load(arguments[arguments.index("--data") + 1], {})
    database = open_database(given)
    with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
        create_operator(
            connection,
            ring=install(given),
            login=name,
            password_hash=hash_password(MEMBER_PASSWORD),
            now_ms=SystemClock().now_ms(),
        )
    database.close()

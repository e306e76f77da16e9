"""The site over HTTP, without a node: people, sessions, and what it does with bad requests."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from jigap.web.headers import HEADERS

from .platform import PASSPHRASE, PASSWORD, Site, site


async def test_sign_up_sign_in_and_me(here: Site) -> None:
    body = {"member_id": "MinJi", "password": PASSWORD, "name": "김민지", "phone": "010-1234-5678"}
    made = await here.call("POST", "members", body)
    assert made.status_code == 201
    assert made.json()["member_id"] == "minji"
    again = await here.call("POST", "members", body)
    assert (again.status_code, again.json()["code"]) == (409, "member_id_taken")
    signed = await here.call("POST", "session", {"member_id": "minji", "password": PASSWORD})
    assert signed.status_code == 201
    assert signed.json()["expires_at"].endswith("Z")
    token = signed.json()["token"]
    me = (await here.call("GET", "me", token=token)).json()
    assert me["masked_name"] == "김*지"
    assert me["masked_phone"] == "010-****-5678"
    assert (me["verification_level"], me["wallet"], me["roles"]) == (0, None, ["payer"])
    out = await here.call("DELETE", "session", token=token)
    assert (out.status_code, out.content) == (204, b"")
    assert (await here.call("GET", "me", token=token)).json()["code"] == "session_missing"


async def test_a_wallet_needs_verification_and_is_made_once(here: Site) -> None:
    await here.member("other")
    token = await here.member("minji")
    body = {"passphrase": PASSPHRASE}
    refused = await here.call("POST", "wallet", body, token=token)
    assert (refused.status_code, refused.json()["code"]) == (403, "member_unverified")
    operator = await here.member("boss", operator=True)
    verified = await here.call(
        "POST",
        "operator/members/minji/verify",
        {"name": "김민지", "phone": "01012345678"},
        token=operator,
    )
    assert (verified.status_code, verified.json()["verification_level"]) == (200, 1)
    made = await here.call("POST", "wallet", body, token=token)
    assert made.status_code == 201
    assert made.json()["state"] == "key_stored"
    again = await here.call("POST", "wallet", body, token=token)
    assert (again.status_code, again.json()["code"]) == (409, "wallet_exists")


async def test_waiting_is_granted_and_capped(here: Site) -> None:
    token = await here.member("minji", phone="010-1234-5678")
    made = await here.call(
        "POST", "wallet", {"passphrase": PASSPHRASE}, token=token, prefer="wait=1"
    )
    assert made.headers["preference-applied"] == "wait=1"
    assert made.json()["state"] == "key_stored"


async def test_a_wrong_passphrase_says_so(here: Site) -> None:
    token = await here.member("minji", phone="010-1234-5678")
    await here.call("POST", "wallet", {"passphrase": PASSPHRASE}, token=token)
    body = {"old": "not the passphrase", "new": "green hill 7 birds"}
    refused = await here.call("PUT", "wallet/passphrase", body, token=token)
    assert (refused.status_code, refused.json()["code"]) == (403, "passphrase_wrong")
    assert "not the passphrase" not in refused.text
    body["old"] = PASSPHRASE
    assert (await here.call("PUT", "wallet/passphrase", body, token=token)).status_code == 200


async def test_recipients_are_masked_and_found_in_one_way_only(here: Site) -> None:
    await here.member("minji", phone="010-1234-5678")
    token = await here.member("asker", phone="010-1111-2222")
    found = await here.call("GET", "recipients?phone=%2B821012345678", token=token)
    assert found.json()[0]["masked_phone"] == "010-****-5678"
    assert (await here.call("GET", "recipients?member_id=nobody", token=token)).json() == []
    for query in ("", "?phone=01012345678&member_id=minji", "?name=김민지", "?last4=5678"):
        refused = await here.call("GET", f"recipients{query}", token=token)
        assert (refused.status_code, refused.json()["code"]) == (422, "search_malformed")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "me"),
        ("GET", "balances"),
        ("GET", "recipients?phone=1"),
        ("POST", "transfers"),
        ("GET", "transfers"),
        ("POST", "wallet"),
        ("GET", "accounts/0x00021000000000010002"),
        ("GET", "operator/members"),
        ("POST", "operator/tokens"),
        ("POST", "operator/members/minji/freeze"),
    ],
)
async def test_a_stranger_is_asked_to_sign_in_before_anything_else(
    here: Site, method: str, path: str
) -> None:
    for headers in ({}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer x"}):
        response = await here.http.request(method, f"/api/v1/{path}", headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "session_missing")
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_members_are_kept_out_of_the_operator_s_routes(here: Site) -> None:
    token = await here.member("minji")
    for method, path in [
        ("GET", "operator/members"),
        ("POST", "operator/members/minji/verify"),
        ("POST", "operator/tokens/HBC/pause"),
    ]:
        response = await here.call(method, path, token=token)
        assert (response.status_code, response.json()["code"]) == (403, "operator_only")


async def test_a_frozen_operator_does_nothing(here: Site) -> None:
    operator = await here.member("boss", operator=True)
    await here.app.freezing.freeze("mb_console", "boss", "lost phone")
    response = await here.call("GET", "operator/members", token=operator)
    assert (response.status_code, response.json()["code"]) == (403, "member_frozen")


async def test_the_operator_lists_members_page_by_page(here: Site) -> None:
    operator = await here.member("boss", operator=True)
    for n in range(4):
        await here.app.members.sign_up(f"member{n}", PASSWORD)
    first = (await here.call("GET", "operator/members?limit=3", token=operator)).json()
    second = (
        await here.call("GET", f"operator/members?limit=3&cursor={first['next']}", token=operator)
    ).json()
    logins = [one["member_id"] for one in first["items"] + second["items"]]
    assert logins == ["member3", "member2", "member1", "member0", "boss"]
    assert second["next"] is None


async def test_a_page_is_never_larger_than_the_setting(here: Site) -> None:
    operator = await here.member("boss", operator=True)
    response = await here.call("GET", "operator/members?limit=1000000", token=operator)
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "request_invalid"),
        (b"{", 400, "request_malformed"),
        (b"\xff\xfe", 400, "request_malformed"),
        (b"[]", 422, "request_invalid"),
        (b"null", 422, "request_invalid"),
        (b"5", 422, "request_invalid"),
        (b'{"member_id":"minji"}', 422, "request_invalid"),
        (b'{"member_id":5,"password":"x"}', 422, "request_invalid"),
        (b'{"member_id":null,"password":"x"}', 422, "request_invalid"),
        (b'{"member_id":["a"],"password":"x"}', 422, "request_invalid"),
        (b'{"member_id":"minji","password":"xxxxxxxx","admin":true}', 422, "request_invalid"),
        (b'{"member_id":"min\\u0000ji","password":"xxxxxxxx"}', 422, "member_id_malformed"),
        (b'{"member_id":"minji","password":"\\ud800"}', 400, "request_malformed"),
        (b'{"member_id":"a","password":"xxxxxxxx"}', 422, "member_id_malformed"),
        (b'{"member_id":"minji","password":"x"}', 422, "password_weak"),
        (b'{"member_id":"minji","password":"xxxxxxxx","phone":"1"}', 422, "phone_malformed"),
        (b'{"member_id":"minji","password":"xxxxxxxx","name":"<b>"}', 422, "name_malformed"),
        (b'{"member_id":"' + b"a" * 70_000 + b'"}', 413, "body_too_large"),
        (b"[" * 20_000, 400, "request_malformed"),
    ],
)
async def test_a_bad_body_is_refused_clearly(
    here: Site, body: bytes, status: int, code: str
) -> None:
    response = await here.http.post(
        "/api/v1/members", content=body, headers={"content-type": "application/json"}
    )
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"


async def test_an_endless_body_is_cut_off(here: Site) -> None:
    async def endless():  # type: ignore[no-untyped-def]
        for _ in range(200):
            yield b" " * 1024

    response = await here.http.post(
        "/api/v1/members", content=endless(), headers={"content-type": "application/json"}
    )
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


async def test_the_fields_that_do_not_fit_are_named_without_their_values(here: Site) -> None:
    response = await here.call("POST", "members", {"member_id": 5, "password": "hunter2hunter2"})
    problem = response.json()
    assert "member_id" in str(problem["errors"])
    assert "hunter2" not in response.text


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_is_not_json_is_refused(here: Site, media_type: str) -> None:
    response = await here.http.post(
        "/api/v1/members", content=b"{}", headers={"content-type": media_type}
    )
    assert (response.status_code, response.json()["code"]) == (415, "media_type_unsupported")


@pytest.mark.parametrize("path", ["/nope", "/api/v1/nope", "/api/v2/me", "/api/v1/members/"])
async def test_an_unknown_route_is_a_problem(here: Site, path: str) -> None:
    response = await here.http.get(path)
    assert response.status_code in (404, 405)
    assert response.json()["code"] in ("route_unknown", "method_not_allowed")


async def test_a_wrong_method_names_the_right_ones(here: Site) -> None:
    response = await here.http.put("/api/v1/members", json={})
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in response.headers["allow"]


@pytest.mark.parametrize(
    "path", ["/api/v1/tokens/%00", "/api/v1/tokens/a%0Ab", "/api/v1/tokens?x=%00"]
)
async def test_control_characters_in_an_address_are_refused(here: Site, path: str) -> None:
    response = await here.http.get(path)
    assert (response.status_code, response.json()["code"]) == (400, "request_malformed")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("blocks/latest", 404),
        ("blocks/-1", 404),
        ("blocks/9999999999999999999999", 404),
        ("blocks/１", 404),
        ("transactions/0x00", 404),
        ("transactions/zz", 404),
        ("tokens/NOPE", 404),
        ("tokens/" + "x" * 65, 422),
        ("transfers?limit=0", 401),
    ],
)
async def test_what_is_not_there_is_missing_and_never_a_crash(
    here: Site, path: str, status: int
) -> None:
    assert (await here.call("GET", path)).status_code == status


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=1.5", "cursor=x"])
async def test_bad_page_words_are_refused(here: Site, query: str) -> None:
    token = await here.member("minji")
    response = await here.call("GET", f"transfers?{query}", token=token)
    assert response.status_code == 422


async def test_a_query_word_that_nobody_reads_is_refused(here: Site) -> None:
    """A mistyped `limit` must not silently mean the whole list."""
    for path in ("tokens?limt=5", "blocks/latest?number=1&x=1", "members?admin=1"):
        method = "POST" if path.startswith("members") else "GET"
        response = await here.call(method, path)
        assert (response.status_code, response.json()["code"]) == (422, "request_invalid")


@pytest.mark.parametrize("key", [None, "", "x" * 201, "with space in it"])
async def test_value_moves_under_a_key_only(here: Site, key: str | None) -> None:
    operator = await here.member("boss", operator=True)
    headers = {} if key is None else {"idempotency_key": key}
    body = {"name": "Hanbat", "symbol": "HBC", "amount": "5"}
    response = await here.call("POST", "operator/tokens", body, token=operator, **headers)
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_malformed")


async def test_a_token_operation_is_a_wish_until_the_dispatcher_signs(here: Site) -> None:
    operator = await here.member("boss", operator=True)
    body = {"name": "Hanbat", "symbol": "HBC", "amount": "5.5"}
    made = await here.call("POST", "operator/tokens", body, token=operator, idempotency_key="k" * 8)
    assert made.status_code == 201
    operation = made.json()
    assert (operation["state"], operation["amount"], operation["kind"]) == (
        "wished",
        "5.5",
        "create",
    )
    read = await here.http.get(
        made.headers["location"], headers={"Authorization": f"Bearer {operator}"}
    )
    assert read.json() == operation
    again = await here.call(
        "POST", "operator/tokens", body, token=operator, idempotency_key="k" * 8
    )
    assert again.json() == operation
    body["amount"] = "6"
    other = await here.call(
        "POST", "operator/tokens", body, token=operator, idempotency_key="k" * 8
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert other.json()["field"] == "amount"


async def test_an_account_is_its_owner_s(here: Site) -> None:
    token = await here.member("minji")
    for symid in ("0x00021000000000010002", "nonsense", "00"):
        response = await here.call("GET", f"accounts/{symid}", token=token)
        assert (response.status_code, response.json()["code"]) == (403, "account_private")
    operator = await here.member("boss", operator=True)
    response = await here.call("GET", "accounts/0x00021000000000010002", token=operator)
    assert response.json()["balance_hug"] == "0"
    await here.app.freezing.freeze("mb_console", "boss", "gone")
    response = await here.call("GET", "accounts/0x00021000000000010002", token=operator)
    assert (response.status_code, response.json()["code"]) == (403, "account_private")


async def test_the_operator_may_open_accounts_to_everybody(tmp_path: Path) -> None:
    async with site(tmp_path, explorer_public_accounts=1) as here:
        response = await here.call("GET", "accounts/0x00021000000000010002")
        assert response.json()["balance_hug"] == "0"
        page = await here.call("GET", "accounts/0x00021000000000010002/transactions")
        assert page.json() == {"items": [], "next": None}
        response = await here.call("GET", "accounts/nonsense")
        assert (response.status_code, response.json()["code"]) == (404, "account_unknown")


async def test_every_answer_has_the_security_headers(here: Site) -> None:
    for path in ("/", "/nope", "/healthz", "/api/v1/me", "/openapi.json", "/static/start.css"):
        response = await here.http.get(path)
        assert HEADERS.keys() <= {name.lower() for name in response.headers}
        assert "default-src 'none'" in response.headers["content-security-policy"]


async def test_logs_and_metrics_know_templates_only(
    here: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="jigap"):
        await here.call("GET", "recipients?phone=01012345678")
        await here.call("GET", "tokens/SECRETTOKEN")
        await here.call("GET", "somewhere/010-1234-5678")
        await asyncio.sleep(0)  # the lines of one turn of the loop come at its end
    ours = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith("jigap"))
    metrics = (await here.http.get("/metrics")).text
    for text in (ours, metrics):
        assert "/api/v1/tokens/{symbol}" in text
        assert "5678" not in text
        assert "SECRETTOKEN" not in text


async def test_head_is_get_without_a_body(here: Site) -> None:
    asked = await here.http.head("/openapi.json")
    read = await here.http.get("/openapi.json")
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-length"] == read.headers["content-length"]
    assert (await here.http.head("/api/v1/members")).status_code == 405


async def test_head_stays_head_to_whoever_serves_it(here: Site) -> None:
    """A server lets an answer be shorter than its Content-Length only where it sees a HEAD."""
    seen: list[Any] = []
    served = here.http._transport.app  # type: ignore[attr-defined]

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await served(scope, receive, send)
        seen.append(scope["method"])

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=serve), base_url="http://jigap"
    ) as http:
        assert (await http.head("/openapi.json")).status_code == 200
    assert seen == ["HEAD"]


async def test_readiness_says_what_is_missing(here: Site) -> None:
    response = await here.http.get("/readyz")
    problem = response.json()
    assert (response.status_code, problem["code"]) == (503, "not_ready")
    assert problem["checks"]["database"]["ok"]
    assert problem["checks"]["vault"]["ok"]
    assert problem["checks"]["gas_budget"]["ok"]
    assert not problem["checks"]["chain"]["ok"]
    assert not problem["checks"]["dispatcher"]["ok"]
    assert (await here.http.get("/healthz")).json() == {"status": "ok"}


async def test_a_dead_node_is_told_as_unavailable(here: Site) -> None:
    operator = await here.member("boss", operator=True)
    body = {"name": "Hanbat", "symbol": "HBC", "amount": "5"}
    await here.call("POST", "operator/tokens", body, token=operator, idempotency_key="k" * 8)
    response = await here.call(
        "GET",
        "operator/tokens/HBC/allowance?owner=treasury&spender=token_owner",
        token=operator,
    )
    assert (response.status_code, response.json()["code"]) == (409, "token_not_ready")

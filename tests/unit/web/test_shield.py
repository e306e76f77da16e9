"""The gate and the operators' view of it, without a socket."""

import base64
import hashlib
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from jigap import audit
from jigap.shield import EntryKind, Rule, parse_network, repair
from jigap.web import turned_away

from .platform import PASSWORD, Site, site

KOREAN, FOREIGN, PROXY = "1.11.0.1", "8.8.8.8", "10.0.0.1"
OPERATOR = "/api/v1/operator/shield"


@asynccontextmanager
async def behind(folder: Path, **settings: Any) -> AsyncIterator[Site]:
    """A platform whose client is one of its own proxies, in 10.0.0.0/8."""
    async with site(folder, proxies="10.0.0.0/8", **settings) as here:
        application = here.http._transport.app  # type: ignore[attr-defined]
        transport = httpx.ASGITransport(application, client=(PROXY, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://jigap") as http:
            here.http = http
            yield here


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Site]:
    async with behind(tmp_path) as here:
        yield here


async def asked(here: Site, address: str, path: str = "/healthz", **headers: str) -> httpx.Response:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return await here.http.get(path, headers={"x-forwarded-for": address} | headers)


async def test_lets_the_country_in_and_tells_others_why_not(proxied: Site):
    assert (await asked(proxied, KOREAN)).status_code == 200
    response = await asked(proxied, FOREIGN)
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == "shield_refused"
    assert problem["rule"] == "country"
    found = proxied.app.shield.open_reference(problem["reference"])
    assert (found.rule, str(found.network)) == (Rule.COUNTRY, "8.8.8.8/32")


async def test_a_forged_header_helps_nobody(proxied: Site):
    assert (await asked(proxied, f"{KOREAN}, {FOREIGN}")).status_code == 403
    assert (await asked(proxied, f"{FOREIGN}, {KOREAN}")).status_code == 200
    response = await asked(proxied, f"{KOREAN}, nonsense")
    assert (response.status_code, response.json()["code"]) == (400, "forwarded_malformed")


async def test_a_proxy_that_does_not_say_for_whom_changes_nothing(proxied: Site):
    """Its health checks are answered; a payment could be anybody's."""
    assert (await proxied.http.get("/healthz")).status_code == 200
    response = await proxied.http.post("/api/v1/session", json={})
    assert (response.status_code, response.json()["code"]) == (400, "forwarded_malformed")


async def test_nobody_but_a_proxy_may_say_who_asks(tmp_path: Path):
    async with site(tmp_path) as here:
        assert (await asked(here, FOREIGN)).status_code == 200
        assert here.app.shield.source("127.0.0.1").verdict.local


async def test_a_proxy_that_nobody_listed_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with site(tmp_path) as here:
        await here.http.get("/healthz")
        assert "proxies" not in caplog.text
        for _ in range(3):
            await asked(here, FOREIGN)
    assert caplog.text.count("127.0.0.1 says whom it speaks for") == 1


async def test_a_browser_gets_a_page_in_both_languages(proxied: Site):
    response = await asked(proxied, FOREIGN, accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert response.status_code == 403
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "이 지역에서는 이용할 수 없습니다" in response.text
    assert "Not available in this region" in response.text
    (number,) = re.findall(r"[0-9a-z]{8}(?:-[0-9a-z]{6}){3}", response.text)
    assert proxied.app.shield.open_reference(number).rule is Rule.COUNTRY


async def test_the_page_needs_nothing_that_its_policy_forbids(proxied: Site):
    response = await asked(proxied, FOREIGN, accept="text/html")
    (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in response.headers["content-security-policy"]
    assert "script-src" not in response.headers["content-security-policy"]
    assert not re.findall(r"""(?:src|href|style)\s*=|url\((?!"data:)""", response.text)


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("accept", [b"text/html", b"application/json"])
def test_every_rule_has_both_answers(rule: Rule, accept: bytes):
    answer = turned_away.answer_of(rule, accept)
    reference = "abcdefgh-ijklmn-opqrst-uvwxyz"
    body = answer.body(reference)
    assert reference.encode() in body
    assert rule.value.encode() in body
    assert dict(answer.headers)[b"content-length"] == str(len(body)).encode()
    assert answer.whole(reference, head=False).endswith(body)
    assert answer.whole(reference, head=True).endswith(b"\r\n\r\n")


def test_programs_that_like_json_better_get_a_problem():
    assert not turned_away.prefers_page(b"application/json, text/html")
    assert not turned_away.prefers_page(b"*/*")
    assert turned_away.prefers_page(b"TEXT/HTML, application/json")


async def test_one_address_and_one_network_may_ask_so_much(tmp_path: Path):
    async with behind(tmp_path, rate_address_per_s=1, rate_network_per_s=2) as here:
        answers = [await asked(here, KOREAN) for _ in range(12)]
        assert [one.status_code for one in answers[:10]] == [200] * 10
        limited = answers[-1]
        assert (limited.status_code, limited.json()["rule"]) == (429, "rate_address")
        assert int(limited.headers["retry-after"]) >= 1
        others = [await asked(here, f"1.11.0.{last}") for last in range(2, 40)]
        assert others[-1].json()["rule"] == "rate_network"
        assert (await asked(here, "1.11.1.1")).status_code == 200


async def test_one_address_may_guess_so_often_wherever_it_guesses(tmp_path: Path):
    async with behind(tmp_path, rate_guesses_per_minute=3) as here:
        me, other = {"x_forwarded_for": KOREAN}, {"x_forwarded_for": "1.11.0.2"}
        body = {"member_id": "nobody", "password": PASSWORD}
        codes = [(await here.call("POST", "session", body, **me)).status_code for _ in range(4)]
        assert codes == [401, 401, 401, 429]
        again = await here.call("POST", "password-resets/pr_1/confirm", {}, **me)
        assert (again.status_code, again.json()["rule"]) == (429, "rate_route")
        assert (await here.call("POST", "session", body, **other)).status_code == 401
        assert (await asked(here, KOREAN)).status_code == 200
        for spelling in ("/api/v1/session/", "http://jigap//api/v1//session", "/api/v1/%73ession"):
            sent = await here.http.post(spelling, json=body, headers={"x-forwarded-for": KOREAN})
            assert (sent.status_code, sent.json()["code"]) == (429, "rate_limited"), spelling


async def test_an_account_may_ask_so_much_from_wherever_it_asks(tmp_path: Path):
    async with behind(tmp_path, rate_account_per_s=1) as here:
        token, other = await here.member("minji"), await here.member("sora")
        answers = [
            await here.call("GET", "me", token=token, x_forwarded_for=f"1.11.0.{number}")
            for number in range(12)
        ]
        assert answers[9].status_code == 200
        assert (answers[-1].status_code, answers[-1].json()["rule"]) == (429, "rate_account")
        assert int(answers[-1].headers["retry-after"]) >= 1
        mine = await here.call("GET", "me", token=other, x_forwarded_for=KOREAN)
        assert mine.status_code == 200


async def test_what_moves_money_has_a_limit_of_its_own(tmp_path: Path):
    async with behind(tmp_path, rate_account_money_per_minute=2) as here:
        token = await here.member("minji")
        given = {"token": token, "x_forwarded_for": KOREAN, "idempotency_key": "k"}
        answers = [await here.call("POST", "transfers", {}, **given) for _ in range(3)]
        assert [one.status_code for one in answers] == [422, 422, 429]
        assert answers[-1].json()["rule"] == "rate_route"
        reads = await here.call("GET", "me", token=token, x_forwarded_for=KOREAN)
        assert reads.status_code == 200


async def test_everything_inside_sees_the_true_client(proxied: Site):
    await proxied.app.members.sign_up("minji", PASSWORD)
    body = {"member_id": "minji", "password": PASSWORD}
    signed_in = await proxied.call("POST", "session", body, x_forwarded_for=f"{FOREIGN}, {KOREAN}")
    token = signed_in.json()["token"]
    mine = await proxied.call("GET", "sessions", token=token, x_forwarded_for=KOREAN)
    assert [one["address"] for one in mine.json()] == [KOREAN]
    trail = await proxied.app.database.read(audit.page, None, 5, action="session:open")
    assert [one.address for one in trail] == [KOREAN]


async def test_guessing_leads_to_a_ban_and_a_shared_address_to_smaller_buckets(proxied: Site):
    shield = proxied.app.shield
    guesser, carrier = shield.source(KOREAN), shield.source("1.11.0.2")
    for number in range(10):
        shield.signed_in(carrier, f"member{number}")
    for _ in range(30):
        shield.answered(guesser, 401, "sign_in_failed")
        shield.answered(carrier, 401, "sign_in_failed")
    shield.start()
    shield.close()  # what was wished is written before it ends
    shield.look()
    assert shield.refuses(guesser) is Rule.BAN
    assert shield.refuses(carrier) is None
    waits = [shield.over_guesses(carrier, 1.0) for _ in range(40)]
    assert waits[29] == 0
    assert waits[30] > 0


async def test_no_page_of_another_site_has_its_readers_banned(proxied: Site):
    reader, scanner = {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "none"}
    score = proxied.app.shield._scores
    for path in ("/nothing", "/%01", "/api/v1/me"):
        await asked(proxied, KOREAN, path, **reader)
    assert len(score) == 0
    await asked(proxied, KOREAN, "/nothing", **scanner)
    assert len(score) == 1


async def test_the_header_of_another_site_hides_no_guess(proxied: Site):
    body, sent = {"member_id": "nobody", "password": PASSWORD}, {"sec_fetch_site": "cross-site"}
    await proxied.call("POST", "session", body, x_forwarded_for=KOREAN, **sent)
    assert len(proxied.app.shield._scores) == 1


async def test_whoever_is_listed_as_allowed_is_never_banned(proxied: Site):
    shield = proxied.app.shield
    shield.store.put_entry(KOREAN, EntryKind.ALLOW, "partner", "mb_1", 1)
    shield.look()
    partner = shield.source(KOREAN)
    for _ in range(100):
        shield.answered(partner, 401, "sign_in_failed")
    shield.start()
    shield.close()
    shield.look()
    assert shield.live().bans == ()


async def test_a_damaged_file_stops_what_changes_and_lets_reading_go_on(proxied: Site):
    token = await proxied.member("minji")
    shield = proxied.app.shield
    shield.store.ban("1.11.0.2", "guesses", "auto", proxied.clock.now_ms())
    shield.look()
    shield.store.path.write_bytes(b"rubbish" * 2000)
    shield.look()
    assert (await asked(proxied, KOREAN, "/api/v1/tokens")).status_code == 200
    given = {"token": token, "x_forwarded_for": KOREAN, "idempotency_key": "k"}
    response = await proxied.call("POST", "transfers", {}, **given)
    assert (response.status_code, response.json()["code"]) == (503, "shield_damaged")
    assert (await proxied.call("PUT", "directory", {}, **given)).status_code == 503
    assert (await asked(proxied, "1.11.0.2")).json()["rule"] == "ban"  # the rules of before
    ready = (await asked(proxied, KOREAN, "/readyz")).json()
    assert not ready["checks"]["shield"]["ok"]
    assert "jigap_shield_damaged 1.0" in (await asked(proxied, KOREAN, "/metrics")).text
    repair(shield.store.path, proxied.clock.now_ms())
    shield.look()
    assert (await proxied.call("POST", "transfers", {}, **given)).status_code == 422


async def test_a_ban_that_cannot_be_written_is_no_damage_if_the_file_is_sound(proxied: Site):
    shield = proxied.app.shield
    with sqlite3.connect(shield.store.path, isolation_level=None) as busy:
        busy.execute("BEGIN IMMEDIATE")
        busy.execute("PRAGMA user_version = 1")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("jigap.shield.store.BUSY_TIMEOUT_S", 0.05)
            shield._write_bans([(parse_network("1.11.0.2"), "guesses")])
            shield.look()
        busy.execute("ROLLBACK")
    assert not shield.damage


async def test_one_account_in_many_spellings_is_one_person_behind_an_address(proxied: Site):
    await proxied.member("minji")
    for spelling in (
        "minji",
        "Minji",
        "mInji",
        "miNji",
        "minJi",
        "minjI",
        *(" " * n + "minji" for n in range(1, 6)),
    ):
        body = {"member_id": spelling, "password": PASSWORD}
        sent = await proxied.call("POST", "session", body, x_forwarded_for=KOREAN)
        assert sent.status_code == 201
    shield = proxied.app.shield
    assert len(shield._neighbours._seen[shield.source(KOREAN).host_key]) == 1


async def test_operators_list_ban_and_look_up(proxied: Site):
    boss = {"token": await proxied.member("boss", operator=True), "x_forwarded_for": KOREAN}
    refused = (await asked(proxied, FOREIGN)).json()
    entry = {"cidr": "8.8.8.0/24", "kind": "allow", "reason": "a partner", "lasts_s": 3600}
    assert (await proxied.call("POST", "operator/shield/entries", entry, **boss)).status_code == 201
    assert (await asked(proxied, FOREIGN)).status_code == 200
    ban = {"cidr": "1.11.0.9", "reason": "guesses"}
    made = await proxied.call("POST", "operator/shield/bans", ban, **boss)
    assert made.json()["step"] == 1
    assert (await asked(proxied, "1.11.0.9")).json()["rule"] == "ban"
    seen = (await proxied.call("GET", "operator/shield", **boss)).json()
    assert [one["cidr"] for one in seen["bans"]] == ["1.11.0.9/32"]
    assert [one["cidr"] for one in seen["entries"]] == ["8.8.8.0/24"]
    assert {"what": "ban", "count": 1} in seen["refused"]
    assert {"what": "8.8.8.0/24", "count": 1} in seen["networks"]
    told = await proxied.call("GET", f"operator/shield/references/{refused['reference']}", **boss)
    assert told.json()["network"] == "8.8.8.8/32"
    assert (told.json()["rule"], told.json()["now"], told.json()["country"]) == (
        "country",
        "",
        "US",
    )
    for path in ("entries?cidr=8.8.8.0/24", "bans?cidr=1.11.0.9"):
        assert (await proxied.call("DELETE", f"operator/shield/{path}", **boss)).status_code == 204
        again = await proxied.call("DELETE", f"operator/shield/{path}", **boss)
        assert again.json()["code"] == "shield_entry_unknown"
    assert (await asked(proxied, FOREIGN)).status_code == 403
    assert (await asked(proxied, "1.11.0.9")).status_code == 200
    trail = (await proxied.call("GET", "operator/audit?action=shield", **boss)).json()["items"]
    assert [(one["action"], one["object"]) for one in reversed(trail)] == [
        ("shield:allow", "8.8.8.0/24"),
        ("shield:ban", "1.11.0.9/32"),
        ("shield:lookup", "8.8.8.8/32"),
        ("shield:remove", "8.8.8.0/24"),
        ("shield:unban", "1.11.0.9/32"),
    ]


async def test_operators_cannot_shut_themselves_out(proxied: Site):
    boss = {"token": await proxied.member("boss", operator=True), "x_forwarded_for": KOREAN}
    body = {"cidr": "1.11.0.0/16", "reason": "oops"}
    response = await proxied.call("POST", "operator/shield/bans", body, **boss)
    assert response.json()["code"] == "shield_would_shut_you_out"
    entry = await proxied.call("POST", "operator/shield/entries", body | {"kind": "deny"}, **boss)
    assert entry.json()["code"] == "shield_would_shut_you_out"


async def test_the_shield_is_for_operators(proxied: Site):
    me = {"token": await proxied.member("minji"), "x_forwarded_for": KOREAN}
    assert (await proxied.call("GET", "operator/shield", **me)).status_code == 403


async def test_off_means_off_but_the_true_client_is_still_seen(tmp_path: Path):
    async with behind(tmp_path, shield="off", rate_address_per_s=1) as here:
        answers = [await asked(here, FOREIGN) for _ in range(30)]
        assert {one.status_code for one in answers} == {200}

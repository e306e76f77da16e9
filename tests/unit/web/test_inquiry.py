"""What is answered ahead of the framework is what the framework would have answered."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from jigap.shield import Rule
from jigap.tokens import tokens
from jigap.web import inquiry

from .platform import Site, site

CONTRACT = bytes.fromhex("00020000000000000007")


def _register(connection: Connection) -> None:
    rows = (("EST", CONTRACT), ("WON", bytes(9) + b"\x01"), ("SOON", None))
    for symbol, contract in rows:
        connection.execute(
            insert(tokens).values(
                symbol=symbol, contract=contract, name=symbol, decimals=18, created_ms=0
            )
        )


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[tuple[Site, str]]:
    """A platform with two tokens and one that is not on the chain yet; a member's token."""
    async with site(tmp_path) as made:
        await made.app.database.write(_register)
        yield made, await made.member("minji", phone="010-1234-5678")


PLAIN = [
    ("balances", "good", {}),
    ("balances/EST", "good", {}),
    ("balances/NOPE", "good", {}),
    ("balances/SOON", "good", {}),
    ("balances", "wrong", {}),
    ("balances/EST", "wrong", {}),
    ("balances", "good", {"cookie": "jigap_session=nonsense"}),
    ("balances", "good", {"accept": "text/html", "origin": "https://elsewhere.example"}),
]
NOT_PLAIN: list[tuple[str, str, dict[str, str]]] = [
    ("balances", "", {}),
    ("balances", "not a token !", {}),
    ("balances/", "good", {}),
    ("balances/est", "good", {}),
    (f"balances/0x{CONTRACT.hex()}", "good", {}),
    ("balances/EST/", "good", {}),
    ("balances/EST/more", "good", {}),
    ("balances/E%00T", "good", {}),
    ("balancesEST", "good", {}),
    ("balances?limit=3", "good", {}),
    ("balances?", "good", {}),
    ("balances", "good", {"content_type": "text/plain", "content_length": "3"}),
    ("balances", "good", {"transfer_encoding": "chunked"}),
]


async def _asked(here: Site, method: str, path: str, token: str, headers: dict[str, str]) -> Any:
    answer = await here.call(method, path, token=token, **headers)
    await asyncio.sleep(0)  # its line of the log comes at the end of the turn
    return answer.status_code, dict(answer.headers), answer.content


async def test_both_ways_give_the_same_answer(
    shop: tuple[Site, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    here, good = shop
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        for path, token, headers in PLAIN + NOT_PLAIN:
            asked = (here, method, path, good if token == "good" else token, headers)
            caplog.clear()
            with caplog.at_level(logging.INFO, logger="jigap.access"):
                ahead = await _asked(*asked)
                with monkeypatch.context() as patched:
                    patched.setattr(inquiry, "_plain", lambda scope: (None, ""))
                    framework = await _asked(*asked)
            assert ahead == framework, asked
            first, second = (one.message.split()[:3] for one in caplog.records)
            assert first == second, asked


async def test_plain_inquiries_do_not_reach_the_framework(
    shop: tuple[Site, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, good = shop

    async def framework(*_: Any) -> None:
        raise AssertionError("the framework was asked")

    monkeypatch.setattr(_inquiry_of(here), "_inside", framework)
    for path, token, headers in PLAIN:
        used = good if token == "good" else token
        answer = await here.call("GET", path, token=used, **headers)
        status = {"balances/NOPE": 404, "balances/SOON": 409}.get(path, 200)
        assert answer.status_code == (status if token == "good" else 401)
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_bug_is_told_as_everywhere_else(
    shop: tuple[Site, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    here, token = shop

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(here.app.balances), "of", broken)
    answer = await here.call("GET", "balances", token=token)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "a bug while answering /api/v1/balances" in caplog.text


async def test_inquiries_are_counted_under_their_route(shop: tuple[Site, str]) -> None:
    here, token = shop
    for path in ("balances", "balances/EST", "balances/NOPE"):
        await here.call("GET", path, token=token)
    counted = (await here.http.get("/metrics")).text
    for route, status in (("", 200), ("/{symbol}", 200), ("/{symbol}", 404)):
        line = f'{{method="GET",route="/api/v1/balances{route}",status="{status}"}} 1.0'
        assert f"jigap_http_requests_total{line}" in counted


def _inquiry_of(here: Site) -> Any:
    """The layer inside the others."""
    transport: Any = here.http._transport
    found = transport.app
    while not isinstance(found, inquiry.Inquiry):
        found = found._inside
    return found


async def test_each_inquiry_takes_once_from_what_its_member_may_ask_for(
    shop: tuple[Site, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, token = shop
    asked: list[str] = []

    def over_account(*given: Any, **_: Any) -> tuple[Rule, float] | None:
        asked.extend(one for one in given if isinstance(one, str))
        return (Rule.RATE_ACCOUNT, 3.0) if len(asked) > 3 else None

    monkeypatch.setattr(type(here.app.shield), "over_account", over_account)
    paths = ("balances", "balances/EST", "balances/NOPE", "balances", "balances/EST")
    answers = [await here.call("GET", path, token=token) for path in paths]
    assert [one.status_code for one in answers] == [200, 200, 404, 429, 429]
    assert (answers[-1].json()["code"], answers[-1].headers["retry-after"]) == ("rate_limited", "3")
    assert len(asked) == len(paths)
    assert len(set(asked)) == 1

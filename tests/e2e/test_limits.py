"""A member's own limits over HTTP."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import processes

from .client import MEMBER_PASSWORD, Client


@dataclass
class Town:
    """A token and two members; the payer has 1000 of it."""

    operator: Client
    payer: Client
    seller: Client
    token: str


@pytest.fixture(scope="module")
def town(shared_platform: processes.Running) -> Iterator[Town]:
    stranger = Client.at(shared_platform.url)
    operator = stranger.operator(shared_platform)
    payer, seller = stranger.member(operator), stranger.member(operator)
    token = operator.new_token()
    operator.mint(token, payer, "1000")
    yield Town(operator, payer, seller, token)
    stranger.http.close()


def test_limits_are_shown_lowered_raised_and_the_raise_is_taken_back(town: Town) -> None:
    before = town.payer.get("me/limits")
    assert before["verification_level"] == 1
    assert before["payment_limit"] == before["level_payment_limit"] == "5000000"
    assert before["day_ends_at"][:10] > before["day"]

    low = {"payment_limit": "10", "daily_limit": "15"}
    lowered = town.payer.call("PUT", "me/limits", low)
    assert (lowered.status_code, lowered.json()["payment_limit"]) == (200, "10")

    assert town.payer.pay(town.seller, town.token, "11").json()["code"] == "payment_limit"
    assert town.payer.pay(town.seller, town.token, "10").json()["state"] == "confirmed"
    refused = town.payer.pay(town.seller, town.token, "5.5").json()
    assert (refused["code"], refused["spent"], refused["limit"]) == ("daily_limit", "10", "15")
    spent = town.payer.get("me/limits")["spent_today"]
    assert spent == [{"token": town.token, "spent": "10", "left": "5"}]

    more = {"payment_limit": None, "daily_limit": "100"}
    locked = town.payer.call("PUT", "me/limits", more)
    assert (locked.status_code, locked.json()["code"]) == (403, "limit_raise_locked")
    wrong = town.payer.call("PUT", "me/limits", more | {"passphrase": "wrong one here"})
    assert wrong.json()["code"] == "passphrase_wrong"
    asked = town.payer.call("PUT", "me/limits", more | {"passphrase": town.payer.passphrase})
    shown = asked.json()
    assert (shown["payment_limit"], shown["daily_limit"]) == ("10", "15")
    assert shown["pending_raise"]["payment_limit"] == "5000000"
    assert shown["pending_raise"]["daily_limit"] == "100"
    assert town.payer.pay(town.seller, town.token, "11").json()["code"] == "payment_limit"

    back = town.payer.call("DELETE", "me/limits/pending")
    assert (back.status_code, back.json()["pending_raise"]) == (200, None)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"payment_limit": "5000001", "daily_limit": None}, 403, "limit_above_level"),
        ({"payment_limit": None, "daily_limit": "20000001"}, 403, "limit_above_level"),
        ({"payment_limit": "-1", "daily_limit": None}, 422, "amount_malformed"),
        ({"payment_limit": "1"}, 422, "request_invalid"),
    ],
)
def test_what_is_no_limit_is_refused(
    town: Town, body: dict[str, str | None], status: int, code: str
) -> None:
    response = town.seller.call("PUT", "me/limits", body)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_whoever_is_not_verified_may_send_nothing(town: Town) -> None:
    stranger = Client(town.payer.http)
    assert stranger.call("GET", "me/limits").status_code == 401
    body = {"member_id": f"t-{uuid.uuid4().hex[:12]}", "password": MEMBER_PASSWORD}
    assert stranger.call("POST", "members", body).status_code == 201
    limits = stranger.sign_in(**body).get("me/limits")
    assert (limits["payment_limit"], limits["level_daily_limit"]) == ("0", "0")

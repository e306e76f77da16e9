"""Becoming a seller over HTTP, and what payers see of it."""

import uuid
from collections.abc import Iterator

import pytest

from tests import processes

from .client import Client


@pytest.fixture(scope="module")
def operator(shared_platform: processes.Running) -> Iterator[Client]:
    stranger = Client.at(shared_platform.url)
    yield stranger.operator(shared_platform)
    stranger.http.close()


def new_shop() -> str:
    letters = "".join(chr(ord("a") + int(one, 16)) for one in uuid.uuid4().hex[:12])
    return f"가게 {letters}"


def test_the_demos_seller_is_one(shared_platform: processes.Running, operator: Client) -> None:
    payer = operator.member(operator)
    found = payer.get(f"recipients?phone={shared_platform.person('seller')['phone']}")
    assert found[0]["shop_name"] == "서연이네 가게"


def test_from_the_application_to_a_payment_that_shows_the_shop(operator: Client) -> None:
    seller, payer = operator.member(operator), operator.member(operator)
    assert seller.get("me/seller") == {"seller": False, "shop_name": None, "application": None}
    name = new_shop()
    asked = seller.call("POST", "me/seller", {"shop_name": name})
    assert (asked.status_code, asked.json()["application"]["state"]) == (201, "applied")
    again = seller.call("POST", "me/seller", {"shop_name": name})
    assert (again.status_code, again.json()["code"]) == (409, "seller_pending")

    listed = operator.get("operator/sellers?state=applied&limit=200")["items"]
    (mine,) = [one for one in listed if one["member_id"] == seller.member_id]
    assert (mine["shop_name"], mine["masked_name"]) == (name, "김*지")
    assert operator.call("GET", "operator/sellers?state=dreaming").status_code == 422
    path = f"operator/sellers/{mine['id']}"
    assert seller.call("POST", f"{path}/accept").json()["code"] == "operator_only"
    accepted = operator.call("POST", f"{path}/accept")
    assert (accepted.status_code, accepted.json()["state"]) == (200, "accepted")

    me = seller.get("me")
    assert (me["roles"], me["shop_name"]) == (["payer", "seller"], name)
    assert payer.get(f"recipients?phone={seller.phone}")[0]["shop_name"] == name
    token = operator.new_token()
    operator.mint(token, payer, "10")
    paid = payer.pay(seller, token, "1").json()
    assert paid["counterpart"]["shop_name"] == name
    assert payer.get("me/recents")[0]["shop_name"] == name
    assert seller.get(f"transfers/{paid['id']}")["counterpart"]["shop_name"] is None

    taken = payer.call("POST", "me/seller", {"shop_name": name.upper()})
    assert (taken.status_code, taken.json()["code"]) == (409, "shop_name_taken")
    ended = operator.call("POST", f"{path}/end", {"reason": "moved away"})
    assert ended.json()["state"] == "ended"
    shown = seller.get("me/seller")
    assert (shown["seller"], shown["application"]["reason"]) == (False, "moved away")
    assert seller.get("me")["roles"] == ["payer"]


def test_an_application_is_withdrawn_or_rejected_with_a_reason(operator: Client) -> None:
    me = operator.member(operator)
    assert me.call("DELETE", "me/seller").json()["code"] == "seller_application_unknown"
    me.call("POST", "me/seller", {"shop_name": new_shop()})
    withdrawn = me.call("DELETE", "me/seller")
    assert (withdrawn.status_code, withdrawn.json()["application"]["state"]) == (200, "withdrawn")
    asked = me.call("POST", "me/seller", {"shop_name": new_shop()}).json()["application"]
    path = f"operator/sellers/{asked['id']}/reject"
    assert operator.call("POST", path, {"reason": " "}).json()["code"] == "seller_reason_missing"
    rejected = operator.call("POST", path, {"reason": "no such shop"})
    assert (rejected.status_code, rejected.json()["reason"]) == (200, "no such shop")
    assert me.get("me/seller")["application"]["reason"] == "no such shop"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("jigap 고객센터", "shop_name_reserved"),
        ("\u202eshop", "shop_name_malformed"),
        ("a", "shop_name_malformed"),
    ],
)
def test_a_name_that_misleads_is_refused(operator: Client, name: str, code: str) -> None:
    me = operator.member(operator)
    refused = me.call("POST", "me/seller", {"shop_name": name})
    assert (refused.status_code, refused.json()["code"]) == (422, code)

"""A payment by phone number, as the API shows it: accepted, final, retried, refused."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import processes

from .client import Client, new_key


@dataclass
class Town:
    """An operator, a token, and two members; the payer has 1000 of it and no SYM at first."""

    stranger: Client
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
    yield Town(stranger, operator, payer, seller, token)
    stranger.http.close()


def test_a_payment_is_final_and_both_sides_see_it(town: Town) -> None:
    before = town.seller.balance(town.token)
    response = town.payer.pay(town.seller, town.token, "12.5")
    assert response.status_code == 201
    sent = response.json()
    assert sent["state"] == "confirmed"
    assert (sent["token"], sent["amount"], sent["direction"]) == (town.token, "12.5", "outgoing")
    assert sent["final_at"] > sent["created_at"]
    assert sent["counterpart"] == {
        "masked_name": "김*지",
        "masked_phone": _mask(town.seller.phone),
        "shop_name": None,
    }
    assert town.payer.get(f"transfers/{sent['id']}") == sent
    received = town.seller.get(f"transfers/{sent['id']}")
    assert received["direction"] == "incoming"
    assert received["counterpart"]["masked_phone"] == _mask(town.payer.phone)
    after = town.seller.balance(town.token)
    assert float(after["available"]) - float(before["available"]) == 12.5
    assert after["height"] >= sent["block_number"]


def test_anybody_can_check_a_payment_by_its_id_and_learns_no_name(town: Town) -> None:
    sent = town.payer.pay(town.seller, town.token, "1").json()
    shown = town.stranger.get(f"transactions/{sent['transaction_hash']}")
    assert shown["succeeded"]
    assert (shown["kind"], shown["token"], shown["amount"]) == ("transfer", town.token, "1")
    assert shown["block_number"] == sent["block_number"]
    assert shown["source"] == town.payer.get("me")["wallet"]["symid"]
    block = town.stranger.get(f"blocks/{sent['block_number']}")
    assert sent["transaction_hash"] in block["transactions"]
    text = str(shown) + str(block)
    for secret in (town.payer.member_id, town.payer.phone, "김", sent["id"]):
        assert secret not in text


def test_the_same_key_pays_once(town: Town) -> None:
    key, order = new_key(), town.payer.order(town.seller, town.token, "3")
    first = town.payer.call("POST", "transfers", order, key=key, wait=20).json()
    before = town.payer.balance(town.token)
    order["recipient_id"] = town.payer.recipient(town.seller)  # a fresh word for the same person
    order["passphrase"] = "is not looked at in a replay"
    again = town.payer.call("POST", "transfers", order, key=key)
    assert (again.status_code, again.json()) == (201, first)
    assert town.payer.balance(town.token)["total"] == before["total"]


@pytest.mark.parametrize(
    ("field", "value"), [("amount", "4"), ("memo", "other"), ("token", "DEMO")]
)
def test_the_same_key_with_another_body_is_refused_naming_the_field(
    town: Town, field: str, value: str
) -> None:
    key, order = new_key(), town.payer.order(town.seller, town.token, "3", "lunch")
    assert town.payer.call("POST", "transfers", order, key=key, wait=20).status_code == 201
    response = town.payer.call("POST", "transfers", order | {field: value}, key=key)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "idempotency_key_reused")
    assert problem["field"] == field


def test_a_mistyped_passphrase_binds_nothing(town: Town) -> None:
    key, order = new_key(), town.payer.order(town.seller, town.token, "2")
    wrong = town.payer.call("POST", "transfers", order | {"passphrase": "mistyped it"}, key=key)
    assert (wrong.status_code, wrong.json()["code"]) == (403, "passphrase_wrong")
    right = town.payer.call("POST", "transfers", order, key=key, wait=20)
    assert (right.status_code, right.json()["state"]) == (201, "confirmed")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"amount": "1000000"}, 409, "balance_insufficient"),
        ({"amount": "10000001"}, 403, "payment_limit"),
        ({"amount": "0"}, 422, "amount_zero"),
        ({"amount": "-1"}, 422, "amount_malformed"),
        ({"amount": "1e3"}, 422, "amount_malformed"),
        ({"amount": "1,000"}, 422, "amount_malformed"),
        ({"amount": "0.0000000000000000001"}, 422, "amount_malformed"),
        ({"amount": "9" * 90}, 422, "amount_malformed"),
        ({"amount": "9" * 98}, 422, "request_invalid"),
        ({"amount": "١"}, 422, "amount_malformed"),
        ({"amount": 5}, 422, "request_invalid"),
        ({"amount": None}, 422, "request_invalid"),
        ({"amount": True}, 422, "request_invalid"),
        ({"token": "NOPE"}, 404, "token_unknown"),
        ({"recipient_id": "rc_nonsense"}, 422, "recipient_unknown"),
        ({"recipient_id": "demo-seller"}, 422, "recipient_unknown"),
        ({"memo": "x" * 201}, 422, "memo_too_long"),
        ({"fee": "0"}, 422, "request_invalid"),
        ({"sender": "somebody"}, 422, "request_invalid"),
    ],
)
def test_what_cannot_be_paid_is_refused_before_anything_is_held(
    town: Town, change: dict[str, object], status: int, code: str
) -> None:
    before = town.payer.balance(town.token)
    order = town.payer.order(town.seller, town.token, "1") | change
    response = town.payer.call("POST", "transfers", order, key=new_key())
    assert (response.status_code, response.json()["code"]) == (status, code)
    after = town.payer.balance(town.token)
    assert (after["available"], after["on_hold"]) == (before["available"], before["on_hold"])


def test_nobody_pays_themselves(town: Town) -> None:
    response = town.payer.pay(town.payer, town.token, "1")
    assert (response.status_code, response.json()["code"]) == (422, "recipient_is_self")


def test_a_recipient_id_is_worth_nothing_to_somebody_else(town: Town) -> None:
    order = town.payer.order(town.seller, town.token, "1")
    order["recipient_id"] = town.seller.recipient(town.payer)
    response = town.payer.call("POST", "transfers", order, key=new_key())
    assert (response.status_code, response.json()["code"]) == (422, "recipient_unknown")


def test_a_payment_of_others_is_not_there(town: Town) -> None:
    sent = town.payer.pay(town.seller, town.token, "1").json()
    third = town.stranger.member(town.operator)
    response = third.call("GET", f"transfers/{sent['id']}")
    assert (response.status_code, response.json()["code"]) == (404, "transfer_unknown")
    assert third.get("transfers") == {"items": [], "next": None}


def test_pages_hold_every_payment_once(town: Town) -> None:
    everything = town.payer.get("transfers?limit=200")["items"]
    paged, cursor = [], ""
    while True:
        page = town.payer.get(f"transfers?limit=3{cursor}")
        assert len(page["items"]) <= 3
        paged += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert [one["id"] for one in paged] == [one["id"] for one in everything]
    assert len({one["id"] for one in paged}) == len(paged)


def test_an_account_is_for_its_owner_s_eyes(town: Town) -> None:
    mine = town.payer.get("me")["wallet"]["symid"]
    account = town.payer.get(f"accounts/{mine}")
    held = next(one for one in account["holdings"] if one["token"] == town.token)
    assert held["balance"] == town.payer.balance(town.token)["total"]
    history = town.payer.get(f"accounts/{mine}/transactions?limit=2")
    assert len(history["items"]) == 2
    assert history["next"]
    for other in (town.seller, town.stranger):
        response = other.call("GET", f"accounts/{mine}")
        assert response.status_code in (401, 403)


def test_a_frozen_member_pays_nobody_until_thawed(town: Town) -> None:
    frozen = town.operator.call(
        "POST", f"operator/members/{town.payer.member_id}/freeze", {"reason": "lost phone"}
    )
    assert frozen.json()["frozen"]
    order = {
        "recipient_id": "rc_x",
        "token": town.token,
        "amount": "1",
        "passphrase": town.payer.passphrase,
    }
    response = town.payer.call("POST", "transfers", order, key=new_key())
    assert (response.status_code, response.json()["code"]) == (403, "member_frozen")
    town.operator.call("POST", f"operator/members/{town.payer.member_id}/unfreeze")
    assert town.payer.pay(town.seller, town.token, "1").json()["state"] == "confirmed"


def test_a_paused_token_moves_nowhere(town: Town) -> None:
    token = town.operator.new_token()
    town.operator.mint(token, town.payer, "10")
    town.operator.on_token(f"/{token}/pause")
    response = town.payer.pay(town.seller, token, "1")
    assert (response.status_code, response.json()["code"]) == (409, "token_paused")
    assert response.json()["retryable"]
    town.operator.on_token(f"/{token}/unpause")
    assert town.payer.pay(town.seller, token, "1").json()["state"] == "confirmed"


def test_the_contract_id_works_wherever_a_symbol_does(town: Town) -> None:
    contract = town.stranger.get(f"tokens/{town.token}")["contract"]
    assert re.fullmatch("0x[0-9a-f]{20}", contract)
    assert town.payer.pay(town.seller, contract, "1").json()["token"] == town.token
    assert town.payer.balance(contract)["token"] == town.token


def test_after_a_change_of_passphrase_only_the_new_one_pays(town: Town) -> None:
    before = town.payer.get("me")["wallet"]
    old, new = town.payer.passphrase, "green hill 7 birds"
    changed = town.payer.call("PUT", "wallet/passphrase", {"old": old, "new": new})
    assert changed.json() == before, "key and SymID stay"
    refused = town.payer.pay(town.seller, town.token, "1")
    assert refused.json()["code"] == "passphrase_wrong"
    town.payer.passphrase = new
    assert town.payer.pay(town.seller, town.token, "1").json()["state"] == "confirmed"


def _mask(phone: str) -> str:
    return f"010-****-{phone[-4:]}"

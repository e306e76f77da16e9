"""Many requests at once: one key one effect, and never more spent than there is."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests import processes

from .client import Client, new_key


@dataclass
class Pair:
    """A payer, a seller and a token."""

    operator: Client
    payer: Client
    seller: Client
    token: str


@pytest.fixture(scope="module")
def pair(shared_platform: processes.Running) -> Iterator[Pair]:
    stranger = Client.at(shared_platform.url)
    operator = stranger.operator(shared_platform)
    yield Pair(operator, stranger.member(operator), stranger.member(operator), operator.new_token())
    stranger.http.close()


def test_32_copies_of_one_request_pay_once(pair: Pair) -> None:
    pair.operator.mint(pair.token, pair.payer, "100")
    before = float(pair.payer.balance(pair.token)["total"])
    key, order = new_key(), pair.payer.order(pair.seller, pair.token, "1")
    with ThreadPoolExecutor(32) as threads:
        answers = list(
            threads.map(
                lambda _: pair.payer.call("POST", "transfers", order, key=key, wait=20), range(32)
            )
        )
    accepted = [one.json() for one in answers if one.status_code == 201]
    assert accepted
    assert {one.status_code for one in answers} <= {201, 503}, "or: come back, it is under way"
    assert len({one["id"] for one in accepted}) == 1
    assert len({one["transaction_hash"] for one in accepted}) == 1
    assert before - float(pair.payer.balance(pair.token)["total"]) == 1


def test_50_payments_at_once_never_overdraw(pair: Pair) -> None:
    """The balance covers twenty of them."""
    pair.operator.mint(pair.token, pair.payer, "100")
    have = float(pair.payer.balance(pair.token)["available"])
    each = have / 20
    order = pair.payer.order(pair.seller, pair.token, f"{each:g}")
    with ThreadPoolExecutor(50) as threads:
        answers = list(
            threads.map(
                lambda _: pair.payer.call("POST", "transfers", order, key=new_key(), wait=20),
                range(50),
            )
        )
    accepted = [one.json() for one in answers if one.status_code == 201]
    refused = {one.json()["code"] for one in answers if one.status_code != 201}
    assert len(accepted) == 20
    assert refused <= {"balance_insufficient", "passphrase_busy", "kdf_busy"}
    assert "balance_insufficient" in refused
    assert {one["state"] for one in accepted} == {"confirmed"}, "no nonce gap held any back"
    assert pair.payer.balance(pair.token)["total"] == "0"


def test_one_wallet_comes_of_many_requests_for_one(pair: Pair) -> None:
    stranger = Client(pair.payer.http)
    name = f"w{new_key()[:8]}"
    stranger.call("POST", "members", {"member_id": name, "password": "correct horse"})
    body = {"name": "박민수", "phone": f"010{hash(name) % 90_000_000 + 10_000_000}"}
    pair.operator.call("POST", f"operator/members/{name}/verify", body)
    me = stranger.sign_in(name, "correct horse")
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(
                lambda _: me.call("POST", "wallet", {"passphrase": "blue river 42"}), range(8)
            )
        )
    assert sorted(one.status_code for one in answers) == [201] + [409] * 7

"""The operator's hand on tokens, over HTTP: supply, allowances, ownership."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import processes

from .client import Client, new_key


@dataclass
class Mint:
    """An operator, a member and a token of which nobody but the owner holds anything."""

    stranger: Client
    operator: Client
    member: Client
    token: str

    def total(self) -> str:
        return str(self.stranger.get(f"tokens/{self.token}")["total"])


@pytest.fixture(scope="module")
def mint(shared_platform: processes.Running) -> Iterator[Mint]:
    stranger = Client.at(shared_platform.url)
    operator = stranger.operator(shared_platform)
    yield Mint(stranger, operator, stranger.member(operator), operator.new_token("1000"))
    stranger.http.close()


def test_minting_and_burning_change_the_supply(mint: Mint) -> None:
    before = float(mint.total())
    mint.operator.on_token(f"/{mint.token}/mint", to=mint.member.member_id, amount="10.5")
    assert float(mint.total()) == before + 10.5
    assert mint.member.balance(mint.token)["available"] == "10.5"
    mint.operator.on_token(
        f"/{mint.token}/burn", **{"from": mint.member.member_id, "amount": "0.5"}
    )
    assert float(mint.total()) == before + 10
    assert mint.member.balance(mint.token)["available"] == "10"


def test_the_same_key_mints_once(mint: Mint) -> None:
    key, body = new_key(), {"to": "treasury", "amount": "7"}
    path = f"operator/tokens/{mint.token}/mint"
    before = float(mint.total())
    answers = [mint.operator.call("POST", path, body, key=key, wait=20).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert float(mint.total()) == before + 7
    other = mint.operator.call("POST", path, body | {"amount": "8"}, key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_an_allowance_is_given_used_and_taken_back(mint: Mint) -> None:
    def allowed() -> str:
        path = f"operator/tokens/{mint.token}/allowance?owner=token_owner&spender=treasury"
        return str(mint.operator.get(path)["amount"])

    mint.operator.on_token(f"/{mint.token}/approve", spender="treasury", amount="100")
    assert allowed() == "100"
    mint.operator.on_token(
        f"/{mint.token}/transfer_from",
        **{"from": "token_owner", "to": mint.member.member_id, "amount": "30"},
    )
    assert allowed() == "70"
    mint.operator.on_token(f"/{mint.token}/decrease_approve", spender="treasury", amount="70")
    assert allowed() == "0"


def test_what_the_chain_refuses_ends_refused_and_changes_nothing(mint: Mint) -> None:
    before = mint.total()
    body = {"from": mint.member.member_id, "amount": "999999999"}
    path = f"operator/tokens/{mint.token}/burn"
    ended = mint.operator.call("POST", path, body, key=new_key(), wait=20).json()
    assert ended["state"] == "refused"
    assert ended["reason"].startswith("sct_")
    assert mint.total() == before


def test_a_symbol_is_taken_once(mint: Mint) -> None:
    body = {"name": "Another", "symbol": mint.token, "amount": "1"}
    response = mint.operator.call("POST", "operator/tokens", body, key=new_key())
    assert (response.status_code, response.json()["code"]) == (409, "symbol_taken")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"symbol": "ab"}, 422, "token_format"),
        ({"symbol": "lower"}, 422, "token_format"),
        ({"symbol": "한글"}, 422, "token_format"),
        ({"name": ""}, 422, "token_format"),
        ({"name": "x" * 21}, 422, "token_format"),
        ({"amount": "-5"}, 422, "amount_malformed"),
        ({"amount": str(2**256)}, 422, "amount_malformed"),
        ({"decimals": 6}, 422, "request_invalid"),
    ],
)
def test_a_token_that_cannot_be_is_refused(
    mint: Mint, change: dict[str, object], status: int, code: str
) -> None:
    body = {"name": "Another", "symbol": "ANOTHER", "amount": "1"} | change
    response = mint.operator.call("POST", "operator/tokens", body, key=new_key())
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_an_account_that_is_not_there_gets_nothing(mint: Mint) -> None:
    for name in ("nobody-here", "0x00021000000000019999", ""):
        body = {"to": name, "amount": "1"}
        response = mint.operator.call(
            "POST", f"operator/tokens/{mint.token}/mint", body, key=new_key()
        )
        assert (response.status_code, response.json()["code"]) == (404, "account_unknown")


def test_a_contract_that_was_given_away_still_obeys_its_creator(mint: Mint) -> None:
    token = mint.operator.new_token("5")
    mint.operator.on_token(f"/{token}/owner", to=mint.member.member_id)
    mint.operator.on_token(f"/{token}/mint", to="treasury", amount="1")
    assert mint.stranger.get(f"tokens/{token}")["total"] == "6"


def test_a_paused_token_mints_nothing(mint: Mint) -> None:
    token = mint.operator.new_token("5")
    mint.operator.on_token(f"/{token}/pause")
    assert mint.stranger.get(f"tokens/{token}")["state"] == "paused"
    body = {"to": "treasury", "amount": "1"}
    path = f"operator/tokens/{token}/mint"
    ended = mint.operator.call("POST", path, body, key=new_key(), wait=20).json()
    assert ended["state"] == "refused"
    assert mint.stranger.get(f"tokens/{token}")["total"] == "5"


def test_the_registry_is_public(mint: Mint) -> None:
    listed = mint.stranger.get("tokens")["items"]
    mine = next(one for one in listed if one["symbol"] == mint.token)
    assert (mine["state"], mine["decimals"]) == ("active", 18)

"""Much money, or much for somebody new, over HTTP: warned of, delayed, confirmed or taken back."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import processes

from .client import Client, new_key

DELAY_S = 2
RULES = {
    "JIGAP_NEW_PAYEE_WARN": "50",
    "JIGAP_LARGE_AMOUNT_WARN": "100",
    "JIGAP_LARGE_AMOUNT_DELAY_S": str(DELAY_S),
}


@pytest.fixture
def operator(start: Callable[..., processes.Running], tmp_path: Path) -> Iterator[Client]:
    words = ("--port", "0", "--node-port", "0", "--demo", "--json")
    running = start("up", "--data", tmp_path / "data", *words, **RULES)
    stranger = Client.at(running.url)
    yield stranger.operator(running)
    stranger.http.close()


def test_warnings_and_delays(operator: Client) -> None:
    payer, known, new = (operator.member(operator) for _ in range(3))
    token = operator.new_token()
    operator.mint(token, payer, "1000")

    def pay(other: Client, amount: str, key: str, **more: Any) -> tuple[int, dict[str, Any]]:
        order = payer.order(other, token, amount) | more
        response = payer.call("POST", "transfers", order, key=key, wait=20)
        return response.status_code, response.json()

    status, refused = pay(new, "60", first := new_key())
    assert (status, refused["code"], refused["warnings"]) == (
        409,
        "new_payee_warning",
        ["new_payee"],
    )
    status, refused = pay(new, "120", new_key())
    assert (status, refused["code"]) == (409, "new_payee_warning")
    assert (refused["warnings"], refused["delay_s"]) == (["new_payee", "large_amount"], DELAY_S)
    assert payer.balance(token)["on_hold"] == "0"

    status, made = pay(new, "60", first, acknowledged=True)
    assert (status, made["state"]) == (201, "confirmed")
    assert pay(known, "10", new_key())[1]["state"] == "confirmed"
    assert pay(known, "99", new_key())[1]["state"] == "confirmed"
    status, refused = pay(known, "100", large := new_key())
    assert (status, refused["code"], refused["warnings"]) == (
        409,
        "large_amount_warning",
        ["large_amount"],
    )

    status, delayed = pay(known, "100", large, acknowledged=True)
    assert (status, delayed["state"], delayed["transaction_hash"]) == (201, "delayed", None)
    assert payer.balance(token)["on_hold"] == "100"
    path = f"transfers/{delayed['id']}"
    secret = {"passphrase": payer.passphrase}
    early = payer.call("POST", f"{path}/confirm", secret)
    assert (early.status_code, early.json()["code"]) == (409, "delay_not_over")
    assert int(early.headers["Retry-After"]) <= DELAY_S
    time.sleep(DELAY_S)
    wrong = payer.call("POST", f"{path}/confirm", {"passphrase": "some other words"})
    assert wrong.json()["code"] == "passphrase_wrong"
    assert payer.call("POST", f"{path}/confirm", secret, wait=20).json()["state"] == "confirmed"

    _, dropped = pay(known, "150", new_key(), acknowledged=True)
    withdrawn = payer.call("DELETE", f"transfers/{dropped['id']}")
    assert (withdrawn.status_code, withdrawn.json()["state"]) == (200, "withdrawn")
    late = payer.call("POST", f"transfers/{dropped['id']}/confirm", secret)
    assert late.json()["code"] == "transfer_not_delayed"
    assert payer.balance(token)["on_hold"] == "0"

"""Guessing passwords: many addresses at one account, one address at many accounts.

The server stands behind a listed proxy here, so that every request can come from an address of its
own; that an unlisted one cannot choose its address is in test_attack_forwarded.
"""

import asyncio
import json
from collections.abc import Callable

import pytest

from tests.e2e.client import MEMBER_PASSWORD, Client
from tests.e2e.crowd import request, send_all
from tests.processes import Running

ADDRESSES = 10_000
ACCOUNTS = 10_000
CLIENTS = 40


def korean(number: int) -> str:
    """An address of a Korean carrier; at most three of them share a network of 256."""
    return f"1.{208 + number % 16}.{number // 16 % 256}.{1 + number // 4096}"


def guess(login: str, number: int, address: str) -> bytes:
    body = {"member_id": login, "password": f"wrong guess {number}"}
    return request("POST", "/api/v1/session", json.dumps(body).encode(), address=address)


def from_(stranger: Client, address: str) -> Client:
    """Whoever speaks from this address."""
    there = Client.at(str(stranger.http.base_url).removesuffix("/api/v1/"))
    there.http.headers["X-Forwarded-For"] = address
    return there


@pytest.fixture
def behind_proxy(start: Callable[..., Running], tmp_path) -> Running:
    """A platform that believes what 127.0.0.1 says of addresses."""
    arguments = ("--data", tmp_path / "data", "--port", "0", "--node-port", "0", "--json")
    return start("up", *arguments, "--demo", JIGAP_PROXIES="127.0.0.1/32", JIGAP_LOG_LEVEL="info")


def person(login: str, phone: str) -> dict[str, str]:
    return {"member_id": login, "password": MEMBER_PASSWORD, "name": "김민지", "phone": phone}


def join(running: Running, name: str) -> tuple[Client, str]:
    """A new member who has signed in from home; the client, and the device's token."""
    home = from_(Client.at(running.url), "175.223.10.5")
    body = {
        "member_id": name,
        "password": MEMBER_PASSWORD,
        "name": "김민지",
        "phone": "01099990001",
    }
    assert home.call("POST", "members", body).status_code == 201
    signed_in = home.call("POST", "session", {"member_id": name, "password": MEMBER_PASSWORD})
    return home, signed_in.json()["device"]


@pytest.mark.slow
def test_ten_thousand_addresses_guess_at_one_account_and_the_owner_still_gets_in(
    behind_proxy: Running,
):
    """Strangers get a hundred looks at the password at most, and the owner's device its own."""
    home, device = join(behind_proxy, "mina")
    port = int(behind_proxy.url.rpartition(":")[2])
    mine = {"member_id": "mina", "password": MEMBER_PASSWORD, "device": device}

    async def attack() -> None:
        guesses = (guess("mina", n, korean(n)) for n in range(ADDRESSES))
        attacking = asyncio.create_task(send_all(port, guesses, clients=CLIENTS))
        got_in = 0
        while not attacking.done():
            answer = await asyncio.to_thread(home.call, "POST", "session", mine)
            assert answer.status_code == 201, answer.text
            got_in += 1
            await asyncio.sleep(0.5)
        answers = attacking.result()
        assert answers.total == ADDRESSES
        assert got_in >= 3
        assert answers.of(401) <= 100 * (got_in + 1), answers.counted  # each success: afresh
        assert answers.of(401) + answers.of(429) + answers.of(503) == ADDRESSES, answers.counted

    asyncio.run(attack())
    other = from_(Client.at(behind_proxy.url), "175.223.10.6")
    joined = other.call("POST", "members", person("jun", "01099990002"))
    assert joined.status_code == 201  # nobody else suffers


@pytest.mark.slow
def test_one_address_that_guesses_at_ten_thousand_accounts_is_banned(behind_proxy: Running):
    """And with it nobody else: a neighbour in the same network still signs in."""
    join(behind_proxy, "mina")
    port = int(behind_proxy.url.rpartition(":")[2])
    guesses = (guess(f"somebody-{n}", n, "1.208.7.7") for n in range(ACCOUNTS))
    answers = asyncio.run(send_all(port, guesses, clients=CLIENTS))
    assert answers.total == ACCOUNTS
    assert answers.of(401) < 200, answers.counted  # looked at
    assert answers.of(403) > ACCOUNTS / 2, answers.counted  # refused by the ban
    neighbour = from_(Client.at(behind_proxy.url), "1.208.7.8")
    mine = {"member_id": "mina", "password": MEMBER_PASSWORD}
    assert neighbour.call("POST", "session", mine).status_code == 201
    attacker = from_(Client.at(behind_proxy.url), "1.208.7.7")
    refused = attacker.call("POST", "session", mine)
    assert (refused.status_code, refused.json()["rule"]) == (403, "ban")
    assert refused.json()["reference"]

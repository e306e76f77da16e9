"""Two web servers on one PostgreSQL database: what one process locks, two must not get around.

Each server has locks, queues and wallets' turns of its own; only the database decides between them.
A second dispatcher is there all the time, waits for the first one's lease, and touches nothing.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from jigap.chain import symid
from tests import postgres, processes
from tests.e2e.client import Client, new_key, new_phone

PATIENCE_S = 120
#: "Not now": this wallet's passphrase is being checked, or too many are.
COME_BACK = ("passphrase_busy", "kdf_busy", "too_many_unfinished")


@dataclass
class Split:
    """The platform in parts: two addresses, one database."""

    data: Path
    environment: dict[str, str]
    urls: tuple[str, str]
    operator: Client

    def at_both(self, who: Client) -> list[Client]:
        """The same session at either server."""
        return [replace(who, http=Client.at(url).http) for url in self.urls]

    def query(self, words: str, **given: Any) -> list[Any]:
        """Rows of the database, behind everybody's back."""
        url = self.environment["JIGAP_DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
        engine = create_engine(url)
        with engine.connect() as connection:
            rows = list(connection.execute(text(words), given))
        engine.dispose()
        return rows


@pytest.fixture(scope="module")
def split(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Split]:
    data = tmp_path_factory.mktemp("split")
    with ExitStack() as stack:
        database = stack.enter_context(postgres.fresh_database(postgres_server))
        environment = {"JIGAP_DATABASE_URL": database}

        def start(*command: str) -> processes.Running:
            running = processes.start(*command, "--data", data, **environment)
            stack.callback(running.kill)
            return running

        up = start("up", "--port", "0", "--node-port", "0", "--demo", "--json")
        assert up.stop() == 0
        environment["JIGAP_CHAIN_URL"] = start("node", "--port", "0").rpc
        start("dispatcher", "--json")
        stack.enter_context(second_dispatcher(data, environment))
        with ThreadPoolExecutor(2) as threads:
            web = ("web", "--port", "0", "--json")
            urls = tuple(one.url for one in threads.map(lambda _: start(*web), range(2)))
        operator = Client.at(urls[0]).operator(up)
        yield Split(data, environment, urls, operator)


@contextmanager
def second_dispatcher(data: Path, environment: dict[str, str]) -> Iterator[None]:
    """It says that it waits, and that is all it ever says."""
    waiting = subprocess.Popen(
        [*processes.JIGAP, "dispatcher", "--json", "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=processes.environment(environment),
    )
    try:
        assert waiting.stderr is not None and "take over" in waiting.stderr.readline()
        yield
        assert waiting.poll() is None
        waiting.terminate()
        assert waiting.communicate(timeout=60) == ("", "")
    finally:
        waiting.kill()
        waiting.communicate()


def at_once(calls: list[Callable[[], httpx.Response]]) -> list[httpx.Response]:
    """All of them in parallel, each again while the answer is "not now"."""
    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(patiently, calls))


def patiently(call: Callable[[], httpx.Response]) -> httpx.Response:
    end = time.monotonic() + PATIENCE_S
    while True:
        answer = call()
        if answer.status_code not in (429, 503) or time.monotonic() > end:
            return answer
        assert answer.json()["code"] in COME_BACK, answer.text
        time.sleep(0.1)


@dataclass
class Pair:
    """A payer at both servers, a seller, and a token the payer has a hundred of."""

    payer: list[Client]
    seller: Client
    token: str

    def orders(self, amount: str) -> dict[str, str]:
        return self.payer[0].order(self.seller, self.token, amount)


@pytest.fixture
def pair(split: Split) -> Pair:
    payer, seller = split.operator.member(split.operator), split.operator.member(split.operator)
    token = split.operator.new_token()
    split.operator.mint(token, payer, "100")
    return Pair(split.at_both(payer), seller, token)


def test_32_copies_of_one_request_at_two_servers_pay_once(pair: Pair) -> None:
    key, order = new_key(), pair.orders("3")

    def copy(number: int) -> Callable[[], httpx.Response]:
        return lambda: pair.payer[number % 2].call("POST", "transfers", order, key=key, wait=20)

    answers = at_once([copy(number) for number in range(32)])
    assert {one.status_code for one in answers} == {201}
    assert len({one.json()["id"] for one in answers}) == 1
    assert len({one.json()["transaction_hash"] for one in answers}) == 1
    assert {one.json()["state"] for one in answers} == {"confirmed"}
    assert pair.seller.balance(pair.token)["total"] == "3"


def test_50_payments_at_two_servers_never_overdraw_nor_leave_a_gap(
    split: Split, pair: Pair
) -> None:
    """The balance covers twenty of them."""
    order = pair.orders("5")

    def payment(number: int) -> Callable[[], httpx.Response]:
        key = new_key()
        return lambda: pair.payer[number % 2].call("POST", "transfers", order, key=key, wait=20)

    answers = at_once([payment(number) for number in range(50)])
    accepted = [one.json() for one in answers if one.status_code == 201]
    refused = [one.json()["code"] for one in answers if one.status_code != 201]
    assert len(accepted) == 20
    assert refused == ["balance_insufficient"] * 30
    assert {one["state"] for one in accepted} == {"confirmed"}
    assert pair.payer[0].balance(pair.token)["total"] == "0"
    sender = symid.parse(pair.payer[0].get("me")["wallet"]["symid"])
    rows = split.query("SELECT nonce FROM outgoing WHERE sender = :sender", sender=sender)
    assert sorted(row.nonce for row in rows) == list(range(20))


def test_one_key_with_two_bodies_at_two_servers_pays_one_of_them(pair: Pair) -> None:
    key, orders = new_key(), [pair.orders("1"), pair.orders("2")]

    def either(number: int) -> Callable[[], httpx.Response]:
        order, at = orders[number % 2], pair.payer[number // 2 % 2]
        return lambda: at.call("POST", "transfers", order, key=key, wait=20)

    answers = at_once([either(number) for number in range(16)])
    winner = next(one.json() for one in answers if one.status_code == 201)
    for number, one in enumerate(answers):
        if orders[number % 2]["amount"] == winner["amount"]:
            assert (one.status_code, one.json()["id"]) == (201, winner["id"])
        else:
            assert (one.status_code, one.json()["code"]) == (422, "idempotency_key_reused")
    assert pair.seller.balance(pair.token)["total"] == winner["amount"]


def test_one_issue_comes_of_many_copies_at_two_servers(split: Split, pair: Pair) -> None:
    key, body = new_key(), {"to": pair.seller.member_id, "amount": "7"}
    operators = split.at_both(split.operator)

    def copy(number: int) -> Callable[[], httpx.Response]:
        path = f"operator/tokens/{pair.token}/mint"
        return lambda: operators[number % 2].call("POST", path, body, key=key, wait=20)

    answers = at_once([copy(number) for number in range(16)])
    assert {(one.status_code, one.json()["state"]) for one in answers} == {(201, "confirmed")}
    assert len({one.json()["id"] for one in answers}) == 1
    assert pair.seller.balance(pair.token)["total"] == "7"


def test_one_member_and_one_wallet_come_of_many_requests_at_two_servers(split: Split) -> None:
    name, phone = f"twice-{new_key()[:8]}", new_phone()
    body = {"member_id": name, "password": "correct horse", "name": "박민수", "phone": phone}
    strangers = [Client.at(url) for url in split.urls]

    def join(number: int) -> Callable[[], httpx.Response]:
        return lambda: strangers[number % 2].call("POST", "members", body)

    answers = at_once([join(number) for number in range(12)])
    assert sorted(one.status_code for one in answers) == [201] + [409] * 11
    split.operator.call("POST", f"operator/members/{name}/verify")
    both = split.at_both(strangers[0].sign_in(name, "correct horse"))

    def wallet(number: int) -> Callable[[], httpx.Response]:
        body = {"passphrase": f"blue river {number}"}
        return lambda: both[number % 2].call("POST", "wallet", body, wait=20)

    answers = at_once([wallet(number) for number in range(8)])
    assert sorted(one.status_code for one in answers) == [201] + [409] * 7
    assert both[0].get("me")["wallet"] == both[1].get("me")["wallet"]


def test_one_of_many_changes_of_a_passphrase_at_two_servers_counts(
    split: Split, pair: Pair
) -> None:
    old = pair.payer[0].passphrase

    def change(number: int) -> Callable[[], httpx.Response]:
        body = {"old": old, "new": f"another river {number}"}
        return lambda: pair.payer[number % 2].call("PUT", "wallet/passphrase", body)

    answers = at_once([change(number) for number in range(4)])
    (winner,) = [number for number, one in enumerate(answers) if one.status_code == 200]
    refused = {one.json()["code"] for one in answers if one.status_code != 200}
    assert refused == {"passphrase_wrong"}
    order = pair.orders("1") | {"passphrase": f"another river {winner}"}
    paid = patiently(lambda: pair.payer[0].call("POST", "transfers", order, key=new_key(), wait=20))
    assert (paid.status_code, paid.json()["state"]) == (201, "confirmed")


def test_afterwards_the_books_and_the_keys_agree(split: Split) -> None:
    """Runs last: whatever the tests before have done."""
    done = processes.run("audit", "money", "--data", split.data, "--json", **split.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["clean"] and Decimal(report["supply"]["DEMO"]) == 1_000_000
    done = processes.run("keys", "verify", "--data", split.data, **split.environment)
    assert done.returncode == 0, done.stdout + done.stderr

"""A backup taken while people pay, more payments, a loss, a restore: every key still counts once.

The members know nothing of all this. They repeat what they are not sure of, with the same keys, and
must find what they had paid paid, and what was never made made now, once.
"""

import json
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any

from jigap.cli.seed import OPERATOR, PAYER, SELLER, SUPPLY, TOKEN_SYMBOL, DemoPerson
from tests import processes
from tests.e2e.client import Client, new_key
from tests.e2e.test_cli_up import arguments

PATIENCE_S = 90


@dataclass
class Book:
    """What two people have asked for and been answered, on a platform that comes and goes."""

    people: dict[str, Client] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)  # who, body, key
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    opening: dict[str, Decimal] = field(default_factory=dict)

    def open(self, url: str) -> None:
        """Everybody signs in."""
        stranger = Client.at(url)
        self.people = {
            one.role: stranger.sign_in(
                one.member_id, one.password, one.passphrase, one.phone, one.totp_secret
            )
            for one in (PAYER, SELLER, OPERATOR)
        }
        if not self.opening:
            self.opening = self.balances()

    def balances(self) -> dict[str, Decimal]:
        return {
            who: Decimal(self.people[who].balance(TOKEN_SYMBOL)["total"])
            for who in ("payer", "seller")
        }

    def pay(self, who: str, amount: str, *, wait: int = 20) -> dict[str, Any]:
        """A new payment of ``who`` to the other one."""
        other = self.people["seller" if who == "payer" else "payer"]
        body = self.people[who].order(other, TOKEN_SYMBOL, amount)
        self.asked.append((who, body, new_key()))
        return self.repeat(len(self.asked) - 1, wait=wait)

    def repeat(self, number: int, *, wait: int = 20) -> dict[str, Any]:
        """The same request once more, and again while the answer is "come back"."""
        who, body, key = self.asked[number]
        end = time.monotonic() + PATIENCE_S
        while True:
            answer = self.people[who].call("POST", "transfers", body, key=key, wait=wait)
            if answer.status_code == 201:
                self.answers.setdefault(key, answer.json())
                return dict(answer.json())
            assert answer.status_code == 503, answer.text
            assert time.monotonic() < end, answer.text
            time.sleep(0.2)

    def expected(self) -> dict[str, Decimal]:
        """What both have if everything asked for was paid once."""
        balances = dict(self.opening)
        for who, body, _ in self.asked:
            other = "seller" if who == "payer" else "payer"
            balances[who] -= Decimal(body["amount"])
            balances[other] += Decimal(body["amount"])
        return balances


def backup_while_they_pay(book: Book, data: Path, target: Path, key: Path) -> list[int]:
    """`jigap backup` under load; the numbers of the payments answered before it began."""
    done, began = Event(), Event()

    def go_on() -> None:
        number = 0
        while not done.is_set():
            book.pay("payer" if number % 3 else "seller", f"{1 + number % 7}.5", wait=0)
            number += 1
            if number == 5:
                began.set()

    with ThreadPoolExecutor(1) as threads:
        paying = threads.submit(go_on)
        try:
            assert began.wait(PATIENCE_S)
            before = list(range(len(book.answers)))
            succeeds("backup", target, "--data", data, "--master-key", key)
        finally:
            done.set()
        paying.result()
    assert len(book.asked) > len(before), "nothing was paid while the backup was taken"
    return before


def succeeds(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    done = processes.run(*command, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def everything_agrees(data: Path, running: processes.Running, issued: Decimal) -> None:
    """Money, trail and keys, as the commands see them."""
    report = json.loads(
        succeeds("audit", "money", "--data", data, "--rpc", running.rpc, "--json").stdout
    )
    assert report["clean"] and Decimal(report["supply"][TOKEN_SYMBOL]) == issued
    succeeds("audit", "verify", "--data", data)
    succeeds("keys", "verify", "--data", data)


Start = Callable[..., processes.Running]


def test_keys_count_once_after_a_restore_over_the_chain_that_went_on(
    start: Start, stopped: Path, tmp_path: Path
) -> None:
    book = Book()
    running = start(*arguments(stopped))
    book.open(running.url)
    backup_while_they_pay(book, stopped, tmp_path / "b", tmp_path / "key")
    for number in range(4):
        assert book.pay("payer", f"{number + 10}")["state"] == "confirmed"
    assert book.pay("seller", "3.25")["state"] == "confirmed"
    mined = {answer["transaction_hash"] for answer in book.answers.values()}
    for _ in range(3):  # acknowledged, perhaps broadcast, perhaps in a block
        book.pay("payer", "1", wait=0)
    running.kill()

    succeeds("restore", tmp_path / "b", "--data", stopped, "--force")
    again = start(*arguments(stopped))
    book.open(again.url)
    numbers = list(range(len(book.asked)))
    random.Random(len(numbers)).shuffle(numbers)  # clients come back in no order
    found = [book.repeat(number) for number in numbers]
    assert {one["state"] for one in found} == {"confirmed"}
    hashes = [one["transaction_hash"] for one in found]
    assert len(set(hashes)) == len(hashes)
    assert mined <= set(hashes), "a payment that was in a block is another one now"
    assert book.balances() == book.expected()
    assert book.pay("payer", "2")["state"] == "confirmed"
    assert book.balances() == book.expected()
    for number in numbers:
        book.repeat(number)
    assert book.balances() == book.expected()
    everything_agrees(stopped, again, Decimal(SUPPLY))
    assert again.stop() == 0


def test_what_the_operator_did_since_the_backup_is_done_once(
    start: Start, stopped: Path, tmp_path: Path
) -> None:
    """A token is created and issued, and another issued, all after the backup."""
    running = start(*arguments(stopped))
    operator = signed_in(running, OPERATOR)
    succeeds("backup", tmp_path / "b", "--data", stopped)
    deeds = [
        (f"/{TOKEN_SYMBOL}/mint", {"to": PAYER.member_id, "amount": "77"}, new_key()),
        ("", {"name": "Late Coin", "symbol": "LATE", "amount": "5"}, new_key()),
        ("/LATE/mint", {"to": SELLER.member_id, "amount": "9"}, new_key()),
        ("/LATE/burn", {"from": SELLER.member_id, "amount": "2"}, new_key()),
    ]
    first = [done(operator, *deed) for deed in deeds]
    running.kill()

    succeeds("restore", tmp_path / "b", "--data", stopped, "--force")
    again = start(*arguments(stopped))
    operator = signed_in(again, OPERATOR)
    repeated = [done(operator, *deed) for deed in deeds]
    assert [one["transaction_hash"] for one in repeated] == [
        one["transaction_hash"] for one in first
    ]
    assert operator.get("tokens/LATE")["total"] == "12"
    assert Decimal(operator.get(f"tokens/{TOKEN_SYMBOL}")["total"]) == Decimal(SUPPLY) + 77
    assert signed_in(again, SELLER).balance("LATE")["available"] == "7"
    assert done(operator, *deeds[0][:2], new_key())["state"] == "confirmed"
    everything_agrees(stopped, again, Decimal(SUPPLY) + 2 * 77)
    assert again.stop() == 0


def test_a_whole_backup_brings_an_empty_folder_to_where_its_chain_was(
    start: Start, stopped: Path, tmp_path: Path
) -> None:
    """What came after the backup never happened there: its keys pay again, and only once."""
    book = Book()
    running = start(*arguments(stopped))
    book.open(running.url)
    before = backup_while_they_pay(book, stopped, tmp_path / "b", tmp_path / "key")
    assert book.pay("payer", "11")["state"] == "confirmed"
    running.kill()
    shutil.rmtree(stopped)

    fresh = tmp_path / "fresh"
    succeeds("restore", tmp_path / "b", "--data", fresh, "--master-key", tmp_path / "key")
    again = start(*arguments(fresh))
    book.open(again.url)
    for number in before:
        _, _, key = book.asked[number]
        assert book.repeat(number)["transaction_hash"] == book.answers[key]["transaction_hash"]
    for number in range(len(book.asked)):
        assert book.repeat(number)["state"] == "confirmed"
    assert book.balances() == book.expected()
    everything_agrees(fresh, again, Decimal(SUPPLY))
    assert again.stop() == 0


def done(operator: Client, action: str, body: dict[str, str], key: str) -> dict[str, Any]:
    """An operation on a token once it is final."""
    answer = operator.call("POST", f"operator/tokens{action}", body, key=key, wait=20)
    assert (answer.status_code, answer.json()["state"]) == (201, "confirmed"), answer.text
    return dict(answer.json())


def signed_in(running: processes.Running, who: DemoPerson) -> Client:
    return Client.at(running.url).sign_in(
        who.member_id, who.password, who.passphrase, who.phone, who.totp_secret
    )


def test_no_payment_is_taken_after_a_restore_before_the_chain_was_read(
    start: Start, tmp_path: Path, postgres_url: str
) -> None:
    """The backup says that the dispatcher had caught up; that was long ago."""
    data, environment = tmp_path / "data", {"JIGAP_DATABASE_URL": postgres_url}
    running = start(*arguments(data, "--demo"), **environment)
    succeeds("backup", tmp_path / "b", "--data", data, **environment)
    assert running.stop() == 0
    succeeds("restore", tmp_path / "b", "--data", data, "--force", **environment)

    web = start("web", "--data", data, "--port", "0", "--json", **environment)
    payer, seller = signed_in(web, PAYER), signed_in(web, SELLER)
    answer = payer.pay(seller, TOKEN_SYMBOL, "1", wait=0)
    assert (answer.status_code, answer.json()["code"]) == (503, "catching_up")

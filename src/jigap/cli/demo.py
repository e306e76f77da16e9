"""`jigap demo`: the main job from sign-up to audit, over real HTTP, ending by itself.

A whole platform is started in a temporary folder as its own process, driven through its API,
stopped, started again and driven on. Every step says what happened, and checks that it is what
should have happened; one surprise makes the exit status 1.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from jigap import settings
from jigap.app import build, install
from jigap.auditor import Report
from jigap.chain import symid
from jigap.cli import seed
from jigap.cli.api import Api, ApiRefused, Person, new_key, read_code
from jigap.cli.audit import money_report
from jigap.cli.child import Child
from jigap.cli.options import Json
from jigap.cli.seed import DemoPerson
from jigap.cli.serving import run, say
from jigap.clock import SystemClock
from jigap.members import code_of, step_of
from jigap.money import format_amount, parse_amount
from jigap.node import NodeClient
from jigap.refusal import Refusal

SYMBOL = "HANBAT"
SUPPLY = "100000"
PAYMENTS = ("5000", "1200.5", "80", "0.000000000000000001", "12345.678")
LAST_PAYMENT = "700"

PAYER = DemoPerson(
    "minsu", "minsu-and-a-password", "minsu pays with this", "payer", "010-2222-1111", "김민수"
)
SELLER = DemoPerson(
    "seoyeon", "seoyeon-and-a-password", "seoyeon sells a lot", "seller", "010-3333-2222", "이서연"
)
OPERATOR = DemoPerson(
    "console", "console-and-a-password", "", "operator", "", "", "JIGAPCONSOLESECRETOFONEDEMO23456"
)  # fmt: skip
#: Birth date and sex digit of those who are verified by phone.
BIRTHS = {"minsu": ("900131", "1"), "seoyeon": ("010228", "4")}
NEW_PASSPHRASE = "minsu pays with another"


def demo(json_: Json = False) -> None:
    """Run the main job in a temporary folder, in under 30 seconds, and check every step.

    Exit status 1 if anything is not as it should be.
    """
    story = Story(Console(quiet=json_))
    with tempfile.TemporaryDirectory(prefix="jigap-demo-") as folder:
        try:
            if not run(story.tell(Path(folder) / "data")):
                story.surprises.append("the demo was stopped")
        except Refusal as refusal:
            story.surprises.append(refusal.detail)
    if json_:
        print(json.dumps(story.outcome(), ensure_ascii=False))
    if story.surprises:
        for surprise in story.surprises:
            print(f"jigap: not as expected: {surprise}", file=sys.stderr)
        raise typer.Exit(1)


@dataclass
class Story:
    """The demo as it goes: what was paid, what was surprising."""

    console: Console
    transfers: list[dict[str, Any]] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    balances: dict[str, dict[str, str]] = field(default_factory=dict)
    report: Report | None = None
    supply: str = ""
    restart_ok: bool = False
    began: float = field(default_factory=time.monotonic)
    elapsed_s: float = 0.0

    async def tell(self, data: Path) -> None:
        """The whole of it, on a fresh platform in ``data``."""
        await _make_operator(data)
        platform = _platform(data)
        ready = await platform.start()
        self._line("The platform runs", f"{ready['url']}, chain {ready['rpc']}")
        try:
            await self._first_day(str(ready["url"]), str(ready["rpc"]), str(ready["inbox"]))
            before = self.balances
            await platform.stop()
            platform = _platform(data)
            ready = await platform.start()
            self._line("The platform was stopped and started again", str(ready["url"]))
            await self._second_day(str(ready["url"]), before)
            await self._audit(data, str(ready["rpc"]))
        finally:
            await platform.stop()
            self.elapsed_s = round(time.monotonic() - self.began, 3)
        self._line("Done", f"{self.elapsed_s:.1f} s")

    def outcome(self) -> dict[str, Any]:
        """The story as one JSON object; amounts are decimal strings."""
        return {
            "transfers": self.transfers,
            "balances": self.balances,
            "supply": self.supply,
            "conserved": self.report is not None and self.report.conserved and self.report.clean,
            "restart_ok": self.restart_ok,
            "elapsed_s": self.elapsed_s,
            "differences": []
            if self.report is None
            else [str(one) for one in self.report.differences],
            "surprises": self.surprises,
        }

    async def _first_day(self, url: str, rpc: str, inbox: str) -> None:
        async with Api(url) as api:
            assert OPERATOR.totp_secret is not None
            code = code_of(OPERATOR.totp_secret, step_of(SystemClock().now_ms()))
            operator = await api.sign_in(OPERATOR.member_id, OPERATOR.password, code)
            self._line("The operator signed in", "with a password and a code of the app")
            payer, seller = await asyncio.gather(
                self._join(api, inbox, PAYER), self._join(api, inbox, SELLER)
            )
            await self._holds_no_sym(rpc, payer)
            await self._issue(operator)
            await self._pay_five_times(payer)
            await self._retry(payer)
            await self._overdraw(payer)
            await self._change_passphrase(payer)
            await self._count(payer, seller, spent=PAYMENTS)

    async def _second_day(self, url: str, before: dict[str, dict[str, str]]) -> None:
        async with Api(url) as api:
            payer = await api.sign_in(PAYER.member_id, PAYER.password)
            seller = await api.sign_in(SELLER.member_id, SELLER.password)
            await self._count(payer, seller, spent=PAYMENTS)
            kept = self.balances == before
            listed = {one["id"] for one in (await payer.transfers())["items"]}
            remembered = listed == {one["id"] for one in self.transfers}
            self._expect(kept and remembered, "the restart kept every payment and every balance")
            paid = await self._pay(payer, LAST_PAYMENT, NEW_PASSPHRASE, "after the restart")
            self.restart_ok = kept and remembered and paid["state"] == "confirmed"
            await self._count(payer, seller, spent=(*PAYMENTS, LAST_PAYMENT))

    async def _join(self, api: Api, inbox: str, who: DemoPerson) -> Person:
        await api.sign_up(who.member_id, who.password, who.name, who.phone)
        person = await api.sign_in(who.member_id, who.password)
        check = await person.request_check(who.name, who.phone, *BIRTHS[who.member_id])
        code = await read_code(inbox, who.phone)
        check = await person.confirm_check(check["id"], code)
        self._expect(check["state"] == "confirmed", f"{who.member_id} is verified by the agency")
        self._line(f"{who.member_id} is {check['masked_name']}", "by a code to the phone")
        started = time.monotonic()
        wallet = await person.make_wallet(who.passphrase)
        self._expect(wallet["state"] == "active", f"{who.member_id} has a wallet with a SymID")
        took_s = time.monotonic() - started
        self._line(f"{who.member_id} joined", f"SymID {wallet['symid']} after {took_s:.2f} s")
        return person

    async def _holds_no_sym(self, rpc: str, payer: Person) -> None:
        wallet = (await payer.me())["wallet"]
        async with NodeClient(rpc) as client:
            balance_hug = await client.balance(symid.parse(wallet["symid"]), "latest")
        self._expect(balance_hug == 0, f"{payer.member_id} holds no SYM before the first payment")

    async def _issue(self, operator: Person) -> None:
        created = await operator.create_token("Hanbat Coin", SYMBOL, "0", key=new_key())
        self._expect(created["state"] == "confirmed", "the token is on the chain")
        self._line(f"The operator created {SYMBOL}", created["transaction_hash"])
        minted = await operator.mint(SYMBOL, PAYER.member_id, SUPPLY, key=new_key())
        self._expect(minted["state"] == "confirmed", f"{SUPPLY} {SYMBOL} were issued")
        self._line(f"and issued {SUPPLY} to {PAYER.member_id}", minted["transaction_hash"])

    async def _pay_five_times(self, payer: Person) -> None:
        for number, amount in enumerate(PAYMENTS, 1):
            await self._pay(payer, amount, PAYER.passphrase, f"payment {number}")
        refilled = int(self.transfers[0]["gas_refill_hug"])
        self._expect(refilled > 0, "the platform paid the gas of the first payment")

    async def _pay(self, payer: Person, amount: str, passphrase: str, memo: str) -> dict[str, Any]:
        found = await payer.recipient(SELLER.phone)
        started = time.monotonic()
        paid = await payer.pay(
            found["recipient_id"], SYMBOL, amount, passphrase, key=_key(memo), memo=memo
        )
        took_s = round(time.monotonic() - started, 3)
        self._expect(paid["state"] == "confirmed", f"{memo} is confirmed")
        self.transfers.append(
            {
                "id": paid["id"],
                "status": paid["state"],
                "transaction_hash": paid["transaction_hash"],
                "block_number": paid["block_number"],
                "seconds_to_final": took_s,
                "gas_refill_hug": paid["gas_refill_hug"],
            }
        )
        gas = (
            f", gas refilled {paid['gas_refill_hug']} hug" if paid["gas_refill_hug"] != "0" else ""
        )
        self._line(
            f"{payer.member_id} paid {amount} to {found['masked_name']}",
            f"{paid['transaction_hash']} final in {took_s:.2f} s{gas}",
        )
        return paid

    async def _retry(self, payer: Person) -> None:
        found = await payer.recipient(SELLER.phone)
        again = await payer.pay(
            found["recipient_id"],
            SYMBOL,
            PAYMENTS[-1],
            PAYER.passphrase,
            key=_key(f"payment {len(PAYMENTS)}"),
            memo=f"payment {len(PAYMENTS)}",
        )
        same = again["id"] == self.transfers[-1]["id"]
        self._expect(same, "the same key gives the same payment")
        self._line("The same request again", f"is the same payment {again['id']}")

    async def _overdraw(self, payer: Person) -> None:
        found = await payer.recipient(SELLER.phone)
        code = await _refusal_of(
            lambda: payer.pay(
                found["recipient_id"], SYMBOL, SUPPLY, PAYER.passphrase, key=new_key()
            )
        )
        self._expect(code == "balance_insufficient", f"an overdraft is refused, not {code!r}")
        self._line("An overdraft", f"is refused: {code}")

    async def _change_passphrase(self, payer: Person) -> None:
        await payer.change_passphrase(PAYER.passphrase, NEW_PASSPHRASE)
        found = await payer.recipient(SELLER.phone)
        code = await _refusal_of(
            lambda: payer.pay(found["recipient_id"], SYMBOL, "1", PAYER.passphrase, key=new_key())
        )
        self._expect(code == "passphrase_wrong", f"the old passphrase is refused, not {code!r}")
        self._line("The passphrase was changed", f"the old one is refused: {code}")

    async def _count(self, payer: Person, seller: Person, *, spent: tuple[str, ...]) -> None:
        received = sum(parse_amount(amount) for amount in spent)
        expected = {
            payer.member_id: format_amount(parse_amount(SUPPLY) - received),
            seller.member_id: format_amount(received),
        }
        for person in (payer, seller):
            self.balances = self.balances | {person.member_id: await person.balance(SYMBOL)}
        counted = {name: one["available"] for name, one in self.balances.items()}
        self._expect(counted == expected, f"the balances are {expected}, not {counted}")
        for balance in self.balances.values():
            balance.pop("height", None)

    async def _audit(self, data: Path, rpc: str) -> None:
        report = await money_report(settings.load(data, {}, chain_url=rpc))
        self.report, self.supply = report, format_amount(report.supply[SYMBOL])
        self._expect(self.supply == SUPPLY, f"the supply is {SUPPLY}, not {self.supply}")
        self._expect(report.conserved, "the balances add up to the supply")
        self._expect(report.clean, f"records and chain agree, not {report.differences}")
        self._line(
            "The audit",
            f"supply {self.supply} = sum of balances; {report.records_checked} records and "
            f"{report.transactions_checked} transactions of the chain agree",
        )

    def _expect(self, is_so: bool, what: str) -> None:
        if not is_so:
            self.surprises.append(what)
            self.console.print(f"[red]✗[/red] expected: {what}")

    def _line(self, what: str, facts: str) -> None:
        took_s = time.monotonic() - self.began
        self.console.print(
            f"[dim]{took_s:5.1f} s[/dim]  [bold]{what}[/bold]  {facts}", soft_wrap=True
        )


async def _make_operator(data: Path) -> None:
    given = settings.load(data, {})
    install(given)
    app = build(given)
    try:
        await seed.ensure_operator(app, OPERATOR)
    finally:
        await app.close()


def _platform(data: Path) -> Child:
    command = [sys.executable, "-m", "jigap.cli", "up", "--data", str(data), "--simulated-agency"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("JIGAP_")}
    return Child("platform", [*command, "--port", "0", "--node-port", "0", "--json"], say, plain)


def _key(memo: str) -> str:
    """The Idempotency-Key of a payment of the story."""
    return "demo-" + memo.replace(" ", "-")


async def _refusal_of(call: Callable[[], Awaitable[Any]]) -> str:
    """The code of the problem that the call is answered with; empty if it succeeds."""
    try:
        await call()
    except ApiRefused as refused:
        return refused.problem_code
    return ""

"""Members of a platform who pay each other whatever happens to it, and what must be true then.

Everybody here is a well-behaved client: one Idempotency-Key for each thing they want, and the same
request again after every answer that is not one. They know only what HTTP told them, so what they
remember is what the platform has promised.
"""

import asyncio
import itertools
import random
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pyotp

from jigap.chain import symid
from jigap.cli.seed import OPERATOR, PAYER, SELLER, TOKEN_SYMBOL
from jigap.money import format_amount, parse_amount
from jigap.node.client import ChainTransaction, NodeClient

TIMEOUT_S = 10
#: Answers that say "come back": too busy now, or too many at once.
COME_BACK = (429, 503)
#: New members go on joining, but only so many of them pay: the machine is small.
PAYERS_MAX = 8


@dataclass
class Promise:
    """A payment or an issue that was acknowledged: what was asked, under which key, the answer.

    ``payer`` is empty for an issue.
    """

    key: str
    body: dict[str, str]
    answer: dict[str, Any]
    payer: str
    payee: str

    @property
    def units(self) -> int:
        """The amount in base units."""
        return parse_amount(self.body["amount"])


@dataclass
class Person:
    """A member who has signed in."""

    login: str
    phone: str
    passphrase: str
    token: str = ""
    symid: bytes = b""
    recipients: dict[str, str] = field(default_factory=dict)
    paid: list[Promise] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Answer:
    """What came back in the end. ``doubtful``: an earlier attempt may have had its effect."""

    status: int
    body: Any
    doubtful: bool

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class Town:
    """Everybody, and the platform as it can be reached now. ``chance`` decides who wants what."""

    def __init__(self, http: aiohttp.ClientSession, chance: random.Random) -> None:
        self._http = http
        self._chance = chance
        self._up = asyncio.Event()
        self._url = ""
        self._stopping = asyncio.Event()
        self._work: list[asyncio.Task[None]] = []
        self._keys = (f"town-{chance.getrandbits(32):08x}-{n}" for n in itertools.count())
        self.people: list[Person] = []
        self.operator = Person(OPERATOR.member_id, OPERATOR.phone, OPERATOR.passphrase)
        self.opening: dict[str, int] = {}
        self.issued: list[Promise] = []
        self.joined: list[Person] = []
        self.answers = 0
        self.doubts = 0

    # --- the platform comes and goes

    def opens(self, url: str) -> None:
        """The platform answers at ``url``."""
        self._url = url
        self._up.set()

    def closes(self) -> None:
        """The platform is about to be killed; nobody may ask whoever gets its port next."""
        self._up.clear()

    # --- the day

    async def begin(self) -> None:
        """Sign everybody in, give the payers something, and let them go on until ``end``."""
        assert OPERATOR.totp_secret is not None
        otp = pyotp.TOTP(OPERATOR.totp_secret).now()
        self.operator.token = await self._sign_in(self.operator.login, OPERATOR.password, otp)
        for one in (PAYER, SELLER):
            person = Person(one.member_id, one.phone, one.passphrase)
            person.token = await self._sign_in(one.member_id, one.password)
            await self._note_symid(person)
            self.people.append(person)
        self.opening = await self.balances()
        for _ in range(3):
            await self._join()
        for person in self.people[1:]:
            await self._issue(person, "500")
        self._work = [asyncio.create_task(self._pay_on(one)) for one in self.people]
        self._work.append(asyncio.create_task(self._govern()))

    async def end(self) -> None:
        """Let everybody finish what they have begun."""
        self._stopping.set()
        await asyncio.gather(*self._work)

    async def _pay_on(self, me: Person) -> None:
        while not self._stopping.is_set():
            if self._chance.random() < 0.02:
                await self._change_passphrase(me)
            others = [one for one in self.people if one is not me]
            await self._pay(me, self._chance.choice(others))
            await asyncio.sleep(self._chance.uniform(0.02, 0.25))

    async def _govern(self) -> None:
        """The operator issues money, and lets new members in."""
        while not self._stopping.is_set():
            await self._issue(self._chance.choice(self.people), self._amount())
            if self._chance.random() < 0.5:
                await self._join()
            await asyncio.sleep(self._chance.uniform(0.2, 1.5))

    # --- what people want

    async def _pay(self, me: Person, other: Person) -> None:
        key = next(self._keys)
        body = {
            "recipient_id": await self._recipient(me, other),
            "token": TOKEN_SYMBOL,
            "amount": self._amount(),
            "passphrase": me.passphrase,
        }
        answer = await self.insist("POST", "transfers", me, body, key)
        if answer.code == "recipient_expired":
            me.recipients.clear()
            body["recipient_id"] = await self._recipient(me, other)
            answer = await self.insist("POST", "transfers", me, body, key)
        if answer.status == 201:
            me.paid.append(Promise(key, body, answer.body, me.login, other.login))
        else:
            assert answer.code == "balance_insufficient", answer
            me.refused.add(key)

    async def _issue(self, to: Person, amount: str) -> None:
        key, body = next(self._keys), {"to": to.login, "amount": amount}
        path = f"operator/tokens/{TOKEN_SYMBOL}/mint"
        answer = await self.insist("POST", path, self.operator, body, key)
        assert answer.status == 201, answer
        self.issued.append(Promise(key, body, answer.body, "", to.login))

    async def _change_passphrase(self, me: Person) -> None:
        new = f"{me.login} says {self._chance.getrandbits(64):016x}"
        body = {"old": me.passphrase, "new": new}
        answer = await self.insist("PUT", "wallet/passphrase", me, body)
        if answer.status != 200:  # the first attempt had done it already
            assert answer.doubtful and answer.code == "passphrase_wrong", answer
        me.passphrase = new

    async def _join(self) -> None:
        number = len(self.joined)
        login, phone = f"town-{number}", f"010-4{number:03d}-{number:04d}"
        me = Person(login, phone, f"the passphrase of {login}")
        body = {"member_id": login, "password": "correct horse", "name": "김민지", "phone": phone}
        answer = await self.insist("POST", "members", None, body)
        taken = answer.doubtful and answer.code == "member_id_taken"
        assert answer.status == 201 or taken, answer
        await self.insist("POST", f"operator/members/{login}/verify", self.operator)
        me.token = await self._sign_in(login, "correct horse")
        answer = await self.insist("POST", "wallet", me, {"passphrase": me.passphrase})
        exists = answer.doubtful and answer.code == "wallet_exists"
        assert answer.status == 201 or exists, answer
        await self._note_symid(me)
        self.joined.append(me)
        if len(self.people) < PAYERS_MAX:
            self.people.append(me)
            if self._work:
                self._work.append(asyncio.create_task(self._pay_on(me)))

    async def _sign_in(self, login: str, password: str, otp: str | None = None) -> str:
        body = {"member_id": login, "password": password, "otp": otp}
        answer = await self.insist("POST", "session", None, body)
        assert answer.status == 201, answer
        return str(answer.body["token"])

    async def _note_symid(self, me: Person) -> None:
        """The wallet becomes active by itself."""
        while not me.symid:
            wallet = (await self.insist("GET", "me", me)).body["wallet"]
            if wallet["state"] == "active":
                me.symid = symid.parse(wallet["symid"])
            await asyncio.sleep(0.05)

    async def _recipient(self, me: Person, other: Person) -> str:
        if other.login not in me.recipients:
            answer = await self.insist("GET", f"recipients?phone={other.phone}", me)
            assert answer.status == 200 and len(answer.body) == 1, answer
            me.recipients[other.login] = answer.body[0]["recipient_id"]
        return me.recipients[other.login]

    def _amount(self) -> str:
        return format_amount(self._chance.randint(1, 500) * 10**16)

    # --- what everybody does when in doubt

    async def insist(
        self, method: str, path: str, who: Person | None, body: Any = None, key: str = ""
    ) -> Answer:
        """The same request until there is an answer that is one. A 500 is never one."""
        headers = {"Authorization": f"Bearer {who.token}"} if who else {}
        if key:
            headers["Idempotency-Key"] = key
        doubtful = False
        while True:
            await self._up.wait()
            with suppress(aiohttp.ClientError, TimeoutError):
                url = f"{self._url}/api/v1/{path}"
                async with self._http.request(method, url, json=body, headers=headers) as response:
                    told = await response.json(content_type=None)
                if response.status not in COME_BACK:
                    assert response.status < 500, (path, told)
                    self.answers += 1
                    return Answer(response.status, told, doubtful)
                await asyncio.sleep(0.1)
                continue
            doubtful = True
            self.doubts += 1
            await asyncio.sleep(0.05)

    # --- what must be true afterwards

    async def check_promises(self) -> list[Promise]:
        """Every key still answers with what it was answered with first, and that is final now."""
        gate = asyncio.Semaphore(16)

        async def check(who: Person, path: str, promise: Promise) -> Promise:
            async with gate:
                again = await self.insist("POST", path, who, promise.body, promise.key)
                assert again.body["id"] == promise.answer["id"], (promise, again)
                read = path if path == "transfers" else "operator/operations"
                final = await self._final(who, f"{read}/{again.body['id']}")
            assert final["state"] == "confirmed", final
            if promise.answer["transaction_hash"]:
                assert final["transaction_hash"] == promise.answer["transaction_hash"]
            return replace(promise, answer=final)

        mint = f"operator/tokens/{TOKEN_SYMBOL}/mint"
        asked = [(one, "transfers", promise) for one in self.people for promise in one.paid]
        asked += [(self.operator, mint, promise) for promise in self.issued]
        return list(await asyncio.gather(*(check(*one) for one in asked)))

    async def _final(self, who: Person, path: str) -> dict[str, Any]:
        while True:
            found = await self.insist("GET", path, who)
            assert found.status == 200, found
            if found.body["state"] in ("confirmed", "refused", "void"):
                return dict(found.body)
            await asyncio.sleep(0.05)

    async def balances(self) -> dict[str, int]:
        """What everybody has, in base units."""
        found = {}
        for one in self.everybody():
            answer = await self.insist("GET", f"balances/{TOKEN_SYMBOL}", one)
            assert answer.body["on_hold"] == "0", answer
            found[one.login] = parse_amount(answer.body["total"])
        return found

    def everybody(self) -> list[Person]:
        """All members that may have money."""
        return [*self.people, *(one for one in self.joined if one not in self.people)]

    async def listed(self, who: Person) -> set[str]:
        """The ids of all payments that the platform says this person made."""
        found: set[str] = set()
        cursor = ""
        while True:
            page = await self.insist("GET", f"transfers?limit=200{cursor}", who)
            mine = [one["id"] for one in page.body["items"] if one["direction"] == "outgoing"]
            assert found.isdisjoint(mine)
            found |= set(mine)
            if page.body["next"] is None:
                return found
            cursor = f"&cursor={page.body['next']}"

    def expected(self, promises: list[Promise]) -> dict[str, int]:
        """What everybody should have, in base units, if all promises were kept once."""
        balances = {one.login: 0 for one in self.joined} | self.opening
        for promise in promises:
            balances[promise.payee] += promise.units
            if promise.payer:
                balances[promise.payer] -= promise.units
        return balances


async def mined(rpc: str, senders: set[bytes], after: int) -> list[ChainTransaction]:
    """What the chain holds of these senders above block ``after``, in its order."""
    found: list[ChainTransaction] = []
    async with NodeClient(rpc) as client:
        for number in range(after + 1, await client.block_number() + 1):
            block = await client.block(number)
            assert block is not None
            found += [one for one in block.transactions if one.sender in senders]
    return found

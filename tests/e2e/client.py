"""A client of the JSON API for the tests of this folder: plain HTTP, in payment words."""

import itertools
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import httpx
import pyotp

from tests.processes import Running

_PHONES: Iterator[int] = itertools.count(int(time.time() * 10) % 10_000_000 + 20_000_000)
TIMEOUT_S = 90
MEMBER_PASSWORD = "correct horse"


def new_key() -> str:
    """An Idempotency-Key nobody has used."""
    return str(uuid.uuid4())


def new_phone() -> str:
    """A Korean mobile number no test has used."""
    return f"010{next(_PHONES) % 100_000_000:08d}"


def _codes(totp_secret: str) -> Iterator[str]:
    """Codes that are good now or will be soon, the earliest first: each is taken once."""
    app = pyotp.TOTP(totp_secret)
    first = int(time.time()) // app.interval - 1
    for step in range(first, first + 5):
        time.sleep(max(0.0, (step - 1) * app.interval - time.time()))
        yield app.generate_otp(step)


@dataclass
class Client:
    """Whoever speaks to one server; with a token, somebody who has signed in."""

    http: httpx.Client
    token: str = ""
    member_id: str = ""
    passphrase: str = ""
    phone: str = ""

    @classmethod
    def at(cls, url: str) -> Self:
        """A stranger."""
        limits = httpx.Limits(max_connections=100)
        return cls(httpx.Client(base_url=f"{url}/api/v1/", timeout=TIMEOUT_S, limits=limits))

    def call(
        self, method: str, path: str, body: Any = None, *, key: str = "", wait: int = 0
    ) -> httpx.Response:
        """One request."""
        headers = {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if key:
            headers["Idempotency-Key"] = key
        if wait:
            headers["Prefer"] = f"wait={wait}"
        return self.http.request(method, path, json=body, headers=headers)

    def get(self, path: str) -> Any:
        """The body of an answer that is 200."""
        response = self.call("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    def sign_in(
        self,
        member_id: str,
        password: str,
        passphrase: str = "",
        phone: str = "",
        totp_secret: str | None = None,
    ) -> Self:
        """The client of a member; with a second factor, by a code that was not used yet."""
        body = {"member_id": member_id, "password": password}
        response = self.call("POST", "session", body)
        for otp in _codes(totp_secret) if totp_secret else ():
            response = self.call("POST", "session", body | {"otp": otp})
            if response.status_code != 401:
                break
        assert response.status_code == 201, response.text
        return type(self)(self.http, response.json()["token"], member_id, passphrase, phone)

    def operator(self, running: Running) -> Self:
        """The demo operator of a platform, in one session for all who ask, while it lives.

        Each code of the app is good for one sign-in, so another might wait half a minute for one.
        """
        boss = running.person("operator")
        shared = type(self)(
            self.http, running.operator_token, boss["member_id"], phone=boss["phone"]
        )
        if shared.call("GET", "me").status_code == 401:  # none yet, or somebody has ended them all
            shared.token = running.operator_token = self.operator_anew(running).token
        return shared

    def operator_anew(self, running: Running) -> Self:
        """The demo operator in a session of its own, which may be ended."""
        boss = running.person("operator")
        secret, phone = boss["totp_secret"], boss["phone"]
        return self.sign_in(boss["member_id"], boss["password"], phone=phone, totp_secret=secret)

    def member(self, operator: "Client") -> "Client":
        """A new verified member with an active wallet."""
        name, phone = f"t-{uuid.uuid4().hex[:12]}", new_phone()
        body = {"member_id": name, "password": MEMBER_PASSWORD, "name": "김민지", "phone": phone}
        assert self.call("POST", "members", body).status_code == 201
        verified = operator.call("POST", f"operator/members/{name}/verify")
        assert verified.status_code == 200, verified.text
        me = self.sign_in(name, MEMBER_PASSWORD, "blue river 42 stones", phone)
        wallet = me.call("POST", "wallet", {"passphrase": me.passphrase}, wait=20)
        assert wallet.json()["state"] == "active", wallet.text
        return me

    def recipient(self, other: "Client") -> str:
        """The recipient_id of another member, found by phone number."""
        found = self.get(f"recipients?phone={other.phone}")
        return str(found[0]["recipient_id"])

    def order(self, other: "Client", token: str, amount: str, memo: str = "") -> dict[str, str]:
        """The body of a payment."""
        return {
            "recipient_id": self.recipient(other),
            "token": token,
            "amount": amount,
            "memo": memo,
            "passphrase": self.passphrase,
        }

    def pay(
        self, other: "Client", token: str, amount: str, *, key: str = "", wait: int = 20
    ) -> httpx.Response:
        """A payment, waiting until it is final."""
        order = self.order(other, token, amount)
        return self.call("POST", "transfers", order, key=key or new_key(), wait=wait)

    def on_token(self, action: str, **body: Any) -> dict[str, Any]:
        """As an operator: an operation on a token, waiting until it is confirmed."""
        response = self.call("POST", f"operator/tokens{action}", body, key=new_key(), wait=20)
        assert response.status_code == 201, response.text
        assert response.json()["state"] == "confirmed", response.text
        return dict(response.json())

    def new_token(self, amount: str = "1000000") -> str:
        """As an operator: a new token; its symbol."""
        symbol = "T" + uuid.uuid4().hex[:7].upper()
        self.on_token("", name=f"Token {symbol}", symbol=symbol, amount=amount)
        return symbol

    def mint(self, symbol: str, to: "Client", amount: str) -> None:
        """As an operator: new tokens for a member."""
        self.on_token(f"/{symbol}/mint", to=to.member_id, amount=amount)

    def balance(self, token: str) -> dict[str, Any]:
        """One balance."""
        return dict(self.get(f"balances/{token}"))

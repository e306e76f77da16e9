"""The platform as a client sees it: the JSON API, in payment words.

The demo and the demo people go through here, over real HTTP, as any other client does. An answer
that is not 2xx becomes ``ApiRefused`` with the problem's own code.
"""

import asyncio
import re
import time
from types import TracebackType
from typing import Any, Self

import aiohttp

from jigap.entropy import new_token
from jigap.refusal import Kind, Refusal

WAIT_S = 15  # how long one request may wait for a block
TIMEOUT_S = 40


class ApiRefused(Refusal):
    """The API answered with a problem; ``status``, ``problem_code`` and ``problem`` say which."""

    code = "api_refused"
    kind = Kind.CONFLICT

    def __init__(self, request: str, status: int, problem: dict[str, Any]) -> None:
        detail = problem.get("detail") or problem.get("title") or "no reason given"
        super().__init__(f"{request} was refused ({status}): {detail}", status=status)
        self.status = status
        self.problem_code = str(problem.get("code", ""))
        self.problem = problem


class Api:
    """One connection pool to ``{url}/api/v1``. Use it as an async context manager."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        self._session = aiohttp.ClientSession(timeout=timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        key: str = "",
        wait: int = 0,
    ) -> Any:
        """One request; the decoded answer, or ``ApiRefused``."""
        assert self._session is not None, "use Api as an async context manager"
        headers = {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = key
        if wait:
            headers["Prefer"] = f"wait={wait}"
        request = self._session.request(
            method, f"{self.url}/api/v1/{path}", json=body, headers=headers
        )
        async with request as response:
            answer = await response.json(content_type=None) if response.content_length != 0 else {}
            if not 200 <= response.status < 300:
                raise ApiRefused(f"{method} {path}", response.status, answer or {})
            return answer

    async def sign_up(self, member_id: str, password: str, name: str, phone: str) -> None:
        """A new member, not verified yet."""
        body = {"member_id": member_id, "password": password, "name": name, "phone": phone}
        await self.call("POST", "members", body)

    async def sign_in(self, member_id: str, password: str, otp: str | None = None) -> "Person":
        """Whoever has this password, with a session; ``otp`` for a second factor."""
        body = {"member_id": member_id, "password": password}
        if otp is not None:
            body["otp"] = otp
        token = (await self.call("POST", "session", body))["token"]
        return Person(self, member_id, str(token))

    async def token(self, symbol: str) -> dict[str, Any] | None:
        """The token of this symbol, if there is one."""
        page = await self.call("GET", "tokens")
        return next((one for one in page["items"] if one["symbol"] == symbol), None)


class Person:
    """A member who has signed in."""

    def __init__(self, api: Api, member_id: str, token: str) -> None:
        self._api = api
        self.member_id = member_id
        self._token = token

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return await self._api.call(method, path, body, token=self._token, **more)

    async def me(self) -> dict[str, Any]:
        return dict(await self.call("GET", "me"))

    async def make_wallet(self, passphrase: str) -> dict[str, Any]:
        """A wallet with its SymID, waiting for the block that registers it."""
        return dict(await self.call("POST", "wallet", {"passphrase": passphrase}, wait=WAIT_S))

    async def wallet_active(self) -> dict[str, Any]:
        """The member's wallet once it has its SymID."""
        end = time.monotonic() + WAIT_S
        while (wallet := (await self.me())["wallet"])["state"] != "active":
            if time.monotonic() > end:
                raise ApiRefused("GET me", 200, {"detail": "the wallet has no SymID yet"})
            await asyncio.sleep(0.1)
        return dict(wallet)

    async def change_passphrase(self, old: str, new: str) -> dict[str, Any]:
        return dict(await self.call("PUT", "wallet/passphrase", {"old": old, "new": new}))

    async def balance(self, symbol: str) -> dict[str, Any]:
        return dict(await self.call("GET", f"balances/{symbol}"))

    async def recipient(self, phone: str) -> dict[str, Any]:
        """Who is behind a phone number. Raises ``ApiRefused`` when nobody is."""
        found = await self.call("GET", f"recipients?phone={phone.replace('+', '%2B')}")
        if not found:
            raise ApiRefused("GET recipients", 404, {"detail": f"nobody has {phone}"})
        return dict(found[0])

    async def pay(
        self,
        recipient_id: str,
        symbol: str,
        amount: str,
        passphrase: str,
        *,
        key: str,
        memo: str = "",
    ) -> dict[str, Any]:
        """One payment, waiting until it is final."""
        body = {
            "recipient_id": recipient_id,
            "token": symbol,
            "amount": amount,
            "passphrase": passphrase,
            **({"memo": memo} if memo else {}),
        }
        return dict(await self.call("POST", "transfers", body, key=key, wait=WAIT_S))

    async def transfer(self, id_: str) -> dict[str, Any]:
        return dict(await self.call("GET", f"transfers/{id_}", wait=WAIT_S))

    async def transfers(self) -> dict[str, Any]:
        """The first page of this member's payments, newest first."""
        return dict(await self.call("GET", "transfers?limit=200"))

    async def request_check(self, name: str, phone: str, birth: str, sex: str) -> dict[str, Any]:
        """A real-name check; the agency sends a code to the phone."""
        body = {"name": name, "phone": phone, "birth": birth, "sex": sex}
        return dict(await self.call("POST", "realname", body))

    async def confirm_check(self, id_: str, code: str) -> dict[str, Any]:
        return dict(await self.call("POST", f"realname/{id_}/confirm", {"code": code}))

    async def verify(self, member_id: str, name: str, phone: str) -> None:
        """As an operator: this member has this name and this phone number."""
        body = {"name": name, "phone": phone}
        await self.call("POST", f"operator/members/{member_id}/verify", body)

    async def create_token(self, name: str, symbol: str, amount: str, *, key: str) -> Any:
        """As an operator: a new token, ``amount`` of it in the platform's own account."""
        body = {"name": name, "symbol": symbol, "amount": amount}
        return await self.call("POST", "operator/tokens", body, key=key, wait=WAIT_S)

    async def mint(self, symbol: str, to: str, amount: str, *, key: str) -> Any:
        """As an operator: issue more, to a member."""
        body = {"to": to, "amount": amount}
        path = f"operator/tokens/{symbol}/mint"
        return await self.call("POST", path, body, key=key, wait=WAIT_S)


def new_key() -> str:
    """An idempotency key such as a client makes when its confirm sheet opens."""
    return new_token(16)


async def read_code(inbox: str, phone: str) -> str:
    """The code in the newest message on a simulated phone. Raises ``ApiRefused``."""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
        session.get(inbox, params={"phone": phone}) as answer,
    ):
        messages = (await answer.json())["messages"]
    found = re.search(r"\b[0-9]{6}\b", messages[0]["text"]) if messages else None
    if found is None:
        raise ApiRefused("GET inbox", 404, {"detail": f"no code on {phone}"})
    return found[0]

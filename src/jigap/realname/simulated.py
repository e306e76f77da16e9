"""A simulated real-name agency: a program of its own that speaks the agency's wire format.

    jigap simulate agency --port 0

It believes everybody. What goes wrong is decided by the last four digits of the phone number
(``ENDINGS``), or for every number at once by its mode: ``PUT /simulated/mode`` with
``{"mode":…, "times":…}`` changes it; after ``times`` requests the agency behaves well again.

Codes go to a simulated phone, which is read at ``/inbox?phone=``: JSON for programs, a page for a
browser. With Solapi in the settings they go to real phones instead.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from jigap import entropy
from jigap.clock import Clock
from jigap.realname import codes, signing
from jigap.realname.codes import Challenge, Verdict
from jigap.realname.sms import PerhapsTaken, Received, SimulatedInbox, Sms, SmsSender, Taken

DEVELOPMENT_SECRET = "jigap-development-agency"
REMEMBERED_MAX = 10_000
LATE_S = 3.0

#: Endings of phone numbers, and what happens to whoever has such a number.
ENDINGS: Mapping[str, str] = {
    "9001": "mismatch: name, birth date and number are not one person's",
    "9002": "declined: the agency refuses without a reason",
    "9003": "timeout: the agency takes the request and never answers",
    "9004": "no SMS: the agency says that it sent a code, and none arrives",
    "9005": f"late SMS: the code arrives {LATE_S:.0f} seconds later",
    "9006": "lost: the code is sent, and the connection breaks before the answer",
    "9007": "unavailable: the agency answers 503",
    "9008": "confirmation lost: the right code counts, and the connection breaks before the answer",
}
#: Every way to behave towards everybody.
MODES: Mapping[str, str] = {
    "normal": "answers as documented, endings aside",
    "unavailable": "answers 503 and does nothing",
    "timeout": "takes the request and never answers",
    "lost": "does what it is asked, then breaks the connection",
    "unsigned": "does what it is asked, and answers without a signature",
    "nonsense": "does what it is asked, and answers with signed nonsense",
    "forgetful": "forgets every check",
}
_VERDICTS = {
    Verdict.RIGHT: "CONFIRMED",
    Verdict.WRONG: "WRONG_CODE",
    Verdict.BURNT: "BURNT",
    Verdict.EXPIRED: "EXPIRED",
    Verdict.USED: "ALREADY_USED",
}
K = TypeVar("K")
V = TypeVar("V")


class _Asked(msgspec.Struct, frozen=True):
    """The body that asks for a code."""

    requestId: str
    name: str
    phone: str
    birth: str
    sex: str
    carrier: str | None = None


class _Typed(msgspec.Struct, frozen=True):
    """The body that asks about a code."""

    requestId: str
    code: str


@dataclass(slots=True)
class _Check:
    """One person's check, as the agency remembers it."""

    transaction_id: str
    fingerprint: bytes
    ending: str
    reply: dict[str, Any]
    challenge: Challenge | None = None
    tries: dict[str, dict[str, Any]] = field(default_factory=dict)  # try id -> what was answered


class _No(Exception):
    """A request that is refused before it is looked at."""

    def __init__(self, status: int, result: str) -> None:
        self.status, self.result = status, result


class SimulatedAgency:
    """The agency's two calls, the simulated phone, and a switch for faults."""

    def __init__(
        self,
        clock: Clock,
        *,
        secret: str = DEVELOPMENT_SECRET,
        sender: SmsSender | None = None,
        late_s: float = LATE_S,
    ) -> None:
        """``sender`` brings the codes to phones; by default they stay in the inbox."""
        self._clock = clock
        self._secret = secret.encode()
        self.inbox = SimulatedInbox(clock.now_ms)
        self._sender: SmsSender = sender or self.inbox
        self._late_s = late_s
        self._mode = "normal"
        self._times: int | None = None
        self._checks: dict[str, _Check] = {}  # by request id
        self._by_transaction: dict[str, _Check] = {}
        self._nonces: dict[str, int] = {}
        self._later: set[asyncio.Task[Any]] = set()
        self.application = web.Application(client_max_size=64 * 1024)
        self.application.add_routes(
            [
                web.get("/", self._home),
                web.get("/inbox", self._show_inbox),
                web.post("/v1/realname/requests", self._request),
                web.post("/v1/realname/requests/{transaction}/confirm", self._confirm),
                web.get("/simulated/mode", self._show_mode),
                web.put("/simulated/mode", self._set_mode),
            ]
        )
        self.application.on_cleanup.append(self._close)

    # --- the agency

    async def _request(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, self._asked)

    async def _confirm(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, self._typed)

    async def _answer(
        self,
        request: web.Request,
        act: Callable[[web.Request, bytes], Awaitable[tuple[str, dict[str, Any]]]],
    ) -> web.StreamResponse:
        """Check the signature, act, and answer as mode and ending will have it."""
        content = await request.read()
        nonce = request.headers.get(signing.NONCE, "")
        try:
            self._authenticate(request, content, nonce)
            mode = self._next_mode()
            if mode in ("timeout", "unavailable"):
                return await self._misbehave(mode, request, nonce)
            if mode == "forgetful":
                self._checks.clear()
                self._by_transaction.clear()
            trouble, reply = await act(request, content)
        except _No as no:
            return self._signed(no.status, {"result": no.result}, nonce)
        trouble = mode if mode in ("lost", "unsigned", "nonsense") else trouble
        if trouble:
            return await self._misbehave(trouble, request, nonce, reply)
        return self._signed(200, reply, nonce)

    def _authenticate(self, request: web.Request, content: bytes, nonce: str) -> None:
        timestamp = request.headers.get(signing.TIMESTAMP, "")
        expected = signing.of_request(
            self._secret, request.method, request.rel_url.raw_path, timestamp, nonce, content
        )
        if not signing.matches(expected, request.headers.get(signing.SIGNATURE)):
            raise _No(401, "BAD_SIGNATURE")
        now_ms = self._clock.now_ms()
        if not timestamp.isdigit() or abs(now_ms - int(timestamp)) > signing.SKEW_MAX_MS:
            raise _No(401, "STALE")
        oldest_ms = now_ms - 2 * signing.SKEW_MAX_MS
        self._nonces = {one: at for one, at in self._nonces.items() if at > oldest_ms}
        if nonce in self._nonces:
            raise _No(401, "NONCE_USED")
        self._nonces[nonce] = now_ms

    async def _asked(self, request: web.Request, content: bytes) -> tuple[str, dict[str, Any]]:
        asked = _decoded(content, _Asked)
        ending = asked.phone[-4:]
        if ending == "9003":
            await asyncio.sleep(3600)
        if ending == "9007":
            return "unavailable", {}
        fingerprint = hashlib.sha256(msgspec.json.encode(asked)).digest()
        check = self._checks.get(asked.requestId)
        if check is None:
            check = await self._begin(asked, ending, fingerprint)
        if check.fingerprint != fingerprint:
            raise _No(409, "REQUEST_CHANGED")
        return ("lost" if ending == "9006" else ""), check.reply

    async def _begin(self, asked: _Asked, ending: str, fingerprint: bytes) -> _Check:
        """A new check; whatever becomes of it, asking again gives the same answer."""
        transaction_id = entropy.new_id("ag", self._clock.now_ms())
        no = {"9001": "MISMATCH", "9002": "DECLINED"}.get(ending)
        reply = {
            "requestId": asked.requestId,
            "transactionId": transaction_id,
            "result": no or "CODE_SENT",
        }
        check = _Check(transaction_id, fingerprint, ending, reply)
        _remember(self._checks, asked.requestId, check)
        _remember(self._by_transaction, transaction_id, check)
        if no is None:
            check.challenge = codes.challenge(
                entropy.random_bytes(codes.RANDOM_BYTES), self._clock.now_ms()
            )
            if not await self._send(asked.phone, check.challenge.code, ending):
                del self._checks[asked.requestId]
                raise _No(503, "SMS_FAILED")
        return check

    async def _send(self, phone: str, code: str, ending: str) -> bool:
        """Whether the code may arrive."""
        message = Sms(phone, f"[jigap] 인증번호 {code} (타인에게 알려주지 마세요)")
        if ending == "9004":
            return True
        if ending == "9005":
            task = asyncio.create_task(self._send_late(message))
            self._later.add(task)
            task.add_done_callback(self._later.discard)
            return True
        return isinstance(await self._sender.send(message), Taken | PerhapsTaken)

    async def _send_late(self, message: Sms) -> None:
        await asyncio.sleep(self._late_s)
        await self._sender.send(message)

    async def _typed(self, request: web.Request, content: bytes) -> tuple[str, dict[str, Any]]:
        typed = _decoded(content, _Typed)
        check = self._by_transaction.get(request.match_info["transaction"])
        if check is None or check.challenge is None:
            return "", {"requestId": typed.requestId, "result": "UNKNOWN"}
        if typed.requestId not in check.tries:
            now_ms = self._clock.now_ms()
            verdict, check.challenge = codes.judge(check.challenge, typed.code, now_ms)
            answered = {"requestId": typed.requestId, "result": _VERDICTS[verdict]}
            check.tries[typed.requestId] = answered
            if check.ending == "9008" and verdict is Verdict.RIGHT:
                return "lost", answered
        return "", check.tries[typed.requestId]

    # --- faults

    async def _misbehave(
        self, how: str, request: web.Request, nonce: str, reply: dict[str, Any] | None = None
    ) -> web.StreamResponse:
        if how == "timeout":
            await asyncio.sleep(3600)
        if how == "unavailable":
            return self._signed(503, {"result": "UNAVAILABLE"}, nonce)
        if how == "nonsense":
            return self._signed(200, {"result": ["?"]}, nonce)
        if how == "unsigned":
            return web.json_response(reply)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def _signed(self, status: int, body: dict[str, Any], nonce: str) -> web.Response:
        content = msgspec.json.encode(body)
        headers = {signing.SIGNATURE: signing.of_answer(self._secret, nonce, status, content)}
        return web.Response(
            body=content, status=status, headers=headers, content_type="application/json"
        )

    def _next_mode(self) -> str:
        mode = self._mode
        if self._times is not None:
            self._times -= 1
            if self._times <= 0:
                self._mode, self._times = "normal", None
        return mode

    async def _show_mode(self, request: web.Request) -> web.Response:
        return web.json_response({"mode": self._mode, "times": self._times})

    async def _set_mode(self, request: web.Request) -> web.Response:
        wish = await request.json()
        if wish.get("mode") not in MODES:
            return web.json_response({"modes": dict(MODES)}, status=400)
        self._mode, self._times = wish["mode"], wish.get("times")
        return await self._show_mode(request)

    # --- the simulated phone

    async def _home(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/inbox")

    async def _show_inbox(self, request: web.Request) -> web.Response:
        phone = request.query.get("phone") or None
        found = self.inbox.messages(phone)
        if "text/html" in request.headers.get("Accept", ""):
            headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
            return web.Response(text=_page(phone, found), content_type="text/html", headers=headers)
        messages = [
            {"phone": one.phone, "text": one.text, "received_at": _time(one.received_ms)}
            for one in found
        ]
        return web.json_response({"phone": phone, "messages": messages})

    async def _close(self, _: web.Application) -> None:
        for task in list(self._later):
            task.cancel()
        await self._sender.close()


def _decoded(content: bytes, type_: type[V]) -> V:
    try:
        return msgspec.json.decode(content, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _No(400, "BAD_REQUEST") from None


def _remember(memory: dict[K, V], key: K, value: V) -> None:
    """The oldest is forgotten when there are too many."""
    if len(memory) >= REMEMBERED_MAX:
        memory.pop(next(iter(memory)))
    memory[key] = value


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_STYLE = """
:root{color-scheme:light dark;--paper:#f6f5f1;--card:#fff;--ink:#17211f;--soft:#5b6663;
--edge:#dddcd6;--accent:#0f766e}
@media(prefers-color-scheme:dark){:root{--paper:#101615;--card:#1a2120;--ink:#eef2f0;--soft:#9aa5a1;
--edge:#2c3533;--accent:#5eead4}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:30rem;padding:2rem 1.25rem;background:var(--paper);color:var(--ink);
font:1rem/1.6 system-ui,"Noto Sans KR",sans-serif}
h1{margin:0 0 1.5rem;font-size:1.35rem;line-height:1.3}
h1 small{display:block;color:var(--soft);font-size:.9rem;font-weight:400}
form{display:flex;flex-wrap:wrap;gap:.5rem;align-items:end}
label{flex:1 1 12rem;color:var(--soft);font-size:.85rem}
input{display:block;width:100%;min-height:2.75rem;padding:0 .75rem;border:1px solid var(--edge);
border-radius:.6rem;background:var(--card);color:var(--ink);font:inherit;font-size:1rem}
button{min-height:2.75rem;padding:0 1rem;border:0;border-radius:.6rem;background:var(--accent);
color:var(--paper);font:inherit;font-weight:600}
ul{margin:1.5rem 0 0;padding:0;list-style:none}
li{margin-bottom:.75rem;padding:.9rem 1rem;border:1px solid var(--edge);border-radius:.9rem;
background:var(--card);overflow-wrap:anywhere}
li p{margin:.25rem 0 0;font-size:1.05rem}
time{float:right;color:var(--soft);font-size:.85rem}
"""


def _page(phone: str | None, found: list[Received]) -> str:
    rows = "".join(
        f"<li><time>{_time(one.received_ms)}</time> <b>{escape(one.phone)}</b>"
        f"<p>{escape(one.text)}</p></li>"
        for one in found
    )
    return (
        '<!doctype html><html lang="ko"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>Simulated phone · 가상 휴대폰</title>"
        f"<style>{_STYLE}</style>"
        "<h1>Simulated phone<small>가상 휴대폰</small></h1>"
        '<form><label>Number · 전화번호 <input name="phone" inputmode="tel" value="'
        f'{escape(phone or "")}"></label> <button>Show · 보기</button></form>'
        f"<ul>{rows or '<li>No messages · 메시지가 없습니다</li>'}</ul></html>"
    )

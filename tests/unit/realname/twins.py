"""Local twins of PortOne's and Solapi's endpoints that our adapters use, as their SDKs expect."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

TIME = "2026-11-22T00:00:00Z"


def installed(package: str) -> None:
    """Skip loudly where an optional package is not there; fail where CI is set."""
    import importlib.util

    from tests.conftest import cannot_be_had

    if importlib.util.find_spec(package) is None:
        cannot_be_had(f"{package} is not installed")


class PortOneTwin:
    """Identity verifications in memory."""

    def __init__(self) -> None:
        self.code = "112233"
        self.sent: dict[str, dict[str, Any]] = {}
        self.verified: dict[str, dict[str, Any]] = {}
        self.messages = 0
        self.lose_next = False
        self.refuse_with: tuple[int, dict[str, Any]] | None = None
        self.application = web.Application()
        self.application.add_routes(
            [
                web.post("/identity-verifications/{id}/send", self._send),
                web.post("/identity-verifications/{id}/confirm", self._confirm),
                web.get("/identity-verifications/{id}", self._get),
            ]
        )

    async def _send(self, request: web.Request) -> web.StreamResponse:
        if (no := self._no(request)) is not None:
            return no
        id_, body = request.match_info["id"], await request.json()
        if id_ in self.sent:
            return _problem(409, "IDENTITY_VERIFICATION_ALREADY_SENT")
        customer = body["customer"]
        assert body["method"] == "SMS"
        if customer["name"] == "홍길동":
            return _problem(502, "PG_PROVIDER", pgCode="B130", pgMessage="본인인증 실패")
        self.sent[id_] = body
        self.messages += 1
        return self._maybe_lost(request, {})

    async def _confirm(self, request: web.Request) -> web.StreamResponse:
        if (no := self._no(request)) is not None:
            return no
        id_, body = request.match_info["id"], await request.json()
        if id_ in self.verified:
            return _problem(409, "IDENTITY_VERIFICATION_ALREADY_VERIFIED")
        if id_ not in self.sent:
            return _problem(404, "IDENTITY_VERIFICATION_NOT_FOUND")
        if body["otp"] != self.code:
            return _problem(502, "PG_PROVIDER", pgCode="B131", pgMessage="인증번호 불일치")
        self.verified[id_] = self._verification(id_)
        return self._maybe_lost(request, {"identityVerification": self.verified[id_]})

    async def _get(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self.verified[request.match_info["id"]])

    def _verification(self, id_: str) -> dict[str, Any]:
        customer = self.sent[id_]["customer"]
        number = customer["identityNumber"]
        century = "19" if number[6] in "1256" else "20"
        return {
            "status": "VERIFIED",
            "id": id_,
            "verifiedCustomer": {
                "name": customer["name"],
                "phoneNumber": customer["phoneNumber"],
                "birthDate": f"{century}{number[:2]}-{number[2:4]}-{number[4:6]}",
            },
            "requestedAt": TIME,
            "updatedAt": TIME,
            "statusChangedAt": TIME,
            "verifiedAt": TIME,
            "pgTxId": "pg-1",
            "pgRawResponse": "{}",
            "version": "V2",
        }

    def _no(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != "PortOne portone-secret":
            return _problem(401, "UNAUTHORIZED")
        if self.refuse_with is not None:
            status, body = self.refuse_with
            return web.json_response(body, status=status)
        return None

    def _maybe_lost(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if self.lose_next:
            self.lose_next = False
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(body)


class SolapiTwin:
    """Messages in memory."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.authorizations: list[str] = []
        self.answer = "taken"
        self.application = web.Application()
        self.application.add_routes([web.post("/messages/v4/send-many/detail", self._send)])

    async def _send(self, request: web.Request) -> web.StreamResponse:
        self.authorizations.append(request.headers["Authorization"])
        (message,) = (await request.json())["messages"]
        match self.answer:
            case "refused":
                return web.json_response(
                    {"errorCode": "InvalidAPIKey", "errorMessage": "x"}, status=403
                )
            case "broken":
                return web.Response(status=500, text="oops")
            case "lost":
                self.taken.append(message)
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "failed":
                return web.json_response(_group(message, failed=True))
        self.taken.append(message)
        return web.json_response(_group(message, failed=False))


def _group(message: dict[str, Any], *, failed: bool) -> dict[str, Any]:
    """An answer of the published API, whatever the SDK's models ask for."""
    count = dict.fromkeys(
        ("total", "sentTotal", "sentSuccess", "sentPending", "sentReplacement", "refund"), 0
    )
    count |= {"total": 1, "registeredFailed": int(failed), "registeredSuccess": int(not failed)}
    cash = dict.fromkeys(("requested", "replacement", "refund", "sum"), 0)
    group = {
        "count": count,
        "countForCharge": {},
        "balance": cash,
        "point": cash,
        "app": {"profit": {}, "appId": None},
        "log": [],
        "status": "SENDING",
        "allowDuplicates": False,
        "isRefunded": False,
        "accountId": "1",
        "masterAccountId": None,
        "apiVersion": "4",
        "groupId": "G1",
        "price": {},
        "dateCreated": TIME,
        "dateUpdated": TIME,
        "scheduledDate": None,
        "dateSent": None,
        "dateCompleted": None,
        "sdkVersion": "x",
        "osPlatform": "x",
        "strategy": None,
        "_id": "G1",
    }
    lost = {
        "to": message["to"],
        "from": message["from"],
        "type": "SMS",
        "statusMessage": "x",
        "country": "82",
        "messageId": "M1",
        "statusCode": "1062",
        "accountId": "1",
    }
    return {"failedMessageList": [lost] if failed else [], "groupInfo": group}


def _problem(status: int, type_: str, **more: Any) -> web.Response:
    return web.Response(
        status=status, text=json.dumps({"type": type_, **more}), content_type="application/json"
    )


@asynccontextmanager
async def serving(twin: Any) -> AsyncIterator[str]:
    """The twin's address."""
    server = TestServer(twin.application)
    await server.start_server(shutdown_timeout=0.1)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()

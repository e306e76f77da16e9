"""A simulated certificate authority: a program of its own that speaks both documented HTTP APIs.

    python -m jigap.ca.simulated --port 0
    python -m jigap.ca.simulated --port 8080 --node http://127.0.0.1:8545 --ca-key ca.json

Without a node it keeps its register in memory. With a node and a CA key file (JSON with ``symid``
and ``private_key``, for its owner only) it registers real citizens by signed citizen transactions.
When it listens it prints one line, ``{"ready":true,"url":…}``.

``--mode`` sets how it behaves, and ``PUT /simulated/mode`` with ``{"mode":…, "times":…}`` changes
that while it runs; after ``times`` requests it behaves well again.
"""

import argparse
import asyncio
import json
import re
import signal
import stat
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

from jigap.ca.authority import (
    DUPLICATE_KEY,
    AlreadyIssued,
    Answer,
    CertificateAuthority,
    CitizenRequest,
    InDoubt,
    Issued,
    RefusedByCa,
)
from jigap.ca.embedded import EmbeddedCa, new_symid
from jigap.chain import symid
from jigap.chain.citizen import Verification
from jigap.chain.hashing import sha3_256
from jigap.chain.signature import PrivateKey
from jigap.node.client import NodeClient

#: Every way to behave, and what it means.
MODES: dict[str, str] = {
    "normal": "answers as documented",
    "duplicate": "says that the key is registered already, whatever the key",
    "unauthorized": "answers 401",
    "timeout": "takes the request and never answers",
    "malformed": "registers, then answers 200 with something that is not JSON",
    "nonsense": "registers, then answers 200 with JSON of another shape",
    "lost": "registers, then breaks the connection before the answer",
    "unavailable": "answers 503 without registering",
}
_DEVELOPMENT_SECRET = "0123456789abcdef0123456789abcdef"
_KEY_HASH = re.compile(r"(?:0x)?([0-9a-fA-F]{40})", re.ASCII)


class MemoryCa:
    """A register that nobody else sees."""

    def __init__(self, ca_id: int = 2) -> None:
        self._ca_id = ca_id
        self.register: dict[bytes, bytes] = {}

    async def issue(self, request: CitizenRequest) -> Answer:
        """A SymID for a key that has none."""
        if request.public_key_hash in self.register:
            return AlreadyIssued()
        issued = self.register[request.public_key_hash] = new_symid(self._ca_id)
        return Issued(issued, sha3_256(issued + request.public_key_hash))

    async def close(self) -> None:
        """Nothing is held open."""


class SimulatedCa:
    """Both APIs in front of one authority, with faults on request."""

    def __init__(
        self, authority: CertificateAuthority, *, secret: str, mode: str = "normal"
    ) -> None:
        self._authority = authority
        self._secret = secret
        self._mode = mode
        self._times: int | None = None
        self.application = web.Application(client_max_size=64 * 1024)
        self.application.add_routes(
            [
                web.post("/ca/v1/citizenInfo", self._citizen_info),
                web.post("/caii/d1/{secret}/account/new/{key_hash}", self._partner),
                web.get("/simulated/mode", self._show_mode),
                web.put("/simulated/mode", self._set_mode),
            ]
        )

    async def _citizen_info(self, request: web.Request) -> web.StreamResponse:
        asked = _read_citizen_info(await request.read())
        if asked is None:
            return _citizen_info_no(400, "BAD_REQUEST", "invalid request")
        mode = self._next_mode()
        if mode == "unauthorized":
            return _citizen_info_no(401, "UNAUTHORIZED", "unauthorized")
        if mode == "unavailable":
            return _citizen_info_no(503, "SERVICE_UNAVAILABLE", "try again later")
        answer = await self._asked(mode, asked, request)
        if isinstance(answer, web.StreamResponse):
            return answer
        match answer:
            case Issued(issued, _):
                return web.json_response(_citizen_info_yes(issued, asked))
            case AlreadyIssued():
                return _citizen_info_no(400, "BAD_REQUEST", DUPLICATE_KEY)
            case InDoubt(reason):
                return _citizen_info_no(503, "SERVICE_UNAVAILABLE", reason)
            case RefusedByCa(reason):
                return _citizen_info_no(400, "BAD_REQUEST", reason)

    async def _partner(self, request: web.Request) -> web.StreamResponse:
        mode = self._next_mode()
        if request.match_info["secret"] != self._secret or mode == "unauthorized":
            return web.json_response({"message": "unauthorized", "result": None}, status=401)
        match = _KEY_HASH.fullmatch(request.match_info["key_hash"])
        if match is None:
            return _partner_no(400, "invalid pub_key_hash")
        if mode == "unavailable":
            return _partner_no(503, "try again later")
        asked = CitizenRequest(0, "", "", bytes.fromhex(match[1]), int(Verification.PHONE))
        answer = await self._asked(mode, asked, request)
        if isinstance(answer, web.StreamResponse):
            return answer
        match answer:
            case Issued(issued, transaction_hash):
                assert transaction_hash is not None
                result = {"symid": symid.to_hex(issued), "txhash": "0x" + transaction_hash.hex()}
                return web.json_response({"message": "NewSymIdReturn", "result": result})
            case AlreadyIssued():
                return _partner_no(400, DUPLICATE_KEY)
            case InDoubt(reason):
                return _partner_no(503, reason)
            case RefusedByCa(reason):
                return _partner_no(400, reason)

    async def _asked(
        self, mode: str, asked: CitizenRequest, request: web.Request
    ) -> Answer | web.StreamResponse:
        """Register as the mode says; a response when the mode decides that too."""
        if mode == "duplicate":
            return AlreadyIssued()
        if mode == "timeout":
            await asyncio.sleep(3600)
        answer = await self._authority.issue(asked)
        if mode == "malformed":
            return web.Response(text="<html>Welcome</html>", content_type="application/json")
        if mode == "nonsense":
            return web.json_response({"httpStatus": "OK", "message": "success", "result": [1]})
        if mode == "lost":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer

    async def _show_mode(self, request: web.Request) -> web.Response:
        return web.json_response({"mode": self._mode, "times": self._times})

    async def _set_mode(self, request: web.Request) -> web.Response:
        wish = await request.json()
        if wish.get("mode") not in MODES:
            return web.json_response({"modes": MODES}, status=400)
        self._mode, self._times = wish["mode"], wish.get("times")
        return await self._show_mode(request)

    def _next_mode(self) -> str:
        mode = self._mode
        if self._times is not None:
            self._times -= 1
            if self._times <= 0:
                self._mode, self._times = "normal", None
        return mode


def _read_citizen_info(body: bytes) -> CitizenRequest | None:
    """The request of the paper's API; its ``id`` may be a number or digits in a string."""
    try:
        found = json.loads(body)
        match = _KEY_HASH.fullmatch(found["publicKeyHash"])
        if match is None or found["verificationType"] != "CELL_PHONE":
            return None
        return CitizenRequest(
            number=int(found["id"]),
            phone=str(found["mobileNum"]),
            name=str(found["userNm"]),
            public_key_hash=bytes.fromhex(match[1]),
            v_flag=int(Verification.PHONE),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _citizen_info_yes(issued: bytes, asked: CitizenRequest) -> dict[str, Any]:
    """The answer of the published sample, without its dates."""
    citizen = {
        "id": asked.number,
        "citizenId": symid.citizen_id(issued).hex(),
        "seqNum": issued[8:].hex(),
        "publicKeyHash": asked.public_key_hash.hex(),
        "role": "General",
        "verificationFlag": "CELL_PHONE",
        "state": "ACTIVE",
        "credit": "00",
        "country": "KOREA_REPUBLIC_OF",
        "refCode": "00000001",
        "delYn": "N",
    }
    result = {"symId": issued.hex(), "citizenBlockList": [citizen]}
    return {"httpStatus": "OK", "message": "success", "result": result}


def _citizen_info_no(status: int, word: str, message: str) -> web.Response:
    body = {"httpStatus": word, "message": message, "result": None}
    return web.json_response(body, status=status)


def _partner_no(status: int, message: str) -> web.Response:
    return web.json_response({"message": message, "result": None}, status=status)


def read_ca_key(path: Path) -> tuple[bytes, PrivateKey]:
    """The SymID and the key of a CA from its file. Raises ``OSError`` or ``ValueError``."""
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ValueError(f"{path} may be read by others: chmod 600")
    found = json.loads(path.read_text())
    secret = bytes.fromhex(found["private_key"].removeprefix("0x"))
    return symid.parse(found["symid"]), PrivateKey(secret)


async def serve(options: argparse.Namespace) -> None:
    """Listen until SIGTERM or SIGINT."""
    client = NodeClient(options.node) if options.node else None
    authority: CertificateAuthority = MemoryCa()
    if client is not None:
        ca, key = read_ca_key(options.ca_key)
        authority = EmbeddedCa(client, key, ca, await client.chain_id())
    simulated = SimulatedCa(authority, secret=options.secret, mode=options.mode)
    runner = web.AppRunner(simulated.application, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, options.host, options.port)
    await site.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    port = runner.addresses[0][1]
    url = f"http://{options.host}:{port}"
    sys.stdout.write(json.dumps({"ready": True, "url": url}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await runner.cleanup()
    if client is not None:
        await client.close()


def main(arguments: list[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m jigap.ca.simulated",
        description="A simulated certificate authority that speaks both HTTP APIs.",
        epilog="modes: " + "; ".join(f"{name}: {what}" for name, what in MODES.items()),
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 means any free port")
    parser.add_argument("--mode", choices=sorted(MODES), default="normal")
    parser.add_argument("--secret", default=_DEVELOPMENT_SECRET, help="of the partner API")
    parser.add_argument("--node", help="JSON-RPC address; citizens are registered there")
    parser.add_argument("--ca-key", type=Path, help='JSON file {"symid":…,"private_key":…}')
    options = parser.parse_args(arguments)
    if (options.node is None) != (options.ca_key is None):
        parser.error("--node and --ca-key go together")
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()

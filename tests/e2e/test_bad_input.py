"""What nobody should send, sent over real sockets: refused clearly, and nothing is lost by it.

To the platform, as a stranger and as a payer; what is sent to the node is in ``test_bad_calls``.
Afterwards nobody has less money and the log tells of no mistake of ours.
"""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from jigap.web.site import BODY_MAX_BYTES
from tests import processes
from tests.e2e.client import Client, new_key
from tests.e2e.test_cli_up import arguments


@dataclass
class Counter:
    """A payer with ten tokens, and the order of a payment that would be good."""

    payer: Client
    order: dict[str, str]
    token: str

    def post(self, content: bytes, path: str = "transfers", **headers: Any) -> httpx.Response:
        """Bytes as they are, under a new key unless one is given."""
        given = {
            "Authorization": f"Bearer {self.payer.token}",
            "Content-Type": "application/json",
            "Idempotency-Key": new_key(),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.payer.http.post(path, content=content, headers=given)

    def with_(self, **change: Any) -> bytes:
        return json.dumps(self.order | change).encode()


@pytest.fixture(scope="module")
def counter(shared_platform: processes.Running) -> Iterator[Counter]:
    stranger = Client.at(shared_platform.url)
    operator = stranger.operator(shared_platform)
    payer, seller = stranger.member(operator), stranger.member(operator)
    token = operator.new_token()
    operator.mint(token, payer, "10")
    yield Counter(payer, payer.order(seller, token, "1"), token)
    assert payer.balance(token) == payer.balance(token) | {"available": "10", "on_hold": "0"}
    assert payer.get("transfers")["items"] == []
    assert [line for line in shared_platform.errors if "a bug" in line] == []
    stranger.http.close()


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem, in the shape that every problem has."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = dict(answer.json())
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert problem["hint"] and problem["status"] == status
    return problem


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{}}",
        b"nonsense",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"\0",
        b"[" * 5_000,
        b'{"memo":' * 3_000,
        b'{"amount":NaN}',
        b'{"amount":Infinity}',
        b'{"amount":1e400}',
        b'{"memo":"\\ud800"}',
        b'{"memo":"\\u12"}',
        b'{"memo":"\x07"}',
    ],
)
def test_what_is_not_json_is_refused(counter: Counter, content: bytes) -> None:
    refused(counter.post(content), 400, "request_malformed")


@pytest.mark.parametrize("content", [b"", b"[]", b"5", b"null", b'"text"', b"{}"])
def test_what_is_not_an_order_is_refused(counter: Counter, content: bytes) -> None:
    refused(counter.post(content), 422, "request_invalid")


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 5},
        {"amount": -5},
        {"amount": 1.5},
        {"amount": 10**400},
        {"amount": ["1"]},
        {"amount": {"value": "1"}},
        {"amount": True},
        {"amount": "1" * 98},
        {"memo": None},
        {"memo": 5},
        {"memo": "x" * 2_001},
        {"token": 20},
        {"token": "T" * 43},
        {"token": "DEMO\u0007"},
        {"recipient_id": 7},
        {"recipient_id": "rc_" + "A" * 400},
        {"recipient_id": "rc_\u0000"},
        {"passphrase": None},
        {"passphrase": "x" * 1_025},
        {"acknowledged": "yes"},
        {"sender": "somebody else"},
        {"fee": "0"},
        {"__proto__": {}},
    ],
)
def test_wrong_types_and_unknown_fields_are_named(counter: Counter, change: dict[str, Any]) -> None:
    problem = refused(counter.post(counter.with_(**change)), 422, "request_invalid")
    (name,) = change
    assert any(name in str(error) for error in problem["errors"]), problem


@pytest.mark.parametrize(
    "amount",
    [
        *("", "-1", "+1", "-0", " 1", "1 ", "1\n", ".5", "1.", "00", "01", "1,5", "1_000", "0x10"),
        *("1e5", "1E5", "NaN", "nan", "Infinity", "-Infinity", "٣", "１", "½", "\u200b1"),
        *("0.0000000000000000001", "1" + "0" * 60, "1" + "0" * 77, "9" * 97),
    ],
)
def test_an_amount_that_is_not_one_is_refused(counter: Counter, amount: str) -> None:
    refused(counter.post(counter.with_(amount=amount)), 422, "amount_malformed")


@pytest.mark.parametrize(
    ("amount", "status", "code"),
    [
        ("0", 422, "amount_zero"),
        ("0.000000000000000000", 422, "amount_zero"),
        ("10000000.000000000000000001", 403, "payment_limit"),
        ("10.000000000000000001", 409, "balance_insufficient"),
    ],
)
def test_an_amount_that_may_not_be_paid_is_refused(
    counter: Counter, amount: str, status: int, code: str
) -> None:
    refused(counter.post(counter.with_(amount=amount)), status, code)


def test_a_body_that_is_too_large_is_refused_before_it_is_read(counter: Counter) -> None:
    padding = b" " * (BODY_MAX_BYTES + 1)
    refused(counter.post(counter.with_() + padding), 413, "body_too_large")


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "multipart/form-data", ""])
def test_a_body_that_does_not_claim_json_is_refused(counter: Counter, media_type: str) -> None:
    answer = counter.post(counter.with_(), Content_Type=media_type)
    refused(answer, 415, "media_type_unsupported")


@pytest.mark.parametrize("key", ["", "a b", "é".encode(), "x" * 201, "한".encode()])
def test_a_key_that_is_none_is_refused(counter: Counter, key: str | bytes) -> None:
    answer = counter.post(counter.with_(), Idempotency_Key=key)
    refused(answer, 422, "idempotency_key_malformed")


def test_value_does_not_move_without_a_key(counter: Counter) -> None:
    answer = counter.payer.call("POST", "transfers", counter.order)
    refused(answer, 422, "idempotency_key_malformed")


@pytest.mark.parametrize("how", ["cut", "changed", "swapped", "of another payer", "bare"])
def test_a_recipient_that_no_search_gave_is_refused(
    counter: Counter, shared_platform: processes.Running, how: str
) -> None:
    given = counter.order["recipient_id"]
    one = shared_platform.person("payer")
    other = counter.payer.sign_in(one["member_id"], one["password"])
    changed = {
        "cut": given[:-4],
        "changed": given[:-1] + ("A" if given[-1] != "A" else "Q"),
        "swapped": "rc_" + given[3:][::-1],
        "of another payer": other.recipient(replace(counter.payer)),
        "bare": counter.payer.member_id,
    }[how]
    answer = counter.post(counter.with_(recipient_id=changed))
    refused(answer, 422, "recipient_unknown")


@pytest.mark.parametrize(
    "header",
    ["Bearer x", "Bearer " + "a" * 5_000, "Basic ZGVtbzpkZW1v", "Bearer", b"Bearer \xff", "null"],
)
def test_a_session_that_is_none_is_refused(counter: Counter, header: str | bytes) -> None:
    refused(counter.post(counter.with_(), Authorization=header), 401, "session_missing")


def test_a_session_that_was_ended_is_refused(counter: Counter) -> None:
    who = counter.payer
    again = who.sign_in(who.member_id, "correct horse")
    assert again.call("DELETE", "session").status_code == 204
    refused(again.call("POST", "transfers", counter.order, key=new_key()), 401, "session_missing")


def test_a_session_that_expired_is_refused(stopped: Path) -> None:
    running = processes.start(*arguments(stopped), JIGAP_SESSION_TTL_S="1")
    try:
        member = Client.at(running.url).sign_in("demo-payer", "demo-payer-password")
        before = member.call("GET", "me").status_code
        time.sleep(1.1)
        refused(member.call("GET", "me"), 401, "session_missing")
        assert before == 200
    finally:
        running.kill()


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../../../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/static/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/static/..%252f..%252fetc%252fpasswd",
        "/static/..%5c..%5cetc%5cpasswd",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/%00",
        "//etc/passwd",
        "/api/v1/../../../../etc/passwd",
        "/api/v1/transfers/..%2f..%2f..%2fetc%2fpasswd",
        "/api/v1/tokens/..%2fmembers",
        "*",
    ],
)
def test_no_path_leads_out(shared_platform: processes.Running, path: str) -> None:
    status, body = asked_raw(
        shared_platform.url, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert status in (400, 401, 404)
    assert b"root:" not in body and b'"code":' in body


@pytest.mark.parametrize(
    "garbage",
    [
        "\0" * 100 + "\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /" + "a" * 100_000 + " HTTP/1.1\r\n\r\n",
        "POST /api/v1/transfers HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        "POST /api/v1/transfers HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /api/v1/transfers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http_is_refused(shared_platform: processes.Running, garbage: str) -> None:
    status, _ = asked_raw(shared_platform.url, garbage)
    assert status == (431 if len(garbage) > 16 * 1024 else 400)
    assert httpx.get(f"{shared_platform.url}/readyz").status_code == 200


def asked_raw(url: str, request: str) -> tuple[int, bytes]:
    """Status and body of whatever comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=60) as wire:
        wire.sendall(request.encode("latin-1"))
        with wire.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    return int(head.split()[1]), body

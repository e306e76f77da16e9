"""The shield in front of real processes: two web servers, proxies that say who asks, real sockets.

127.0.0.1 is a listed proxy here and speaks for whomever it likes; every other address of loopback
is a private address, which may not come in.
"""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from jigap.shield import ShieldStore
from tests import postgres, processes

KOREAN, FOREIGN = "1.11.0.1", "8.8.8.8"
PROXIES = "127.0.0.1/32"
PATIENCE_S = 30


def asked(url: str, address: str, path: str = "/healthz", **given: str) -> httpx.Response:
    headers = {"x-forwarded-for": address, "connection": "close", **given}
    return httpx.get(at(url) + path, headers=headers, timeout=PATIENCE_S)


def at(url: str) -> str:
    """By number: what ``localhost`` means differs, and it matters here."""
    return url.replace("localhost", "127.0.0.1")


def raw(url: str, sent: bytes, *, source: str = "127.0.0.1", timeout_s: float = 5) -> bytes:
    """What is answered to these bytes from this address, until the other end closes."""
    with socket.socket() as talking:
        talking.settimeout(timeout_s)
        talking.bind((source, 0))
        talking.connect(("127.0.0.1", int(url.rpartition(":")[2])))
        talking.sendall(sent)
        heard = b""
        while more := talking.recv(65536):
            heard += more
        return heard


def within(seconds: float, true: Callable[[], bool]) -> float:
    """How long it took until a question was asked that was answered with yes."""
    begun = time.monotonic()
    while (asked_s := time.monotonic()) < begun + PATIENCE_S:
        if true():
            took = asked_s - begun
            assert took <= seconds, f"it took {took:.2f} s"
            return took
        time.sleep(0.02)
    raise AssertionError("it never was")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.Running]:
    data = tmp_path_factory.mktemp("guarded") / "data"
    ports = ("--port", "0", "--node-port", "0")
    limits = {"JIGAP_CONNECTIONS_ADDRESS": "3", "JIGAP_PROXIES": PROXIES}
    running = processes.start("up", "--data", data, *ports, "--json", **limits)
    yield running
    assert running.stop() == 0, "".join(running.errors)[-4000:]


def test_a_page_in_both_languages_and_its_number_leave_before_any_request(
    guarded: processes.Running,
) -> None:
    before = len([line for line in guarded.log if "jigap.access" in line])
    answer = raw(
        guarded.url,
        b"GET /marked HTTP/1.1\r\nAccept: text/html\r\nX-Forwarded-For: 1.11.0.1\r\n\r\n",
        source="127.0.0.9",
    ).decode()
    assert answer.startswith("HTTP/1.1 403 ")
    assert "이 주소에서는 이용할 수 없습니다" in answer
    assert "Not available from this address" in answer
    assert re.search(r"[0-9a-z]{8}(?:-[0-9a-z]{6}){3}", answer)
    assert len([line for line in guarded.log if "jigap.access" in line]) == before


def test_who_is_not_a_listed_proxy_speaks_for_nobody(guarded: processes.Running) -> None:
    sent = f"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {KOREAN}\r\n\r\n".encode()
    assert b'"rule":"private"' in raw(guarded.url, sent, source="127.0.0.9")


def test_a_listed_proxy_is_believed_read_from_the_right(guarded: processes.Running) -> None:
    assert asked(guarded.url, KOREAN).status_code == 200
    assert asked(guarded.url, FOREIGN).json()["rule"] == "country"
    assert asked(guarded.url, f"{KOREAN}, {FOREIGN}").json()["rule"] == "country"
    assert asked(guarded.url, f"{FOREIGN}, {KOREAN}, 127.0.0.1").status_code == 200


def test_headers_that_never_end_are_ended(guarded: processes.Running) -> None:
    begun = time.monotonic()
    answer = raw(guarded.url, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-", timeout_s=PATIENCE_S)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert 9 < time.monotonic() - begun < 15


def test_the_client_closes_and_nobody_calls_it_a_bug(guarded: processes.Running) -> None:
    with socket.socket() as talking:
        talking.connect(("127.0.0.1", int(guarded.url.rpartition(":")[2])))
        talking.sendall(
            b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        time.sleep(0.3)
    time.sleep(0.3)
    assert not [line for line in guarded.errors if "a bug" in line]


@pytest.fixture(scope="module")
def pair(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str, str]]:
    """Two web servers of one platform; nothing here needs its node."""
    data = tmp_path_factory.mktemp("pair") / "data"
    with ExitStack() as stack:
        database = stack.enter_context(postgres.fresh_database(postgres_server))
        given = {"JIGAP_DATABASE_URL": database, "JIGAP_PROXIES": PROXIES}

        def start() -> str:
            web = processes.start("web", "--port", "0", "--json", "--data", data, **given)
            stack.callback(web.kill)
            return web.url

        yield data, start(), start()


def test_a_ban_that_one_server_makes_holds_at_the_other_within_a_second(
    pair: tuple[Path, str, str],
) -> None:
    _, one, other = pair
    guesses = {"member_id": "nobody", "password": "wrong wrong wrong"}
    with httpx.Client(headers={"x-forwarded-for": KOREAN}, timeout=PATIENCE_S) as guesser:
        statuses = []
        for _ in range(60):
            statuses.append(guesser.post(at(one) + "/api/v1/session", json=guesses).status_code)
            if statuses[-1] == 403:
                break
        within(1.0, lambda: asked(other, KOREAN).status_code == 403)
    assert statuses[-1] == 403, statuses
    refused = asked(one, KOREAN)
    assert refused.json()["rule"] == "ban"
    assert asked(one, "1.11.0.2").status_code == asked(other, "1.11.0.2").status_code == 200


def test_what_an_operator_does_in_another_process_is_seen_within_a_second(
    pair: tuple[Path, str, str],
) -> None:
    data, *urls = pair
    store, now_ms = ShieldStore(data / "shield" / "shield.sqlite"), time.time_ns() // 1_000_000
    store.ban("1.11.9.0/24", "by hand", "console", now_ms)
    for url in urls:
        within(1.0, lambda url=url: asked(url, "1.11.9.77").status_code == 403)
    store.unban("1.11.9.0/24")
    for url in urls:
        within(1.0, lambda url=url: asked(url, "1.11.9.77").status_code == 200)


def test_a_ban_ends_by_itself(pair: tuple[Path, str, str]) -> None:
    data, url, _ = pair
    store, now_ms = ShieldStore(data / "shield" / "shield.sqlite"), time.time_ns() // 1_000_000
    store.ban("1.11.8.1", "for a moment", "console", now_ms, now_ms + 2500)
    within(1.0, lambda: asked(url, "1.11.8.1").status_code == 403)
    within(3.5, lambda: asked(url, "1.11.8.1").status_code == 200)


def test_a_damaged_file_stops_changes_and_is_said_aloud(pair: tuple[Path, str, str]) -> None:
    data, url, _ = pair
    path = data / "shield" / "shield.sqlite"
    whole = path.read_bytes()
    body = {"member_id": "nobody", "password": "wrong wrong wrong"}
    headers = {"x-forwarded-for": "1.11.7.1"}

    def sign_in() -> httpx.Response:
        return httpx.post(at(url) + "/api/v1/session", json=body, headers=headers)

    path.write_bytes(b"rubbish" * 1000)
    try:
        within(1.0, lambda: sign_in().status_code == 503)
        assert sign_in().json()["code"] == "shield_damaged"
        assert asked(url, "1.11.7.1", "/api/v1/tokens").status_code == 200
        assert not asked(url, "1.11.7.1", "/readyz").json()["checks"]["shield"]["ok"]
        assert asked(url, FOREIGN).status_code == 403
    finally:
        path.write_bytes(whole)
    within(10.0, lambda: sign_in().status_code == 401)

"""Requests that two readers could understand differently: refused whole, nothing hidden gets in.

Whoever stands in front of us may read such a request otherwise than we do. So each one is answered
with a single 400 and the connection ends: what follows in the same bytes is never a request.
"""

import socket
import time

import pytest

from tests.processes import Running

HOST = b"Host: localhost\r\n"
POST = b"POST /api/v1/session HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
GET = b"GET /healthz HTTP/1.1\r\n"
HIDDEN = GET + HOST + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

AMBIGUOUS = {
    "length and chunks": POST + b"Content-Length: 6\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + HIDDEN,
    "chunks and length": POST + CHUNKED + b"Content-Length: 6\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}" + HIDDEN,
    "a list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}" + HIDDEN,
    "a signed length": POST + b"Content-Length: +2\r\n\r\n{}" + HIDDEN,
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "a coding after chunks": POST
    + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"
    + HIDDEN,
    "two codings": POST + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" + HIDDEN,
    "no number of a chunk": POST + CHUNKED + b"\r\nZZ\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "a bare line feed in a chunk": POST + CHUNKED + b"\r\n2;a\n{}\r\n0\r\n\r\n" + HIDDEN,
    "bare line feeds": b"GET /healthz HTTP/1.1\nHost: localhost\n\n" + HIDDEN,
    "a folded header": GET + HOST + b"X-A: b\r\n c\r\n\r\n" + HIDDEN,
    "a space before the colon": GET + b"Host : localhost\r\n\r\n" + HIDDEN,
    "a zero byte": GET + HOST + b"X-A: a\0b\r\n\r\n" + HIDDEN,
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "no host": GET + b"\r\n" + HIDDEN,
    "two hosts": GET + HOST + b"Host: elsewhere\r\n\r\n" + HIDDEN,
}


def ask(running: Running, sent: bytes) -> bytes:
    """Everything that comes back until the server hangs up; ``TimeoutError`` if it does not."""
    port = int(running.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(sent)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except ConnectionResetError:  # it hung up without reading the rest
            pass
        return answer


@pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_an_ambiguous_request_is_one_refusal_and_the_end(shared_platform: Running, sent: bytes):
    answer = ask(shared_platform, sent)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert b'"code":"request_malformed"' in answer, answer


def test_headers_without_end_are_refused_early(shared_platform: Running):
    """Long before memory could run out: a few hundred kilobytes are enough for a no."""
    for sent in (b"X-A: " + b"a" * 400_000, b"X-A: b\r\n" * 50_000):
        answer = ask(shared_platform, GET + HOST + sent)
        assert answer.startswith(b"HTTP/1.1 431 "), answer[:200]
        assert answer.count(b"HTTP/1.1 ") == 1


def test_whoever_hangs_up_in_the_middle_of_a_body_is_no_bug_of_ours(shared_platform: Running):
    port = int(shared_platform.url.rpartition(":")[2])
    before = len(shared_platform.log)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(POST + b"Content-Length: 100\r\n\r\n{")
        time.sleep(0.2)
    time.sleep(0.3)
    said = "".join(shared_platform.log[before:])
    assert "a bug while answering" not in said, said

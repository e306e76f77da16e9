"""What is answered to somebody the shield turns away: a page for people, a problem for programs.

Most of these answers leave before there is a request, so they are whole, made once, and only the
reference number is put in. The page needs nothing else from us, not even its style: whoever may not
come in cannot fetch it. It says the same in Korean and in English, because the language that a
browser asks for is often that of whoever sold it.
"""

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

import msgspec

from jigap.refusal import Kind, Refusal
from jigap.shield import ForwardedMalformed, RateLimited, Rule, ShieldDamaged, ShieldRefused
from jigap.shield.reference import LENGTH
from jigap.web.headers import API_POLICY, HEADERS
from jigap.web.problems import MEDIA_TYPE, RequestMalformed, WebRefusal, body_of, status_of

_HERE = Path(__file__).parent
_TEMPLATE = Template((_HERE / "templates" / "refused.html").read_text(encoding="utf-8"))
_MARK = base64.b64encode((_HERE / "static" / "mark.svg").read_bytes()).decode()
_START = (_HERE / "static" / "start.css").read_text(encoding="utf-8")
_STYLE = (
    _START.replace("/static/mark.svg", f"data:image/svg+xml;base64,{_MARK}")
    + ".tall dd { font-size: clamp(1.125rem, 4.5vw, 2rem); letter-spacing: 0; }\n"
    + ".tall code { font-size: inherit; }\n"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_PLACE = "0" * LENGTH
_READ_BYTES = 8_192
#: What of the security headers means something to a program; each header costs half a microsecond.
_FOR_PROGRAMS = ("x-content-type-options", "cache-control")


class RequestTooSlow(WebRefusal):
    """The request did not arrive in time."""

    code = "request_too_slow"
    kind = Kind.MALFORMED
    status = 408
    retryable = True
    hint = "Send the headers of a request within 10 seconds and all of it within 20."


class HeadersTooLarge(WebRefusal):
    """The request has too many headers, or too long ones."""

    code = "headers_too_large"
    kind = Kind.MALFORMED
    status = 431
    hint = "Send at most 100 headers and 16 kB of them."


@dataclass(frozen=True, slots=True)
class _Words:
    refusal: type[Refusal]
    title_ko: str
    title_en: str
    what_ko: str
    what_en: str


_TOO_FAST = (
    RateLimited,
    "요청이 너무 많습니다",
    "Too many requests",
    "잠시 기다렸다가 천천히 다시 시도해 주세요.",
    "Wait a moment, then try again more slowly.",
)
_TOO_SLOW = (
    RequestTooSlow,
    "요청이 너무 느립니다",
    "The request was too slow",
    "요청이 제때 도착하지 않았습니다. 연결 상태를 확인하고 다시 시도해 주세요.",
    "The request did not arrive in time. Check your connection and try again.",
)
_NOT_READ = (
    "요청을 읽을 수 없습니다",
    "The request cannot be read",
    "요청의 형식이 올바르지 않습니다.",
    "The request is not well formed.",
)
WORDS: dict[Rule, _Words] = {
    Rule.ENTRY: _Words(
        ShieldRefused,
        "이 주소에서는 이용할 수 없습니다",
        "Not available from this address",
        "운영자가 이 네트워크 주소를 차단했습니다. 잘못된 차단이라면 아래 확인 번호를 운영자에게 "
        "알려 주세요.",
        "An operator has blocked this network address. If that is a mistake, tell the operator the "
        "reference.",
    ),
    Rule.BAN: _Words(
        ShieldRefused,
        "잠시 차단되었습니다",
        "Blocked for a while",
        "이 네트워크 주소에서 비정상적인 요청이 많아 잠시 차단되었습니다. 나중에 다시 시도하거나 "
        "아래 확인 번호를 운영자에게 알려 주세요.",
        "Too much went wrong from this network address, so it is blocked for a while. Try again "
        "later, or tell the operator the reference.",
    ),
    Rule.COUNTRY: _Words(
        ShieldRefused,
        "이 지역에서는 이용할 수 없습니다",
        "Not available in this region",
        "이 서비스는 정해진 국가에서만 이용할 수 있습니다. VPN을 사용 중이라면 끄고, 그래도 안 "
        "되면 아래 확인 번호를 운영자에게 알려 주세요.",
        "This service answers only in certain countries. If you use a VPN, switch it off; if you "
        "are in the right country, tell the operator the reference.",
    ),
    Rule.PRIVATE: _Words(
        ShieldRefused,
        "이 주소에서는 이용할 수 없습니다",
        "Not available from this address",
        "내부 네트워크 주소에서 온 요청입니다. 운영자는 허용 목록이나 프록시 설정을 확인해 주세요.",
        "The request came from a private network address. Operators: list it as allowed, or list "
        "the proxy in front of the server.",
    ),
    Rule.RATE_ADDRESS: _Words(*_TOO_FAST),
    Rule.RATE_NETWORK: _Words(*_TOO_FAST),
    Rule.RATE_ACCOUNT: _Words(*_TOO_FAST),
    Rule.RATE_ROUTE: _Words(*_TOO_FAST),
    Rule.CONNECTIONS: _Words(
        RateLimited,
        "연결이 너무 많습니다",
        "Too many connections",
        "열린 연결이 너무 많습니다. 다른 창을 닫고 잠시 후 다시 시도해 주세요.",
        "There are too many open connections. Close some and try again in a moment.",
    ),
    Rule.FULL: _Words(
        RateLimited,
        "지금은 빈자리가 없습니다",
        "No place is free",
        "접속이 많아 빈자리가 없습니다. 잠시 후 다시 시도해 주세요.",
        "Very many people are here at the moment. Try again in a moment.",
    ),
    Rule.SILENCE: _Words(*_TOO_SLOW),
    Rule.HEADER_TIME: _Words(*_TOO_SLOW),
    Rule.BODY_TIME: _Words(*_TOO_SLOW),
    Rule.DAMAGED: _Words(
        ShieldDamaged,
        "지금은 조회만 할 수 있습니다",
        "Only reading works at the moment",
        "보호 장치에 문제가 있어 결제와 변경을 멈췄습니다. 잠시 후 다시 시도해 주세요.",
        "A part that protects the platform is damaged, so payments and changes have stopped. Try "
        "again later.",
    ),
    Rule.HEADER_SIZE: _Words(HeadersTooLarge, *_NOT_READ),
    Rule.MALFORMED: _Words(RequestMalformed, *_NOT_READ),
    Rule.FORWARDED: _Words(ForwardedMalformed, *_NOT_READ),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of one rule, but for the reference number (and, in a header, the wait)."""

    status: int
    headers: list[tuple[bytes, bytes]]
    before: bytes
    after: bytes
    with_wait: bool

    def body(self, reference: str) -> bytes:
        return self.before + reference.encode() + self.after

    def headers_with(self, wait_s: float) -> list[tuple[bytes, bytes]]:
        """The headers; how long to wait is said in whole seconds, rounded up."""
        if not self.with_wait:
            return self.headers
        return [*self.headers, (b"retry-after", b"%d" % max(1, -int(-wait_s // 1)))]

    def whole(self, reference: str, *, head: bool, wait_s: float = 1) -> bytes:
        """The answer as it goes over the wire; the connection ends after it."""
        lines = [b"HTTP/1.1 %d %s\r\n" % (self.status, _REASONS.get(self.status, b"Refused"))]
        lines += [name + b": " + value + b"\r\n" for name, value in self.headers_with(wait_s)]
        lines += [b"connection: close\r\n\r\n", b"" if head else self.body(reference)]
        return b"".join(lines)


_REASONS = {
    400: b"Bad Request",
    403: b"Forbidden",
    408: b"Request Timeout",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


def answer_of(rule: Rule, accept: bytes) -> Answer:
    """The page if that is what the Accept header likes best, or else the problem."""
    return (_PAGES if prefers_page(accept) else _PROBLEMS)[rule]


def prefers_page(accept: bytes) -> bool:
    """Whether a browser asks: HTML is named, and before JSON."""
    accept = accept.lower()
    page, problem = accept.find(b"text/html"), accept.find(b"json")
    return page >= 0 and (problem < 0 or page < problem)


def accept_in(data: bytes) -> bytes:
    """The Accept header in the first bytes of a request that nobody has parsed."""
    start = data[:_READ_BYTES]
    at = start.lower().find(b"\r\naccept:")
    return b"" if at < 0 else start[at + 9 :].split(b"\r\n", 1)[0]


def _refusal(rule: Rule) -> Refusal:
    words = WORDS[rule]
    return words.refusal(words.what_en, rule=rule.value, reference=_PLACE)


def _problem(rule: Rule) -> Answer:
    refusal = _refusal(rule)
    return _answer(refusal, msgspec.json.encode(body_of(refusal)), MEDIA_TYPE, API_POLICY)


def _page(rule: Rule) -> Answer:
    words, refusal = WORDS[rule], _refusal(rule)
    said = {
        "title_ko": words.title_ko,
        "title_en": words.title_en,
        "what_ko": words.what_ko,
        "what_en": words.what_en,
        "reference": _PLACE,
        "rule": rule.value,
        "status": str(status_of(refusal)),
    }
    filled = {name: escape(text) for name, text in said.items()} | {"style": _STYLE}
    html = _TEMPLATE.substitute(filled).encode()
    return _answer(refusal, html, "text/html; charset=utf-8", PAGE_POLICY)


def _answer(refusal: Refusal, body: bytes, media_type: str, policy: str) -> Answer:
    before, place, after = body.partition(_PLACE.encode())
    assert place, "the reference has no place in the answer"
    kept = HEADERS if media_type != MEDIA_TYPE else {one: HEADERS[one] for one in _FOR_PROGRAMS}
    headers = kept | {
        "content-security-policy": policy,
        "content-type": media_type,
        "content-length": str(len(body)),
        "vary": "accept",
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    wait = refusal.retryable and status_of(refusal) in (429, 503)
    return Answer(status_of(refusal), encoded, before, after, wait)


_PROBLEMS = {rule: _problem(rule) for rule in Rule}
_PAGES = {rule: _page(rule) for rule in Rule}

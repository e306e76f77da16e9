"""The start page: what this server is, how far its chain is, and where to go from here.

It asks nothing of the browser: no script, no font, no request to anybody else.
"""

import hashlib
import re
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from litestar import Response, get
from sqlalchemy import Connection

import jigap
from jigap import index
from jigap.web.caller import AnyRequest, platform
from jigap.web.headers import PAGE_POLICY
from jigap.web.health import readiness
from jigap.web.shapes import time_of

_HERE = Path(__file__).parent
_PAGE = Template((_HERE / "templates" / "start.html").read_text(encoding="utf-8"))
_STYLE = (_HERE / "static" / "start.css").read_bytes()
_MARK = (_HERE / "static" / "mark.svg").read_bytes()
#: In the addresses, so that a new release is never dressed in the old one's style.
_EDITION = hashlib.sha256(_STYLE + _MARK).hexdigest()[:12]
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,100}", re.ASCII)
_WEEK = "public, max-age=604800"


def language_of(accepted: str) -> str:
    """``ko`` or ``en``: whichever an Accept-Language header likes better. Pure."""
    best, liked = "en", 0.0
    for one in accepted.split(","):
        name, _, weight = one.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        primary = name.split("-")[0].lower()
        if primary in WORDS and quality > liked:
            best, liked = primary, quality
    return best


@get("/", media_type="text/html")
async def page(request: AnyRequest) -> Response[str]:
    """The page."""
    app = platform(request)
    language = language_of(request.headers.get("accept-language", ""))
    height, block_ms = await app.database.read(_newest)
    checks = await readiness(app)
    ready = all(one.ok for one in checks.values())
    words = WORDS[language]
    filled = words | {
        "lang": language,
        "edition": _EDITION,
        "version": jigap.__version__,
        "host": _host(request.headers.get("host", "")) or f"localhost:{app.settings.port}",
        "chain_id": app.settings.chain_id,
        "height": f"{height:,}" if height >= 0 else "—",
        "block_time": time_of(block_ms).strftime("%Y-%m-%d %H:%M:%S UTC") if block_ms else "—",
        "block_time_machine": time_of(block_ms).isoformat() if block_ms else "",
        "state": "ready" if ready else "waiting",
        "state_words": words["ready"] if ready else words["waiting"],
    }
    html = _PAGE.substitute({name: escape(str(value)) for name, value in filled.items()})
    headers = {
        "Content-Security-Policy": PAGE_POLICY,
        "Content-Language": language,
        "Vary": "Accept-Language",
    }
    return Response(html, media_type="text/html", headers=headers)


@get("/static/start.css", media_type="text/css")
async def style() -> Response[bytes]:
    """The page's style."""
    return _file(_STYLE, "text/css")


@get(["/static/mark.svg", "/favicon.ico"], media_type="image/svg+xml")
async def mark() -> Response[bytes]:
    """The mark of the project."""
    return _file(_MARK, "image/svg+xml")


def _host(named: str) -> str:
    """The address under which whoever looks has found us, if it is one."""
    return named if _HOST.fullmatch(named) else ""


def _file(content: bytes, media_type: str) -> Response[bytes]:
    return Response(content, media_type=media_type, headers={"Cache-Control": _WEEK})


def _newest(connection: Connection) -> tuple[int, int]:
    height = index.height(connection)
    newest = index.block(connection, height) if height >= 0 else None
    return (height, newest.time_ms) if newest else (-1, 0)


WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "title": "jigap — pay by phone number",
        "promise": "Pay a phone number.",
        "soon": "Final in about a second.",
        "about": "This server runs jigap, an open-source wallet platform: people pay each other in "
        "tokens, in real time, without keys, gas or addresses. Every payment is a transaction on "
        "a Symverse chain that anyone can check by its id.",
        "chain": "The chain, now",
        "height_words": "Newest block",
        "time_words": "Made at",
        "chain_id_words": "Chain id",
        "version_words": "Version",
        "state_label": "State",
        "ready": "Ready for payments",
        "waiting": "Not ready for payments",
        "build": "Build on it",
        "api": "API description",
        "api_words": "OpenAPI 3.1: every route, every refusal, with examples.",
        "readyz": "Readiness",
        "readyz_words": "Database, chain, dispatcher, vault, gas budget: each one by name.",
        "healthz": "Liveness",
        "healthz_words": "Answers as long as the process does.",
        "metrics": "Metrics",
        "metrics_words": "Numbers for Prometheus.",
        "try": "A first request",
        "skip": "Skip to content",
    },
    "ko": {
        "title": "지갑 jigap — 전화번호로 보내는 돈",
        "promise": "전화번호로 보내세요.",
        "soon": "1초쯤이면 끝납니다.",
        "about": "이 서버는 오픈소스 지갑 플랫폼 jigap입니다. 키도, 가스도, 주소도 몰라도 토큰을 "
        "실시간으로 주고받습니다. 모든 결제는 Symverse 체인의 트랜잭션이며, 번호만 알면 누구나 "
        "확인할 수 있습니다.",
        "chain": "지금의 체인",
        "height_words": "최신 블록",
        "time_words": "생성 시각",
        "chain_id_words": "체인 ID",
        "version_words": "버전",
        "state_label": "상태",
        "ready": "결제할 수 있습니다",
        "waiting": "아직 결제할 수 없습니다",
        "build": "개발자를 위한 안내",
        "api": "API 설명서",
        "api_words": "OpenAPI 3.1. 모든 경로와 모든 거절 사유를 예시와 함께.",
        "readyz": "준비 상태",
        "readyz_words": "데이터베이스, 체인, 디스패처, 금고, 가스 예산을 하나씩.",
        "healthz": "생존 확인",
        "healthz_words": "프로세스가 살아 있는 동안 응답합니다.",
        "metrics": "지표",
        "metrics_words": "Prometheus용 수치.",
        "try": "첫 요청",
        "skip": "본문으로 건너뛰기",
    },
}

ROUTES = [page, style, mark]

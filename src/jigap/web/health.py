"""Whether this process lives, whether it can do its work, and how much it does.

``healthz`` says only that the process answers. ``readyz`` looks: can the database be written, does
the index follow the chain, does the vault open what it sealed, is gas left to give away.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litestar import Response, get
from msgspec import Struct
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from sqlalchemy import ColumnElement, Connection, func, select, text

from jigap import audit, entropy, index, lanes, members
from jigap.shield import RANGES_OLD_DAYS
from jigap.transfers import refills
from jigap.web.caller import AnyRequest, platform
from jigap.web.describe import says
from jigap.web.problems import NotReady, response_of

if TYPE_CHECKING:
    from jigap.app import App

BLOCK_AGE_MAX_MS = 15_000
HEARTBEAT_AGE_MAX_MS = 15_000
CHECK_TIMEOUT_S = 5.0


class Health(Struct, frozen=True):
    """The process answers."""

    status: str


class Check(Struct, frozen=True):
    """One thing that was looked at."""

    ok: bool
    detail: str


class Readiness(Struct, frozen=True):
    """Everything that was looked at, by name."""

    ready: bool
    checks: dict[str, Check]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one snapshot of the database says about the chain and the dispatcher."""

    height: int
    block_ms: int
    caught_up: bool
    stopped_reason: str
    heartbeat_ms: int
    gas_left: int
    members: int
    wallets: dict[str, int]
    unfinished: int
    unsealed: int
    stuck: int


class Metrics:
    """The numbers of one web process, and of the database whenever somebody asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._kept: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.requests = Counter(
            "jigap_http_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "jigap_http_request_seconds",
            "Time until the answer was sent.",
            ["method", "route"],
            registry=self.registry,
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )
        self._gauges = {
            name: Gauge(f"jigap_{name}", words, registry=self.registry)
            for name, words in {
                "chain_height": "Number of the newest indexed block.",
                "chain_block_age_seconds": "Age of the newest indexed block.",
                "dispatcher_heartbeat_age_seconds": "Since the dispatcher's last sign of life.",
                "dispatcher_caught_up": "1 when new payments are accepted.",
                "gas_budget_left": "Gas units that may still be given away today.",
                "members": "Members.",
                "transactions_unfinished": "Signed transactions that no block has ended yet.",
                "audit_rows_unsealed": "Rows of the audit trail that no seal covers yet.",
                "transactions_stuck": "Those long past their deadline: see operator/stuck.",
                "kdf_places_taken": "Passphrases being derived or waiting for a thread.",
            }.items()
        }
        self._wallets = Gauge(
            "jigap_wallets", "Wallets by state.", ["state"], registry=self.registry
        )

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        key = (method, route, status)
        found = self._kept.get(key)
        if found is None:  # looking a child up by its labels costs more than counting
            found = self._kept[key] = (
                self.requests.labels(method, route, str(status)),
                self.seconds.labels(method, route),
            )
        found[0].inc()
        found[1].observe(seconds)

    def render(self, app: "App", seen: _Seen) -> bytes:
        """Everything in Prometheus' text form."""
        now_ms = app.clock.now_ms()
        values = {
            "chain_height": seen.height,
            "chain_block_age_seconds": max(now_ms - seen.block_ms, 0) / 1000,
            "dispatcher_heartbeat_age_seconds": max(now_ms - seen.heartbeat_ms, 0) / 1000,
            "dispatcher_caught_up": int(seen.caught_up),
            "gas_budget_left": seen.gas_left,
            "members": seen.members,
            "transactions_unfinished": seen.unfinished,
            "audit_rows_unsealed": seen.unsealed,
            "transactions_stuck": seen.stuck,
            "kdf_places_taken": app.pool.places_taken,
        }
        for name, value in values.items():
            self._gauges[name].set(value)
        for state, number in seen.wallets.items():
            self._wallets.labels(state).set(number)
        return generate_latest(self.registry)


@get("/healthz", opt=says("Does the process live?", tag="health"))
async def healthz(request: AnyRequest) -> Health:
    """Always ok: an answer is the answer."""
    return Health("ok")


@get("/readyz", opt=says("Can it do its work?", NotReady, tag="health"))
async def readyz(request: AnyRequest) -> Response[Readiness]:
    """Every check by name; a problem with `checks` when one of them fails."""
    checks = await readiness(platform(request))
    if all(one.ok for one in checks.values()):
        return Response(Readiness(True, checks))
    failing = ", ".join(name for name, one in checks.items() if not one.ok)
    shown = {name: {"ok": one.ok, "detail": one.detail} for name, one in checks.items()}
    return response_of(NotReady(f"Not ready: {failing}.", checks=shown))  # type: ignore[return-value]


@get("/metrics", media_type=CONTENT_TYPE_LATEST.partition("; charset")[0])
async def metrics(request: AnyRequest) -> bytes:
    """Prometheus' text form."""
    app = platform(request)
    seen = await app.database.read(_look, app)
    found: Metrics = request.app.state.metrics
    return found.render(app, seen)


async def readiness(app: "App") -> dict[str, Check]:
    """Look at everything a payment needs."""
    database, seen = await asyncio.gather(_database_check(app), _seen(app))
    return {
        "database": database,
        "chain": _chain_check(app, seen),
        "dispatcher": _dispatcher_check(app, seen),
        "vault": _vault_check(app),
        "gas_budget": _budget_check(seen),
        "transactions": _stuck_note(seen),
        "shield": _shield_check(app),
    }


async def _database_check(app: "App") -> Check:
    try:
        await asyncio.wait_for(app.database.write(_is_writable), CHECK_TIMEOUT_S)
    except Exception as error:
        return Check(False, type(error).__name__)
    return Check(True, "writable")


async def _seen(app: "App") -> _Seen | None:
    try:
        return await asyncio.wait_for(app.database.read(_look, app), CHECK_TIMEOUT_S)
    except Exception:
        return None


def _chain_check(app: "App", seen: _Seen | None) -> Check:
    if seen is None or seen.height < 0:
        return Check(False, "no block has been read yet")
    age_ms = app.clock.now_ms() - seen.block_ms
    words = f"block {seen.height}, {max(age_ms, 0) // 1000} s old"
    return Check(age_ms <= BLOCK_AGE_MAX_MS, words)


def _dispatcher_check(app: "App", seen: _Seen | None) -> Check:
    if seen is None:
        return Check(False, "unknown")
    if not seen.caught_up:
        return Check(False, "stopped" if seen.stopped_reason else "catching up")
    age_ms = app.clock.now_ms() - seen.heartbeat_ms
    words = f"last sign of life {max(age_ms, 0) // 1000} s ago"
    return Check(age_ms <= HEARTBEAT_AGE_MAX_MS, words)


def _vault_check(app: "App") -> Check:
    probe = entropy.random_bytes(16)
    try:
        sealed = app.ring.seal(probe, b"readiness", nonce=entropy.random_bytes(12))
        same = app.ring.open(sealed, b"readiness") == probe
    except Exception as error:
        return Check(False, type(error).__name__)
    return Check(same, "seals and opens")


def _budget_check(seen: _Seen | None) -> Check:
    left = 0 if seen is None else seen.gas_left
    return Check(left > 0, f"{left} gas units left today")


def _shield_check(app: "App") -> Check:
    """Nothing is changed where the shield cannot know who is banned."""
    shield = app.shield
    if not shield.on:
        return Check(True, "off: see the setting")
    if shield.damage:
        return Check(False, "damaged, so only reading works: run `jigap shield repair`")
    age_days = shield.ranges_age_days()
    old = age_days is None or age_days > RANGES_OLD_DAYS
    words = f"{shield.ban_count} bans, countries {age_days or '?'} days old"
    return Check(True, f"{words}: import newer ones" if old else words)


def _stuck_note(seen: _Seen | None) -> Check:
    """A word for operators: what is stuck keeps nothing else from going on."""
    if seen is None:
        return Check(False, "unknown")
    return Check(True, f"{seen.stuck} stuck, see operator/stuck" if seen.stuck else "none stuck")


def _is_writable(connection: Connection) -> None:
    """Take the write lock; on PostgreSQL make sure that this is not a standby."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT txid_current()"))
    else:
        connection.execute(text("SELECT 1"))


def _look(connection: Connection, app: "App") -> _Seen:
    height = index.height(connection)
    newest: Any = index.block(connection, height) if height >= 0 else None
    caught_up, stopped_reason, heartbeat_ms = lanes.dispatch(connection)
    return _Seen(
        height=height,
        block_ms=0 if newest is None else newest.time_ms,
        caught_up=caught_up,
        stopped_reason=stopped_reason,
        heartbeat_ms=heartbeat_ms,
        gas_left=refills.budget_left(connection, app.settings, app.clock.now_ms()),
        members=members.count(connection),
        wallets=members.count_by_state(connection),
        unsealed=audit.unsealed_rows(connection),
        unfinished=_count(connection, lanes.outgoing.c.final.is_(False)),
        stuck=_count(
            connection, lanes.outgoing.c.final.is_(False), lanes.outgoing.c.stuck_ms.is_not(None)
        ),
    )


def _count(connection: Connection, *which: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(lanes.outgoing).where(*which)
    return int(connection.scalar(query) or 0)

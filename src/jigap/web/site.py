"""The web server's application: routes, guards, limits, errors, the description of itself.

``create`` is given the platform and answers an ASGI application; whoever runs it (``jigap up``,
``jigap web``) also starts and stops the platform.
"""

import re
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Litestar, Router, get
from litestar.exceptions import HTTPException
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp

from jigap.refusal import Refusal
from jigap.web import describe, health, problems, start
from jigap.web.caller import AnyRequest, readable
from jigap.web.connection import Door, files_for
from jigap.web.corked import Connection
from jigap.web.gate import Gate
from jigap.web.inquiry import Inquiry
from jigap.web.outside import Outside
from jigap.web.resources import (
    explorer,
    limits,
    money,
    operator,
    payees,
    people,
    privacy,
    realname,
    recovery,
    recovery_desk,
    sellers,
    shield,
    sign_in,
    stuck,
    trail,
)
from jigap.web.shield_figures import ShieldFigures

if TYPE_CHECKING:
    from jigap.app import App

API = "/api/v1"
BODY_MAX_BYTES = 64 * 1024


def create(platform: "App") -> ASGIApp:
    """The ASGI application of one platform."""
    inside, metrics = routes(), health.Metrics()
    metrics.registry.register(ShieldFigures(platform.shield))
    inside.state.update({"platform": platform, "metrics": metrics})
    inside.state.description = msgspec.json.encode(describe.openapi(inside))
    outside = Outside(Inquiry(inside, platform), metrics, platform.shield)
    return Gate(outside, platform.shield, guessing_paths(inside))


def guessing_paths(app: Litestar) -> re.Pattern[str]:
    """Matches the paths of every route that says that a secret may be guessed there.

    In every spelling that leads there: to the framework ``//api/v1/session/`` is the same route.
    """
    templates = [
        re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route.path_format).replace("/", "/+")) + "/*"
        for route in app.routes
        if isinstance(route, HTTPRoute)
        and any(handler.opt.get("guessing") for handler in route.route_handlers)
    ]
    return re.compile("|".join(templates))


def protocol(platform: "App") -> Any:
    """What uvicorn makes of a connection: one that asks the shield first, if there is one."""
    settings = platform.settings
    if not platform.shield.on:
        return Connection
    return Door(
        platform.shield,
        connections_max=files_for(settings.connections_max),
        address_max=settings.connections_address,
    ).protocol


def routes() -> Litestar:
    """Every route, guard and limit, without a platform behind them."""
    return Litestar(
        route_handlers=[
            Router(
                API,
                route_handlers=[
                    people.ROUTES,
                    payees.ROUTES,
                    privacy.ROUTES,
                    sign_in.ROUTES,
                    realname.ROUTES,
                    recovery.ROUTES,
                    recovery_desk.ROUTES,
                    money.ROUTES,
                    limits.ROUTES,
                    operator.ROUTES,
                    explorer.ROUTES,
                    trail.ROUTES,
                    stuck.ROUTES,
                    sellers.ROUTES,
                    shield.ROUTES,
                ],
            ),
            health.healthz,
            health.readyz,
            health.metrics,
            description,
            *start.ROUTES,
        ],
        guards=[readable],
        exception_handlers={
            Refusal: problems.refused,
            HTTPException: problems.not_served,
            RecursionError: problems.too_deep,
            Exception: problems.failed,
        },
        request_max_body_size=BODY_MAX_BYTES,
        openapi_config=None,
        logging_config=None,
    )


@get("/openapi.json", media_type="application/json")
async def description(request: AnyRequest) -> bytes:
    """The description of the API, OpenAPI 3.1."""
    found: bytes = request.app.state.description
    return found

"""The API's description of itself: OpenAPI 3.1, made from the routes and the shapes.

Each route says in a word what it does and which refusals it may answer with (``says``); everything
else is read off the handler: path and query parameters, the body and the answer. Schemas come from
msgspec, the same library and the same classes that check requests, so the two cannot differ.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, get_args, get_origin

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

import jigap
from jigap.members import MemberFrozen, SessionMissing
from jigap.refusal import Refusal
from jigap.shield import RateLimited, ShieldDamaged, ShieldRefused
from jigap.tokens.refusals import KeyMalformed, KeyReused
from jigap.web import cookies, problems
from jigap.web.caller import account_reader, operator_only, query_word, signed_in
from jigap.web.cookies import CsrfMissing
from jigap.web.shapes import Problem

REF = "#/components/schemas/{name}"
EXAMPLE_REF = "#/components/examples/{name}"
#: The order in which a reader meets them; a route's tag is one of these.
TAGS = ("people", "money", "operator", "explorer", "health")
_LIMITS = ("ge", "le", "min_length", "max_length", "pattern")
_NOT_PARAMETERS = frozenset({"request", "data", "return"})

_WAIT_HEADER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=N`: answer when it is final, or after N seconds as it stands.",
    "schema": {"type": "string", "examples": ["wait=10"]},
}
_KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Made by the client for one intent, for ever: the same key with the same body "
    "has one effect and the same answer; with another body it is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]{1,200}$"},
    "example": "2f1c9a52-7d0e-4c0b-9f4e-0c7e5d1b9a61",
}


def says(
    summary: str,
    *refusals: type[Refusal],
    keyed: bool = False,
    waits: bool = False,
    guessing: bool = False,
    tag: str,
) -> dict[str, Any]:
    """What a handler's ``opt`` holds for the description; ``tag`` is one of ``TAGS``.

    ``keyed``: needs an Idempotency-Key. ``waits``: understands ``Prefer: wait=N``. ``guessing``: a
    stranger may guess at a secret here, so one address may not ask often.
    """
    assert tag in TAGS, f"{tag!r} is not a tag"
    return {
        "summary": summary,
        "refusals": refusals,
        "keyed": keyed,
        "waits": waits,
        "guessing": guessing,
        "tag": tag,
    }


def openapi(app: Litestar) -> dict[str, Any]:
    """The whole description of an application's routes that say something."""
    found = sorted(_handlers(app), key=lambda one: (one[0], one[1]))
    types = [Problem]
    for _, _, handler in found:
        types += [one for one in (_body(handler), _answer(handler)) if one is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    by_type = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, Any] = {}
    for path, method, handler in found:
        paths.setdefault(path, {})[method.lower()] = _operation(path, handler, by_type)
    components["Problem"]["additionalProperties"] = True
    for schema in components.values():
        schema["description"] = _one_line(schema.get("description", ""))
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "jigap",
            "version": jigap.__version__,
            "summary": "Pay people in tokens, in real time, by phone number.",
            "description": "Amounts are decimal strings in whole tokens. Every error is a problem "
            "(RFC 9457) with a stable `code`; `retryable` says whether the same request may "
            "succeed later, and `hint` what to do.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": one} for one in TAGS],
        "paths": paths,
        "components": {
            "schemas": components,
            "examples": _examples(handler for *_, handler in found),
            "securitySchemes": {
                "session": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token that POST /api/v1/session answers.",
                },
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookies.HOST_PREFIX + cookies.SESSION,
                    "description": "For browsers, from POST /api/v1/session with `cookie`; over "
                    "HTTP without the prefix. All but GET needs X-CSRF-Token, too.",
                },
            },
        },
    }


def needs_session(handler: HTTPRouteHandler) -> bool:
    """Whether a stranger is turned away (from accounts: unless the settings open them)."""
    return not {signed_in, account_reader}.isdisjoint(handler.resolve_guards())


def _handlers(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            if "summary" in handler.opt:
                for method in handler.http_methods:
                    yield route.path_format or "/", str(method), handler


def _operation(path: str, handler: HTTPRouteHandler, schemas: dict[str, Any]) -> dict[str, Any]:
    said = handler.opt
    body, answer = _body(handler), _answer(handler)
    operation: dict[str, Any] = {
        "operationId": handler.handler_name.removeprefix("_"),
        "summary": said["summary"],
        "tags": [said["tag"]],
        "parameters": list(_parameters(path, handler)),
        "responses": _responses(handler, schemas, answer),
    }
    if handler.fn.__doc__:
        operation["description"] = _one_line(handler.fn.__doc__)
    if needs_session(handler):
        operation["security"] = [{"session": []}, {"cookie": []}]
    if body is not None:
        required = not handler.parsed_fn_signature.parameters["data"].is_optional
        operation["requestBody"] = {
            "required": required,
            "content": {"application/json": {"schema": schemas[repr(body)]}},
        }
    return operation


def _parameters(path: str, handler: HTTPRouteHandler) -> Iterator[dict[str, Any]]:
    in_path = set(re.findall(r"{(\w+)}", path))
    for name, field in handler.parsed_fn_signature.parameters.items():
        if name in _NOT_PARAMETERS:
            continue
        parameter = {
            "name": query_word(name, field),
            "in": "path" if name in in_path else "query",
            "required": name in in_path or not field.has_default,
            "schema": _schema(field),
        }
        if description := getattr(field.kwarg_definition, "description", None):
            parameter["description"] = description
        yield parameter
    if handler.opt["keyed"]:
        yield _KEY_HEADER
    if handler.opt["waits"]:
        yield _WAIT_HEADER


def _schema(field: FieldDefinition) -> dict[str, Any]:
    """The schema of one word of an address; one that may be left away is still never null."""
    annotation = field.annotation
    if field.is_optional:
        (annotation,) = (one for one in get_args(annotation) if one is not type(None))
    limits = {name: getattr(field.kwarg_definition, name, None) for name in _LIMITS}
    meta = msgspec.Meta(**{name: limit for name, limit in limits.items() if limit is not None})
    (schema,), _ = msgspec.json.schema_components([Annotated[annotation, meta]], ref_template=REF)
    return schema


def _responses(handler: HTTPRouteHandler, schemas: dict[str, Any], answer: Any) -> dict[str, Any]:
    ok: dict[str, Any] = {"description": "Done."}
    if answer is not None:
        ok["content"] = {"application/json": {"schema": schemas[repr(answer)]}}
    responses = {str(handler.status_code): ok}
    by_status: dict[int, list[type[Refusal]]] = {}
    for refusal in _refusals(handler):
        by_status.setdefault(problems.status_of(refusal), []).append(refusal)
    for status, refusals in sorted(by_status.items()):
        responses[str(status)] = _problem_response(refusals, schemas[repr(Problem)])
    return responses


def _problem_response(refusals: Sequence[type[Refusal]], schema: Any) -> dict[str, Any]:
    lines = sorted({f"`{one.code}`: {problems.title_of(one)}." for one in refusals})
    examples = {one.code: {"$ref": EXAMPLE_REF.format(name=one.code)} for one in refusals}
    return {
        "description": "\n".join(f"* {line}" for line in lines),
        "content": {problems.MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }


def _examples(handlers: Iterable[HTTPRouteHandler]) -> dict[str, Any]:
    """A problem of every code that any route may answer."""
    every = {one.code: one for handler in handlers for one in _refusals(handler)}
    return {code: {"value": problems.body_of(_example(one))} for code, one in sorted(every.items())}


def _example(refusal: type[Refusal]) -> Refusal:
    """An instance with its title for a detail, whatever its own constructor asks for."""
    one = refusal.__new__(refusal)
    Refusal.__init__(one, problems.title_of(refusal) + ".")
    return one


def _refusals(handler: HTTPRouteHandler) -> list[type[Refusal]]:
    """What the route says, and what every route of its sort may answer."""
    found: list[type[Refusal]] = [*handler.opt["refusals"], problems.RequestMalformed]
    guards = handler.resolve_guards()
    if needs_session(handler):
        found.append(SessionMissing)
        if handler.http_methods - {"GET"}:
            found.append(CsrfMissing)
    if operator_only in guards:
        found += [problems.OperatorOnly, problems.SecondFactorRequired, MemberFrozen]
    if _body(handler) is not None:
        found += [problems.BodyTooLarge]
    found += [problems.MediaTypeUnsupported, problems.RequestInvalid, ShieldRefused, RateLimited]
    if handler.http_methods - {"GET"}:
        found.append(ShieldDamaged)
    if handler.opt["keyed"]:
        found += [KeyMalformed, KeyReused]
    return list(dict.fromkeys(found))


def _one_line(docstring: str) -> str:
    """A docstring as CommonMark: paragraphs on one line each."""
    paragraphs = docstring.replace("``", "`").split("\n\n")
    return "\n\n".join(" ".join(one.split()) for one in paragraphs)


def _body(handler: HTTPRouteHandler) -> Any:
    field = handler.parsed_fn_signature.parameters.get("data")
    if field is None:
        return None
    inner = [one for one in get_args(field.annotation) if one is not type(None)]
    return inner[0] if field.is_optional else field.annotation


def _answer(handler: HTTPRouteHandler) -> Any:
    annotation = handler.parsed_fn_signature.return_type.annotation
    if get_origin(annotation) is Response:
        annotation = get_args(annotation)[0]
    return None if annotation in (None, type(None), bytes) else annotation

"""The API's description is complete and true."""

import re
from typing import Any

import pytest

from jigap.web import problems, site

from .platform import Site


@pytest.fixture
async def described(here: Site) -> dict[str, Any]:
    response = await here.http.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    found: dict[str, Any] = response.json()
    return found


def _operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def _refs(value: Any) -> list[str]:
    if isinstance(value, dict):
        inner = [one for item in value.values() for one in _refs(item)]
        return [value["$ref"], *inner] if isinstance(value.get("$ref"), str) else inner
    if isinstance(value, list):
        return [one for item in value for one in _refs(item)]
    return []


async def test_is_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    for path, method in [
        ("/api/v1/members", "post"),
        ("/api/v1/session", "post"),
        ("/api/v1/session", "delete"),
        ("/api/v1/me", "get"),
        ("/api/v1/realname", "post"),
        ("/api/v1/realname/{id}", "get"),
        ("/api/v1/realname/{id}/confirm", "post"),
        ("/api/v1/operator/realname-checks", "get"),
        ("/api/v1/wallet", "post"),
        ("/api/v1/wallet/passphrase", "put"),
        ("/api/v1/balances", "get"),
        ("/api/v1/balances/{symbol}", "get"),
        ("/api/v1/recipients", "get"),
        ("/api/v1/transfers", "post"),
        ("/api/v1/transfers", "get"),
        ("/api/v1/transfers/{id}", "get"),
        ("/api/v1/tokens", "get"),
        ("/api/v1/operator/members/{id}/verify", "post"),
        ("/api/v1/operator/members/{id}/freeze", "post"),
        ("/api/v1/operator/members/{id}/unfreeze", "post"),
        ("/api/v1/operator/tokens", "post"),
        ("/api/v1/operator/tokens/{symbol}/mint", "post"),
        ("/api/v1/operator/tokens/{symbol}/burn", "post"),
        ("/api/v1/operator/tokens/{symbol}/pause", "post"),
        ("/api/v1/operator/tokens/{symbol}/unpause", "post"),
        ("/api/v1/operator/tokens/{symbol}/owner", "post"),
        ("/api/v1/transactions/{hash}", "get"),
        ("/api/v1/blocks/{number}", "get"),
        ("/api/v1/accounts/{symid}", "get"),
    ]:
        assert method in described["paths"][path], (method, path)


async def test_every_reference_resolves(described: dict[str, Any]) -> None:
    for ref in set(_refs(described)):
        found: Any = described
        for part in ref.removeprefix("#/").split("/"):
            found = found[part]


async def test_operation_ids_are_distinct(described: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in _operations(described)]
    assert len(set(ids)) == len(ids)


async def test_every_path_parameter_is_described(described: dict[str, Any]) -> None:
    for path, _, operation in _operations(described):
        named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))


async def test_every_error_is_a_problem(described: dict[str, Any]) -> None:
    for path, method, operation in _operations(described):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == [problems.MEDIA_TYPE], (path, method)
                assert response["content"][problems.MEDIA_TYPE]["examples"]


async def test_whatever_needs_a_session_says_so(described: dict[str, Any]) -> None:
    for path, method, operation in _operations(described):
        assert ("security" in operation) == ("401" in operation["responses"]) or (
            (path, method) == ("/api/v1/session", "post")
        )
        if path.startswith("/api/v1/operator"):
            assert operation["security"]
            assert "403" in operation["responses"]


async def test_whatever_moves_value_needs_a_key(described: dict[str, Any]) -> None:
    keyed = {
        path
        for path, _, operation in _operations(described)
        if any(one["name"] == "Idempotency-Key" for one in operation["parameters"])
    }
    assert "/api/v1/transfers" in keyed
    on_tokens = {
        path
        for path, method, _ in _operations(described)
        if path.startswith("/api/v1/operator/tokens") and method == "post"
    }
    assert on_tokens - keyed == {"/api/v1/operator/tokens/{symbol}/resume"}


async def test_bodies_refuse_unknown_members(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    bodies = 0
    for _, _, operation in _operations(described):
        if "requestBody" not in operation:
            continue
        ref = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert schemas[ref.rpartition("/")[2]]["additionalProperties"] is False
        assert {"400", "413", "415", "422"} <= operation["responses"].keys()
        bodies += 1
    assert bodies > 10


async def test_every_route_of_the_api_is_described(here: Site, described: dict[str, Any]) -> None:
    routes = {route.path_format for route in site.routes().routes if "api/v1" in route.path_format}
    assert routes == {path for path in described["paths"] if path.startswith("/api/v1")}


async def test_amounts_are_strings_and_times_are_times(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    transfer = schemas["TransferShown"]["properties"]
    assert transfer["amount"]["type"] == "string"
    assert transfer["gas_refill_hug"]["type"] == "string"
    assert transfer["created_at"]["format"] == "date-time"

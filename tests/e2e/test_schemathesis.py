"""The API against its own description, by generated requests, good and bad.

As a stranger, as a member with a wallet, and as an operator: never a 5xx, never a status, a content
type or a body that the description does not have, and nothing accepted that it forbids.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, Response
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests import processes

from .client import MEMBER_PASSWORD, Client

EXAMPLES = int(os.environ.get("JIGAP_SCHEMATHESIS_EXAMPLES", "8"))
#: What would keep whoever does it from doing anything else is done by a third.
STOPPING = ("/api/v1/me/freeze", "/api/v1/me/limits")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


@dataclass
class Server:
    """A running server, the sessions to meet it with, and names of things that are there.

    The member and the token are the test's own: nobody else minds what becomes of them.
    """

    stranger: Client
    operator: Client
    member: Client
    other: Client
    leaver: Client
    token: str
    here: dict[str, dict[str, str]]
    checks: dict[str, str]

    def token_of(self, who: str, case: Case) -> str:
        if who == "stranger":
            return ""
        if (case.method.upper(), case.path) == ("DELETE", "/api/v1/session"):
            return self.stranger.sign_in(self.leaver.member_id, MEMBER_PASSWORD).token
        if case.path in STOPPING:
            return self.other.token
        return self.operator.token if who == "operator" else self.member.token


@pytest.fixture(scope="module")
def server(shared_platform: processes.Running) -> Iterator[Server]:
    stranger = Client.at(shared_platform.url)
    operator = stranger.operator_anew(shared_platform)
    member, other, leaver = (stranger.member(operator) for _ in range(3))
    token = operator.new_token()
    operator.mint(token, member, "1000000")
    operation = operator.on_token(f"/{token}/mint", to=other.member_id, amount="1")
    paid = member.pay(other, token, "1").json()
    here = {
        "/operator/members/": {"id": other.member_id},
        "/operator/operations/": {"id": operation["id"]},
        "/transfers/": {"id": paid["id"]},
        "/transactions/": {"hash": paid["transaction_hash"]},
        "/blocks/": {"number": "latest"},
        "/accounts/": {"symid": member.get("me")["wallet"]["symid"]},
        "/tokens/": {"symbol": token},
        "/balances/": {"symbol": token},
    }
    checks = {}
    for who, client in (("member", member), ("operator", operator)):
        begun = client.call("POST", "realname", person(who, client.phone))
        assert begun.status_code == 201, begun.text
        checks[who] = str(begun.json()["id"])
    yield Server(stranger, operator, member, other, leaver, token, here, checks)
    stranger.http.close()


@pytest.fixture(scope="module")
def described(shared_platform: processes.Running) -> BaseSchema:
    """The description without its word on sessions: whether there is one is what ``who`` says."""
    raw = httpx.get(f"{shared_platform.url}/openapi.json").json()
    for methods in raw["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)
    schema = schemathesis.openapi.from_dict(raw)
    schema.config.update(base_url=shared_platform.url)
    return schema


_BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("who", ["stranger", "member", "operator"])
def test_the_api_is_as_it_is_described(
    server: Server, described: BaseSchema, who: str, mode: GenerationMode
) -> None:
    statuses: Counter[int] = Counter()
    for found in described.get_all_operations():
        operation = found.ok()

        @_BOUNDED
        @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
        def conforms(case: Case, known: bool) -> None:
            if known and mode is GenerationMode.POSITIVE:
                _name_what_is_there(case, server, who)
            token = server.token_of(who, case)
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            response = case.call_and_validate(headers=headers, checks=CHECKS, timeout=90)
            statuses[response.status_code] += 1
            _code_is_described(case, response)

        try:
            conforms()
        except Unsatisfiable:
            continue  # a route without words has nothing to get wrong
    _went_deep(who, mode, statuses)


def person(who: str, phone: str) -> dict[str, str]:
    """Whom an operator has verified by name and number: a verified member stays who they are."""
    name = "박지훈" if who == "operator" else "김민지"
    return {"name": name, "phone": phone, "birth": "900131", "sex": "2"}


def _name_what_is_there(case: Case, server: Server, who: str) -> None:
    """Put names of real things where made-up ones would only ever be missing."""
    own = {"/realname/": {"id": server.checks[who]}} if who in server.checks else {}
    for part, names in (server.here | own).items():
        if part in case.path and case.path_parameters:
            case.path_parameters.update(names)
    if isinstance(case.body, dict):
        real = {
            "token": server.token,
            "to": server.other.member_id,
            "from": "token_owner",
            "spender": "treasury",
            "passphrase": server.member.passphrase,
        }
        if "recipient_id" in case.body:
            real["recipient_id"] = server.member.recipient(server.other)
        if "birth" in case.body:
            asker = server.operator if who == "operator" else server.member
            real |= person(who, asker.phone)
        case.body.update({name: value for name, value in real.items() if name in case.body})


def _code_is_described(case: Case, response: Response) -> None:
    """Whatever a route refuses with, its description names."""
    if response.status_code < 400:
        return
    described = case.operation.definition.raw["responses"][str(response.status_code)]
    codes = described["content"]["application/problem+json"]["examples"].keys()
    assert response.json()["code"] in codes, (case.method, case.path, response.json())


def _went_deep(who: str, mode: GenerationMode, statuses: Counter[int]) -> None:
    """A test in which everything is refused at the door would show nothing."""
    total = statuses.total()
    assert total > 100
    if mode is GenerationMode.NEGATIVE:
        assert statuses[400] + statuses[401] + statuses[422] > total / 3, statuses
    elif who == "operator":
        assert statuses[200] > 20 and statuses[201] > 3, statuses
    elif who == "member":
        assert statuses[201] > 0, statuses
    else:
        assert statuses[401] > total / 2, statuses

"""Every expected no has one shape; every bug says nothing."""

import json
import logging

import pytest
from litestar import Litestar, get
from litestar.testing import TestClient

import jigap.app
import jigap.web  # noqa: F401  (so that every refusal is imported)
from jigap.refusal import Kind, Refusal, every_refusal
from jigap.web import problems


class Example(Refusal):
    """An example of a refusal."""

    code = "example_of_a_test"
    kind = Kind.TOO_MANY
    retryable = True
    hint = "Do something else."


def test_a_refusal_is_a_problem() -> None:
    response = problems.response_of(Example("Seven is too much.", retry_after_s=3, limit=7))
    assert response.status_code == 429
    assert response.media_type == "application/problem+json"
    assert response.headers["Retry-After"] == "3"
    assert json.loads(response.content) == {
        "type": "urn:jigap:problem:example_of_a_test",
        "title": "An example of a refusal",
        "status": 429,
        "detail": "Seven is too much.",
        "code": "example_of_a_test",
        "retryable": True,
        "hint": "Do something else.",
        "limit": 7,
    }


def test_facts_cannot_replace_what_every_problem_has() -> None:
    body = problems.body_of(Example("No.", status=200, title="fine", raw=b"bytes"))
    assert body["status"] == 429
    assert body["title"] == "An example of a refusal"
    json.dumps(body)


def test_every_kind_has_a_status() -> None:
    assert set(problems.STATUS) == set(Kind)


def test_every_refusal_is_a_problem_of_its_own() -> None:
    ours = [one for one in every_refusal() if one.__module__.startswith("jigap.")]
    assert len(ours) > 40
    codes = [one.code for one in ours]
    assert len(set(codes)) == len(codes), "a code means one thing"
    for refusal in ours:
        assert 400 <= problems.status_of(refusal) <= 599
        assert problems.title_of(refusal)
        assert "\n" not in problems.title_of(refusal)


@pytest.mark.parametrize("kind", [Kind.BUSY, Kind.UNAVAILABLE])
def test_come_back_later_says_when(kind: Kind) -> None:
    class Later(Refusal):
        """Later."""

        code = f"later_{kind.value}"

    Later.kind = kind
    assert problems.response_of(Later("Later.")).headers["Retry-After"] == "1"


def test_a_bug_is_logged_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    @get("/bug")
    async def bug() -> None:
        raise RuntimeError("the secret is 42")

    application = Litestar(
        [bug],
        exception_handlers={Exception: problems.failed},
        openapi_config=None,
        logging_config=None,
    )
    with caplog.at_level(logging.ERROR), TestClient(application) as client:
        response = client.get("/bug")
    assert response.status_code == 500
    assert response.json()["code"] == "internal_error"
    assert "42" not in response.text
    assert "the secret is 42" in caplog.text


def test_a_field_error_never_repeats_the_value() -> None:
    shown = problems._field_error({"key": "passphrase", "message": "Expected `str`", "value": "x"})
    assert shown == {"key": "passphrase", "message": "Expected `str`"}

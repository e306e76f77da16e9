"""A forgotten password over HTTP: whoever was verified sets it anew, others learn nothing."""

import uuid

import httpx
import pytest

from .client import MEMBER_PASSWORD, Client, new_phone
from .test_realname import BIRTH, NAME, Here, confirm, here, request, wrong

__all__ = ["here"]

NEW = "another horse battery"


def verified(here: Here) -> tuple[Client, str]:
    """A verified member and the phone."""
    member, phone = here.member(), new_phone()
    assert confirm(member, request(member, phone).json(), here.code(phone)).status_code == 200
    return member, phone


def ask(here: Here, login: str, phone: str, **given: str) -> httpx.Response:
    body = {"member_id": login, "name": NAME, "phone": phone, **BIRTH, **given}
    return here.stranger.call("POST", "password-resets", body)


def finish(here: Here, reset: str, code: str, new: str = NEW) -> httpx.Response:
    body = {"code": code, "new_password": new}
    return here.stranger.call("POST", f"password-resets/{reset}/confirm", body)


def new_code(here: Here, phone: str, messages: int) -> str:
    """The code of the message that comes after the answer."""
    here.wait_for(lambda: len(here.messages(phone)) > messages)
    return here.code(phone)


def test_a_forgotten_password_is_set_anew_and_every_session_ends(here: Here):
    member, phone = verified(here)
    before = len(here.messages(phone))
    asked = ask(here, member.member_id.upper(), f"+82{phone[1:]}")
    assert (asked.status_code, asked.json()["state"]) == (201, "requested")
    code = new_code(here, phone, before)
    said = finish(here, asked.json()["id"], wrong(code))
    assert (said.status_code, said.json()["code"]) == (422, "password_reset_code_wrong")
    assert said.json()["tries_left"] == 4
    done = finish(here, asked.json()["id"], code)
    assert (done.status_code, done.json()["state"]) == (200, "done")
    assert member.call("GET", "me").status_code == 401
    old = {"member_id": member.member_id, "password": MEMBER_PASSWORD}
    assert here.stranger.call("POST", "session", old).status_code == 401
    again = here.stranger.sign_in(member.member_id, NEW)
    assert again.get("me")["verification_level"] == 2
    twice = finish(here, asked.json()["id"], code)
    assert (twice.status_code, twice.json()["code"]) == (409, "password_reset_over")


@pytest.mark.parametrize(
    "given",
    [{"name": "김철수"}, {"birth": "900130"}, {"member_id": f"x-{uuid.uuid4().hex[:8]}"}],
)
def test_whoever_is_named_the_answer_is_the_same_and_only_the_owner_gets_a_message(
    here: Here, given: dict[str, str]
):
    member, phone = verified(here)
    before = len(here.messages(phone))
    other = ask(here, **({"login": member.member_id, "phone": phone} | _renamed(given)))
    right = ask(here, member.member_id, phone)
    assert (other.status_code, right.status_code) == (201, 201)
    assert other.json().keys() == right.json().keys()
    assert other.json()["state"] == right.json()["state"] == "requested"
    code = new_code(here, phone, before)
    assert len(here.messages(phone)) == before + 1
    said = [finish(here, one.json()["id"], wrong(code)).json() for one in (other, right)]
    assert said[0] == said[1]
    stolen = finish(here, other.json()["id"], code)
    assert stolen.json()["code"] == "password_reset_code_wrong"
    assert here.stranger.sign_in(member.member_id, MEMBER_PASSWORD).token


def _renamed(given: dict[str, str]) -> dict[str, str]:
    return {{"member_id": "login"}.get(name, name): value for name, value in given.items()}


def test_an_agency_that_is_away_shows_to_nobody(here: Here):
    member, phone = verified(here)
    here.agency("unavailable")
    try:
        answers = [ask(here, member.member_id, phone), ask(here, "nobody-here", phone)]
        assert [one.status_code for one in answers] == [201, 201]
        said = [finish(here, one.json()["id"], "000000").json() for one in answers]
        assert said[0] == said[1]
    finally:
        here.agency("normal")


def test_an_unknown_reset_is_unknown(here: Here):
    said = finish(here, "pr_none", "123456")
    assert (said.status_code, said.json()["code"]) == (404, "password_reset_unknown")
    weak = finish(here, "pr_none", "123456", "short")
    assert (weak.status_code, weak.json()["code"]) == (422, "password_weak")


def test_the_log_of_checks_says_what_a_check_was_for(here: Here):
    member, phone = verified(here)
    before = len(here.messages(phone))
    ask(here, member.member_id, phone)
    new_code(here, phone, before)
    newest = here.operator.get("operator/realname-checks?limit=1")["items"][0]
    assert (newest["purpose"], newest["member"], newest["times"]) == (
        "password",
        member.get("me")["id"],
        1,
    )

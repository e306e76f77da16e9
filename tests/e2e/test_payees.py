"""Favourites, recent payees and being found by name, over HTTP."""

from collections.abc import Iterator

import pytest

from tests import processes

from .client import Client


@pytest.fixture(scope="module")
def operator(shared_platform: processes.Running) -> Iterator[Client]:
    stranger = Client.at(shared_platform.url)
    yield stranger.operator(shared_platform)
    stranger.http.close()


def test_a_favourite_can_be_paid_and_becomes_a_recent(operator: Client):
    payer, payee, other = (operator.member(operator) for _ in range(3))
    token = operator.new_token()
    operator.mint(token, payer, "100")
    assert payer.get("me/recents") == []
    body = {"recipient_id": payer.recipient(payee), "label": "단골집"}
    added = payer.call("POST", "me/favourites", body)
    assert added.status_code == 201, added.text
    (kept,) = payer.get("me/favourites")
    assert kept["id"] == added.json()["id"]
    assert (kept["label"], kept["masked_name"]) == ("단골집", "김*지")
    for to, amount in ((kept["recipient_id"], "3"), (payer.recipient(other), "4")):
        order = {"recipient_id": to, "token": token, "amount": amount}
        order |= {"passphrase": payer.passphrase}
        paid = payer.call("POST", "transfers", order, key=f"fav-{amount}", wait=20)
        assert paid.json()["state"] == "confirmed", paid.text
    recents = payer.get("me/recents")
    assert [one["masked_phone"][-4:] for one in recents] == [other.phone[-4:], payee.phone[-4:]]
    again = {"recipient_id": recents[1]["recipient_id"], "token": token, "amount": "1"}
    again |= {"passphrase": payer.passphrase}
    assert payer.call("POST", "transfers", again, key="recent", wait=20).status_code == 201
    assert payee.balance(token)["available"] == "4"
    assert len(payer.get("me/recents")) == 2, "each payee once"
    assert payee.get("me/recents") == [], "being paid makes nobody a payee"
    assert payer.call("DELETE", f"me/favourites/{kept['id']}").status_code == 204
    assert payer.get("me/favourites") == []


def test_the_answer_about_somebody_hidden_is_the_one_about_nobody(operator: Client):
    asker, hidden = operator.member(operator), operator.member(operator)

    def ask(last4: str) -> tuple[int, str, bytes]:
        answer = asker.call("GET", f"recipients?name=김민지&last4={last4}")
        return answer.status_code, answer.headers["content-type"], answer.content

    assert b"recipient_id" in ask(hidden.phone[-4:])[2]
    assert hidden.get("me/directory") == {"found_by_name": True}
    changed = hidden.call("PUT", "me/directory", {"found_by_name": False})
    assert changed.json() == {"found_by_name": False}
    unused = f"{(int(hidden.phone[-4:]) + 5000) % 10000:04d}"
    assert ask(hidden.phone[-4:]) == ask(unused)
    assert asker.recipient(hidden), "the phone number still finds"
    assert asker.get(f"recipients?member_id={hidden.member_id}")


def test_the_budget_cuts_off_and_leaves_favourites_alone(tmp_path, start):
    running = start(
        *("up", "--data", tmp_path / "data", "--port", "0", "--node-port", "0", "--demo", "--json"),
        JIGAP_DIRECTORY_DAY_LOOKUPS="3",
    )
    stranger = Client.at(running.url)
    payer, seller = running.person("payer"), running.person("seller")
    me = stranger.sign_in(seller["member_id"], seller["password"])
    found = me.get(f"recipients?member_id={payer['member_id']}")
    kept = me.call("POST", "me/favourites", {"recipient_id": found[0]["recipient_id"]})
    assert kept.status_code == 201, kept.text
    assert me.get("recipients?member_id=nobody-here") == []
    over = [me.call("GET", f"recipients?member_id={one}") for one in (payer["member_id"], "nobody")]
    assert [one.status_code for one in over] == [429, 429]
    assert over[0].json()["code"] == "directory_budget"
    assert over[0].json() == over[1].json()
    assert len(me.get("me/favourites")) == 1
    stranger.http.close()

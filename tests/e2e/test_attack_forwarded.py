"""Who says where a request comes from: the socket, and a header only of a proxy that is listed."""

from collections.abc import Callable, Iterator

import pytest

from tests import processes
from tests.e2e.client import MEMBER_PASSWORD, Client
from tests.processes import Running

KOREAN, FOREIGN = "1.208.7.7", "8.8.8.8"
PERSON = {
    "member_id": "mina",
    "password": MEMBER_PASSWORD,
    "name": "김민지",
    "phone": "01099990001",
}


def started(start: Callable[..., Running], folder, **settings: str) -> Running:
    arguments = ("--data", folder, "--port", "0", "--node-port", "0", "--json")
    return start("up", *arguments, **settings)


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A platform that believes 127.0.0.1, with one member, who came from Korea."""
    folder = tmp_path_factory.mktemp("proxied") / "data"
    running = started(processes.start, folder, JIGAP_PROXIES="127.0.0.1/32, 10.0.0.0/8")
    client = Client.at(running.url)
    client.http.headers["X-Forwarded-For"] = KOREAN
    assert client.call("POST", "members", PERSON).status_code == 201
    yield running
    running.kill()


def seen(running: Running, *forwarded: str, **headers: str) -> tuple[int, str]:
    """Status of a sign-in, and the address that the list of sessions has for it."""
    client = Client.at(running.url)
    raw = [("X-Forwarded-For", one) for one in forwarded]
    raw += [(name.replace("_", "-"), value) for name, value in headers.items()]
    body = {"member_id": "mina", "password": MEMBER_PASSWORD}
    answer = client.http.post("session", json=body, headers=raw)
    if answer.status_code != 201:
        return answer.status_code, answer.json().get("rule", answer.json()["code"])
    raw.append(("Authorization", f"Bearer {answer.json()['token']}"))
    listed = client.http.get("sessions", headers=raw).json()
    return 201, next(one["address"] for one in listed if one["current"])


def test_a_header_of_somebody_unlisted_is_nothing(start: Callable[..., Running], tmp_path):
    running = started(start, tmp_path / "data")
    Client.at(running.url).call("POST", "members", PERSON)
    assert seen(running, KOREAN) == (201, "127.0.0.1")
    assert seen(running, FOREIGN) == (201, "127.0.0.1")
    assert seen(running, "not an address") == (201, "127.0.0.1")


def test_a_listed_proxy_is_read_from_the_right(behind_proxy: Running):
    assert seen(behind_proxy, KOREAN) == (201, KOREAN)
    # What the client itself put in stands to the left of what the proxy saw.
    assert seen(behind_proxy, f"{FOREIGN}, {KOREAN}") == (201, KOREAN)
    assert seen(behind_proxy, FOREIGN, KOREAN) == (201, KOREAN)
    assert seen(behind_proxy, f"{KOREAN}, {FOREIGN}") == (403, "country")
    # Proxies of ours on the way are passed over.
    assert seen(behind_proxy, f"{KOREAN}, 10.1.2.3") == (201, KOREAN)
    assert seen(behind_proxy, f"{FOREIGN}, {KOREAN}, 10.1.2.3, 10.9.9.9") == (201, KOREAN)


def test_every_spelling_of_an_address_is_one_address(behind_proxy: Running):
    assert seen(behind_proxy, f"::ffff:{KOREAN}") == (201, KOREAN)
    assert seen(behind_proxy, f"[::ffff:{KOREAN}]:4711") == (201, KOREAN)
    assert seen(behind_proxy, f"{KOREAN}:4711") == (201, KOREAN)
    assert seen(behind_proxy, f"::ffff:{FOREIGN}") == (403, "country")


def test_other_headers_are_never_believed(behind_proxy: Running):
    others = {"X_Real_IP": FOREIGN, "Forwarded": f"for={FOREIGN}", "CF_Connecting_IP": FOREIGN}
    assert seen(behind_proxy, KOREAN, **others) == (201, KOREAN)


@pytest.mark.parametrize("said", ["not an address", "", "1.2.3.4.5", "unknown", "999.1.1.1"])
def test_a_proxy_that_says_no_address_is_refused(behind_proxy: Running, said: str):
    """It could be anybody, also somebody who is banned: nothing is guessed."""
    status, _ = seen(behind_proxy, said)
    assert status == 400

"""The system calls show it: what the platform acknowledges to a client was synced first.

The node's own promises are in ``test_node_sync``. Here it is the process of web and dispatcher: the
database's log and the keystore files.
"""

import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jigap.chain.hashing import sha3_256
from tests import processes
from tests.e2e.client import Client, new_key, new_phone
from tests.fault.syscalls import RECEIVED, SENT, Trace, first, synced

WAL = r"jigap\.sqlite-wal"
PASSPHRASE = "blue river 42 stones"


@dataclass
class Desk:
    """A platform, its operator, a member, and a way to trace the process that answers them."""

    operator: Client
    member: Client
    trace: Callable[[], Trace]


@pytest.fixture
def desk(strace: str, shared_platform: processes.Running, tmp_path: Path) -> Iterator[Desk]:
    stranger = Client.at(shared_platform.url)
    operator = stranger.operator(shared_platform)
    process_id = shared_platform.process.pid
    yield Desk(
        operator,
        stranger.member(operator),
        lambda: Trace(strace, process_id, tmp_path / "trace"),
    )
    stranger.http.close()


def test_a_payment_is_synced_before_it_is_acknowledged_or_broadcast(desk: Desk) -> None:
    payer, seller = desk.member, desk.member.member(desk.operator)
    desk.operator.mint("DEMO", payer, "100")
    assert payer.pay(seller, "DEMO", "1").json()["state"] == "confirmed", "gas is there"
    order = payer.order(seller, "DEMO", "2")

    trace = desk.trace()
    made = payer.call("POST", "transfers", order, key=new_key())
    final = payer.call("GET", f"transfers/{made.json()['id']}", wait=20).json()
    lines = trace.stop()
    assert (made.status_code, final["state"]) == (201, "confirmed")

    asked = first(lines, RECEIVED + "POST /api/v1/transfers")
    written = first(lines, rf"pwrite64\(\d+<[^>]*{WAL}>.*{final['id']}", asked)
    durable = synced(lines, WAL, written)
    answered = first(lines, SENT + "HTTP/1.1 201", asked)
    assert asked < written < durable < answered
    assert durable < first(lines, SENT + final["id"])
    assert durable < first(lines, SENT + final["transaction_hash"][2:])
    assert durable < broadcast(lines, final["transaction_hash"])


def test_both_copies_of_a_new_key_are_synced_before_anybody_hears_of_it(desk: Desk) -> None:
    """Neither the member nor the certificate authority."""
    newcomer = signed_up(desk)

    trace = desk.trace()
    made = newcomer.call("POST", "wallet", {"passphrase": PASSPHRASE})
    assert made.status_code == 201
    become_active(newcomer)
    lines = trace.stop()

    asked = first(lines, RECEIVED + "POST /api/v1/wallet")
    filed = key_filed(lines, 1, asked)
    stored = synced(lines, WAL, first(lines, rf"pwrite64\(\d+<[^>]*{WAL}>", filed))
    answered = first(lines, SENT + "HTTP/1.1 201", asked)
    assert asked < filed < stored < answered
    assert stored < first(lines, SENT + "citizen_sendRawCitizen")


def test_a_new_passphrase_is_synced_twice_before_it_is_acknowledged(desk: Desk) -> None:
    body = {"old": desk.member.passphrase, "new": "another blue river"}
    trace = desk.trace()
    changed = desk.member.call("PUT", "wallet/passphrase", body)
    lines = trace.stop()
    assert changed.status_code == 200

    asked = first(lines, RECEIVED + "PUT /api/v1/wallet/passphrase")
    filed = key_filed(lines, 2, asked)
    stored = synced(lines, WAL, first(lines, rf"pwrite64\(\d+<[^>]*{WAL}>", filed))
    answered = first(lines, SENT + "HTTP/1.1 200", asked)
    assert asked < filed < stored < answered


def signed_up(desk: Desk) -> Client:
    """A verified member without a wallet."""
    name, phone = f"t-{uuid.uuid4().hex[:12]}", new_phone()
    body = {"member_id": name, "password": "correct horse", "name": "김민지", "phone": phone}
    assert desk.operator.call("POST", "members", body).status_code == 201
    assert desk.operator.call("POST", f"operator/members/{name}/verify").status_code == 200
    return desk.operator.sign_in(name, "correct horse")


def become_active(who: Client) -> None:
    """Wait until the CA has been asked and a block shows the answer."""
    for _ in range(200):
        if who.get("me")["wallet"]["state"] == "active":
            return
        time.sleep(0.05)
    raise AssertionError("the wallet never became active")


def key_filed(lines: list[str], version: int, after: int) -> int:
    """The line from which on the first copy of a key in this version survives a power cut."""
    content = synced(lines, r"/keystores/[0-9a-f]{2}/\.wa_[^/>]*\.tmp", after)
    named = first(lines, rf'rename.*/(wa_[a-z0-9]+)\.{version}"', content)
    return synced(lines, "/keystores/[0-9a-f]{2}", named)


def broadcast(lines: list[str], transaction_hash: str) -> int:
    """The line where the transaction with this hash left for the node."""
    for number, line in enumerate(lines):
        if not re.search(SENT + "sym_sendRawTransaction", line):
            continue
        for raw in re.findall(r"0x((?:[0-9a-f]{2}){80,})", line):
            if f"0x{sha3_256(bytes.fromhex(raw)).hex()}" == transaction_hash:
                return number
    raise AssertionError("it was never broadcast")

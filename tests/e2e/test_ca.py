"""Certificate authorities over real HTTP, and on a real chain.

The simulated authority is a program of its own; the chain is our node with its blocks and its
JSON-RPC. Nothing here is replaced by a double.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from jigap.ca import (
    AlreadyIssued,
    CitizenInfoCa,
    CitizenRequest,
    EmbeddedCa,
    InDoubt,
    Issued,
    PartnerCa,
    RefusedByCa,
)
from jigap.chain import symid
from jigap.chain.signature import PrivateKey
from jigap.chain.symid import FIRST_CA
from jigap.node import NodeClient, NodeConfig, dev_chain, run_node

SECRET = "00112233445566778899aabbccddeeff"
TIMEOUT_MS = 1_000
ADAPTERS = ["citizen_info", "partner"]


def request(number: int = 1) -> CitizenRequest:
    return CitizenRequest(
        number=number,
        phone="+82 10-1234-5678",
        name="김철수",
        public_key_hash=number.to_bytes(20, "big"),
        v_flag=2,
    )


def adapter(kind: str, url: str, secret: str = SECRET) -> CitizenInfoCa | PartnerCa:
    if kind == "citizen_info":
        return CitizenInfoCa(url, TIMEOUT_MS)
    return PartnerCa(url, secret, TIMEOUT_MS)


class Simulated:
    """The simulated authority as a process."""

    def __init__(self, *options: str) -> None:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jigap.ca.simulated", "--secret", SECRET, *options],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["url"]

    async def behave(self, mode: str, times: int | None = None) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.put(
                self.url + "/simulated/mode", json={"mode": mode, "times": times}
            ) as answer,
        ):
            assert answer.status == 200

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    made = Simulated()
    yield made
    assert made.stop() == 0


@pytest.fixture
async def ca(
    simulated: Simulated, kind: str
) -> AsyncIterator[tuple[Simulated, CitizenInfoCa | PartnerCa]]:
    await simulated.behave("normal")
    made = adapter(kind, simulated.url)
    yield simulated, made
    await made.close()


@pytest.fixture
def fresh() -> Callable[[], CitizenRequest]:
    """Requests for keys that no other test has used."""
    return lambda: request(int.from_bytes(os.urandom(15), "big"))


@pytest.mark.parametrize("kind", ADAPTERS)
async def test_a_key_gets_a_symid_once(ca, fresh):
    _, authority = ca
    asked = fresh()
    answer = await authority.issue(asked)
    assert isinstance(answer, Issued)
    assert symid.is_user(answer.symid)
    assert await authority.issue(asked) == AlreadyIssued()


@pytest.mark.parametrize("kind", ["partner"])
async def test_the_partner_names_the_citizen_transaction(ca, fresh):
    answer = await ca[1].issue(fresh())
    assert len(answer.transaction_hash) == 32


@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize(
    ("mode", "kind_of_answer"),
    [
        ("duplicate", AlreadyIssued),
        ("unauthorized", RefusedByCa),
        ("timeout", InDoubt),
        ("malformed", InDoubt),
        ("nonsense", InDoubt),
        ("lost", InDoubt),
        ("unavailable", InDoubt),
    ],
)
async def test_every_fault_has_its_answer(ca, fresh, mode, kind_of_answer):
    simulated, authority = ca
    await simulated.behave(mode)
    assert isinstance(await authority.issue(fresh()), kind_of_answer)


@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize("mode", ["lost", "malformed", "nonsense"])
async def test_asking_again_after_a_lost_answer_shows_that_it_was_issued(ca, fresh, mode):
    simulated, authority = ca
    await simulated.behave(mode, times=1)
    asked = fresh()
    assert isinstance(await authority.issue(asked), InDoubt)
    assert await authority.issue(asked) == AlreadyIssued()


@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize("mode", ["timeout", "unavailable"])
async def test_asking_again_after_no_answer_issues(ca, fresh, mode):
    simulated, authority = ca
    await simulated.behave(mode, times=1)
    asked = fresh()
    assert isinstance(await authority.issue(asked), InDoubt)
    assert isinstance(await authority.issue(asked), Issued)


async def test_a_wrong_partner_secret_is_a_refusal(simulated, fresh):
    await simulated.behave("normal")
    authority = adapter("partner", simulated.url, "f" * 32)
    assert isinstance(await authority.issue(fresh()), RefusedByCa)
    await authority.close()


@pytest.mark.parametrize("kind", ADAPTERS)
async def test_nobody_listening_is_a_doubt(kind, free_port, fresh):
    authority = adapter(kind, f"http://127.0.0.1:{free_port}")
    answer = await authority.issue(fresh())
    assert isinstance(answer, InDoubt)
    assert SECRET not in answer.reason
    await authority.close()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"publicKeyHash":"xx","verificationType":"CELL_PHONE"}', b"{" * 9],
)
async def test_the_simulated_authority_refuses_what_is_not_documented(simulated, body):
    await simulated.behave("normal")
    async with (
        aiohttp.ClientSession() as session,
        session.post(simulated.url + "/ca/v1/citizenInfo", data=body) as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["httpStatus"] == "BAD_REQUEST"


async def test_the_simulated_authority_takes_the_published_programs_request(simulated):
    """A published client sends the number as a string, an e-mail address too."""
    await simulated.behave("normal")
    sent = {
        "id": "2",
        "mobileNum": "01012345678",
        "publicKeyHash": os.urandom(20).hex(),
        "userNm": "홍길동",
        "verificationType": "CELL_PHONE",
        "email": "a@example.com",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(simulated.url + "/ca/v1/citizenInfo", json=sent) as answer,
    ):
        said = await answer.json()
    assert (answer.status, said["httpStatus"], said["message"]) == (200, "OK", "success")
    (citizen,) = said["result"]["citizenBlockList"]
    assert citizen["publicKeyHash"] == sent["publicKeyHash"]
    assert said["result"]["symId"] == citizen["citizenId"] + citizen["seqNum"]


class Chain:
    """A node of the test's own, and its CA."""

    def __init__(self, client: NodeClient, ca_key: PrivateKey, secret: str) -> None:
        self.client = client
        self.ca_key = ca_key
        self.ca_secret = secret

    async def citizens(self) -> dict[bytes, bytes]:
        """Key hash -> SymID of everybody the blocks have registered."""
        found = {}
        for number in range(await self.client.block_number() + 1):
            block = await self.client.block(number)
            assert block is not None
            found |= {one.key_hash: one.symid for one in block.citizens}
        return found

    async def registered(self, key_hashes: set[bytes]) -> dict[bytes, bytes]:
        """Wait until all of them are in blocks."""
        for _ in range(200):
            found = await self.citizens()
            if key_hashes <= set(found):
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"{len(key_hashes - set(found))} keys are in no block")


@asynccontextmanager
async def node(folder: Path) -> AsyncIterator[Chain]:
    made = dev_chain(folder, 1)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    config = NodeConfig(folder, made.proposer_key, made.genesis, port=0, block_min_ms=20)
    running = asyncio.create_task(
        run_node(config, lambda node: ready.set_result(node.rpc_url), handle_signals=False)
    )
    await asyncio.wait({running, ready}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running
    client = NodeClient(ready.result())
    secret = json.loads((folder / "dev-accounts.json").read_text())["keys"]["first_ca"]
    try:
        yield Chain(client, made.keys["first_ca"], secret)
    finally:
        await client.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    async with node(tmp_path / "node") as made:
        yield made


def embedded(chain: Chain) -> EmbeddedCa:
    return EmbeddedCa(chain.client, chain.ca_key, FIRST_CA, 7777)


async def test_the_embedded_ca_registers_on_the_chain(chain):
    answer = await embedded(chain).issue(request(7))
    assert isinstance(answer, Issued)
    found = await chain.registered({request(7).public_key_hash})
    assert found[request(7).public_key_hash] == answer.symid
    record = await chain.client.citizen(answer.symid)
    assert (record.ca, record.v_flag, record.active) == (FIRST_CA, 2, True)


async def test_the_chain_refuses_a_second_citizen_for_one_key(chain):
    authority = embedded(chain)
    await authority.issue(request(7))
    await chain.registered({request(7).public_key_hash})
    assert await authority.issue(request(7)) == AlreadyIssued()
    assert isinstance(await authority.issue(request(8)), Issued)


async def test_asking_twice_before_the_block_registers_once(chain):
    authority = embedded(chain)
    answers = await asyncio.gather(*(authority.issue(request(7)) for _ in range(5)))
    assert any(isinstance(one, Issued) for one in answers)
    after = await authority.issue(request(8))
    assert isinstance(after, Issued)
    found = await chain.registered({request(7).public_key_hash, request(8).public_key_hash})
    issued = {one.symid for one in answers if isinstance(one, Issued)}
    assert found[request(7).public_key_hash] in issued


async def test_a_burst_of_fifty_gets_nonces_without_gaps(chain):
    authority = embedded(chain)
    before = await chain.client.citizen_nonce(FIRST_CA)
    requests = [request(100 + number) for number in range(50)]
    answers = await asyncio.gather(*(authority.issue(one) for one in requests))
    assert all(isinstance(one, Issued) for one in answers)
    found = await chain.registered({one.public_key_hash for one in requests})
    for asked, answer in zip(requests, answers, strict=True):
        assert found[asked.public_key_hash] == answer.symid
    assert len({answer.symid for answer in answers}) == 50
    assert await chain.client.citizen_nonce(FIRST_CA) == before + 50


async def test_one_that_the_chain_refuses_keeps_nobody_of_its_round_waiting(chain):
    """Those behind it have later nonces, and its own must be used by somebody."""
    await embedded(chain).issue(request(7))
    await chain.registered({request(7).public_key_hash})
    authority, others = embedded(chain), [request(300 + number) for number in range(9)]
    asked = [others[0], request(7), *others[1:5], request(7), *others[5:]]
    answers = await asyncio.gather(*(authority.issue(one) for one in asked))
    assert [number for number, one in enumerate(answers) if one == AlreadyIssued()] == [1, 6]
    found = await chain.registered({one.public_key_hash for one in others})
    for one, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Issued):
            assert found[one.public_key_hash] == answer.symid
    assert await chain.client.waiting_citizens() == []


async def test_a_gap_that_a_crash_left_is_closed_by_the_next_start(chain):
    left = embedded(chain)
    nonce = await chain.client.citizen_nonce(FIRST_CA)
    key_hash = request(7).public_key_hash
    stranded = left._sign(symid.make(2, b"\x11" * 6), key_hash, 2, nonce + 2)
    assert (await chain.client.submit_citizen(stranded.raw)).kind == "accepted"
    assert await embedded(chain).issue(request(7)) == AlreadyIssued()
    await chain.registered({key_hash})


async def test_two_cas_with_one_key_get_along(chain):
    """A second process of the same CA takes nonces too; both find their way again."""
    first, second = embedded(chain), embedded(chain)
    requests = [request(200 + number) for number in range(20)]
    answers = await asyncio.gather(
        *((first, second)[n % 2].issue(one) for n, one in enumerate(requests))
    )
    issued = {
        one.public_key_hash
        for one, answer in zip(requests, answers, strict=True)
        if isinstance(answer, Issued)
    }
    assert all(isinstance(one, Issued | InDoubt) for one in answers)
    await chain.registered(issued)
    for one in requests:
        if one.public_key_hash not in issued:
            assert isinstance(await first.issue(one), Issued)


async def test_without_a_node_the_embedded_ca_is_in_doubt(tmp_path, free_port):
    client = NodeClient(f"http://127.0.0.1:{free_port}", timeout_ms=500)
    authority = EmbeddedCa(client, PrivateKey(b"\x07" * 32), FIRST_CA, 7777)
    assert isinstance(await authority.issue(request(7)), InDoubt)
    await client.close()


async def test_a_stranger_is_no_ca(chain):
    stranger = EmbeddedCa(chain.client, PrivateKey(b"\x07" * 32), FIRST_CA, 7777)
    assert isinstance(await stranger.issue(request(7)), RefusedByCa)


async def test_the_embedded_ca_goes_on_after_the_node_was_restarted(tmp_path):
    async with node(tmp_path / "node") as before:
        await embedded(before).issue(request(7))
        await before.registered({request(7).public_key_hash})
    async with node(tmp_path / "node") as after:
        authority = embedded(after)
        assert await authority.issue(request(7)) == AlreadyIssued()
        assert isinstance(await authority.issue(request(8)), Issued)
        await after.registered({request(8).public_key_hash})


@pytest.mark.parametrize("kind", ADAPTERS)
async def test_the_simulated_ca_registers_on_the_chain_too(chain, tmp_path, kind):
    key_file = tmp_path / "ca.json"
    content = {"symid": symid.to_hex(FIRST_CA), "private_key": chain.ca_secret}
    key_file.write_text(json.dumps(content))
    key_file.chmod(0o600)
    simulated = await asyncio.to_thread(
        Simulated, "--node", chain.client.url, "--ca-key", str(key_file)
    )
    authority = adapter(kind, simulated.url)
    await simulated.behave("lost", times=1)
    try:
        assert isinstance(await authority.issue(request(7)), InDoubt)
        await chain.registered({request(7).public_key_hash})
        assert await authority.issue(request(7)) == AlreadyIssued()
        answer = await authority.issue(request(8))
        found = await chain.registered({request(8).public_key_hash})
        assert found[request(8).public_key_hash] == answer.symid
    finally:
        await authority.close()
        assert await asyncio.to_thread(simulated.stop) == 0

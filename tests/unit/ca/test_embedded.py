"""The embedded CA's bookkeeping, against a node that is scripted."""

import asyncio

import pytest

from jigap.ca import AlreadyIssued, CitizenRequest, EmbeddedCa, InDoubt, Issued, RefusedByCa
from jigap.ca.embedded import new_symid
from jigap.chain import citizen, symid
from jigap.chain.signature import PrivateKey
from jigap.chain.symid import FIRST_CA
from jigap.clock import SimulatedClock
from jigap.node.client import ChainCitizen, NodeTimeout, RpcError, Submitted

KEY = PrivateKey(b"\x07" * 32)
REQUEST = CitizenRequest(1, "+82 10-1234-5678", "김철수", b"k" * 20, 2)


class ScriptedNode:
    """Answers submissions with what it was told to; otherwise as a node does."""

    def __init__(self, *answers: Submitted) -> None:
        self.answers = list(answers)
        self.next_nonce = 0
        self.asked = 0
        self.submitted: list[citizen.SignedCitizenTransaction] = []
        self.taken: set[bytes] = set()

    async def citizen_nonce(self, ca: bytes) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        return self.next_nonce

    async def citizen(self, who: bytes, tag: str = "latest") -> ChainCitizen | None:
        if who in self.taken:
            return ChainCitizen(None, who, b"", FIRST_CA, 1, 0, 0)
        return None

    async def waiting_citizens(self) -> list[tuple[int, ChainCitizen]]:
        return []

    async def submit_citizen(self, raw: bytes) -> Submitted:
        signed = citizen.decode(raw)
        self.submitted.append(signed)
        await asyncio.sleep(0)
        if self.answers:
            return self.answers.pop(0)
        if signed.transaction.nonce != self.next_nonce:
            return Submitted("rejected", "nonce too low")
        self.next_nonce += 1
        return Submitted("accepted")


def authority(node):
    return EmbeddedCa(node, KEY, FIRST_CA, 7777, clock=SimulatedClock(1_700_000_123_456))


async def test_says_what_the_ca_knows_and_signs_it():
    node = ScriptedNode()
    answer = await authority(node).issue(REQUEST)
    (signed,) = node.submitted
    said = signed.transaction
    assert answer == Issued(said.symid, signed.hash)
    assert (said.sender, said.key_hash, said.v_flag) == (FIRST_CA, REQUEST.public_key_hash, 2)
    assert said.write_time == 1_700_000_123
    assert symid.is_user(said.symid) and symid.ca_id(said.symid) == 2
    assert citizen.recover_public_key_hash(signed, 7777) == KEY.public_key_hash


async def test_nothing_personal_goes_on_the_chain():
    node = ScriptedNode()
    await authority(node).issue(REQUEST)
    raw = node.submitted[0].raw
    assert "김철수".encode() not in raw and b"1234" not in raw


async def test_many_at_once_carry_nonces_without_gaps_and_ask_once():
    node = ScriptedNode()
    ca = authority(node)
    answers = await asyncio.gather(*(ca.issue(REQUEST) for _ in range(50)))
    assert all(isinstance(one, Issued) for one in answers)
    assert [one.transaction.nonce for one in node.submitted] == list(range(50))
    assert node.asked == 1


async def test_many_at_once_share_a_round_trip():
    class Slow(ScriptedNode):
        at_once = most = 0

        async def submit_citizen(self, raw: bytes) -> Submitted:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            answer = await super().submit_citizen(raw)
            self.at_once -= 1
            return answer

    node = Slow()
    ca = authority(node)
    await asyncio.gather(*(ca.issue(REQUEST) for _ in range(50)))
    assert node.most == 50


async def test_who_gives_up_takes_nobody_along():
    ca = authority(ScriptedNode())
    leading, following = (asyncio.create_task(ca.issue(REQUEST)) for _ in range(2))
    for _ in range(3):
        await asyncio.sleep(0)
    leading.cancel()
    assert isinstance(await following, Issued)


async def test_a_key_registered_before_is_told_apart():
    node = ScriptedNode(Submitted("rejected", "already existed pub_key_hash"))
    assert await authority(node).issue(REQUEST) == AlreadyIssued()


async def test_a_stale_nonce_is_asked_again_and_tried_again():
    node = ScriptedNode()
    ca = authority(node)
    await ca.issue(REQUEST)
    node.next_nonce = 9  # another process of the same CA went on
    assert isinstance(await ca.issue(REQUEST), Issued)
    assert [one.transaction.nonce for one in node.submitted] == [0, 1, 9]


async def test_a_refused_transaction_uses_no_nonce():
    node = ScriptedNode(Submitted("rejected", "already existed pub_key_hash"))
    ca = authority(node)
    await ca.issue(REQUEST)
    assert isinstance(await ca.issue(REQUEST), Issued)
    assert [one.transaction.nonce for one in node.submitted] == [0, 0]


async def test_after_a_doubt_the_nonce_is_asked_again():
    """Whether the node took it decides the next nonce, and only the node knows."""
    node = ScriptedNode(Submitted("unknown", "no answer in time"))
    ca = authority(node)
    assert await ca.issue(REQUEST) == InDoubt("no answer in time")
    node.next_nonce = 1
    assert isinstance(await ca.issue(REQUEST), Issued)
    assert [one.transaction.nonce for one in node.submitted] == [0, 1]


async def test_a_node_that_keeps_refusing_the_nonce_is_a_doubt():
    node = ScriptedNode(*[Submitted("rejected", "nonce too low")] * 10)
    assert isinstance(await authority(node).issue(REQUEST), InDoubt)
    assert len(node.submitted) == 3


async def test_any_other_no_of_the_node_is_final():
    node = ScriptedNode(Submitted("rejected", "not allowed to this CA"))
    assert await authority(node).issue(REQUEST) == RefusedByCa("not allowed to this CA")


@pytest.mark.parametrize("trouble", [NodeTimeout("no answer"), RpcError(-32603, "internal")])
async def test_trouble_before_signing_is_a_doubt_and_no_exception(trouble):
    class Troubled(ScriptedNode):
        async def citizen_nonce(self, ca: bytes) -> int:
            raise trouble

    assert isinstance(await authority(Troubled()).issue(REQUEST), InDoubt)


async def test_a_symid_in_use_is_never_spoken_of(monkeypatch):
    """A citizen transaction about an existing SymID would give that person's account away."""
    node = ScriptedNode()
    used, free = symid.make(2, b"\x01" * 6), symid.make(2, b"\x02" * 6)
    node.taken.add(used)
    drawn = [used, used, free]
    monkeypatch.setattr("jigap.ca.embedded.new_symid", lambda ca_id: drawn.pop(0))
    assert (await authority(node).issue(REQUEST)).symid == free


def test_new_symids_leave_the_low_numbers_alone(monkeypatch):
    drawn = [(5).to_bytes(6, "big"), b"\x00\x00\x00\x01\x00\x00"]
    monkeypatch.setattr("jigap.ca.embedded.entropy.random_bytes", lambda count: drawn.pop(0))
    assert symid.citizen_id(new_symid(2)).hex() == "0002000000010000"


def test_a_request_does_not_show_who_it_is_for():
    assert "김철수" not in repr(REQUEST) and "1234" not in repr(REQUEST)

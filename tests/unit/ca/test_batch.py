"""Many citizens at once, against a node that is scripted."""

import pytest

from jigap.ca import batch
from jigap.ca.batch import Authority, CitizensRefused
from jigap.chain import citizen, symid
from jigap.chain.signature import PrivateKey
from jigap.chain.symid import FIRST_CA
from jigap.node.client import ChainCitizen, Submitted

KEY = PrivateKey(b"\x07" * 32)
AUTHORITY = Authority(FIRST_CA, KEY, 7777)
HASHES = [bytes([number]) * 20 for number in range(5)]


class ScriptedNode:
    """Takes what comes in any order, and shows it in its blocks after some questions."""

    def __init__(self, *, refuses: int = -1, slow: int = 0, foreign: int = 0) -> None:
        self.submitted: dict[bytes, citizen.SignedCitizenTransaction] = {}
        self._refuses, self._slow, self._foreign = refuses, slow, foreign

    async def citizen_nonce(self, ca: bytes) -> int:
        return 40

    async def citizen(self, who: bytes) -> ChainCitizen | None:
        if not self.submitted and self._foreign:
            self._foreign -= 1
            return ChainCitizen(None, who, b"", FIRST_CA, 1, 0, 0)
        if who in self.submitted:
            self._slow -= 1
            if self._slow < 0:
                return ChainCitizen(None, who, b"", FIRST_CA, 1, 0, 0)
        return None

    async def submit_citizen(self, raw: bytes) -> Submitted:
        if len(self.submitted) == self._refuses:
            return Submitted("rejected", "not allowed to this CA")
        signed = citizen.decode(raw)
        self.submitted[signed.transaction.symid] = signed
        return Submitted("accepted")


async def test_every_key_gets_a_symid_of_the_authority_by_consecutive_nonces():
    node = ScriptedNode()
    await batch.register(node, AUTHORITY, HASHES, 1_700_000_123_456)
    said = sorted((one.transaction for one in node.submitted.values()), key=lambda one: one.nonce)
    assert [one.nonce for one in said] == [40, 41, 42, 43, 44]
    assert [one.key_hash for one in said] == HASHES
    assert len({one.symid for one in said}) == 5
    assert {symid.ca_id(one.symid) for one in said} == {symid.ca_id(FIRST_CA)}
    assert {one.write_time for one in said} == {1_700_000_123}
    for signed in node.submitted.values():
        assert citizen.recover_public_key_hash(signed, 7777) == KEY.public_key_hash


async def test_waits_until_a_block_has_the_last():
    node = ScriptedNode(slow=3)
    await batch.register(node, AUTHORITY, HASHES, 0)
    assert node._slow < 0


async def test_a_symid_that_somebody_has_is_not_given_again():
    node = ScriptedNode(foreign=3)
    await batch.register(node, AUTHORITY, HASHES, 0)
    assert len(node.submitted) == 5


async def test_a_no_of_the_node_is_told():
    with pytest.raises(CitizensRefused, match="not allowed to this CA"):
        await batch.register(ScriptedNode(refuses=2), AUTHORITY, HASHES, 0)


async def test_a_chain_that_takes_nothing_is_told(monkeypatch):
    monkeypatch.setattr(batch, "TAKEN_TIMEOUT_S", 0.05)
    with pytest.raises(CitizensRefused, match="No block"):
        await batch.register(ScriptedNode(slow=10_000), AUTHORITY, HASHES, 0)

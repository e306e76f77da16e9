"""Block 0 follows from the genesis document, byte for byte."""

from dataclasses import replace

import pytest
from tests.unit.node.people import ALICE, FUNDS_HUG, SIGNER_KEY, STRANGER, genesis

from jigap.chain import symid
from jigap.chain.block import Block
from jigap.chain.citizen import Role
from jigap.node.genesis import (
    BLOCK_SIGNER,
    TOKEN_OWNER,
    Genesis,
    GenesisAccount,
    GenesisMalformed,
    first_block,
    platform_genesis,
)
from jigap.node.lthash import LtHash
from jigap.node.state import MemoryReader, State, element


def test_block_0_is_always_the_same() -> None:
    assert first_block(genesis()).block.encode() == first_block(genesis()).block.encode()


def test_block_0_of_a_fixed_genesis_has_this_hash() -> None:
    """A change of this value is another chain: it breaks every data folder there is."""
    hashes = [bytes([number]) * 20 for number in range(1, 7)]
    fixed = platform_genesis(
        master_ca=hashes[0],
        first_ca=hashes[1],
        block_signer=hashes[2],
        token_owner=hashes[3],
        treasury=hashes[4],
        operator=hashes[5],
    )
    expected = "9fb7741089c1bfa76ae04a5024a379a61a59a30871398cfeb1571565c25ed654"
    assert first_block(fixed).block.hash.hex() == expected


def test_the_document_reads_back() -> None:
    assert Genesis.from_json(genesis().to_json()) == genesis()


def test_balances_above_what_json_numbers_hold_survive() -> None:
    rich = GenesisAccount(STRANGER.symid, STRANGER.key.public_key_hash, 2**200)
    assert Genesis.from_json(genesis(rich).to_json()).accounts[-1].balance_hug == 2**200


def test_the_state_root_is_that_of_the_first_accounts() -> None:
    first = first_block(genesis())
    entries = {key: change.after or b"" for key, change in first.finalized.changes.items()}
    recount = LtHash().changed((), (element(key, value) for key, value in entries.items()))
    assert recount.root() == first.block.header.state_root
    state = State(MemoryReader(entries))
    assert state.account(ALICE.symid).balance == FUNDS_HUG
    assert state.account(TOKEN_OWNER).balance > 0
    signer = state.citizen(BLOCK_SIGNER)
    assert signer is not None and signer.key_hash == SIGNER_KEY.public_key_hash
    assert {one.role for one in map(state.citizen, (symid.MASTER_CA, symid.FIRST_CA)) if one} == {
        Role.MASTER_CA,
        Role.CA,
    }


def test_block_0_shows_its_citizens_and_reads_back() -> None:
    block = first_block(genesis()).block
    assert Block.decode(block.encode()) == block
    assert len(block.body.citizens) == len(genesis().accounts)
    assert {one.r for one in block.body.citizens} == {1}


def test_refuses_a_genesis_that_contradicts_itself() -> None:
    good = genesis()
    first, *rest = good.accounts
    for accounts in (
        (first, first, *rest),
        (replace(first, key_hash=rest[0].key_hash), *rest),
        (replace(first, key_hash=b"short"), *rest),
        (replace(first, balance_hug=-1), *rest),
        (replace(first, symid=bytes(10)), *rest),
    ):
        with pytest.raises(GenesisMalformed):
            replace(good, accounts=accounts)
    with pytest.raises(GenesisMalformed, match="block signer"):
        replace(good, proposer=STRANGER.symid)


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"chain_id": "x"}', b"\xff", b'{"chain_id":1,"time_ms":1}']
)
def test_refuses_what_is_no_genesis(document: bytes) -> None:
    with pytest.raises(GenesisMalformed):
        Genesis.from_json(document)

"""Blocks: what is stored is what was made, and a receipt proves itself to a stranger."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from jigap.chain import citizen, transaction
from jigap.chain.block import (
    Block,
    Body,
    Header,
    Receipt,
    ReceiptProof,
    SignedHeader,
    prove_receipt,
    receipts_root,
    sign_header,
)
from jigap.chain.gas import GAS_PRICE_HUG
from jigap.chain.hashing import sha3_256
from jigap.chain.invalid import Invalid
from jigap.chain.signature import PrivateKey

FAST = settings(max_examples=100, deadline=None)

SIGNER = PrivateKey(bytes(31) + b"\x11")
STRANGER = PrivateKey(bytes(31) + b"\x12")

uint64 = st.integers(0, 2**64 - 1)
hashes = st.binary(min_size=32, max_size=32)
symids = st.binary(min_size=10, max_size=10)

headers = st.builds(
    Header,
    number=uint64,
    parent_hash=hashes,
    time_ms=uint64,
    state_root=hashes,
    transactions_root=hashes,
    citizens_root=hashes,
    receipts_root=hashes,
    gas_used=uint64,
    gas_limit=uint64,
    proposer=symids,
    chain_id=uint64,
    citizen_block_number=uint64,
    extra_data=st.binary(max_size=40),
)

receipts = st.builds(
    Receipt,
    transaction_hash=hashes,
    status=st.booleans(),
    gas_used=uint64,
    cumulative_gas_used=uint64,
    err_code=st.none() | st.integers(1000, 9999),
    contract_address=st.none() | symids,
)


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    payments = draw(st.lists(st.tuples(symids, symids, uint64), max_size=4))
    people = draw(st.lists(st.tuples(symids, st.binary(min_size=20, max_size=20)), max_size=3))
    return Body(
        tuple(
            transaction.sign(
                transaction.Transaction(
                    sender, nonce, GAS_PRICE_HUG, 49_000, to, 1, b"", 0, (sender,)
                ),
                STRANGER,
                7777,
            )
            for sender, to, nonce in payments
        ),
        tuple(
            citizen.sign(citizen.CitizenTransaction(symid, b"", 0, symid, key), STRANGER, 7777)
            for symid, key in people
        ),
    )


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    body = draw(bodies())
    count = len(body.transactions)
    outcomes = [
        replace(outcome, transaction_hash=signed.hash)
        for outcome, signed in zip(
            draw(st.lists(receipts, min_size=count, max_size=count)), body.transactions, strict=True
        )
    ]
    header = replace(
        draw(headers),
        transactions_root=body.transactions_root(),
        citizens_root=body.citizens_root(),
        receipts_root=receipts_root(outcomes),
    )
    return Block(sign_header(header, SIGNER), body, tuple(outcomes))


@FAST
@given(headers)
def test_a_header_round_trips_and_its_hash_is_of_its_bytes(header: Header) -> None:
    assert Header.decode(header.encode()) == header
    assert header.hash == sha3_256(header.encode())
    signed = sign_header(header, SIGNER)
    assert SignedHeader.decode(signed.encode()) == signed


@FAST
@given(headers, headers, st.sampled_from(Header.__slots__))
def test_every_header_field_is_in_the_hash(header: Header, other: Header, name: str) -> None:
    changed = replace(header, **{name: getattr(other, name)})
    assert (changed.hash == header.hash) == (changed == header)


@FAST
@given(receipts)
def test_a_receipt_round_trips(receipt: Receipt) -> None:
    assert Receipt.decode(receipt.encode()) == receipt


@settings(max_examples=40, deadline=None)
@given(blocks())
def test_a_block_round_trips_and_its_header_commits_to_it(block: Block) -> None:
    again = Block.decode(block.encode())
    assert again == block
    again.check_roots()
    again.signed_header.verify(SIGNER.public_key_hash)


@settings(max_examples=40, deadline=None)
@given(blocks(), st.data())
def test_a_stored_block_with_a_changed_byte_is_noticed(block: Block, data: st.DataObject) -> None:
    """Decoding, the roots or the proposer's signature refuse it."""
    raw = bytearray(block.encode())
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    try:
        changed = Block.decode(bytes(raw))
        changed.check_roots()
        changed.signed_header.verify(SIGNER.public_key_hash)
    except Invalid:
        return
    raise AssertionError("a damaged block passed for a whole one")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_invalid(raw: bytes) -> None:
    for decode in (Block.decode, Header.decode, SignedHeader.decode, Receipt.decode):
        try:
            decode(raw)
        except Invalid:
            continue
        raise AssertionError("random bytes were decoded")


def proves(proof: ReceiptProof, transaction_hash: bytes) -> bool:
    return proof.verify(transaction_hash, SIGNER.public_key_hash)


@settings(max_examples=40, deadline=None)
@given(blocks(), receipts)
def test_a_receipt_proof_holds_for_its_own_receipt_only(block: Block, forged: Receipt) -> None:
    for index, receipt in enumerate(block.receipts):
        proof = prove_receipt(block, index)
        assert proves(proof, receipt.transaction_hash)
        assert not proves(proof, bytes(32))
        assert not proof.verify(receipt.transaction_hash, STRANGER.public_key_hash)
        success = replace(receipt, status=not receipt.status)
        assert not proves(replace(proof, receipt=success), receipt.transaction_hash)
        assert not proves(replace(proof, receipt=forged), forged.transaction_hash)


@settings(max_examples=40, deadline=None)
@given(blocks(), headers)
def test_a_receipt_proof_needs_the_signed_header(block: Block, other: Header) -> None:
    for index, receipt in enumerate(block.receipts):
        proof = prove_receipt(block, index)
        by_stranger = sign_header(block.header, STRANGER)
        assert not proves(replace(proof, signed_header=by_stranger), receipt.transaction_hash)
        swapped = replace(block.signed_header, header=other)
        assert not proves(replace(proof, signed_header=swapped), receipt.transaction_hash)

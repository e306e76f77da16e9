from dataclasses import replace

import pytest

from jigap.chain import rlp, transaction
from jigap.chain.block import Block, Body, Header, Receipt, SignedHeader, receipts_root, sign_header
from jigap.chain.gas import GAS_PRICE_HUG
from jigap.chain.hashing import ZERO_HASH
from jigap.chain.invalid import Invalid, InvalidBlock, MalformedRlp
from jigap.chain.signature import PrivateKey
from jigap.chain.symid import FIRST_CA

SIGNER = PrivateKey(bytes(31) + b"\x11")
OTHER = PrivateKey(bytes(31) + b"\x12")
BODY = Body(
    (
        transaction.sign(
            transaction.Transaction(
                FIRST_CA, 0, GAS_PRICE_HUG, 49_000, FIRST_CA, 1, b"", 0, (FIRST_CA,)
            ),
            OTHER,
            7777,
        ),
    )
)
RECEIPT = Receipt(BODY.transactions[0].hash, True, 49_000, 49_000)
HEADER = Header(
    number=1,
    parent_hash=ZERO_HASH,
    time_ms=1_700_000_000_000,
    state_root=ZERO_HASH,
    transactions_root=BODY.transactions_root(),
    citizens_root=BODY.citizens_root(),
    receipts_root=receipts_root([RECEIPT]),
    gas_used=49_000,
    gas_limit=188_495_520,
    proposer=FIRST_CA,
    chain_id=7777,
    citizen_block_number=0,
)
BLOCK = Block(sign_header(HEADER, SIGNER), BODY, (RECEIPT,))


def test_the_proposer_is_the_signer() -> None:
    BLOCK.signed_header.verify(SIGNER.public_key_hash)
    with pytest.raises(InvalidBlock) as refusal:
        BLOCK.signed_header.verify(OTHER.public_key_hash)
    assert refusal.value.facts["expected"] == OTHER.public_key_hash.hex()
    assert refusal.value.facts["found"] == SIGNER.public_key_hash.hex()


def test_a_header_under_the_signature_of_another_is_refused() -> None:
    forged = replace(BLOCK.signed_header, header=replace(HEADER, number=2))
    with pytest.raises(InvalidBlock, match="hash does not match"):
        forged.verify(SIGNER.public_key_hash)
    with pytest.raises(Invalid):
        replace(forged, hash=forged.header.hash).verify(SIGNER.public_key_hash)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (replace(BLOCK, body=Body()), "transactions root does not match"),
        (
            replace(BLOCK, receipts=(replace(RECEIPT, status=False),)),
            "receipts root does not match",
        ),
        (
            replace(
                BLOCK, signed_header=sign_header(replace(HEADER, citizens_root=ZERO_HASH), OTHER)
            ),
            "citizens root does not match",
        ),
    ],
)
def test_the_header_commits_to_every_part(changed: Block, message: str) -> None:
    BLOCK.check_roots()
    with pytest.raises(InvalidBlock, match=message):
        changed.check_roots()


def test_a_failed_receipt_keeps_its_code_and_a_creation_its_address() -> None:
    failed = Receipt(ZERO_HASH, False, 60_000, 60_000, err_code=1000)
    created = Receipt(ZERO_HASH, True, 8_076_400, 8_076_400, contract_address=FIRST_CA)
    out_of_gas = Receipt(ZERO_HASH, False, 60_000, 60_000)
    for receipt in (failed, created, out_of_gas):
        assert Receipt.decode(receipt.encode()) == receipt


@pytest.mark.parametrize(
    "item",
    [
        [ZERO_HASH, 2, 0, 0, 0, b""],
        [ZERO_HASH, 256, 0, 0, 0, b""],
        [ZERO_HASH, 1, 0, 0, 0, b"short"],
        [b"", 1, 0, 0, 0, b""],
        [ZERO_HASH, 1, 0, 0, 0],
        b"",
    ],
)
def test_refuses_what_is_not_a_receipt(item: rlp.Encodable) -> None:
    with pytest.raises(MalformedRlp):
        Receipt.decode(rlp.encode(item))


def test_a_header_of_another_version_is_refused() -> None:
    fields = rlp.read_list(rlp.decode(HEADER.encode()), "header")
    with pytest.raises(MalformedRlp, match="not a header of this version"):
        Header.decode(rlp.encode([b"jigap block 2", *fields[1:]]))


def test_a_header_has_the_digest_of_no_transaction() -> None:
    """The tag is longer than a SymID, so the two can never be the same bytes."""
    fields = rlp.read_list(rlp.decode(HEADER.encode()), "header")
    assert len(rlp.read_bytes(fields[0], "tag")) != len(FIRST_CA)


def test_refuses_a_signed_header_without_a_whole_signature() -> None:
    with pytest.raises(MalformedRlp):
        SignedHeader.decode(rlp.encode([HEADER.encode(), bytes(64)]))

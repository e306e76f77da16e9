"""Transactions and citizen transactions: their bytes, and bytes from strangers."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from jigap.chain import citizen, rlp, transaction
from jigap.chain.hashing import sha3_256
from jigap.chain.invalid import Invalid
from jigap.chain.signature import CURVE_ORDER, HALF_CURVE_ORDER, PrivateKey, Signature
from jigap.chain.transaction import (
    TYPE_DEPOSIT,
    TYPE_REMIT,
    TYPE_SCT,
    SignedTransaction,
    Transaction,
)

FAST = settings(max_examples=150, deadline=None)
FUZZ = settings(max_examples=400, deadline=None)

KEY = PrivateKey(bytes(31) + b"\x07")

uint64 = st.integers(0, 2**64 - 1)
uint256 = st.integers(0, 2**256 - 1)
symids = st.binary(min_size=10, max_size=10)
chain_ids = st.integers(1, 2**63)
texts = st.binary(max_size=80)


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    type_ = draw(st.sampled_from([TYPE_REMIT, TYPE_SCT, TYPE_DEPOSIT]))
    sender = draw(symids)
    to = {
        TYPE_REMIT: symids,
        TYPE_SCT: st.just(b"") | symids,
        TYPE_DEPOSIT: st.sampled_from([b"", sender]),
    }[type_]
    return Transaction(
        sender=sender,
        nonce=draw(uint64),
        gas_price=draw(uint256),
        gas_limit=draw(uint64),
        to=draw(to),
        value=0 if type_ == TYPE_SCT else draw(uint256),
        input=draw(texts),
        type=type_,
        work_nodes=(draw(symids),),
        extra_data=draw(texts),
    )


citizen_transactions = st.builds(
    citizen.CitizenTransaction,
    sender=symids,
    to=symids | st.just(b""),
    nonce=uint64,
    symid=symids,
    key_hash=st.binary(min_size=20, max_size=20),
    v_flag=uint64,
    country=uint64,
    status=st.sampled_from(list(citizen.Status)),
    credit=st.integers(0, 15),
    role=st.sampled_from(list(citizen.Role)),
    ref_code=uint64,
    write_time=uint64,
    extra_data=texts,
)

scalars = st.integers(1, HALF_CURVE_ORDER)
short_scalars = st.integers(1, 2**248 - 1) | st.integers(1, 255)


def fields_of(transaction: Transaction) -> list[rlp.Encodable]:
    return [getattr(transaction, name) for name in Transaction.__slots__]


def raw_of(signed: SignedTransaction) -> bytes:
    """The raw bytes, encoded again from the values."""
    return rlp.encode([*fields_of(signed.transaction), signed.v, signed.r, signed.s])


def check_stranger(raw: bytes) -> None:
    """Bytes are refused with ``Invalid``, or are exactly what their values encode to."""
    try:
        signed = transaction.decode(raw)
    except Invalid as refusal:
        assert refusal.message
        return
    assert raw_of(signed) == raw == signed.raw
    assert signed.hash == sha3_256(raw)


@FAST
@given(transactions(), chain_ids)
def test_a_signed_transaction_round_trips_and_names_its_signer(
    unsigned: Transaction, chain_id: int
) -> None:
    signed = transaction.sign(unsigned, KEY, chain_id)
    assert transaction.decode(signed.raw) == signed
    assert signed.raw == raw_of(signed)
    assert signed.hash == sha3_256(signed.raw)
    assert transaction.recover_public_key_hash(signed, chain_id) == KEY.public_key_hash


@FAST
@given(transactions(), chain_ids)
def test_the_preimage_is_the_ten_fields_and_the_chain_id(
    unsigned: Transaction, chain_id: int
) -> None:
    assert unsigned.signing_preimage(chain_id) == rlp.encode(
        [*fields_of(unsigned), chain_id, b"", b""]
    )


@FAST
@given(transactions(), chain_ids, chain_ids)
def test_another_chain_sees_another_signer(
    unsigned: Transaction, chain_id: int, other: int
) -> None:
    signed = transaction.sign(unsigned, KEY, chain_id)
    try:
        signer = transaction.recover_public_key_hash(signed, other)
    except Invalid:
        signer = b""
    assert (signer == KEY.public_key_hash) == (other == chain_id)


@FAST
@given(transactions(), st.integers(0, 1), short_scalars, short_scalars)
def test_short_signature_numbers_round_trip(unsigned: Transaction, v: int, r: int, s: int) -> None:
    raw = rlp.encode([*fields_of(unsigned), v, r, s])
    signed = transaction.decode(raw)
    assert signed.signature == (v, r, s)
    assert signed.transaction == unsigned


@FAST
@given(transactions(), st.integers(0, 300), uint256, uint256)
def test_only_possible_low_signatures_are_decoded(
    unsigned: Transaction, v: int, r: int, s: int
) -> None:
    raw = rlp.encode([*fields_of(unsigned), v, r, s])
    possible = v in (0, 1) and 0 < r < CURVE_ORDER and 0 < s <= HALF_CURVE_ORDER
    try:
        accepted = transaction.decode(raw).signature == (v, r, s)
    except Invalid:
        accepted = False
    assert accepted == possible


@FUZZ
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_invalid(raw: bytes) -> None:
    check_stranger(raw)


@FUZZ
@given(transactions(), st.data())
def test_mutated_transactions_raise_nothing_but_invalid(
    unsigned: Transaction, data: st.DataObject
) -> None:
    """A byte changed, removed or inserted."""
    raw = bytearray(transaction.sign(unsigned, KEY, 7777).raw)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(raw) - 1))
        width = data.draw(st.integers(0, 1))
        raw[position : position + width] = data.draw(st.binary(max_size=2))
    check_stranger(bytes(raw))


odd_items = st.recursive(
    st.binary(max_size=40), lambda inner: st.lists(inner, max_size=3), max_leaves=6
)


@FUZZ
@given(transactions(), st.lists(st.tuples(st.integers(0, 12), odd_items), min_size=1, max_size=3))
def test_wrongly_shaped_fields_raise_nothing_but_invalid(
    unsigned: Transaction, replacements: list[tuple[int, rlp.Item]]
) -> None:
    fields = [*fields_of(unsigned), 1, 2, 3]
    for position, item in replacements:
        fields[position] = item
    check_stranger(rlp.encode(fields))


@FAST
@given(transactions(), st.lists(odd_items, max_size=20))
def test_another_number_of_fields_is_refused(unsigned: Transaction, items: list[rlp.Item]) -> None:
    for count in (0, 1, 12, 14):
        fields = [*fields_of(unsigned), 1, 2, 3, *items, b""][:count]
        try:
            transaction.decode(rlp.encode(fields))
        except Invalid as refusal:
            assert refusal.message.startswith("rlp: ")
        else:
            assert len(fields) == 13


@FAST
@given(transactions(), st.sampled_from([1, 2, 3, 5, 7, 10, 11, 12]))
def test_a_leading_zero_in_an_integer_is_refused(unsigned: Transaction, position: int) -> None:
    fields = [*fields_of(unsigned), 1, 2, 3]
    number = fields[position]
    assert isinstance(number, int)
    fields[position] = b"\0" + rlp.encode_int(number)
    try:
        transaction.decode(rlp.encode(fields))
    except Invalid as refusal:
        assert refusal.message.startswith("rlp: ")
    else:
        raise AssertionError("accepted a leading zero")


@FAST
@given(citizen_transactions, chain_ids)
def test_a_citizen_transaction_round_trips_and_names_its_signer(
    unsigned: citizen.CitizenTransaction, chain_id: int
) -> None:
    signed = citizen.sign(unsigned, KEY, chain_id)
    assert citizen.decode(signed.raw) == signed
    assert signed.hash == sha3_256(signed.raw)
    assert citizen.recover_public_key_hash(signed, chain_id) == KEY.public_key_hash


@FAST
@given(citizen_transactions)
def test_a_citizen_record_round_trips(unsigned: citizen.CitizenTransaction) -> None:
    record = unsigned.record()
    assert citizen.Citizen.decode(record.symid, record.encode()) == record


@FAST
@given(citizen_transactions, st.integers(0, 1), scalars, scalars)
def test_a_citizen_transaction_round_trips_with_any_signature(
    unsigned: citizen.CitizenTransaction, v: int, r: int, s: int
) -> None:
    signed = citizen.with_signature(unsigned, Signature(v, r, s))
    assert citizen.decode(signed.raw) == signed


@FUZZ
@given(citizen_transactions, st.data())
def test_mutated_citizen_transactions_raise_nothing_but_invalid(
    unsigned: citizen.CitizenTransaction, data: st.DataObject
) -> None:
    raw = bytearray(citizen.sign(unsigned, KEY, 7777).raw)
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position : position + data.draw(st.integers(0, 1))] = data.draw(st.binary(max_size=2))
    try:
        signed = citizen.decode(bytes(raw))
    except Invalid:
        return
    assert citizen.with_signature(signed.transaction, signed.signature) == signed


@FAST
@given(transactions(), chain_ids, st.data())
def test_every_field_is_signed(unsigned: Transaction, chain_id: int, data: st.DataObject) -> None:
    """Changing any one field changes what is signed."""
    other = data.draw(transactions())
    name = data.draw(st.sampled_from(Transaction.__slots__))
    changed = replace(unsigned, **{name: getattr(other, name)})
    same = changed == unsigned
    assert (changed.signing_digest(chain_id) == unsigned.signing_digest(chain_id)) == same

import pytest

from jigap.chain import citizen, rlp
from jigap.chain.citizen import Citizen, CitizenTransaction, Role, Status, Verification
from jigap.chain.invalid import HighS, Invalid, InvalidField, MalformedRlp, OversizedData
from jigap.chain.signature import CURVE_ORDER, PrivateKey
from jigap.chain.symid import FIRST_CA

KEY = PrivateKey(bytes(31) + b"\x07")
ALICE = bytes.fromhex("00020000000000070002")
ISSUE = CitizenTransaction(
    FIRST_CA,
    b"",
    0,
    ALICE,
    KEY.public_key_hash,
    v_flag=Verification.PHONE,
    write_time=1_570_502_659,
)

LEADING_ZERO = "rlp: non-canonical integer (leading zero bytes) for "

FIELDS = {
    name: position for position, name in enumerate([*CitizenTransaction.__slots__, "v", "r", "s"])
}


def raw_with(**changes: rlp.Encodable) -> bytes:
    signed = citizen.sign(ISSUE, KEY, 7777)
    elements: list[rlp.Encodable] = [getattr(ISSUE, name) for name in CitizenTransaction.__slots__]
    elements += [signed.v, signed.r, signed.s]
    for name, value in changes.items():
        elements[FIELDS[name]] = value
    return rlp.encode(elements)


def test_the_unchanged_transaction_is_accepted() -> None:
    assert citizen.decode(raw_with()).transaction == ISSUE


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"sender": b"x"}, MalformedRlp, "rlp: input string too short for from"),
        ({"to": b"x"}, MalformedRlp, "rlp: input string of wrong length for to"),
        ({"nonce": b"\0"}, MalformedRlp, LEADING_ZERO + "nonce"),
        ({"symid": bytes(9)}, MalformedRlp, "rlp: input string too short for symId"),
        ({"key_hash": bytes(21)}, MalformedRlp, "rlp: input string too long for aKeyPubH"),
        ({"v_flag": []}, MalformedRlp, "rlp: expected input string or byte for vFlag"),
        ({"country": 2**64}, MalformedRlp, "rlp: input string too long for country"),
        ({"status": 0}, InvalidField, "invalid citizen status"),
        ({"status": 5}, InvalidField, "invalid citizen status"),
        ({"credit": 16}, InvalidField, "invalid citizen credit"),
        ({"role": 0}, InvalidField, "invalid citizen role"),
        ({"role": 3}, InvalidField, "invalid citizen role"),
        ({"extra_data": []}, MalformedRlp, "rlp: expected input string or byte for extraData"),
        ({"s": CURVE_ORDER - 1}, HighS, "invalid transaction v, r, s values"),
        ({"extra_data": bytes(32 * 1024)}, OversizedData, "oversized data"),
    ],
)  # fmt: skip
def test_refuses_a_wrong_field_by_name(
    changes: dict[str, rlp.Encodable], error: type[Invalid], message: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        citizen.decode(raw_with(**changes))
    assert (type(refusal.value), str(refusal.value)) == (error, message)


def test_refuses_the_client_format_without_extra_data() -> None:
    elements = rlp.read_list(rlp.decode(raw_with()), "citizen transaction")
    with pytest.raises(MalformedRlp, match="too few elements"):
        citizen.decode(rlp.encode(elements[:12] + elements[13:]))


def test_the_record_says_what_the_ca_said() -> None:
    assert ISSUE.record() == Citizen(
        ALICE,
        FIRST_CA,
        0,
        KEY.public_key_hash,
        v_flag=2,
        status=1,
        role=1,
        write_time=1_570_502_659,
    )


@pytest.mark.parametrize(("status", "active"), [(Status.ACTIVE, True), (Status.REVOKED, False)])
def test_only_an_active_citizen_may_act(status: Status, active: bool) -> None:
    assert Citizen(ALICE, FIRST_CA, 0, bytes(20), status=status).is_active is active


def test_the_record_does_not_repeat_its_symid() -> None:
    assert ALICE not in Citizen(ALICE, FIRST_CA, 0, bytes(20), role=Role.CA).encode()

import pytest

from jigap.chain import symid
from jigap.chain.invalid import MalformedSymId

PAPER = bytes.fromhex("00035b875ec2c5410002")


@pytest.mark.parametrize(
    "text",
    [
        "0x00035b875ec2c5410002",
        "00035b875ec2c5410002",
        "0x00035B875EC2C5410002",
        "0X00035b875EC2c5410002",
    ],
)
def test_reads_any_case_with_or_without_prefix(text: str) -> None:
    assert symid.parse(text) == PAPER


def test_reads_raw_bytes_and_writes_lower_case() -> None:
    assert symid.parse(PAPER) is PAPER
    assert symid.to_hex(PAPER) == "0x00035b875ec2c5410002"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0x",
        "0x00035b875ec2c541000",
        "0x00035b875ec2c54100020",
        "0x00035b875ec2c541000g",
        " 0x00035b875ec2c5410002",
        "0x00035b875ec2c5410002\n",
        "0x０0035b875ec2c5410002",
        b"",
        bytes(9),
        bytes(11),
    ],
)
def test_refuses_anything_but_ten_bytes(value: str | bytes) -> None:
    with pytest.raises(MalformedSymId):
        symid.parse(value)


def test_takes_a_symid_apart() -> None:
    assert symid.version(PAPER) == 0
    assert symid.ca_id(PAPER) == 3
    assert symid.citizen_id(PAPER).hex() == "00035b875ec2c541"
    assert symid.sequence(PAPER) == 2


def test_puts_a_symid_together() -> None:
    assert symid.make(3, bytes.fromhex("5b875ec2c541")) == PAPER
    second = symid.make(3, bytes.fromhex("5b875ec2c541"), sequence=3)
    assert symid.citizen_id(second) == symid.citizen_id(PAPER)
    assert symid.sequence(second) == 3


@pytest.mark.parametrize(
    ("ca_id", "random6", "sequence"),
    [
        (0, bytes(5) + b"\x01", 2),
        (0x1401, bytes(5) + b"\x01", 2),
        (1 << 14, bytes(5) + b"\x01", 2),
        (-1, bytes(5) + b"\x01", 2),
        (2, bytes(6), 2),
        (2, bytes(5), 2),
        (2, bytes(7), 2),
        (2, bytes(5) + b"\x01", 1),
        (2, bytes(5) + b"\x01", 10_000),
        (2, bytes(5) + b"\x01", 1 << 16),
        (2, bytes(5) + b"\x01", -1),
    ],
)
def test_makes_only_what_a_ca_may_issue(ca_id: int, random6: bytes, sequence: int) -> None:
    with pytest.raises(MalformedSymId):
        symid.make(ca_id, random6, sequence)


@pytest.mark.parametrize("known", [symid.MASTER_CA, symid.FIRST_CA, symid.ORACLE, symid.REWARD])
def test_the_well_known_symids_follow_the_layout(known: bytes) -> None:
    assert symid.is_user(known)


@pytest.mark.parametrize(
    "text",
    [
        "0x00000000000000000000",
        "0x00000000000000000901",  # devnet samples in old documents
        "0x40035b875ec2c5410002",  # version 1
        "0x4801e91a5068757a9484",  # a contract
    ],
)
def test_other_ids_are_read_but_are_no_users(text: str) -> None:
    assert not symid.is_user(symid.parse(text))


def test_contract_addresses_differ_by_nonce_and_creator() -> None:
    """The paper's contract was its owner's first transaction."""
    first = symid.contract_address(PAPER, 0)
    assert symid.to_hex(first) == "0x4801e91a5068757a9484"
    assert len({first, symid.contract_address(PAPER, 1), symid.contract_address(bytes(10), 0)}) == 3

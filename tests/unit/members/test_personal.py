"""Names and phone numbers: one form, masks, seals, blind indexes."""

from types import SimpleNamespace

import phonenumbers
import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st

from jigap.keys import KeyRing, SealBroken
from jigap.members import NameMalformed, PhoneMalformed, personal

RING = KeyRing({1: bytes(32)}, 1, bytes([7]) * 32)


@pytest.mark.parametrize(
    "text",
    [
        "01012345678",
        "010-1234-5678",
        "010 1234 5678",
        "+82 10-1234-5678",
        "+821012345678",
        "(010) 1234-5678",
        "０１０１２３４５６７８",
        "82-10-1234-5678",
        "+82 (0)10-1234-5678",
        "+82-010-1234-5678",
        "0082-10-1234-5678",
        "(0082) 10 1234 5678",
        "00821012345678",
        "001-82-10-1234-5678",
        "00700-82-10-1234-5678",
        "＋８２－１０－１２３４－５６７８",
        "010.1234.5678",
        "010·1234·5678",
        "010–1234–5678",
        "010−1234−5678",
        "010ー1234ー5678",
        "010/1234/5678",
        "٠١٠١٢٣٤٥٦٧٨",
        "tel:+82-10-1234-5678",
        "\u202a+82 10-1234-5678\u202c",
        "010\u200b12345678",
    ],
)
def test_a_number_is_the_same_however_it_is_written(text: str) -> None:
    assert personal.phone_of(text) == "+821012345678"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "0101234",
        "010-1234-56789",
        "010-1234-5678 ext 3",
        "\0",
        "00",
        "+",
        "010-1234-5678" + " " * 40 + "9",
    ],
)
def test_refuses_what_is_no_number(text: str) -> None:
    with pytest.raises(PhoneMalformed) as refused:
        personal.phone_of(text)
    assert text not in str(refused.value.facts) or not text


def test_a_foreign_number_keeps_its_country() -> None:
    phone = personal.phone_of("+1 650 253 0000")
    assert phone == "+16502530000"
    assert personal.masked_phone(phone) == "+1 ****-0000"
    assert personal.phone_digits(phone) == "16502530000"
    assert personal.phone_of("0016502530000") == phone


def _is_assigned(text: str) -> bool:
    """Some blocks of 010 belong to nobody, and so are no numbers."""
    return phonenumbers.is_valid_number(phonenumbers.parse(text))


_MOBILE = st.from_regex(r"\+82 ?10[ -]?[2-9][0-9]{3}[ -]?[0-9]{4}", fullmatch=True)


@given(_MOBILE.filter(_is_assigned))
@settings(deadline=None, max_examples=100)
def test_the_one_form_of_a_number_is_its_own_form(text: str) -> None:
    phone = personal.phone_of(text)
    assert personal.phone_of(phone) == phone
    assert personal.phone_of(personal.phone_digits(phone)) == phone


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("김철수", "김*수"),
        ("김수", "김*"),
        ("김", "*"),
        ("남궁민수", "남**수"),
        ("John Smith", "J*** ****h"),
    ],
)
def test_masks_names(name: str, masked: str) -> None:
    assert personal.masked_name(name) == masked


@given(st.text(alphabet="김이박최민지수철영희abc", min_size=2, max_size=20))
@settings(deadline=None, max_examples=100)
def test_a_mask_shows_two_letters_at_most(name: str) -> None:
    masked = personal.masked_name(name)
    assert len(masked) == len(name)
    assert sum(one != "*" for one in masked) <= 2


def test_masks_phones() -> None:
    assert personal.masked_phone("+821012345678") == "010-****-5678"
    assert personal.masked_phone("+82212345678") == "02-****-5678"
    assert personal.phone_digits("+821012345678") == "01012345678"


@pytest.mark.parametrize("text", ["", "   ", "x" * 51, "a\0b", "<b>", "김1"])
def test_refuses_what_is_no_name(text: str) -> None:
    with pytest.raises(NameMalformed):
        personal.name_of(text)


def test_a_name_has_one_form() -> None:
    assert personal.name_of("  김   철수 ") == "김 철수"
    assert personal.name_of("김철수") == "김철수"


@given(st.text(min_size=1, max_size=40))
@settings(deadline=None, max_examples=50)
def test_what_is_sealed_opens_for_that_member_and_field_only(text: str) -> None:
    row = _row("mb_1", name=text)
    assert personal.open_details(RING, row) == (text, None)
    row.phone_sealed, row.name_sealed = row.name_sealed, None
    with pytest.raises(InvalidTag):
        personal.open_details(RING, row)
    other = _row("mb_1", name=text)
    other.id = "mb_2"
    with pytest.raises(SealBroken):
        personal.open_details(RING, other)


def test_a_new_master_key_opens_the_same_fields() -> None:
    ring = KeyRing({1: bytes(32)}, 1, bytes(32))
    row = SimpleNamespace(id="mb_1", data_key_sealed=personal.new_data_key(ring, "mb_1"))
    row.name_sealed = personal.seal(ring, "mb_1", row.data_key_sealed, "name", "김철수")
    row.phone_sealed = None
    ring.add_version()
    row.data_key_sealed = personal.rewrapped(ring, "mb_1", row.data_key_sealed)
    assert ring.sealed_with(row.data_key_sealed) == 2
    assert personal.open_details(ring, row) == ("김철수", None)


def test_blind_indexes_need_the_ring_and_differ_by_purpose() -> None:
    mine, other = personal.Indexes(RING), personal.Indexes(KeyRing({1: bytes(32)}, 1, bytes(32)))
    assert mine.phone("+821012345678") == personal.Indexes(RING).phone("+821012345678")
    assert mine.phone("+821012345678") != other.phone("+821012345678")
    assert mine.login("same") != mine.phone("same")
    assert mine.name_last4("김 철수", "5678") == mine.name_last4("김철수", "5678")
    assert mine.name_last4("김철수", "5678") != mine.name_last4("김철수", "5679")


def _row(member_id: str, name: str) -> SimpleNamespace:
    data_key_sealed = personal.new_data_key(RING, member_id)
    sealed = personal.seal(RING, member_id, data_key_sealed, "name", name)
    return SimpleNamespace(
        id=member_id, data_key_sealed=data_key_sealed, name_sealed=sealed, phone_sealed=None
    )

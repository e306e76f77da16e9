"""What an answer of an HTTP authority means."""

import msgspec
import pytest

from jigap.ca import (
    AlreadyIssued,
    CaSettingInvalid,
    CitizenInfoCa,
    InDoubt,
    Issued,
    PartnerCa,
    RefusedByCa,
)
from jigap.ca.http import _answer, _json, _Reply, national_digits
from jigap.chain import symid

KEY_HASH = bytes.fromhex("ecf09ffa1360c8ef22d3908b4a83b5640c2de08a")
#: The comments of a published client program, with our key hash.
PUBLISHED = {
    "httpStatus": "OK",
    "message": "success",
    "result": {
        "symId": "00024233482d6b6a0002",
        "citizenBlockList": [
            {
                "id": 2595,
                "citizenId": "00024233482d6b6a",
                "seqNum": "0002",
                "publicKeyHash": KEY_HASH.hex(),
                "role": "General",
                "verificationFlag": "CELL_PHONE",
                "state": "ACTIVE",
                "credit": "00",
                "country": "KOREA_REPUBLIC_OF",
                "refCode": "00000001",
                "notBefore": "20191121",
                "notAfter": "20201121",
                "delYn": "N",
                "creId": "CA",
                "creDtt": "2019-11-21T07:31:39.335",
                "updId": None,
                "updDtt": "2019-11-21T07:31:39.335",
            }
        ],
    },
}


def citizen_info(body, status=200):
    return _answer(_Reply(status, body), "symId", None, KEY_HASH)


def partner(body, status=200):
    return _answer(_Reply(status, body), "symid", "txhash", KEY_HASH)


def test_the_published_answer_is_understood():
    assert citizen_info(PUBLISHED) == Issued(symid.parse("0x00024233482d6b6a0002"), None)


def test_the_partners_answer_is_understood():
    body = {"message": "x", "result": {"symid": "0x00024233482d6b6a0002", "txhash": "ab" * 32}}
    assert partner(body) == Issued(symid.parse("00024233482d6b6a0002"), b"\xab" * 32)


@pytest.mark.parametrize("status", [200, 400, 409, 500])
def test_a_duplicate_is_known_by_its_words(status):
    body = {"message": "already existed pub_key_hash", "result": None}
    assert citizen_info(body, status) == partner(body, status) == AlreadyIssued()


@pytest.mark.parametrize("status", [401, 403])
def test_bad_credentials_are_a_refusal(status):
    assert isinstance(citizen_info(None, status), RefusedByCa)


@pytest.mark.parametrize("status", [400, 404, 302, 422])
def test_a_clear_no_is_a_refusal_with_the_cas_words(status):
    answer = partner({"message": "no such person"}, status)
    assert isinstance(answer, RefusedByCa)
    assert "no such person" in answer.reason


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_ca_that_cannot_answer_leaves_a_doubt(status):
    assert isinstance(citizen_info(None, status), InDoubt)


NONSENSE = [
    None,
    [],
    "yes",
    5,
    {},
    {"result": None},
    {"result": []},
    {"result": {}},
    {"result": {"symId": None}},
    {"result": {"symId": 5}},
    {"result": {"symId": "0x12"}},
    {"result": {"symId": "00000000000000000000"}},
    {"result": {"symId": "00024233482d6b6a0001"}},
    {"result": {"symId": "00024233482d6b6a0002", "citizenBlockList": 5}},
    {"result": {"symId": "00024233482d6b6a0002", "citizenBlockList": [5]}},
    {"result": {"symId": "00024233482d6b6a0002", "citizenBlockList": [{}]}},
]


@pytest.mark.parametrize("body", NONSENSE, ids=repr)
def test_a_yes_that_makes_no_sense_leaves_a_doubt(body):
    """It may have issued: only a block can tell."""
    assert isinstance(citizen_info(body), InDoubt)


def test_the_symid_of_another_key_is_not_taken():
    result = PUBLISHED["result"] | {"citizenBlockList": [{"publicKeyHash": "11" * 20}]}
    assert isinstance(citizen_info({"result": result}), InDoubt)


@pytest.mark.parametrize("txhash", ["xx", "ab", 5])
def test_a_malformed_transaction_hash_leaves_a_doubt(txhash):
    body = {"result": {"symid": "00024233482d6b6a0002", "txhash": txhash}}
    assert isinstance(partner(body), InDoubt)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_nothing(content):
    assert _json(content) is None


def test_json_is_read():
    assert _json(msgspec.json.encode(PUBLISHED)) == PUBLISHED


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("+821012345678", "01012345678"),
        ("+82 10-1234-5678", "01012345678"),
        ("+82 (0)10 1234 5678", "01012345678"),
        ("010-1234-5678", "01012345678"),
        ("01012345678", "01012345678"),
        ("+1 202 555 0100", "12025550100"),
    ],
)
def test_phone_numbers_go_out_as_national_digits(written, sent):
    assert national_digits(written) == sent


@pytest.mark.parametrize("url", ["", "ca.example", "ftp://ca.example"])
def test_an_address_that_is_none_is_told_at_once(url):
    with pytest.raises(CaSettingInvalid):
        CitizenInfoCa(url)


@pytest.mark.parametrize("secret", ["", "0" * 31, "0" * 33, "g" * 32, "../" + "0" * 29])
def test_a_secret_that_is_none_is_told_at_once_and_not_repeated(secret):
    with pytest.raises(CaSettingInvalid) as told:
        PartnerCa("https://ca.example", secret)
    assert not secret or secret not in str(told.value)

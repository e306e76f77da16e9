"""PortOne's SDK against a local twin of its endpoints."""

import pytest

from jigap.realname import (
    Approved,
    CodeInquiry,
    CodeSent,
    Details,
    InDoubt,
    Inquiry,
    PortOne,
    Reason,
    Rejected,
    WrongCode,
)

from .twins import PortOneTwin, installed, serving

DETAILS = Details("김민지", "+821012345678", "900131", "2", "SKT")


@pytest.fixture
async def here():
    installed("portone_server_sdk")
    twin = PortOneTwin()
    async with serving(twin) as url:
        portone = PortOne("portone-secret", "channel", url=url, timeout_ms=2_000)
        yield twin, portone, url
        await portone.close()


def inquiry(details: Details = DETAILS, id_: str = "rn_1") -> Inquiry:
    return Inquiry(id_, details, "203.0.113.9")


def typed(code: str, details: Details = DETAILS, id_: str = "rn_1") -> CodeInquiry:
    return CodeInquiry(id_, id_, "01", code, details)


async def test_a_code_is_sent_and_confirmed(here):
    twin, portone, _ = here
    assert await portone.request(inquiry()) == CodeSent("rn_1")
    sent = twin.sent["rn_1"]
    assert (sent["channelKey"], sent["operator"]) == ("channel", "SKT")
    assert sent["customer"] == {
        "name": "김민지",
        "phoneNumber": "01012345678",
        "identityNumber": "9001312",
        "ipAddress": "203.0.113.9",
    }
    assert await portone.confirm(typed("000000")) == WrongCode()
    assert await portone.confirm(typed(twin.code)) == Approved()


async def test_a_lost_answer_is_a_doubt_and_asking_again_sends_no_second_message(here):
    twin, portone, _ = here
    twin.lose_next = True
    assert isinstance(await portone.request(inquiry()), InDoubt)
    assert await portone.request(inquiry()) == CodeSent("rn_1")
    assert twin.messages == 1
    twin.lose_next = True
    assert isinstance(await portone.confirm(typed(twin.code)), InDoubt)
    assert await portone.confirm(typed(twin.code)) == Approved()


async def test_what_was_verified_must_be_what_was_asked(here):
    twin, portone, _ = here
    await portone.request(inquiry())
    other = Details("김철수", DETAILS.phone, DETAILS.birth, DETAILS.sex, "SKT")
    assert await portone.confirm(typed(twin.code, other)) == Rejected(Reason.MISMATCH)
    older = Details("김민지", DETAILS.phone, "900130", DETAILS.sex, "SKT")
    assert await portone.confirm(typed(twin.code, older)) == Rejected(Reason.MISMATCH)


async def test_whom_the_carrier_does_not_know_is_a_mismatch(here):
    stranger = Details("홍길동", DETAILS.phone, DETAILS.birth, DETAILS.sex, "KT")
    assert await here[1].request(inquiry(stranger)) == Rejected(Reason.MISMATCH)


async def test_without_a_carrier_portone_cannot_ask(here):
    twin, portone, _ = here
    nowhere = Details("김민지", DETAILS.phone, DETAILS.birth, DETAILS.sex)
    assert await portone.request(inquiry(nowhere)) == Rejected(Reason.NOT_SUPPORTED)
    assert twin.messages == 0


async def test_a_check_that_portone_does_not_know_is_forgotten(here):
    assert await here[1].confirm(typed("112233", id_="rn_2")) == Rejected(Reason.FORGOTTEN)


async def test_a_wrong_secret_is_told_apart(here):
    stranger = PortOne("another", "channel", url=here[2])
    assert await stranger.request(inquiry()) == Rejected(Reason.CREDENTIALS)
    assert await stranger.confirm(typed("112233")) == Rejected(Reason.CREDENTIALS)
    await stranger.close()


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (404, {"type": "CHANNEL_NOT_FOUND"}, Rejected(Reason.CREDENTIALS)),
        (400, {"type": "INVALID_REQUEST"}, Rejected(Reason.NOT_SUPPORTED)),
        (429, {"type": "MAX_TRANSACTION_COUNT_REACHED"}, InDoubt),
        (500, {"type": "SOMETHING_NEW"}, InDoubt),
        (500, [], InDoubt),
    ],
)
async def test_every_other_no_has_its_answer(here, status, body, answer):
    twin, portone, _ = here
    twin.refuse_with = status, body
    said = await portone.request(inquiry())
    assert said == answer or (answer is InDoubt and isinstance(said, InDoubt))


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("인증번호 불일치", WrongCode()),
        ("인증번호가 일치하지 않습니다.", WrongCode()),
        ("입력하신 인증 번호가 잘못되었습니다", WrongCode()),
        ("인증번호 입력 횟수를 초과하였습니다", Rejected(Reason.BURNT)),
        ("인증번호 유효시간이 만료되었습니다", Rejected(Reason.EXPIRED)),
        ("시스템 점검중입니다", InDoubt),
        ("통신사 응답 오류", InDoubt),
        ("", InDoubt),
    ],
)
async def test_trouble_of_the_channel_is_no_wrong_code(here, message, answer):
    twin, portone, _ = here
    await portone.request(inquiry())
    twin.refuse_with = 502, {"type": "PG_PROVIDER", "pgCode": "B999", "pgMessage": message}
    said = await portone.confirm(typed(twin.code))
    assert said == answer or (answer is InDoubt and isinstance(said, InDoubt))
    twin.refuse_with = None
    assert await portone.confirm(typed(twin.code)) == Approved()


async def test_the_operator_can_say_which_code_of_the_channel_means_a_wrong_code(here):
    twin, _, url = here
    portone = PortOne("portone-secret", "channel", url=url, wrong_codes=["B777"])
    twin.refuse_with = 502, {"type": "PG_PROVIDER", "pgCode": "B777", "pgMessage": "?"}
    assert await portone.confirm(typed("000000")) == WrongCode()
    await portone.close()


async def test_trouble_says_nothing_personal(here, free_port):
    portone = PortOne("portone-secret", "channel", url=f"http://127.0.0.1:{free_port}")
    said = await portone.request(inquiry())
    assert isinstance(said, InDoubt)
    assert not any(part in said.why for part in ("민지", "12345678", "900131", "secret"))
    await portone.close()

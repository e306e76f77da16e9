"""The agency over HTTP and its simulated twin: every fault has its answer, and nothing is asked
twice."""

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest

from jigap.clock import SimulatedClock
from jigap.realname import (
    AgencySettingInvalid,
    Approved,
    CodeInquiry,
    CodeSent,
    Details,
    HttpAgency,
    InDoubt,
    Inquiry,
    Reason,
    Rejected,
    WrongCode,
    signing,
)
from jigap.realname.simulated import ENDINGS, MODES

from .world import PHONE, SECRET, Simulated, simulated

DETAILS = Details("김민지", "+821012345678", "900131", "2")


def inquiry(phone: str = DETAILS.phone, request_id: str = "rn_1") -> Inquiry:
    return Inquiry(request_id, Details("김민지", phone, "900131", "2"), "203.0.113.9")


def typed(reference: str, code: str, try_id: str = "01") -> CodeInquiry:
    return CodeInquiry("rn_1", reference, try_id, code, DETAILS)


async def behave(here: Simulated, mode: str, times: int | None = None) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.put(here.url + "/simulated/mode", json={"mode": mode, "times": times}) as answer,
    ):
        assert answer.status == 200


@pytest.fixture
async def here():
    async with simulated(SimulatedClock()) as made:
        yield made


async def test_a_code_is_sent_and_confirmed(here: Simulated):
    sent = await here.adapter.request(inquiry())
    assert isinstance(sent, CodeSent)
    assert re.fullmatch("[0-9]{6}", here.code())
    assert await here.adapter.confirm(typed(sent.reference, "000000", "01")) == WrongCode()
    assert await here.adapter.confirm(typed(sent.reference, here.code(), "02")) == Approved()


async def test_the_code_of_another_number_is_wrong(here: Simulated):
    mine = await here.adapter.request(inquiry())
    await here.adapter.request(inquiry("+821087654321", "rn_2"))
    while here.code("010-8765-4321") == here.code():  # one in a million
        await here.adapter.request(inquiry("+821087654321", "rn_3"))
    answer = await here.adapter.confirm(typed(mine.reference, here.code("010-8765-4321")))
    assert answer == WrongCode()


@pytest.mark.parametrize("mode", ["timeout", "unavailable", "lost", "unsigned", "nonsense"])
async def test_trouble_is_a_doubt_and_asking_again_sends_no_second_message(here, mode):
    await behave(here, mode)
    assert isinstance(await here.adapter.request(inquiry()), InDoubt)
    await behave(here, "normal")
    sent = await here.adapter.request(inquiry())
    assert isinstance(sent, CodeSent)
    assert len(here.program.inbox.messages(PHONE)) == 1
    await behave(here, mode)
    asked = typed(sent.reference, here.code())
    assert isinstance(await here.adapter.confirm(asked), InDoubt)
    await behave(here, "normal")
    assert await here.adapter.confirm(asked) == Approved()


@pytest.mark.parametrize("mode", ["timeout", "unavailable", "lost", "unsigned", "nonsense"])
async def test_one_trouble_is_not_even_noticed(here, mode):
    await behave(here, mode, times=1)
    answer = await here.adapter.request(inquiry())
    expected = InDoubt if mode == "nonsense" else CodeSent  # signed nonsense is not repeated
    assert isinstance(answer, expected)
    assert len(here.program.inbox.messages(PHONE)) <= 1


async def test_a_wrong_code_that_is_asked_again_counts_once(here: Simulated):
    sent = await here.adapter.request(inquiry())
    for _ in range(20):
        assert await here.adapter.confirm(typed(sent.reference, "000000")) == WrongCode()
    assert await here.adapter.confirm(typed(sent.reference, here.code(), "02")) == Approved()


async def test_the_agency_burns_a_code_too(here: Simulated):
    sent = await here.adapter.request(inquiry())
    answers = [
        await here.adapter.confirm(typed(sent.reference, "wrong!", f"{n:02}")) for n in range(5)
    ]
    assert answers == [WrongCode()] * 4 + [Rejected(Reason.BURNT)]
    right = await here.adapter.confirm(typed(sent.reference, here.code(), "99"))
    assert right == Rejected(Reason.BURNT)


async def test_the_agencys_time_for_a_code_ends(here: Simulated):
    sent = await here.adapter.request(inquiry())
    here.clock.advance(5 * 60 * 1000)
    answer = await here.adapter.confirm(typed(sent.reference, here.code()))
    assert answer == Rejected(Reason.EXPIRED)


async def test_a_code_is_good_once_for_the_agency_too(here: Simulated):
    sent = await here.adapter.request(inquiry())
    assert await here.adapter.confirm(typed(sent.reference, here.code(), "01")) == Approved()
    assert await here.adapter.confirm(typed(sent.reference, here.code(), "02")) == WrongCode()


async def test_an_agency_that_forgot_says_so(here: Simulated):
    sent = await here.adapter.request(inquiry())
    await behave(here, "forgetful", times=1)
    answer = await here.adapter.confirm(typed(sent.reference, here.code()))
    assert answer == Rejected(Reason.FORGOTTEN)


# --- endings of phone numbers


async def by_ending(here: Simulated, ending: str):
    return await here.adapter.request(inquiry(f"+82101234{ending}", f"rn_{ending}"))


async def test_endings_refuse(here: Simulated):
    assert await by_ending(here, "9001") == Rejected(Reason.MISMATCH)
    assert await by_ending(here, "9002") == Rejected(Reason.DECLINED)
    assert here.program.inbox.messages() == []


async def test_endings_are_silent_for_ever(here: Simulated):
    assert isinstance(await by_ending(here, "9003"), InDoubt)
    assert isinstance(await by_ending(here, "9007"), InDoubt)
    assert here.program.inbox.messages() == []


async def test_an_ending_sends_nothing(here: Simulated):
    assert isinstance(await by_ending(here, "9004"), CodeSent)
    await asyncio.sleep(0.1)
    assert here.program.inbox.messages() == []


async def test_an_ending_is_late(here: Simulated):
    assert isinstance(await by_ending(here, "9005"), CodeSent)
    assert here.program.inbox.messages() == []
    await asyncio.sleep(0.2)
    assert len(here.program.inbox.messages("010-1234-9005")) == 1


async def test_an_ending_loses_the_answer_but_the_code_arrives_once(here: Simulated):
    assert isinstance(await by_ending(here, "9006"), InDoubt)
    assert len(here.program.inbox.messages("010-1234-9006")) == 1


async def test_an_ending_loses_the_confirmation_once(here: Simulated):
    sent = await by_ending(here, "9008")
    code = here.code("010-1234-9008")
    once = HttpAgency(here.url, "jigap", SECRET, here.clock, timeout_ms=300, times=1)
    assert isinstance(await once.confirm(typed(sent.reference, code)), InDoubt)
    assert await once.confirm(typed(sent.reference, code)) == Approved()
    await once.close()


# --- signatures


async def test_another_secret_is_refused(here: Simulated):
    stranger = HttpAgency(here.url, "jigap", "another secret, long", here.clock, timeout_ms=300)
    assert await stranger.request(inquiry()) == Rejected(Reason.CREDENTIALS)
    assert here.program.inbox.messages() == []
    await stranger.close()


async def test_a_clock_that_differs_too_much_is_refused(here: Simulated):
    late = SimulatedClock(here.clock.now_ms() - signing.SKEW_MAX_MS - 1)
    adapter = HttpAgency(here.url, "jigap", SECRET, late, timeout_ms=300)
    assert await adapter.request(inquiry()) == Rejected(Reason.CREDENTIALS)
    await adapter.close()


async def post(here: Simulated, body: bytes, **changed: str) -> tuple[int, str]:
    path = "/v1/realname/requests"
    now, nonce = str(here.clock.now_ms()), "ab" * 16
    signature = signing.of_request(SECRET.encode(), "POST", path, now, nonce, body)
    headers = {
        signing.TIMESTAMP: now,
        signing.NONCE: nonce,
        signing.SIGNATURE: signature,
    } | {f"X-Agency-{name.title()}": value for name, value in changed.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.post(here.url + path, data=body, headers=headers) as answer,
    ):
        content = await answer.read()
        signed = signing.of_answer(SECRET.encode(), headers[signing.NONCE], answer.status, content)
        assert answer.headers[signing.SIGNATURE] == signed
        return answer.status, (await answer.json())["result"]


BODY = (
    '{"requestId":"rn_9","name":"김민지","phone":"01012345678","birth":"900131","sex":"2"}'.encode()
)


async def test_a_message_that_is_sent_again_by_somebody_is_refused(here: Simulated):
    assert await post(here, BODY) == (200, "CODE_SENT")
    assert await post(here, BODY) == (401, "NONCE_USED")


@pytest.mark.parametrize("name", ["timestamp", "nonce", "signature"])
async def test_a_changed_header_is_refused(here: Simulated, name: str):
    assert await post(here, BODY, **{name: "1" * 32}) == (401, "BAD_SIGNATURE")


async def test_one_id_is_one_question(here: Simulated):
    assert isinstance(await here.adapter.request(inquiry()), CodeSent)
    answer = await here.adapter.request(inquiry("+821087654321"))
    assert isinstance(answer, InDoubt)
    assert here.program.inbox.messages("010-8765-4321") == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"[" * 30_000])
async def test_the_simulated_agency_refuses_what_is_not_documented(here, body):
    assert await post(here, body) == (400, "BAD_REQUEST")


# --- settings and phones


@pytest.mark.parametrize(
    "url",
    ["", "agency.example", "ftp://a.example", "http://agency.example", "https://", "http://["],
)
def test_details_go_over_https_or_stay_here(url: str):
    with pytest.raises(AgencySettingInvalid):
        HttpAgency(url, "jigap", SECRET, SimulatedClock())


@pytest.mark.parametrize(
    "url",
    ["https://agency.example/base/", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"],
)
def test_an_address_that_can_be_used_is_taken(url: str):
    HttpAgency(url, "jigap", SECRET, SimulatedClock())


@pytest.mark.parametrize("given", [{"secret": "short"}, {"times": 0}, {"times": 9}])
def test_a_setting_that_cannot_be_used_is_told_at_once_and_no_secret_with_it(given):
    values = {"secret": SECRET, "times": 2} | given
    with pytest.raises(AgencySettingInvalid) as told:
        HttpAgency(
            "https://a.example", "jigap", values["secret"], SimulatedClock(), times=values["times"]
        )
    assert "short" not in told.value.detail


async def test_nobody_listening_is_a_doubt_that_says_nothing_personal(free_port: int):
    adapter = HttpAgency(f"http://127.0.0.1:{free_port}", "jigap", SECRET, SimulatedClock())
    answer = await adapter.request(inquiry())
    assert isinstance(answer, InDoubt)
    assert not any(part in answer.why for part in ("민지", "12345678", "900131", SECRET))
    await adapter.close()


async def test_a_base_path_is_signed_too(here: Simulated):
    """The simulated agency knows no such path; what matters is that the path is asked for."""
    adapter = HttpAgency(here.url + "/base/", "jigap", SECRET, here.clock, times=1)
    assert isinstance(await adapter.request(inquiry()), InDoubt)
    await adapter.close()


@pytest.mark.parametrize("written", ["010-1234-5678", "01012345678", "+82 10-1234-5678"])
async def test_the_inbox_is_found_however_the_number_is_written(here: Simulated, written: str):
    await here.adapter.request(inquiry())
    async with (
        aiohttp.ClientSession() as session,
        session.get(here.url + "/inbox", params={"phone": written}) as answer,
    ):
        found = await answer.json()
    (message,) = found["messages"]
    assert message["phone"] == "01012345678"
    assert re.findall(r"\b[0-9]{6}\b", str(found)) == [here.code()]


async def test_the_inbox_is_a_page_for_a_browser_and_escapes(here: Simulated):
    await here.adapter.request(inquiry())
    async with (
        aiohttp.ClientSession() as session,
        session.get(here.url + "/", params={}, headers={"Accept": "text/html,*/*;q=0.8"}) as answer,
    ):
        page = await answer.text()
    assert here.code() in page
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            here.url + "/inbox",
            params={"phone": '"><script>'},
            headers={"Accept": "text/html"},
        ) as answer,
    ):
        assert "<script>" not in await answer.text()


def test_the_reference_page_names_every_ending_mode_and_result():
    page = (Path(__file__).parents[3] / "docs" / "reference" / "agency.md").read_text("utf-8")
    from jigap.realname.agency import REASONS

    for word in (*ENDINGS, *MODES, *REASONS, "CODE_SENT", "CONFIRMED", "WRONG_CODE"):
        assert f"`{word}`" in page, word

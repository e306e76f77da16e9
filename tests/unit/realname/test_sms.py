"""Messages: an inbox that pretends, and Solapi's SDK against a local twin."""

import re

import pytest

from jigap.clock import SimulatedClock
from jigap.realname import SimulatedInbox, Sms, SolapiSender
from jigap.realname.sms import INBOX_MESSAGES_MAX, NotTaken, PerhapsTaken, Taken

from .twins import SolapiTwin, installed, serving

MESSAGE = Sms("+821012345678", "인증번호 123456")


async def test_the_inbox_shows_the_newest_first_and_each_phone_its_own():
    inbox = SimulatedInbox(SimulatedClock().now_ms)
    for number in range(3):
        assert await inbox.send(Sms("010-1234-5678", str(number))) == Taken()
    await inbox.send(Sms("010-8765-4321", "other"))
    assert [one.text for one in inbox.messages("+82 10 1234 5678")] == ["2", "1", "0"]
    assert len(inbox.messages()) == 4


async def test_the_inbox_is_never_larger_than_it_may_be():
    inbox = SimulatedInbox(SimulatedClock().now_ms)
    for number in range(INBOX_MESSAGES_MAX + 5):
        await inbox.send(Sms("010-1234-5678", str(number)))
    assert len(inbox.messages()) == INBOX_MESSAGES_MAX
    assert inbox.messages()[-1].text == "5"


def test_a_message_does_not_show_itself():
    assert "12345" not in repr(MESSAGE)


@pytest.fixture
async def here():
    installed("solapi")
    twin = SolapiTwin()
    async with serving(twin) as url:
        yield twin, SolapiSender("key", "solapi-secret", "02-1234-5678", url)


async def test_solapi_takes_a_message(here):
    twin, sender = here
    assert await sender.send(MESSAGE) == Taken()
    (sent,) = twin.taken
    assert (sent["to"], sent["from"], sent["text"], sent["type"]) == (
        "01012345678",
        "0212345678",
        MESSAGE.text,
        "SMS",
    )
    assert re.match(
        "HMAC-SHA256 ApiKey=key, Date=.*, signature=[0-9a-f]{64}", twin.authorizations[0]
    )
    assert "solapi-secret" not in twin.authorizations[0]


@pytest.mark.parametrize(
    ("how", "kind"),
    [("refused", NotTaken), ("failed", NotTaken), ("broken", PerhapsTaken), ("lost", PerhapsTaken)],
)
async def test_what_solapi_does_not_take_is_told_without_a_word_of_it(here, how, kind):
    twin, sender = here
    twin.answer = how
    said = await sender.send(MESSAGE)
    assert isinstance(said, kind)
    assert not any(part in said.why for part in ("123456", "12345678"))
    assert len(twin.authorizations) == 1


async def test_nobody_listening_is_a_doubt(here, free_port):
    sender = SolapiSender("key", "solapi-secret", "0212345678", f"http://127.0.0.1:{free_port}")
    assert isinstance(await sender.send(MESSAGE), PerhapsTaken)

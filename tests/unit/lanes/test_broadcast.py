"""Which bytes leave, in which order, and what the node's answer means."""

from dataclasses import replace

import pytest

from jigap.lanes import LaneView, Outgoing, State, after_answer, departures
from jigap.lanes.broadcast import RESEND_SENT_MS, RESEND_UNKNOWN_MS, Departure

NOW_MS = 1_000_000
RICH = LaneView(nonce=0, balance_hug=10**18, frozen=False)


def entry(nonce: int = 0, state: State = State.SIGNED, **changes: object) -> Outgoing:
    return replace(
        Outgoing(
            sender=bytes(10),
            nonce=nonce,
            purpose="transfer",
            subject_id=f"tr_{nonce}",
            hash=bytes([nonce]) * 32,
            raw=b"pay%d" % nonce,
            cancel_hash=bytes([nonce + 100]) * 32,
            cancel_raw=b"cancel%d" % nonce,
            fee_max_hug=100,
            value_hug=0,
            state=state,
            created_ms=NOW_MS,
            deadline_ms=NOW_MS + 60_000,
            tag=bytes(16),
        ),
        **changes,
    )


def sent(view: LaneView, waiting: list[Outgoing], now_ms: int = NOW_MS) -> list[bytes]:
    return [one.raw for one in departures(view, waiting, now_ms)]


def test_a_lane_leaves_in_nonce_order():
    assert sent(RICH, [entry(0), entry(1), entry(2)]) == [b"pay0", b"pay1", b"pay2"]


def test_a_lane_stops_where_its_account_cannot_pay():
    poor = replace(RICH, balance_hug=250)
    assert sent(poor, [entry(0), entry(1), entry(2)]) == [b"pay0", b"pay1"]


def test_what_was_sent_and_is_not_mined_still_costs():
    poor = replace(RICH, balance_hug=150)
    waiting = [entry(0, State.SENT, last_sent_ms=NOW_MS), entry(1)]
    assert sent(poor, waiting) == []


def test_a_frozen_member_sends_nothing_new():
    frozen = replace(RICH, frozen=True)
    assert sent(frozen, [entry(0)]) == []


def test_freezing_does_not_stop_what_may_be_on_the_wire():
    frozen = replace(RICH, frozen=True)
    assert sent(frozen, [entry(0, State.UNKNOWN)]) == [b"pay0"]


def test_after_the_deadline_only_the_cancel_leaves():
    late = NOW_MS + 60_000
    for state in (State.SIGNED, State.UNKNOWN, State.SENT):
        (one,) = departures(RICH, [entry(0, state)], late)
        assert (one.raw, one.state) == (b"cancel0", State.CANCELLING)


def test_a_frozen_members_late_payment_is_cancelled():
    frozen = replace(RICH, frozen=True)
    assert sent(frozen, [entry(0)], NOW_MS + 60_000) == [b"cancel0"]


def test_doubt_is_followed_by_the_same_bytes():
    doubtful = entry(0, State.UNKNOWN, last_sent_ms=NOW_MS)
    assert sent(RICH, [doubtful], NOW_MS + RESEND_UNKNOWN_MS - 1) == []
    assert sent(RICH, [doubtful], NOW_MS + RESEND_UNKNOWN_MS) == [b"pay0"]


def test_what_the_node_has_is_offered_again_only_after_a_while():
    known = entry(0, State.SENT, last_sent_ms=NOW_MS)
    assert sent(RICH, [known], NOW_MS + RESEND_SENT_MS - 1) == []
    assert sent(RICH, [known], NOW_MS + RESEND_SENT_MS) == [b"pay0"]


def test_bytes_whose_nonce_the_chain_has_passed_are_not_sent():
    passed = replace(RICH, nonce=1)
    assert sent(passed, [entry(0, State.UNKNOWN), entry(1)]) == [b"pay1"]


@pytest.mark.parametrize("kind", ["accepted", "known"])
def test_an_accepted_payment_is_sent(kind):
    assert after_answer(Departure(entry(), b"", State.UNKNOWN), kind, "") is State.SENT


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("unknown", ""),
        ("rejected", "nonce too low"),
        ("rejected", "insufficient funds for gas * price + value"),
    ],
)
def test_a_no_for_now_stays_unknown(kind, message):
    assert after_answer(Departure(entry(), b"", State.UNKNOWN), kind, message) is State.UNKNOWN


@pytest.mark.parametrize("message", ["invalid sender", "recipient is not a citizen"])
def test_a_no_for_ever_is_cancelled_but_not_ended(message):
    after = after_answer(Departure(entry(), b"", State.UNKNOWN), "rejected", message)
    assert after is State.CANCELLING
    assert not after.is_final

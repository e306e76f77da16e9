"""The states of an outgoing transaction and the arrows between them."""

import pytest

from jigap.lanes.states import FINAL, NEXT, IllegalTransition, State, advance


@pytest.mark.parametrize("state", sorted(FINAL))
def test_nothing_leaves_a_final_state(state):
    for wanted in State:
        with pytest.raises(IllegalTransition):
            advance(state, wanted)


@pytest.mark.parametrize("state", sorted(set(State) - FINAL))
def test_a_block_can_end_every_other_state(state):
    for end in FINAL:
        assert advance(state, end) is end


def test_unknown_is_never_final():
    assert not State.UNKNOWN.is_final


def test_a_cancel_that_was_sent_is_not_taken_back():
    for wanted in (State.SIGNED, State.UNKNOWN, State.SENT):
        with pytest.raises(IllegalTransition):
            advance(State.CANCELLING, wanted)


def test_every_state_has_its_arrows():
    assert set(NEXT) == set(State)

"""The table of a recovery, and who may do what when."""

from dataclasses import replace
from itertools import product

import pytest

from jigap.recovery import (
    OPEN,
    Recovery,
    RecoveryNotThere,
    RecoveryOwn,
    RecoverySameOperator,
    RecoveryWaits,
    State,
)
from jigap.recovery.states import TRANSITIONS, approved, becomes, overtaken

WAITING = Recovery(
    id="rv_1",
    member_id="mb_1",
    wallet_id="wa_1",
    state=State.WAITING,
    check_id="rn_1",
    version=1,
    operators=(),
    reason="",
    created_ms=1_000,
    ready_ms=5_000,
    expires_ms=9_000,
    finished_ms=None,
)
ONCE = replace(WAITING, state=State.APPROVED_ONCE, operators=("op_1",))


def test_every_state_has_its_row():
    assert set(TRANSITIONS) == set(State)
    assert set(State) - OPEN == {State.DONE, State.CANCELLED, State.REFUSED, State.EXPIRED}


@pytest.mark.parametrize(("state", "next_"), list(product(State, State)))
def test_only_the_table_moves_a_recovery(state, next_):
    if next_ in TRANSITIONS[state]:
        assert becomes(state, next_) is next_
    else:
        with pytest.raises(AssertionError):
            becomes(state, next_)


def test_the_only_way_to_the_end_is_through_every_step():
    way = [State.REQUESTED]
    ends = {State.CANCELLED, State.REFUSED, State.EXPIRED}
    while TRANSITIONS[way[-1]]:
        (next_,) = TRANSITIONS[way[-1]] - ends
        way.append(next_)
    assert [one.value for one in way] == [
        "requested", "waiting", "approved_once", "approved", "opened", "done"
    ]  # fmt: skip


def test_two_different_operators_approve_after_the_waiting_time():
    assert approved(WAITING, "op_1", 5_000) is State.APPROVED_ONCE
    assert approved(ONCE, "op_2", 5_000) is State.APPROVED
    with pytest.raises(RecoverySameOperator):
        approved(ONCE, "op_1", 5_000)


@pytest.mark.parametrize("found", [WAITING, ONCE])
def test_nobody_approves_before_the_time_or_for_themselves(found):
    with pytest.raises(RecoveryWaits) as waits:
        approved(found, "op_2", 4_999)
    assert waits.value.retry_after_s == 1
    with pytest.raises(RecoveryOwn):
        approved(found, "mb_1", 5_000)


@pytest.mark.parametrize("state", sorted({*State} - {State.WAITING, State.APPROVED_ONCE}))
def test_every_other_state_takes_no_approval(state):
    with pytest.raises(RecoveryNotThere) as there:
        approved(replace(WAITING, state=state), "op_2", 5_000)
    assert there.value.facts == {"state": state.value}


@pytest.mark.parametrize("state", State)
def test_a_passphrase_that_is_not_forgotten_ends_it(state):
    found = replace(WAITING, state=state)
    is_open = state in OPEN

    def ended(now_ms=2_000, opened_ms=None, version=1):
        return overtaken(found, now_ms, opened_ms=opened_ms, version=version)

    assert ended() is None
    assert ended(opened_ms=999) is None
    assert ended(opened_ms=1_000) == ((State.CANCELLED, "passphrase_used") if is_open else None)
    assert ended(version=2) == ((State.CANCELLED, "key_changed") if is_open else None)
    assert ended(8_999) is None
    assert ended(9_000) == ((State.EXPIRED, "") if is_open else None)

"""Why a transaction does not end."""

from dataclasses import replace

import pytest
from tests.unit.lanes.test_broadcast import entry

from jigap.lanes import State
from jigap.transfers.stuck import Why, why


@pytest.mark.parametrize(
    ("state", "frozen", "active", "balance_hug", "reason"),
    [
        (State.CANCELLING, False, False, 0, Why.REVOKED),
        (State.CANCELLING, True, True, 0, Why.NO_GAS),
        (State.SIGNED, True, True, 99, Why.FROZEN),
        (State.SIGNED, True, True, 100, Why.NODE),
        (State.SIGNED, False, True, 99, Why.NO_GAS),
        (State.UNKNOWN, False, True, 100, Why.NODE),
    ],
)
def test_the_first_reason_that_explains_it(state, frozen, active, balance_hug, reason):
    one = replace(entry(), state=state)
    assert why(one, frozen=frozen, active=active, balance_hug=balance_hug) is reason

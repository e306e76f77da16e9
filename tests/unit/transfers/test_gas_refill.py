"""When an account is given SYM, and how much."""

from hypothesis import given
from hypothesis import strategies as st

from jigap.chain.gas import GAS_PRICE_HUG
from jigap.transfers import GasPurse, gas_units, refill_ahead_hug, refill_hug
from jigap.transfers.gas_refill import REFILL_GAS

FEE_HUG = 67_240 * GAS_PRICE_HUG
purses = st.builds(
    GasPurse,
    st.integers(0, 10**20),
    st.integers(0, 10**20),
    st.integers(0, 10**20),
)


def test_an_empty_account_gets_its_next_payments():
    assert refill_hug(GasPurse(0, 0, 0), FEE_HUG, 4) == 4 * FEE_HUG


def test_a_covered_payment_needs_nothing():
    assert refill_hug(GasPurse(FEE_HUG, 0, 0), FEE_HUG, 4) == 0


def test_what_is_owed_is_not_free():
    assert refill_hug(GasPurse(FEE_HUG, 0, FEE_HUG), FEE_HUG, 4) == 4 * FEE_HUG


def test_a_refill_under_way_counts():
    assert refill_hug(GasPurse(0, 4 * FEE_HUG, FEE_HUG), FEE_HUG, 4) == 0


def test_refills_run_ahead_of_need():
    assert refill_ahead_hug(GasPurse(2 * FEE_HUG, 0, 0), FEE_HUG, 4) == 0
    assert refill_ahead_hug(GasPurse(2 * FEE_HUG - 1, 0, 0), FEE_HUG, 4) > 0


@given(purses, st.integers(1, 20))
def test_after_a_refill_the_payment_is_covered(purse, payments):
    added = refill_hug(purse, FEE_HUG, payments)
    assert purse.free_hug + added >= FEE_HUG
    assert added % GAS_PRICE_HUG == 0


@given(st.integers(0, 10**20))
def test_a_budget_pays_the_refill_and_its_own_fee(amount_hug):
    assert (gas_units(amount_hug) - REFILL_GAS) * GAS_PRICE_HUG >= amount_hug

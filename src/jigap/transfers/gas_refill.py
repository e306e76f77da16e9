"""When the platform gives an account SYM, and how much. Pure.

Members never hold SYM on purpose: gas is computable to the unit, so the platform tops an account up
with what its next few payments cost. All sums are in hug and multiples of the price of one gas
unit.
"""

from dataclasses import dataclass

from jigap.chain import gas

#: What it costs the sponsor to send one refill, in gas units.
REFILL_GAS = gas.gas_used(False, 0, b"")


@dataclass(frozen=True, slots=True)
class GasPurse:
    """An account's SYM as one snapshot shows it, in hug.

    ``balance_hug`` at the indexed height, ``in_flight_hug`` in refills not final at that height,
    ``owed_hug`` the most that its unfinished transactions can cost.
    """

    balance_hug: int
    in_flight_hug: int
    owed_hug: int

    @property
    def free_hug(self) -> int:
        """What is left for further payments; negative if even what is under way is not covered."""
        return self.balance_hug + self.in_flight_hug - self.owed_hug


def refill_hug(purse: GasPurse, fee_hug: int, payments: int) -> int:
    """How much to add so that a payment costing ``fee_hug`` can go: 0 if it is covered.

    Formula: if free < fee, refill up to ``payments`` fees, that is ``payments * fee - free``.
    """
    if purse.free_hug >= fee_hug:
        return 0
    return _whole_gas(max(payments, 1) * fee_hug - purse.free_hug)


def refill_ahead_hug(purse: GasPurse, fee_hug: int, payments: int) -> int:
    """How much to add now so that the next payment need not wait: 0 while two are covered."""
    if purse.free_hug >= 2 * fee_hug:
        return 0
    return refill_hug(GasPurse(purse.free_hug - fee_hug, 0, 0), fee_hug, payments)


def gas_units(amount_hug: int) -> int:
    """What a refill of this amount takes from the budgets, its own fee included."""
    return -(-amount_hug // gas.GAS_PRICE_HUG) + REFILL_GAS


def _whole_gas(amount_hug: int) -> int:
    return -(-amount_hug // gas.GAS_PRICE_HUG) * gas.GAS_PRICE_HUG

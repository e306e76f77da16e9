"""The payments: ``send`` accepts, the dispatcher carries, ``confirm`` ends.

``balances`` says what is left to spend.
"""

from jigap.transfers import refills, stuck
from jigap.transfers.balances import Balance, Balances
from jigap.transfers.confirm import adopt, note_external, settle
from jigap.transfers.gas_refill import GasPurse, gas_units, refill_ahead_hug, refill_hug
from jigap.transfers.memos import erase_memos, rewrap_memos
from jigap.transfers.records import external_movements, gas_budgets, gas_refills, transfers
from jigap.transfers.send import Payments
from jigap.transfers.transfer import PURPOSE, Order, Standing, Transfer

__all__ = [
    "PURPOSE",
    "Balance",
    "Balances",
    "GasPurse",
    "Order",
    "Payments",
    "Standing",
    "Transfer",
    "adopt",
    "erase_memos",
    "external_movements",
    "gas_budgets",
    "gas_refills",
    "gas_units",
    "note_external",
    "refill_ahead_hug",
    "refill_hug",
    "refills",
    "rewrap_memos",
    "settle",
    "stuck",
    "transfers",
]

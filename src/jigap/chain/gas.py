"""What a transaction costs.

::

    gas used = base + 680 * nonzero input bytes + 40 * zero input bytes + operation

The base is that of a creation when ``to`` is empty, else that of a call: one or the other. The
operation is the price of the token method and is paid only if it succeeds. The price of gas is
fixed, so a fee is known before sending.
"""

from jigap.chain import template
from jigap.chain.invalid import Invalid
from jigap.chain.transaction import TYPE_SCT

GAS_PRICE_HUG = 100_000_000_000
"""Hug per gas: 100 GHug."""

BASE_GAS = 49_000
CREATION_GAS = 8_000_000
NONZERO_BYTE_GAS = 680
ZERO_BYTE_GAS = 40

_PER_ITEM = frozenset({(template.SCT30, 1), (template.SCT40, 1)})


def base_gas(to_empty: bool) -> int:
    """The gas every transaction pays."""
    return CREATION_GAS if to_empty else BASE_GAS


def data_gas(input: bytes) -> int:
    """The gas of the input bytes."""
    zeros = input.count(0)
    return ZERO_BYTE_GAS * zeros + NONZERO_BYTE_GAS * (len(input) - zeros)


def intrinsic_gas(to_empty: bool, input: bytes) -> int:
    """Base and data: paid even by a call that fails, and the least a gas limit may be."""
    return base_gas(to_empty) + data_gas(input)


def operation_gas(template_type: int, method: int, items: int = 1) -> int:
    """The gas of a token method, per item where it creates items.

    Raises ``UnsupportedTemplate`` for an unknown template or method.
    """
    price = template.form(template_type, method).gas
    return price * items if (template_type, method) in _PER_ITEM else price


def input_operation_gas(type: int, input: bytes) -> int:
    """The operation gas of a transaction: 0 unless it is a readable call of a known template.

    An unreadable call executes nothing, so it pays for no operation.
    """
    if type != TYPE_SCT:
        return 0
    try:
        template_type, method, parameters = template.decode_template(input)
        return operation_gas(template_type, method, len(parameters))
    except Invalid:
        return 0


def gas_used(to_empty: bool, type: int, input: bytes) -> int:
    """The gas that a successful transaction uses: also the exact limit to give it."""
    return intrinsic_gas(to_empty, input) + input_operation_gas(type, input)


def fee_hug(gas: int) -> int:
    """The fee in hug for an amount of gas."""
    return gas * GAS_PRICE_HUG

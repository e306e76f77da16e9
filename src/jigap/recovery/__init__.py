"""What is forgotten and can be had again: a password, and the payment passphrase of a wallet.

Both need a fresh real-name check of the person whom the member was verified as (``realname``).
"""

from jigap.recovery.password import (
    PasswordResets,
    Reset,
    ResetCodeWrong,
    ResetOver,
    ResetUnknown,
)
from jigap.recovery.tables import password_resets

__all__ = [
    "PasswordResets",
    "Reset",
    "ResetCodeWrong",
    "ResetOver",
    "ResetUnknown",
    "password_resets",
]

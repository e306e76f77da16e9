"""What is forgotten and can be had again: a password, and the payment passphrase of a wallet.

Both need a fresh real-name check of the person whom the member was verified as (``realname``).
"""

from jigap.recovery.desk import RecoveryDesk
from jigap.recovery.passphrase import Recoveries
from jigap.recovery.password import (
    PasswordResets,
    Reset,
    ResetCodeWrong,
    ResetOver,
    ResetUnknown,
    forget_resets,
)
from jigap.recovery.records import cancel_open, has_unsettled, rewrap_secrets, settle
from jigap.recovery.states import (
    OPEN,
    Recovery,
    RecoveryNotThere,
    RecoveryOwn,
    RecoverySameOperator,
    RecoveryUnavailable,
    RecoveryUnderWay,
    RecoveryUnknown,
    RecoveryWaits,
    State,
)
from jigap.recovery.tables import password_resets

__all__ = [
    "OPEN",
    "PasswordResets",
    "Recoveries",
    "Recovery",
    "RecoveryDesk",
    "RecoveryNotThere",
    "RecoveryOwn",
    "RecoverySameOperator",
    "RecoveryUnavailable",
    "RecoveryUnderWay",
    "RecoveryUnknown",
    "RecoveryWaits",
    "Reset",
    "ResetCodeWrong",
    "ResetOver",
    "ResetUnknown",
    "State",
    "cancel_open",
    "forget_resets",
    "has_unsettled",
    "password_resets",
    "rewrap_secrets",
    "settle",
]

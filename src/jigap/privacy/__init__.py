"""What the platform knows of a person, told to them, and forgotten when it must be.

``ownership`` says which rows of which tables are about whom, for everything below it: ``holdings``
reads them for the member who asks, ``closing`` ends an account, ``retention`` erases it when the
law lets us, and forgets whatever else was kept for a time only.
"""

from jigap.privacy.closing import BalanceLeft, Closed, Closing, PaymentsUnfinished
from jigap.privacy.holdings import FORMAT, WITHHELD, ExportLimit, Holdings
from jigap.privacy.retention import Retention

__all__ = [
    "FORMAT",
    "WITHHELD",
    "BalanceLeft",
    "Closed",
    "Closing",
    "ExportLimit",
    "Holdings",
    "PaymentsUnfinished",
    "Retention",
]

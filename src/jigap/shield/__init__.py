"""First in line: who may talk to the platform at all, and how much.

``countries`` knows in which country an address is.
"""

from jigap.shield.countries import Countries
from jigap.shield.table import RangesDamaged

__all__ = [
    "Countries",
    "RangesDamaged",
]

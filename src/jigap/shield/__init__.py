"""The shield: who may come in, how much they may ask for, and who is kept out for a while.

It is first in line and knows nothing of the platform behind it: addresses, countries, what
operators have listed, bans, and limits on how much of anything somebody may ask for. It keeps its
own files and decides in memory. ``verdict`` has the rules and their order; ``address``,
``buckets``, ``strikes`` and ``reference`` are pure, too. ``countries`` knows in which country an
address is, ``store`` keeps entries and bans.
"""

from jigap.shield.address import (
    Address,
    AddressMalformed,
    ForwardedMalformed,
    Network,
    client_of,
    parse,
    parse_network,
    parse_networks,
)
from jigap.shield.countries import Countries
from jigap.shield.reference import KEY_PURPOSE, References, ReferenceUnknown, Refused
from jigap.shield.refusals import RateLimited, ShieldRefused
from jigap.shield.shield import (
    FILE_NAME,
    RANGES_OLD_DAYS,
    LiveView,
    Shield,
    Source,
    is_development,
)
from jigap.shield.store import (
    Ban,
    EntryInvalid,
    EntryUnknown,
    ListEntry,
    Repaired,
    ShieldDamaged,
    ShieldStore,
    repair,
)
from jigap.shield.table import RangesDamaged
from jigap.shield.verdict import EntryKind, Rule, Rules, Verdict, countries_of

__all__ = [
    "FILE_NAME",
    "KEY_PURPOSE",
    "RANGES_OLD_DAYS",
    "Address",
    "AddressMalformed",
    "Ban",
    "Countries",
    "EntryInvalid",
    "EntryKind",
    "EntryUnknown",
    "ForwardedMalformed",
    "ListEntry",
    "LiveView",
    "Network",
    "RangesDamaged",
    "RateLimited",
    "ReferenceUnknown",
    "References",
    "Refused",
    "Repaired",
    "Rule",
    "Rules",
    "Shield",
    "ShieldDamaged",
    "ShieldRefused",
    "ShieldStore",
    "Source",
    "Verdict",
    "client_of",
    "countries_of",
    "is_development",
    "parse",
    "parse_network",
    "parse_networks",
    "repair",
]

"""In which country an address is: by the imported table, else by the data that comes with jigap.

The data that comes with jigap is the Python package ``iptocc``: the records of the five regional
registries, one lookup at a time. Both say where an address is registered, not where somebody sits,
and sources differ about some addresses: that is what the operator's own entries are for.

Whoever asks has unwrapped IPv4-mapped IPv6 addresses before; private and unassigned addresses are
in no country.
"""

from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from socket import AF_INET6, inet_ntoa, inet_ntop

from iptocc import country_code

from jigap.shield import table
from jigap.shield.table import RangeTable

#: The day of the registries' data in a release of iptocc, which does not say it itself.
RELEASES = {"3.3.170": date(2026, 10, 27)}

Stamp = tuple[int, int, int] | None


class Countries:
    """The countries of all addresses, as of one moment. Made once, never changed; threads share it.

    ``source`` says where the data is from; ``taken_on`` is its day, None for a release of iptocc
    that we do not know; ``rows_v4`` and ``rows_v6`` are 0 for iptocc, which does not tell.
    """

    def __init__(self, imported: RangeTable | None) -> None:
        self.imported = imported
        self._at_v4: Callable[[int], str] = _registry_v4
        self._at_v6: Callable[[int], str] = _registry_v6
        self.source = f"iptocc {version('iptocc')}"
        self.taken_on = RELEASES.get(version("iptocc"))
        self.rows_v4 = self.rows_v6 = 0
        if imported is not None:
            self._at_v4 = imported.v4.country_at
            self._at_v6 = imported.v6.country_at
            self.source = imported.source
            self.taken_on = imported.taken_on
            self.rows_v4, self.rows_v6 = len(imported.v4), len(imported.v6)

    @classmethod
    def load(cls, folder: Path) -> "Countries":
        """By the table in the shield's folder, if one was imported. Raises ``RangesDamaged``."""
        return cls(table.read(folder))

    @staticmethod
    def stamp(folder: Path) -> Stamp:
        """Differs after an import, so that a running process knows when to load again."""
        return table.stamp_of(folder)

    def country_of(self, address: IPv4Address | IPv6Address) -> str:
        """Two capital letters, such as ``KR``; empty when unknown."""
        if address.version == 4:
            return self._at_v4(int(address))
        return self._at_v6(int(address))


def _registry_v4(address: int) -> str:
    return country_code(inet_ntoa(address.to_bytes(4, "big"))) or ""


def _registry_v6(address: int) -> str:
    return country_code(inet_ntop(AF_INET6, address.to_bytes(16, "big"))) or ""

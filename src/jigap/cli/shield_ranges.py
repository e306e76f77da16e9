"""`jigap shield import` and `export`: tables of countries in, what the kernel can use out."""

import json
from datetime import UTC, date, datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from jigap import settings
from jigap.app import Folder
from jigap.cli.failure import CommandFailed
from jigap.cli.options import Data, Json
from jigap.cli.trail import record
from jigap.clock import SystemClock
from jigap.settings import Settings
from jigap.shield import (
    FILE_NAME,
    RANGES_OLD_DAYS,
    Countries,
    RangesDamaged,
    ShieldStore,
    countries_of,
    formats,
    importing,
    nftables,
    parse_networks,
    table,
    walk,
)
from jigap.shield.importing import Difference
from jigap.shield.ranges import Ranges
from jigap.shield.table import RangeTable
from jigap.shield.verdict import EVERYWHERE

KOREA = "KR"

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE…", help="IPv4 and IPv6, in one file or several.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only check and compare.")]
TakenOn = Annotated[
    str, typer.Option("--taken-on", metavar="DAY", help="Of which day the data is: 2026-11-21.")
]
Ports = Annotated[
    list[int] | None,
    typer.Option("--port", min=1, max=65535, help="Port people connect to; may be repeated."),
]
PerSecond = Annotated[
    int, typer.Option("--connections-per-s", min=1, help="New connections of one source.")
]
Burst = Annotated[int, typer.Option("--burst", min=1, help="As many may come at once.")]


def import_(
    files: Files, dry_run: DryRun = False, taken_on: TakenOn = "", data: Data = None,
    json_: Json = False,
) -> None:  # fmt: skip
    """Replace the table of countries; a running platform goes by it within a second.

    FILE is a registry's delegated-extended statistics, Tor's geoip and geoip6, or CSV of
    start,end,country. All is checked first: order, overlaps, how many rows, how many Korean
    addresses. A file that is refused changes nothing. The numbers shown compare it with the table
    before; where there is none, --dry-run compares it with the data that comes with jigap, which
    takes a while.
    """
    given = settings.load(data)
    folder = Folder.of(given)
    now_ms = SystemClock().now_ms()
    with Console(stderr=True, quiet=json_).status("Reading …"):
        new = importing.assemble([_parsed(one) for one in files], _day(taken_on), now_ms)
        old = _imported(folder.shield)
        importing.examine(new, old)
    if old is None and dry_run:
        old = _walked(json_)
    shown = _comparison(given, new, old)
    if not dry_run:
        folder.make()
        table.write(folder.shield, new)
        object_ = f"{new.source}, {new.taken_on}"[:120]
        record(given, "shield:import", object_, f"{len(new.v4)} and {len(new.v6)} rows")
    shown["imported"] = not dry_run
    print(json.dumps(shown, ensure_ascii=False) if json_ else _words(shown))


def export(
    nftables_: Annotated[bool, typer.Option("--nftables", help="A script for nft -f.")] = False,
    port: Ports = None,
    connections_per_s: PerSecond = nftables.Pace().per_s,
    burst: Burst = nftables.Pace().burst,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Write what the shield goes by: as a ruleset for the Linux kernel, or as JSON.

    The ruleset is a snapshot: load it again from time to time. --port is the port people connect
    to, which may be a proxy's; default: the one of the settings. Without an imported table the
    ranges are found by asking for one /24 after the other, which takes some seconds.
    """
    if nftables_ == json_:
        raise CommandFailed("Say either --nftables or --json.")
    given = settings.load(data)
    now_ms = SystemClock().now_ms()
    folder = Folder.of(given)
    countries = Countries.load(folder.shield)
    allowed = countries_of(given.shield_countries)
    folder.make()
    store = ShieldStore(folder.shield / FILE_NAME)
    entries, bans = store.entries(now_ms), store.bans(now_ms)
    ranges = None
    if EVERYWHERE not in allowed:
        ranges = (_ranges(countries, 4).only(allowed), _ranges(countries, 6).only(allowed))
    if nftables_:
        rules = nftables.Rules(
            ports=tuple(port or [given.port]),
            countries=ranges,
            entries=entries,
            bans=bans,
            now_ms=now_ms,
            pace=nftables.Pace(connections_per_s, burst),
            proxies=parse_networks(given.proxies),
            notes=_notes(countries, allowed, now_ms),
        )
        print(nftables.ruleset(rules), end="")
        return
    shown: dict[str, Any] = {"made_ms": now_ms, "ranges": described(countries, now_ms)}
    shown["countries"] = sorted(allowed)
    shown["v4"], shown["v6"] = ([], []) if ranges is None else map(_written, ranges)
    shown["entries"] = [
        {"cidr": str(one.network), "kind": one.kind.value, "expires_ms": one.expires_ms}
        for one in entries
    ]
    shown["bans"] = [{"cidr": str(one.network), "until_ms": one.until_ms} for one in bans]
    print(json.dumps(shown, ensure_ascii=False))


def described(countries: Countries, now_ms: int) -> dict[str, Any]:
    """Where the ranges are from and how old they are."""
    age_days = None
    if countries.taken_on is not None:
        age_days = (datetime.fromtimestamp(now_ms // 1000, UTC).date() - countries.taken_on).days
    return {
        "source": countries.source,
        "taken_on": None if countries.taken_on is None else countries.taken_on.isoformat(),
        "age_days": age_days,
        "old": age_days is None or age_days > RANGES_OLD_DAYS,
        "rows_v4": countries.rows_v4,
        "rows_v6": countries.rows_v6,
    }


def _parsed(path: Path) -> formats.Parsed:
    try:
        with path.open(encoding="utf-8") as lines:
            return formats.parse(path.name, lines)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{path} cannot be read: {error}.") from None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise CommandFailed(f"{text[:20]!r} is no day such as 2026-11-21.") from None


def _imported(folder: Path) -> RangeTable | None:
    """The table to compare with; a damaged one is what an import repairs."""
    try:
        return table.read(folder)
    except RangesDamaged:
        return None


def _ranges(countries: Countries, version: int) -> Ranges:
    if countries.imported is not None:
        return countries.imported.v4 if version == 4 else countries.imported.v6
    with Console(stderr=True).status("Looking for the ranges, one after the other …"):
        return walk.walked_v4() if version == 4 else walk.walked_v6()


def _notes(countries: Countries, allowed: frozenset[str], now_ms: int) -> tuple[str, ...]:
    at = datetime.fromtimestamp(now_ms // 1000, UTC).isoformat()
    notes = [
        f"jigap shield, {at}; countries: {', '.join(sorted(allowed)) or 'none'}",
        f"Ranges: {countries.source}, {countries.taken_on or 'of a day we do not know'}",
    ]
    if countries.imported is None and EVERYWHERE not in allowed:
        notes.append("found by asking for each /24 and each /32: smaller pieces may be wrong")
    return tuple(notes)


def _written(ranges: Ranges) -> list[tuple[str, str]]:
    address = IPv4Address if ranges.bits == 32 else IPv6Address
    return [(str(address(row.first)), str(address(row.last))) for row in ranges]


def _walked(quiet: bool) -> RangeTable:
    """The data that comes with jigap, as a table to compare with."""
    comes_with_us = Countries(None)
    with Console(stderr=True, quiet=quiet).status("Looking what comes with jigap …"):
        return RangeTable(
            walk.walked_v4(),
            walk.walked_v6(),
            comes_with_us.source,
            comes_with_us.taken_on or date.min,
            0,
        )


def _comparison(given: Settings, new: RangeTable, old: RangeTable | None) -> dict[str, Any]:
    """The new table beside the one before, for each country that may come in."""
    wanted = sorted(countries_of(given.shield_countries) - {EVERYWHERE}) or [KOREA]
    return {
        "source": new.source,
        "taken_on": new.taken_on.isoformat(),
        "before": old and f"{old.source}, of {old.taken_on}",
        "v4": _family(None if old is None else old.v4, new.v4, wanted, 1),
        "v6": _family(None if old is None else old.v6, new.v6, wanted, 1 << 80),
    }


def _family(old: Ranges | None, new: Ranges, wanted: list[str], unit: int) -> dict[str, Any]:
    shown: dict[str, Any] = {"rows": len(new)}
    if old is None:
        after = {country: {"after": new.addresses(country) // unit} for country in wanted}
        return shown | {"countries": after}
    differences = {country: importing.difference(old, new, country) for country in wanted}
    shown["rows_before"] = len(old)
    shown["changed"] = next(iter(differences.values())).changed // unit
    shown["countries"] = {country: _numbers(one, unit) for country, one in differences.items()}
    return shown


def _numbers(found: Difference, unit: int) -> dict[str, Any]:
    return {
        "before": found.here_before // unit,
        "after": found.here_after // unit,
        "added": found.added // unit,
        "removed": found.removed // unit,
        "agreement": round(found.agreement, 4),
    }


def _words(shown: dict[str, Any]) -> str:
    lines = [f"{shown['source']}, of {shown['taken_on']}. Before: {shown['before'] or 'no table'}."]
    for family, name, unit in (("v4", "IPv4", "addresses"), ("v6", "IPv6", "/48 networks")):
        one = shown[family]
        lines.append(f"{name}: {one['rows']:,} rows")
        if "changed" in one:
            lines[-1] += f", {one['rows_before']:,} before; {one['changed']:,} {unit} say otherwise"
        lines += [_of_country(country, numbers) for country, numbers in one["countries"].items()]
    lines.append("Imported." if shown["imported"] else "Nothing was changed (--dry-run).")
    return "\n".join(lines)


def _of_country(country: str, numbers: dict[str, Any]) -> str:
    if "before" not in numbers:
        return f"  {country}: {numbers['after']:,}"
    return (
        f"  {country}: {numbers['after']:,}, {numbers['before']:,} before "
        f"(+{numbers['added']:,}, -{numbers['removed']:,}); "
        f"{numbers['agreement']:.1%} of them were there before"
    )

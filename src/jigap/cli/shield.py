"""`jigap shield`: who may come in, by hand. The shield's own files are written, nothing else.

Every command works whether or not the platform runs, and also when its database does not: the web
processes look at the shield's files three times a second. What a command changed goes into the
audit trail as well; where the database cannot be written the change stands and the command says
that the trail does not have it.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from jigap import settings
from jigap.app import Folder
from jigap.cli import shield_ranges
from jigap.cli.options import Data, Json, Port
from jigap.cli.shield_counters import Unheard, counters
from jigap.cli.trail import ACTOR, record
from jigap.clock import SystemClock
from jigap.keys import KeyRing
from jigap.refusal import Kind, Refusal
from jigap.settings import Settings
from jigap.shield import (
    FILE_NAME,
    KEY_PURPOSE,
    Address,
    AddressMalformed,
    Ban,
    Countries,
    EntryKind,
    ListEntry,
    References,
    Rules,
    ShieldStore,
    countries_of,
    is_development,
    parse,
    parse_network,
    repair,
)

commands = typer.Typer(
    help="Who may come in: countries, bans, and what operators list.",
    no_args_is_help=True,
    add_completion=False,
)

ACTIONS = {
    EntryKind.ALLOW: "shield:allow",
    EntryKind.DENY: "shield:deny",
    EntryKind.SHARED: "shield:share",
}
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION_MAX_MS = 3_650 * _UNITS_MS["d"]


class DurationInvalid(Refusal):
    """A time on the command line that is none."""

    code = "duration_invalid"
    kind = Kind.INVALID
    hint = "Write a number and s, m, h or d: 10m, 12h, 7d."


@commands.callback()
def _family() -> None:
    pass


Range = Annotated[str, typer.Argument(metavar="CIDR", help="203.0.113.0/24, or one address.")]
RangeList = Annotated[
    list[str], typer.Argument(metavar="CIDR…", help="203.0.113.0/24, or one address.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; other operators read it.")]
For = Annotated[
    str | None, typer.Option("--for", metavar="TIME", help="For how long: 10m, 12h, 7d.")
]

commands.command(name="import")(shield_ranges.import_)
commands.command()(shield_ranges.export)


@commands.command()
def lookup(
    what: Annotated[
        str, typer.Argument(metavar="IP|REFERENCE", help="An address, or a refusal's number.")
    ],
    data: Data = None,
    json_: Json = False,
) -> None:
    """Say what the shield makes of an address, or what a reference number is about.

    Whoever is turned away is shown a reference number; it opens with this platform's keys only.
    """
    given = settings.load(data)
    try:
        address = parse(what)
    except AddressMalformed:
        found = _of_reference(given, what)
    else:
        found = _of_address(given, address)
    print(json.dumps(found, ensure_ascii=False) if json_ else _words(found))


@commands.command()
def ban(
    cidr: Range, reason: Reason, for_: For = None, data: Data = None, json_: Json = False
) -> None:
    """Turn an address or a range away for a while; without --for longer at each time.

    Entries made with `allow` come before bans.
    """
    given = settings.load(data)
    now_ms = SystemClock().now_ms()
    until_ms = None if for_ is None else now_ms + duration_ms(for_)
    made = _store(given).ban(cidr, reason, ACTOR, now_ms, until_ms)
    record(given, "shield:ban", str(made.network), f"until {_day(made.until_ms)}")
    _say(json_, _ban_shown(made), f"{made.network} is banned until {_day(made.until_ms)}.")


@commands.command()
def unban(cidr: Range, data: Data = None, json_: Json = False) -> None:
    """Lift a ban, by exactly its range, and forget that there was one."""
    given = settings.load(data)
    _store(given).unban(cidr)
    network = str(parse_network(cidr))
    record(given, "shield:unban", network)
    _say(json_, {"cidr": network, "banned": False}, f"{network} is not banned any more.")


@commands.command()
def allow(
    cidrs: RangeList, reason: Reason, for_: For = None, data: Data = None, json_: Json = False
) -> None:
    """Let ranges in whatever country they are in, and never ban them; limits still hold."""
    _list(data, cidrs, EntryKind.ALLOW, reason, for_, json_)


@commands.command()
def deny(
    cidrs: RangeList, reason: Reason, for_: For = None, data: Data = None, json_: Json = False
) -> None:
    """Turn ranges away until they are removed, or for as long as --for says."""
    _list(data, cidrs, EntryKind.DENY, reason, for_, json_)


@commands.command()
def share(
    cidrs: RangeList, reason: Reason, for_: For = None, data: Data = None, json_: Json = False
) -> None:
    """Say that many people share each address of ranges: limited, but never banned by itself."""
    _list(data, cidrs, EntryKind.SHARED, reason, for_, json_)


@commands.command()
def remove(cidrs: RangeList, data: Data = None, json_: Json = False) -> None:
    """Drop what `allow`, `deny` and `share` said of exactly these ranges."""
    given = settings.load(data)
    store = _store(given)
    for cidr in cidrs:
        store.remove_entry(cidr)
        network = str(parse_network(cidr))
        record(given, "shield:remove", network)
        _say(json_, {"cidr": network, "listed": False}, f"{network} is not listed any more.")


@commands.command(name="list")
def list_(data: Data = None, json_: Json = False) -> None:
    """Show what is listed and who is banned now."""
    given = settings.load(data)
    now_ms = SystemClock().now_ms()
    store = _store(given)
    entries, bans = store.entries(now_ms), store.bans(now_ms)
    if json_:
        shown = {"entries": [*map(_entry_shown, entries)], "bans": [*map(_ban_shown, bans)]}
        print(json.dumps(shown, ensure_ascii=False))
        return
    table = Table("Range", "What", "Until", "By", "Reason", box=None, pad_edge=False)
    for one in entries:
        table.add_row(
            str(one.network), one.kind.value, _day(one.expires_ms), one.author, one.reason
        )
    for banned in bans:
        until = _day(banned.until_ms)
        table.add_row(str(banned.network), "banned", until, banned.author, banned.reason)
    Console(markup=False, highlight=False).print(table if table.row_count else "Nothing is listed.")


@commands.command()
def stats(data: Data = None, port: Port = None, json_: Json = False) -> None:
    """Show where the ranges are from, how much is listed, and whom the platform turned away.

    The counts are those of the web process that answers, since it started; none if none does.
    """
    given = settings.load(data, port=port)
    now_ms = SystemClock().now_ms()
    store = _store(given)
    entries, bans = store.entries(now_ms), store.bans(now_ms)
    counted: dict[str, int] | Unheard = counters(given)
    shown: dict[str, Any] = {
        "ranges": shield_ranges.described(Countries.load(Folder.of(given).shield), now_ms),
        "entries": {kind.value: sum(one.kind is kind for one in entries) for kind in EntryKind},
        "bans": {
            "automatic": sum(one.author == "auto" for one in bans),
            "by_operators": sum(one.author != "auto" for one in bans),
        },
        "refused": None if isinstance(counted, Unheard) else counted,
    }
    if json_:
        print(json.dumps(shown, ensure_ascii=False))
        return
    if isinstance(counted, Unheard):
        shown["refused"] = f"not known: {counted.why}"
    print("\n".join(_words(part, name) for name, part in shown.items()))


@commands.command(name="repair")
def repair_(data: Data = None, json_: Json = False) -> None:
    """Move a damaged file of entries and bans aside and keep what can still be read of it.

    For a damaged table of countries run `jigap shield import` again.
    """
    given = settings.load(data)
    now_ms = SystemClock().now_ms()
    done = repair(Folder.of(given).shield / FILE_NAME, now_ms)
    record(given, "shield:repair", FILE_NAME, f"{done.entries} entries, {done.bans} bans kept")
    shown = {"entries": done.entries, "bans": done.bans, "moved_to": str(done.moved_to)}
    _say(
        json_,
        shown,
        f"Kept {done.entries} entries and {done.bans} bans. The old file is {done.moved_to}.",
    )


def duration_ms(text: str) -> int:
    """A length of time such as ``10m``. Raises ``DurationInvalid``."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip(), re.ASCII)
    found = int(match[1]) * _UNITS_MS[match[2]] if match else 0
    if not 0 < found <= _DURATION_MAX_MS:
        raise DurationInvalid(f"{text[:20]!r} is no length of time between 1s and 3650d.")
    return found


def _list(
    data: Path | None, cidrs: list[str], kind: EntryKind, reason: str, for_: str | None, json_: bool
) -> None:
    given = settings.load(data)
    now_ms = SystemClock().now_ms()
    expires_ms = None if for_ is None else now_ms + duration_ms(for_)
    for cidr in cidrs:  # all of them are read before the first is written
        parse_network(cidr)
    store = _store(given)
    for cidr in cidrs:
        made = store.put_entry(cidr, kind, reason, ACTOR, now_ms, expires_ms)
        until = f"{kind.value}, until {_day(expires_ms)}" if expires_ms else kind.value
        record(given, ACTIONS[kind], str(made.network), until)
        _say(json_, _entry_shown(made), f"{made.network}: {until}.")


def _store(given: Settings) -> ShieldStore:
    folder = Folder.of(given)
    folder.make()
    return ShieldStore(folder.shield / FILE_NAME)


def _of_address(given: Settings, address: Address) -> dict[str, Any]:
    now_ms = SystemClock().now_ms()
    countries = Countries.load(Folder.of(given).shield)
    store = _store(given)
    entries, bans = store.entries(now_ms), store.bans(now_ms)
    rules = Rules(
        [(one.network, one.kind) for one in entries],
        [one.network for one in bans],
        countries,
        countries_allowed=countries_of(given.shield_countries),
        development=is_development(given),
    )
    verdict = rules.judge(address)
    return {
        "address": str(address),
        "country": countries.country_of(address) or None,
        "source": countries.source,
        "let_in": verdict.rule is None,
        "rule": verdict.rule.value if verdict.rule else None,
        "entries": [_entry_shown(one) for one in entries if address in one.network],
        "bans": [_ban_shown(one) for one in bans if address in one.network],
    }


def _of_reference(given: Settings, text: str) -> dict[str, Any]:
    references = References(KeyRing.load(Folder.of(given).master_key).derive(KEY_PURPOSE))
    found = references.open(text, SystemClock().now_ms() / 1000)
    record(given, "shield:lookup", str(found.network))
    return {
        "reference": text,
        "at": _day(found.at_s * 1000),
        "rule": found.rule.value,
        "route_class": found.route_class or None,
        "network": str(found.network),
    }


def _entry_shown(entry: ListEntry) -> dict[str, Any]:
    return {
        "cidr": str(entry.network),
        "kind": entry.kind.value,
        "reason": entry.reason,
        "author": entry.author,
        "created_ms": entry.created_ms,
        "expires_ms": entry.expires_ms,
    }


def _ban_shown(ban: Ban) -> dict[str, Any]:
    return {
        "cidr": str(ban.network),
        "reason": ban.reason,
        "author": ban.author,
        "since_ms": ban.since_ms,
        "until_ms": ban.until_ms,
        "step": ban.step,
    }


def _day(at_ms: int | None) -> str:
    if at_ms is None:
        return ""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _say(json_: bool, shown: dict[str, Any], words: str) -> None:
    print(json.dumps(shown, ensure_ascii=False) if json_ else words)


def _words(shown: Any, name: str = "") -> str:
    """A value, or one line for each of its parts."""
    if not isinstance(shown, dict):
        return f"{name:<12} {shown}"
    parts = {key: _in_words(value) for key, value in shown.items()}
    lines = [f"{key:<12} {value}" for key, value in parts.items()]
    return "\n".join([f"{name}:", *(f"  {line}" for line in lines)] if name else lines)


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(_in_words(one) for one in value) or "none"
    if isinstance(value, dict):
        return f"{value['cidr']} {value.get('kind', 'banned')}: {value['reason']}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)

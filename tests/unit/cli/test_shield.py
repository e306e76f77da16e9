"""`jigap shield` without a platform: what is kept, what is refused, what is said."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from jigap.cli import commands
from jigap.cli.shield import DurationInvalid, duration_ms
from jigap.shield import Countries

KOREA = 110_000_000


def csv(folder: Path, *more: str, korean: int = KOREA) -> Path:
    """A small table with a Korea of the right size, and all of IPv6 that we need."""
    first = 1 << 24
    rows = [f"{first},{first + korean - 1},KR", "2400::,2400:ffff:ffff:ffff:ffff:ffff:ffff:ffff,KR"]
    path = folder / f"ranges-{korean}.csv"
    path.write_text("\n".join([*rows, *more, ""]), encoding="utf-8")
    return path


def run(data: Path, *words: object, status: int = 0) -> tuple[str, str]:
    """What a command writes to stdout and stderr."""
    done = CliRunner().invoke(commands, ["shield", *map(str, words), "--data", str(data)])
    assert done.exit_code == status, done.output
    return done.stdout, done.stderr


def shield(data: Path, *words: object) -> dict[str, Any]:
    """What a command says as JSON, the last line of it."""
    out, _ = run(data, *words, "--json")
    return dict(json.loads(out.splitlines()[-1]))


def refused(data: Path, *words: object) -> str:
    """The one line of a command that could not do it."""
    out, err = run(data, *words, status=1)
    assert out == ""
    assert err.startswith("jigap: ") and err.count("\n") == 1
    return err


def test_bans_and_entries_are_kept_and_looked_up(tmp_path: Path) -> None:
    banned = shield(tmp_path, "ban", "203.0.113.9/24", "--for", "10m", "--reason", "a flood")
    assert banned["cidr"] == "203.0.113.0/24"
    assert banned["until_ms"] - banned["since_ms"] == 600_000
    shield(tmp_path, "allow", "203.0.113.7", "2001:db8::/32", "--reason", "our office")
    shield(tmp_path, "share", "211.234.0.0/16", "--reason", "a carrier", "--for", "1d")
    assert shield(tmp_path, "lookup", "203.0.113.9")["rule"] == "ban"
    assert shield(tmp_path, "lookup", "::ffff:203.0.113.9")["rule"] == "ban"
    office = shield(tmp_path, "lookup", "203.0.113.7")
    assert (office["let_in"], office["country"]) == (True, None)
    assert [one["kind"] for one in office["entries"]] == ["allow"]
    listed = shield(tmp_path, "list")
    ranges = {one["cidr"] for one in listed["entries"]}
    assert ranges == {"203.0.113.7/32", "2001:db8::/32", "211.234.0.0/16"}
    assert [one["author"] for one in listed["bans"]] == ["console"]
    counted = shield(tmp_path, "stats", "--port", 1)
    assert counted["entries"] == {"allow": 2, "deny": 0, "shared": 1}
    assert counted["bans"] == {"automatic": 0, "by_operators": 1}
    assert counted["refused"] is None
    shield(tmp_path, "unban", "203.0.113.0/24")
    shield(tmp_path, "remove", "203.0.113.7")
    assert shield(tmp_path, "lookup", "203.0.113.7")["rule"] == "country"


def test_words_are_for_people(tmp_path: Path) -> None:
    shield(tmp_path, "deny", "203.0.113.0/24", "--reason", "spam [bold]")
    shown, _ = run(tmp_path, "list")
    assert "203.0.113.0/24" in shown
    assert "spam [bold]" in shown
    looked, _ = run(tmp_path, "lookup", "203.0.113.5")
    assert re.search(r"^rule +entry$", looked, re.MULTILINE)
    counted, _ = run(tmp_path, "stats", "--port", "1")
    assert re.search(r"^ +source +iptocc ", counted, re.MULTILINE)
    assert "does not answer" in counted


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ban", "1.2.3.4.5", "--reason", "x"), "no range of IP addresses"),
        (("ban", "1.2.3.4", "--reason", "x", "--for", "1y"), "no length of time"),
        (("ban", "0.0.0.0/0", "--reason", "x"), "too wide"),
        (("deny", "1.2.3.4", "--reason", " "), "no reason"),
        (("allow", "1.2.3.4", "nonsense", "--reason", "x"), "no range of IP addresses"),
        (("unban", "1.2.3.4"), "is not banned"),
        (("remove", "1.2.3.4"), "no entry"),
        (("import", "/nowhere"), "cannot be read"),
        (("import", "/etc/passwd"), "passwd, line 1"),
        (("export",), "--nftables or --json"),
        (("lookup", "nothing"), ""),
    ],
)
def test_no_is_one_line_and_changes_nothing(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    assert said in refused(tmp_path, *words)
    listed = shield(tmp_path, "list")
    assert listed == {"entries": [], "bans": []}


@pytest.mark.parametrize(("text", "ms"), [("1s", 1_000), ("10m", 600_000), ("7d", 604_800_000)])
def test_lengths_of_time(text: str, ms: int) -> None:
    assert duration_ms(text) == ms


@pytest.mark.parametrize(
    "text", ["", "0s", "10", "m", "-5m", "1.5h", "3651d", "１s", "9999999999s"]
)
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(DurationInvalid):
        duration_ms(text)


def test_an_import_replaces_the_table_or_changes_nothing(tmp_path: Path) -> None:
    files, data = tmp_path, tmp_path / "data"
    first = shield(data, "import", csv(files), "--taken-on", "2026-11-01")
    assert first["imported"] and first["before"] is None
    assert first["v4"]["countries"]["KR"]["after"] == KOREA
    more = csv(files, f"{3 << 28},{(3 << 28) + 99},KR", korean=KOREA - 50)
    tried = shield(data, "import", more, "--taken-on", "2026-11-20", "--dry-run")
    assert tried["v4"]["countries"]["KR"] == {
        "before": KOREA,
        "after": KOREA + 50,
        "added": 100,
        "removed": 50,
        "agreement": 1.0,
    }
    assert tried["imported"] is False
    assert Countries.load(data / "shield").rows_v4 == 1
    stamp = Countries.stamp(data / "shield")
    assert "would be Korean" in refused(
        data, "import", csv(files, korean=1_000), "--taken-on", "2026-11-20"
    )
    assert "--taken-on" in refused(data, "import", more)
    assert Countries.stamp(data / "shield") == stamp
    shield(data, "import", more, "--taken-on", "2026-11-20")
    assert Countries.load(data / "shield").rows_v4 == 2
    assert shield(data, "lookup", "1.0.0.0")["country"] == "KR"
    assert shield(data, "stats", "--port", 1)["ranges"]["taken_on"] == "2026-11-20"


def test_a_damaged_table_is_said_and_replaced_by_the_next_import(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shield(data, "import", csv(tmp_path), "--taken-on", "2026-11-01")
    (data / "shield" / "ranges.sqlite").write_bytes(b"nonsense" * 1_000)
    assert "ranges.sqlite cannot be read" in refused(data, "lookup", "1.0.0.0")
    shield(data, "import", csv(tmp_path), "--taken-on", "2026-11-01")
    assert shield(data, "lookup", "1.0.0.0")["country"] == "KR"


def test_an_export_as_json_has_ranges_entries_and_bans(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shield(data, "import", csv(tmp_path), "--taken-on", "2026-11-01")
    shield(data, "deny", "1.2.0.0/16", "--reason", "x")
    shield(data, "ban", "1.3.0.7", "--reason", "x")
    out = shield(data, "export")
    assert out["v4"] == [["1.0.0.0", "7.142.119.127"]]
    assert out["v6"] == [["2400::", "2400:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]]
    assert [one["cidr"] for one in out["entries"] + out["bans"]] == ["1.2.0.0/16", "1.3.0.7/32"]

"""The kernel's ruleset, tried for real: packets of whom it refuses never reach the process.

Each test first lets everybody through without the ruleset, so that what stays away afterwards is
the ruleset's doing. The server counts the connections it gets, the kernel the packets it drops.
"""

import os
import random
import time
import warnings
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from jigap.shield.nftables import Pace, Rules, ruleset
from jigap.shield.ranges import Range, Ranges
from jigap.shield.store import Ban, ListEntry
from jigap.shield.verdict import EntryKind
from tests.namespaces import Wire, missing_programs, why_not

pytestmark = pytest.mark.e2e

NOW_MS = 1_790_000_000_000
PORT = 8700
KOREAN, KOREAN_TOO, KOREAN_V6 = "1.11.0.7", "211.234.10.1", "2400:8500::7"
FOREIGN, FOREIGN_TOO, FOREIGN_V6 = "8.8.8.8", "5.9.0.1", "2a00:1450::7"
EVERYBODY = [KOREAN, KOREAN_TOO, KOREAN_V6, FOREIGN, FOREIGN_TOO, FOREIGN_V6]
KOREA = (
    Ranges.of(32, [Range(0x010B0000, 0x010BFFFF, "KR"), Range(0xD3E80000, 0xD3EFFFFF, "KR")]),
    Ranges.of(128, [Range(0x24008500 << 96, (0x24008501 << 96) - 1, "KR")]),
)

PACE = Pace()


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    reason = why_not()
    if reason:
        if os.environ.get("CI") and os.geteuid() == 0 and missing_programs():
            pytest.fail(f"CI has to try the kernel's ruleset: {reason}")
        warnings.warn(f"THE RULESET FOR THE KERNEL IS NOT TESTED: {reason}", stacklevel=1)
        pytest.skip(f"THE RULESET FOR THE KERNEL IS NOT TESTED: {reason}")
    wire = Wire(f"jigap-{os.getpid()}", PORT)
    with wire.standing(EVERYBODY):
        yield wire


@pytest.fixture(autouse=True)
def _open(wire: Wire) -> None:
    """Nobody is refused before a test has said so."""
    wire.load("flush ruleset\n")
    for source in EVERYBODY:
        peers = wire.connect(source)
        assert peers is not None and peers[-1] == source


def rules(
    *,
    entries: list[tuple[str, EntryKind]] | None = None,
    bans: dict[str, int] | None = None,
    pace: Pace = PACE,
    ports: tuple[int, ...] = (443, PORT),
) -> str:
    listed = [
        ListEntry(ip_network(cidr), kind, "a test", "me", NOW_MS, None)
        for cidr, kind in entries or []
    ]
    banned = [
        Ban(ip_network(cidr), "a test", "auto", NOW_MS, NOW_MS + left_ms, 1)
        for cidr, left_ms in (bans or {}).items()
    ]
    return ruleset(Rules(ports, KOREA, listed, banned, NOW_MS, pace, notes=("a test",)))


def test_packets_from_abroad_never_reach_the_process(wire: Wire) -> None:
    before = wire.connect(KOREAN)
    assert before is not None
    wire.load(rules())
    for source in (FOREIGN, FOREIGN_TOO, FOREIGN_V6):
        assert wire.connect(source) is None
    after = wire.connect(KOREAN)
    assert after == [*before, KOREAN]
    through = wire.connect(KOREAN_V6)
    assert through == [*before, KOREAN, KOREAN_V6]
    counters = wire.counters()
    assert counters["refused_country"] >= 3
    assert counters["let_in"] >= 2
    assert counters["refused_ban"] == counters["refused_entry"] == counters["refused_rate"] == 0


def test_a_ban_holds_back_a_network_until_it_has_run_out(wire: Wire) -> None:
    bans = {"1.11.0.0/24": 600_000, "1.11.0.7/32": 1_000, "211.234.10.1/32": 2_000}
    wire.load(rules(bans=bans | {"2400:8500::/64": 600_000}))
    assert wire.connect(KOREAN_TOO, 0.3) is None
    assert wire.connect(KOREAN, 0.3) is None
    assert wire.connect(KOREAN_V6, 0.3) is None
    assert wire.counters()["refused_ban"] >= 3
    assert wire.connect(KOREAN_TOO, 8.0) is not None  # the two seconds have passed
    assert wire.connect(KOREAN, 0.3) is None  # the longer one of two bans holds


def test_what_the_operator_lists_comes_before_country_and_bans(wire: Wire) -> None:
    entries = [
        ("8.8.0.0/16", EntryKind.ALLOW),
        ("5.9.0.0/16", EntryKind.ALLOW),
        ("5.9.0.1/32", EntryKind.DENY),
        ("1.11.0.0/16", EntryKind.DENY),
        ("211.234.10.0/24", EntryKind.ALLOW),
        ("2a00:1450::/32", EntryKind.ALLOW),
        ("2a00:1450::/32", EntryKind.DENY),
    ]
    wire.load(rules(entries=entries, bans={"211.234.10.1/32": 600_000}))
    assert wire.connect(FOREIGN) is not None
    assert wire.connect(KOREAN_TOO) is not None
    assert wire.connect(FOREIGN_TOO) is None  # the narrower entry counts
    assert wire.connect(KOREAN) is None
    assert wire.connect(FOREIGN_V6) is None  # of two equal ones the one that denies
    assert wire.counters()["refused_entry"] >= 3


def test_one_source_that_hurries_holds_up_no_other(wire: Wire) -> None:
    shared = [("211.234.10.0/24", EntryKind.SHARED)]
    wire.load(rules(entries=shared, pace=Pace(per_s=1, burst=5, shared_times=10)))
    begun = time.monotonic()
    answers = [wire.connect(KOREAN, 0.15) for _ in range(12)]
    through = sum(answer is not None for answer in answers)
    assert 5 <= through <= 5 + (time.monotonic() - begun) + 1
    assert wire.counters()["refused_rate"] >= 1
    assert all(wire.connect(KOREAN_TOO) is not None for _ in range(12))
    assert wire.connect(KOREAN_V6) is not None


def test_our_own_proxies_speak_for_everybody(wire: Wire) -> None:
    proxies = (ip_network("8.8.8.8"), ip_network("8.8.8.0/24"), ip_network("2a00:1450::/32"))
    wire.load(ruleset(Rules((PORT,), KOREA, [], [], NOW_MS, Pace(1, 1, 1), proxies)))
    assert all(wire.connect(FOREIGN) is not None for _ in range(5))
    assert wire.connect(FOREIGN_V6) is not None
    assert wire.connect(FOREIGN_TOO) is None


def test_other_ports_are_left_alone(wire: Wire) -> None:
    wire.load(rules(ports=(443,)))
    assert wire.connect(FOREIGN) is not None


def test_loading_again_replaces_the_ruleset(wire: Wire) -> None:
    wire.load(rules())
    wire.load("add table inet other\n" + rules(entries=[("8.8.8.8/32", EntryKind.ALLOW)]))
    assert wire.connect(FOREIGN) is not None
    wire.load(rules())
    assert wire.connect(FOREIGN) is None


def test_the_kernel_takes_whatever_is_listed(wire: Wire) -> None:
    """Entries and bans inside each other and beside each other make sets it does not refuse."""
    pick = random.Random(5)

    def some() -> str:
        length = pick.randrange(20, 33)
        return str(ip_network((0xCB007100 + pick.randrange(4096), length), strict=False))

    for _ in range(15):
        entries = [(some(), pick.choice(list(EntryKind))) for _ in range(20)]
        bans = {some(): pick.randrange(1, 1_000_000) for _ in range(20)}
        wire.load(rules(entries=entries, bans=bans))


def test_no_country_rule_lets_every_country_in(wire: Wire) -> None:
    wire.load(ruleset(Rules((PORT,), None, [], [], NOW_MS)))
    assert wire.connect(FOREIGN) is not None
    assert wire.counters()["let_in"] >= 1

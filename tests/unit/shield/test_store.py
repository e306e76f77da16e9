"""The shield's file. It is a file, so these tests write one; they need nothing else."""

import threading
from pathlib import Path

import pytest

from jigap.shield.address import AddressMalformed
from jigap.shield.store import (
    AUTO,
    EntryInvalid,
    EntryUnknown,
    ShieldDamaged,
    ShieldStore,
    repair,
)
from jigap.shield.strikes import BAN_FIRST_MS, BAN_MAX_MS
from jigap.shield.verdict import EntryKind

NOW_MS = 1_795_000_000_000
HOUR_MS = 3_600_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shield" / "shield.sqlite"


@pytest.fixture
def store(path: Path):
    made = ShieldStore(path)
    yield made
    made.close()


def test_an_entry_is_kept_until_it_expires(store: ShieldStore):
    store.put_entry("8.8.8.0/24", EntryKind.ALLOW, "partner", "mb_1", NOW_MS)
    store.put_entry("9.9.9.9", EntryKind.DENY, "abuse", "mb_1", NOW_MS, NOW_MS + HOUR_MS)
    both = ShieldStore(store.path).entries(NOW_MS)
    assert [(str(one.network), one.kind.value, one.reason, one.author) for one in both] == [
        ("8.8.8.0/24", "allow", "partner", "mb_1"),
        ("9.9.9.9/32", "deny", "abuse", "mb_1"),
    ]
    assert len(store.entries(NOW_MS + HOUR_MS)) == 1


def test_an_entry_takes_the_place_of_one_of_its_kind(store: ShieldStore):
    store.put_entry("8.8.8.8", EntryKind.DENY, "first", "mb_1", NOW_MS)
    store.put_entry("8.8.8.8/32", EntryKind.DENY, "second", "mb_2", NOW_MS)
    store.put_entry("8.8.8.8", EntryKind.SHARED, "carrier", "mb_2", NOW_MS)
    assert sorted(one.reason for one in store.entries(NOW_MS)) == ["carrier", "second"]
    store.remove_entry("8.8.8.8")
    assert store.entries(NOW_MS) == []
    with pytest.raises(EntryUnknown):
        store.remove_entry("8.8.8.8")


def test_a_reason_is_one_line_and_must_be_given(store: ShieldStore):
    entry = store.put_entry("8.8.8.8", EntryKind.DENY, " a\n\x1b[31mb ", "mb_1", NOW_MS)
    assert entry.reason == "a [31mb"
    with pytest.raises(EntryInvalid):
        store.put_entry("8.8.8.8", EntryKind.DENY, " \n", "mb_1", NOW_MS)


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "0.0.0.0/7", "::/0", "2000::/15"])
def test_nobody_shuts_the_world_out_or_lets_it_in(store: ShieldStore, cidr: str):
    with pytest.raises(EntryInvalid):
        store.ban(cidr, "oops", "mb_1", NOW_MS)
    for kind in EntryKind:
        with pytest.raises(EntryInvalid):
            store.put_entry(cidr, kind, "oops", "mb_1", NOW_MS)


def test_refuses_what_is_no_range(store: ShieldStore):
    with pytest.raises(AddressMalformed):
        store.ban("everybody", "oops", "mb_1", NOW_MS)


def test_refuses_an_end_in_the_past(store: ShieldStore):
    with pytest.raises(EntryInvalid):
        store.ban("8.8.8.8", "late", "mb_1", NOW_MS, NOW_MS)
    with pytest.raises(EntryInvalid):
        store.put_entry("8.8.8.8", EntryKind.ALLOW, "late", "mb_1", NOW_MS, NOW_MS)


def test_a_ban_ends_and_the_next_one_is_longer(store: ShieldStore):
    first = store.ban("8.8.8.8", "guesses", AUTO, NOW_MS)
    assert (first.step, first.until_ms) == (1, NOW_MS + BAN_FIRST_MS)
    assert store.bans(first.until_ms - 1) == [first]
    assert store.bans(first.until_ms) == []
    second = store.ban("8.8.8.8", "guesses", AUTO, first.until_ms)
    assert (second.step, second.until_ms) == (2, first.until_ms + 6 * BAN_FIRST_MS)


def test_two_processes_that_ban_at_once_ban_once(store: ShieldStore):
    store.ban("8.8.8.8", "guesses", AUTO, NOW_MS)
    again = ShieldStore(store.path).ban("8.8.8.8", "guesses", AUTO, NOW_MS + 50)
    assert (again.step, again.until_ms) == (1, NOW_MS + BAN_FIRST_MS)


def test_our_own_ban_never_shortens_an_operators(store: ShieldStore):
    end_ms = NOW_MS + 2 * BAN_MAX_MS
    store.ban("8.8.8.8", "by hand", "mb_1", NOW_MS, end_ms)
    assert store.ban("8.8.8.8", "guesses", AUTO, NOW_MS + 1).until_ms == end_ms
    shorter = store.ban("8.8.8.8", "by hand", "mb_1", NOW_MS + 2, NOW_MS + 10)
    assert shorter.until_ms == NOW_MS + 10


def test_lifting_a_ban_forgets_its_history(store: ShieldStore):
    store.ban("8.8.8.8", "guesses", AUTO, NOW_MS)
    store.unban("8.8.8.8")
    assert store.bans(NOW_MS) == []
    assert store.ban("8.8.8.8", "guesses", AUTO, NOW_MS + 1).step == 1
    with pytest.raises(EntryUnknown):
        store.unban("9.9.9.9")


def test_the_version_changes_with_every_change_of_anybody(store: ShieldStore):
    other, seen = ShieldStore(store.path), {store.version()}
    assert store.version() in seen
    for number in range(5):
        other.ban(f"8.8.8.{number}", "guesses", AUTO, NOW_MS)
        assert store.version() not in seen
        seen.add(store.version())


def test_many_threads_may_write(store: ShieldStore):
    def ban(first: int) -> None:
        for last in range(5):
            store.ban(f"8.8.{first}.{last}", "guesses", AUTO, NOW_MS)

    threads = [threading.Thread(target=ban, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(store.bans(NOW_MS)) == 20


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 400])
def test_a_damaged_file_is_said_to_be_damaged(path: Path, damage: bytes):
    ShieldStore(path).ban("8.8.8.8", "guesses", AUTO, NOW_MS)
    path.write_bytes(damage)
    store = ShieldStore(path)
    with pytest.raises(ShieldDamaged):
        store.check()
    with pytest.raises(ShieldDamaged):
        store.bans(NOW_MS)


def test_a_row_that_nobody_of_us_wrote_is_damage(store: ShieldStore):
    import sqlite3

    with sqlite3.connect(store.path) as connection:
        connection.execute("INSERT INTO entry VALUES ('home', 'deny', 'x', 'x', 1, NULL)")
    with pytest.raises(ShieldDamaged):
        store.entries(NOW_MS)


def test_a_file_that_is_gone_is_damage_to_who_had_it_open(store: ShieldStore):
    store.version()
    store.path.unlink()
    with pytest.raises(ShieldDamaged):
        store.version()


def test_a_new_file_is_sound(store: ShieldStore):
    store.check()
    assert store.path.stat().st_mode & 0o077 == 0


def test_repair_keeps_what_can_be_read(store: ShieldStore):
    import sqlite3

    store.ban("9.9.9.9", "guesses", AUTO, NOW_MS)
    with sqlite3.connect(store.path) as connection:
        connection.executemany(
            "INSERT INTO entry VALUES (?, 'deny', ?, 'mb_1', 1, NULL)",
            [(f"8.8.{number}.0/24", "x" * 150) for number in range(200)] + [("home", "x")],
        )
    whole = store.path.read_bytes()
    torn = whole[: 8 * 4096] + bytes(4096) + whole[9 * 4096 :]
    store.path.write_bytes(torn)
    with pytest.raises(ShieldDamaged):
        store.check()
    done = repair(store.path, NOW_MS)
    again = ShieldStore(store.path)
    again.check()
    assert 0 < done.entries < 200
    assert len(again.entries(NOW_MS)) == done.entries
    assert done.moved_to.read_bytes() == torn


def test_repair_of_rubbish_makes_an_empty_file(path: Path):
    ShieldStore(path)
    path.write_bytes(b"rubbish" * 1000)
    done = repair(path, NOW_MS)
    assert (done.entries, done.bans) == (0, 0)
    ShieldStore(path).check()
    assert ShieldStore(path).bans(NOW_MS) == []

"""Verify, restore, rotate; and the drill of all of them."""

import asyncio
import threading

import pytest
from tests.unit.keys.keyring import OTHER, PASSPHRASE, WRONG, bench
from tests.unit.keys.test_envelope import PRIVATE, PUBLIC

from jigap.keys import Caretaker, Fault, KeyRing, RecoveryKeyInvalid, envelope, keystores, repair
from jigap.keys.attempts import LEASE_MS, keep, take, undo


@pytest.fixture
async def held(sqlite_database, tmp_path):
    async with bench(sqlite_database, tmp_path, recovery_public_key=PUBLIC.hex()) as made:
        yield made


@pytest.fixture
async def held_on_both(database, tmp_path):
    """For what the database decides: once on SQLite, once on PostgreSQL."""
    async with bench(database, tmp_path, recovery_public_key=PUBLIC.hex()) as made:
        yield made


def caretaker(held, **given):
    return Caretaker(held.database, held.ring, held.vault.files, held.clock, **given)


async def change_row(held, wallet_id, **values):
    def change(connection):
        changed = keystores.update().where(keystores.c.wallet_id == wallet_id)
        connection.execute(changed.values(**values))

    await held.database.write(change)


async def envelope_of(held, wallet_id):
    def read(connection):
        found = keystores.select().where(keystores.c.wallet_id == wallet_id)
        return bytes(connection.execute(found).one().envelope)

    return await held.database.read(read)


def faults(report):
    return {(one.wallet_id, one.fault) for one in report.findings}


async def test_sound_copies_are_called_sound(held):
    for number in range(5):
        await held.wallet(f"wa_{number}")
    report = await caretaker(held).verify_all()
    assert (report.wallets, report.findings, report.sound) == (5, [], True)


async def test_the_drill_verify_damage_restore_rotate(held_on_both):
    """What an operator rehearses; at the end every wallet opens with its own passphrase."""
    held = held_on_both
    for number in range(6):
        await held.wallet(f"wa_{number}", f"passphrase number {number}")
    await held.vault.change_passphrase("wa_5", "passphrase number 5", OTHER)
    assert (await caretaker(held).verify_all(PRIVATE)).rederived == 6

    files = held.vault.files
    files.remove("wa_0", 1)
    files.path("wa_1", 1).write_bytes(b"bit rot")
    await change_row(held, "wa_2", envelope=b"bit rot")
    await change_row(held, "wa_3", envelope=await envelope_of(held, "wa_4"))
    await held.database.write(
        lambda connection: connection.execute(
            keystores.delete().where(keystores.c.wallet_id == "wa_5")
        )
    )
    damaged = await caretaker(held).verify_all()
    assert not damaged.sound
    assert faults(damaged) == {
        ("wa_0", Fault.FILE_MISSING),
        ("wa_1", Fault.FILE_DAMAGED),
        ("wa_2", Fault.ROW_DAMAGED),
        ("wa_3", Fault.ROW_DAMAGED),
        ("wa_5", Fault.ROW_MISSING),
    }
    restored = await caretaker(held).restore_all()
    assert restored.sound
    assert sorted(restored.repaired) == ["wa_0", "wa_1", "wa_2", "wa_3", "wa_5"]
    assert (await caretaker(held).verify_all(PRIVATE)).rederived == 6

    held.ring.add_version()
    rotated = await caretaker(held).rotate_all()
    assert (rotated.wallets, rotated.rewrapped, rotated.findings) == (6, 6, [])
    only_new = KeyRing({2: held.ring._master_keys[2]}, 2, bytes(32))
    after = Caretaker(held.database, only_new, files, held.clock)
    assert (await after.verify_all(PRIVATE)).findings == []
    for number in range(5):
        assert await held.opens(f"wa_{number}", f"passphrase number {number}")
    assert await held.opens("wa_5", OTHER)


async def test_what_is_lost_is_reported_and_left_alone(held):
    await held.wallet()
    await change_row(held, "wa_1", envelope=b"rot")
    held.vault.files.path("wa_1", 1).write_bytes(b"rot too")
    report = await caretaker(held).restore_all()
    assert not report.sound
    assert ("wa_1", Fault.LOST) in faults(report)
    assert report.repaired == []
    assert held.vault.files.read("wa_1", 1) == b"rot too"
    assert await envelope_of(held, "wa_1") == b"rot"


async def test_restoring_sound_copies_writes_nothing(held, monkeypatch):
    await held.wallet()
    monkeypatch.setattr(held.vault.files, "write", None)
    report = await caretaker(held).restore_all()
    assert (report.wallets, report.repaired, report.sound) == (1, [], True)


async def test_restoring_does_not_forget_wrong_attempts(held):
    """A file taken away must not buy new guesses."""
    await held.wallet()
    now_ms = held.clock.now_ms()
    for _ in range(4):
        attempt = await held.database.write(take, "wa_1", token=bytes(16), now_ms=now_ms)
        await held.database.write(keep, attempt, now_ms)
    held.vault.files.remove("wa_1", 1)
    await caretaker(held).restore_all()

    def read(connection):
        return connection.execute(keystores.select()).one()

    found = await held.database.read(read)
    assert (found.attempts, found.retry_at_ms) == (4, now_ms + 30_000)
    assert not await held.opens("wa_1", WRONG)


async def test_a_key_that_is_being_changed_is_left_alone(held, monkeypatch):
    monkeypatch.setattr(repair, "_PAUSE_S", 0.001)
    monkeypatch.setattr(repair, "_PATIENCE", 3)
    await held.wallet()
    held.vault.files.remove("wa_1", 1)
    await held.database.write(take, "wa_1", token=bytes(16), now_ms=held.clock.now_ms())
    report = await caretaker(held).restore_all()
    assert faults(report) == {("wa_1", Fault.BUSY)}
    assert held.vault.files.versions("wa_1") == []
    held.clock.advance(LEASE_MS)
    assert (await caretaker(held).restore_all()).repaired == ["wa_1"]


async def test_an_older_file_that_is_about_to_go_is_no_alarm(held, monkeypatch):
    """The row names the new version already; whoever changed it still has the lease."""
    await held.wallet()
    files, there, seen = held.vault.files, threading.Event(), threading.Event()
    keep_only = files.keep_only

    def slowly(wallet_id, version):
        there.set()
        seen.wait(1)
        keep_only(wallet_id, version)

    monkeypatch.setattr(files, "keep_only", slowly)
    changing = asyncio.create_task(held.vault.change_passphrase("wa_1", PASSPHRASE, OTHER))
    await asyncio.to_thread(there.wait, 5)
    verifying = asyncio.create_task(caretaker(held).verify_all())
    await asyncio.wait([verifying], timeout=0.3)
    seen.set()
    assert (await verifying).findings == []
    assert await changing == 2
    assert files.versions("wa_1") == [2]


async def test_verifying_beside_live_changes_raises_no_alarm(held_on_both):
    held = held_on_both
    for number in range(8):
        await held.wallet(f"wa_{number}")

    async def keep_changing():
        for round_ in range(6):
            for number in range(8):
                old = PASSPHRASE if round_ % 2 == 0 else OTHER
                new = OTHER if round_ % 2 == 0 else PASSPHRASE
                await held.vault.change_passphrase(f"wa_{number}", old, new)

    changing = asyncio.create_task(keep_changing())
    rounds = 0
    while not changing.done():
        assert (await caretaker(held).verify_all()).findings == []
        rounds += 1
    await changing
    assert rounds > 1


async def test_a_change_between_the_two_looks_at_a_key_is_no_alarm(held, monkeypatch):
    """The row is read, the passphrase is changed, then the files are looked at: twice in a row."""
    await held.wallet()
    keeper, looks = caretaker(held), []
    loop, diagnosis = asyncio.get_running_loop(), Caretaker._diagnosis

    def after_a_change(self, wallet_id, row):
        if len(looks) < 2:
            words = (PASSPHRASE, OTHER) if not looks else (OTHER, PASSPHRASE)
            looks.append(row.version)
            change = held.vault.change_passphrase(wallet_id, *words)
            asyncio.run_coroutine_threadsafe(change, loop).result(30)
        return diagnosis(self, wallet_id, row)

    monkeypatch.setattr(Caretaker, "_diagnosis", after_a_change)
    report = await keeper.verify_all()
    assert (looks, report.findings) == ([1, 2], [])


async def test_a_change_that_begins_while_we_look_is_no_alarm(held, monkeypatch):
    """Its file is there before its row; the look that finds it so began when nobody was at work."""
    monkeypatch.setattr(repair, "_PAUSE_S", 0.001)
    await held.wallet()
    look, looks, leases = Caretaker._look, 0, []

    async def beside_a_change(self, wallet_id):
        nonlocal looks
        looks += 1
        now_ms = held.clock.now_ms()
        if looks == 1:
            taken = {"token": bytes(16), "now_ms": now_ms, "counted": False}
            leases.append(await held.database.write(take, wallet_id, **taken))
        if looks == 2:
            held.vault.files.remove(wallet_id, 2)
            await held.database.write(undo, leases[0])
        return await look(self, wallet_id)

    monkeypatch.setattr(Caretaker, "_look", beside_a_change)
    held.vault.files.write("wa_1", 2, b"not in the row yet")
    report = await caretaker(held).verify_all()
    assert (looks, report.findings) == (2, [])


async def test_restoring_and_rotating_beside_live_changes_loses_nothing(held_on_both):
    held = held_on_both
    for number in range(6):
        await held.wallet(f"wa_{number}")

    async def keep_changing():
        for round_ in range(4):
            for number in range(6):
                old, new = (PASSPHRASE, OTHER) if round_ % 2 == 0 else (OTHER, PASSPHRASE)
                await held.vault.change_passphrase(f"wa_{number}", old, new)

    changing = asyncio.create_task(keep_changing())
    while not changing.done():
        held.ring.add_version()
        assert (await caretaker(held).restore_all()).sound
        assert (await caretaker(held).rotate_all()).findings == []
    await changing
    assert (await caretaker(held).verify_all()).findings == []
    for number in range(6):
        assert await held.opens(f"wa_{number}", PASSPHRASE)


async def test_rotating_never_spreads_damage(held):
    """A row whose keystore is damaged must not be copied over the file that is good."""
    await held.wallet()
    good = held.vault.files.read("wa_1", 1)
    broken = bytearray(good)
    place = good.index(b'"keystore":"') + 40
    broken[place] = ord("A") if broken[place] != ord("A") else ord("B")
    await change_row(held, "wa_1", envelope=bytes(broken))
    held.ring.add_version()
    report = await caretaker(held).rotate_all()
    assert faults(report) == {("wa_1", Fault.ROW_DAMAGED)}
    assert held.vault.files.read("wa_1", 1) == good
    assert (await caretaker(held).restore_all()).repaired == ["wa_1"]
    assert await held.opens("wa_1", PASSPHRASE)


async def test_a_rotation_that_stopped_half_way_goes_on(held):
    """Row under the new master key, file under the old one: the next run finishes it."""
    await held.wallet()
    held.ring.add_version()
    sealed = envelope.rewrap(await envelope_of(held, "wa_1"), held.ring, nonce=bytes(12))
    await change_row(held, "wa_1", envelope=sealed)
    assert (await caretaker(held).rotate_all()).rewrapped == 1
    assert held.vault.files.read("wa_1", 1) == sealed
    assert (await caretaker(held).rotate_all()).rewrapped == 0


async def test_a_recovery_slot_of_another_key_is_found(held):
    await held.wallet("wa_1")
    with pytest.raises(RecoveryKeyInvalid):
        await caretaker(held).verify_all(b"\x0c" * 32)


async def test_progress_is_told(held):
    for number in range(3):
        await held.wallet(f"wa_{number}")
    seen = []
    await caretaker(held, progress=lambda done, total: seen.append((done, total))).verify_all()
    assert seen == [(1, 3), (2, 3), (3, 3)]


async def test_pages_do_not_skip_or_repeat(held_on_both, monkeypatch):
    held = held_on_both
    monkeypatch.setattr(repair, "PAGE", 2)
    for number in range(5):
        await held.wallet(f"wa_{number}")
    for number in (1, 3):
        await held.database.write(
            lambda connection, one=f"wa_{number}": connection.execute(
                keystores.delete().where(keystores.c.wallet_id == one)
            )
        )
    report = await caretaker(held).verify_all()
    assert report.wallets == 5
    assert faults(report) == {("wa_1", Fault.ROW_MISSING), ("wa_3", Fault.ROW_MISSING)}


async def test_leftovers_are_cleared_once_nobody_can_be_writing_them(held):
    await held.wallet()
    left = held.vault.files.path("wa_1", 1).with_name(".wa_1.2.abcdef.tmp")
    left.write_bytes(b"half")
    assert (await caretaker(held).verify_all()).leftovers == 1
    held.clock.advance(left.stat().st_mtime_ns // 1_000_000 - held.clock.now_ms())
    assert (await caretaker(held).restore_all()).leftovers == 0
    held.clock.advance(repair.LEFTOVER_MS + 1)
    assert (await caretaker(held).restore_all()).leftovers == 1
    assert not left.exists()

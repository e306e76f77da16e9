"""Files that are whole or not there."""

import os

import pytest

from jigap.keys import KeyFiles, files, write_synced


@pytest.fixture
def kept(tmp_path):
    return KeyFiles(tmp_path / "keystores")


def test_what_was_written_is_read(kept):
    kept.write("wa_1", 1, b"one")
    kept.write("wa_1", 2, b"two")
    assert kept.read("wa_1", 2) == b"two"
    assert kept.versions("wa_1") == [1, 2]
    assert kept.read("wa_1", 3) is None


def test_a_file_is_its_owners_alone(kept):
    kept.write("wa_1", 1, b"one")
    path = kept.path("wa_1", 1)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_versions_of_wallets_with_similar_ids_stay_apart(kept):
    kept.write("wa_1", 1, b"")
    kept.write("wa_11", 2, b"")
    (kept.path("wa_1", 1).parent / "wa_1.x").write_bytes(b"")
    (kept.path("wa_1", 1).parent / "wa_1.01").write_bytes(b"")
    assert kept.versions("wa_1") == [1]
    assert sorted(kept.wallets()) == ["wa_1", "wa_11"]


def test_keeping_one_version_takes_the_others_away(kept):
    for version in (1, 2, 3):
        kept.write("wa_1", version, b"")
    kept.keep_only("wa_1", 2)
    assert kept.versions("wa_1") == [2]


def test_folders_stay_small(kept):
    """A thousand wallets spread over many folders, none of which holds more than a few."""
    folders = [kept.path(f"wa_{number}", 1).parent for number in range(1000)]
    assert max(folders.count(folder) for folder in set(folders)) < 20


def test_a_wallet_id_cannot_leave_the_folder(kept):
    for evil in ("../x", "wa/1", "wa.1", "", "WA"):
        with pytest.raises(AssertionError):
            kept.path(evil, 1)


def test_a_folder_that_went_away_is_made_again(kept):
    kept.write("wa_1", 1, b"one")
    kept.remove("wa_1", 1)
    kept.path("wa_1", 1).parent.rmdir()
    kept.write("wa_1", 1, b"again")
    assert kept.read("wa_1", 1) == b"again"


def test_folders_are_made_and_synced_once(kept, monkeypatch):
    synced = []
    monkeypatch.setattr(files, "sync_folder", lambda folder: synced.append(folder.name))
    kept.write("wa_1", 1, b"one")
    kept.write("wa_2", 1, b"two")
    assert synced[:2] == ["keystores", kept.root.parent.name]
    assert synced[2:] == [kept.path(id_, 1).parent.name for id_ in ("wa_1", "wa_2")]


def test_file_then_folder_are_synced_before_the_write_returns(kept, monkeypatch):
    order = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor):
        order.append("sync " + os.readlink(f"/proc/self/fd/{descriptor}").rsplit("/", 1)[1][:8])
        real_fsync(descriptor)

    def replace(source, target, **options):
        order.append("rename")
        real_replace(source, target, **options)

    kept.write("wa_1", 1, b"one")
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_synced(kept.path("wa_1", 1), b"again")
    shard = kept.path("wa_1", 1).parent.name
    assert order == ["sync .wa_1.1.", "rename", f"sync {shard}"]


def test_an_interrupted_write_leaves_the_old_file(kept, monkeypatch):
    kept.write("wa_1", 1, b"one")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        kept.write("wa_1", 1, b"two")
    assert kept.read("wa_1", 1) == b"one"
    assert list(kept.leftovers()) == []


def test_a_file_that_exists_is_left_alone_on_request(tmp_path):
    write_synced(tmp_path / "a", b"one")
    with pytest.raises(FileExistsError):
        write_synced(tmp_path / "a", b"two", replace=False)
    assert (tmp_path / "a").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["a"]


def test_leftovers_of_a_crash_are_found(kept):
    kept.write("wa_1", 1, b"one")
    left = kept.path("wa_1", 1).with_name(".wa_1.2.abcdef.tmp")
    left.write_bytes(b"half")
    assert list(kept.leftovers()) == [left]
    assert kept.versions("wa_1") == [1]
    assert files.sync_folder(left.parent) is None


def test_many_at_once_are_written_and_synced_before_they_have_their_names(kept, monkeypatch):
    order = []
    real_replace = os.replace

    def replace(source, target, **options):
        order.append("rename")
        real_replace(source, target, **options)

    monkeypatch.setattr(os, "sync", lambda: order.append("sync"))
    monkeypatch.setattr(os, "replace", replace)
    kept.write_many((f"wa_{number}", b"%d" % number) for number in range(3))
    assert order == ["sync", "rename", "rename", "rename", "sync"]
    assert [kept.read(f"wa_{number}", 1) for number in range(3)] == [b"0", b"1", b"2"]
    assert list(kept.leftovers()) == []

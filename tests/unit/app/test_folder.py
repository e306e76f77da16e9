"""One owner for a data folder, and a clear word for everybody else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jigap.app import DataFolderInUse, DataFolderUnusable, Folder, hold
from jigap.settings import Settings

HOLD = """
import sys
from jigap.app import Folder, hold
from jigap.settings import Settings
with hold(Folder.of(Settings(data_dir=sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def folder(path: Path, **more: str) -> Folder:
    return Folder.of(Settings(data_dir=str(path), **more))


def test_folder_is_made_for_its_owner_only(tmp_path: Path):
    with hold(folder(tmp_path / "new")):
        assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_second_owner_is_refused_and_told_who_holds_it(tmp_path: Path):
    with hold(folder(tmp_path)):
        with pytest.raises(DataFolderInUse) as refused, hold(folder(tmp_path)):
            pass
        assert refused.value.facts == {"process": str(os.getpid())}
    with hold(folder(tmp_path)):
        pass


def test_different_names_do_not_stand_in_each_others_way(tmp_path: Path):
    with hold(folder(tmp_path)), hold(folder(tmp_path), "node"):
        pass


def test_lock_of_a_killed_owner_is_free(tmp_path: Path):
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "held\n"
    with pytest.raises(DataFolderInUse, match=str(owner.pid)), hold(folder(tmp_path)):
        pass
    owner.kill()
    owner.communicate()
    with hold(folder(tmp_path)):
        pass


def test_file_in_the_place_of_the_folder_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderUnusable), hold(folder(tmp_path / "file")):
        pass


def test_master_key_may_lie_elsewhere(tmp_path: Path):
    assert folder(tmp_path).master_key == tmp_path / "keys" / "master.json"
    elsewhere = folder(tmp_path, master_key_file="/elsewhere/key.json")
    assert elsewhere.master_key == Path("/elsewhere/key.json")

"""Settings are read once, from four places, and secrets never print."""

from dataclasses import fields
from pathlib import Path

import pytest

from jigap import settings
from jigap.settings import SettingInvalid, Settings, load, shown


def test_defaults_hold_where_nothing_is_said(tmp_path: Path):
    assert load(tmp_path, {}) == Settings(data_dir=str(tmp_path))


def test_command_line_wins_over_environment_over_file_over_default(tmp_path: Path):
    (tmp_path / settings.FILE_NAME).write_text("port = 1\nnode_port = 1\nkdf_queue = 1\n")
    environment = {"JIGAP_PORT": "2", "JIGAP_NODE_PORT": "2"}
    loaded = load(tmp_path, environment, port=3, kdf_threads=None)
    assert (loaded.port, loaded.node_port, loaded.kdf_queue) == (3, 2, 1)
    assert loaded.kdf_threads == Settings().kdf_threads


def test_data_folder_comes_from_the_environment_unless_said(tmp_path: Path):
    assert load(None, {"JIGAP_DATA_DIR": str(tmp_path)}).data == tmp_path
    assert load("elsewhere", {"JIGAP_DATA_DIR": str(tmp_path)}).data == Path("elsewhere")


@pytest.mark.parametrize(
    "text", ["no_such_setting = 1", "port = true", 'port = "x"', "port = 1.5", "port ="]
)
def test_refuses_a_file_it_cannot_fully_read(tmp_path: Path, text: str):
    (tmp_path / settings.FILE_NAME).write_text(text)
    with pytest.raises(SettingInvalid):
        load(tmp_path, {})


def test_refuses_an_unreadable_environment_value(tmp_path: Path):
    with pytest.raises(SettingInvalid, match="port must be int"):
        load(tmp_path, {"JIGAP_PORT": "eighty"})


def test_secrets_print_as_stars_and_only_when_set():
    secret = {one.name for one in fields(Settings) if one.metadata["secret"]}
    assert secret
    given = Settings(**dict.fromkeys(secret, "hunter2"))
    assert {name for name, value in shown(given).items() if value == "***"} == secret
    assert "hunter2" not in str(shown(given))
    assert "***" not in shown(Settings()).values()


def test_every_setting_says_what_it_does():
    for name, default, help_ in settings.describe():
        assert help_.endswith("."), name
        assert isinstance(default, int | str), name


def test_sessions_last_as_long_as_is_documented():
    """docs/guides/signing-in.md and docs/security/asvs.md say so."""
    assert (Settings.session_idle_s, Settings.session_ttl_s) == (3600, 12 * 3600)

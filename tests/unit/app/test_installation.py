"""A new installation makes its keys once; an old one never gets fresh keys by accident."""

import json
from pathlib import Path

import pytest

from jigap.app import Accounts, AccountsMalformed, Folder, install, node_config, read_accounts
from jigap.keys import ROLES, MasterKeyMissing, ServiceKeyMissing, ServiceKeys
from jigap.node import BLOCK_SIGNER, TOKEN_OWNER, TREASURY
from jigap.settings import Settings

ADDRESSES = {
    "token_owner": "0x00020000000000090002",
    "treasury": "0x000200000000000a0002",
    "ca": "0x000200000000000b0002",
    "work_node": "0x000200000000000c0002",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path / "data"))


def key_hashes(settings: Settings) -> dict[str, bytes]:
    keys = ServiceKeys(install(settings), Folder.of(settings).service_keys)
    return {role: keys.public_key_hash(role) for role in keys.roles()}


def test_first_start_makes_every_key_and_the_second_keeps_them(settings: Settings):
    first = key_hashes(settings)
    assert set(first) == set(ROLES)
    assert len(set(first.values())) == len(ROLES)
    assert key_hashes(settings) == first


def test_two_installations_have_nothing_in_common(tmp_path: Path):
    one = key_hashes(Settings(data_dir=str(tmp_path / "one")))
    other = key_hashes(Settings(data_dir=str(tmp_path / "other")))
    assert set(one.values()).isdisjoint(other.values())


def test_key_files_are_for_their_owner_only(settings: Settings):
    install(settings)
    folder = Folder.of(settings)
    for path in (folder.master_key, *folder.service_keys.iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("left", ["jigap.sqlite", "keystores", "keys/service"])
def test_lost_master_key_is_never_replaced_by_a_fresh_one(settings: Settings, left: str):
    (settings.data / left).mkdir(parents=True)
    with pytest.raises(MasterKeyMissing):
        install(settings)
    assert not Folder.of(settings).master_key.exists()


def test_lost_service_key_of_a_chain_is_never_replaced(settings: Settings):
    install(settings)
    folder = Folder.of(settings)
    folder.node.mkdir()
    folder.genesis.write_text("{}")
    (folder.service_keys / "ca.key").unlink()
    with pytest.raises(ServiceKeyMissing, match="ca"):
        install(settings)


def test_a_chain_that_was_begun_without_a_key_for_the_trail_gets_one(settings: Settings):
    install(settings)
    folder = Folder.of(settings)
    folder.node.mkdir()
    folder.genesis.write_text("{}")
    (folder.service_keys / "audit.key").unlink()
    assert set(key_hashes(settings)) == set(ROLES)


def test_interrupted_installation_is_finished(settings: Settings):
    install(settings)
    (Folder.of(settings).service_keys / "ca.key").unlink()
    assert set(key_hashes(settings)) == set(ROLES)


def test_chain_begins_with_the_installations_own_keys(settings: Settings):
    hashes = key_hashes(settings)
    config = node_config(settings)
    assert config.genesis is not None
    assert config.proposer_key.public_key_hash == hashes["block_signer"]
    assert config.genesis.key_hash_of(BLOCK_SIGNER) == hashes["block_signer"]
    assert config.genesis.key_hash_of(TOKEN_OWNER) == hashes["token_owner"]


def test_accounts_are_those_of_our_own_chain_unless_named(settings: Settings):
    accounts = read_accounts(settings)
    assert (accounts.token_owner, accounts.treasury) == (TOKEN_OWNER, TREASURY)
    settings.data.mkdir()
    (settings.data / "accounts.json").write_text(json.dumps(ADDRESSES))
    expected = {role: bytes.fromhex(text[2:]) for role, text in ADDRESSES.items()}
    assert read_accounts(settings) == Accounts(**expected)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        json.dumps(ADDRESSES | {"ca": "0x12"}),
        json.dumps(ADDRESSES | {"more": "0x"}),
    ],
)
def test_incomplete_accounts_file_is_refused(settings: Settings, content: str):
    settings.data.mkdir()
    (settings.data / "accounts.json").write_text(content)
    with pytest.raises(AccountsMalformed):
        read_accounts(settings)

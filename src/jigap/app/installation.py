"""What a new installation needs, made once: a master key and the platform's own keys.

Our own chain begins with those keys: its genesis follows from them, and the node keeps it.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from jigap.app.folder import Folder
from jigap.chain import symid
from jigap.chain.invalid import Invalid
from jigap.chain.symid import FIRST_CA
from jigap.keys import (
    ROLES,
    KeyRing,
    MasterKeyMissing,
    ServiceKeyMissing,
    ServiceKeys,
)
from jigap.node import BLOCK_SIGNER, TOKEN_OWNER, TREASURY, NodeConfig, platform_genesis
from jigap.refusal import Kind, Refusal
from jigap.settings import Settings

#: Keys that the chain began with; nothing can take their place.
_ON_THE_CHAIN = frozenset(ROLES) - {"audit"}


class AccountsMalformed(Refusal):
    """accounts.json does not name the platform's accounts."""

    code = "accounts_malformed"
    kind = Kind.UNAVAILABLE
    hint = (
        'Write {"token_owner": "0x…", "treasury": "0x…", "ca": "0x…", "work_node": "0x…"} '
        "into accounts.json in the data folder."
    )


@dataclass(frozen=True, slots=True)
class Accounts:
    """SymIDs of the platform's own accounts on the chain."""

    token_owner: bytes
    treasury: bytes
    ca: bytes
    work_node: bytes  # the node named in every transaction we sign

    @property
    def issuers(self) -> dict[str, bytes]:
        """Those that operations on tokens are signed for, by role."""
        return {"token_owner": self.token_owner, "treasury": self.treasury}


def read_accounts(settings: Settings) -> Accounts:
    """The platform's accounts: those of accounts.json, or of the genesis of our own chain.

    Raises ``AccountsMalformed``.
    """
    path = settings.data / "accounts.json"
    try:
        named = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return Accounts(TOKEN_OWNER, TREASURY, FIRST_CA, BLOCK_SIGNER)
    except (OSError, msgspec.DecodeError) as error:
        raise AccountsMalformed(f"{path} cannot be read: {error}.") from None
    try:
        return Accounts(**{role: symid.parse(text) for role, text in named.items()})
    except (TypeError, Invalid) as error:
        raise AccountsMalformed(f"{path} is incomplete: {error}.") from None


def install(settings: Settings) -> KeyRing:
    """Make the master key and the service keys of a new installation. Quick when all is there.

    Raises ``MasterKeyMissing`` when there are keys that a fresh master key could not open, and
    ``ServiceKeyMissing`` when a chain exists that was begun with other keys.
    """
    folder = Folder.of(settings)
    folder.make()
    with _alone(folder):
        ring = _ring(folder)
        service_keys = ServiceKeys(ring, folder.service_keys)
        for role in ROLES:
            if role not in service_keys.roles():
                if folder.genesis.exists() and role in _ON_THE_CHAIN:
                    raise ServiceKeyMissing(f"There is no {role} key.", role=role)
                service_keys.create(role)
    return ring


def node_config(settings: Settings) -> NodeConfig:
    """How to run our own node. Raises ``MasterKeyMissing``, ``ServiceKeyMissing``."""
    folder = Folder.of(settings)
    keys = ServiceKeys(install(settings), folder.service_keys)
    hashes = {role: keys.public_key_hash(role) for role in ROLES}
    genesis = platform_genesis(
        master_ca=hashes["master_ca"],
        first_ca=hashes["ca"],
        block_signer=hashes["block_signer"],
        token_owner=hashes["token_owner"],
        treasury=hashes["treasury"],
        operator=hashes["operator"],
        chain_id=settings.chain_id,
    )
    return NodeConfig(
        data_dir=folder.node,
        proposer_key=keys.signer("block_signer"),
        genesis=None if folder.genesis.exists() else genesis,
        port=settings.node_port,
        block_interval_ms=settings.block_interval_ms,
        block_min_ms=settings.block_min_ms,
    )


@contextmanager
def _alone(folder: Folder) -> Iterator[None]:
    """Several processes of a new installation may start at once: one installs, the others wait."""
    with open(folder.root / "install.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ring(folder: Folder) -> KeyRing:
    if folder.master_key.exists():
        return KeyRing.load(folder.master_key)
    if folder.service_keys.exists() or folder.database.exists() or folder.keystores.exists():
        raise MasterKeyMissing(f"There is no master key at {folder.master_key}.")
    return KeyRing.create(folder.master_key)

"""What a new installation needs, made once: master key, service keys, genesis.

A development chain may also begin with funded citizens whose keys are printed; they are made with
the genesis and kept beside the chain, so that a restart shows the same ones.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from jigap import entropy
from jigap.app.folder import Folder
from jigap.chain import symid
from jigap.chain.invalid import Invalid
from jigap.chain.signature import PrivateKey
from jigap.chain.symid import FIRST_CA
from jigap.keys import (
    ROLES,
    KeyRing,
    MasterKeyMissing,
    ServiceKeyMissing,
    ServiceKeys,
    write_synced,
)
from jigap.node.genesis import (
    BLOCK_SIGNER,
    TOKEN_OWNER,
    TREASURY,
    GenesisAccount,
    platform_genesis,
)
from jigap.refusal import Kind, Refusal
from jigap.settings import Settings


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


def install(settings: Settings, *, dev_account_count: int = 0) -> KeyRing:
    """Make what is missing: master key, service keys, genesis. Quick when all is there.

    A genesis that is made now begins with ``dev_account_count`` development accounts. Raises
    ``MasterKeyMissing`` when there are keys that a fresh master key could not open.
    """
    folder = Folder.of(settings)
    folder.make()
    with _alone(folder):
        ring = _ring(folder)
        service_keys = ServiceKeys(ring, folder.service_keys)
        for role in ROLES:
            if role not in service_keys.roles():
                if folder.genesis.exists() and not settings.chain_url:
                    raise ServiceKeyMissing(f"There is no {role} key.", role=role)
                service_keys.create(role)
        if not settings.chain_url and not folder.genesis.exists():
            _write_genesis(settings, folder, service_keys, dev_account_count)
    return ring


def _write_genesis(
    settings: Settings, folder: Folder, service_keys: ServiceKeys, dev_account_count: int
) -> None:
    keys = {role: service_keys.public_key_hash(role) for role in ROLES}
    genesis = platform_genesis(
        master_ca=keys["master_ca"],
        first_ca=keys["ca"],
        block_signer=keys["block_signer"],
        token_owner=keys["token_owner"],
        treasury=keys["treasury"],
        operator=keys["operator"],
        chain_id=settings.chain_id,
        extra=_make_dev_accounts(folder, dev_account_count),
    )
    folder.chain.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_synced(folder.genesis, genesis.to_json())


class DevAccountsFixed(Refusal):
    """A chain that exists already cannot be given more development accounts."""

    code = "dev_accounts_fixed"
    hint = "Choose an empty data folder for a new development chain."


class DevAccount(msgspec.Struct, frozen=True):
    """A funded citizen whose key everybody may know. ``symid`` and ``private_key`` are 0x-hex."""

    symid: str
    private_key: str
    balance_hug: str


DEV_BALANCE_HUG = 10_000 * 10**18
_DEV_CITIZEN_FIRST = 0xDE_0000_0001


def dev_accounts(settings: Settings, count: int) -> list[DevAccount]:
    """The first ``count`` development accounts of a chain. Raises ``DevAccountsFixed``."""
    try:
        kept = (Folder.of(settings).chain / "dev-accounts.json").read_bytes()
        found = msgspec.json.decode(kept, type=list[DevAccount])
    except FileNotFoundError:
        found = []
    if len(found) < count:
        raise DevAccountsFixed(
            f"This chain was begun with {len(found)} development accounts.", accounts=len(found)
        )
    return found[:count]


def _make_dev_accounts(folder: Folder, count: int) -> tuple[GenesisAccount, ...]:
    """Fresh development accounts, their keys kept beside the chain."""
    made, kept = [], []
    for number in range(count):
        secret = entropy.random_bytes(32)
        account = symid.make(2, (_DEV_CITIZEN_FIRST + number).to_bytes(symid.RANDOM_BYTES, "big"))
        key_hash = PrivateKey(secret).public_key_hash
        made.append(GenesisAccount(account, key_hash, DEV_BALANCE_HUG))
        kept.append(DevAccount(symid.to_hex(account), "0x" + secret.hex(), str(DEV_BALANCE_HUG)))
    if kept:
        folder.chain.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_synced(folder.chain / "dev-accounts.json", msgspec.json.encode(kept))
    return tuple(made)


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

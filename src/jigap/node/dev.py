"""Development chains: a genesis with registered, funded citizens whose keys anybody may read.

The keys are made once and kept in the data folder (``dev-accounts.json``, readable by its owner
only), so that a restart shows the same accounts.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec

from jigap import entropy
from jigap.chain import symid
from jigap.chain.invalid import Invalid
from jigap.chain.signature import CURVE_ORDER, SECRET_BYTES, PrivateKey
from jigap.chain.symid import SymId
from jigap.node.genesis import (
    DEFAULT_CHAIN_ID,
    HUG_PER_SYM,
    Genesis,
    GenesisAccount,
    platform_genesis,
)
from jigap.node.guard import sync_folder
from jigap.refusal import Kind, Refusal

DEV_FILE = "dev-accounts.json"
DEV_BALANCE_HUG = 1_000 * HUG_PER_SYM
ACCOUNTS_MAX = 10_000
#: Random parts of the development accounts begin here.
_FIRST = 0x100
_ROLES = ("master_ca", "first_ca", "block_signer", "token_owner", "treasury", "operator")


class DevAccountsMalformed(Refusal):
    """The file of development accounts is not ours."""

    code: ClassVar[str] = "dev_accounts_malformed"
    kind: ClassVar[Kind] = Kind.INVALID
    hint: ClassVar[str] = "Start with an empty data folder."


@dataclass(frozen=True, slots=True)
class DevAccount:
    """A citizen for developers. The secret is meant to be shown."""

    symid: SymId
    secret: bytes
    balance_hug: int

    @property
    def key(self) -> PrivateKey:
        return PrivateKey(self.secret)


@dataclass(frozen=True, slots=True)
class DevChain:
    """Everything that starts a development chain. ``keys`` are the service keys by role."""

    genesis: Genesis
    accounts: tuple[DevAccount, ...]
    keys: dict[str, PrivateKey]

    @property
    def proposer_key(self) -> PrivateKey:
        return self.keys["block_signer"]


def dev_chain(
    folder: Path,
    count: int,
    *,
    chain_id: int = DEFAULT_CHAIN_ID,
    balance_hug: int = DEV_BALANCE_HUG,
    random_bytes: Callable[[int], bytes] = entropy.random_bytes,
) -> DevChain:
    """The development chain of a data folder with ``count`` accounts, made on the first call.

    Later calls answer with what the first one made; the other arguments only count for that one.
    Raises ``DevAccountsMalformed``.
    """
    path = folder / DEV_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _save(path, _make(min(count, ACCOUNTS_MAX), chain_id, balance_hug, random_bytes))
    return _load(path)


def _make(
    count: int, chain_id: int, balance_hug: int, random_bytes: Callable[[int], bytes]
) -> dict[str, object]:
    accounts = [
        {
            "symid": symid.to_hex(symid.make(2, (_FIRST + at).to_bytes(6, "big"))),
            "private_key": "0x" + _secret(random_bytes).hex(),
            "balance_hug": str(balance_hug),
        }
        for at in range(count)
    ]
    keys = {role: "0x" + _secret(random_bytes).hex() for role in _ROLES}
    return {"chain_id": chain_id, "accounts": accounts, "keys": keys}


def _secret(random_bytes: Callable[[int], bytes]) -> bytes:
    while True:
        secret = random_bytes(SECRET_BYTES)
        if 0 < int.from_bytes(secret, "big") < CURVE_ORDER:
            return secret


def _save(path: Path, document: dict[str, object]) -> None:
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(document), indent=2))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def _load(path: Path) -> DevChain:
    try:
        document = msgspec.json.decode(path.read_bytes())
        accounts = tuple(
            DevAccount(
                symid.parse(one["symid"]),
                bytes.fromhex(one["private_key"].removeprefix("0x")),
                int(one["balance_hug"]),
            )
            for one in document["accounts"]
        )
        keys = {
            role: PrivateKey(bytes.fromhex(document["keys"][role].removeprefix("0x")))
            for role in _ROLES
        }
        return DevChain(_genesis(int(document["chain_id"]), accounts, keys), accounts, keys)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError, Invalid) as error:
        raise DevAccountsMalformed(f"{path} is not a list of development accounts") from error


def _genesis(
    chain_id: int, accounts: tuple[DevAccount, ...], keys: dict[str, PrivateKey]
) -> Genesis:
    hashes = {role: key.public_key_hash for role, key in keys.items()}
    extra = tuple(
        GenesisAccount(account.symid, account.key.public_key_hash, account.balance_hug)
        for account in accounts
    )
    return platform_genesis(
        master_ca=hashes["master_ca"],
        first_ca=hashes["first_ca"],
        block_signer=hashes["block_signer"],
        token_owner=hashes["token_owner"],
        treasury=hashes["treasury"],
        operator=hashes["operator"],
        chain_id=chain_id,
        extra=extra,
    )

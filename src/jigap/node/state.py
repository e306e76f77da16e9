"""What the chain remembers between blocks, as keys and values.

::

    "a" symid                     account: balance and deposit in hug, next nonce
    "c" symid                     citizen record, in the raw form that Symverse shows
    "k" key hash                  the SymID whose citizen holds this key
    "n" symid of a CA             the nonce of its next citizen transaction
    "s" contract                  SCT-20 contract: creator, owner, name, symbol, total, paused
    "t" contract symid            token balance
    "w" contract owner spender    token allowance
    "z"                           how many citizens there are

A value that says nothing (zero, an empty account) is deleted, never stored: the state root sums
over what is there, and two ways of saying "nothing" would be two roots for one state.

``Overlay`` collects the changes of a block over a ``StateReader`` without touching it. ``State`` is
the typed view of either. Nothing here knows a rule.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol

from jigap.chain import rlp
from jigap.chain.citizen import Citizen
from jigap.chain.sct20 import Contract
from jigap.chain.symid import SYMID_BYTES, SymId

#: Separates the elements under the state root from everything else that is hashed.
_ELEMENT_TAG = b"jigap state 1"


class StateReader(Protocol):
    """Anything that can say what a key holds."""

    def get(self, key: bytes) -> bytes | None: ...


class Change(NamedTuple):
    """A key before and after; None where it is absent."""

    before: bytes | None
    after: bytes | None


class Overlay:
    """Changes over a reader that stays as it is."""

    __slots__ = ("_before", "_now", "_reader")

    def __init__(self, reader: StateReader) -> None:
        self._reader = reader
        self._before: dict[bytes, bytes | None] = {}
        self._now: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        try:
            return self._now[key]
        except KeyError:
            value = self._reader.get(key)
            self._before[key] = self._now[key] = value
            return value

    def put(self, key: bytes, value: bytes | None) -> None:
        """Set a key; None or nothing deletes it."""
        if key not in self._before:
            self._before[key] = self._reader.get(key)
        self._now[key] = value or None

    def changes(self) -> dict[bytes, Change]:
        """Every key whose value differs now, sorted by key."""
        before = self._before
        return {
            key: Change(before[key], value)
            for key, value in sorted(self._now.items())
            if value != before[key]
        }


class MemoryReader:
    """A state in a dict: genesis, tests and simulations."""

    def __init__(self, entries: Mapping[bytes, bytes] | None = None) -> None:
        self.entries: dict[bytes, bytes] = dict(entries or {})

    def get(self, key: bytes) -> bytes | None:
        return self.entries.get(key)

    def apply(self, changes: Mapping[bytes, Change]) -> None:
        """Make the changes of a block."""
        for key, change in changes.items():
            if change.after is None:
                del self.entries[key]
            else:
                self.entries[key] = change.after

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted(self.entries.items()))


def element(key: bytes, value: bytes) -> bytes:
    """An entry as it counts for the state root: tagged, both parts with their length."""
    return b"".join(
        (
            _ELEMENT_TAG,
            len(key).to_bytes(4, "big"),
            key,
            len(value).to_bytes(4, "big"),
            value,
        )
    )


def removed(changes: Mapping[bytes, Change]) -> Iterable[bytes]:
    """The elements that a block took out of the state."""
    return (
        element(key, change.before) for key, change in changes.items() if change.before is not None
    )


def added(changes: Mapping[bytes, Change]) -> Iterable[bytes]:
    """The elements that a block put into the state."""
    return (
        element(key, change.after) for key, change in changes.items() if change.after is not None
    )


class Account(NamedTuple):
    """SYM of one SymID in hug, and the nonce its next transaction must have."""

    balance: int = 0
    nonce: int = 0
    deposit: int = 0


_NO_ACCOUNT = Account()


class State:
    """The typed view. Writing needs an ``Overlay`` underneath."""

    __slots__ = ("_get", "_reader")

    def __init__(self, reader: StateReader) -> None:
        self._reader = reader
        self._get = reader.get

    def _put(self, key: bytes, value: bytes | None) -> None:
        assert isinstance(self._reader, Overlay), "only an overlay can be written"
        self._reader.put(key, value)

    def account(self, symid: SymId) -> Account:
        """The account of a SymID; all zero if it never had anything."""
        raw = self._get(b"a" + symid)
        return _NO_ACCOUNT if raw is None else _decode_account(raw)

    def put_account(self, symid: SymId, account: Account) -> None:
        self._put(b"a" + symid, _encode_account(account))

    def citizen(self, symid: SymId) -> Citizen | None:
        """The record of a registered SymID."""
        raw = self._get(b"c" + symid)
        return None if raw is None else _decode_citizen(symid, raw)

    def is_citizen(self, symid: SymId) -> bool:
        """Whether the SymID is registered, active or not."""
        return self._get(b"c" + symid) is not None

    def raw_citizen(self, symid: SymId) -> bytes | None:
        """The record as Symverse prints it raw."""
        return self._get(b"c" + symid)

    def put_citizen(self, record: Citizen) -> None:
        """Write a record, with the key index and the count of citizens."""
        before = self.citizen(record.symid)
        if before is None:
            self._put(b"z", rlp.encode_int(self.citizen_count() + 1))
        elif before.key_hash != record.key_hash:
            self._put(b"k" + before.key_hash, None)
        self._put(b"c" + record.symid, record.encode())
        self._put(b"k" + record.key_hash, record.symid)

    def citizen_of_key(self, key_hash: bytes) -> SymId | None:
        """The SymID that holds a key."""
        return self._get(b"k" + key_hash)

    def citizen_count(self) -> int:
        return _int(self._get(b"z"))

    def citizen_nonce(self, ca: SymId) -> int:
        """The nonce of the next citizen transaction of a CA."""
        return _int(self._get(b"n" + ca))

    def put_citizen_nonce(self, ca: SymId, nonce: int) -> None:
        self._put(b"n" + ca, rlp.encode_int(nonce))

    def contract(self, address: SymId) -> Contract | None:
        """The SCT-20 contract at an address."""
        raw = self._get(b"s" + address)
        return None if raw is None else _decode_contract(raw)

    def put_contract(self, address: SymId, contract: Contract) -> None:
        self._put(b"s" + address, _encode_contract(contract))

    def token_balance(self, address: SymId, symid: SymId) -> int:
        """Base units of a token that a SymID holds."""
        return _int(self._get(b"t" + address + symid))

    def put_token_balance(self, address: SymId, symid: SymId, amount: int) -> None:
        self._put(b"t" + address + symid, rlp.encode_int(amount))

    def allowance(self, address: SymId, owner: SymId, spender: SymId) -> int:
        """Base units that ``spender`` may take from ``owner``."""
        return _int(self._get(b"w" + address + owner + spender))

    def put_allowance(self, address: SymId, owner: SymId, spender: SymId, amount: int) -> None:
        self._put(b"w" + address + owner + spender, rlp.encode_int(amount))


class TokenLedger:
    """What the rules of SCT-20 may ask about one contract."""

    __slots__ = ("_address", "_state")

    def __init__(self, state: State, address: SymId) -> None:
        self._state = state
        self._address = address

    def balance(self, symid: SymId) -> int:
        return self._state.token_balance(self._address, symid)

    def allowance(self, owner: SymId, spender: SymId) -> int:
        return self._state.allowance(self._address, owner, spender)

    def is_citizen(self, symid: SymId) -> bool:
        return self._state.is_citizen(symid)


def _int(raw: bytes | None) -> int:
    return 0 if raw is None else int.from_bytes(raw, "big")


def _encode_account(account: Account) -> bytes | None:
    """One byte with the length of the balance, one of the nonce, then the three numbers."""
    if account == _NO_ACCOUNT:
        return None
    balance, nonce, deposit = (rlp.encode_int(number) for number in account)
    return bytes((len(balance), len(nonce))) + balance + nonce + deposit


def _decode_account(raw: bytes) -> Account:
    first = 2 + raw[0]
    second = first + raw[1]
    number = int.from_bytes
    return Account(
        number(raw[2:first], "big"), number(raw[first:second], "big"), number(raw[second:], "big")
    )


@lru_cache(maxsize=8192)
def _decode_citizen(symid: SymId, raw: bytes) -> Citizen:
    return Citizen.decode(symid, raw)


def _encode_contract(contract: Contract) -> bytes:
    return rlp.encode(
        [
            contract.creator,
            contract.owner,
            contract.name.encode(),
            contract.symbol.encode(),
            contract.total,
            int(contract.paused),
        ]
    )


@lru_cache(maxsize=1024)
def _decode_contract(raw: bytes) -> Contract:
    item = rlp.read_list(rlp.decode(raw), "contract", 6)
    return Contract(
        creator=rlp.read_bytes(item[0], "creator", SYMID_BYTES),
        owner=rlp.read_bytes(item[1], "owner", SYMID_BYTES),
        name=rlp.read_bytes(item[2], "name").decode(),
        symbol=rlp.read_bytes(item[3], "symbol").decode(),
        total=rlp.read_int(item[4], "total", 32),
        paused=bool(rlp.read_int(item[5], "paused")),
    )

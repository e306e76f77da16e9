"""Reading a chain: one consistent height of the store, for as long as it is held.

A ``View`` is a ``StateReader`` of the state after its last block; ``state_at`` reads that of an
earlier one, as far back as the store keeps what each block replaced.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from jigap.chain import citizen, rlp, transaction
from jigap.chain.block import Block, Body, Receipt, SignedHeader
from jigap.chain.citizen import SignedCitizenTransaction
from jigap.chain.hashing import HASH_BYTES, sha3_256
from jigap.chain.transaction import SignedTransaction
from jigap.node.lthash import LtHash
from jigap.node.state import StateReader
from jigap.node.transition import Tip
from jigap.refusal import Kind, Refusal

#: Heights below the tip whose state can still be read.
KEPT_HEIGHTS = 128


class StoreDamaged(Refusal):
    """The file is not what we wrote."""

    code: ClassVar[str] = "store_damaged"
    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    hint: ClassVar[str] = "Restore the chain from a backup."


class StateNotKept(Refusal):
    """A state older than those kept."""

    code: ClassVar[str] = "state_not_kept"
    kind: ClassVar[Kind] = Kind.MISSING


@dataclass(frozen=True, slots=True)
class Located:
    """A transaction with its receipt and its place."""

    signed: SignedTransaction
    receipt: Receipt
    number: int
    index: int


@dataclass(frozen=True, slots=True)
class LocatedCitizen:
    """A citizen transaction and its place among the citizen blocks."""

    signed: SignedCitizenTransaction
    citizen_number: int
    index: int


@dataclass(frozen=True, slots=True)
class StoredHeader:
    """A header and what a block answers about itself without being read whole."""

    signed: SignedHeader
    transaction_count: int
    citizen_count: int
    size: int


@dataclass(frozen=True, slots=True)
class CitizenBlock:
    """A link of the chain of citizen blocks."""

    number: int
    hash: bytes
    parent_hash: bytes
    main_number: int


class View:
    """One height of the chain, unchanging until closed."""

    def __init__(self, txn: Any, tables: dict[str, Any]) -> None:
        self._txn = txn
        self._tables = tables
        self._get = txn.get
        self._state = tables["state"]
        self._replaced = txn.cursor(db=tables["replaced"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._replaced.close()
        self._txn.abort()

    # -- state --

    def get(self, key: bytes) -> bytes | None:
        """A value of the state at this height: a view is a ``StateReader``."""
        value: bytes | None = self._get(key, db=self._state)
        return value

    def state_at(self, number: int) -> StateReader:
        """The state after block ``number``; raises ``StateNotKept``."""
        tip = self.tip_number()
        if number == tip:
            return self
        if number == 0:
            return _Table(self._txn, self._tables["genesis_state"])
        if not tip - KEPT_HEIGHTS <= number < tip:
            raise StateNotKept(f"state at block {number} is not kept", tip=tip, number=number)
        return _Earlier(self, number)

    def value_before(self, key: bytes, after: int) -> tuple[bool, bytes | None]:
        """Whether a block above ``after`` replaced the key, and the value it had until then."""
        cursor = self._replaced
        if not cursor.set_range(key + be64(after + 1)):
            return False, None
        found, value = cursor.item()
        if len(found) != len(key) + 8 or not found.startswith(key):
            return False, None
        return True, value[1:] if value else None

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """The whole state, by key."""
        yield from self._txn.cursor(db=self._state)

    def entry_count(self) -> int:
        return int(self._txn.stat(self._state)["entries"])

    def sum(self) -> LtHash:
        """The sum under the state root."""
        return LtHash.decode(self.meta(b"sum") or b"")

    # -- blocks --

    def meta(self, key: bytes) -> bytes | None:
        value: bytes | None = self._get(key, db=self._tables["meta"])
        return value

    def tip_number(self) -> int:
        return int.from_bytes(self.meta(b"tip") or b"", "big")

    def tip(self) -> Tip:
        """What the next block builds on; valid as long as this view is open."""
        stored = self.header(self.tip_number())
        if stored is None:
            raise StoreDamaged("the last block is missing")
        return Tip(stored.signed.header, stored.signed.hash, self, self.sum())

    def header(self, number: int) -> StoredHeader | None:
        """The header of a block."""
        raw = self._get(be64(number), db=self._tables["headers"])
        if raw is None:
            return None
        item = rlp.read_list(rlp.decode(raw), "stored header", 4)
        counts = [rlp.read_int(one, "count") for one in item[1:]]
        return StoredHeader(SignedHeader.decode(rlp.read_bytes(item[0], "header")), *counts)

    def number_of(self, block_hash: bytes) -> int | None:
        """The number of the block with this hash."""
        raw = self._get(block_hash, db=self._tables["numbers"])
        return None if raw is None else int.from_bytes(raw, "big")

    def block(self, number: int) -> Block | None:
        """A whole block."""
        stored = self.header(number)
        if stored is None:
            return None
        located = list(self.transactions(number))
        citizens: list[SignedCitizenTransaction] = []
        if stored.citizen_count:
            at = stored.signed.header.citizen_block_number
            citizens = [one.signed for one in self.citizens(at)]
        body = Body(tuple(one.signed for one in located), tuple(citizens))
        return Block(stored.signed, body, tuple(one.receipt for one in located))

    def transactions(self, number: int) -> Iterator[Located]:
        """The transactions of a block in order."""
        for place, value in self._under("transactions", be64(number)):
            yield _located(place, value)

    def transaction_hashes(self, number: int) -> list[bytes]:
        """The hashes of the transactions of a block in order."""
        return [sha3_256(_raw_of(value)) for _, value in self._under("transactions", be64(number))]

    def transaction(self, hash_: bytes) -> Located | None:
        """A transaction that is in a block."""
        place = self._get(hash_, db=self._tables["transaction_index"])
        return None if place is None else self._located_at(place)

    def transaction_at(self, number: int, index: int) -> Located | None:
        """Transaction ``index`` of a block."""
        if number >= 1 << 64 or index >= 1 << 32:
            return None
        return self._located_at(be64(number) + index.to_bytes(4, "big"))

    def _located_at(self, place: bytes) -> Located | None:
        value = self._get(place, db=self._tables["transactions"])
        return None if value is None else _located(place, value)

    # -- citizen blocks --

    def citizen_block(self, number: int) -> CitizenBlock | None:
        """A link of the citizen chain."""
        raw = self._get(be64(number), db=self._tables["citizen_blocks"])
        if raw is None:
            return None
        return CitizenBlock(
            number, raw[8 : 8 + HASH_BYTES], raw[8 + HASH_BYTES :], int.from_bytes(raw[:8], "big")
        )

    def citizen_number_of(self, citizen_block_hash: bytes) -> int | None:
        """The number of the citizen block with this hash."""
        raw = self._get(citizen_block_hash, db=self._tables["citizen_numbers"])
        return None if raw is None else int.from_bytes(raw, "big")

    def citizens(self, citizen_number: int) -> Iterator[LocatedCitizen]:
        """The citizen transactions of a citizen block in order."""
        for place, raw in self._under("citizens", be64(citizen_number)):
            yield _located_citizen(place, raw)

    def citizen(self, hash_: bytes) -> LocatedCitizen | None:
        """A citizen transaction that is in a block."""
        place = self._get(hash_, db=self._tables["citizen_index"])
        if place is None:
            return None
        return _located_citizen(place, self._get(place, db=self._tables["citizens"]))

    # -- pool --

    def kept(self) -> Iterator[tuple[bytes, bytes]]:
        """What waits: hash and tagged raw bytes."""
        yield from self._txn.cursor(db=self._tables["pool"])

    def _under(self, table: str, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        cursor = self._txn.cursor(db=self._tables[table])
        found = cursor.set_range(prefix)
        while found:
            key, value = cursor.item()
            if not key.startswith(prefix):
                return
            yield key, value
            found = cursor.next()


class _Table:
    """A table read as a state."""

    def __init__(self, txn: Any, table: Any) -> None:
        self._txn = txn
        self._table = table

    def get(self, key: bytes) -> bytes | None:
        value: bytes | None = self._txn.get(key, db=self._table)
        return value


class _Earlier:
    """The state of a view as it was after an earlier block."""

    def __init__(self, view: View, number: int) -> None:
        self._view = view
        self._number = number

    def get(self, key: bytes) -> bytes | None:
        replaced, value = self._view.value_before(key, self._number)
        return value if replaced else self._view.get(key)


def _raw_of(value: bytes) -> bytes:
    return rlp.read_bytes(rlp.read_list(rlp.decode(value), "stored transaction", 2)[0], "raw")


def _located(place: bytes, value: bytes) -> Located:
    item = rlp.read_list(rlp.decode(value), "stored transaction", 2)
    return Located(
        transaction.decode(rlp.read_bytes(item[0], "raw")),
        Receipt.decode(rlp.read_bytes(item[1], "receipt")),
        int.from_bytes(place[:8], "big"),
        int.from_bytes(place[8:], "big"),
    )


def _located_citizen(place: bytes, raw: bytes) -> LocatedCitizen:
    return LocatedCitizen(
        citizen.decode(raw), int.from_bytes(place[:8], "big"), int.from_bytes(place[8:], "big")
    )


def be64(number: int) -> bytes:
    """How heights are written in keys, so that keys sort by height."""
    return number.to_bytes(8, "big")

"""The chain on disk: an LMDB file, one atomic and synced transaction per block.

``Store.commit`` is the only writer of blocks and state; ``keep`` and ``forget`` hold the pool's
transactions. A reader takes a ``View``: one consistent height, for as long as it is held, while the
next block is being written. LMDB copies pages on write and flips a root page at the end, so after
any crash the file *is* the last committed block; there is no log to replay and nothing to repair.

States of the last ``KEPT_HEIGHTS`` blocks stay readable: each block leaves behind the values it
replaced, under (key, height), so the value of a key at height H is the first one replaced after H.
The state of block 0 is kept whole, for those who start counting there.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import lmdb

from jigap.chain import citizen, rlp, transaction
from jigap.chain.block import Block, Body, Receipt, SignedHeader
from jigap.chain.citizen import SignedCitizenTransaction
from jigap.chain.hashing import HASH_BYTES, ZERO_HASH, sha3_256
from jigap.chain.transaction import SignedTransaction
from jigap.node.genesis import FirstBlock
from jigap.node.lthash import LtHash
from jigap.node.state import Change, StateReader
from jigap.node.transition import Finalized, Tip
from jigap.refusal import Kind, Refusal

#: Heights below the tip whose state can still be read.
KEPT_HEIGHTS = 128
#: Address space for the file; it grows as needed and never reserves disk.
MAP_BYTES = 1 << 38

_FORMAT = b"jigap chain 1"
_TABLES = (
    "meta",
    "headers",  # number -> signed header, counts, size
    "numbers",  # block hash -> number
    "transactions",  # number, index -> raw, receipt
    "transaction_index",  # hash -> number, index
    "citizen_blocks",  # citizen block number -> main block number, hash, parent hash
    "citizen_numbers",  # citizen block hash -> citizen block number
    "citizens",  # citizen block number, index -> raw
    "citizen_index",  # hash -> citizen block number, index
    "state",
    "genesis_state",
    "replaced",  # state key, number -> the value before that block
    "replaced_keys",  # number -> the state keys it changed
    "pool",  # hash -> raw transaction that waits
)


class StoreDamaged(Refusal):
    """The file is not what we wrote."""

    code: ClassVar[str] = "store_damaged"
    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    hint: ClassVar[str] = "Restore the chain from a backup."


class OtherGenesis(Refusal):
    """The folder holds a chain that began otherwise."""

    code: ClassVar[str] = "other_genesis"
    kind: ClassVar[Kind] = Kind.CONFLICT
    hint: ClassVar[str] = "Choose another data folder, or start with the genesis it was made with."


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


class Store:
    """The chain file in ``folder``. One process only; the caller holds the folder's lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._env = lmdb.open(
                str(folder), map_size=MAP_BYTES, max_dbs=len(_TABLES), max_readers=64, mode=0o600
            )
            _check_length(self._env, folder)
            self._tables: dict[str, Any] = {
                name: self._env.open_db(name.encode()) for name in _TABLES
            }
        except lmdb.Error as error:
            raise StoreDamaged(f"the chain store in {folder} is damaged: {error}") from error

    @classmethod
    def open(cls, folder: Path, first: FirstBlock | None) -> Self:
        """Open a chain, or begin one with ``first``.

        Raises ``OtherGenesis`` if it began with another block 0, ``StoreDamaged`` if it is neither
        a chain nor empty.
        """
        store = cls(folder)
        try:
            store._begin(first)
        except BaseException:
            store.close()
            raise
        return store

    def _begin(self, first: FirstBlock | None) -> None:
        with self.view() as view:
            format_, begun = view.meta(b"format"), view.meta(b"genesis")
        if format_ is None and first is not None:
            self._create(first)
        elif format_ != _FORMAT or begun is None:
            raise StoreDamaged(f"the chain store in {self.folder} is empty or of another format")
        elif first is not None and begun != first.block.hash:
            raise OtherGenesis(
                f"the chain in {self.folder} began with block 0x{begun.hex()}, "
                f"not with 0x{first.block.hash.hex()}"
            )

    def _create(self, first: FirstBlock) -> None:
        with self._env.begin(write=True) as txn:
            self._put_block(txn, first.block, first.finalized)
            for key, change in first.finalized.changes.items():
                txn.put(key, change.after or b"", db=self._tables["genesis_state"])
            txn.put(b"genesis", first.block.hash, db=self._tables["meta"])
            txn.put(b"format", _FORMAT, db=self._tables["meta"])

    def view(self) -> "View":
        """The chain as it is now, and stays for this view. Close it."""
        return View(self._env.begin(), self._tables)

    def commit(self, block: Block, finalized: Finalized, forget: Iterable[bytes] = ()) -> None:
        """Write the next block, its state and all indexes; durable when this returns.

        ``forget`` are hashes that need not be kept for the pool any longer.
        """
        with self._env.begin(write=True) as txn:
            tip = int.from_bytes(txn.get(b"tip", b"", db=self._tables["meta"]), "big")
            assert block.header.number == tip + 1, "blocks are committed in order"
            self._put_block(txn, block, finalized)
            for gone in forget:
                txn.delete(gone, db=self._tables["pool"])

    def keep(self, waiting: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep waiting transactions (hash, tagged raw bytes); durable when this returns."""
        with self._env.begin(write=True, db=self._tables["pool"]) as txn:
            for hash_, raw in waiting:
                txn.put(hash_, raw)

    def forget(self, hashes: Iterable[bytes]) -> None:
        """Keep these no longer."""
        with self._env.begin(write=True, db=self._tables["pool"]) as txn:
            for hash_ in hashes:
                txn.delete(hash_)

    def rehearse(self, entries_max: int) -> None:
        """Touch what later reads and writes may touch, and change nothing.

        Where a page is garbage this may end the process: see ``inspection``.
        """
        txn = self._env.begin(write=True)
        try:
            for table in self._tables.values():
                if txn.stat(table)["entries"] <= entries_max:
                    for key, value in txn.cursor(db=table):
                        assert len(key) + len(value) > 0
            for number in range(64):  # enough to take pages from the list of free ones
                txn.put(b"rehearsal %d" % number, bytes(8192), db=self._tables["meta"])
        finally:
            txn.abort()

    def close(self) -> None:
        self._env.close()

    def _put_block(self, txn: Any, block: Block, finalized: Finalized) -> None:
        header, number = block.header, _be(block.header.number)
        tables = self._tables
        stored = rlp.encode(
            [
                block.signed_header.encode(),
                len(block.body.transactions),
                len(block.body.citizens),
                len(block.encode()),
            ]
        )
        txn.put(number, stored, db=tables["headers"])
        txn.put(block.hash, number, db=tables["numbers"])
        for index, (signed, receipt) in enumerate(
            zip(block.body.transactions, block.receipts, strict=True)
        ):
            place = number + index.to_bytes(4, "big")
            txn.put(place, rlp.encode([signed.raw, receipt.encode()]), db=tables["transactions"])
            txn.put(signed.hash, place, db=tables["transaction_index"])
        if block.body.citizens:
            self._put_citizens(txn, block)
        self._put_state(txn, header.number, finalized.changes)
        txn.put(b"sum", finalized.sum.encode(), db=tables["meta"])
        txn.put(b"tip", number, db=tables["meta"])

    def _put_citizens(self, txn: Any, block: Block) -> None:
        tables = self._tables
        number = block.header.citizen_block_number
        parent = txn.get(_be(number - 1), db=tables["citizen_blocks"]) if number else None
        parent_hash = parent[8 : 8 + HASH_BYTES] if parent else ZERO_HASH
        hash_ = citizen_block_hash(number, parent_hash, block)
        main = _be(block.header.number)
        txn.put(_be(number), main + hash_ + parent_hash, db=tables["citizen_blocks"])
        txn.put(hash_, _be(number), db=tables["citizen_numbers"])
        for index, signed in enumerate(block.body.citizens):
            place = _be(number) + index.to_bytes(4, "big")
            txn.put(place, signed.raw, db=tables["citizens"])
            txn.put(signed.hash, place, db=tables["citizen_index"])

    def _put_state(self, txn: Any, number: int, changes: Mapping[bytes, Change]) -> None:
        tables, height = self._tables, _be(number)
        state, replaced = tables["state"], tables["replaced"]
        for key, change in changes.items():
            if change.after is None:
                txn.delete(key, db=state)
            else:
                txn.put(key, change.after, db=state)
            if number:
                before = b"" if change.before is None else b"\1" + change.before
                txn.put(key + height, before, db=replaced)
        if number:
            txn.put(height, rlp.encode(list(changes)), db=tables["replaced_keys"])
        old = _be(number - KEPT_HEIGHTS) if number > KEPT_HEIGHTS else None
        if old and (keys := txn.pop(old, db=tables["replaced_keys"])):
            for item in rlp.read_list(rlp.decode(keys), "keys"):
                txn.delete(rlp.read_bytes(item, "key") + old, db=replaced)


def citizen_block_hash(number: int, parent_hash: bytes, block: Block) -> bytes:
    """The hash of the citizen block that a main block carries."""
    return sha3_256(
        rlp.encode(
            [
                b"jigap citizen block 1",
                number,
                parent_hash,
                block.header.number,
                block.header.citizens_root,
            ]
        )
    )


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
        if not cursor.set_range(key + _be(after + 1)):
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
        raw = self._get(_be(number), db=self._tables["headers"])
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
        for place, value in self._under("transactions", _be(number)):
            yield _located(place, value)

    def transaction_hashes(self, number: int) -> list[bytes]:
        """The hashes of the transactions of a block in order."""
        return [one.signed.hash for one in self.transactions(number)]

    def transaction(self, hash_: bytes) -> Located | None:
        """A transaction that is in a block."""
        place = self._get(hash_, db=self._tables["transaction_index"])
        return None if place is None else self._located_at(place)

    def transaction_at(self, number: int, index: int) -> Located | None:
        """Transaction ``index`` of a block."""
        if number >= 1 << 64 or index >= 1 << 32:
            return None
        return self._located_at(_be(number) + index.to_bytes(4, "big"))

    def _located_at(self, place: bytes) -> Located | None:
        value = self._get(place, db=self._tables["transactions"])
        return None if value is None else _located(place, value)

    # -- citizen blocks --

    def citizen_block(self, number: int) -> CitizenBlock | None:
        """A link of the citizen chain."""
        raw = self._get(_be(number), db=self._tables["citizen_blocks"])
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
        for place, raw in self._under("citizens", _be(citizen_number)):
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


def _be(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _check_length(env: Any, folder: Path) -> None:
    """A file shorter than its own page count would kill the process when read."""
    pages = int(env.info()["last_pgno"]) + 1
    size = (folder / "data.mdb").stat().st_size
    if size < pages * int(env.stat()["psize"]):
        env.close()
        raise StoreDamaged(f"the chain store in {folder} is cut short: {size} bytes, {pages} pages")

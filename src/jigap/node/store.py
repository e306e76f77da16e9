"""The chain on disk: an LMDB file, one atomic and synced transaction per block.

``Store.commit`` is the only writer of blocks and state; ``keep`` and ``forget`` hold the pool's
transactions. A reader takes a ``View``: one consistent height, for as long as it is held, while the
next block is being written. LMDB copies pages on write and flips a root page at the end, so after
any crash the file *is* the last committed block; there is no log to replay and nothing to repair.

States of the last ``KEPT_HEIGHTS`` blocks stay readable: each block leaves behind the values it
replaced, under (key, height), so the value of a key at height H is the first one replaced after H.
The state of block 0 is kept whole, for those who start counting there.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import lmdb

from jigap.chain import rlp
from jigap.chain.block import Block
from jigap.chain.hashing import HASH_BYTES, ZERO_HASH, sha3_256
from jigap.node.genesis import FirstBlock
from jigap.node.state import Change
from jigap.node.transition import Finalized
from jigap.node.view import KEPT_HEIGHTS, StoreDamaged, View, be64
from jigap.refusal import Kind, Refusal

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


class OtherGenesis(Refusal):
    """The folder holds a chain that began otherwise."""

    code: ClassVar[str] = "other_genesis"
    kind: ClassVar[Kind] = Kind.CONFLICT
    hint: ClassVar[str] = "Choose another data folder, or start with the genesis it was made with."


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
        header, number = block.header, be64(block.header.number)
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
        parent = txn.get(be64(number - 1), db=tables["citizen_blocks"]) if number else None
        parent_hash = parent[8 : 8 + HASH_BYTES] if parent else ZERO_HASH
        hash_ = citizen_block_hash(number, parent_hash, block)
        main = be64(block.header.number)
        txn.put(be64(number), main + hash_ + parent_hash, db=tables["citizen_blocks"])
        txn.put(hash_, be64(number), db=tables["citizen_numbers"])
        for index, signed in enumerate(block.body.citizens):
            place = be64(number) + index.to_bytes(4, "big")
            txn.put(place, signed.raw, db=tables["citizens"])
            txn.put(signed.hash, place, db=tables["citizen_index"])

    def _put_state(self, txn: Any, number: int, changes: Mapping[bytes, Change]) -> None:
        tables, height = self._tables, be64(number)
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
        old = be64(number - KEPT_HEIGHTS) if number > KEPT_HEIGHTS else None
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


def _check_length(env: Any, folder: Path) -> None:
    """A file shorter than its own page count would kill the process when read."""
    pages = int(env.info()["last_pgno"]) + 1
    size = (folder / "data.mdb").stat().st_size
    if size < pages * int(env.stat()["psize"]):
        env.close()
        raise StoreDamaged(f"the chain store in {folder} is cut short: {size} bytes, {pages} pages")

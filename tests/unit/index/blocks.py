"""A chain on paper: blocks that follow one another, without a node.

Transactions are what a node's client would return for them; nobody checks that they could have been
mined, so a test says itself which of them succeeded.
"""

from collections.abc import Sequence
from dataclasses import replace

from jigap.chain import sct20
from jigap.chain.hashing import sha3_256
from jigap.chain.symid import contract_address
from jigap.chain.transaction import TYPE_DEPOSIT, TYPE_REMIT, TYPE_SCT
from jigap.node.client import ChainBlock, ChainCitizen, ChainContract, ChainTransaction

GAS_PRICE_HUG = 10**11


def symid(number: int) -> bytes:
    """A user's SymID."""
    return b"\x00\x02" + number.to_bytes(6, "big") + b"\x00\x02"


def key_hash(number: int) -> bytes:
    return number.to_bytes(20, "big")


def citizen(number: int, status: int = 1) -> ChainCitizen:
    """The registration of ``symid(number)``."""
    return ChainCitizen(
        hash=sha3_256(b"citizen%d" % number),
        symid=symid(number),
        key_hash=key_hash(number),
        ca=symid(1),
        status=status,
        v_flag=2,
        write_time=1_700_000_000,
    )


class PaperChain:
    """Makes transactions with the right nonces, and blocks with the right parents."""

    def __init__(self) -> None:
        self.blocks: list[ChainBlock] = []
        self._nonces: dict[bytes, int] = {}
        self._waiting: list[ChainTransaction] = []

    def remit(self, sender: bytes, to: bytes, value: int, **fields: object) -> ChainTransaction:
        return self._add(sender, TYPE_REMIT, to=to, value=value, **fields)

    def deposit(self, sender: bytes, value: int, **fields: object) -> ChainTransaction:
        return self._add(sender, TYPE_DEPOSIT, value=value, **fields)

    def restore(self, sender: bytes, **fields: object) -> ChainTransaction:
        return self._add(sender, TYPE_DEPOSIT, to=sender, **fields)

    def call(
        self, sender: bytes, contract: bytes, call: sct20.Call, **fields: object
    ) -> ChainTransaction:
        return self._add(sender, TYPE_SCT, to=contract, input=sct20.encode(call), **fields)

    def create(self, sender: bytes, call: sct20.Create, **fields: object) -> ChainTransaction:
        made = contract_address(sender, self._nonces.get(sender, 0))
        return self._add(
            sender, TYPE_SCT, input=sct20.encode(call), contract_address=made, **fields
        )

    def mine(self, *citizens: ChainCitizen) -> ChainBlock:
        """A block of everything made since the last one."""
        number = len(self.blocks)
        transactions = tuple(replace(one, index=index) for index, one in enumerate(self._waiting))
        self._waiting.clear()
        return self._append(number, transactions, citizens)

    def _append(
        self,
        number: int,
        transactions: Sequence[ChainTransaction],
        citizens: Sequence[ChainCitizen],
    ) -> ChainBlock:
        block = ChainBlock(
            number=number,
            hash=sha3_256(b"block%d" % number),
            parent_hash=self.blocks[-1].hash if self.blocks else bytes(32),
            time_ms=1_700_000_000_000 + 1_000 * number,
            transactions=tuple(transactions),
            citizens=tuple(citizens),
        )
        self.blocks.append(block)
        return block

    def _add(self, sender: bytes, type_: int, **fields: object) -> ChainTransaction:
        nonce = self._nonces.get(sender, 0)
        self._nonces[sender] = nonce + 1
        made = ChainTransaction(
            hash=sha3_256(sender + nonce.to_bytes(8, "big")),
            sender=sender,
            nonce=nonce,
            to=b"",
            value=0,
            input=b"",
            type=type_,
            extra_data=b"",
            gas_price=GAS_PRICE_HUG,
            gas_limit=10_000_000,
            status=True,
            gas_used=49_000,
            err_code=None,
            contract_address=None,
            index=0,
        )
        made = replace(made, **fields)  # type: ignore[arg-type]
        self._waiting.append(made)
        return made


class PaperNode:
    """Answers for a node about the state before an index began; nothing else is known."""

    def __init__(self, balances: dict[bytes, int] | None = None) -> None:
        self.balances = balances or {}
        self.nonces: dict[bytes, int] = {}
        self.holdings: dict[tuple[bytes, bytes], int] = {}
        self.contracts: dict[bytes, ChainContract] = {}
        self.citizens: dict[bytes, ChainCitizen] = {}
        self.asked: list[tuple[str, object, int]] = []

    async def balance(self, symid: bytes, tag: int) -> int:
        self.asked.append(("balance", symid, tag))
        return self.balances.get(symid, 0)

    async def nonce(self, symid: bytes, tag: int) -> int:
        return self.nonces.get(symid, 0)

    async def deposit(self, symid: bytes, tag: int) -> int:
        return 0

    async def token_balance(self, contract: bytes, symid: bytes, tag: int) -> int:
        self.asked.append(("holding", (contract, symid), tag))
        return self.holdings.get((contract, symid), 0)

    async def contract(self, contract: bytes, tag: int) -> ChainContract | None:
        self.asked.append(("contract", contract, tag))
        return self.contracts.get(contract)

    async def citizen(self, symid: bytes, tag: int) -> ChainCitizen | None:
        return self.citizens.get(symid)

"""The platform's only view of a chain: typed answers over JSON-RPC, embedded or remote alike.

``NodeClient`` speaks to any node that serves the Symverse JSON-RPC surface. Calls made in the same
turn of the event loop leave together as one JSON-RPC batch, so a hundred members asking for their
balance cost one round trip. What a node answers with "no" is an ``RpcError``; what the network or
the node does wrong is a ``NodeTrouble``. Submitting never raises for trouble, because after a
doubtful send the only truth is in the blocks: it answers ``unknown``.

Units: amounts and balances are integers of hug or of a token's base unit, times are milliseconds
since 1970, hashes are 32 bytes, SymIDs and contract addresses 10 bytes.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from jigap.node.wire import (
    NodeMalformed,
    NodeTimeout,
    NodeTrouble,
    NodeUnreachable,
    RpcError,
    Wire,
)

__all__ = [
    "ChainBlock",
    "ChainCitizen",
    "ChainContract",
    "ChainHeader",
    "ChainReceipt",
    "ChainTransaction",
    "NodeClient",
    "NodeMalformed",
    "NodeTimeout",
    "NodeTrouble",
    "NodeUnreachable",
    "RpcError",
    "Submitted",
    "Tag",
    "Waiting",
]

T = TypeVar("T")

_QUANTITY = re.compile(r"0[xX][0-9a-fA-F]{1,80}", re.ASCII)

#: Blocks whose citizen block number is remembered.
CITIZEN_HEIGHTS_MAX = 1024

#: A height, or one of the words a node knows.
Tag = int | Literal["latest", "pending", "earliest"]


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a raw transaction handed to the node.

    ``accepted``: now in its pool. ``known``: it was there already. ``rejected``: the pool said no,
    with its words in ``message`` (``nonce too low`` may mean that it is already in a block).
    ``unknown``: no usable answer, look at the blocks or send the same bytes again.
    """

    kind: Literal["accepted", "known", "rejected", "unknown"]
    message: str = ""


@dataclass(frozen=True, slots=True)
class ChainTransaction:
    """A transaction in a block, together with its receipt."""

    hash: bytes
    sender: bytes
    nonce: int
    to: bytes  # empty for a creation or a deposit
    value: int
    input: bytes
    type: int
    extra_data: bytes
    gas_price: int
    gas_limit: int
    status: bool
    gas_used: int
    err_code: int | None  # only after a failed SCT call
    contract_address: bytes | None  # only after a creation
    index: int

    @property
    def fee_hug(self) -> int:
        """What the sender paid for gas."""
        return self.gas_used * self.gas_price


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transaction in the pool."""

    hash: bytes
    sender: bytes
    extra_data: bytes


@dataclass(frozen=True, slots=True)
class ChainCitizen:
    """The binding of a SymID to a key, made or changed by a CA."""

    hash: bytes | None  # of the citizen transaction; None when read from the state
    symid: bytes
    key_hash: bytes
    ca: bytes
    status: int  # 1 active, 2 locked, 3 marked, 4 revoked
    v_flag: int
    write_time: int  # seconds since 1970

    @property
    def active(self) -> bool:
        return self.status == 1


@dataclass(frozen=True, slots=True)
class ChainHeader:
    """A block without its content."""

    number: int
    hash: bytes
    parent_hash: bytes
    time_ms: int


@dataclass(frozen=True, slots=True)
class ChainBlock:
    """A whole block: what the index of the platform is made of."""

    number: int
    hash: bytes
    parent_hash: bytes
    time_ms: int
    transactions: tuple[ChainTransaction, ...]
    citizens: tuple[ChainCitizen, ...]


@dataclass(frozen=True, slots=True)
class ChainContract:
    """An SCT-20 token as the chain knows it."""

    contract: bytes
    creator: bytes
    owner: bytes
    name: str
    symbol: str
    total: int
    paused: bool


@dataclass(frozen=True, slots=True)
class ChainReceipt:
    """The outcome of a transaction that is in a block."""

    transaction_hash: bytes
    block_number: int
    block_hash: bytes
    index: int
    status: bool
    gas_used: int
    err_code: int | None
    contract_address: bytes | None


class NodeClient:
    """Calls to one node, coalesced into batches.

    One per process and event loop. ``timeout_ms`` bounds each round trip.
    """

    def __init__(self, url: str, timeout_ms: int = 10_000) -> None:
        self.url = url
        self._wire = Wire(url, timeout_ms)
        self._citizen_heights: dict[int, int] = {}  # block number -> citizen block number
        self._serves_block_receipts = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections. Calls still waiting fail as unreachable."""
        await self._wire.close()

    async def call(self, method: str, *params: Any) -> Any:
        """The ``result`` of one JSON-RPC call.

        Raises ``RpcError`` for an error object and a ``NodeTrouble`` for everything else.
        """
        return await self._wire.call(method, params)

    # -- what a chain knows ---------------------------------------------------------------------

    async def chain_id(self) -> int:
        answer = await self._typed(str, "net_version")
        return _read(lambda: int(answer))

    async def genesis_hash(self) -> bytes:
        """The hash of block 0: what chain this is."""
        header = await self.header(0)
        if header is None:
            raise NodeMalformed("the node has no block 0")
        return header.hash

    async def block_number(self) -> int:
        """The height of the last block."""
        return _quantity(await self.call("sym_blockNumber"))

    async def balance(self, symid: bytes, tag: Tag = "latest") -> int:
        """SYM of an account in hug."""
        return _quantity(await self.call("sym_getBalance", _hex(symid), _tag(tag)))

    async def nonce(self, symid: bytes, tag: Tag = "pending") -> int:
        """The next nonce of an account; with ``pending``, after what waits in the pool."""
        return _quantity(await self.call("sym_getTransactionCount", _hex(symid), _tag(tag)))

    async def deposit(self, symid: bytes, tag: Tag = "latest") -> int:
        """The deposit of an account in hug."""
        answer = await self._typed(dict, "sym_getDeposit", _hex(symid), _tag(tag))
        return _read(lambda: _quantity(answer["deposit"]))

    async def token_balance(self, contract: bytes, symid: bytes, tag: Tag = "latest") -> int:
        """Base units of a token that an account holds."""
        answer = await self.call("sct_getContractAccount", _hex(contract), _hex(symid), _tag(tag))
        return _read(lambda: _quantity(answer["balance"] if answer else 0))

    async def token_balances(
        self, asked: Sequence[tuple[bytes, bytes]], tag: Tag = "latest"
    ) -> list[int]:
        """Base units that accounts hold, for many (contract, account) at once, in their order.

        Raises as ``call`` does, for all of them, if the node does not answer one.
        """
        at = _tag(tag)
        answers = await self._wire.calls(
            "sct_getContractAccount", [(_hex(one), _hex(symid), at) for one, symid in asked]
        )
        return _read(lambda: [_quantity(one["balance"] if one else 0) for one in answers])

    async def allowance(
        self, contract: bytes, owner: bytes, spender: bytes, tag: Tag = "latest"
    ) -> int:
        """Base units that ``spender`` may still take from ``owner``."""
        answer = await self.call(
            "sct_getAllowance", _hex(contract), _hex(owner), _hex(spender), _tag(tag)
        )
        return _read(lambda: _quantity(answer["balance"] if answer else 0))

    async def contract(self, contract: bytes, tag: Tag = "latest") -> ChainContract | None:
        """The token at an address, None when there is none."""
        answer = await self.call("sct_getContract", _hex(contract), _tag(tag))
        return None if answer is None else _read(lambda: _contract(contract, answer))

    async def citizen(self, symid: bytes, tag: Tag = "latest") -> ChainCitizen | None:
        """The citizen record of a SymID, None when it is not registered."""
        answer = await self.call("citizen_getCitizenBySymID", _hex(symid), _tag(tag))
        return None if answer is None else _read(lambda: _citizen(answer, symid))

    async def citizen_nonce(self, ca: bytes) -> int:
        """The nonce the next citizen transaction of this CA must carry."""
        return _quantity(await self.call("citizen_getCitizenNonce", _hex(ca)))

    async def waiting_citizens(self) -> list[tuple[int, ChainCitizen]]:
        """(nonce, citizen) of what CAs have in the pool; empty where a node does not tell."""
        try:
            answer = await self._typed(list, "citizen_pendingCitizens")
        except RpcError as refused:
            if refused.rpc_code != -32601:
                raise
            return []
        return _read(
            lambda: [
                (_quantity(one["nonce"]), _citizen(one, _bytes(one["symId"], 10))) for one in answer
            ]
        )

    async def receipt(self, transaction_hash: bytes) -> ChainReceipt | None:
        """The receipt of a transaction, None while it is not in a block."""
        answer = await self.call("sym_getTransactionReceipt", _hex(transaction_hash))
        return None if answer is None else _read(lambda: _receipt(answer))

    async def header(self, number: int) -> ChainHeader | None:
        """A block without its content, None above the last one."""
        answer = await self.call("sym_getBlockByNumber", hex(number), False)
        return None if answer is None else _read(lambda: _header(answer))

    async def block(self, number: int) -> ChainBlock | None:
        """A whole block, None above the last one: one round trip, two if it has citizens."""
        before = -1 if number == 0 else self._citizen_heights.get(number - 1)
        block, receipts, parent = await asyncio.gather(
            self.call("sym_getBlockByNumber", hex(number), True),
            self._block_receipts(number),
            _nothing() if before is not None else self._plain_block(number - 1),
        )
        if block is None:
            return None
        if before is None:
            before = _read(lambda: _quantity(parent["cbNum"]))
        last = _read(lambda: _quantity(block["cbNum"]))
        self._remember(number, last)
        receipts, *citizens = await asyncio.gather(
            self._receipts_of(block, receipts),
            # The citizen blocks that this main block links and its parent did not.
            *(
                self.call("citizen_getCitizensByBlockNumber", hex(at))
                for at in range(before + 1, last + 1)
            ),
        )
        return _read(lambda: _block(block, receipts, [one for some in citizens for one in some]))

    fetch = block

    def _plain_block(self, number: int) -> Awaitable[Any]:
        return self.call("sym_getBlockByNumber", hex(number), False)

    def _remember(self, number: int, citizen_number: int) -> None:
        """The follower asks for the next block, and will want to know its parent's citizens."""
        self._citizen_heights[number] = citizen_number
        while len(self._citizen_heights) > CITIZEN_HEIGHTS_MAX:
            del self._citizen_heights[next(iter(self._citizen_heights))]

    async def _block_receipts(self, number: int) -> list[Any] | None:
        """All receipts of a block in one call; None from a node that has no such call."""
        if not self._serves_block_receipts:
            return None
        try:
            answer = await self.call("sym_getBlockReceipts", hex(number))
        except RpcError as refused:
            if refused.rpc_code != -32601:
                raise
            self._serves_block_receipts = False  # a plain gsym: one call per receipt
            return None
        return answer if isinstance(answer, list) else None

    async def _receipts_of(self, block: dict[str, Any], known: list[Any] | None) -> list[Any]:
        """The receipts of a block in its order, asked for one by one where they are not known."""
        hashes = _read(lambda: [one["hash"] for one in block["transactions"]])
        if known is not None and len(known) == len(hashes):
            return known
        return await asyncio.gather(
            *(self.call("sym_getTransactionReceipt", one) for one in hashes)
        )

    async def pending(self) -> list[Waiting]:
        """What waits in the pool for one of the next blocks; empty where a node does not tell."""
        try:
            answer = await self._typed(list, "sym_pendingTransactions")
        except RpcError as refused:
            if refused.rpc_code != -32601:
                raise
            return []
        names = ("hash", "from", "extraData")
        return _read(lambda: [Waiting(*(_bytes(one[name]) for name in names)) for one in answer])

    # -- what a client may change ---------------------------------------------------------------

    async def submit(self, raw: bytes) -> Submitted:
        """Hand a raw transaction to the pool. Never raises for trouble: that is ``unknown``."""
        return await self._submit("sym_sendRawTransaction", raw)

    async def submit_citizen(self, raw: bytes) -> Submitted:
        """Hand a raw citizen transaction, signed by a CA, to the pool."""
        return await self._submit("citizen_sendRawCitizen", raw)

    async def _submit(self, method: str, raw: bytes) -> Submitted:
        try:
            await self.call(method, _hex(raw))
        except RpcError as refused:
            return _outcome(refused)
        except NodeTrouble as trouble:
            return Submitted("unknown", trouble.detail)
        return Submitted("accepted")

    async def _typed(self, kind: type, method: str, *params: Any) -> Any:
        answer = await self.call(method, *params)
        if not isinstance(answer, kind):
            raise NodeMalformed(f"{method}: expected {kind.__name__}, got {type(answer).__name__}")
        return answer


async def _nothing() -> None:
    return None


def _outcome(refused: RpcError) -> Submitted:
    """Only the pool's own words are a "no"; a broken node leaves the question open."""
    if refused.message.startswith(("known transaction", "already known")):
        return Submitted("known", refused.message)
    if refused.rpc_code in (-32000, -32602):
        return Submitted("rejected", refused.message)
    return Submitted("unknown", refused.message)


def _read(shape: Callable[[], T]) -> T:
    """What an answer says, or ``NodeMalformed`` when it does not have the documented shape."""
    try:
        return shape()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise NodeMalformed(f"the answer has an unexpected shape: {error!r}") from error


def _quantity(value: Any) -> int:
    """A hex quantity; older nodes print some as JSON numbers."""
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        return int(value, 16)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise NodeMalformed(f"expected a hex quantity, got {value!r:.80}")


def _bytes(value: str | None, length: int | None = None) -> bytes:
    data = bytes.fromhex((value or "").removeprefix("0x"))
    if length is not None and len(data) != length:
        raise NodeMalformed(f"expected {length} bytes, got {len(data)}")
    return data


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _tag(tag: Tag) -> str:
    return hex(tag) if isinstance(tag, int) else tag


def _header(block: dict[str, Any]) -> ChainHeader:
    time_ms = block.get("timeMs")
    return ChainHeader(
        number=_quantity(block["number"]),
        hash=_bytes(block["hash"], 32),
        parent_hash=_bytes(block["parentHash"], 32),
        time_ms=_quantity(block["timeStamp"]) * 1000 if time_ms is None else _quantity(time_ms),
    )


def _block(block: dict[str, Any], receipts: list[Any], citizens: list[Any]) -> ChainBlock:
    header = _header(block)
    transactions = block["transactions"]
    if len(receipts) != len(transactions):
        raise NodeMalformed(f"{len(transactions)} transactions, {len(receipts)} receipts")
    return ChainBlock(
        number=header.number,
        hash=header.hash,
        parent_hash=header.parent_hash,
        time_ms=header.time_ms,
        transactions=tuple(
            _transaction(transaction, _receipt(receipt))
            for transaction, receipt in zip(transactions, receipts, strict=True)
        ),
        citizens=tuple(_citizen(citizen, _bytes(citizen["symId"], 10)) for citizen in citizens),
    )


def _transaction(transaction: dict[str, Any], receipt: ChainReceipt) -> ChainTransaction:
    if _bytes(transaction["hash"], 32) != receipt.transaction_hash:
        raise NodeMalformed("a receipt belongs to another transaction")
    return ChainTransaction(
        hash=receipt.transaction_hash,
        sender=_bytes(transaction["from"], 10),
        nonce=_quantity(transaction["nonce"]),
        to=_bytes(transaction["to"]),
        value=_quantity(transaction["value"]),
        input=_bytes(transaction["input"]),
        type=_quantity(transaction["type"]),
        extra_data=_bytes(transaction["extraData"]),
        gas_price=_quantity(transaction["gasPrice"]),
        gas_limit=_quantity(transaction["gas"]),
        status=receipt.status,
        gas_used=receipt.gas_used,
        err_code=receipt.err_code,
        contract_address=receipt.contract_address,
        index=_quantity(transaction["transactionIndex"]),
    )


def _receipt(receipt: dict[str, Any]) -> ChainReceipt:
    err_code = receipt.get("errCode")
    contract = receipt.get("contractAddress")
    return ChainReceipt(
        transaction_hash=_bytes(receipt["transactionHash"], 32),
        block_number=_quantity(receipt["blockNumber"]),
        block_hash=_bytes(receipt["blockHash"], 32),
        index=_quantity(receipt["transactionIndex"]),
        status=_quantity(receipt["status"]) == 1,
        gas_used=_quantity(receipt["gasUsed"]),
        err_code=None if err_code is None else _quantity(err_code),
        contract_address=_bytes(contract, 10) if contract else None,
    )


def _citizen(citizen: dict[str, Any], symid: bytes) -> ChainCitizen:
    return ChainCitizen(
        hash=_bytes(citizen["hash"], 32) if "hash" in citizen else None,
        symid=symid,
        key_hash=_bytes(citizen["aKeyPubH"], 20),
        ca=_bytes(citizen["ca"] if "ca" in citizen else citizen["from"], 10),
        status=_quantity(citizen["status"]),
        v_flag=_quantity(citizen["vFlag"]),
        write_time=_quantity(citizen["writeTime"]),
    )


def _contract(address: bytes, contract: dict[str, Any]) -> ChainContract:
    return ChainContract(
        contract=address,
        creator=_bytes(contract["creator"], 10),
        owner=_bytes(contract["owner"], 10),
        name=contract["name"],
        symbol=contract["symbol"],
        total=_quantity(contract["total"]),
        paused=contract["state"] != "active",
    )

"""People of a development chain who pay each other, and what must be true of it afterwards."""

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from jigap.chain import gas, transaction
from jigap.chain.signature import PrivateKey
from jigap.chain.transaction import Transaction
from jigap.node.client import ChainBlock, NodeClient, NodeTrouble
from jigap.node.guard import Guard
from tests import processes

ACCOUNTS = 4


def start_node(data: Path, **environment: str) -> processes.Running:
    return processes.start(
        "node", "--data", data, "--port", "0", "--dev-accounts", str(ACCOUNTS), **environment
    )


@dataclass
class Payers:
    """Each pays one hug to the next in the circle, nonce by nonce, and remembers every promise."""

    accounts: list[dict[str, Any]]
    chain_id: int
    keys: dict[str, PrivateKey] = field(default_factory=dict)
    acknowledged: set[bytes] = field(default_factory=set)
    #: Every block hash that a client was ever shown, by number.
    seen: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, running: processes.Running) -> "Payers":
        payers = cls(running.ready["accounts"], running.ready["chain_id"])
        for one in payers.accounts:
            payers.keys[one["symid"]] = PrivateKey(bytes.fromhex(one["private_key"][2:]))
        return payers

    def sign(self, who: int, nonce: int) -> transaction.SignedTransaction:
        mine = self.accounts[who]["symid"]
        other = self.accounts[(who + 1) % len(self.accounts)]["symid"]
        asked = Transaction(
            sender=bytes.fromhex(mine[2:]),
            nonce=nonce,
            gas_price=gas.GAS_PRICE_HUG,
            gas_limit=gas.BASE_GAS,
            to=bytes.fromhex(other[2:]),
            value=1,
            input=b"",
            type=0,
            work_nodes=(bytes.fromhex(mine[2:]),),
        )
        return transaction.sign(asked, self.keys[mine], self.chain_id)

    async def pay(self, client: NodeClient, rounds: int) -> None:
        """Pay until the node goes away or everybody has paid ``rounds`` times."""
        try:
            await asyncio.gather(
                *(self._pay_as(client, who, rounds) for who in range(len(self.accounts)))
            )
        except NodeTrouble:
            return

    async def _pay_as(self, client: NodeClient, who: int, rounds: int) -> None:
        symid = bytes.fromhex(self.accounts[who]["symid"][2:])
        nonce = await client.nonce(symid, "pending")
        for _ in range(rounds):
            signed = self.sign(who, nonce)
            submitted = await client.submit(signed.raw)
            if submitted.kind == "unknown":
                return
            assert submitted.kind == "accepted", submitted
            self.acknowledged.add(signed.hash)
            nonce += 1
            header = await client.header(await client.block_number())
            assert header is not None
            self.see(header.number, header.hash)

    def see(self, number: int, block_hash: bytes) -> None:
        assert self.seen.setdefault(number, block_hash) == block_hash, f"two blocks {number}"

    async def check(self, client: NodeClient, timeout_s: float = 10) -> int:
        """Every promise is kept once, blocks follow each other, none is signed twice."""
        blocks = await self._blocks(client, 0)  # of many kills there are many; they take a while
        end = asyncio.get_running_loop().time() + timeout_s
        while True:
            blocks += await self._blocks(client, len(blocks))
            mined = [one.hash for block in blocks for one in block.transactions]
            if self.acknowledged <= set(mined) or asyncio.get_running_loop().time() > end:
                break
            await asyncio.sleep(0.1)
        missing = self.acknowledged - set(mined)
        assert not missing, f"{len(missing)} acknowledged transactions are lost"
        assert len(mined) == len(set(mined)), "a transaction was mined twice"
        for before, after in pairwise(blocks):
            assert after.parent_hash == before.hash and after.time_ms > before.time_ms
        for block in blocks:
            self.see(block.number, block.hash)
        return len(blocks)

    async def _blocks(self, client: NodeClient, first: int) -> list[ChainBlock]:
        return [await self._block(client, n) for n in range(first, await client.block_number() + 1)]

    async def _block(self, client: NodeClient, number: int) -> ChainBlock:
        block = await client.block(number)
        assert block is not None
        return block


def last_signed(data: Path) -> tuple[int, bytes] | None:
    """Height and hash of what the node of a data folder signed last."""
    found = [Guard(folder).last for folder in {path.parent for path in data.rglob("signed.*")}]
    return (found[0].number, found[0].hash) if found and found[0] else None

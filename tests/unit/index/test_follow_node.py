"""The index beside a real node: what it holds is what the node answers, whenever it began."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import update

from jigap import index
from jigap.auditor import compare_with_node
from jigap.chain import gas, sct20
from jigap.chain.symid import contract_address
from jigap.chain.transaction import Transaction, sign
from jigap.database import Database
from jigap.node import DevChain, NodeClient, NodeConfig, RunningNode, dev_chain, run_node


@dataclass
class Served:
    """A development chain that runs in this process, and a client of it."""

    chain: DevChain
    client: NodeClient
    nonces: dict[int, int] = field(default_factory=dict)

    async def send(
        self, who: int, to: bytes = b"", type_: int = 0, value: int = 0, data: bytes = b""
    ) -> bytes:
        """Send a transaction of the ``who``-th account; the contract it would make."""
        account = self.chain.accounts[who]
        nonce = self.nonces.get(who, 0)
        asked = Transaction(
            sender=account.symid,
            nonce=nonce,
            gas_price=gas.GAS_PRICE_HUG,
            gas_limit=110_000 if to else 8_200_000,
            to=to,
            value=value,
            input=data,
            type=type_,
            work_nodes=(account.symid,),
            extra_data=b"",
        )
        answer = await self.client.submit(sign(asked, account.key, 7777).raw)
        assert answer.kind == "accepted", answer
        self.nonces[who] = nonce + 1
        return contract_address(account.symid, nonce)

    async def call(self, who: int, contract: bytes, call: sct20.Call) -> bytes:
        return await self.send(who, contract, 1, data=sct20.encode(call))

    async def settled(self) -> int:
        """Wait until everything sent is in a block; its height."""
        for who, nonce in self.nonces.items():
            symid = self.chain.accounts[who].symid
            while await self.client.nonce(symid, "latest") < nonce:
                await asyncio.sleep(0.02)
        return await self.client.block_number()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    chain = dev_chain(tmp_path / "node", 4)
    ready: asyncio.Future[RunningNode] = asyncio.get_running_loop().create_future()
    config = NodeConfig(
        tmp_path / "node", chain.proposer_key, chain.genesis, port=0, block_min_ms=10
    )
    running = asyncio.create_task(run_node(config, ready.set_result, handle_signals=False))
    async with NodeClient((await ready).rpc_url) as client:
        yield Served(chain, client)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def follow(database: Database, client: NodeClient, first: int) -> None:
    """Take in every block from ``first`` on."""
    number = max(first, await database.read(index.height) + 1)
    while (block := await client.fetch(number)) is not None:
        await index.prepare(database, client, block)
        applied = await database.write(index.apply, block)
        assert applied.shortfalls == ()
        number += 1


async def some_history(served: Served) -> bytes:
    """A token that moves in every way; returns its contract."""
    people = [one.symid for one in served.chain.accounts]
    token = await served.send(
        0, type_=1, data=sct20.encode(sct20.Create("Token", "TOK", 1_000, people[0]))
    )
    await served.settled()
    await served.call(0, token, sct20.Transfer(people[1], 300))
    await served.call(0, token, sct20.Transfer(people[2], 10**6))  # fails: not so much is there
    await served.settled()
    await served.call(1, token, sct20.Approve(people[2], 100))
    await served.settled()
    await served.call(2, token, sct20.TransferFrom(people[1], people[3], 60))
    await served.call(0, token, sct20.Mint(people[3], 5))
    await served.call(0, token, sct20.Burn(people[1], 40))
    await served.send(3, people[1], value=10**18)
    await served.send(1, type_=2, value=10**17)
    await served.settled()
    await served.send(1, people[1], type_=2)
    await served.settled()
    return token


async def test_an_index_from_genesis_is_what_the_node_answers(
    served: Served, sqlite_database: Database
) -> None:
    token = await some_history(served)
    await follow(sqlite_database, served.client, 0)
    compared = await compare_with_node(sqlite_database, served.client)
    assert compared.differences == []
    assert (compared.contracts, compared.holdings, compared.accounts) == (1, 3, 10)
    people = [one.symid for one in served.chain.accounts]
    held = [await sqlite_database.read(index.holding, token, one) for one in people]
    assert held == [700, 200, 0, 65]
    for one in people:
        assert await sqlite_database.read(index.is_citizen, one)


async def test_an_index_that_begins_late_is_what_the_node_answers(
    served: Served, sqlite_database: Database
) -> None:
    token = await some_history(served)
    first = await served.client.block_number()
    people = [one.symid for one in served.chain.accounts]
    await served.call(3, token, sct20.Transfer(people[2], 5))
    await served.call(0, token, sct20.Pause())
    await served.send(2, people[0], value=3)
    await served.settled()
    await follow(sqlite_database, served.client, first)
    assert await sqlite_database.read(index.first_height) == first
    compared = await compare_with_node(sqlite_database, served.client)
    assert compared.differences == []
    assert (compared.contracts, compared.holdings) == (1, 2)
    assert compared.accounts >= 3
    view = await sqlite_database.read(index.contract, token)
    assert view is not None
    assert (view.total, view.paused) == (965, True)


async def test_a_holding_changed_by_hand_is_not_what_the_node_answers(
    served: Served, sqlite_database: Database
) -> None:
    await some_history(served)
    await follow(sqlite_database, served.client, 0)
    changed = update(index.chain_holdings).where(index.chain_holdings.c.balance == 65)
    await sqlite_database.write(lambda connection: connection.execute(changed.values(balance=66)))
    (found,) = (await compare_with_node(sqlite_database, served.client)).differences
    assert (found.check, found.expected, found.found) == ("node_differs", "65", "66")

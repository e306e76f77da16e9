"""What a member has: asked of the node at every inquiry, at the height of our records.

``on_hold`` is ours, the payments that are not final yet; ``total`` is the chain's. The difference
of two moments would be a wrong free amount, so one snapshot of the database gives the height and
the holds that were not final at that height, and the node is asked what the accounts held at that
very block. Everybody who asks in the same turn of the event loop shares the snapshot and the batch.

A node that cannot say (it is away, or does not keep that block) does not make the platform blind:
the index has the balances of the same block, and the answer says that they are from there.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from jigap import index, tokens
from jigap.database import Database
from jigap.gathering import Gathering
from jigap.node.client import NodeTrouble, RpcError
from jigap.transfers import records

log = logging.getLogger("jigap.balances")

#: The longest that an inquiry waits for the node.
NODE_WAIT_S = 2.0
#: After it could not say, it is left in peace for as long.
NODE_PAUSE_S = 0.5


class AsksBalances(Protocol):
    """The one thing a node is asked here."""

    async def token_balances(
        self, asked: Sequence[tuple[bytes, bytes]], tag: int
    ) -> Sequence[int]: ...


@dataclass(frozen=True, slots=True)
class Balance:
    """One token of a member as of one height; amounts in base units.

    ``asked``: the node said so for this answer; else it is what the index has of the same block.
    """

    token: str
    decimals: int
    available: int
    on_hold: int
    total: int
    height: int
    asked: bool


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What our records say about some accounts, all at one height."""

    height: int
    tokens: list[tuple[bytes, tokens.Token]]
    held: dict[tuple[bytes, bytes], int]
    holdings: dict[tuple[bytes, bytes], int]


class Balances:
    """Balance inquiries. One per event loop."""

    def __init__(
        self,
        database: Database,
        node: AsksBalances,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._node = node
        self._now_s = now_s
        self._quiet_until_s = 0.0
        self._inquiries = Gathering[bytes | None, list[Balance]](self._answer)

    async def of(self, symid: bytes | None) -> list[Balance]:
        """Every registered token: what is free, on hold and in all; None has no account yet."""
        return await self._inquiries.ask(symid)

    async def _answer(self, symids: list[bytes | None]) -> list[list[Balance]]:
        accounts = [one for one in symids if one is not None]
        seen = await self._database.read(_look, accounts)
        asked = [(contract, one) for one in accounts for contract, _ in seen.tokens]
        said = await self._ask(asked, seen.height) if asked and seen.height >= 0 else None
        totals = None if said is None else dict(zip(asked, said, strict=True))
        if totals is not None:
            _compare(seen, totals)
        return [_balances(seen, one, totals) for one in symids]

    async def _ask(self, asked: Sequence[tuple[bytes, bytes]], height: int) -> Sequence[int] | None:
        """What the node says of that height, or None if it cannot say."""
        if self._now_s() < self._quiet_until_s:
            return None
        try:
            async with asyncio.timeout(NODE_WAIT_S):
                return await self._node.token_balances(asked, height)
        except (NodeTrouble, RpcError, TimeoutError) as trouble:
            self._quiet_until_s = self._now_s() + NODE_PAUSE_S
            log.warning("balances of block %d are from the index: %s", height, trouble)
            return None


def _look(connection: Connection, accounts: Sequence[bytes]) -> _Snapshot:
    return _Snapshot(
        height=index.height(connection),
        tokens=[
            (one.contract, one) for one in tokens.every(connection) if one.contract is not None
        ],
        held=records.held_by(connection, accounts),
        holdings=index.holdings_of(connection, accounts),
    )


def _compare(seen: _Snapshot, totals: dict[tuple[bytes, bytes], int]) -> None:
    """Both speak of one block; where they differ, one of them is broken and somebody must look."""
    for contract, token in seen.tokens:
        wrong = sum(
            total != seen.holdings.get(key, 0)
            for key, total in totals.items()
            if key[0] == contract
        )
        if wrong:
            log.error(
                "the index and the node differ about %s at block %d, in %d accounts of %d",
                token.symbol, seen.height, wrong, len(totals),
            )  # fmt: skip


def _balances(
    seen: _Snapshot, account: bytes | None, totals: dict[tuple[bytes, bytes], int] | None
) -> list[Balance]:
    found = []
    for contract, token in seen.tokens:
        key = (contract, account or b"")
        indexed = seen.holdings.get(key, 0)
        total = indexed if totals is None else totals.get(key, 0)
        held = seen.held.get(key, 0)
        # The index decides about payments. Should the node ever say more, that is not free.
        free = max(min(total, indexed) - held, 0)
        found.append(
            Balance(
                token=token.symbol,
                decimals=token.decimals,
                available=free,
                on_hold=held,
                total=total,
                height=seen.height,
                asked=totals is not None and account is not None,
            )
        )
    return found

"""The certificate authority inside the platform: it signs citizen transactions itself.

A CA's transactions carry a nonce of their own, counted without gaps. What waits is signed and sent
in rounds, one after another: many new wallets cost one round trip and, in the node, one sync. The
adapter remembers the next nonce and asks the node again after every round that was not a plain yes:
whatever happened in between, the chain knows. Retrying is safe because the chain refuses a second
citizen for one key.

Where the node refuses one of a round, those behind it wait for a nonce that nobody uses. The first
of them is then signed once more, with that nonce: it says the same of the same SymID twice.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jigap import entropy
from jigap.ca.authority import (
    DUPLICATE_KEY,
    AlreadyIssued,
    Answer,
    CitizenRequest,
    InDoubt,
    Issued,
    RefusedByCa,
)
from jigap.chain import citizen, symid
from jigap.chain.citizen import CitizenTransaction, SignedCitizenTransaction
from jigap.chain.signature import PrivateKey
from jigap.chain.symid import SymId
from jigap.clock import Clock, SystemClock
from jigap.node.client import NodeClient, NodeTrouble, RpcError, Submitted

#: The country code of the citizen record is left at 0 (unsaid), as published records have it.
_COUNTRY = 0
#: A nonce may have been taken by another process of the same CA; look once more, then give up.
_TRIES = 3
#: The random part of a SymID is six bytes; the lowest numbers belong to genesis accounts.
_RESERVED = 2**16
#: How many are signed and sent together at most: a node lets a CA be this far ahead, and more.
ROUND_MAX = 128
_TAKEN = ("accepted", "known")


class EmbeddedCa:
    """Issues SymIDs in the name of ``ca`` with its own key. One per CA and event loop."""

    def __init__(
        self,
        client: NodeClient,
        signer: PrivateKey,
        ca: SymId,
        chain_id: int,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._signer = signer
        self._ca = ca
        self._chain_id = chain_id
        self._clock = clock or SystemClock()
        self._lock = asyncio.Lock()
        self._waiting: list[_Asked] = []
        self._next_nonce: int | None = None

    async def issue(self, request: CitizenRequest) -> Answer:
        """Sign a citizen transaction for a key and hand it to the node; see ``authority``."""
        asked = _Asked(request, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        async with self._lock:
            if not asked.answer.done():  # else the round before took it along
                await self._round()
        return await asked.answer

    async def close(self) -> None:
        """Nothing to close: the client belongs to whoever made it."""

    async def _round(self) -> None:
        """Answer everybody who waits, up to ``ROUND_MAX``."""
        await asyncio.sleep(0)  # whoever comes in the same turn of the loop comes along
        asked, self._waiting = self._waiting[:ROUND_MAX], self._waiting[ROUND_MAX:]
        try:
            for one in asked:
                one.symid = new_symid(symid.ca_id(self._ca))
            await asyncio.gather(*(self._make_free(one) for one in asked))
            await self._issue(asked)
        except (NodeTrouble, RpcError) as trouble:
            _answer_all(asked, InDoubt(f"the node did not answer: {trouble.detail}"))
        finally:
            # Cancelled: the others come next, each may lead the round. Asking again is safe.
            self._waiting[:0] = [one for one in asked if not one.answer.done()]

    async def _issue(self, asked: Sequence["_Asked"]) -> None:
        left = asked
        for _ in range(_TRIES):
            nonce = await self._nonce()
            signed = [
                self._sign(one.symid, one.request.public_key_hash, one.request.v_flag, number)
                for number, one in enumerate(left, nonce)
            ]
            self._next_nonce = None
            submitted = await asyncio.gather(
                *(self._client.submit_citizen(one.raw) for one in signed)
            )
            if all(one.kind in _TAKEN for one in submitted):
                self._next_nonce = nonce + len(signed)
            elif len(signed) > 1:
                await self._nonce()  # some may wait behind those that were refused
            for one, transaction, outcome in zip(left, signed, submitted, strict=True):
                answer = _answer_of(transaction, outcome)
                if answer is not None and not one.answer.done():
                    one.answer.set_result(answer)
            left = [one for one in left if not one.answer.done()]
            if not left:
                return
        _answer_all(
            left,
            InDoubt("the CA's nonce keeps changing: is another CA at work with the same key?"),
        )

    async def _make_free(self, asked: "_Asked") -> None:
        """A SymID that nobody has: saying something about an existing one would change its key."""
        while await self._client.citizen(asked.symid) is not None:
            asked.symid = new_symid(symid.ca_id(self._ca))

    async def _nonce(self) -> int:
        if self._next_nonce is None:
            self._next_nonce = await self._without_gap()
        return self._next_nonce

    async def _without_gap(self) -> int:
        """The next nonce, once nothing of ours waits behind it."""
        while True:
            nonce = await self._client.citizen_nonce(self._ca)
            behind = [
                (number, one)
                for number, one in await self._client.waiting_citizens()
                if one.ca == self._ca and one.active and number > nonce
            ]
            if not behind:
                return nonce
            _, first = min(behind, key=lambda one: one[0])
            signed = self._sign(first.symid, first.key_hash, first.v_flag, nonce)
            submitted = await self._client.submit_citizen(signed.raw)
            if submitted.kind not in _TAKEN:
                return nonce  # whoever is next may fill it

    def _sign(
        self, chosen: SymId, key_hash: bytes, v_flag: int, nonce: int
    ) -> SignedCitizenTransaction:
        asked = CitizenTransaction(
            sender=self._ca,
            to=b"",
            nonce=nonce,
            symid=chosen,
            key_hash=key_hash,
            v_flag=v_flag,
            country=_COUNTRY,
            write_time=self._clock.now_ms() // 1000,
        )
        return citizen.sign(asked, self._signer, self._chain_id)


@dataclass(slots=True)
class _Asked:
    """Who waits for a round, and the SymID chosen for them."""

    request: CitizenRequest
    answer: "asyncio.Future[Answer]"
    symid: SymId = b""


def _answer_all(asked: Iterable[_Asked], answer: Answer) -> None:
    for one in asked:
        if not one.answer.done():
            one.answer.set_result(answer)


def _answer_of(signed: SignedCitizenTransaction, submitted: Submitted) -> Answer | None:
    """The node's word as an answer; None when only the nonce was wrong."""
    if submitted.kind in _TAKEN:
        return Issued(signed.transaction.symid, signed.hash)
    if submitted.kind == "unknown":
        return InDoubt(submitted.message)
    if DUPLICATE_KEY in submitted.message:
        return AlreadyIssued()
    if "nonce too" in submitted.message or "replacement" in submitted.message:
        return None
    return RefusedByCa(submitted.message)


def new_symid(ca_id: int) -> SymId:
    """The first account of a new person: six random bytes, outside the reserved ones."""
    while True:
        randomness = entropy.random_bytes(symid.RANDOM_BYTES)
        if int.from_bytes(randomness, "big") >= _RESERVED:
            return symid.make(ca_id, randomness)

"""The certificate authority inside the platform: it signs citizen transactions itself.

A CA's transactions carry a nonce of their own, counted without gaps, so this adapter signs them one
after another. It remembers the next nonce and asks the node again after every answer that was not a
plain yes: whatever happened in between, the chain knows. Retrying is safe because the chain refuses
a second citizen for one key.
"""

import asyncio

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
from jigap.node.client import NodeClient, NodeTrouble, RpcError

#: The country code of the citizen record is left at 0 (unsaid), as published records have it.
_COUNTRY = 0
#: A nonce may have been taken by another process of the same CA; look once more, then give up.
_TRIES = 3
#: The random part of a SymID is six bytes; the lowest numbers belong to genesis accounts.
_RESERVED = 2**16


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
        self._next_nonce: int | None = None

    async def issue(self, request: CitizenRequest) -> Answer:
        """Sign a citizen transaction for a key and hand it to the node; see ``authority``."""
        try:
            chosen = await self._free_symid()
            async with self._lock:
                return await self._issue(request, chosen)
        except (NodeTrouble, RpcError) as trouble:
            return InDoubt(f"the node did not answer: {trouble.detail}")

    async def close(self) -> None:
        """Nothing to close: the client belongs to whoever made it."""

    async def _issue(self, request: CitizenRequest, chosen: SymId) -> Answer:
        for _ in range(_TRIES):
            signed = self._sign(request, chosen, await self._nonce())
            answer = await self._submit(signed)
            if answer is not None:
                return answer
        return InDoubt("the CA's nonce keeps changing: is another CA at work with the same key?")

    async def _free_symid(self) -> SymId:
        """A SymID that nobody has: saying something about an existing one would change its key."""
        while True:
            chosen = new_symid(symid.ca_id(self._ca))
            if await self._client.citizen(chosen) is None:
                return chosen

    async def _nonce(self) -> int:
        if self._next_nonce is None:
            self._next_nonce = await self._client.citizen_nonce(self._ca)
        return self._next_nonce

    def _sign(self, request: CitizenRequest, chosen: SymId, nonce: int) -> SignedCitizenTransaction:
        asked = CitizenTransaction(
            sender=self._ca,
            to=b"",
            nonce=nonce,
            symid=chosen,
            key_hash=request.public_key_hash,
            v_flag=request.v_flag,
            country=_COUNTRY,
            write_time=self._clock.now_ms() // 1000,
        )
        return citizen.sign(asked, self._signer, self._chain_id)

    async def _submit(self, signed: SignedCitizenTransaction) -> Answer | None:
        """The node's word as an answer; None when only the nonce was wrong."""
        submitted = await self._client.submit_citizen(signed.raw)
        if submitted.kind in ("accepted", "known"):
            self._next_nonce = signed.transaction.nonce + 1
            return Issued(signed.transaction.symid, signed.hash)
        self._next_nonce = None
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

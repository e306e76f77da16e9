"""Many citizens at once, in the name of the embedded authority: for a crowd of made-up members.

Nobody else may sign as this authority meanwhile. What is signed is handed over as far ahead as a
node's pool allows, and a round ends when the blocks have all of it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from jigap.ca.embedded import new_symid
from jigap.chain import citizen, symid
from jigap.chain.citizen import CitizenTransaction, Verification
from jigap.chain.signature import PrivateKey
from jigap.chain.symid import SymId
from jigap.node.client import NodeClient
from jigap.refusal import Kind, Refusal

#: A node lets nonces wait up to 1024 ahead.
ROUND_MAX = 1_000
TAKEN_TIMEOUT_S = 60
_POLL_S = 0.02


class CitizensRefused(Refusal):
    """The node did not take a citizen transaction, or no block did."""

    code = "citizens_refused"
    kind = Kind.UNAVAILABLE
    hint = "The dispatcher asks for the SymIDs that are missing when the platform runs again."


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs, and for which chain."""

    symid: SymId
    signer: PrivateKey
    chain_id: int


async def register(
    client: NodeClient, authority: Authority, key_hashes: Sequence[bytes], now_ms: int
) -> None:
    """Give each of at most ``ROUND_MAX`` keys a SymID; blocks have them when this returns.

    Raises ``CitizensRefused``, and what the node client raises.
    """
    assert 0 < len(key_hashes) <= ROUND_MAX
    nonce = await client.citizen_nonce(authority.symid)
    free = await _free(client, symid.ca_id(authority.symid), len(key_hashes))
    asked = [
        CitizenTransaction(
            sender=authority.symid,
            to=b"",
            nonce=nonce + number,
            symid=chosen,
            key_hash=key_hash,
            v_flag=Verification.PHONE,
            write_time=now_ms // 1000,
        )
        for number, (chosen, key_hash) in enumerate(zip(free, key_hashes, strict=True))
    ]
    raws = await asyncio.to_thread(_signed, authority, asked)
    for answer in await asyncio.gather(*map(client.submit_citizen, raws)):
        if answer.kind not in ("accepted", "known"):
            raise CitizensRefused(f"The node says: {answer.message or answer.kind}.")
    await _taken(client, asked[-1].symid)


def _signed(authority: Authority, asked: Sequence[CitizenTransaction]) -> list[bytes]:
    return [citizen.sign(one, authority.signer, authority.chain_id).raw for one in asked]


async def _free(client: NodeClient, ca_id: int, count: int) -> list[SymId]:
    """SymIDs that nobody has: saying something about an existing one would change its key."""
    free: set[SymId] = set()
    while len(free) < count:
        chosen = sorted({new_symid(ca_id) for _ in range(count - len(free))})
        known = await asyncio.gather(*map(client.citizen, chosen))
        free.update(one for one, citizen_ in zip(chosen, known, strict=True) if citizen_ is None)
    return sorted(free)


async def _taken(client: NodeClient, last: SymId) -> None:
    """Wait until a block has the citizen with the last nonce."""
    try:
        async with asyncio.timeout(TAKEN_TIMEOUT_S):
            while await client.citizen(last) is None:
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise CitizensRefused("No block takes the citizen transactions.") from None

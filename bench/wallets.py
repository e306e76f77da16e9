"""New wallets over HTTP, against bare scrypt on all cores.

A wallet is made when its key is stored twice and the request is answered. The SymID comes after
that, from the CA through a block; asking for it goes on meanwhile on the same cores and is part of
what is measured. A round ends with the last answer; the next begins when all SymIDs are there.
"""

import asyncio
import time
from collections.abc import Sequence

from bench import scrypt
from bench.machine import Meter
from bench.platform import PASSPHRASE, Caller, Client, all_active
from bench.rounds import Measure, Round, percentiles_ms

WALLETS = Measure(
    "wallet_creation",
    "Wallets made",
    "/s",
    "scrypt",
    aim=0.80,
    aim_of="ratio",
)

CLIENTS = 20


async def wallets_round(
    client: Client, meter: Meter, people: Sequence[Caller], scrypt_s: float
) -> Round:
    """Let ``CLIENTS`` at a time make the wallets of ``people``, after a look at the bound."""
    before = scrypt.per_second(scrypt_s)
    waiting, took = list(reversed(people)), []

    async def make_wallets() -> None:
        while waiting:
            who, begun = waiting.pop(), time.perf_counter()
            body = {"passphrase": PASSPHRASE}
            if await client.call(who, "POST", "wallet", body) is not None:
                took.append(time.perf_counter() - begun)

    meter.start()
    begun = time.perf_counter()
    await asyncio.gather(*(make_wallets() for _ in range(CLIENTS)))
    elapsed_s = time.perf_counter() - begun
    use = meter.use()
    late = await all_active(client, people)
    registered_s = time.perf_counter() - begun
    reference = (before + scrypt.per_second(scrypt_s)) / 2
    errors = client.taken_errors() | ({"without SymID": late} if late else {})
    details = {
        "wallets": len(took),
        "answer_ms": percentiles_ms(took),
        "with_symid_per_s": round(len(took) / registered_s, 1),
        "use": use.shown(len(took)),
    }
    return Round(len(took) / elapsed_s, reference, use.foreign, errors, details)

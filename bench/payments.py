"""TC5: payments over HTTP until they are final: how many, and how soon.

Every payment is one POST with the payer's passphrase, which opens the key anew each time, and with
``Prefer: wait``: the answer comes when the payment is in a block and that block is in the index.
Payers stand in a ring and pay their neighbour. At the end the books must agree: what was issued is
what the payers hold together.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

from bench import scrypt
from bench.machine import Meter
from bench.platform import PASSPHRASE, WAIT_S, Caller, Client, People
from bench.rounds import Measure, Round, percentiles_ms

RATE = Measure(
    "payments",
    "Payments final",
    "/s",
    "scrypt",
    aim=100.0,
)
DELAY = Measure(
    "seconds_to_final",
    "Seconds to final, p50",
    "s",
    "block_min_ms",
    aim=0.5,
    at_most=True,
)

ACCEPTED = Measure(
    "payments_accepted",
    "Payments accepted, nobody waiting",
    "/s",
    "scrypt",
)

#: Fixed rates at which the time to final is taken.
RATES_PER_S = (10, 20, 40, 60)
RATE_S = 8.0
QUICK_RATES_PER_S = (2, 4)
QUICK_RATE_S = 1.0
FINAL_TIMEOUT_S = 60
SYMBOL = "BENCH"
GRANT = 1_000
WARM_UP_S = 1.0
_AT_ONCE = 64
_keys = count()


@dataclass(frozen=True, slots=True)
class Payer:
    """A member with tokens and somebody to pay."""

    caller: Caller
    recipient_id: str


async def fund(client: Client, people: People, payers: Sequence[Caller]) -> list[Payer]:
    """A token, some of it for everybody, and each knows the neighbour."""
    await issue(client, people, payers)
    neighbours = [*payers[1:], payers[0]]
    return [await _meet(client, *pair) for pair in zip(payers, neighbours, strict=True)]


async def issue(client: Client, people: People, holders: Sequence[Caller]) -> None:
    """A token, and ``GRANT`` of it for each of these."""
    body = {"name": "Bench Point", "symbol": SYMBOL, "amount": "0"}
    await _operate(client, people, "operator/tokens", body)
    free = asyncio.Semaphore(_AT_ONCE)

    async def grant(holder: Caller) -> None:
        async with free:
            given = {"to": holder.login, "amount": str(GRANT)}
            await _operate(client, people, f"operator/tokens/{SYMBOL}/mint", given)

    await asyncio.gather(*(grant(one) for one in holders))


async def _operate(client: Client, people: People, path: str, body: dict[str, str]) -> None:
    done = await client.call(people.operator, "POST", path, body, key=_key(), wait=WAIT_S)
    if done is None or done["state"] != "confirmed":
        raise RuntimeError(f"{path} {body}: {done or dict(client.errors)}")


async def _meet(client: Client, payer: Caller, neighbour: Caller) -> Payer:
    found = await client.call(payer, "GET", f"recipients?member_id={neighbour.login}")
    if not found:
        raise RuntimeError(f"{payer.login} does not find {neighbour.login}: {client.errors}")
    return Payer(payer, str(found[0]["recipient_id"]))


async def pay(client: Client, payer: Payer) -> bool:
    """One payment; whether it was final and confirmed when it was answered."""
    order = _body(payer)
    sent = await client.call(payer.caller, "POST", "transfers", order, key=_key(), wait=WAIT_S)
    if sent is not None and sent["state"] != "confirmed":
        client.errors[f"answered {sent['state']}"] += 1
    return sent is not None and sent["state"] == "confirmed"


def _body(payer: Payer) -> dict[str, str]:
    return {
        "recipient_id": payer.recipient_id,
        "token": SYMBOL,
        "amount": "0.001",
        "passphrase": PASSPHRASE,
    }


async def rate_round(
    client: Client, meter: Meter, payers: Sequence[Payer], seconds: float, scrypt_s: float
) -> Round:
    """All payers at once, each one payment after the other; counted once they are under way."""
    before = scrypt.per_second(scrypt_s)
    took: list[tuple[float, float]] = []
    counted_from = time.perf_counter() + WARM_UP_S
    counted_to = counted_from + seconds

    async def make_payments(payer: Payer) -> None:
        while (begun := time.perf_counter()) < counted_to:
            if await pay(client, payer):
                ended = time.perf_counter()
                took.append((ended, ended - begun))

    paying = asyncio.gather(*(make_payments(payer) for payer in payers))
    await asyncio.sleep(WARM_UP_S)
    meter.start()
    await asyncio.sleep(counted_to - time.perf_counter())
    use = meter.use()
    await paying
    counted = [delay for ended, delay in took if counted_from <= ended < counted_to]
    reference = (before + scrypt.per_second(scrypt_s)) / 2
    details = {
        "payments": len(took),
        "payers": len(payers),
        "to_final_ms": percentiles_ms(counted),
        "use": use.shown(len(counted)),
    }
    return Round(len(counted) / seconds, reference, use.foreign, client.taken_errors(), details)


async def accepted_round(
    client: Client, meter: Meter, payers: Sequence[Payer], seconds: float, scrypt_s: float
) -> Round:
    """All payers at once, each one order after the other, without waiting for any to be final.

    Counted are orders that were answered with 201, and beside them those that became final in the
    same seconds, by the platform's own clock.
    """
    before = scrypt.per_second(scrypt_s)
    sent: list[tuple[Payer, str]] = []
    meter.start()
    began, until = time.time(), time.perf_counter() + seconds

    async def order(payer: Payer) -> None:
        while time.perf_counter() < until:
            answer = await client.call(payer.caller, "POST", "transfers", _body(payer), key=_key())
            if answer is not None and time.perf_counter() < until:
                sent.append((payer, answer["id"]))

    await asyncio.gather(*(order(payer) for payer in payers))
    use = meter.use()
    accepted = len(sent)
    finals = await asyncio.gather(*(_final_at(client, *one) for one in sent))
    final = sum(began <= at < began + seconds for at in finals)
    reference = (before + scrypt.per_second(scrypt_s)) / 2
    details = {
        "payments": accepted,
        "final_per_s": round(final / seconds, 1),
        "use": use.shown(accepted),
    }
    return Round(accepted / seconds, reference, use.foreign, client.taken_errors(), details)


async def _final_at(client: Client, payer: Payer, id_: str) -> float:
    """When a payment became final, in seconds since 1970; never is infinity, and an error."""
    give_up = time.perf_counter() + FINAL_TIMEOUT_S
    while time.perf_counter() < give_up:
        shown = await client.call(payer.caller, "GET", f"transfers/{id_}")
        if shown is not None and shown["final_at"] is not None:
            if shown["state"] != "confirmed":
                client.errors[f"ended {shown['state']}"] += 1
            return datetime.fromisoformat(shown["final_at"]).timestamp()
        await asyncio.sleep(0.2)
    client.errors["not final"] += 1
    return float("inf")


async def at_rates(
    client: Client, meter: Meter, payers: Sequence[Payer], block_min_ms: int, *, quick: bool
) -> tuple[dict[str, Any], dict[str, int]]:
    """The time to final at several fixed rates, as a table and a chart, and what went wrong."""
    rows, points, errors = [], [], Counter[str]()
    for per_s in QUICK_RATES_PER_S if quick else RATES_PER_S:
        seconds = QUICK_RATE_S if quick else RATE_S
        one = await delay_round(client, meter, payers, per_s, seconds, block_min_ms)
        took, use = one.details["to_final_ms"], one.details["use"]
        errors.update(one.errors)
        names = ("p50", "p95", "p99", "max")
        busy = f"{use['busy']:.0%}"
        made, wrong = one.details["payments"], sum(one.errors.values())
        shown = [f"{took[name]:.0f}" if took else "" for name in names]
        rows.append([str(per_s), str(made), str(wrong), *shown, busy])
        points.append((per_s, took))
    chart = {
        "title": "Time to final at fixed rates",
        "x": "payments per second",
        "y": "milliseconds",
        "series": [
            {"name": name, "points": [[rate, took[name]] for rate, took in points if took]}
            for name in ("p50", "p95", "p99")
        ],
    }
    table = {
        "title": "Time to final at fixed rates",
        "head": [
            "Payments/s",
            "Payments",
            "Errors",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "Max ms",
            "Busy",
        ],
        "rows": rows,
        "note": "An open loop; each delay counts from when the payment was due. One round each.",
    }
    return {"table": table, "chart": chart}, dict(errors)


async def delay_round(
    client: Client,
    meter: Meter,
    payers: Sequence[Payer],
    per_second: float,
    seconds: float,
    block_min_ms: int,
) -> Round:
    """A payment every ``1 / per_second``, whether or not earlier ones are answered.

    A delay counts from when the payment was due, so a late start of ours is not left out.
    """
    took: list[float] = []
    meter.start()
    begun = time.perf_counter()

    async def make_payment(number: int) -> None:
        due = begun + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if await pay(client, payers[number % len(payers)]):
            took.append(time.perf_counter() - due)

    await asyncio.gather(*(make_payment(number) for number in range(int(per_second * seconds))))
    use = meter.use()
    found = percentiles_ms(took)
    details: dict[str, Any] = {
        "payments": len(took),
        "per_second": per_second,
        "to_final_ms": found,
        "use": use.shown(len(took)),
    }
    value = found.get("p50", float("inf")) / 1000
    return Round(value, block_min_ms / 1000, use.foreign, client.taken_errors(), details)


async def missing(client: Client, payers: Sequence[Payer]) -> str:
    """What the payers should hold together and do not; "0" when the books agree."""
    shown = [await client.call(one.caller, "GET", f"balances/{SYMBOL}") for one in payers]
    held = sum((Decimal(one["total"]) for one in shown if one), Decimal(0))
    return str((Decimal(GRANT * len(payers)) - held).normalize())


def _key() -> str:
    return f"bench-{time.time_ns()}-{next(_keys)}"

"""What people do all day, one after the other on one platform: wallets, searches, payments.

The paper's cases are in ``cases``; here a wallet counts with its SymID, and a payment until it is
final. At the end the books must agree.
"""

import itertools
import os
from pathlib import Path
from typing import Any

from bench import directory, payments, wallets
from bench.machine import Meter
from bench.plan import Plan, Say
from bench.platform import Caller, Client, People, all_active, connected, prepare, running
from bench.rounds import Measure, Round, repeat, summary
from jigap.settings import Settings

BOOKS = Measure("books", "Tokens missing from the books", "", "nothing", aim=0, at_most=True)


async def run(plan: Plan, say: Say, folder: Path) -> list[dict[str, Any]]:
    """All of them."""
    say("preparing members")
    people = await prepare(folder / "data", plan.members)
    with running(folder / "data") as platform:
        meter = Meter({"load": os.getpid(), **platform.processes})
        async with connected(platform, 256) as client:
            return await _measures(plan, say, people, meter, client)


async def _measures(
    plan: Plan, say: Say, people: People, meter: Meter, client: Client
) -> list[dict[str, Any]]:
    rounds = (plan.rounds, plan.repeats_max)
    joining, seeds = iter(people.members), itertools.count()

    def next_members(count: int) -> list[Caller]:
        return list(itertools.islice(joining, count))

    say("wallets")
    taken = await repeat(
        lambda: wallets.wallets_round(
            client, meter, next_members(plan.wallets_each_round), plan.scrypt_s
        ),
        *rounds,
    )
    found = [summary(wallets.WALLETS, taken)]

    say("funding the payers")
    made = people.members[: plan.payers]
    assert len(made) <= plan.wallets_each_round * plan.rounds, "payers have wallets"
    await all_active(client, made)
    payers = await payments.fund(client, people, made)

    say("directory lookups")
    taken = await repeat(
        lambda: directory.lookups_round(
            client, meter, people.members, plan.lookup_pairs, seed=next(seeds)
        ),
        *rounds,
    )
    found.append(summary(directory.LOOKUPS, taken))

    say("payments")
    taken = await repeat(
        lambda: payments.rate_round(client, meter, payers, plan.payments_s, plan.scrypt_s),
        *rounds,
    )
    found.append(summary(payments.RATE, taken))
    taken = await repeat(
        lambda: payments.accepted_round(client, meter, payers, plan.payments_s, plan.scrypt_s),
        *rounds,
    )
    found.append(summary(payments.ACCEPTED, taken))

    say("seconds to final")
    taken = await repeat(
        lambda: payments.delay_round(
            client, meter, payers, plan.delay_per_second, plan.delay_s, Settings.block_min_ms
        ),
        *rounds,
    )
    block_min_ms = Settings.block_min_ms
    shown, wrong = await payments.at_rates(client, meter, payers, block_min_ms, quick=plan.quick)
    taken[0].errors.update(wrong)
    found.append(summary(payments.DELAY, taken) | shown)
    missing = float(await payments.missing(client, payers))
    wrong = {"tokens missing": 1} if missing else {}
    found.append(summary(BOOKS, [Round(missing, None, 0.0, wrong)]))
    return found

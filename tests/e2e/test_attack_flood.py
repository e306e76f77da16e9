"""A flood from addresses that may not come in: the shield answers alone.

How little a refusal costs is measured by `make bench`; here is what must hold whatever the machine
does: everybody in good faith is answered, every refusal is counted, and the main database does not
hear of it. PostgreSQL says when each of our connections to it was last used.
"""

import asyncio
import itertools
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests import postgres, processes
from tests.e2e.crowd import request, send_all

FLOOD = 4_000
FOES = tuple(f"127.66.{n // 8}.{1 + n % 8}" for n in range(64))
DENIED = "127.66.0.0/16"


@dataclass
class Web:
    """A web server by itself, without a dispatcher, on PostgreSQL."""

    url: str
    database: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def last_used(self) -> float:
        """When anybody last spoke to the database, as PostgreSQL's clock has it."""
        engine = create_engine(self.database.replace("postgresql:", "postgresql+psycopg:"))
        asked = (
            "SELECT extract(epoch FROM max(state_change)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with engine.connect() as connection:
            found = connection.execute(text(asked)).scalar_one()
        engine.dispose()
        return float(found or 0)

    def refused(self, rule: str) -> int:
        """How often a rule has turned somebody away."""
        shown = httpx.get(f"{self.url}/metrics", timeout=20).text
        found = re.search(rf'^jigap_shield_refused_total{{rule="{rule}"}} (\S+)', shown, re.M)
        return int(float(found[1])) if found else 0


@pytest.fixture(scope="module")
def web(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    data = tmp_path_factory.mktemp("flooded")
    with ExitStack() as stack:
        database = stack.enter_context(postgres.fresh_database(postgres_server))
        environment = {"JIGAP_DATABASE_URL": database, "JIGAP_LOG_LEVEL": "info"}

        def start(*command: str) -> processes.Running:
            running = processes.start(*command, "--data", data, **environment)
            stack.callback(running.kill)
            return running

        assert start("up", "--port", "0", "--node-port", "0", "--demo", "--json").stop() == 0
        environment["JIGAP_CHAIN_URL"] = start("node", "--port", "0").rpc
        denied = processes.run("shield", "deny", DENIED, "--reason", "a test", "--data", data)
        assert denied.returncode == 0, denied.stderr
        yield Web(start("web", "--port", "0", "--json").url, database)


def test_the_main_database_does_not_hear_of_a_flood(web: Web):
    refused, used = web.refused("entry"), web.last_used()
    hello = [request("GET", "/readyz")] * FLOOD
    sources = itertools.cycle(FOES)

    async def flood() -> list[int]:
        crowds = [
            send_all(web.port, hello[n::16], clients=4, source=next(sources)) for n in range(16)
        ]
        return [answers.of(403) + answers.of(0) for answers in await asyncio.gather(*crowds)]

    assert sum(asyncio.run(flood())) == FLOOD
    assert web.last_used() == used
    assert web.refused("entry") == refused + FLOOD
    # One who may come in is heard of, else this test would say nothing.
    assert httpx.get(f"{web.url}/api/v1/blocks/1", timeout=20).status_code == 200
    assert web.last_used() > used


def test_whoever_may_come_in_is_answered_during_a_flood(web: Web):
    hello = [request("GET", "/api/v1/blocks/1")] * FLOOD

    async def flood() -> int:
        crowds = asyncio.gather(
            *(send_all(web.port, hello[n::8], clients=8, source=FOES[n]) for n in range(8))
        )
        count = 0
        async with httpx.AsyncClient(base_url=web.url, timeout=20) as client:
            while not crowds.done():
                assert (await client.get("/api/v1/blocks/1")).status_code == 200
                count += 1
        await crowds
        return count

    begun = time.monotonic()
    assert asyncio.run(flood()) > 3, f"in {time.monotonic() - begun:.1f} s"

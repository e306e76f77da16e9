"""`jigap demo`: the main job from sign-up to audit, by itself."""

import json
from decimal import Decimal

import pytest

from tests import processes


@pytest.mark.alone
def test_demo_does_the_main_job_and_says_so():
    done = processes.run("demo", "--json", timeout_s=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["surprises"] == told["differences"] == []
    assert told["conserved"] is True
    assert told["restart_ok"] is True
    assert len(told["transfers"]) == 6
    for one in told["transfers"]:
        assert one["status"] == "confirmed"
        assert one["transaction_hash"].startswith("0x")
        assert len(one["transaction_hash"]) == 66
        assert one["block_number"] > 0
        assert 0 < one["seconds_to_final"] < 10
        assert one["gas_refill_hug"].isdigit()
    assert len({one["id"] for one in told["transfers"]}) == 6
    assert int(told["transfers"][0]["gas_refill_hug"]) > 0
    balances = [Decimal(one["total"]) for one in told["balances"].values()]
    assert sum(balances) == Decimal(told["supply"]) == Decimal("100000")
    assert told["elapsed_s"] < 30

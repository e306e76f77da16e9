"""JMeter's plans do what the paper did."""

import xml.etree.ElementTree as ET
from pathlib import Path

import bench.jmeter
import pytest
from bench.cases import CASES
from bench.plan import FULL

PLANS = Path(bench.jmeter.__file__).parent


@pytest.mark.parametrize("case", CASES)
def test_a_plan_has_the_papers_clients_and_loops_one_after_the_other(case: str):
    root = ET.parse(PLANS / f"{case}.jmx").getroot()
    what = CASES[case][0]
    clients = FULL.wallet_clients if what == "wallet" else FULL.balance_clients

    def values(name: str) -> list[str | None]:
        return [one.text for one in root.iter() if one.get("name") == name]

    assert values("ThreadGroup.num_threads") == [f"${{__P(user{n},{n})}}" for n in clients]
    assert set(values("LoopController.loops")) == {f"${{__P(loops,{FULL.loops})}}"}
    assert set(values("ThreadGroup.ramp_time")) == {"0"}
    assert values("TestPlan.serialize_threadgroups") == ["true"]
    assert values("recycle") == ["false" if what == "wallet" else "true"]

"""The benchmark runs from end to end. Its figures are nobody's business here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

CASES = ("tc1", "tc2", "tc3", "tc4")
ROOT = Path(__file__).parents[2]
MEASURES = {
    "apply_transaction",
    "blocks",
    "wallet_creation",
    "directory_lookups",
    "payments",
    "payments_accepted",
    "seconds_to_final",
    "books",
    "mixed_balance_p99",
    "population_start",
    "population_memory",
    "explorer_reads",
    "growth_block",
    "growth_root",
    "refusal_cpu",
    "flooded_balance_p99",
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What one quick run wrote."""
    path = tmp_path_factory.mktemp("bench") / "result.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--json", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert path.exists(), done.stderr[-4000:] + done.stdout[-2000:]
    return json.loads(path.read_text(encoding="utf-8"))


def test_measures_everything_without_an_error(result: dict):
    assert result["failures"] == []
    assert {one["name"] for one in result["measures"]} >= MEASURES
    assert result["errors"] == 0
    (books,) = (one for one in result["measures"] if one["name"] == "books")
    assert books["value"] == 0


def test_every_measure_has_a_value_a_reference_and_their_ratio(result: dict):
    for one in result["measures"]:
        assert one["rounds"], one["name"]
        assert one["met"] is None or isinstance(one["met"], bool), one["name"]
        if one["name"] in MEASURES - {"books", "explorer_reads", "refusal_cpu"}:
            assert one["value"] > 0, one["name"]
            assert one["reference"] > 0, one["name"]
            assert one["ratio"] > 0, one["name"]


def test_every_client_of_the_papers_cases_sends_all_its_requests(result: dict):
    ours = [one for one in result["cases"]["medians"] if one["stack"] == "ours"]
    cells = {(one["case"], one["clients"]): one for one in ours}
    expected = {"tc1": (2, 4), "tc2": (2, 4), "tc3": (5, 10), "tc4": (5, 10)}
    for case in CASES:
        clients = expected[case]
        for number in clients:
            one = cells[case, number]
            assert one["samples"] == 2 * number
            assert one["ko"] == 0
            assert one["without_symid"] == 0
            assert set(one["cpu_ms_each"]) == {"platform", "node", "load"}
        assert cells[case, 0]["samples"] == 2 * sum(clients)


def test_every_aim_has_its_figure_unless_the_papers_stack_is_not_there(result: dict):
    assert len(result["aims"]) == 10
    for one in result["aims"]:
        if "paper's stack" in one["quantity"]:
            assert one["verdict"] == "not measured"


def test_says_how_well_known_and_unknown_can_be_told_apart_by_time(result: dict):
    (one,) = (one for one in result["measures"] if one["name"] == "directory_lookups")
    assert all(0 <= row["known_slower_share"] <= 1 for row in one["rounds"])


def test_an_older_result_without_a_measure_still_makes_a_page(result: dict):
    from bench import report

    older = [one for one in result["measures"] if one["name"] != "directory_lookups"]
    page = report.markdown(result | {"measures": older, "cases": {}})
    assert "told by its time" not in page
    assert "told by its time" in report.markdown(result)


def test_names_the_machine_and_who_else_used_it(result: dict):
    assert result["machine"]["cores"] >= 1
    assert result["machine"]["processor"]
    for one in result["measures"]:
        assert all(0 <= row["foreign"] <= 1 for row in one["rounds"]), one["name"]


def test_the_page_and_its_charts_are_made_from_the_result(result: dict, tmp_path: Path):
    from bench import report

    page = report.markdown(result)
    for one in result["measures"]:
        assert one["title"] in page
    assert result["machine"]["processor"] in page
    report.draw(result, tmp_path)
    for case in CASES:
        assert f"images/bench-{case}.svg" in page
        assert "<svg" in (tmp_path / f"bench-{case}.svg").read_text(encoding="utf-8")

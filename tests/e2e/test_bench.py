"""The benchmark runs from end to end. Its figures are nobody's business here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
MEASURES = {
    "apply_transaction",
    "blocks",
    "wallet_creation",
    "directory_lookups",
    "payments",
    "seconds_to_final",
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
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    return json.loads(path.read_text(encoding="utf-8"))


def test_measures_everything_without_an_error(result: dict):
    assert {one["name"] for one in result["measures"]} == MEASURES
    assert result["errors"] == 0
    assert result["missing"] == "0"
    assert result["wallets"] == 8
    assert result["payments"] > 5


def test_every_measure_has_a_value_a_reference_and_their_ratio(result: dict):
    for one in result["measures"]:
        assert one["value"] > 0, one["name"]
        assert one["reference"] > 0, one["name"]
        assert one["ratio"] > 0, one["name"]
        assert one["rounds"], one["name"]
        assert one["met"] is None or isinstance(one["met"], bool), one["name"]


def test_says_how_well_known_and_unknown_can_be_told_apart_by_time(result: dict):
    (one,) = (one for one in result["measures"] if one["name"] == "directory_lookups")
    assert all(0 <= row["known_slower_share"] <= 1 for row in one["rounds"])


def test_mann_whitney_tells_what_differs_from_what_does_not():
    from bench.directory import mann_whitney

    low, high = [float(n) for n in range(50)], [float(n) + 100 for n in range(50)]
    assert mann_whitney(high, low)[0] == 1
    assert mann_whitney(high, low)[1] < 1e-6
    assert mann_whitney(low, low) == (0.5, 1.0)


def test_an_older_result_without_a_measure_still_makes_a_page(result: dict):
    from bench import report

    older = [one for one in result["measures"] if one["name"] != "directory_lookups"]
    page = report.markdown(result | {"measures": older})
    assert "told by its time" not in page
    assert "told by its time" in report.markdown(result)


def test_names_the_machine_and_who_else_used_it(result: dict):
    assert result["machine"]["cores"] >= 1
    assert result["machine"]["processor"]
    for one in result["measures"]:
        assert all(0 <= row["foreign"] <= 1 for row in one["rounds"]), one["name"]


def test_the_page_is_made_from_the_result(result: dict):
    from bench import report

    page = report.markdown(result)
    for one in result["measures"]:
        assert one["title"] in page
    assert result["machine"]["processor"] in page

"""Medians over rounds, and the aims."""

from typing import Any

from bench.medians import Aim, aims, find, medians, shield_share
from bench.paper_figures import COLUMNS, PRINTED


def row(case: str, stack: str, number: int, speed: float, **more: Any) -> dict[str, Any]:
    return {
        "case": case,
        "stack": stack,
        "clients": 300,
        "label": "User300",
        "round": number,
        "samples": 100,
        "ko": 0,
        **dict.fromkeys(COLUMNS, 1.0),
        "throughput_per_s": speed,
        "errors": {},
        "by_active": [[300, speed, 100]],
        "cut_short": False,
        "disturbed": False,
        "use": {
            "cpu_ms_each": {"platform": 0.1, "load": 0.02},
            "busy": 1,
            "foreign": 0,
            "stolen": 0,
        },
        **more,
    }


def test_the_figure_of_a_cell_is_the_median_of_its_undisturbed_rounds():
    rows = [row("tc3", "ours", n, speed) for n, speed in enumerate((10, 30, 20))]
    rows.append(row("tc3", "ours", 3, 1000, disturbed=True))
    (cell,) = medians(rows)
    assert cell["throughput_per_s"] == 20
    assert cell["by_active"] == [[300, 20, 100]]
    assert (cell["rounds"], cell["counted"]) == (4, 3)


def test_errors_of_all_rounds_are_counted_disturbed_or_not():
    rows = [
        row("tc3", "ours", 0, 1),
        row("tc3", "ours", 1, 1),
        row("tc3", "ours", 2, 1, ko=3, errors={"503": 3}, disturbed=True),
    ]
    (cell,) = medians(rows)
    assert (cell["ko"], cell["error_percent"], cell["errors"]) == (3, 1.0, {"503": 3})


def test_ratios_are_taken_of_the_same_case_and_number_of_clients():
    rows = [
        row("tc4", "ours", 0, 6400),
        row("tc4", "paper_stack", 0, 64, p99_ms=300),
        row("tc3", "paper_stack", 0, 1),
    ]
    found = {one["quantity"]: one for one in aims(medians(rows), rows, [])}
    speed = found["Balance inquiry : the paper's stack, with protection, at 300 clients"]
    assert (speed["value"], speed["verdict"]) == (100, "least met")
    p99 = found["Balance p99 : that of the paper's stack, with protection, at 300 clients"]
    assert (p99["value"], p99["verdict"]) == (0.00333, "aim met")
    without = found["Balance inquiry : the paper's stack, without protection, at 300 clients"]
    assert without["verdict"] == "not measured"


def test_the_shield_costs_what_its_runs_took_more_than_those_of_the_same_round():
    def used(case: str, number: int, platform_ms: float) -> dict[str, Any]:
        use = {"cpu_ms_each": {"platform": platform_ms, "load": 0.02}}
        return row(case, "ours", number, 1, use=use)

    rows = [used("tc3", 0, 0.100), used("tc4", 0, 0.102), used("tc3", 1, 0.2)]
    share = shield_share(rows)
    assert share is not None and abs(share - 0.02) < 1e-9
    assert shield_share(rows[2:]) is None


def test_an_aim_is_met_at_least_met_or_missed():
    assert Aim("", 5, 10, 10).verdict == "aim met"
    assert Aim("", 5, 10, 5).verdict == "least met"
    assert Aim("", 5, 10, 4.9).verdict == "missed"
    assert Aim("", 10, 4, 4, at_most=True).verdict == "aim met"
    assert Aim("", 10, 4, 11, at_most=True).verdict == "missed"
    assert Aim("", 10, 4, None, at_most=True).verdict == "not measured"


def test_the_printed_tables_have_their_totals_last():
    for case, table in PRINTED.items():
        shown = table.shown()
        assert shown[-1]["label"] == "Total", case
        assert sum(int(one["samples"]) for one in shown[:-1]) == shown[-1]["samples"]
    at_300 = PRINTED["tc4"].at(300)
    assert at_300 is not None and at_300["p99_ms"] == 2060.99


def test_a_cell_that_was_not_measured_is_not_found():
    assert find([], "tc1", "ours", 10) is None

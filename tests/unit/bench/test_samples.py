"""The paper's columns, counted as JMeter counts them."""

from array import array
from pathlib import Path

from bench.samples import BROKEN, Samples, by_active, columns, errors, percentile


def samples(*rows: tuple[float, float, int, int]) -> Samples:
    """Rows of start, end, status and active clients; each receives 2048 and sends 1024 bytes."""
    return Samples(
        array("d", [row[0] for row in rows]),
        array("d", [row[1] for row in rows]),
        array("H", [row[2] for row in rows]),
        array("L", [2048 for _ in rows]),
        array("L", [1024 for _ in rows]),
        array("H", [row[3] for row in rows]),
    )


def test_a_percentile_lies_between_two_samples_where_it_falls_between_them():
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.5
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0
    assert percentile([float(n) for n in range(1, 101)], 99) == 99.99
    assert percentile([7.0], 99) == 7.0
    assert percentile([1.0, 2.0], 1) == 1.0


def test_throughput_counts_from_the_first_start_to_the_last_end():
    found = columns("User2", [samples((10, 11, 200, 2), (10, 12, 201, 2))])
    assert found["samples"] == 2
    assert found["throughput_per_s"] == 1.0
    assert (found["received_kb_per_s"], found["sent_kb_per_s"]) == (2.0, 1.0)
    assert (found["average_ms"], found["min_ms"], found["max_ms"]) == (1500, 1000, 2000)


def test_whatever_is_no_success_is_a_ko():
    run = samples((0, 1, 200, 1), (1, 2, 503, 1), (2, 3, BROKEN, 1), (3, 4, 302, 1))
    assert columns("User1", [run])["ko"] == 3
    assert columns("User1", [run])["error_percent"] == 75
    assert errors(run) == {"503": 1, "connection broken": 1, "302": 1}


def test_a_total_leaves_out_the_time_between_runs():
    first, second = samples((0, 1, 200, 1)), samples((100, 101, 200, 1))
    assert columns("Total", [first, second])["throughput_per_s"] == 1.0


def test_the_curve_is_the_mean_at_each_number_of_active_clients():
    run = samples((0, 2, 200, 2), (0, 4, 200, 2), (2, 3, 200, 1))
    assert by_active(run) == [[1.0, 1000.0, 1], [2.0, 3000.0, 2]]
    assert by_active(run, points=1) == [[1.7, 2333.333, 3]]


def test_samples_are_what_they_were_after_being_kept(tmp_path: Path):
    run = samples((0.5, 2.25, 200, 2), (0, 4, 503, 1))
    run.keep(tmp_path / "kept")
    assert Samples.kept(tmp_path / "kept") == run

"""Charts are whole, say what they show, and are legible on dark pages."""

import xml.etree.ElementTree as ET

from bench.charts import Series, chart

LINES = [
    Series("ours", [(1, 0.5), (300, 28.0)], 0),
    Series("ours", [(50, 3.0)], 0, 1, True),
    Series("the paper & others", [(50, 191.6), (300, 1142.4)], 1, 2, True),
    Series("nobody", [], 2),
]


def test_every_line_with_points_is_drawn_and_named_once_in_the_key():
    drawn = chart("TC4", "clients", "ms", LINES, log_y=True)
    root = ET.fromstring(drawn)
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("ours") == 1
    assert "the paper & others" in texts
    assert "nobody" not in texts
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 2
    assert "prefers-color-scheme:dark" in drawn


def test_points_lie_within_the_picture():
    for log_x, log_y in ((False, False), (True, True)):
        root = ET.fromstring(chart("T", "x", "y", LINES, log_x=log_x, log_y=log_y))
        for one in root.iter("{http://www.w3.org/2000/svg}circle"):
            assert 0 <= float(one.attrib["cx"]) <= 760
            assert 0 <= float(one.attrib["cy"]) <= 420


def test_without_points_there_is_no_chart():
    assert chart("T", "x", "y", [Series("nobody", [])]) == ""

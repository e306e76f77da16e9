"""What a session list says of a program."""

import pytest

from jigap.members.device import label_of

CHROME = (
    "Mozilla/5.0 (Linux; Android 14; SM-S911N) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Mobile Safari/537.36"
)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        (CHROME, "Chrome on Android"),
        (CHROME.replace("Chrome/", "SamsungBrowser/25 Chrome/"), "Samsung Internet on Android"),
        (SAFARI, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Gecko Firefox/127.0", "Firefox on Windows"),
        ("curl/8.5.0", "curl"),
        ("python-httpx/0.28", "Python"),
        ("", ""),
        ("<script>alert(1)</script>", ""),
        ("x" * 100_000 + "chrome/", ""),
    ],
)  # fmt: skip
def test_a_program_is_named_in_words_of_ours(user_agent: str, label: str) -> None:
    assert label_of(user_agent) == label
    assert len(label) <= 40

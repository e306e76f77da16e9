"""What is known of where a request comes from."""

import pytest

from jigap.members.visitor import label_of, network_of

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


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_customer_is_one_address(address: str, network: str) -> None:
    assert network_of(address) == network

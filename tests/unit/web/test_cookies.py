"""Which requests of a cookie session are believed to come from a page of ours."""

import pytest

from jigap.web.cookies import CsrfMissing, check_origin, cleared, made, read

TOKEN = "c0ffee"
RIGHT = {"x-csrf-token": TOKEN, "host": "pay.example:8700"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"sec-fetch-site": "same-origin"},
        {"origin": "http://pay.example:8700"},
        {"origin": "https://pay.example:8700", "sec-fetch-site": "same-origin"},
        {"origin": "http://PAY.example:8700"},
    ],
)
def test_a_page_of_ours_with_its_token_is_believed(more: dict[str, str]) -> None:
    check_origin("POST", RIGHT | more, "http", TOKEN)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "pay.example:8700"},
        RIGHT | {"x-csrf-token": ""},
        RIGHT | {"x-csrf-token": "c0ffe"},
        RIGHT | {"x-csrf-token": "C0FFEE"},
        RIGHT | {"x-csrf-token": "\udcff"},
        RIGHT | {"sec-fetch-site": "cross-site"},
        RIGHT | {"sec-fetch-site": "same-site"},
        RIGHT | {"sec-fetch-site": "none"},
        RIGHT | {"origin": "null"},
        RIGHT | {"origin": "http://evil.example"},
        RIGHT | {"origin": "http://pay.example"},
        RIGHT | {"origin": "http://pay.example:8700.evil.example"},
        RIGHT | {"origin": "ftp://pay.example:8700"},
        RIGHT | {"origin": "http://[", "host": "["},
        {"x-csrf-token": TOKEN, "origin": "http://"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", ""])
def test_anything_else_is_refused(method: str, headers: dict[str, str]) -> None:
    with pytest.raises(CsrfMissing):
        check_origin(method, headers, "http", TOKEN)


def test_plain_http_does_not_speak_for_https() -> None:
    with pytest.raises(CsrfMissing):
        check_origin("POST", RIGHT | {"origin": "http://pay.example:8700"}, "https", TOKEN)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_needs_no_token(method: str) -> None:
    check_origin(method, {"sec-fetch-site": "cross-site"}, "http", TOKEN)


def test_a_cookie_is_for_us_alone() -> None:
    for secure in (True, False):
        header = made("jigap_session", "t0ken", secure=secure, kept_s=60).to_header(header="")
        parts = {part.strip().lower() for part in header.split(";")}
        assert {"httponly", "samesite=strict", "path=/", "max-age=60"} <= parts
        assert ("secure" in parts) == secure
        assert not any(part.startswith("domain") for part in parts)
        assert header.startswith("__Host-jigap_session=" if secure else "jigap_session=")


def test_with_https_only_the_cookie_with_the_prefix_counts_and_no_long_one_is_read() -> None:
    both = {"jigap_session": "plain", "__Host-jigap_session": "secure"}
    assert read(both, "jigap_session", secure=True) == "secure"
    assert read({"jigap_session": "planted"}, "jigap_session", secure=True) is None
    assert read(both, "jigap_session", secure=False) == "plain"
    assert read({"jigap_session": "x" * 201}, "jigap_session", secure=False) is None
    assert read({}, "jigap_session", secure=True) is None
    assert {one.key for one in cleared("jigap_session")} == set(both)

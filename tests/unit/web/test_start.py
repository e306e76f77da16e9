"""The start page: two languages, no script, nothing from anywhere else."""

import re

import pytest

from jigap.web.start import WORDS, language_of

from .platform import Site


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("de,ko;q=0.5", "ko"),
        ("de", "en"),
        ("ko;q=zero,en;q=0.1", "en"),
        ("*", "en"),
    ],
)
def test_speaks_the_language_that_is_liked_best(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


def test_both_languages_say_everything() -> None:
    assert WORDS["en"].keys() == WORDS["ko"].keys()


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_the_page_asks_nothing_of_anybody_else(here: Site, language: str) -> None:
    response = await here.http.get("/", headers={"accept-language": language})
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-language"] == language
    assert f'<html lang="{language}">' in response.text
    assert WORDS[language]["promise"] in response.text
    assert "<script" not in response.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', response.text)
    assert "style=" not in response.text, "the policy forbids inline styles"
    assert "$" not in response.text, "every place is filled"


async def test_everything_the_page_links_to_is_there(here: Site) -> None:
    page = (await here.http.get("/")).text
    links = set(re.findall(r'(?:src|href)="(/[^"]*)"', page))
    assert {"/openapi.json", "/readyz", "/healthz"} <= links
    assert any(one.startswith("/static/start.css?v=") for one in links), "cached for a week"
    for link in links:
        assert (await here.http.get(link)).status_code in (200, 503)

"""Nothing exists undocumented, and nothing documented does not exist."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
_spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert _spec is not None
assert _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


@pytest.mark.parametrize("name", sorted(generate.pages()))
def test_reference_page_is_what_the_code_says(name: str):
    """`make docs` writes it again."""
    assert (REFERENCE / name).read_text(encoding="utf-8") == generate.pages()[name]


def documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


ASVS = ROOT / "docs" / "security" / "asvs.md"
#: ASVS 5.0.0, chapters V6 and V7: how many requirements each section has, and which of them are of
#: level 3 and so not answered.
ASVS_SECTIONS = {
    "6.1": (3, ()), "6.2": (12, ()), "6.3": (8, (5, 6, 7, 8)), "6.4": (6, (5, 6)),
    "6.5": (8, (6, 7, 8)), "6.6": (4, (4,)), "6.7": (2, (1, 2)), "6.8": (4, ()),
    "7.1": (3, ()), "7.2": (4, ()), "7.3": (2, ()), "7.4": (5, ()), "7.5": (3, (3,)),
    "7.6": (2, ()),
}  # fmt: skip
ASVS_LEVEL_1 = {
    *("6.1.1", "6.2.1", "6.2.2", "6.2.3", "6.2.4", "6.2.5", "6.2.6", "6.2.7", "6.2.8"),
    *("6.3.1", "6.3.2", "6.4.1", "6.4.2"),
    *("7.2.1", "7.2.2", "7.2.3", "7.2.4", "7.4.1", "7.4.2"),
}


def asvs_rows() -> dict[str, list[str]]:
    lines = re.findall(r"^\| (\d+\.\d+\.\d+) \|(.*)\|$", ASVS.read_text("utf-8"), re.MULTILINE)
    return {number: [cell.strip() for cell in rest.split("|")] for number, rest in lines}


def test_every_requirement_of_asvs_at_level_1_and_2_has_its_row():
    wanted = {
        f"{section}.{number}"
        for section, (count, level_3) in ASVS_SECTIONS.items()
        for number in range(1, count + 1)
        if number not in level_3
    }
    assert set(asvs_rows()) == wanted
    for number, (level, *_) in asvs_rows().items():
        assert level == ("1" if number in ASVS_LEVEL_1 else "2"), number


@pytest.mark.parametrize("number", sorted(asvs_rows()))
def test_a_row_of_asvs_names_tests_that_exist_or_a_reason(number: str):
    _, _, state, how, tests = asvs_rows()[number]
    assert state in ("met", "partly", "not met", "not applicable")
    assert how or state == "met"
    named = re.findall(r"\[(test_\w+)\]\(\.\./\.\./(tests/[\w/]+\.py)\)", tests)
    if not named:
        assert tests == "reason" and how, f"{number} has neither a test nor a reason"
    for name, path in named:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"{path}::{name}"


def test_every_make_target_in_the_documents_exists():
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in documents():
        named = re.findall(r"`make ([a-z0-9-]+)", path.read_text(encoding="utf-8"))
        assert set(named) <= targets, path

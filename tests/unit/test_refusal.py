"""Every expected "no" can be told apart by its code, for ever."""

import importlib
import pkgutil
import re

import pytest

import jigap
from jigap.refusal import Kind, Refusal, every_refusal


def import_everything() -> None:
    for module in pkgutil.walk_packages(jigap.__path__, "jigap."):
        if not re.search(r"\.(__main__|env|versions\..*|simulated)$", module.name):
            importlib.import_module(module.name)


def ours() -> list[type[Refusal]]:
    """The refusals of the package; tests may define some of their own."""
    import_everything()
    return [one for one in every_refusal() if one.__module__.startswith("jigap.")]


def test_codes_are_unique_and_snake_case():
    codes = [refusal.code for refusal in ours()]
    assert len(codes) == len(set(codes)), sorted(codes)
    assert [code for code in codes if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", code)] == []


def test_every_refusal_says_what_sort_of_no_it_is():
    assert len(ours()) > 5
    for refusal in ours():
        assert isinstance(refusal.kind, Kind), refusal
        assert isinstance(refusal.retryable, bool), refusal
        assert (refusal.__doc__ or "").strip(), f"{refusal} has no docstring for the reference"


def test_refusal_carries_sentence_facts_and_when_to_come_back():
    class TooSoon(Refusal):
        kind = Kind.TOO_MANY

    refusal = TooSoon("Wait a little.", retry_after_s=30, asked=5, allowed=3)
    assert str(refusal) == refusal.detail == "Wait a little."
    assert refusal.retry_after_s == 30
    assert refusal.facts == {"asked": 5, "allowed": 3}


def test_class_without_a_code_of_its_own_is_not_listed():
    class Nameless(Refusal):
        pass

    assert Nameless not in every_refusal()
    with pytest.raises(AttributeError):
        _ = Nameless.code

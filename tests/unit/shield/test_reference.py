import pytest

from jigap.shield.address import parse, parse_network
from jigap.shield.reference import References, ReferenceUnknown, tail_of
from jigap.shield.verdict import Rule

NOW_S = 1_795_000_000
REFERENCES = References(bytes(range(32)))


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize(
    ("address", "network"),
    [("203.0.113.7", "203.0.113.7/32"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64")],
)
def test_a_reference_says_when_where_and_by_which_rule(rule: Rule, address: str, network: str):
    text = REFERENCES.make(tail_of(parse(address)), rule, NOW_S + 0.7, "money")
    found = REFERENCES.open(text, NOW_S + 5)
    assert found.at_s == NOW_S
    assert found.rule is rule
    assert found.route_class == "money"
    assert found.network == parse_network(network)


def test_it_may_be_typed_as_people_do():
    text = REFERENCES.make(tail_of(parse("203.0.113.7")), Rule.BAN, NOW_S)
    assert len(text) == 29
    typed = text.upper().replace("-", " ").replace("0", "O").replace("1", "I")
    assert REFERENCES.open(typed, NOW_S) == REFERENCES.open(text, NOW_S)


def test_it_shows_neither_address_nor_rule():
    """One bit of difference changes all of it."""
    one = REFERENCES.make(tail_of(parse("203.0.113.6")), Rule.BAN, NOW_S)
    other = REFERENCES.make(tail_of(parse("203.0.113.7")), Rule.BAN, NOW_S)
    assert sum(a != b for a, b in zip(one, other, strict=True)) > 15


@pytest.mark.parametrize("text", ["", "abc", "u" * 26, "0" * 26, "0" * 25 + "1", "é" * 26])
def test_refuses_what_is_no_reference(text: str):
    with pytest.raises(ReferenceUnknown):
        REFERENCES.open(text, NOW_S)


def test_refuses_a_reference_with_one_digit_changed():
    text = REFERENCES.make(tail_of(parse("203.0.113.7")), Rule.BAN, NOW_S)
    for at, digit in enumerate(text[:-1]):
        if digit != "-":
            changed = text[:at] + ("7" if digit != "7" else "8") + text[at + 1 :]
            with pytest.raises(ReferenceUnknown):
                REFERENCES.open(changed, NOW_S)


def test_refuses_the_reference_of_another_platform():
    text = References(bytes(32)).make(tail_of(parse("203.0.113.7")), Rule.BAN, NOW_S)
    with pytest.raises(ReferenceUnknown):
        REFERENCES.open(text, NOW_S)


def test_refuses_one_from_the_future():
    text = REFERENCES.make(tail_of(parse("203.0.113.7")), Rule.BAN, NOW_S + 10_000)
    with pytest.raises(ReferenceUnknown):
        REFERENCES.open(text, NOW_S)

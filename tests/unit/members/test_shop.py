"""What a shop may be called, and which names read the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jigap.members.shop import (
    CHARS_MAX,
    ShopNameMalformed,
    ShopNameReserved,
    shop_key,
    shop_name_of,
)
from jigap.refusal import Refusal


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("민지네 과일가게", "민지네 과일가게"),
        ("  Café Münji ", "Café Münji"),
        ("Phở Łódź", "Phở Łódź"),
        ("㈜한밭 커피", "(주)한밭 커피"),
        ("ＣＯＦＦＥＥ", "COFFEE"),
        ("やまと寿司 2호점", "やまと寿司 2호점"),
        ("7-Eleven & Sons", "7-Eleven & Sons"),
        ("Badminton", "Badminton"),
        ("지갑가게", "지갑가게"),
    ],
)
def test_a_shop_may_be_called(text, name):
    assert shop_name_of(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "가",
        "가" * (CHARS_MAX + 1),
        "두  칸",
        "줄\n바꿈",
        "tab\tshop",
        "\u202eyppah shop",
        "\u2066isolate\u2069",
        "zero\u200bwidth",
        "soft\u00adhyphen",
        "빈칸\u3164가게",
        "빈칸\u115f가게",
        "pаypal",  # a Cyrillic letter in it
        "ji\u0261ap",  # the phonetic sign that is drawn like a g
        "\u1d0a\u026a\u0262\u1d00\u1d18",  # small capitals
        "\u01c0otte",  # a click that is drawn like an l
        "Ελληνικά",
        "متجر",
        "z\u0335\u0321a\u0335lgo",
        "ㅋㅋ 분식",
        "shop 😀",
        "<b>shop</b>",
        "1234",
        "\ud800\ud800가게",
        "\ue000가게",
    ],
)
def test_nobody_is_called(text):
    with pytest.raises(ShopNameMalformed):
        shop_name_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "jigap",
        "JIGAP Pay",
        "ｊｉｇａｐ",
        "J-i-g-a-p",
        "Jígap",
        "지갑",
        "지갑 고객센터",
        "운영자",
        "Admin",
        "Support!",
        "Token Owner",
        "treasury",
    ],
)
def test_nobody_passes_for_us(text):
    with pytest.raises(ShopNameReserved):
        shop_name_of(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Minji Café", "minji cafe"),
        ("민지네 가게", "민지네가게"),
        ("COFFEE & Tea", "ｃｏｆｆｅｅ tea"),
        ("Straße", "STRASSE"),
    ],
)
def test_names_that_read_the_same_are_the_same(one, other):
    assert shop_key(one) == shop_key(other)


def test_names_that_differ_in_a_letter_differ():
    assert shop_key("민지네 가게") != shop_key("민지내 가게")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_whatever_is_taken_is_short_printable_and_taken_again_as_it_is(text):
    try:
        name = shop_name_of(text)
    except Refusal:
        return
    assert name.isprintable()
    assert len(name) <= CHARS_MAX
    assert shop_name_of(name) == name
    assert shop_key(name)

"""What a passphrase may be."""

import unicodedata

import pytest

from jigap.keys import PassphraseWeak
from jigap.keys.passphrase import BYTES_MAX, chosen, normalized


@pytest.mark.parametrize(
    "text", ["correct horse", "비밀번호여덟글자", "🐴🔋📎✅🐴🔋📎✅", "a b c d e"]
)
def test_ordinary_passphrases_are_taken(text):
    assert chosen(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "short", "1234567", "aaaaaaaa", "abcabcabc", "passw\x00rd!", "tab\there!", "\ud800" * 9],
)
def test_weak_or_unwritable_passphrases_are_refused(text):
    with pytest.raises(PassphraseWeak):
        chosen(text)


def test_length_counts_characters_as_people_see_them_composed():
    """Eight syllables are eight characters, however the keyboard sent them."""
    sent = unicodedata.normalize("NFD", "비밀번호여덟글자")
    assert len(sent) > 8
    assert chosen(sent) == "비밀번호여덟글자"
    seven = unicodedata.normalize("NFD", "비밀번호여덟글")
    with pytest.raises(PassphraseWeak):
        chosen(seven)


def test_the_longest_passphrase_is_exact():
    words = "abcdefgh" * (BYTES_MAX // 8)
    assert chosen(words) == words
    with pytest.raises(PassphraseWeak):
        chosen(words + "x")


def test_both_forms_of_hangul_are_one_passphrase():
    assert normalized(unicodedata.normalize("NFD", "지갑")) == normalized("지갑")


def test_the_refusal_does_not_repeat_the_passphrase():
    with pytest.raises(PassphraseWeak) as told:
        chosen("geheim1")
    assert "geheim1" not in str(told.value) + str(told.value.facts) + told.value.hint

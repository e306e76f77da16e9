"""Whatever a certificate authority sends, the answer is one of four and nothing raises."""

from hypothesis import given, settings
from hypothesis import strategies as st

from jigap.ca import AlreadyIssued, InDoubt, Issued, RefusedByCa
from jigap.ca.http import _answer, _json, _Reply
from jigap.chain import symid

KEY_HASH = bytes(20)
words = st.sampled_from(["result", "symId", "symid", "txhash", "message", "citizenBlockList"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.binary(min_size=10, max_size=10).map(bytes.hex),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(status=st.integers(100, 599), body=values)
def test_any_json_is_one_of_four_answers(status, body):
    for name, hash_name in (("symId", None), ("symid", "txhash")):
        answer = _answer(_Reply(status, body), name, hash_name, KEY_HASH)
        assert isinstance(answer, Issued | AlreadyIssued | InDoubt | RefusedByCa)
        if isinstance(answer, Issued):
            assert status in (200, 201) and symid.is_user(answer.symid)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_json_or_nothing(content):
    _json(content)

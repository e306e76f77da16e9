"""One mined transaction beside our records of it."""

from dataclasses import replace

import pytest

from jigap.auditor import SYM, Mined, Moved, Prepared, judge

TOKEN, ALICE, BOB = b"\x77" * 10, b"\x0a" * 10, b"\x0b" * 10
PAID = Moved("transfer", TOKEN, ALICE, BOB, 500)
NOTHING = Moved(None, None, None, None, None)
PREPARED = Prepared(b"h" * 32, b"c" * 32, "confirmed", "tr_1", PAID)
PAYMENT = Mined(b"h" * 32, True, PAID, "TOK", False, True, PREPARED, None)
FOREIGN = replace(PAYMENT, prepared=None, noted=PAID)


def checks(mined: Mined) -> list[str]:
    return [found.check for found in judge(mined)]


def test_a_payment_that_says_what_the_chain_did_is_right() -> None:
    assert judge(PAYMENT) == []


@pytest.mark.parametrize(
    "said",
    [
        replace(PAID, amount=501),
        replace(PAID, target=ALICE),
        replace(PAID, source=BOB),
        replace(PAID, contract=b"\x78" * 10),
        replace(PAID, kind="mint"),
    ],
)
def test_a_record_that_says_anything_else_is_a_difference(said: Moved) -> None:
    (found,) = judge(replace(PAYMENT, prepared=replace(PREPARED, said=said)))
    assert (found.check, found.token) == ("record_differs", "TOK")
    assert found.expected == str(PAID)
    assert str(said) in found.found


@pytest.mark.parametrize("state", ["signed", "unknown", "sent", "cancelling", "refused", "void"])
def test_a_mined_payment_must_be_confirmed(state: str) -> None:
    assert checks(replace(PAYMENT, prepared=replace(PREPARED, state=state))) == ["state_differs"]


def test_a_failed_payment_must_be_refused_and_moves_nothing() -> None:
    failed = replace(PAYMENT, succeeded=False, moved=NOTHING)
    assert checks(failed) == ["state_differs"]
    assert judge(replace(failed, prepared=replace(PREPARED, state="refused"))) == []


def test_a_mined_cancel_makes_its_payment_void() -> None:
    cancel = Moved("remit", None, ALICE, ALICE, 0)
    cancelled = replace(PAYMENT, hash=PREPARED.cancel_hash, moved=cancel)
    assert checks(cancelled) == ["state_differs"]
    assert judge(replace(cancelled, prepared=replace(PREPARED, state="void"))) == []


def test_a_lost_payment_record_is_a_difference() -> None:
    lost = replace(PAYMENT, prepared=replace(PREPARED, said=None))
    assert checks(lost) == ["record_lost"]


def test_what_a_member_did_alone_must_be_noted_as_it_was() -> None:
    assert judge(FOREIGN) == []
    assert checks(replace(FOREIGN, noted=None)) == ["not_noted"]
    assert checks(replace(FOREIGN, noted=replace(PAID, amount=1))) == ["note_differs"]


def test_what_took_a_payments_nonce_must_be_noted_and_the_payment_void() -> None:
    other = replace(PAYMENT, hash=b"x" * 32, noted=PAID)
    assert checks(other) == ["state_differs"]
    assert judge(replace(other, prepared=replace(PREPARED, state="void"))) == []
    unnoted = replace(other, prepared=replace(PREPARED, state="void"), noted=None)
    assert checks(unnoted) == ["not_noted"]


def test_what_moved_nothing_or_nobodys_money_needs_no_note() -> None:
    assert judge(replace(FOREIGN, moved=NOTHING, noted=None)) == []
    assert judge(replace(FOREIGN, member=False, noted=None)) == []


def test_a_service_account_does_nothing_that_we_did_not_record() -> None:
    pause = Moved(None, TOKEN, None, None, None)
    for moved in (PAID, pause, Moved("remit", None, ALICE, BOB, 5)):
        foreign = replace(FOREIGN, moved=moved, service=True, member=False, token=SYM)
        (found,) = judge(foreign)
        assert (found.check, found.token) == ("not_ours", SYM)
    cancel = Moved("remit", None, ALICE, ALICE, 0)
    assert judge(replace(FOREIGN, moved=cancel, service=True, member=False)) == []

"""The rules a payment is refused by, one row per outcome, in their order."""

import pytest

from jigap.money import parse_amount
from jigap.tokens import KeyReused
from jigap.transfers import refusals
from jigap.transfers.transfer import (
    UNFINISHED_MAX,
    Caution,
    Intent,
    Spending,
    check_acknowledged,
    check_spending,
    check_words,
    same_request,
)

ONE = parse_amount("1")
INTENT = Intent("mb_2", "EST", ONE, "lunch")


def spending(**changes: int) -> Spending:
    usual = {
        "holding": 100 * ONE,
        "on_hold": 0,
        "spent_today": 0,
        "payment_limit": 50 * ONE,
        "daily_limit": 80 * ONE,
        "unfinished": 0,
        "decimals": 18,
    }
    return Spending(**usual | changes)


@pytest.mark.parametrize(
    ("amount", "changes", "refusal"),
    [
        (ONE, {}, None),
        (50 * ONE, {}, None),
        (50 * ONE + 1, {}, refusals.PaymentLimit),
        (41 * ONE, {"spent_today": 40 * ONE}, refusals.DailyLimit),
        (40 * ONE, {"spent_today": 40 * ONE}, None),
        (ONE, {"unfinished": UNFINISHED_MAX}, refusals.LaneFull),
        (ONE, {"holding": ONE - 1}, refusals.BalanceInsufficient),
        (ONE, {"on_hold": 100 * ONE}, refusals.BalanceInsufficient),
        (ONE, {"on_hold": 99 * ONE}, None),
        (60 * ONE, {"holding": 0, "unfinished": UNFINISHED_MAX}, refusals.PaymentLimit),
    ],
)
def test_spending_rules(amount, changes, refusal):
    if refusal is None:
        check_spending(amount, spending(**changes))
    else:
        with pytest.raises(refusal):
            check_spending(amount, spending(**changes))


DELAYS_S = {Caution.NEW_PAYEE: 60, Caution.LARGE_AMOUNT: 600}
WARY = {"new_payee_warn": 10 * ONE, "large_amount_warn": 20 * ONE}


@pytest.mark.parametrize(
    ("amount", "changes", "refusal", "warnings"),
    [
        (9 * ONE, {"payee_is_new": True}, None, []),
        (10 * ONE, {"payee_is_new": True}, refusals.NewPayeeWarning, ["new_payee"]),
        (19 * ONE, {}, None, []),
        (20 * ONE, {}, refusals.LargeAmountWarning, ["large_amount"]),
        (
            20 * ONE,
            {"payee_is_new": True},
            refusals.NewPayeeWarning,
            ["new_payee", "large_amount"],
        ),
        (20 * ONE, {"payee_is_new": True, "new_payee_warn": 0, "large_amount_warn": 0}, None, []),
        (20 * ONE, {"large_amount_warn": 0}, None, []),
        (
            20 * ONE,
            {"payee_is_new": True, "new_payee_warn": 0},
            refusals.LargeAmountWarning,
            ["large_amount"],
        ),
    ],
)
def test_a_payer_is_warned_of_everything_at_once(amount, changes, refusal, warnings):
    told = spending(**WARY | changes)
    if refusal is None:
        assert check_acknowledged(amount, told, False, DELAYS_S) == 0
        return
    with pytest.raises(refusal) as refused:
        check_acknowledged(amount, told, False, DELAYS_S)
    assert refused.value.facts["warnings"] == warnings
    delay_s = max(DELAYS_S[Caution(one)] for one in warnings)
    assert refused.value.facts["delay_s"] == delay_s
    assert check_acknowledged(amount, told, True, DELAYS_S) == delay_s, "the longest delay"


def test_holds_above_the_balance_leave_nothing_free():
    assert spending(holding=1, on_hold=2).available == 0


def test_refuses_a_payment_of_nothing():
    with pytest.raises(refusals.AmountZero):
        check_words(Intent("mb_2", "EST", 0, ""))


def test_refuses_a_memo_that_is_too_long():
    with pytest.raises(refusals.MemoTooLong):
        check_words(Intent("mb_2", "EST", 1, "가" * 201))
    check_words(Intent("mb_2", "EST", 1, "가" * 200))


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("recipient", Intent("mb_3", "EST", ONE, "lunch")),
        ("token", Intent("mb_2", "ABC", ONE, "lunch")),
        ("amount", Intent("mb_2", "EST", ONE + 1, "lunch")),
        ("memo", Intent("mb_2", "EST", ONE, "dinner")),
    ],
)
def test_a_key_used_with_another_body_names_the_field(field, asked):
    with pytest.raises(KeyReused) as refused:
        same_request(INTENT, asked)
    assert refused.value.facts["field"] == field


def test_the_same_body_is_the_same_request():
    same_request(INTENT, Intent("mb_2", "EST", ONE, "lunch"))

"""The day's limit holds in whatever order payments are made, end, wait and are taken back."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, select

from jigap.clock import DAY_MS, day_of
from jigap.database import metadata
from jigap.transfers import records, refusals
from jigap.transfers.transfer import Spending, check_limits

LIMIT = 10
NOW_MS = 1_700_000_000_000

ACTS = st.one_of(
    st.tuples(st.just("send"), st.integers(1, 8), st.booleans()),
    st.tuples(st.sampled_from(["end well", "void", "withdraw", "confirm"]), st.integers(0, 9)),
    st.tuples(st.just("next day")),
)


@dataclass
class Payment:
    """What the test knows of one: against which day it counts, None if against none."""

    id: str
    amount: int
    delayed: bool
    day: str | None


class Books:
    """The tables beside a list that is too simple to be wrong."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.now_ms = NOW_MS
        self.payments: list[Payment] = []

    def do(self, act: Any) -> None:
        match act:
            case ("send", amount, delayed):
                self._send(amount, delayed)
            case ("next day",):
                self.now_ms += DAY_MS
            case ("confirm", which) if self._is(which, delayed=True):
                self._confirm(self.payments[which])
            case ("withdraw", which) if self._is(which, delayed=True):
                self._give_back(self.payments[which])
            case ("void", which) if self._is(which, delayed=False):
                self._give_back(self.payments[which])
            case _:
                pass  # a payment that ends well counts for ever

    def _is(self, which: int, *, delayed: bool) -> bool:
        return which < len(self.payments) and self.payments[which].delayed is delayed

    def _room(self, amount: int, counted: int = 0) -> bool:
        today = records.spent(self.connection, "mb_1", "EST", day_of(self.now_ms)) - counted
        try:
            check_limits(amount, Spending(0, 0, today, LIMIT, LIMIT, 0, 0))
        except refusals.DailyLimit:
            return False
        return True

    def _send(self, amount: int, delayed: bool) -> None:
        if not self._room(amount):
            return
        made = Payment(f"tr_{len(self.payments)}", amount, delayed, day_of(self.now_ms))
        self.payments.append(made)
        records.add(
            self.connection,
            id=made.id,
            member_id="mb_1",
            idempotency_key=made.id,
            recipient="mb_2",
            sender_symid=bytes(10),
            recipient_symid=bytes(10),
            token="EST",
            contract=bytes(10),
            amount=amount,
            memo_sealed=b"",
            created_ms=self.now_ms,
            limit_day=made.day,
        )

    def _confirm(self, one: Payment) -> None:
        today = day_of(self.now_ms)
        if one.day is not None and self._room(one.amount, one.amount if one.day == today else 0):
            records.count(self.connection, one.id, today)
            one.day, one.delayed = today, False

    def _give_back(self, one: Payment) -> None:
        records.give_back(self.connection, one.id)
        one.day = None

    def check(self) -> None:
        expected: Counter[str] = Counter()
        for one in self.payments:
            if one.day is not None:
                expected[one.day] += one.amount
        table = records.spending_days
        counted = {row.day: row.amount for row in self.connection.execute(select(table))}
        assert {day: amount for day, amount in counted.items() if amount} == dict(expected)
        assert all(amount <= LIMIT for amount in counted.values())


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTS, max_size=30))
def test_a_day_never_holds_more_than_its_limit_and_nothing_is_given_back_twice(acts):
    engine = create_engine("sqlite://")
    tables = [records.transfers, records.spending_days]
    metadata.create_all(engine, tables=tables)
    with engine.begin() as connection:
        books = Books(connection)
        for act in acts:
            books.do(act)
            books.check()
    engine.dispose()

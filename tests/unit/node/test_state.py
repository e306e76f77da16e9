"""What the state keeps, and that nothing is kept in two ways."""

from dataclasses import replace

from tests.unit.node.people import ALICE, BOB, registered

from jigap.chain.sct20 import Contract
from jigap.node.state import Account, Change, MemoryReader, Overlay, State, element

CONTRACT = bytes(range(10))


def changed(*, over: MemoryReader | None = None) -> tuple[Overlay, State]:
    overlay = Overlay(over or MemoryReader())
    return overlay, State(overlay)


def test_accounts_read_back_whatever_their_size() -> None:
    for account in (
        Account(1, 0, 0),
        Account(0, 1, 0),
        Account(0, 0, 1),
        Account(2**255, 2**63, 2**200),
    ):
        _, state = changed()
        state.put_account(ALICE.symid, account)
        assert state.account(ALICE.symid) == account


def test_what_says_nothing_is_deleted_and_not_stored() -> None:
    overlay, state = changed()
    state.put_account(ALICE.symid, Account(5, 0, 0))
    state.put_token_balance(CONTRACT, ALICE.symid, 7)
    state.put_allowance(CONTRACT, ALICE.symid, BOB.symid, 9)
    memory = MemoryReader()
    memory.apply(overlay.changes())
    assert len(memory.entries) == 3

    overlay, state = changed(over=memory)
    state.put_account(ALICE.symid, Account(0, 0, 0))
    state.put_token_balance(CONTRACT, ALICE.symid, 0)
    state.put_allowance(CONTRACT, ALICE.symid, BOB.symid, 0)
    changes = overlay.changes()
    assert {change.after for change in changes.values()} == {None}
    memory.apply(changes)
    assert memory.entries == {}


def test_a_value_set_back_is_no_change() -> None:
    memory = MemoryReader({b"a" + ALICE.symid: b"\1\0\5"})
    overlay, state = changed(over=memory)
    state.put_account(ALICE.symid, Account(6))
    state.put_account(ALICE.symid, Account(5))
    state.put_account(BOB.symid, Account(1))
    state.put_account(BOB.symid, Account(0))
    assert overlay.changes() == {}


def test_changes_come_sorted_with_what_was_before() -> None:
    memory = MemoryReader({b"b": b"1"})
    overlay = Overlay(memory)
    overlay.put(b"c", b"3")
    overlay.put(b"b", b"2")
    overlay.put(b"a", b"1")
    assert list(overlay.changes().items()) == [
        (b"a", Change(None, b"1")),
        (b"b", Change(b"1", b"2")),
        (b"c", Change(None, b"3")),
    ]


def test_elements_cannot_be_confused_by_moving_a_byte() -> None:
    assert element(b"ab", b"c") != element(b"a", b"bc")
    assert element(b"", b"x") != element(b"x", b"")


def test_a_citizen_is_found_by_symid_and_by_key() -> None:
    _, state = changed()
    record = registered(ALICE, 0).transaction.record()
    state.put_citizen(record)
    assert state.citizen(ALICE.symid) == record
    assert state.citizen_of_key(record.key_hash) == ALICE.symid
    assert state.citizen_count() == 1
    assert state.citizen(BOB.symid) is None


def test_a_new_key_frees_the_old_one_and_counts_nobody_twice() -> None:
    _, state = changed()
    record = registered(ALICE, 0).transaction.record()
    state.put_citizen(record)
    state.put_citizen(replace(record, key_hash=b"n" * 20))
    assert state.citizen_of_key(record.key_hash) is None
    assert state.citizen_of_key(b"n" * 20) == ALICE.symid
    assert state.citizen_count() == 1


def test_contracts_read_back() -> None:
    _, state = changed()
    contract = Contract(ALICE.symid, BOB.symid, "한국돈", "KRW", 2**256 - 1, paused=True)
    state.put_contract(CONTRACT, contract)
    assert state.contract(CONTRACT) == contract
    assert state.contract(BOB.symid) is None

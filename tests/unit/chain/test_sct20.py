"""The rule book of SCT-20 as a table: one row per outcome.

The world: CREATOR made the token of 100 for OWNER, who holds 60 of it; BOB holds 40. OWNER allows
BOB 30, BOB allows CAROL 500. CAROL holds nothing, EVE is no citizen.
"""

from dataclasses import dataclass, replace

import pytest

from jigap.chain import rlp, sct20
from jigap.chain.invalid import MalformedCall, UnsupportedTemplate
from jigap.chain.sct20 import (
    AMOUNT_MAX,
    Approve,
    Burn,
    Call,
    Contract,
    Create,
    DecreaseApprove,
    Effects,
    ErrCode,
    Mint,
    Pause,
    SctFailure,
    Transfer,
    TransferFrom,
    TransferOwner,
    Unpause,
)

CREATOR, OWNER, BOB, CAROL, EVE = (bytes(9) + bytes((number,)) for number in range(1, 6))

TOKEN = Contract(CREATOR, OWNER, "Point", "PNT", 100)
PAUSED = replace(TOKEN, paused=True)


@dataclass(frozen=True)
class Book:
    """A ledger that only answers."""

    balances: dict[bytes, int]
    allowances: dict[tuple[bytes, bytes], int]

    def balance(self, symid: bytes) -> int:
        return self.balances.get(symid, 0)

    def allowance(self, owner: bytes, spender: bytes) -> int:
        return self.allowances.get((owner, spender), 0)

    def is_citizen(self, symid: bytes) -> bool:
        return symid in (CREATOR, OWNER, BOB, CAROL)


BOOK = Book({OWNER: 60, BOB: 40}, {(OWNER, BOB): 30, (BOB, CAROL): 500})


@pytest.mark.parametrize(
    ("sender", "call", "contract", "effects"),
    [
        (CAROL, Create("Point", "PNT", 9, BOB), None,
            Effects(Contract(CAROL, BOB, "Point", "PNT", 9), {BOB: 9})),
        (CAROL, Create("Point", "PNT", 0, CAROL), None,
            Effects(Contract(CAROL, CAROL, "Point", "PNT", 0), {CAROL: 0})),
        (CAROL, Create("N" * 20, "S" * 10, AMOUNT_MAX, BOB), None,
            Effects(Contract(CAROL, BOB, "N" * 20, "S" * 10, AMOUNT_MAX), {BOB: AMOUNT_MAX})),
        (BOB, Transfer(OWNER, 10), TOKEN, Effects(None, {BOB: 30, OWNER: 70})),
        (BOB, Transfer(CAROL, 40), TOKEN, Effects(None, {BOB: 0, CAROL: 40})),
        (CAROL, Transfer(BOB, 0), TOKEN, Effects(None, {CAROL: 0, BOB: 40})),
        (BOB, TransferFrom(OWNER, CAROL, 30), TOKEN,
            Effects(None, {OWNER: 30, CAROL: 30}, {(OWNER, BOB): 0})),
        (BOB, TransferFrom(OWNER, BOB, 5), TOKEN,
            Effects(None, {OWNER: 55, BOB: 45}, {(OWNER, BOB): 25})),
        (OWNER, Approve(BOB, 7), TOKEN, Effects(allowances={(OWNER, BOB): 7})),
        (CAROL, Approve(BOB, AMOUNT_MAX), TOKEN, Effects(allowances={(CAROL, BOB): AMOUNT_MAX})),
        (OWNER, DecreaseApprove(BOB, 30), TOKEN, Effects(allowances={(OWNER, BOB): 0})),
        (OWNER, Mint(CAROL, 11), TOKEN, Effects(replace(TOKEN, total=111), {CAROL: 11})),
        (CREATOR, Mint(BOB, 1), TOKEN, Effects(replace(TOKEN, total=101), {BOB: 41})),
        (OWNER, Burn(BOB, 40), TOKEN, Effects(replace(TOKEN, total=60), {BOB: 0})),
        (CREATOR, Burn(OWNER, 1), TOKEN, Effects(replace(TOKEN, total=99), {OWNER: 59})),
        (OWNER, Pause(), TOKEN, Effects(PAUSED)),
        (CREATOR, Unpause(), PAUSED, Effects(TOKEN)),
        (OWNER, TransferOwner(BOB), TOKEN, Effects(replace(TOKEN, owner=BOB))),
        (CREATOR, TransferOwner(BOB), PAUSED, Effects(replace(PAUSED, owner=BOB))),
    ],
)  # fmt: skip
def test_a_permitted_call_changes_exactly_this(
    sender: bytes, call: Call, contract: Contract | None, effects: Effects
) -> None:
    assert sct20.execute(call, sender, contract, BOOK) == effects


@pytest.mark.parametrize(
    ("sender", "call", "contract", "err_code"),
    [
        (BOB, Create("Point", "PNT", 1, BOB), TOKEN, 1002),
        (BOB, Create("", "PNT", 1, BOB), None, 1001),
        (BOB, Create("N" * 21, "PNT", 1, BOB), None, 1001),
        (BOB, Create("점" * 7, "PNT", 1, BOB), None, 1001),  # 21 bytes of UTF-8
        (BOB, Create("Point", "PN", 1, BOB), None, 1001),
        (BOB, Create("Point", "P" * 11, 1, BOB), None, 1001),
        (BOB, Create("Point", "PNT", 1, EVE), None, 4000),
        (BOB, Create("", "PNT", 1, EVE), None, 1001),  # format before SymID
        (BOB, Transfer(OWNER, 1), None, 1000),
        (BOB, Transfer(OWNER, 1), PAUSED, 1002),
        (BOB, Transfer(EVE, 1), PAUSED, 1002),  # state before SymID
        (BOB, Transfer(EVE, 41), TOKEN, 4000),  # SymID before balance
        (BOB, Transfer(BOB, 41), TOKEN, 4001),
        (BOB, Transfer(OWNER, 41), TOKEN, 2000),
        (CAROL, Transfer(OWNER, 1), TOKEN, 2000),
        (BOB, TransferFrom(OWNER, CAROL, 1), None, 1000),
        (BOB, TransferFrom(OWNER, CAROL, 1), PAUSED, 1002),
        (BOB, TransferFrom(EVE, CAROL, 1), TOKEN, 4000),
        (BOB, TransferFrom(OWNER, EVE, 31), TOKEN, 4000),  # SymID before allowance
        (BOB, TransferFrom(OWNER, OWNER, 1), TOKEN, 4001),
        (BOB, TransferFrom(OWNER, CAROL, 31), TOKEN, 2001),
        (BOB, TransferFrom(OWNER, CAROL, 61), TOKEN, 2001),  # allowance before balance
        (CAROL, TransferFrom(BOB, OWNER, 41), TOKEN, 2000),  # allowed 500, holds 40
        (BOB, TransferFrom(BOB, CAROL, 1), TOKEN, 2001),  # holders use TRANSFER
        (BOB, Approve(OWNER, 1), None, 1000),
        (BOB, Approve(OWNER, 1), PAUSED, 1002),
        (BOB, Approve(EVE, 1), TOKEN, 4000),
        (BOB, Approve(BOB, 1), TOKEN, 4001),
        (OWNER, DecreaseApprove(BOB, 1), None, 1000),
        (OWNER, DecreaseApprove(BOB, 1), PAUSED, 1002),
        (OWNER, DecreaseApprove(EVE, 1), TOKEN, 4000),
        (OWNER, DecreaseApprove(OWNER, 1), TOKEN, 4001),
        (OWNER, DecreaseApprove(BOB, 31), TOKEN, 2001),
        (OWNER, DecreaseApprove(CAROL, 1), TOKEN, 2001),
        (OWNER, Mint(BOB, 1), None, 1000),
        (BOB, Mint(BOB, 1), PAUSED, 1002),  # state before caller
        (BOB, Mint(EVE, 1), TOKEN, 1003),  # caller before SymID
        (OWNER, Mint(EVE, 1), TOKEN, 4000),
        (OWNER, Mint(BOB, AMOUNT_MAX - 99), TOKEN, 2000),  # the total would pass 256 bits
        (OWNER, Burn(BOB, 1), None, 1000),
        (OWNER, Burn(BOB, 1), PAUSED, 1002),
        (BOB, Burn(BOB, 1), TOKEN, 1003),
        (OWNER, Burn(EVE, 1), TOKEN, 4000),
        (OWNER, Burn(BOB, 41), TOKEN, 2000),
        (OWNER, Pause(), None, 1000),
        (BOB, Pause(), PAUSED, 1002),  # state before caller
        (BOB, Pause(), TOKEN, 1003),
        (OWNER, Unpause(), None, 1000),
        (BOB, Unpause(), TOKEN, 1002),
        (BOB, Unpause(), PAUSED, 1003),
        (OWNER, TransferOwner(BOB), None, 1000),
        (BOB, TransferOwner(EVE), TOKEN, 1003),
        (OWNER, TransferOwner(EVE), TOKEN, 4000),
    ],
)
def test_a_forbidden_call_fails_with_this_code(
    sender: bytes, call: Call, contract: Contract | None, err_code: int
) -> None:
    with pytest.raises(SctFailure) as failure:
        sct20.execute(call, sender, contract, BOOK)
    assert failure.value.err_code == err_code


def test_the_largest_supply_can_be_minted_and_not_one_more() -> None:
    effects = sct20.execute(Mint(BOB, AMOUNT_MAX - 100), OWNER, TOKEN, BOOK)
    assert effects.contract is not None and effects.contract.total == AMOUNT_MAX


def test_a_former_owner_loses_its_rights_and_the_creator_does_not() -> None:
    handed_over = replace(TOKEN, owner=BOB)
    with pytest.raises(SctFailure):
        sct20.execute(Pause(), OWNER, handed_over, BOOK)
    assert sct20.execute(Pause(), CREATOR, handed_over, BOOK).contract is not None


def test_every_code_has_words() -> None:
    words = [code.words for code in ErrCode]
    assert all(words) and len(set(words)) == len(words)
    assert str(SctFailure(ErrCode.BALANCE)) == "2000 balance insufficient or absent"


@pytest.mark.parametrize(
    ("item", "error"),
    [
        ([20, 10, []], UnsupportedTemplate),
        ([21, 1, [BOB, 1]], UnsupportedTemplate),
        ([0, 0, []], UnsupportedTemplate),
        ([20, 1, [BOB]], MalformedCall),
        ([20, 1, [BOB, 1, 1]], MalformedCall),
        ([20, 1, [b"", 1]], MalformedCall),
        ([20, 1, [bytes(20), 1]], MalformedCall),
        ([20, 1, [BOB, [1]]], MalformedCall),
        ([20, 1, [[BOB], 1]], MalformedCall),
        ([20, 1, [BOB, 2**256]], MalformedCall),
        ([20, 1, [BOB, bytes(33)]], MalformedCall),
        ([20, 7, [b""]], MalformedCall),
        ([20, 0, [b"\xff\xfe", b"PNT", 1, BOB]], MalformedCall),
        ([20, 0, [[], b"PNT", 1, BOB]], MalformedCall),
        ([20, 1], MalformedCall),
        (b"transfer", MalformedCall),
    ],
)
def test_refuses_input_that_is_no_call(item: rlp.Encodable, error: type[Exception]) -> None:
    with pytest.raises(error):
        sct20.decode(rlp.encode(item))


@pytest.mark.parametrize("input_", [b"", b"\xc3\x14\x07", b"\xc3\x14\x07\xc0\x00"])
def test_refuses_input_that_is_not_rlp(input_: bytes) -> None:
    with pytest.raises(MalformedCall, match="rlp: "):
        sct20.decode(input_)


def test_reads_the_zero_byte_that_clients_write_for_the_number_zero() -> None:
    assert sct20.decode(rlp.encode([20, 1, [BOB, b"\x00"]])) == Transfer(BOB, 0)
    method_zero = [20, b"\x00", [b"Point", b"PNT", 5, BOB]]
    assert sct20.decode(rlp.encode(method_zero)) == Create("Point", "PNT", 5, BOB)

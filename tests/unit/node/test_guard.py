"""The double-sign guard: nothing else at or below what was signed, whatever happens to the file."""

from pathlib import Path

import pytest

from jigap.node.guard import DoubleSign, Guard, GuardDamaged, SignedBlock


def signed(number: int, word: bytes = b"block") -> SignedBlock:
    return SignedBlock(number, number.to_bytes(32, "big"), word * 100)


def fill(folder: Path, *numbers: int) -> Guard:
    guard = Guard(folder)
    for number in numbers:
        one = signed(number)
        guard.sign(one.number, one.hash, one.block)
    return guard


def test_remembers_the_last_block_whole(tmp_path: Path) -> None:
    fill(tmp_path, 1, 2, 3)
    assert Guard(tmp_path).last == signed(3)


def test_lets_only_the_same_block_through_again(tmp_path: Path) -> None:
    fill(tmp_path, 1, 2)
    guard = Guard(tmp_path)
    guard.sign(2, signed(2).hash, signed(2).block)
    with pytest.raises(DoubleSign):
        guard.sign(2, b"x" * 32, b"another")
    with pytest.raises(DoubleSign):
        guard.sign(1, signed(1).hash, signed(1).block)
    guard.sign(3, signed(3).hash, signed(3).block)


def test_a_refusal_writes_nothing(tmp_path: Path) -> None:
    guard = fill(tmp_path, 1, 2)
    before = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    with pytest.raises(DoubleSign):
        guard.sign(2, b"x" * 32, b"another")
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == before


@pytest.mark.parametrize("cut", [0, 1, 20, 60, -1, -40])
def test_a_torn_write_loses_only_what_was_being_written(tmp_path: Path, cut: int) -> None:
    fill(tmp_path, 1, 2, 3)
    newest = tmp_path / "signed.1"
    newest.write_bytes(newest.read_bytes()[:cut])
    assert Guard(tmp_path).last == signed(2)


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    fill(tmp_path, 1, 2)
    newest = tmp_path / "signed.0"
    for position in (3, 20, 40, 70, 200):
        content = bytearray(newest.read_bytes())
        content[position] ^= 1
        newest.write_bytes(content)
        assert Guard(tmp_path).last == signed(1)
        content[position] ^= 1
        newest.write_bytes(content)
    assert Guard(tmp_path).last == signed(2)


def test_a_shorter_block_over_a_longer_one_reads_back(tmp_path: Path) -> None:
    guard = fill(tmp_path, 1, 2)
    guard.sign(3, b"h" * 32, b"x")
    assert Guard(tmp_path).last == SignedBlock(3, b"h" * 32, b"x")


def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    assert (tmp_path / "signed.1").stat().st_mode & 0o077 == 0


def test_refuses_to_start_when_nobody_knows_what_was_signed(tmp_path: Path) -> None:
    fill(tmp_path, 1, 2)
    for slot in tmp_path.glob("signed.*"):
        slot.write_bytes(b"not a guard file")
    with pytest.raises(GuardDamaged):
        Guard(tmp_path)

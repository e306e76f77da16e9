"""One-time codes: their rule, and their limits."""

import pytest

from jigap.members import totp

#: RFC 6238, appendix B: the ASCII secret 12345678901234567890 and its last six digits.
SECRET = totp.secret_of(b"12345678901234567890")
KNOWN = {59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"}
NOW_MS = 1_700_000_010_000
STEP = totp.step_of(NOW_MS)


@pytest.mark.parametrize(("time_s", "code"), KNOWN.items())
def test_codes_are_those_of_the_standard(time_s: int, code: str) -> None:
    assert totp.code_of(SECRET, totp.step_of(time_s * 1000)) == code


@pytest.mark.parametrize(
    ("off", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_clock_may_be_one_step_off(off: int, good: bool) -> None:
    shown = totp.step_shown(SECRET, totp.code_of(SECRET, STEP + off), NOW_MS, after=None)
    assert shown == (STEP + off if good else None)


def test_a_step_and_all_before_it_are_used_up() -> None:
    code = totp.code_of(SECRET, STEP)
    assert totp.step_shown(SECRET, code, NOW_MS, after=STEP - 1) == STEP
    assert totp.step_shown(SECRET, code, NOW_MS, after=STEP) is None
    assert totp.step_shown(SECRET, code, NOW_MS, after=STEP + 1) is None


@pytest.mark.parametrize("otp", ["", "28708", "２８７０８２", "0x1234", "\udcff", "-1", "287082\n"])
def test_anything_else_is_no_code(otp: str) -> None:
    assert totp.step_shown(SECRET, otp, 59_000, after=None) is None


def test_a_code_may_be_typed_in_two_groups() -> None:
    assert totp.step_shown(SECRET, "287 082", 59_000, after=None) == 1


def test_the_address_of_a_secret_names_us_and_the_member() -> None:
    assert totp.uri_of(SECRET, "minji") == (
        f"otpauth://totp/jigap:minji?secret={SECRET}&issuer=jigap"
    )


def test_a_recovery_code_is_read_however_it_is_typed() -> None:
    code = totp.recovery_code(b"\x00\x01" + bytes(8))
    assert code == "000g-0000-0000-0000"
    for typed in ("OOOG-0000-0000-0000", " 000g 0000 0000 oooo ", "000g000000000000"):
        assert totp.recovery_code_typed(typed) == totp.recovery_code_typed(code)
    assert totp.recovery_code_typed("il") == "11"


def test_recovery_codes_hold_all_their_randomness() -> None:
    codes = {totp.recovery_code(bytes([0] * place + [1 << bit] + [0] * (9 - place)))
             for place in range(10) for bit in range(8)}  # fmt: skip
    assert len(codes) == 80

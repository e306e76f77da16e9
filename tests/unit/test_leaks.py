"""The search for secrets in logs finds what it should, and nothing else."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest
from tests import processes
from tests.leaks import Leaks

PLANTED = "violet kettle 81 sparrows"
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def leaks() -> Leaks:
    return Leaks()


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("password", "correct horse", "sign-in of minji with correct horse failed"),
        ("passphrase", "blue river 42 stones", "passphrase='blue river 42 stones'"),
        ("passphrase", "파란 강 42개의 돌", r"'\ud30c\ub780 \uac15 42\uac1c\uc758 \ub3cc'"),
        ("phone", "010-1234-5678", "calling 01012345678"),
        ("phone", "010-1234-5678", "calling +82 10 1234 5678 now"),
        ("phone", "+821012345678", "GET /api/v1/recipients?phone=010-1234-5678"),
        ("phone", "01012345678", "tel:(010) 1234.5678"),
        ("name", "김민지", "hello 김민지님"),
        ("name", "김민지", "GET /recipients?name=%EA%B9%80%EB%AF%BC%EC%A7%80&last4=5678"),
        ("name", "김민지", r"{'name': '\uae40\ubbfc\uc9c0'}"),
        ("code", "246810", "sent code 246810."),
        ("otp", "135792", "otp=135792"),
        ("token", "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4", "Bearer Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4"),
        ("totp_secret", "JBSWY3DPEHPK3PXPJBSWY3DP", "otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DP"),
        ("recovery_codes", ["k7m2-x9qp-4tzw"], "codes left: k7m2-x9qp-4tzw"),
    ],
)  # fmt: skip
def test_finds_what_went_over_http(leaks: Leaks, field: str, value: object, line: str):
    leaks.exchange("members", {"some": [{field: value}]})
    leaks.words("log of here", "all is well")
    assert leaks.found() == []
    leaks.words("log of here", f"jigap: {line}")
    (found,) = leaks.found()
    assert found.place == "log of here"
    assert found.line.endswith(line)


def test_finds_the_birth_date_with_the_sex_digit(leaks: Leaks):
    leaks.exchange("realname", {"birth": "900131", "sex": "2"})
    leaks.words("log", "asked for 9001312\nasked for 900131-2")
    assert {one.value for one in leaks.found()} == {"9001312", "900131-2"}


@pytest.mark.parametrize(
    "write", [bytes.hex, lambda key: key.hex().upper(), lambda key: base64.b64encode(key).decode()]
)
def test_finds_a_key_however_it_is_written(leaks: Leaks, write):
    key = bytes(range(7, 39))
    leaks.secret("master key", key)
    leaks.words("stderr", f"key=0x{write(key)};")
    assert [one.kind for one in leaks.found()] == ["master key"]


@pytest.mark.parametrize(
    "line",
    [
        "GET /api/v1/recipients 200 4.1 ms",
        "minji has 010-****-5678",
        "token DEMO was stopped",
        "block 1246810 of 0xab246810cd at 1.246810 s",
    ],
)
def test_finds_nothing_where_nothing_is(leaks: Leaks, line: str):
    leaks.exchange("realname", {"phone": "010-1234-5678", "code": "246810", "name": "김민지"})
    leaks.exchange("tokens", {"token": "DEMO", "password": "correct horse"})
    leaks.words("log", line)
    assert leaks.found() == []


def test_the_code_of_a_refusal_is_no_secret(leaks: Leaks):
    leaks.exchange("realname", {"code": "realname_limit", "detail": "Too many."})
    leaks.words("log", "no code for a password reset: realname_limit")
    assert leaks.found() == []


def test_names_of_tokens_are_nobodys(leaks: Leaks):
    leaks.exchange("http://x/api/v1/operator/tokens", {"name": "지역 화폐"})
    leaks.words("log", "지역 화폐")
    assert leaks.found() == []


def test_what_a_process_has_written_is_searched(leaks: Leaks):
    leaks.secret("password", PLANTED)
    stderr: list[str] = []
    leaks.output(["up", "--data", "/x/data"], "ready", stderr)
    assert leaks.found() == []
    stderr.append(f"jigap: {PLANTED}")
    assert [one.place for one in leaks.found()] == ["stderr of `up --data`"]


def test_only_stdout_may_show_secrets_and_only_of_commands_that_are_meant_to(leaks: Leaks):
    leaks.secret("password", PLANTED)
    leaks.output(["up", "--demo", "--json"], PLANTED, "")
    assert leaks.found() == []
    leaks.output(["up", "--json"], PLANTED, "")
    assert [one.place for one in leaks.found()] == ["stdout of `up --json`"]


HEAD = "import logging, sys\nfrom tests.leaks import LEAKS\nfrom tests import processes\n"
WAYS = {
    "a log record": "logging.getLogger('jigap.web').debug('%s', SECRET)",
    "a log record of a library": "logging.getLogger('aiohttp.access').warning('%s', SECRET)",
    "a traceback": "try:\n  raise ValueError(SECRET)\n"
    " except ValueError: logging.getLogger('jigap').exception('no')",
    "stdout of a test": "print(SECRET)",
    "stderr of a process": "processes.run('audit', SECRET)",
}


def test_planted_secrets_fail_the_whole_run_though_every_test_passes(tmp_path: Path):
    tests = [
        f"def test_{number}():\n SECRET = {PLANTED + str(number)!r}\n"
        f" LEAKS.secret('password', SECRET)\n {WAYS[way]}\n"
        for number, way in enumerate(WAYS)
    ]
    (tmp_path / "test_plant.py").write_text(HEAD + "".join(tests))
    done = run(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{len(WAYS)} passed" in done.stdout
    for number, way in enumerate(WAYS):
        assert f"LEAKED: password '{PLANTED}{number}' in " in done.stdout, way


def test_a_clean_run_passes(tmp_path: Path):
    (tmp_path / "test_clean.py").write_text(
        f"{HEAD}def test_passes():\n LEAKS.secret('password', {PLANTED!r})\n print('all is well')\n"
    )
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 secrets looked for" in done.stdout


def test_what_one_worker_knows_is_looked_for_in_what_another_heard(tmp_path: Path):
    """Each of the two tests waits until the other has begun, so both workers are in it."""
    meet = "def meet(mine, other):\n (HERE / mine).touch()\n" + (
        " end = time.monotonic() + 60\n"
        " while not (HERE / other).exists():\n"
        "  assert time.monotonic() < end\n  time.sleep(0.01)\n"
    )
    (tmp_path / "test_two.py").write_text(
        f"{HEAD}import time\nfrom pathlib import Path\nHERE = Path(__file__).parent\n{meet}"
        f"def test_knows():\n meet('one', 'two')\n LEAKS.secret('password', {PLANTED!r})\n"
        f"def test_hears():\n meet('two', 'one')\n"
        f" logging.getLogger('jigap').info('%s', {PLANTED!r})\n"
    )
    done = run(tmp_path, "-n2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert f"LEAKED: password '{PLANTED}' in log of jigap" in done.stdout


def test_a_worker_that_dies_with_what_it_heard_fails_the_run(tmp_path: Path):
    (tmp_path / "test_dies.py").write_text(
        f"{HEAD}import os\ndef test_dies():\n os._exit(0)\ndef test_passes():\n pass\n"
    )
    done = run(tmp_path, "-n1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NOT SEARCHED: the logs of worker gw0" in done.stdout


def run(folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    """A whole run of pytest over a folder, with nothing of ours but the search."""
    options = ["-q", "-p", "no:cacheprovider", "-p", "tests.leaks", "-c", "/dev/null", *more]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(folder), str(folder)],
        cwd=ROOT,
        env=processes.environment({}),
        capture_output=True,
        text=True,
        timeout=120,
    )

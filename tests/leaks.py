"""Nothing personal and no secret in any log: searched at the end of every test run.

While the tests run, this collects two things by itself. **Secrets**: every password, passphrase,
phone number, name, birth date, code, token and key that goes over HTTP in either direction (under
the field names of ``FIELDS``), that a test module has as a constant, that the platform in this
process draws at random, that a started platform says of its demo people, and that lies in the key
files of a started platform. **Words**: every log record of this process at every level, whatever
a test has written to stdout and stderr, and all that started processes write there, which log at
the level ``debug``. At the end none of the first may be in the second; the run fails otherwise.

Where the tests run in several processes (pytest-xdist), each worker hands over what it knows and
what it heard when it ends, and the process that started them searches all of it together: what one
worker knows is looked for in what another has heard. A worker that dies takes both with it, so a
run with such a one fails.

Two places are not searched, because they exist to show a secret to who may see it: stdout of a
command that makes people or keys and shows them once (``SHOWN_ON_PURPOSE``; what it says there is
looked for everywhere else), and the simulated agency's inbox, which is HTTP and no log. The
agency's own log *is* searched.
"""

import base64
import json
import logging
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import phonenumbers
import pytest

from jigap import entropy
from jigap.keys import KeyRing, ServiceKeys, envelope, keystore
from jigap.refusal import Refusal

#: Names of fields, in a body or an answer, whose values are secret or personal; and of which sort.
FIELDS: dict[str, str] = {
    **dict.fromkeys(("password", "new_password", "old", "new"), "password"),
    **dict.fromkeys(("passphrase", "new_passphrase", "current_passphrase"), "passphrase"),
    **dict.fromkeys(("phone", "buyer_phone", "receiver_phone"), "phone"),
    **dict.fromkeys(("name", "birth_name"), "name"),
    **dict.fromkeys(("code", "otp"), "code"),
    **dict.fromkeys(("token", "csrf_token", "device"), "token"),
    **dict.fromkeys(("totp_secret", "secret", "otpauth_uri", "ticket"), "secret"),
    **dict.fromkeys(("recovery_codes", "recovery_code", "codes"), "recovery code"),
    **dict.fromkeys(("private_key", "secret_key"), "key"),
}
_CONSTANT = re.compile(r"[A-Z_]*(PASSWORD|PASSPHRASE|PHONE|NAME|SECRET|BIRTH|CODE)[A-Z_]*")
_CONSTANT_KIND = {"BIRTH": "code"}
_RECOVERY_CODE = re.compile(r"[0-9a-z]{4}(-[0-9a-z]{4}){2,}", re.IGNORECASE)
_HANGUL = re.compile("[가-힣]{2}")
_WORD = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_NUMBER = re.compile(r"\d(?:[ ().\-]{0,2}\d){7,}")
_DIGITS = re.compile(r"(?<![0-9A-Za-z.])[0-9]{6,8}(?![0-9A-Za-z])")
#: Stdout of these shows secrets on purpose: the words of a command that must all be there.
SHOWN_ON_PURPOSE = (
    ("--demo",),
    ("demo",),
    ("--dev-accounts",),
    ("operator", "create"),
    ("operator", "reset"),
    ("keys", "recovery-key"),
)
FOLDERS_WITH_WALLETS_OPENED = 3
_HANDED_OVER = ("texts", "phones", "codes", "lines")


@dataclass(frozen=True)
class Leak:
    """A secret, and the first line that holds it."""

    kind: str
    value: str
    place: str
    line: str

    def __str__(self) -> str:
        return f"{self.kind} {self.value!r} in {self.place}: {self.line.strip()[:300]}"


@dataclass
class Leaks:
    """The secrets of one run and the words that were written in it."""

    texts: dict[str, str] = field(default_factory=dict)
    phones: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    places: list[tuple[str, Callable[[], Iterable[str]]]] = field(default_factory=list)
    folders: dict[Path, list[str]] = field(default_factory=dict)
    shown: list[Any] = field(default_factory=list)

    # --- what must not be found

    def secret(self, kind: str, value: Any) -> None:
        """Remember a value of a sort; what is too short or too plain to tell is left out."""
        if isinstance(value, bytes):
            self._key(kind, value)
        elif isinstance(value, list | tuple):
            for one in value:
                self.secret(kind, one)
        elif not isinstance(value, str):
            return
        elif kind == "phone":
            self._phone(value)
        elif kind == "code":
            self._code(value)
        elif kind == "name":
            if _HANGUL.search(value) or (" " in value and len(value) >= 6):
                self.texts[value.strip()] = kind
        elif len(value) >= (16 if kind in ("token", "secret") else 8) and len({*value}) >= 4:
            self.texts[value.strip()] = kind

    def exchange(self, path: str, body: Any) -> None:
        """Remember the secrets in a JSON body that was sent or answered."""
        if isinstance(body, list):
            for one in body:
                self.exchange(path, one)
        elif isinstance(body, dict):
            if isinstance(body.get("birth"), str) and isinstance(body.get("sex"), str):
                self._code(body["birth"] + body["sex"])
                self.texts[f"{body['birth']}-{body['sex']}"] = "birth date with sex digit"
            for name, value in body.items():
                kind = FIELDS.get(name)
                if kind is not None and not (kind == "name" and "token" in path):
                    self.secret(kind, value)
                self.exchange(path, value)

    def platform(self, data: Path, people: Iterable[dict[str, Any]]) -> None:
        """Remember a data folder, whose keys are read at the end, and the people said to be in."""
        passphrases = self.folders.setdefault(data, [])
        for person in people:
            self.exchange("", person)
            passphrases.append(str(person.get("passphrase", "")))

    def constants(self) -> None:
        """Remember what test modules call a password, a phone and so on."""
        for name, module in list(sys.modules.items()):
            if not name.startswith("tests.") or name == __name__:
                continue
            for constant, value in vars(module).items():
                if match := _CONSTANT.fullmatch(constant):
                    kind = _CONSTANT_KIND.get(match[1], match[1].lower())
                    self.secret(kind, value)
                    if isinstance(value, dict):
                        self.exchange("", value)

    def key_files(self) -> None:
        """Remember the master keys, service keys and some wallet keys of every data folder."""
        for number, (data, passphrases) in enumerate(self.folders.items()):
            with suppress(Refusal, OSError, ValueError):
                stored = json.loads((data / "keys" / "master.json").read_text())
                for text in (*stored["master_keys"].values(), stored["index_key"]):
                    self._key("master key", bytes.fromhex(text))
                ring = KeyRing.load(data / "keys" / "master.json")
                services = ServiceKeys(ring, data / "keys" / "service")
                for role in services.roles():
                    self._key(f"{role} key", services.signer(role)._key.secret)
                if number < FOLDERS_WITH_WALLETS_OPENED:
                    self._wallets(data, ring, [one for one in passphrases if one])

    def _wallets(self, data: Path, ring: KeyRing, passphrases: list[str]) -> None:
        for path in [one for one in (data / "keystores").rglob("wa_*") if one.is_file()][:8]:
            sealed = path.read_bytes()
            plain = envelope.open_(sealed, envelope.read_label(sealed), ring)
            for passphrase in passphrases:
                with suppress(Refusal):
                    opened = keystore.decrypt(keystore.read(plain), passphrase)
                    self._key("wallet key", opened.secret)

    def _key(self, kind: str, value: bytes) -> None:
        if len(value) >= 16 and len({*value}) > 4:
            self.texts[value.hex()] = kind
            self.texts[base64.b64encode(value).decode().rstrip("=")] = kind
            self.texts[base64.urlsafe_b64encode(value).decode().rstrip("=")] = kind

    def _phone(self, value: str) -> None:
        try:
            digits = str(phonenumbers.parse(value, "KR").national_number)
        except phonenumbers.NumberParseException:
            return
        if len(digits) >= 8:
            self.phones[digits] = value

    def _code(self, value: str) -> None:
        if re.fullmatch("[0-9]{6,8}", value) and len({*value}) > 1:
            self.codes[value] = "code or birth date"
        elif _RECOVERY_CODE.fullmatch(value):  # a refusal has a code, too, which is no secret
            self.texts[value.strip()] = "recovery code"

    # --- where it must not be found

    def words(self, place: str, text: str) -> None:
        """Remember what was written somewhere."""
        for line in text.splitlines():
            self.lines.setdefault(line, place)

    def output(self, command: Iterable[object], stdout: Any, stderr: Any) -> None:
        """Remember what a process writes; each is a text or a list that still grows."""
        words = [str(one) for one in command]
        name = " ".join(one for one in words if "/" not in one)
        streams = [("stderr", stderr)]
        if any(set(shown) <= {*words} for shown in SHOWN_ON_PURPOSE):
            self.shown.append(stdout)
        else:
            streams.append(("stdout", stdout))
        for stream, written in streams:
            lines = written.splitlines() if isinstance(written, str) else written
            if lines is not None:
                self.places.append((f"{stream} of `{name}`", lambda lines=lines: list(lines)))

    def gather(self) -> None:
        """Remember what lists that have grown hold by now."""
        for text in self.shown:
            for line in text.splitlines() if isinstance(text, str) else list(text):
                with suppress(ValueError):
                    self.exchange("", json.loads(line))
        for place, lines in self.places:
            for line in lines():
                self.words(place, line)

    def hand_over(self) -> dict[str, dict[str, str]]:
        """All of it in plain values, for another process."""
        self.gather()
        return {name: getattr(self, name) for name in _HANDED_OVER}

    def take_over(self, given: dict[str, dict[str, str]]) -> None:
        """Remember what another process knew and heard."""
        for name in _HANDED_OVER:
            getattr(self, name).update(given[name])

    def found(self) -> list[Leak]:
        """Every secret that is in the words."""
        self.gather()
        forms = [form for line in self.lines for form in _forms(line)]
        everything = "\n".join(forms)
        long = _WORD.findall(everything)
        long_words = "\n".join(dict.fromkeys(long + [one.lower() for one in long]))
        numbers = "\n".join(re.sub(r"\D", "", one) for one in {*_NUMBER.findall(everything)})
        values = [
            *(
                (kind, value)
                for value, kind in self.texts.items()
                if value in (long_words if _WORD.fullmatch(value) else everything)
            ),
            *(("phone", digits) for digits in self.phones if digits in numbers),
            *(("code", code) for code in {*_DIGITS.findall(everything)} & {*self.codes}),
        ]
        return [self._leak(kind, value) for kind, value in values]

    def _leak(self, kind: str, value: str) -> Leak:
        def holds(form: str) -> bool:
            if kind == "phone":
                return value in re.sub(r"[ ().\-]", "", form)
            return value in form or value in form.lower()

        line = next(one for one in self.lines if any(map(holds, _forms(one))))
        return Leak(kind, self.phones.get(value, value), self.lines[line], line)


def _forms(line: str) -> Iterator[str]:
    """A line as it is, and as it would be read: escapes and percent signs undone."""
    yield line
    if "\\u" in line:
        yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), line)
    if "%" in line:
        yield unquote(line)
    if not line.isascii():
        yield unicodedata.normalize("NFKC", line)


# --- what pytest calls; tests/conftest.py makes these names known to it

LEAKS = Leaks()


class _Records(logging.Handler):
    """Every record of this process, however loud."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in ("httpx", "httpcore"):
            return  # the tests' own client, which says the addresses it was given
        with suppress(Exception):
            LEAKS.words(f"log of {record.name}", logging.Formatter().format(record))


def pytest_configure() -> None:
    """Begin to listen."""
    logging.getLogger().addHandler(_Records(level=logging.DEBUG))
    logging.getLogger("jigap").setLevel(logging.DEBUG)
    for class_ in (httpx.Client, httpx.AsyncClient):
        _listen_to(class_)
    _listen_to_processes()
    drawn = entropy.random_bytes
    entropy.random_bytes = lambda count: _remembered("random key", drawn(count))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What a test has written itself."""
    for title, content in report.sections:
        if " log " not in title:  # records were heard already
            LEAKS.words(f"{title} of {report.nodeid}", content)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Search, and fail the run if anything is found; a worker hands over instead."""
    LEAKS.constants()
    LEAKS.key_files()
    if (handed := getattr(session.config, "workeroutput", None)) is not None:
        handed["leaks"] = LEAKS.hand_over()
        return
    session.config.stash[_FOUND] = found = LEAKS.found()
    if found or session.config.stash.get(_UNHEARD, []):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over from a worker that has ended; called where pytest-xdist is in use."""
    if given := getattr(node, "workeroutput", {}).get("leaks"):
        LEAKS.take_over(given)
    else:
        node.config.stash.setdefault(_UNHEARD, []).append(f"{node.gateway.id}: {error}")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was searched, and what was found where."""
    secrets = len(LEAKS.texts) + len(LEAKS.phones) + len(LEAKS.codes)
    terminalreporter.write_line(f"logs: {secrets} secrets looked for in {len(LEAKS.lines)} lines")
    for one in config.stash.get(_FOUND, []):
        terminalreporter.write_line(f"LEAKED: {one}", red=True)
    for worker in config.stash.get(_UNHEARD, []):
        terminalreporter.write_line(f"NOT SEARCHED: the logs of worker {worker}", red=True)


_FOUND = pytest.StashKey[list[Leak]]()
_UNHEARD = pytest.StashKey[list[str]]()


def _remembered(kind: str, value: bytes) -> bytes:
    if len(value) == 32:
        LEAKS.secret(kind, value)
    return value


def _listen_to_processes() -> None:
    """Note what every process has written when it ended; ``subprocess.run`` goes this way, too."""
    communicate = subprocess.Popen.communicate

    def heard(self: Any, *given: Any, **named: Any) -> Any:
        written = communicate(self, *given, **named)
        texts = [
            one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in written
        ]
        LEAKS.output(self.args if isinstance(self.args, list) else [self.args], *texts)
        return written

    subprocess.Popen.communicate = heard  # type: ignore[method-assign]


def _listen_to(class_: Any) -> None:
    """Note the JSON that goes through a client of HTTP, both ways."""
    send = class_.send

    def note(request: httpx.Request, response: httpx.Response) -> None:
        path = str(request.url)
        for message in (request, response):
            with suppress(ValueError, RecursionError, httpx.StreamError):
                LEAKS.exchange(path, json.loads(message.content))
        for name, value in request.url.params.multi_items():
            LEAKS.exchange(path, {name: value})
        for value in response.cookies.values():
            LEAKS.secret("token", value)

    def heard(self: Any, request: httpx.Request, **given: Any) -> Any:
        response = send(self, request, **given)
        note(request, response)
        return response

    async def heard_async(self: Any, request: httpx.Request, **given: Any) -> Any:
        response = await send(self, request, **given)
        note(request, response)
        return response

    class_.send = heard_async if class_ is httpx.AsyncClient else heard

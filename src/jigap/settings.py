"""Every setting there is: name, default, what it does. Read once, at start, into one frozen object.

A value comes from (last one wins) the default below, ``jigap.toml`` in the data folder, an
environment variable ``JIGAP_<NAME>``, and the command line. Secrets print as ``***``.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from jigap.refusal import Kind, Refusal

FILE_NAME = "jigap.toml"
#: What one address or one account may ask for: a load generator is one address and few accounts.
ADDRESS_AND_ACCOUNT_RATES = (
    "rate_address_per_s",
    "rate_network_per_s",
    "rate_account_per_s",
    "rate_account_money_per_minute",
)


class SettingInvalid(Refusal):
    """A setting has a name we do not know or a value we cannot read."""

    code = "setting_invalid"
    kind = Kind.INVALID
    hint = "Run `jigap config show` for every setting, its default and its meaning."


def _setting(default: Any, help_: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"help": help_, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process. Durations end in ``_ms`` or ``_s``, SYM amounts in ``_gas``."""

    data_dir: str = _setting("data", "Folder with the database, the keystores and the chain.")
    database_url: str = _setting(
        "", "PostgreSQL address; empty means an SQLite file in the data folder.", secret=True
    )
    host: str = _setting("127.0.0.1", "Address the web server listens on.")
    log_level: str = _setting(
        "warning",
        "Which lines of ours go to stderr: debug, info (one for each request), warning or error.",
    )
    port: int = _setting(8700, "Port of the web server.")
    chain_url: str = _setting("", "JSON-RPC address of the node; empty means our own node.")
    node_port: int = _setting(8545, "Port of our own node's JSON-RPC, always on loopback.")
    node_timeout_ms: int = _setting(5_000, "How long one call to the node may take.")
    chain_id: int = _setting(7777, "Chain id that every signature commits to.")
    block_interval_ms: int = _setting(1_000, "Heartbeat of our own node when nothing waits.")
    block_min_ms: int = _setting(100, "Shortest time between two blocks of our own node.")
    master_key_file: str = _setting(
        "", "File with the master keys; empty means keys/master.json in the data folder."
    )
    recovery_public_key: str = _setting(
        "", "Hex X25519 public key of the operator's offline recovery key; empty means none."
    )
    recovery_wait_s: int = _setting(
        72 * 3600, "How long a member has to say no before operators may approve a recovery."
    )
    recovery_open_s: int = _setting(
        14 * 24 * 3600, "How long operators and member then have before a recovery expires."
    )
    scrypt_n: int = _setting(4_096, "scrypt cost of wallet keys inside the envelope (paper: 4096).")
    kdf_threads: int = _setting(0, "Threads that derive keys; 0 means one for each core.")
    kdf_queue: int = _setting(256, "Passphrases that may wait for a thread before we say 503.")
    ca_url: str = _setting("", "HTTP certificate authority; empty means the embedded one.")
    ca_kind: str = _setting("citizen_info", "API of the HTTP CA: citizen_info or partner.")
    ca_secret: str = _setting("", "Secret of the partner API, 32 hex characters.", secret=True)
    ca_timeout_ms: int = _setting(10_000, "How long one call to the HTTP CA may take.")
    realname_provider: str = _setting(
        "agency", "Who verifies names: agency (the HTTP agency at agency_url) or portone."
    )
    agency_url: str = _setting(
        "", "HTTPS address of the real-name agency; empty means none: operators verify by hand."
    )
    agency_client: str = _setting("jigap", "Our name with the real-name agency.")
    agency_secret: str = _setting(
        "", "Secret that signs what we and the agency say, 16 characters or more.", secret=True
    )
    agency_timeout_ms: int = _setting(3_000, "How long the agency may take to answer, each time.")
    agency_times: int = _setting(2, "How often one question is put to a silent agency, 1 to 4.")
    portone_secret: str = _setting("", "API secret of PortOne.", secret=True)
    portone_channel_key: str = _setting("", "Identity verification channel at PortOne.")
    portone_store_id: str = _setting("", "Store at PortOne; empty means the secret's own.")
    portone_url: str = _setting("", "Address of PortOne; empty means its public one.")
    portone_wrong_codes: str = _setting(
        "", "The channel's own codes (pgCode, with commas) that mean: the code was wrong."
    )
    realname_ttl_s: int = _setting(300, "How long a code that was sent can be typed.")
    realname_tries: int = _setting(5, "Codes that may be tried in one check before it is burnt.")
    realname_day_member: int = _setting(10, "Checks a member may begin in a day (UTC).")
    realname_day_number: int = _setting(
        12, "Checks of one phone number in a day, by members not verified with it."
    )
    realname_day_owner: int = _setting(
        4, "Checks of a phone number in a day by the member verified with it; nobody else's count."
    )
    realname_day_reset: int = _setting(
        4, "Messages to one phone number in a day for a forgotten password."
    )
    realname_day_address: int = _setting(
        1_000, "Checks from one network address in a day; carriers put many phones behind one."
    )
    realname_day_prefix: int = _setting(1_000, "Checks of numbers with the same 7 digits in a day.")
    realname_day_total: int = _setting(20_000, "Checks in a day, in all: the cap on what SMS cost.")
    realname_fresh_s: int = _setting(
        600, "How long a check for a password or a passphrase is good after its code was typed."
    )
    password_reset_day_address: int = _setting(
        100, "Password resets asked for from one network address in a day."
    )
    password_reset_answer_ms: int = _setting(
        1_500, "When a wrong code of a password reset is answered: always after this long."
    )
    sms_sender: str = _setting(
        "inbox", "How the simulated agency sends codes: inbox (a page to read them) or solapi."
    )
    sms_key: str = _setting("", "API key of Solapi.")
    sms_secret: str = _setting("", "API secret of Solapi.", secret=True)
    sms_from: str = _setting("", "Number registered with Solapi that messages come from.")
    sms_url: str = _setting("", "Address of Solapi; empty means its public one.")
    session_ttl_s: int = _setting(12 * 3600, "How long a sign-in lasts.")
    session_idle_s: int = _setting(3600, "A session that was not used for this long has ended.")
    sessions_max: int = _setting(
        20, "Living sessions of one member; the oldest is ended when one more is opened."
    )
    changes_day: int = _setting(
        300,
        "Favourites added, limits set and applications made by one member in 24 hours, together.",
    )
    sign_in_day_address: int = _setting(
        1_000, "Failed sign-ins of strangers from one network address in a day (UTC)."
    )
    cookie_secure: int = _setting(
        0, "1: session cookies are for HTTPS only even where we see HTTP, as behind a TLS proxy."
    )
    directory_day_lookups: int = _setting(
        200, "Searches for recipients a member may make in a day."
    )
    retention_days: int = _setting(
        1_826, "Days after which a closed account is erased; 1826 are the five years of the law."
    )
    log_retention_days: int = _setting(365, "Days that real-name checks are kept after they ended.")
    transfer_deadline_ms: int = _setting(
        120_000, "After this long a payment that is not in a block is cancelled on the chain."
    )
    stuck_after_s: int = _setting(
        300, "A transaction that is this long past its deadline is shown to operators as stuck."
    )
    payment_limit_level_1: str = _setting(
        "5000000", "Most tokens in one payment of a member whom an operator verified by hand."
    )
    daily_limit_level_1: str = _setting(
        "20000000", "Most tokens of one kind that such a member may send in a day (UTC)."
    )
    payment_limit_level_2: str = _setting(
        "10000000", "Most tokens in one payment of a member whom a real-name agency verified."
    )
    daily_limit_level_2: str = _setting(
        "50000000", "Most tokens of one kind that such a member may send in a day (UTC)."
    )
    payment_limit_minor: str = _setting(
        "300000", "Most tokens in one payment of a member who is under age, whatever the level."
    )
    daily_limit_minor: str = _setting(
        "500000", "Most tokens of one kind that a member under age may send in a day (UTC)."
    )
    limits_raise_delay_s: int = _setting(
        24 * 3600, "How long a member waits until a limit of their own that they raised is raised."
    )
    new_payee_warn: str = _setting(
        "1000000", "From this many tokens a payment to a new payee must be acknowledged; 0: never."
    )
    new_payee_delay_s: int = _setting(
        0, "Such a payment is held this long and then needs the passphrase again; 0: no delay."
    )
    large_amount_warn: str = _setting(
        "3000000", "From this many tokens any payment must be acknowledged; 0: never."
    )
    large_amount_delay_s: int = _setting(
        0, "Such a payment is held this long and then needs the passphrase again; 0: no delay."
    )
    gas_refill_payments: int = _setting(4, "A gas refill covers about this many payments.")
    gas_budget_total: int = _setting(
        10_000_000_000, "Gas units the platform may give away as refills, in all."
    )
    gas_budget_day: int = _setting(2_000_000_000, "Gas units of refills per day (UTC).")
    gas_budget_member_day: int = _setting(
        20_000_000, "Gas units of refills per member and day (UTC)."
    )
    audit_seal_s: int = _setting(
        10, "At most this long new rows of the audit trail wait for the dispatcher's seal."
    )
    idle_poll_ms: int = _setting(200, "How often the dispatcher looks when nothing is under way.")
    busy_poll_ms: int = _setting(25, "How often the dispatcher looks while payments are under way.")
    wait_max_s: int = _setting(20, "Longest `Prefer: wait=` that a request may ask for.")
    page_max: int = _setting(200, "Most rows in one page of a list.")
    shield: str = _setting(
        "on", "on; or off, which is for measuring, and for where another shield stands in front."
    )
    shield_countries: str = _setting(
        "KR", "Countries whose addresses may come in, codes with commas between; * means all."
    )
    development: str = _setting(
        "",
        "1: private addresses may come in, 0: not; empty means: while host is a loopback address "
        "and no proxies are listed.",
    )
    proxies: str = _setting(
        "",
        "Our own reverse proxies, ranges with commas: only they may say where a request is from.",
    )
    proxy_header: str = _setting(
        "x-forwarded-for", "The header in which our proxies say so, a list with commas."
    )
    rate_address_per_s: int = _setting(100, "Requests per second from one network address.")
    rate_network_per_s: int = _setting(400, "Requests per second from one /24 (IPv6: /64).")
    rate_guesses_per_minute: int = _setting(
        120, "Sign-ins, sign-ups and password resets per minute from one network address."
    )
    rate_account_per_s: int = _setting(50, "Requests per second in all sessions of one member.")
    rate_account_money_per_minute: int = _setting(
        240, "Requests per minute with an Idempotency-Key by one member."
    )
    connections_max: int = _setting(4_000, "Connections of one web process.")
    connections_address: int = _setting(200, "Connections from one network address (IPv6: /64).")
    explorer_public_accounts: int = _setting(
        0, "1: anybody may read the balance and history of an account; 0: only its owner."
    )

    @property
    def data(self) -> Path:
        """The data folder."""
        return Path(self.data_dir)


def describe() -> list[tuple[str, Any, str]]:
    """(name, default, help) of every setting, in the order of the list above."""
    return [(one.name, one.default, one.metadata["help"]) for one in fields(Settings)]


def shown(settings: Settings) -> dict[str, Any]:
    """The settings as they may be printed: a secret that is set is ``***``."""
    return {
        one.name: "***"
        if one.metadata["secret"] and getattr(settings, one.name)
        else getattr(settings, one.name)
        for one in fields(Settings)
    }


def load(
    data_dir: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
    **given: Any,
) -> Settings:
    """Read the settings once. ``given`` is what the command line said; None there means unsaid.

    Raises ``SettingInvalid`` for an unknown name in the file or an unreadable value anywhere.
    """
    environment = os.environ if environment is None else environment
    folder = Path(data_dir or environment.get("JIGAP_DATA_DIR") or Settings.data_dir)
    values: dict[str, Any] = {"data_dir": str(folder)}
    values |= _from_file(folder / FILE_NAME)
    values |= {
        one.name: environment[f"JIGAP_{one.name.upper()}"]
        for one in fields(Settings)
        if f"JIGAP_{one.name.upper()}" in environment and one.name != "data_dir"
    }
    values |= {name: value for name, value in given.items() if value is not None}
    types = {one.name: type(one.default) for one in fields(Settings)}
    return Settings(**{name: _read(types[name], name, value) for name, value in values.items()})


def _from_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingInvalid(f"{path} cannot be read: {error}", file=str(path)) from None
    known = {one.name for one in fields(Settings)} - {"data_dir"}
    for name in found:
        if name not in known:
            raise SettingInvalid(f"{path}: there is no setting {name!r}.", setting=name)
    return found


def _read(type_: type, name: str, value: Any) -> Any:
    if isinstance(value, type_) and not (type_ is int and isinstance(value, bool)):
        return value
    try:
        if type_ is int and isinstance(value, str):
            return int(value)
        if type_ is str and not isinstance(value, bool):
            return str(value)
    except ValueError:
        pass
    raise SettingInvalid(f"Setting {name} must be {type_.__name__}.", setting=name)

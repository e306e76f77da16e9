"""The shield of one web process: everything it decides with is in memory.

What is known of an address is a ``Source``; whoever has one asks ``refuses`` and ``over_rate`` for
each request, which costs a microsecond or two. The rules are swapped whole: a thread looks a few
times a second whether anybody has changed the store or the table of countries, or whether something
has ended, and a verdict is made anew when its rules are no longer those in force. The same thread
writes bans. So all web processes of a platform see a ban within a second.

If a file cannot be read the rules of before stay in force, ``damage`` says what is wrong, and the
web server answers only what changes nothing.
"""

import logging
import queue
import sqlite3
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from jigap.clock import Clock, day_of
from jigap.settings import SettingInvalid, Settings
from jigap.shield import address as addresses
from jigap.shield.address import Address, AddressMalformed, Network
from jigap.shield.countries import Countries, Stamp
from jigap.shield.limits import Limits, Size
from jigap.shield.recent import Recent
from jigap.shield.reference import References, Refused, tail_of
from jigap.shield.store import AUTO, Ban, ListEntry, ShieldDamaged, ShieldStore
from jigap.shield.strikes import POINTS_OF_RULE, Neighbours, Scores, points_of
from jigap.shield.table import RangesDamaged
from jigap.shield.verdict import Rule, Rules, Verdict, countries_of

log = logging.getLogger("jigap.shield")

FILE_NAME = "shield.sqlite"
LOOK_EVERY_S = 0.3
#: After a look the thread rests so many times as long as it took, and no longer than the rest.
REST_FACTOR, REST_MAX_S = 4, 0.5
RETRY_MS = 5_000
COMPLAIN_EVERY_S = 60.0
RANGES_OLD_DAYS = 60
#: So many different accounts signed in from one address in a day: many people are behind it.
SHARED_ACCOUNTS = 10
TIGHT_S = 600.0
BANS_WAITING_MAX = 1_000
BANS_AT_ONCE = 200
#: Sources are kept so long as there are no more than this, and then all forgotten; those behind
#: proxies each with a short header, which the sender chooses and must not fill the memory with.
SOURCES_MAX = 20_000
HEADER_KEPT_BYTES = 100

_NOBODY = Verdict(Rule.MALFORMED)


class Source:
    """Where requests come from, and what the rules say of it. ``proxy``: one of our own proxies."""

    __slots__ = (
        "address",
        "host_key",
        "key",
        "limits",
        "network_key",
        "proxy",
        "rules",
        "tail",
        "text",
        "verdict",
    )

    def __init__(self, address: Address, *, proxy: bool, limits: Size) -> None:
        self.address = address
        self.text = str(address)
        self.key = addresses.key_of(address)
        self.network_key = addresses.network_key_of(address)
        self.host_key = addresses.host_key_of(address)
        self.tail = tail_of(address)
        self.proxy = proxy
        self.limits = limits
        self.rules: Rules | None = None
        self.verdict = _NOBODY


@dataclass(frozen=True, slots=True)
class _State:
    """What was read from the files, and until when it is true as it stands."""

    rules: Rules
    entries: tuple[ListEntry, ...]
    bans: tuple[Ban, ...]
    countries: Countries
    until_ms: float


@dataclass(frozen=True, slots=True)
class LiveView:
    """What an operator sees of a process's shield."""

    entries: tuple[ListEntry, ...]
    bans: tuple[Ban, ...]
    refused: dict[Rule, int]
    addresses: list[tuple[str, int]]
    networks: list[tuple[str, int]]
    source: str
    ranges_age_days: int | None
    ranges_old: bool
    damage: str


class Shield:
    """One process's shield. ``start`` begins to look at the files again and again."""

    def __init__(self, folder: Path, reference_key: bytes, settings: Settings, clock: Clock):
        self.on = _is_on(settings)
        self.proxies = addresses.parse_networks(settings.proxies)
        self.header = settings.proxy_header.strip().lower().encode()
        self.references = References(reference_key)
        self.refused: Counter[Rule] = Counter()
        self.damage = ""
        self._folder = folder
        self._clock = clock
        self._limits = Limits.of(settings)
        self._countries_allowed = countries_of(settings.shield_countries)
        self._development = is_development(settings)
        self._scores = Scores()
        self._neighbours = Neighbours(SHARED_ACCOUNTS)
        self._tight: dict[int, float] = {}
        self._sources: dict[str, Source] = {}
        self._behind: dict[tuple[str, tuple[bytes, ...]], Source] = {}
        self._recent = Recent()
        self._wishes: queue.SimpleQueue[tuple[Network, str] | None] = queue.SimpleQueue()
        self._looking = threading.Lock()
        self._complained_s = 0.0
        self._thread: threading.Thread | None = None
        self._store: ShieldStore | None = None
        self._state: _State = self._made_of((), (), Countries(None))
        self._rules = self._state.rules
        self._stamp: tuple[tuple[int, ...], Stamp] | None = None
        self._again_ms = 0.0
        self.look()

    # --- for each request

    def source(self, host: str) -> Source:
        """What is known of the other end of a socket."""
        found = self._sources.get(host)
        if found is None:
            try:
                address = addresses.parse(host)
            except AddressMalformed:  # no network socket: a pipe, a test
                address = addresses.parse("127.0.0.1")
            found = self._new_source(address)
            if len(self._sources) >= SOURCES_MAX:
                self._sources.clear()
            self._sources[host] = found
        return found

    def behind(self, proxy: Source, header_values: list[bytes]) -> Source:
        """Whom a proxy of ours speaks for. Raises ``ForwardedMalformed``."""
        if not header_values:
            return proxy
        key = (proxy.text, tuple(header_values))
        found = self._behind.get(key)
        if found is None:
            address = addresses.client_of(proxy.address, header_values, self.proxies)
            found = self._new_source(address)
            if sum(map(len, header_values)) > HEADER_KEPT_BYTES:
                return found
            if len(self._behind) >= SOURCES_MAX:
                self._behind.clear()
            self._behind[key] = found
        return found

    def refuses(self, source: Source) -> Rule | None:
        """The rule, of those in force, that keeps a source out."""
        if source.rules is not self._rules:
            self._judge(source)
        return source.verdict.rule

    def over_rate(self, source: Source, now_s: float) -> tuple[Rule, float] | None:
        """The limit that is reached, and for how many seconds still."""
        limits = source.limits if not self._tight else self._limits_now(source, now_s)
        if wait_s := limits.address.take(source.key, now_s):
            return Rule.RATE_ADDRESS, wait_s
        if wait_s := limits.network.take(source.network_key, now_s):
            return Rule.RATE_NETWORK, wait_s
        return None

    def over_guesses(self, source: Source, now_s: float) -> float:
        """For how many seconds the source may not guess at anything; 0.0 if it may."""
        return self._limits_now(source, now_s).guesses.take(source.host_key, now_s)

    def over_account(
        self, source: Source, member_id: str, *, money: bool, now_s: float
    ) -> tuple[Rule, float] | None:
        """The limit that an account has reached, and for how many seconds still."""
        limits = source.limits
        if wait_s := limits.account.take(member_id, now_s):
            return Rule.RATE_ACCOUNT, wait_s
        if money and (wait_s := limits.account_money.take(member_id, now_s)):
            return Rule.RATE_ROUTE, wait_s
        return None

    # --- what became of it

    def turned_away(self, source: Source, rule: Rule, route_class: str = "") -> str:
        """Note that a source was turned away; the reference number."""
        now_s = self._clock.now_ms() // 1000
        self.refused[rule] += 1
        self._recent.note(source.text, now_s)
        if points := POINTS_OF_RULE.get(rule):
            self._struck(source, points, rule.value)
        return self.references.make(source.tail, rule, now_s, route_class)

    def answered(self, source: Source, status: int, code: str, *, cross_site: bool = False) -> None:
        """Note how a request ended; ``code`` is that of its problem, if it is one.

        ``cross_site``: the browser says that a page of another site asked.
        """
        if points := points_of(status, code, cross_site=cross_site):
            self._struck(source, points, code or "answers 4xx")

    def signed_in(self, source: Source, member_id: str) -> None:
        """Note that somebody signed in: enough of them, and the address is a shared one."""
        day = day_of(self._clock.now_ms())
        self._neighbours.signed_in(source.host_key, member_id, day)

    def open_reference(self, text: str) -> Refused:
        """What a reference number says. Raises ``ReferenceUnknown``."""
        return self.references.open(text, self._clock.now_ms() / 1000)

    # --- the files

    @property
    def store(self) -> ShieldStore:
        """Entries and bans. Raises ``ShieldDamaged``."""
        if self._store is None:
            try:
                self._store = ShieldStore(self._folder / FILE_NAME)
            except (OSError, sqlite3.Error) as error:
                raise ShieldDamaged(f"{self._folder} cannot be used: {error}.") from None
        return self._store

    def start(self) -> None:
        """Look at the files from now on, in a thread."""
        assert self._thread is None, "a shield is started once"
        self._thread = threading.Thread(target=self._watch, name="shield", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what waits, and stop looking."""
        if self._thread is not None:
            self._wishes.put(None)
            self._thread.join(10)
            self._thread = None
        if self._store is not None:
            self._store.close()

    def look(self) -> None:
        """Take in what anybody has changed. May be called from any thread; waits for the disk."""
        with self._looking:
            now_ms = self._clock.now_ms()
            try:
                stamp = (self.store.version(), Countries.stamp(self._folder))
            except ShieldDamaged as refusal:
                self._stamp = None
                self._hurt(refusal.detail)
                return
            if stamp == self._stamp and now_ms < self._again_ms:
                return
            trouble = self._take_in(stamp[1], now_ms)
            self._stamp = stamp
            self._again_ms = now_ms + RETRY_MS if trouble else self._state.until_ms
            self.damage = ""
            if trouble:
                self._hurt(trouble)

    def live(self, count: int = 20) -> LiveView:
        """What operators see."""
        now_s = self._clock.now_ms() / 1000
        state = self._state
        age_days = self.ranges_age_days()
        return LiveView(
            entries=state.entries,
            bans=state.bans,
            refused=dict(self.refused),
            addresses=self._recent.top(count, now_s),
            networks=self._networks(count, now_s),
            source=state.countries.source,
            ranges_age_days=age_days,
            ranges_old=age_days is None or age_days > RANGES_OLD_DAYS,
            damage=self.damage,
        )

    @property
    def ban_count(self) -> int:
        """Bans in force."""
        return len(self._state.bans)

    def country_of(self, address: Address) -> str:
        """Where an address is registered; empty if unknown."""
        return self._state.countries.country_of(address)

    def ranges_age_days(self) -> int | None:
        """How old the data about countries is; None if it does not say."""
        taken_on = self._state.countries.taken_on
        if taken_on is None:
            return None
        return self._clock.now_ms() // 86_400_000 - (taken_on.toordinal() - 719_163)

    # --- inside

    def _new_source(self, address: Address) -> Source:
        proxy = addresses.is_listed(address, self.proxies)
        source = Source(address, proxy=proxy, limits=self._limits.plain)
        self._judge(source)
        return source

    def _judge(self, source: Source) -> None:
        rules = self._rules
        source.verdict = rules.judge(source.address)
        if source.proxy and source.verdict.rule is not Rule.ENTRY:
            source.verdict = Verdict(None, listed=True)  # it speaks for others, or is a probe
        source.limits = self._limits.local if source.verdict.local else self._limits.plain
        source.rules = rules

    def _limits_now(self, source: Source, now_s: float) -> Size:
        until_s = self._tight.get(source.host_key)
        if until_s is None:
            return source.limits
        if until_s > now_s:
            return self._limits.tight
        self._tight.pop(source.host_key, None)
        return source.limits

    def _struck(self, source: Source, points: float, reason: str) -> None:
        """Give a source points; too many, and it is banned, or held short where it is shared."""
        verdict = source.verdict
        if verdict.listed or verdict.local or source.proxy:
            return
        now_s = time.monotonic()
        if not self._scores.add(source.host_key, points, now_s):
            return
        day = day_of(self._clock.now_ms())
        if verdict.shared or self._neighbours.are_many(source.host_key, day):
            if len(self._tight) >= SOURCES_MAX:
                self._tight = {key: end_s for key, end_s in self._tight.items() if end_s > now_s}
            self._tight[source.host_key] = now_s + TIGHT_S
        elif self._wishes.qsize() < BANS_WAITING_MAX:
            self._wishes.put((addresses.host_of(source.address), f"automatic: {reason}"))

    def _networks(self, count: int, now_s: float) -> list[tuple[str, int]]:
        """The networks of those who were turned away most."""
        total: Counter[str] = Counter()
        for text, number in self._recent.top(2_000, now_s):
            total[str(addresses.network_of(addresses.parse(text)))] += number
        return total.most_common(count)

    def _watch(self) -> None:
        while True:
            try:
                wish = self._wishes.get(timeout=LOOK_EVERY_S)
            except queue.Empty:
                self._look_and_rest([])
                continue
            if wish is None:
                return
            self._look_and_rest([wish, *self._more_wishes()])

    def _look_and_rest(self, wishes: list[tuple[Network, str]]) -> None:
        """Look, and rest longer after a long look: many bans must not take the process's time."""
        begun_s = time.monotonic()
        self._look_unless_broken(wishes)
        time.sleep(min(REST_FACTOR * (time.monotonic() - begun_s), REST_MAX_S))

    def _more_wishes(self) -> list[tuple[Network, str]]:
        found: list[tuple[Network, str]] = []
        while len(found) < BANS_AT_ONCE and not self._wishes.empty():
            wish = self._wishes.get_nowait()
            if wish is None:
                self._wishes.put(None)  # the end comes after what was wished before it
                break
            found.append(wish)
        return found

    def _write_bans(self, wishes: list[tuple[Network, str]]) -> None:
        try:
            self.store.ban_all(wishes, AUTO, self._clock.now_ms())
            log.info("banned %d", len(wishes))
        except ShieldDamaged as refusal:
            log.warning("%d could not be banned: %s", len(wishes), refusal.detail)
            with self._looking:
                self._stamp = None  # the next look says whether the file is sound

    def _look_unless_broken(self, wishes: list[tuple[Network, str]] | None = None) -> None:
        """The thread must not end, whatever a disk or a file does."""
        try:
            if wishes:
                self._write_bans(wishes)
            self.look()
        except Exception as error:
            self._hurt(f"The shield cannot look at its files: {type(error).__name__}.")
            log.debug("a bug while looking at the shield's files", exc_info=error)

    def _take_in(self, ranges: Stamp, now_ms: int) -> str:
        """Swap the rules for what the files say now; what of them cannot be read."""
        trouble, state = "", self._state
        entries, bans, countries = state.entries, state.bans, state.countries
        if self._stamp is None or ranges != self._stamp[1] or self.damage:
            try:
                countries = Countries.load(self._folder)
            except RangesDamaged as refusal:
                trouble = refusal.detail
        try:
            self.store.check()
            entries, bans = tuple(self.store.entries(now_ms)), tuple(self.store.bans(now_ms))
        except ShieldDamaged as refusal:
            trouble = refusal.detail
        self._state = self._made_of(entries, bans, countries)
        self._rules = self._state.rules
        return trouble

    def _made_of(
        self,
        entries: tuple[ListEntry, ...],
        bans: tuple[Ban, ...],
        countries: Countries,
    ) -> _State:
        rules = Rules(
            [(one.network, one.kind) for one in entries],
            [one.network for one in bans],
            countries,
            countries_allowed=self._countries_allowed,
            development=self._development,
        )
        ends = [one.until_ms for one in bans]
        ends += [one.expires_ms for one in entries if one.expires_ms is not None]
        return _State(rules, entries, bans, countries, min(ends, default=float("inf")))

    def _hurt(self, damage: str) -> None:
        """Say it loudly, but not more than once a minute."""
        self.damage = damage
        now_s = time.monotonic()
        if not self._complained_s or now_s - self._complained_s >= COMPLAIN_EVERY_S:
            self._complained_s = now_s
            log.error("the shield is damaged, nothing can be paid: %s", self.damage)


def is_development(settings: Settings) -> bool:
    """Whether private addresses may come in. Raises ``SettingInvalid``."""
    said = settings.development.strip()
    if said not in ("", "0", "1"):
        raise SettingInvalid("development is 1, 0 or empty.", setting="development")
    if said:
        return said == "1"
    if settings.proxies.strip():
        return False
    try:
        return addresses.parse(settings.host).is_loopback
    except AddressMalformed:
        return settings.host == "localhost"


def _is_on(settings: Settings) -> bool:
    if settings.shield not in ("on", "off"):
        raise SettingInvalid("shield is on or off.", setting="shield")
    return settings.shield == "on"

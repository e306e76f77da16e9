"""Every part of the platform, built once and handed to the parts that need it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import OperationalError

from jigap.app.folder import Folder
from jigap.app.installation import Accounts, read_accounts
from jigap.audit import Sealer
from jigap.ca import CertificateAuthority, CitizenInfoCa, EmbeddedCa, PartnerCa
from jigap.clock import Clock, SystemClock
from jigap.database import Database, sqlite_url
from jigap.dispatcher import Dispatcher, ServiceAccount
from jigap.events import Bell
from jigap.housekeeping import Housekeeping
from jigap.keys import KdfPool, KeyRing, ServiceKeys, Unlocked, Vault, write_synced
from jigap.lanes import TagKeys
from jigap.members import (
    Argon2Pool,
    Directory,
    Factors,
    Favourites,
    Freezing,
    LevelLimits,
    Members,
    Proofs,
    Sellers,
    Sessions,
    SignIns,
    SpendingLimits,
    Wallets,
)
from jigap.migrations import migrate
from jigap.node import NodeClient
from jigap.privacy import Closing, Holdings, Retention
from jigap.realname import HttpAgency, PortOne, Provider, RealName
from jigap.recovery import PasswordResets, Recoveries, RecoveryDesk
from jigap.refusal import Kind, Refusal
from jigap.settings import SettingInvalid, Settings
from jigap.shield import KEY_PURPOSE, Shield
from jigap.tokens import Tokens
from jigap.transfers import Balances, Payments

#: Files up to this size are read whole at each start, larger ones only at their beginning.
CHECKED_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True)
class App:
    """The platform of one process. The dispatcher is built apart: it alone holds service keys."""

    settings: Settings
    folder: Folder
    clock: Clock
    database: Database
    ring: KeyRing
    client: NodeClient
    accounts: Accounts
    work: Bell
    news: Bell
    passwords: Argon2Pool
    pool: KdfPool
    vault: Vault
    members: Members
    sessions: Sessions
    sign_ins: SignIns
    factors: Factors
    directory: Directory
    favourites: Favourites
    wallets: Wallets
    limits: SpendingLimits
    freezing: Freezing
    sellers: Sellers
    realname: RealName
    password_resets: PasswordResets
    recoveries: Recoveries
    recovery_desk: RecoveryDesk
    tokens: Tokens
    payments: Payments
    balances: Balances
    holdings: Holdings
    closing: Closing
    retention: Retention
    shield: Shield

    async def close(self) -> None:
        """Let what is under way end, then let go of everything."""
        await self.vault.settled()
        await self.password_resets.settled()
        await self.realname.close()
        await self.client.close()
        self.pool.close()
        self.passwords.close()
        self.database.close()
        self.shield.close()


class DatabaseDamaged(Refusal):
    """The database file is not a database, or not a whole one."""

    code = "database_damaged"
    kind = Kind.UNAVAILABLE
    hint = "Restore it from a backup: jigap restore."


class DatabaseUnreachable(Refusal):
    """The database server does not answer, or does not let us in."""

    code = "database_unreachable"
    kind = Kind.UNAVAILABLE
    hint = "Check database_url, and that the server runs."


def open_database(settings: Settings) -> Database:
    """The database in its present shape.

    Raises ``DatabaseDamaged``, ``DatabaseUnreachable`` or ``DatabaseTooNew``.
    """
    path = Folder.of(settings).database
    if not settings.database_url:
        _check_file(path)
    database = Database(settings.database_url or sqlite_url(path))
    try:
        migrate(database)
    except OperationalError as error:
        database.close()
        raise DatabaseUnreachable(_first_line(error)) from None
    except BaseException:
        database.close()
        raise
    return database


def _check_file(path: Path) -> None:
    """Find out about a damaged file before the threads that use it start."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as reading:
            small = path.stat().st_size <= CHECKED_BYTES_MAX
            found = reading.execute(f"PRAGMA {'quick_check' if small else 'schema_version'}")
            said = str(found.fetchone()[0])
    except sqlite3.OperationalError as error:
        raise DatabaseUnreachable(f"{path} cannot be opened: {error}.") from None
    except sqlite3.DatabaseError as error:
        raise DatabaseDamaged(f"{path} is damaged: {error}.") from None
    if small and said != "ok":
        raise DatabaseDamaged(f"{path} is damaged: {said.splitlines()[0]}.")


def _first_line(error: OperationalError) -> str:
    return str(error.orig).strip().splitlines()[0]


def build(settings: Settings, *, clock: Clock | None = None) -> App:
    """Open everything and wire it together. ``settings.chain_url`` says where the node is.

    The installation must be there (``install``). Raises the refusals of its parts.
    """
    folder = Folder.of(settings)
    clock = clock or SystemClock()
    ring, accounts = KeyRing.load(folder.master_key), read_accounts(settings)
    LevelLimits(settings)  # what is no amount is refused before anything is opened
    agency = build_agency(settings, clock)
    shield = Shield(folder.shield, ring.derive(KEY_PURPOSE), settings, clock)
    database = open_database(settings)
    client = NodeClient(node_url(settings), settings.node_timeout_ms)
    work, news = Bell(), Bell()
    passwords, pool = Argon2Pool(), KdfPool(settings.kdf_threads, settings.kdf_queue)
    vault = Vault(database, ring, folder.keystores, pool, clock, settings)
    directory = Directory(database, ring, clock, settings.directory_day_lookups)
    realname = RealName(database, ring, agency, clock, settings)
    sessions = Sessions(database, ring, clock, settings)
    open_recipient = directory.open_recipient
    tags = TagKeys(ring.derive("transaction-tag"))
    proofs = Proofs(database, clock, passwords)
    return App(
        settings=settings,
        folder=folder,
        clock=clock,
        database=database,
        ring=ring,
        client=client,
        accounts=accounts,
        work=work,
        news=news,
        passwords=passwords,
        pool=pool,
        vault=vault,
        members=Members(database, ring, clock, passwords),
        sessions=sessions,
        sign_ins=SignIns(database, ring, clock, passwords, sessions, settings),
        factors=Factors(database, ring, clock, proofs),
        directory=directory,
        favourites=Favourites(database, ring, clock, directory, settings.changes_day),
        wallets=Wallets(database, vault, clock, work, news),
        limits=SpendingLimits(database, vault, clock, settings),
        realname=realname,
        password_resets=PasswordResets(database, ring, realname, passwords, clock, settings),
        sellers=Sellers(database, clock, settings.changes_day),
        freezing=Freezing(database, ring, clock, settings.chain_id, proofs),
        recoveries=Recoveries(database, vault, realname, clock, settings),
        recovery_desk=RecoveryDesk(database, ring, clock),
        tokens=Tokens(database, client, clock, work, accounts.issuers, tags, settings.chain_id),
        payments=Payments(
            database, vault, ring, clock, settings, work, news, open_recipient, accounts.work_node
        ),
        balances=Balances(database, client),
        holdings=Holdings(database, ring, clock),
        closing=Closing(database, ring, clock, settings, proofs),
        retention=Retention(database, vault.files, clock, settings),
        shield=shield,
    )


def build_dispatcher(app: App) -> Dispatcher:
    """The dispatcher of this platform, with the service keys unlocked."""
    keys = ServiceKeys(app.ring, app.folder.service_keys)
    return Dispatcher(
        app.database,
        app.client,
        build_authority(app, keys),
        app.ring,
        app.clock,
        app.settings,
        {
            "token_owner": _opened(keys, "token_owner", app.accounts.token_owner),
            "treasury": _opened(keys, "treasury", app.accounts.treasury),
        },
        app.accounts.work_node,
        app.work,
        app.news,
        Housekeeping(app.database, app.clock, app.settings, _sealer(app, keys), app.retention),
    )


def _sealer(app: App, keys: ServiceKeys) -> Sealer:
    head = app.folder.audit_head
    return Sealer(app.database, keys.signer("audit"), app.clock, head, write_synced)


def _opened(keys: ServiceKeys, role: str, symid: bytes) -> ServiceAccount:
    return ServiceAccount(symid, Unlocked(keys.signer(role)))


def build_authority(app: App, keys: ServiceKeys) -> CertificateAuthority:
    """The certificate authority that the settings name; the embedded one if they name none."""
    settings = app.settings
    if not settings.ca_url:
        return EmbeddedCa(app.client, keys.signer("ca"), app.accounts.ca, settings.chain_id)
    if settings.ca_kind == "partner":
        return PartnerCa(settings.ca_url, settings.ca_secret, settings.ca_timeout_ms)
    if settings.ca_kind == "citizen_info":
        return CitizenInfoCa(settings.ca_url, settings.ca_timeout_ms)
    raise SettingInvalid("ca_kind is citizen_info or partner.", setting="ca_kind")


def build_agency(settings: Settings, clock: Clock) -> Provider | None:
    """The real-name agency that the settings name, or None.

    Raises ``SettingInvalid``, ``AgencySettingInvalid`` or ``PortOneMissing``.
    """
    if settings.realname_provider == "portone":
        return PortOne(
            settings.portone_secret,
            settings.portone_channel_key,
            store_id=settings.portone_store_id,
            url=settings.portone_url,
            wrong_codes=[one.strip() for one in settings.portone_wrong_codes.split(",")],
        )
    if settings.realname_provider != "agency":
        raise SettingInvalid("realname_provider is agency or portone.", setting="realname_provider")
    if not settings.agency_url:
        return None
    return HttpAgency(
        settings.agency_url,
        settings.agency_client,
        settings.agency_secret,
        clock,
        timeout_ms=settings.agency_timeout_ms,
        times=settings.agency_times,
    )


def node_url(settings: Settings) -> str:
    """Where the node answers JSON-RPC."""
    return settings.chain_url or f"http://127.0.0.1:{settings.node_port}"

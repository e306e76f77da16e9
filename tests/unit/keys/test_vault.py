"""The vault: opening, changing, exporting, importing, and who may try how often."""

import asyncio
import logging
import threading
import time
import unicodedata

import pytest
from tests.unit.keys.keyring import N_TEST, OTHER, PASSPHRASE, WRONG, bench
from tests.unit.keys.test_envelope import PRIVATE, PUBLIC

from jigap.chain import Transaction, transaction
from jigap.database import metadata
from jigap.events import events
from jigap.keys import (
    EnvelopeDamaged,
    KdfBusy,
    KdfPool,
    KeystoreKeyMismatch,
    KeystoreMissing,
    PassphraseBusy,
    PassphraseWait,
    PassphraseWeak,
    PassphraseWrong,
    RecoveryKeyInvalid,
    attempts,
    copies,
    envelope,
    keystore,
    keystores,
    vault,
)
from jigap.keys.attempts import FREE_ATTEMPTS
from jigap.settings import Settings

PAYMENT = Transaction(
    sender=bytes(10), nonce=0, gas_price=1, gas_limit=1, to=bytes(10), value=5, input=b"",
    type=0, work_nodes=(bytes(10),), extra_data=b"",
)  # fmt: skip


@pytest.fixture
async def held(sqlite_database, tmp_path):
    async with bench(sqlite_database, tmp_path) as made:
        yield made


@pytest.fixture
async def held_on_both(database, tmp_path):
    """For what the database decides: once on SQLite, once on PostgreSQL."""
    async with bench(database, tmp_path) as made:
        yield made


@pytest.fixture
def derivations(monkeypatch):
    """How many keys were derived: every KDF goes through this one function."""
    calls = []
    real = keystore.scrypt

    def counting(*given, **named):
        calls.append(1)
        return real(*given, **named)

    monkeypatch.setattr(keystore, "scrypt", counting)
    return calls


async def row(made, wallet_id="wa_1"):
    def read(connection):
        return connection.execute(
            keystores.select().where(keystores.c.wallet_id == wallet_id)
        ).one()

    return await made.database.read(read)


async def test_an_unlocked_key_signs_as_its_wallet(held_on_both):
    held = held_on_both
    key = await held.wallet()
    async with held.vault.unlocked("wa_1", PASSPHRASE) as unlocked:
        signed = unlocked.sign(PAYMENT, 7777)
    assert transaction.recover_public_key_hash(signed, 7777) == key.public_key_hash


async def test_a_key_is_gone_after_its_block(held):
    await held.wallet()
    async with held.vault.unlocked("wa_1", PASSPHRASE) as unlocked:
        pass
    with pytest.raises(RuntimeError):
        unlocked.sign(PAYMENT, 7777)


async def test_a_key_is_gone_after_an_error_in_its_block(held):
    await held.wallet()
    with pytest.raises(ZeroDivisionError):
        async with held.vault.unlocked("wa_1", PASSPHRASE) as unlocked:
            raise ZeroDivisionError
    with pytest.raises(RuntimeError):
        unlocked.sign(PAYMENT, 7777)


async def test_every_wallet_has_a_key_of_its_own(held):
    keys = [await held.wallet(f"wa_{number}") for number in range(5)]
    assert len({key.public_key_hash for key in keys}) == 5


async def test_both_copies_of_a_new_key_are_the_same(held):
    key = await held.wallet()
    found = await row(held)
    assert held.vault.files.read("wa_1", 1) == bytes(found.envelope) == key.envelope


async def test_a_passphrase_is_the_same_however_it_was_typed(held):
    await held.wallet(passphrase=unicodedata.normalize("NFC", "비밀번호여덟글자"))
    assert await held.opens("wa_1", unicodedata.normalize("NFD", "비밀번호여덟글자"))


async def test_a_wallet_without_a_key_is_told(held):
    with pytest.raises(KeystoreMissing):
        async with held.vault.unlocked("wa_0", PASSPHRASE):
            pass


async def test_a_weak_passphrase_makes_no_key(held):
    with pytest.raises(PassphraseWeak):
        await held.vault.new_key("wa_1", "short")
    assert held.vault.files.versions("wa_1") == []


async def test_a_wrong_passphrase_says_what_is_left(held):
    await held.wallet()
    with pytest.raises(PassphraseWrong) as told:
        async with held.vault.unlocked("wa_1", WRONG):
            pass
    assert told.value.facts == {"attempts": 1, "free_attempts_left": FREE_ATTEMPTS - 1}


async def test_fifty_guesses_at_once_derive_no_more_keys_than_allowed(held_on_both, derivations):
    held = held_on_both
    await held.wallet()
    derivations.clear()

    async def guess():
        async with held.vault.unlocked("wa_1", WRONG):
            raise AssertionError("it opened")

    answers = await asyncio.gather(*(guess() for _ in range(50)), return_exceptions=True)
    assert len(derivations) == FREE_ATTEMPTS
    assert sum(isinstance(one, PassphraseWrong) for one in answers) == FREE_ATTEMPTS
    assert sum(isinstance(one, PassphraseWait) for one in answers) == 50 - FREE_ATTEMPTS
    assert (await row(held)).attempts == FREE_ATTEMPTS


async def test_fifty_guesses_over_several_processes_derive_no_more(held_on_both, derivations):
    held = held_on_both
    await held.wallet()
    derivations.clear()
    vaults = [held.another_vault() for _ in range(5)]

    async def guess(number):
        async with vaults[number % 5].unlocked("wa_1", WRONG):
            raise AssertionError("it opened")

    answers = await asyncio.gather(*(guess(n) for n in range(50)), return_exceptions=True)
    assert len(derivations) == FREE_ATTEMPTS
    kinds = {type(one) for one in answers}
    assert kinds <= {PassphraseWrong, PassphraseWait, PassphraseBusy}
    for one in vaults:
        await one.settled()


async def test_waits_grow_with_every_wrong_passphrase(held_on_both):
    held = held_on_both
    await held.wallet()
    waits = []
    for _ in range(FREE_ATTEMPTS + 3):
        with pytest.raises(PassphraseWrong):
            async with held.vault.unlocked("wa_1", WRONG):
                pass
        found = await row(held)
        waits.append(max(found.retry_at_ms - held.clock.now_ms(), 0))
        held.clock.advance(waits[-1])
    assert waits == [0, 0, 0, 30_000, 60_000, 300_000, 900_000]


async def test_the_right_passphrase_is_refused_too_while_the_wait_lasts(held):
    await held.wallet()
    for _ in range(FREE_ATTEMPTS):
        with pytest.raises(PassphraseWrong):
            async with held.vault.unlocked("wa_1", WRONG):
                pass
    with pytest.raises(PassphraseWait) as told:
        async with held.vault.unlocked("wa_1", PASSPHRASE):
            pass
    assert told.value.retry_after_s == 30
    held.clock.advance(30_000)
    async with held.vault.unlocked("wa_1", PASSPHRASE):
        pass
    assert (await row(held)).attempts == 0


async def test_fifty_payments_at_once_with_the_right_passphrase_all_open(held_on_both):
    held = held_on_both
    await held.wallet()
    second = held.another_vault()

    async def pay(number):
        one = (held.vault, second)[number % 2]
        async with one.unlocked("wa_1", PASSPHRASE) as unlocked:
            return unlocked.public_key_hash

    assert len(set(await asyncio.gather(*(pay(number) for number in range(50))))) == 1
    found = await row(held)
    assert (found.attempts, found.busy_until_ms, found.retry_at_ms) == (0, 0, 0)


async def test_the_turns_of_one_wallet_are_bounded(held, monkeypatch):
    monkeypatch.setattr(vault, "TURNS_MAX", 3)
    await held.wallet()

    async def pay():
        async with held.vault.unlocked("wa_1", PASSPHRASE):
            pass

    answers = await asyncio.gather(*(pay() for _ in range(10)), return_exceptions=True)
    assert answers.count(None) == 4
    assert sum(isinstance(one, PassphraseBusy) for one in answers) == 6
    assert not held.vault._turns


async def test_a_full_pool_counts_nothing(held):
    await held.wallet()
    full = KdfPool(1, queue_max=0)
    with full.place(), pytest.raises(KdfBusy):
        async with held.another_vault(full).unlocked("wa_1", PASSPHRASE):
            pass
    full.close()
    assert (await row(held)).attempts == 0


@pytest.mark.alone
async def test_reads_stay_quick_while_every_thread_derives(sqlite_database, tmp_path):
    """Looking at things is what people do while they wait; the bound is generous."""
    async with bench(sqlite_database, tmp_path) as held:
        await held.wallet()
        held.vault._n = 16_384
        making = [
            asyncio.create_task(held.vault.new_key(f"wa_{number}", PASSPHRASE))
            for number in range(10, 40)
        ]
        took = []
        while not all(one.done() for one in making):
            before = time.perf_counter()
            await held.database.read(copies.stored, "wa_1")
            took.append(time.perf_counter() - before)
        await asyncio.gather(*making)
    assert len(took) > 20, "the pool was not busy long enough to show anything"
    assert sorted(took)[len(took) // 2] < 0.1


async def test_a_foreign_lease_is_waited_for_and_then_told(held_on_both, monkeypatch):
    held = held_on_both
    monkeypatch.setattr(vault, "LEASE_WAIT_S", 0.05)
    await held.wallet()
    await held.database.write(attempts.take, "wa_1", token=bytes(16), now_ms=held.clock.now_ms())
    with pytest.raises(PassphraseBusy) as told:
        async with held.vault.unlocked("wa_1", PASSPHRASE):
            pass
    assert told.value.retryable
    held.clock.advance(attempts.LEASE_MS)
    async with held.vault.unlocked("wa_1", PASSPHRASE):
        pass


async def test_a_lease_is_renewed_while_its_holder_works(held_on_both, monkeypatch):
    """A busy machine derives slowly: nobody else begins, and no right guess is counted."""
    held = held_on_both
    monkeypatch.setattr(vault, "RENEW_S", 0.01)
    await held.wallet()
    begun, go_on = threading.Event(), threading.Event()
    derive = keystore.derive_for

    def slow(*given):
        begun.set()
        assert go_on.wait(30)
        return derive(*given)

    monkeypatch.setattr(keystore, "derive_for", slow)
    first = asyncio.create_task(held.vault.change_passphrase("wa_1", PASSPHRASE, OTHER))
    await asyncio.to_thread(begun.wait, 30)
    for _ in range(3):
        held.clock.advance(attempts.LEASE_MS - 1)
        async with asyncio.timeout(30):
            while (await row(held)).busy_until_ms < held.clock.now_ms() + attempts.LEASE_MS:
                await asyncio.sleep(0.01)
    with pytest.raises(PassphraseBusy):
        now_ms = held.clock.now_ms()
        await held.database.write(attempts.take, "wa_1", token=bytes(16), now_ms=now_ms)
    go_on.set()
    assert await first == 2
    found = await row(held)
    assert (found.attempts, found.busy_until_ms, found.busy_token) == (0, 0, None)
    await asyncio.sleep(0.05)
    assert (await row(held)).busy_until_ms == 0, "nobody renews what has ended"


async def test_who_has_lost_a_lease_does_not_renew_it(held_on_both):
    held = held_on_both
    await held.wallet()
    now_ms = held.clock.now_ms()
    mine = await held.database.write(attempts.take, "wa_1", token=b"a" * 16, now_ms=now_ms)
    now_ms += attempts.LEASE_MS
    await held.database.write(attempts.take, "wa_1", token=b"b" * 16, now_ms=now_ms)
    await held.database.write(attempts.renew, mine, now_ms + 5_000)
    assert (await row(held)).busy_until_ms == now_ms + attempts.LEASE_MS


async def test_a_cancelled_request_settles_its_attempt(held_on_both):
    """Hanging up while the key is derived neither frees the guess nor leaves the lease behind."""
    held = held_on_both
    await held.wallet()

    async def guess():
        async with held.vault.unlocked("wa_1", WRONG):
            pass

    task = asyncio.create_task(guess())
    while not held.pool.places_taken:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await held.vault.settled()
    found = await row(held)
    assert (found.attempts, found.busy_until_ms) == (1, 0)


async def test_a_moved_envelope_opens_nothing_and_counts_nothing(held):
    """One wallet's envelope in another wallet's row: the thief knows the passphrase of one."""
    await held.wallet("wa_1", PASSPHRASE)
    victim = await held.wallet("wa_2", OTHER)
    thief = await row(held, "wa_1")

    def move(connection):
        changed = keystores.update().where(keystores.c.wallet_id == "wa_2")
        connection.execute(changed.values(envelope=thief.envelope))

    await held.database.write(move)
    with pytest.raises(EnvelopeDamaged):
        async with held.vault.unlocked("wa_2", PASSPHRASE):
            pass
    found = await row(held, "wa_2")
    assert (found.attempts, found.busy_until_ms) == (0, 0)
    assert bytes(found.public_key_hash) == victim.public_key_hash


async def test_a_new_passphrase_opens_the_same_key_and_the_old_one_nothing(held_on_both):
    held = held_on_both
    key = await held.wallet()
    assert await held.vault.change_passphrase("wa_1", PASSPHRASE, OTHER) == 2
    assert not await held.opens("wa_1", PASSPHRASE)
    async with held.vault.unlocked("wa_1", OTHER) as unlocked:
        assert unlocked.public_key_hash == key.public_key_hash
    assert held.vault.files.versions("wa_1") == [2]
    assert held.vault.files.read("wa_1", 2) == bytes((await row(held)).envelope)


async def test_an_old_envelope_put_back_does_not_open(held):
    """Rolling the database back to a known passphrase is noticed: the version is bound."""
    await held.wallet()
    before = await row(held)
    await held.vault.change_passphrase("wa_1", PASSPHRASE, OTHER)

    def roll_back(connection):
        connection.execute(keystores.update().values(envelope=before.envelope))

    await held.database.write(roll_back)
    with pytest.raises(EnvelopeDamaged):
        async with held.vault.unlocked("wa_1", PASSPHRASE):
            pass


async def test_a_change_needs_the_old_passphrase_and_counts_as_an_attempt(held):
    await held.wallet()
    with pytest.raises(PassphraseWrong):
        await held.vault.change_passphrase("wa_1", WRONG, OTHER)
    assert (await row(held)).attempts == 1
    assert held.vault.files.versions("wa_1") == [1]


async def test_a_change_to_a_weak_passphrase_changes_nothing(held):
    await held.wallet()
    with pytest.raises(PassphraseWeak):
        await held.vault.change_passphrase("wa_1", PASSPHRASE, "short")
    assert (await row(held)).attempts == 0


async def test_a_change_keeps_the_keystores_id(held):
    await held.wallet()

    async def id_now():
        found = await row(held)
        label = envelope.Label("wa_1", bytes(found.public_key_hash), found.version)
        return keystore.read(envelope.open_(bytes(found.envelope), label, held.ring))["id"]

    before = await id_now()
    await held.vault.change_passphrase("wa_1", PASSPHRASE, OTHER)
    assert await id_now() == before


async def test_a_change_tells_the_member_in_the_same_transaction(held_on_both):
    held = held_on_both
    await held.wallet()
    await held.vault.change_passphrase("wa_1", PASSPHRASE, OTHER, member_id="mb_1")

    def told(connection):
        return connection.execute(events.select()).all()

    (event,) = await held.database.read(told)
    assert (event.kind, event.member_id, event.subject) == ("passphrase.changed", "mb_1", "wa_1")
    assert "audit_trail" in metadata.tables


async def test_of_two_changes_at_once_one_wins_and_both_copies_agree(held_on_both):
    held = held_on_both
    await held.wallet()
    second = held.another_vault()
    new = ["the first new passphrase", "the second new passphrase"]
    answers = await asyncio.gather(
        held.vault.change_passphrase("wa_1", PASSPHRASE, new[0]),
        second.change_passphrase("wa_1", PASSPHRASE, new[1]),
        return_exceptions=True,
    )
    assert sum(one == 2 for one in answers) == 1
    assert [await held.opens("wa_1", one) for one in new].count(True) == 1
    assert held.vault.files.read("wa_1", 2) == bytes((await row(held)).envelope)


@pytest.fixture
def light_export(monkeypatch):
    """Exports at full strength take most of a second; one test shows that strength."""
    monkeypatch.setattr(keystore, "N_FULL", N_TEST)


async def test_an_export_is_a_standard_file_at_full_strength(held):
    key = await held.wallet()
    document = await held.vault.export("wa_1", PASSPHRASE)
    found = keystore.parse(document)
    assert (found.version, found.n, found.r, found.p) == (4, 262_144, 8, 1)
    opened = keystore.decrypt(document, PASSPHRASE)
    assert opened.public_key_hash == key.public_key_hash


async def test_an_export_in_version_3_names_the_symid(held, light_export):
    await held.wallet()
    symid = bytes.fromhex("00021000000000010002")
    document = await held.vault.export("wa_1", PASSPHRASE, version=3, symid=symid)
    assert (document["version"], document["address"]) == (3, "00021000000000010002")


async def test_an_export_may_have_a_passphrase_of_its_own(held, light_export):
    await held.wallet()
    document = await held.vault.export("wa_1", PASSPHRASE, new_passphrase=OTHER)
    assert keystore.decrypt(document, OTHER).mac_hash == "sha3256"
    assert await held.opens("wa_1", PASSPHRASE)


async def test_an_export_needs_the_passphrase(held):
    await held.wallet()
    with pytest.raises(PassphraseWrong):
        await held.vault.export("wa_1", WRONG)
    assert (await row(held)).attempts == 1


async def test_an_import_of_the_same_key_sets_its_passphrase(held_on_both, light_export):
    held = held_on_both
    key = await held.wallet()
    document = await held.vault.export("wa_1", PASSPHRASE, new_passphrase=OTHER)
    assert await held.vault.import_("wa_1", document, OTHER) == 2
    assert not await held.opens("wa_1", PASSPHRASE)
    async with held.vault.unlocked("wa_1", OTHER) as unlocked:
        assert unlocked.public_key_hash == key.public_key_hash


async def test_an_import_of_another_key_is_refused(held, light_export):
    await held.wallet("wa_1")
    await held.wallet("wa_2")
    foreign = await held.vault.export("wa_2", PASSPHRASE)
    with pytest.raises(KeystoreKeyMismatch):
        await held.vault.import_("wa_1", foreign, PASSPHRASE)
    found = await row(held)
    assert (found.version, found.busy_until_ms) == (1, 0)


async def test_an_import_mends_a_wallet_whose_copies_are_both_damaged(held, light_export):
    key = await held.wallet()
    document = await held.vault.export("wa_1", PASSPHRASE)

    def damage(connection):
        connection.execute(keystores.update().values(envelope=b"damaged"))

    await held.database.write(damage)
    held.vault.files.write("wa_1", 1, b"damaged")
    await held.vault.import_("wa_1", document, PASSPHRASE)
    async with held.vault.unlocked("wa_1", PASSPHRASE) as unlocked:
        assert unlocked.public_key_hash == key.public_key_hash


async def test_an_import_with_the_files_wrong_passphrase_is_told(held, light_export):
    await held.wallet()
    document = await held.vault.export("wa_1", PASSPHRASE)
    with pytest.raises(PassphraseWrong):
        await held.vault.import_("wa_1", document, WRONG)
    assert (await row(held)).version == 1


async def test_the_recovery_slot_is_made_and_follows_every_change(sqlite_database, tmp_path):
    async with bench(sqlite_database, tmp_path, recovery_public_key=PUBLIC.hex()) as held:
        key = await held.wallet()
        await held.vault.change_passphrase("wa_1", PASSPHRASE, OTHER)
        secret = envelope.open_recovery(bytes((await row(held)).envelope), PRIVATE)
    assert keystore.PrivateKey(secret).public_key_hash == key.public_key_hash


@pytest.mark.parametrize("text", ["xx", "00" * 31, "00" * 33])
def test_an_unusable_recovery_key_is_told_at_once(text):
    with pytest.raises(RecoveryKeyInvalid):
        vault.recovery_key(Settings(recovery_public_key=text))


async def test_neither_key_nor_passphrase_is_ever_said(held, caplog, monkeypatch):
    """Not in representations, not in refusals, not in logs, not in the database."""
    caplog.set_level(logging.DEBUG)
    secrets = []
    real = keystore.encrypt_derived

    def remembering(secret, *given, **named):
        secrets.append(secret)
        return real(secret, *given, **named)

    monkeypatch.setattr(keystore, "encrypt_derived", remembering)
    said = [repr(await held.wallet())]
    async with held.vault.unlocked("wa_1", PASSPHRASE) as unlocked:
        said += [repr(unlocked), repr(held.vault), repr(held.ring)]
    with pytest.raises(PassphraseWrong) as told:
        async with held.vault.unlocked("wa_1", WRONG):
            pass
    said += [repr(told.value), str(told.value.facts), caplog.text]
    said += [repr(await held.database.read(copies.stored, "wa_1"))]
    text = " ".join(said)
    for secret in (secrets[0].hex(), repr(secrets[0]), PASSPHRASE, WRONG):
        assert secret not in text
    for path in held.root.rglob("wa_1.*"):
        assert secrets[0].hex() not in path.read_text()

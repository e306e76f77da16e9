"""One platform's whole morning, written so that it can be run again after a crash at any point.

    python -m tests.fault.scenario DATA RPC

Two wallets, a token, a payment, a passphrase change, another payment. Every request carries the
same key each time, so whatever a first run had achieved is found by the second. Prints what it ends
with.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from jigap import auditor, members
from jigap.app import App, build, build_dispatcher, install
from jigap.keys import Caretaker, Fault, PassphraseBusy, PassphraseWrong
from jigap.lanes import State
from jigap.members import WalletExists
from jigap.members.accounts import create_member
from jigap.members.records import change
from jigap.settings import load
from jigap.transfers import Order, Transfer

T = TypeVar("T")

OLD, NEW = "the old passphrase", "the new passphrase"
PATIENCE_S = 120
#: What a crash may leave beside the copies that count: a file too many.
HARMLESS = {Fault.FILE_STRAY, Fault.ROW_MISSING}


async def main(data: str, rpc: str) -> dict[str, Any]:
    """Run the morning and return what is true at its end."""
    settings = load(data, chain_url=rpc, scrypt_n=2, idle_poll_ms=20, node_timeout_ms=2_000)
    install(settings)
    app = build(settings)
    dispatcher = build_dispatcher(app)
    await dispatcher.start()
    running = asyncio.create_task(dispatcher.run())
    try:
        return await _morning(app)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await app.close()


async def _morning(app: App) -> dict[str, Any]:
    payer, payee = await _member(app, "payer"), await _member(app, "payee")
    for who in (payer, payee):
        with contextlib.suppress(WalletExists):
            await app.wallets.make(who, OLD)
        await _until(lambda who=who: _is_active(app, who))
    await _operation(app, await app.tokens.create("mb_op", "create-01", "Est", "EST", "0"))
    await _operation(app, await app.tokens.mint("mb_op", "mint-0001", "EST", "100", "payer"))
    first = await _pay(app, payer, payee, "30", "pay-0001", (OLD, NEW))
    with contextlib.suppress(PassphraseWrong):  # a run before this one may have changed it
        await _patiently(lambda: app.wallets.change_passphrase(payer, OLD, NEW))
    second = await _pay(app, payer, payee, "20", "pay-0002", (NEW,))
    report = await auditor.audit(app.database, app.client)
    caretaker = Caretaker(app.database, app.ring, app.vault.files, app.clock)
    found = {finding.fault for finding in (await caretaker.verify_all()).findings}
    await caretaker.restore_all()
    left = (await caretaker.verify_all()).findings
    transfers, _ = await app.payments.page(payer, None, 100)
    return {
        "states": [first.state, second.state],
        "transfers": len(transfers),
        "balances": [await _available(app, payer), await _available(app, payee)],
        "audit": [str(difference) for difference in report.differences],
        "supply": str(report.supply["EST"]),
        "keys": sorted(fault.name for fault in found - HARMLESS),
        "keys_after_restore": [str(finding) for finding in left],
    }


async def _member(app: App, login: str) -> str:
    found = await app.database.read(members.by_login, login)
    if found is not None:
        return found.id

    def insert(connection: Any) -> str:
        member_id = create_member(
            connection,
            ring=app.ring,
            login=login,
            password_hash="!",
            roles=frozenset({"payer"}),
            name="김지갑",
            phone="+821012345678",
            now_ms=app.clock.now_ms(),
        )
        change(connection, member_id, level=1, verified_ms=app.clock.now_ms())
        return member_id

    return await app.database.write(insert)


async def _is_active(app: App, member_id: str) -> bool:
    return (await app.wallets.of(member_id)).is_active


async def _operation(app: App, operation: Any) -> None:
    async def final() -> bool:
        return (await app.tokens.operation(operation.id)).state == State.CONFIRMED

    await _until(final)


async def _pay(
    app: App, payer: str, payee: str, amount: str, key: str, passphrases: tuple[str, ...]
) -> Transfer:
    recipient = app.directory.make_recipient(payee, payer, app.clock.now_ms())
    for passphrase in passphrases:
        with contextlib.suppress(PassphraseWrong):
            order = Order(recipient, "EST", amount)
            made = await _patiently(partial(app.payments.send, payer, key, order, passphrase))
            return await app.payments.wait(payer, made, PATIENCE_S)
    raise AssertionError("no passphrase opens the key")


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while a process that died still counts as checking a passphrase."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await ask()
        except PassphraseBusy:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.2)


async def _available(app: App, member_id: str) -> int:
    member = await app.database.read(members.get, member_id)
    assert member is not None and member.wallet is not None
    (balance,) = await app.balances.of(member.wallet.symid)
    return balance.available // 10**18


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not await holds():
        if time.monotonic() > end:
            raise AssertionError("this took too long")
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))

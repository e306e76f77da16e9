"""Gas refills as records: reserve the budgets, record the wish, read what is under way.

A refill is wished inside the transaction that decided it is needed; the dispatcher signs it with
the token owner's key and sends it. When a budget is spent the wish is kept with a reason and tried
again: the payment waits, nothing is lost.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, and_, insert, not_, or_, select, update

from jigap import index, lanes, members
from jigap.clock import day_of
from jigap.database import insert_if_absent, prepared
from jigap.entropy import new_id
from jigap.lanes import TagKeys
from jigap.node.client import ChainTransaction
from jigap.settings import Settings
from jigap.transfers.gas_refill import GasPurse, gas_units
from jigap.transfers.records import gas_budgets, gas_refills

PURPOSE = "gas_refill"
BUDGET_SPENT = "gas_budget_spent"


def purse(connection: Connection, chain_id: int, symid: bytes) -> GasPurse:
    """An account's SYM: at the indexed height, in refills under way, and owed."""
    balance_hug = index.account(connection, symid).balance_hug
    under_way = connection.scalars(*_under_way(symid))
    return GasPurse(balance_hug, sum(under_way), lanes.owed_by(connection, chain_id, symid))


def purses(
    connection: Connection, chain_id: int, symids: Collection[bytes]
) -> dict[bytes, GasPurse]:
    """``purse`` of many accounts."""
    if not symids:
        return {}
    accounts = index.accounts(connection, symids)
    owed = lanes.owed(connection, chain_id, symids)
    under_way = dict.fromkeys(symids, 0)
    query = _unfinished(gas_refills.c.symid, gas_refills.c.amount_hug)
    for row in connection.execute(query.where(gas_refills.c.symid.in_(sorted(symids)))):
        under_way[row.symid] += row.amount_hug
    nothing = index.AccountView()
    return {
        symid: GasPurse(
            accounts.get(symid, nothing).balance_hug, under_way[symid], owed.get(symid, 0)
        )
        for symid in symids
    }


@prepared
def _under_way(symid: Any) -> Any:
    return _unfinished(gas_refills.c.amount_hug).where(gas_refills.c.symid == symid)


def _unfinished(*columns: Any) -> Any:
    fate = lanes.outgoing.c.final
    found = select(*columns).select_from(_with_fate())
    return found.where(or_(fate.is_(None), fate.is_(False)))


def wish(
    connection: Connection,
    settings: Settings,
    *,
    symid: bytes,
    member_id: str,
    amount_hug: int,
    transfer_id: str | None,
    now_ms: int,
) -> str:
    """Record that an account needs SYM; returns why it must queue, or an empty string."""
    units, day = gas_units(amount_hug), day_of(now_ms)
    spent = not _reserve(connection, settings, member_id, day, units)
    connection.execute(
        _INSERT,
        {
            "id": new_id("rf", now_ms),
            "symid": symid,
            "member_id": member_id,
            "transfer_id": transfer_id,
            "amount_hug": amount_hug,
            "gas_units": units,
            "day": day,
            "queued_reason": BUDGET_SPENT if spent else "",
            "created_ms": now_ms,
        },
    )
    return BUDGET_SPENT if spent else ""


def wished(connection: Connection, limit: int = 100) -> list[Any]:
    """Refills whose budget is reserved and that nobody has signed yet, oldest first.

    Those for frozen members wait.
    """
    return list(connection.execute(*_wished(limit)))


@prepared
def _wished(limit: Any) -> Any:
    return (
        select(gas_refills)
        .select_from(_with_fate())
        .where(
            lanes.outgoing.c.hash.is_(None),
            gas_refills.c.queued_reason == "",
            not_(members.is_frozen(gas_refills.c.member_id)),
        )
        .order_by(gas_refills.c.id)
        .limit(limit)
    )


def has_queued(connection: Connection) -> bool:
    """Whether a refill waits for a budget."""
    return connection.scalar(select(gas_refills.c.id).where(_queued()).limit(1)) is not None


def retry_queued(connection: Connection, settings: Settings, now_ms: int) -> int:
    """Try to reserve the budgets of queued refills again, oldest first; how many could go."""
    freed = 0
    for row in connection.execute(
        select(gas_refills).where(_queued()).order_by(gas_refills.c.id)
    ).all():
        if _reserve(connection, settings, row.member_id, day_of(now_ms), row.gas_units):
            _unqueue(connection, row.id, day_of(now_ms))
            freed += 1
    return freed


def give_back(connection: Connection, refill_id: str) -> None:
    """Free the budgets of a refill that ended without moving anything."""
    row = connection.execute(select(gas_refills).where(gas_refills.c.id == refill_id)).one()
    for scope in _scopes(row.member_id, row.day):
        _add(connection, scope, -row.gas_units)


def adopt(
    connection: Connection, refill_id: str, symid: bytes, member_id: str, amount_hug: int, ms: int
) -> None:
    """Remember a refill that our records had lost; the budgets are charged even beyond them."""
    units, day = gas_units(amount_hug), day_of(ms)
    for scope in _scopes(member_id, day):
        _add(connection, scope, units)
    connection.execute(
        _INSERT,
        {
            "id": refill_id,
            "symid": symid,
            "member_id": member_id,
            "transfer_id": None,
            "amount_hug": amount_hug,
            "gas_units": units,
            "day": day,
            "queued_reason": "",
            "created_ms": ms,
        },
    )


_INSERT = insert(gas_refills)


def signed_since(
    connection: Connection, tags: TagKeys, mined: ChainTransaction, ms: int
) -> str | None:
    """The refill that the backup had only wished for and that this transaction was, or None.

    If its budgets were spent then, they are charged now, even beyond them.
    """
    unsigned = (
        select(gas_refills)
        .select_from(_with_fate())
        .where(lanes.outgoing.c.hash.is_(None), gas_refills.c.symid == mined.to)
    )
    for row in connection.execute(unsigned).all():
        if tag_of(tags, row, mined.sender) != mined.extra_data:
            continue
        if row.queued_reason:
            for scope in _scopes(row.member_id, day_of(ms)):
                _add(connection, scope, row.gas_units)
            _unqueue(connection, row.id, day_of(ms))
        return str(row.id)
    return None


def tag_of(tags: TagKeys, row: Any, sponsor: bytes) -> bytes:
    """The tag that the transaction of this refill carries."""
    return tags.make(PURPOSE, row.member_id, row.id, sponsor)


def budget_left(connection: Connection, settings: Settings, now_ms: int) -> int:
    """Gas units that may still be given away today."""
    limits = _limits(settings, "", day_of(now_ms))[:2]
    used: dict[str, int] = {
        row.scope: row.reserved_gas
        for row in connection.execute(
            select(gas_budgets).where(gas_budgets.c.scope.in_([scope for scope, _ in limits]))
        )
    }
    return max(min(limit - used.get(scope, 0) for scope, limit in limits), 0)


def _reserve(
    connection: Connection, settings: Settings, member_id: str, day: str, units: int
) -> bool:
    """Take ``units`` from all three budgets or from none."""
    taken: list[str] = []
    for scope, limit in _limits(settings, member_id, day):
        if not _took(connection, scope, units, limit):
            for earlier in taken:
                _add(connection, earlier, -units)
            return False
        taken.append(scope)
    return True


def _took(connection: Connection, scope: str, units: int, limit: int) -> bool:
    if connection.execute(*_take(scope, units, limit)).rowcount == 1:
        return True
    insert_if_absent(connection, gas_budgets, scope=scope, reserved_gas=0)  # perhaps the first
    return connection.execute(*_take(scope, units, limit)).rowcount == 1


@prepared
def _take(scope: Any, units: Any, limit: Any) -> Any:
    return (
        update(gas_budgets)
        .where(gas_budgets.c.scope == scope, gas_budgets.c.reserved_gas + units <= limit)
        .values(reserved_gas=gas_budgets.c.reserved_gas + units)
    )


def _add(connection: Connection, scope: str, units: int) -> None:
    insert_if_absent(connection, gas_budgets, scope=scope, reserved_gas=0)
    connection.execute(*_added(scope, units))


@prepared
def _added(scope: Any, units: Any) -> Any:
    return (
        update(gas_budgets)
        .where(gas_budgets.c.scope == scope)
        .values(reserved_gas=gas_budgets.c.reserved_gas + units)
    )


def _limits(settings: Settings, member_id: str, day: str) -> list[tuple[str, int]]:
    limits = (settings.gas_budget_total, settings.gas_budget_day, settings.gas_budget_member_day)
    return list(zip(_scopes(member_id, day), limits, strict=True))


def _scopes(member_id: str, day: str) -> tuple[str, str, str]:
    return "total", f"day {day}", f"member {member_id} {day}"


def _unqueue(connection: Connection, refill_id: str, day: str) -> None:
    connection.execute(
        update(gas_refills).where(gas_refills.c.id == refill_id).values(queued_reason="", day=day)
    )


def _queued() -> Any:
    return gas_refills.c.queued_reason != ""


def _with_fate() -> Any:
    return gas_refills.outerjoin(
        lanes.outgoing,
        and_(
            lanes.outgoing.c.subject_id == gas_refills.c.id,
            lanes.outgoing.c.purpose == PURPOSE,
        ),
    )

"""Lanes on a real database: one nonce, one row, and only a block ends it."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from jigap import lanes
from jigap.lanes import NonceTaken, Outgoing, State
from jigap.node.client import ChainBlock, ChainTransaction

CHAIN_ID = 7777
SENDER = bytes.fromhex("00025b875ec2c5410002")


def entry(nonce: int, name: str = "") -> Outgoing:
    mark = (name or str(nonce)).encode()
    return Outgoing(
        sender=SENDER,
        nonce=nonce,
        purpose="transfer",
        subject_id=f"tr_{mark.decode()}",
        hash=mark.rjust(32, b"h"),
        raw=b"raw",
        cancel_hash=mark.rjust(32, b"c"),
        cancel_raw=b"cancel",
        fee_max_hug=10,
        value_hug=0,
        state=State.SIGNED,
        created_ms=1,
        deadline_ms=2,
        tag=mark.rjust(16, b"t"),
    )


def mined(nonce: int, hash_: bytes, *, ok: bool = True, err_code: int | None = None):
    return ChainTransaction(
        hash=hash_,
        sender=SENDER,
        nonce=nonce,
        to=bytes(10),
        value=0,
        input=b"",
        type=1,
        extra_data=b"",
        gas_price=1,
        gas_limit=1,
        status=ok,
        gas_used=1,
        err_code=err_code,
        contract_address=None,
        index=0,
    )


def block(*transactions: ChainTransaction) -> ChainBlock:
    return ChainBlock(1, b"b" * 32, bytes(32), 5_000, tuple(transactions), ())


@pytest.fixture
async def lane(database):
    await database.write(lanes.open_lane, CHAIN_ID, SENDER)
    return database


async def fate(database, subject_id: str):
    table = lanes.outgoing
    return await database.read(
        lambda connection: connection.execute(
            select(table).where(table.c.subject_id == subject_id)
        ).one()
    )


async def test_a_nonce_is_given_once(lane):
    await lane.write(lanes.record, CHAIN_ID, entry(0))
    with pytest.raises(NonceTaken):
        await lane.write(lanes.record, CHAIN_ID, entry(0, "other"))


async def test_no_gap_can_be_recorded(lane):
    with pytest.raises(NonceTaken):
        await lane.write(lanes.record, CHAIN_ID, entry(1))


@pytest.mark.parametrize(
    ("winner", "ok", "err_code", "state", "reason"),
    [
        ("payment", True, None, State.CONFIRMED, ""),
        ("payment", False, 2000, State.REFUSED, "sct_2000"),
        ("payment", False, None, State.REFUSED, "out_of_gas"),
        ("cancel", True, None, State.VOID, "cancelled"),
        ("outsider", True, None, State.VOID, "nonce_used_elsewhere"),
    ],
)
async def test_whatever_uses_the_nonce_decides(lane, winner, ok, err_code, state, reason):
    prepared = entry(0)
    await lane.write(lanes.record, CHAIN_ID, prepared)
    hashes = {"payment": prepared.hash, "cancel": prepared.cancel_hash, "outsider": b"x" * 32}
    seen = block(mined(0, hashes[winner], ok=ok, err_code=err_code))
    ended, strangers = await lane.write(lanes.settle, CHAIN_ID, seen)
    assert [(one.state, one.reason) for one in ended] == [(state, reason)]
    assert [one.hash for one in strangers] == ([b"x" * 32] if winner == "outsider" else [])
    row = await fate(lane, prepared.subject_id)
    assert (row.state, row.final, row.reason, row.block_number) == (state.value, True, reason, 1)


async def test_an_outsiders_transaction_moves_the_lane_on(lane):
    await lane.write(lanes.settle, CHAIN_ID, block(mined(0, b"x" * 32)))
    assert await lane.read(lanes.next_nonce, CHAIN_ID, SENDER) == 1
    await lane.write(lanes.record, CHAIN_ID, entry(1))


async def test_a_late_answer_of_the_node_does_not_reopen_what_a_block_ended(lane):
    prepared = entry(0)
    await lane.write(lanes.record, CHAIN_ID, prepared)
    await lane.write(lanes.settle, CHAIN_ID, block(mined(0, prepared.hash)))
    await lane.write(lanes.move, CHAIN_ID, [(prepared, State.UNKNOWN, "timeout")], 9)
    assert (await fate(lane, prepared.subject_id)).state == "confirmed"


async def test_nonces_are_recomputed_from_the_records(lane):
    await lane.write(lanes.record, CHAIN_ID, entry(0))
    await lane.write(
        lambda connection: connection.execute(lanes.lanes.update().values(next_nonce=7))
    )
    assert await lane.write(lanes.recompute, CHAIN_ID) == 1
    assert await lane.read(lanes.next_nonce, CHAIN_ID, SENDER) == 1


async def test_unfinished_rows_come_in_lane_order(lane):
    for nonce in range(3):
        await lane.write(lanes.record, CHAIN_ID, entry(nonce))
    found = await lane.read(lanes.unfinished, CHAIN_ID, SENDER)
    assert [one.nonce for one in found] == [0, 1, 2]
    assert replace(found[0], last_sent_ms=0, message="") == entry(0)


async def test_a_lane_owes_what_is_unfinished_in_it(lane):
    for nonce in range(3):
        await lane.write(lanes.record, CHAIN_ID, replace(entry(nonce), value_hug=nonce))
    await lane.write(lanes.settle, CHAIN_ID, block(mined(0, entry(0).hash)))
    assert await lane.read(lanes.owed_by, CHAIN_ID, SENDER) == 2 * 10 + 1 + 2
    assert await lane.read(lanes.owed, CHAIN_ID) == {SENDER: 23}
    assert await lane.read(lanes.owed, CHAIN_ID, {SENDER, b"other"}) == {SENDER: 23}
    assert await lane.read(lanes.owed, CHAIN_ID + 1) == {}


async def test_what_was_lost_and_found_is_final_at_once(lane):
    seen = mined(0, b"x" * 32)
    await lane.write(
        lanes.adopt, CHAIN_ID, lanes.adopted(seen, "transfer", "tr_lost", 5), block(seen)
    )
    row = await fate(lane, "tr_lost")
    assert (row.state, row.final, row.final_ms) == ("confirmed", True, 5_000)

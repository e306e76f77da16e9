"""What accounts have, on a real database: one account or many, the answer is the same."""

from dataclasses import replace

from jigap import lanes
from jigap.lanes import Outgoing, State
from jigap.settings import Settings
from jigap.transfers import refills
from jigap.transfers.gas_refill import GasPurse

SETTINGS = Settings()
FIRST, SECOND, THIRD = (bytes([n]) * 10 for n in (1, 2, 3))


def _owing(sender: bytes, fee_max_hug: int) -> Outgoing:
    mark = sender[:1]
    return Outgoing(
        sender=sender,
        nonce=0,
        purpose="transfer",
        subject_id=f"tr_{sender.hex()}",
        hash=mark * 32,
        raw=b"raw",
        cancel_hash=mark * 31 + b"c",
        cancel_raw=b"cancel",
        fee_max_hug=fee_max_hug,
        value_hug=5,
        state=State.SIGNED,
        created_ms=1,
        deadline_ms=2,
        tag=mark * 16,
    )


async def test_the_purses_of_many_are_the_purses_of_each(database):
    def given(connection):
        for sender, amount_hug in ((FIRST, 70), (FIRST, 7), (SECOND, 900)):
            refills.wish(
                connection,
                SETTINGS,
                symid=sender,
                member_id="mb_1",
                amount_hug=amount_hug,
                transfer_id=None,
                now_ms=1,
            )
        for entry in (_owing(FIRST, 100), replace(_owing(THIRD, 30), value_hug=0)):
            lanes.open_lane(connection, SETTINGS.chain_id, entry.sender)
            lanes.record(connection, SETTINGS.chain_id, entry)

    await database.write(given)
    purses = await database.read(refills.purses, SETTINGS.chain_id, {FIRST, SECOND, THIRD})
    assert purses == {
        FIRST: GasPurse(0, 77, 105),
        SECOND: GasPurse(0, 900, 0),
        THIRD: GasPurse(0, 0, 30),
    }
    for symid, purse in purses.items():
        assert await database.read(refills.purse, SETTINGS.chain_id, symid) == purse
    assert await database.read(refills.purses, SETTINGS.chain_id, set()) == {}

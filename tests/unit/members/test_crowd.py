"""Made-up members: known by their names, like all others in everything else."""

from pathlib import Path

import pytest

from jigap import audit
from jigap.database import Database
from jigap.keys import KeyBatch, keystores
from jigap.members import activate, by_login, create_operator, crowd, records
from jigap.members.crowd import Crowd, CrowdFull, MembersPresent
from jigap.members.personal import masked_phone, name_of, phone_of
from jigap.node.client import ChainCitizen
from jigap.settings import Settings

from .people import PASSPHRASE, PASSWORD, People, people

NOW_MS = 1_700_000_000_000


@pytest.fixture
def made(database: Database, tmp_path: Path) -> People:
    return people(database, tmp_path)


def crowd_of(made: People) -> Crowd:
    keys = KeyBatch(made.ring, Settings(scrypt_n=16), PASSPHRASE)
    return Crowd(made.ring, keys, f"1:{PASSWORD}")


async def add(made: People, *numbers: int) -> list[crowd.MadeUp]:
    makes = crowd_of(made)
    round_ = [makes.make_up(number, NOW_MS) for number in numbers]
    await made.database.write(crowd.add, round_, NOW_MS)
    return round_


async def first_number(made: People, count: int = 1, *, forced: bool = False) -> int:
    return await made.database.read(crowd.first_number, count, forced=forced)


@pytest.mark.parametrize("number", [1, 99, crowd.NUMBER_MAX])
def test_names_and_numbers_are_in_the_form_that_members_give_them(number: int):
    phone, name = crowd.phone_of(number), crowd.name_of(number)
    assert phone_of(phone) == phone
    assert masked_phone(phone) == f"010-****-{number % 10_000:04d}"
    assert name_of(name) == name


async def test_a_made_up_member_is_verified_and_has_a_key_and_is_found(made: People):
    (one,) = await add(made, 7)
    member = await made.database.read(by_login, "seed-0000007")
    assert member is not None and member.is_verified and member.wallet is not None
    assert member.wallet.public_key_hash == one.key.public_key_hash
    rows = await made.database.read(lambda connection: connection.execute(keystores.select()).all())
    assert [(row.wallet_id, row.envelope) for row in rows] == [
        (one.key.wallet_id, one.key.envelope)
    ]
    profile = await made.members.profile(one.id)
    assert (profile.masked_name, profile.masked_phone) == ("윤*수", "010-****-0007")
    signed_in = await made.sign_ins.sign_in("seed-0000007", PASSWORD)
    assert signed_in.token


async def test_the_trail_names_who_was_made_up(made: People):
    await add(made, 1, 2, 3)
    (entry,) = await made.database.read(audit.page, None, 10, action="member:seed")
    assert entry.detail == "seed-0000001 to seed-0000003"


async def test_numbers_go_on_after_the_last(made: People):
    assert await first_number(made) == 1
    await add(made, 1, 2)
    assert await first_number(made) == 3


async def test_real_members_are_left_alone_unless_forced(made: People):
    await made.members.sign_up("seed-of-doubt", PASSWORD)
    with pytest.raises(MembersPresent):
        await first_number(made)
    assert await first_number(made, forced=True) == 1


async def test_an_operator_is_no_real_member(made: People):
    await made.database.write(
        create_operator, ring=made.ring, login="boss-of-all", password_hash="x", now_ms=NOW_MS
    )
    assert await first_number(made) == 1


async def test_numbers_end(made: People):
    await add(made, crowd.NUMBER_MAX - 1)
    assert await first_number(made) == crowd.NUMBER_MAX
    with pytest.raises(CrowdFull):
        await first_number(made, 2)


async def test_all_or_none_are_written(made: People):
    await add(made, 2)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await add(made, 1, 2)
    assert await made.database.read(records.count) == 1


async def test_who_of_them_has_no_symid_yet_is_counted(made: People):
    await add(made, 1)
    round_ = await add(made, 2, 3)
    assert await made.database.read(crowd.count_waiting, round_) == 2
    citizen = ChainCitizen(None, b"\1" * 10, round_[0].key.public_key_hash, b"", 1, 2, 0)
    await made.database.write(activate, [citizen], NOW_MS)
    assert await made.database.read(crowd.count_waiting, round_) == 1

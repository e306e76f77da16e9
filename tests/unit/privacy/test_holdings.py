"""What is held about a member, read out to them."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.members.people import PASSPHRASE, PASSWORD, People, people

import jigap.app.wiring
from jigap.audit import asked_from
from jigap.database import Database
from jigap.members import get
from jigap.privacy import ExportLimit, Holdings, holdings
from jigap.realname.seals import Seals
from jigap.realname.tables import realname_checks
from jigap.realname.verification import Details

NAME, PHONE = "김민지", "010-1234-5678"


@pytest.fixture
def crowd(database: Database, tmp_path: Path) -> People:
    return people(database, tmp_path)


def _holdings(crowd: People) -> Holdings:
    return Holdings(crowd.database, crowd.ring, crowd.clock)


async def _export(crowd: People, member_id: str) -> dict[str, Any]:
    reader = _holdings(crowd)
    about = await reader.begin(member_id)
    records = {
        section: [row async for page in reader.rows(member_id, section) for row in page]
        for section in reader.sections()
    }
    return {"about": about, "records": records}


async def test_a_member_reads_themselves_in_the_clear(crowd: People) -> None:
    me = await crowd.verified("minji", NAME, PHONE)
    await crowd.wallets.make(me, PASSPHRASE)
    await crowd.sign_ins.sign_in("minji", PASSWORD, None)
    found = await _export(crowd, me)
    about = found["about"]
    assert (about["name"], about["phone"], about["login"]) == (NAME, "+821012345678", "minji")
    assert about["birth"] is None
    assert len(found["records"]["wallets"]) == 1
    assert len(found["records"]["sessions"]) == 1
    assert [one["kind"] for one in found["records"]["events"]][0] == "member.verified"
    assert found["records"]["audit_trail"][-1]["action"] == "member:export"
    json.dumps(found)


async def test_a_member_reads_nothing_of_anybody_else(crowd: People) -> None:
    me = await crowd.verified("minji", NAME, PHONE)
    other = await crowd.verified("other", "박민수", "010-9999-0000")
    for login in ("minji", "other"):
        await crowd.sign_ins.sign_in(login, PASSWORD, None)
    friend = await crowd.database.read(get, other)
    assert friend is not None
    recipient = crowd.directory.make_recipient(me, other, crowd.clock.now_ms())
    await crowd.favourites.add(friend, recipient, "내 비밀")
    text = json.dumps(await _export(crowd, me), ensure_ascii=False)
    assert other not in text
    for word in ("박민수", "내 비밀", "01099990000", "+821099990000"):
        assert word not in text
    mine = await _export(crowd, other)
    assert mine["records"]["favourites"][0]["label"] == "내 비밀"


async def test_where_an_operator_sat_is_not_told(crowd: People) -> None:
    with asked_from("192.0.2.77"):
        me = await crowd.verified("minji", NAME, PHONE)
    with asked_from("192.0.2.1"):
        found = await _export(crowd, me)
    assert [one["address"] for one in found["records"]["audit_trail"]] == ["", "192.0.2.1"]


async def test_no_secret_and_no_hash_is_told(crowd: People) -> None:
    me = await crowd.verified("minji", NAME, PHONE)
    await crowd.sign_ins.sign_in("minji", PASSWORD, None)
    text = json.dumps(await _export(crowd, me))
    for word in ("password_hash", "token_hash", "data_key", "index", PASSWORD):
        assert word not in text, word


async def test_details_of_a_check_under_way_are_told(crowd: People) -> None:
    me = await crowd.verified("minji", NAME, PHONE)
    row = await crowd.database.read(
        lambda c: c.execute(
            jigap.members.members_table.select().where(jigap.members.members_table.c.id == me)
        ).one()
    )
    details = Details(NAME, "+821012345678", "900131", "2")
    sealed = Seals(crowd.ring).seal(row, "rn_1", details)
    values = {
        "id": "rn_1",
        "member_id": me,
        "state": "code_sent",
        "provider": "agency",
        "masked_name": "김*지",
        "masked_phone": "010-****-5678",
        "phone_index": bytes(32),
        "details_sealed": sealed,
        "address": "192.0.2.1",
        "minor": False,
        "created_ms": 0,
        "expires_ms": 0,
    }
    await crowd.database.write(lambda c: c.execute(realname_checks.insert(), values))
    (check,) = (await _export(crowd, me))["records"]["realname_checks"]
    assert check["details"]["birth"] == "900131"
    assert check["address"] == "192.0.2.1"


async def test_pages_join_without_gaps(crowd: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "PAGE_ROWS", 2)
    me = await crowd.verified("minji", NAME, PHONE)
    for wanted in (False, True, False, True):
        await crowd.directory.let_find_by_name(me, wanted)
    asker = await crowd.database.read(get, me)
    assert asker is not None
    for _ in range(3):  # a table whose key has two columns
        await crowd.directory.by_login(asker, "nobody")
        crowd.clock.advance(24 * 3600 * 1000)
    records = (await _export(crowd, me))["records"]
    actions = [one["action"] for one in records["audit_trail"]]
    assert actions == ["member:verify", *["directory:hide", "directory:show"] * 2, "member:export"]
    assert [one["lookups"] for one in records["directory_days"]] == [1, 1, 1]


async def test_asking_again_and_again_ends(crowd: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "EXPORTS_PER_DAY", 2)
    me = await crowd.verified("minji", NAME, PHONE)
    for _ in range(2):
        await _holdings(crowd).begin(me)
    with pytest.raises(ExportLimit):
        await _holdings(crowd).begin(me)
    crowd.clock.advance(24 * 3600 * 1000)
    await _holdings(crowd).begin(me)

"""What a certificate authority may and may not write."""

from dataclasses import replace

import pytest
from tests.unit.node.people import (
    ALICE,
    BOB,
    CA_KEY,
    CHAIN_ID,
    MASTER_KEY,
    STRANGER,
    Person,
    Replica,
    key,
    registered,
    remit,
)

from jigap.chain import citizen, symid
from jigap.chain.citizen import Role
from jigap.chain.invalid import InvalidField, InvalidSender, NonceTooHigh, NonceTooLow
from jigap.chain.symid import MASTER_CA
from jigap.node.registration import KeyHashTaken, OutsideAuthority


def reason(chain: Replica, one: citizen.SignedCitizenTransaction) -> Exception:
    execution = chain.prepare(one)
    assert execution.changes == {}
    (refused,) = execution.refused
    return refused.reason


def test_a_ca_registers_a_citizen() -> None:
    chain = Replica()
    count = chain.state.citizen_count()
    chain.extend(registered(STRANGER, 0))
    found = chain.state.citizen(STRANGER.symid)
    assert found is not None and found.key_hash == STRANGER.key.public_key_hash and found.is_active
    assert chain.state.citizen_count() == count + 1
    assert chain.state.citizen_nonce(registered(STRANGER, 0).transaction.sender) == 1


def test_one_key_belongs_to_one_citizen() -> None:
    refused = reason(Replica(), registered(Person(STRANGER.symid, ALICE.key), 0))
    assert isinstance(refused, KeyHashTaken)
    assert str(refused) == "already existed pub_key_hash"


def test_the_same_message_again_changes_the_record() -> None:
    chain = Replica()
    chain.extend(registered(ALICE, 0, status=2))
    found = chain.state.citizen(ALICE.symid)
    assert found is not None and found.status == 2
    chain.extend(registered(ALICE, 1, status=1))
    assert chain.extend(remit(ALICE, 0, BOB.symid)).receipts[0].status


def test_a_new_key_takes_over_from_the_old_one() -> None:
    chain = Replica()
    renewed = Person(ALICE.symid, key(5000))
    chain.extend(registered(renewed, 0))
    assert chain.extend(remit(ALICE, 0, BOB.symid)).receipts == ()
    assert chain.extend(remit(renewed, 0, BOB.symid)).receipts[0].status
    # The key that was given up may be somebody else's now.
    chain.extend(registered(Person(STRANGER.symid, ALICE.key), 1))
    assert chain.state.citizen_of_key(ALICE.key.public_key_hash) == STRANGER.symid


def test_nonces_of_a_ca_have_no_gaps() -> None:
    chain = Replica()
    assert isinstance(reason(chain, registered(STRANGER, 1)), NonceTooHigh)
    chain.extend(registered(STRANGER, 0))
    assert isinstance(reason(chain, registered(STRANGER, 0)), NonceTooLow)


def test_refuses_a_citizen_who_is_no_ca() -> None:
    one = registered(STRANGER, 0, ca=ALICE.symid, by=ALICE.key)
    assert isinstance(reason(Replica(), one), OutsideAuthority)


def test_refuses_a_signature_that_is_not_the_cas() -> None:
    assert isinstance(reason(Replica(), registered(STRANGER, 0, by=ALICE.key)), InvalidSender)
    other_chain = citizen.sign(registered(STRANGER, 0).transaction, CA_KEY, CHAIN_ID + 1)
    assert isinstance(reason(Replica(), other_chain), InvalidSender)


def test_refuses_symids_of_another_ca() -> None:
    elsewhere = Person(symid.make(3, b"abcdef"), STRANGER.key)
    assert isinstance(reason(Replica(), registered(elsewhere, 0)), OutsideAuthority)


def test_refuses_what_is_no_symid() -> None:
    nobody = Person(bytes(10), STRANGER.key)
    assert isinstance(reason(Replica(), registered(nobody, 0)), InvalidField)


@pytest.mark.parametrize("role", [Role.CA, Role.MASTER_CA, Role.ORACLE])
def test_a_ca_gives_out_no_power(role: Role) -> None:
    assert isinstance(reason(Replica(), registered(STRANGER, 0, role=role)), OutsideAuthority)


def test_a_ca_cannot_strip_a_ca_of_its_role() -> None:
    """Not even itself: only the master CA touches records that carry a role."""
    own = Person(registered(STRANGER, 0).transaction.sender, key(5001))
    assert isinstance(reason(Replica(), registered(own, 0)), OutsideAuthority)


def test_the_master_ca_makes_a_ca_which_then_registers_people() -> None:
    chain = Replica()
    new_ca = Person(symid.make(3, (1).to_bytes(6, "big")), key(5002))
    nonce = chain.state.citizen_nonce(MASTER_CA)
    chain.extend(registered(new_ca, nonce, ca=MASTER_CA, by=MASTER_KEY, role=Role.CA))
    someone = Person(symid.make(3, b"person"), key(5003))
    chain.extend(registered(someone, 0, ca=new_ca.symid, by=new_ca.key))
    assert chain.state.is_citizen(someone.symid)


def test_a_revoked_ca_registers_nobody() -> None:
    chain = Replica()
    ca = registered(STRANGER, 0).transaction.sender
    revoked = replace(
        registered(STRANGER, 0).transaction,
        sender=MASTER_CA,
        nonce=chain.state.citizen_nonce(MASTER_CA),
        symid=ca,
        key_hash=CA_KEY.public_key_hash,
        role=Role.CA,
        status=4,
    )
    chain.extend(citizen.sign(revoked, MASTER_KEY, CHAIN_ID))
    assert isinstance(reason(chain, registered(STRANGER, 0)), InvalidSender)

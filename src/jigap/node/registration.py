"""What a certificate authority may write into the register of citizens.

A CA speaks through citizen transactions: they cost no gas, carry a nonce of their own (counted per
CA, without gaps) and bind a SymID to a key. A CA writes only SymIDs of its own number and never
gives out a role; that is for the master CA. One key belongs to one citizen.
"""

from jigap.chain import citizen, symid
from jigap.chain.citizen import Citizen, CitizenTransaction, Role, SignedCitizenTransaction
from jigap.chain.invalid import (
    InvalidField,
    InvalidSender,
    InvalidSignature,
    InvalidTransaction,
    NonceTooHigh,
    NonceTooLow,
)
from jigap.node.state import State

_AUTHORITIES = (Role.CA, Role.MASTER_CA)


class KeyHashTaken(InvalidTransaction):
    """Another citizen holds this key."""

    code = "key_hash_taken"
    words = "already existed pub_key_hash"


class OutsideAuthority(InvalidTransaction):
    """This CA may not write this SymID, or not this role."""

    code = "outside_authority"
    words = "not allowed to this CA"


def signer_of(signed: SignedCitizenTransaction, chain_id: int) -> bytes:
    """The key hash that signed; raises ``InvalidSender`` when no key can have."""
    try:
        return citizen.recover_public_key_hash(signed, chain_id)
    except InvalidSignature as error:
        raise InvalidSender from error


def check_citizen(state: State, asked: CitizenTransaction, signer: bytes) -> None:
    """Raises ``Invalid`` unless the transaction, but for its nonce, may be applied here."""
    authority = state.citizen(asked.sender)
    if authority is None or not authority.is_active or authority.key_hash != signer:
        raise InvalidSender(symid=asked.sender.hex())
    if authority.role not in _AUTHORITIES:
        raise OutsideAuthority("the sender is not a CA", role=authority.role)
    if not symid.is_user(asked.symid):
        raise InvalidField("invalid SymID", symid=asked.symid.hex())
    _check_reach(state, asked, authority)
    holder = state.citizen_of_key(asked.key_hash)
    if holder is not None and holder != asked.symid:
        raise KeyHashTaken(key_hash=asked.key_hash.hex())


def _check_reach(state: State, asked: CitizenTransaction, authority: Citizen) -> None:
    if authority.role == Role.MASTER_CA:
        return
    if symid.ca_id(asked.symid) != symid.ca_id(asked.sender):
        raise OutsideAuthority("the SymID belongs to another CA", symid=asked.symid.hex())
    before = state.citizen(asked.symid)
    for role in (asked.role, before.role if before else asked.role):
        if role not in (Role.GENERAL, Role.DAPP):
            raise OutsideAuthority("only the master CA gives out this role", role=role)


def check_citizen_nonce(state: State, asked: CitizenTransaction) -> None:
    """Raises ``NonceTooLow`` or ``NonceTooHigh`` unless this is the CA's next transaction."""
    expected = state.citizen_nonce(asked.sender)
    if asked.nonce < expected:
        raise NonceTooLow(nonce=asked.nonce, expected=expected)
    if asked.nonce > expected:
        raise NonceTooHigh(nonce=asked.nonce, expected=expected)


def apply_citizen(state: State, signed: SignedCitizenTransaction, signer: bytes) -> None:
    """Check the transaction and write what it says; raises ``Invalid`` and leaves all as it was."""
    asked = signed.transaction
    check_citizen(state, asked, signer)
    check_citizen_nonce(state, asked)
    state.put_citizen(asked.record())
    state.put_citizen_nonce(asked.sender, asked.nonce + 1)

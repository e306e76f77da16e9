"""Signing a transaction together with the one that can cancel it. Pure but for the signer it is
given.

Both use the same nonce, so that at most one of them can ever be mined. The cancel moves nothing to
nobody (type 0, value 0, to the sender itself) and costs less than any payment.
"""

from typing import Protocol

from jigap.chain import gas
from jigap.chain.transaction import TYPE_REMIT, SignedTransaction, Transaction
from jigap.lanes.outcome import Outgoing
from jigap.lanes.states import State


class Signer(Protocol):
    """Something that holds an unlocked key for the length of a signature."""

    def sign(self, transaction: Transaction, chain_id: int) -> SignedTransaction: ...


def transaction(
    *,
    sender: bytes,
    nonce: int,
    to: bytes,
    work_node: bytes,
    type_: int,
    value: int = 0,
    input_: bytes = b"",
    extra_data: bytes = b"",
) -> Transaction:
    """A transaction whose gas limit is exactly what it will use."""
    return Transaction(
        sender=sender,
        nonce=nonce,
        gas_price=gas.GAS_PRICE_HUG,
        gas_limit=gas.gas_used(not to, type_, input_),
        to=to,
        value=value,
        input=input_,
        type=type_,
        work_nodes=(work_node,),
        extra_data=extra_data,
    )


def sign_with_cancel(
    signer: Signer,
    chain_id: int,
    wanted: Transaction,
    *,
    purpose: str,
    subject_id: str,
    now_ms: int,
    deadline_ms: int,
) -> Outgoing:
    """The outgoing row for ``wanted``: both signatures made, nothing sent."""
    signed = signer.sign(wanted, chain_id)
    cancel = signer.sign(
        transaction(
            sender=wanted.sender,
            nonce=wanted.nonce,
            to=wanted.sender,
            work_node=wanted.work_nodes[0],
            type_=TYPE_REMIT,
        ),
        chain_id,
    )
    return Outgoing(
        sender=wanted.sender,
        nonce=wanted.nonce,
        purpose=purpose,
        subject_id=subject_id,
        hash=signed.hash,
        raw=signed.raw,
        cancel_hash=cancel.hash,
        cancel_raw=cancel.raw,
        fee_max_hug=wanted.gas_limit * wanted.gas_price,
        value_hug=wanted.value,
        state=State.SIGNED,
        created_ms=now_ms,
        deadline_ms=deadline_ms,
        tag=wanted.extra_data,
    )

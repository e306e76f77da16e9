"""A block of the state machine as the node's client sees it, without a node in between."""

from jigap.node.client import ChainBlock, ChainCitizen, ChainTransaction
from jigap.node.transition import Finalized


def as_client_sees(done: Finalized, hash_: bytes) -> ChainBlock:
    """A finalized block whose signed header has the hash ``hash_``."""
    header = done.header
    return ChainBlock(
        number=header.number,
        hash=hash_,
        parent_hash=header.parent_hash,
        time_ms=header.time_ms,
        transactions=tuple(
            ChainTransaction(
                hash=signed.hash,
                sender=signed.transaction.sender,
                nonce=signed.transaction.nonce,
                to=signed.transaction.to,
                value=signed.transaction.value,
                input=signed.transaction.input,
                type=signed.transaction.type,
                extra_data=signed.transaction.extra_data,
                gas_price=signed.transaction.gas_price,
                gas_limit=signed.transaction.gas_limit,
                status=bool(receipt.status),
                gas_used=receipt.gas_used,
                err_code=receipt.err_code,
                contract_address=receipt.contract_address,
                index=position,
            )
            for position, (signed, receipt) in enumerate(
                zip(done.body.transactions, done.receipts, strict=True)
            )
        ),
        citizens=tuple(
            ChainCitizen(
                hash=signed.hash,
                symid=signed.transaction.symid,
                key_hash=signed.transaction.key_hash,
                ca=signed.transaction.sender,
                status=signed.transaction.status,
                v_flag=signed.transaction.v_flag,
                write_time=signed.transaction.write_time,
            )
            for signed in done.body.citizens
        ),
    )

"""How blocks, transactions and records look in JSON.

The shapes are those of real gsym answers: hex quantities without leading zeros, hex data, the key
``timeStamp`` in whole seconds. What an embedded chain does not have (oracle blocks, rewards, bloom
filters) is there all the same, empty, because clients read it. ``timeMs`` is our addition.
"""

from typing import Any, TypeAlias

from jigap import __version__
from jigap.chain import rlp
from jigap.chain.block import Receipt
from jigap.chain.citizen import Citizen, SignedCitizenTransaction
from jigap.chain.hashing import EMPTY_TRIE, ZERO_HASH, sha3_256
from jigap.chain.sct20 import Contract
from jigap.chain.signature import Signature
from jigap.chain.symid import SymId
from jigap.chain.transaction import SignedTransaction
from jigap.node.state import Account
from jigap.node.view import CitizenBlock, Located, LocatedCitizen, StoredHeader, View

Form: TypeAlias = dict[str, Any]

ZERO = "0x0"
LOGS_BLOOM = "0x" + "00" * 256
_ZERO_HASH = "0x" + ZERO_HASH.hex()
_EMPTY_TRIE = "0x" + EMPTY_TRIE.hex()
_EXTRA_DATA = "0x" + rlp.encode([__version__.encode(), b"jigap", b"python", b"linux"]).hex()


def data(value: bytes) -> str:
    """Hex data."""
    return "0x" + value.hex()


def quantity(value: int) -> str:
    """A hex quantity."""
    return hex(value)


def block(stored: StoredHeader, view: View, full: bool) -> Form:
    """A block as ``sym_getBlockByNumber`` answers it."""
    header = stored.signed.header
    number = hex(header.number)
    citizens = view.citizen_block(header.citizen_block_number)
    proposer = data(header.proposer)
    return {
        "activeCbNum": hex(header.citizen_block_number),
        "activeObNum": ZERO,
        "activeWbNum": ZERO,
        "cbHash": data(citizens.hash) if citizens else _ZERO_HASH,
        "cbNum": hex(header.citizen_block_number),
        "extraData": data(header.extra_data) if header.extra_data else _EXTRA_DATA,
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "hash": data(stored.signed.hash),
        "logsBloom": LOGS_BLOOM,
        "number": number,
        "obHash": _ZERO_HASH,
        "obNum": ZERO,
        "parentHash": data(header.parent_hash),
        "primary": proposer,
        "receiptsRoot": data(header.receipts_root),
        "rewardRoot": _EMPTY_TRIE,
        "rewards": [],
        "sctRoot": _EMPTY_TRIE,
        "signInfo": {
            "mbNum": number,
            "sign": data(stored.signed.signature[:64]),
            "extraData": data(stored.signed.signature[64:]),
        },
        "size": hex(stored.size),
        "stateRoot": data(header.state_root),
        "tickStamp": number,
        "timeMs": hex(header.time_ms),
        "timeStamp": hex(header.time_ms // 1000),
        "transactions": _transactions(stored, view, full),
        "transactionsRoot": data(header.transactions_root),
        "validatorInfos": [proposer],
        "wbHash": data(warrant_block_hash(header.chain_id, header.proposer)),
        "wbNum": ZERO,
    }


def _transactions(stored: StoredHeader, view: View, full: bool) -> list[Any]:
    if not stored.transaction_count:
        return []
    number, hash_ = stored.signed.header.number, stored.signed.hash
    if full:
        return [transaction(located, hash_) for located in view.transactions(number)]
    return [data(one) for one in view.transaction_hashes(number)]


def transaction(located: Located, block_hash: bytes) -> Form:
    """A transaction that is in a block."""
    form = waiting_transaction(located.signed)
    form["blockHash"] = data(block_hash)
    form["blockNumber"] = hex(located.number)
    form["transactionIndex"] = hex(located.index)
    return form


def waiting_transaction(signed: SignedTransaction) -> Form:
    """A transaction that is in no block."""
    asked = signed.transaction
    return {
        "blockHash": _ZERO_HASH,
        "blockNumber": None,
        "from": data(asked.sender),
        "gas": hex(asked.gas_limit),
        "gasPrice": hex(asked.gas_price),
        "hash": data(signed.hash),
        "input": data(asked.input),
        "nonce": hex(asked.nonce),
        "to": data(asked.to) if asked.to else None,
        "transactionIndex": ZERO,
        "type": hex(asked.type),
        "workNodes": [data(node) for node in asked.work_nodes],
        "value": hex(asked.value),
        "extraData": data(asked.extra_data),
        **_signature(signed.signature),
    }


def _signature(signature: Signature) -> Form:
    v, r, s = signature
    return {"v": hex(v), "r": hex(r), "s": hex(s)}


def receipt(located: Located, block_hash: bytes) -> Form:
    """The receipt of a transaction that is in a block; ``errCode`` only after a failed call."""
    asked = located.signed.transaction
    found: Receipt = located.receipt
    form: Form = {
        "blockHash": data(block_hash),
        "blockNumber": hex(located.number),
        "contractAddress": data(found.contract_address) if found.contract_address else None,
        "cumulativeGasUsed": hex(found.cumulative_gas_used),
        "from": data(asked.sender),
        "gasUsed": hex(found.gas_used),
        "logs": [],
        "logsBloom": LOGS_BLOOM,
        "status": "0x1" if found.status else ZERO,
        "to": data(asked.to) if asked.to else None,
        "transactionHash": data(found.transaction_hash),
        "transactionIndex": hex(located.index),
    }
    if found.err_code is not None:
        form["errCode"] = hex(found.err_code)
    return form


def deposit(symid: SymId, account: Account) -> Form:
    """Balance and deposit of an account."""
    return {
        "account": data(symid),
        "balance": hex(account.balance),
        "deposit": hex(account.deposit),
    }


def contract(found: Contract) -> Form:
    """The state of an SCT-20 contract."""
    return {
        "creator": data(found.creator),
        "name": found.name,
        "owner": data(found.owner),
        "state": "paused" if found.paused else "active",
        "stateCode": "0x1" if found.paused else ZERO,
        "symbol": found.symbol,
        "total": hex(found.total),
        "type": "sct20",
    }


def citizen_record(found: Citizen) -> Form:
    """The record of a SymID."""
    return {
        "ca": data(found.ca),
        "nonce": hex(found.nonce),
        "aKeyPubH": data(found.key_hash),
        "vFlag": hex(found.v_flag),
        "country": hex(found.country),
        "status": hex(found.status),
        "credit": hex(found.credit),
        "role": hex(found.role),
        "refCode": hex(found.ref_code),
        "writeTime": hex(found.write_time),
    }


def citizen_transaction(located: LocatedCitizen, found: CitizenBlock) -> Form:
    """A citizen transaction that is in a citizen block."""
    form = waiting_citizen(located.signed)
    form["blockHash"] = data(found.hash)
    form["blockNumber"] = hex(found.number)
    form["citizenIndex"] = hex(located.index)
    return form


def waiting_citizen(signed: SignedCitizenTransaction) -> Form:
    """A citizen transaction that is in no block."""
    asked = signed.transaction
    return {
        "blockHash": _ZERO_HASH,
        "blockNumber": None,
        "citizenIndex": ZERO,
        "from": data(asked.sender),
        "to": data(asked.to) if asked.to else None,
        "nonce": hex(asked.nonce),
        "symId": data(asked.symid),
        "aKeyPubH": data(asked.key_hash),
        "vFlag": hex(asked.v_flag),
        "country": hex(asked.country),
        "status": hex(asked.status),
        "credit": hex(asked.credit),
        "role": hex(asked.role),
        "refCode": hex(asked.ref_code),
        "writeTime": hex(asked.write_time),
        "extraData": data(asked.extra_data),
        "hash": data(signed.hash),
        **_signature(signed.signature),
    }


def citizen_block(found: CitizenBlock, view: View, full: bool) -> Form:
    """A citizen block; ``relatedMbNum`` is the main block that carries it."""
    main = view.header(found.main_number)
    assert main is not None, "a citizen block lies in a main block"
    located = list(view.citizens(found.number))
    return {
        "citizens": [
            citizen_transaction(one, found) if full else data(one.signed.hash) for one in located
        ],
        "citizensRoot": data(main.signed.header.citizens_root),
        "hash": data(found.hash),
        "number": hex(found.number),
        "parentHash": data(found.parent_hash),
        "relatedMbNum": hex(found.main_number),
        "size": hex(sum(len(one.signed.raw) for one in located)),
        "stateRoot": data(main.signed.header.state_root),
    }


def warrant_block_hash(chain_id: int, proposer: SymId) -> bytes:
    """The hash of the one warrant block: the appointment of the block signer for ever."""
    return sha3_256(rlp.encode([b"jigap warrant block 1", chain_id, proposer]))


def warrant(chain_id: int, proposer: SymId, public_key: bytes) -> Form:
    """The one warrant: the block signer."""
    return {
        "symId": data(proposer),
        "bKeyPub": data(public_key),
        "bKeyPubSigned": "0x",
        "group": ZERO,
        "elected": "0x1",
        "finished": ZERO,
        "extraData": "0x",
        "hash": data(warrant_block_hash(chain_id, proposer)),
    }


def warrant_block(chain_id: int, proposer: SymId, public_key: bytes, tip: int, full: bool) -> Form:
    """The one warrant block, in force from block 0 to now."""
    one = warrant(chain_id, proposer, public_key)
    return {
        "beginMbNum": ZERO,
        "endMbNum": hex(tip),
        "hash": one["hash"],
        "number": ZERO,
        "parentHash": _ZERO_HASH,
        "relatedMbNum": ZERO,
        "size": hex(len(public_key) + len(proposer)),
        "warrants": [one] if full else [one["hash"]],
        "warrantsRoot": one["hash"],
    }

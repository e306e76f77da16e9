"""The methods of the JSON-RPC surface, each a function of the running chain and its parameters.

Grouped as Symverse groups them. A method answers with something JSON can hold or raises:
``InvalidParams`` for parameters it cannot read, ``Invalid`` or ``StateNotKept`` for a "no" of the
chain. Clients differ in what they send, so surplus parameters are ignored, the block tag is
optional, and an index may be a number or a hex quantity.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from jigap import __version__
from jigap.chain import citizen as citizens
from jigap.chain import gas, template, transaction
from jigap.chain.hashing import sha3_256
from jigap.chain.invalid import Invalid
from jigap.chain.transaction import TYPE_REMIT
from jigap.node import forms
from jigap.node.forms import Form
from jigap.node.parameters import (
    Params,
    read_data,
    read_flag,
    read_hash,
    read_mapping,
    read_number,
    read_symid,
    refuse,
    required,
)
from jigap.node.solo import SoloChain
from jigap.node.state import State
from jigap.node.view import CitizenBlock, StoredHeader

Method: TypeAlias = Callable[[SoloChain, Params], Any]

PROTOCOL_VERSION = "0x40"
_NUMBER_MAX = (1 << 63) - 1


# -- block tags ----------------------------------------


def _height(chain: SoloChain, params: Params, at: int) -> int:
    """The height that a block tag names; ``latest`` when it is left out."""
    if len(params) <= at:
        return chain.tip.header.number
    tag = params[at]
    # An old client spells "pending" so.
    if tag in ("latest", "pending", "padding", "", None):
        return chain.tip.header.number
    if tag == "earliest":
        return 0
    return min(read_number(tag, at), _NUMBER_MAX)


def _state(chain: SoloChain, params: Params, at: int) -> State:
    number = _height(chain, params, at)
    if number == chain.tip.header.number:
        return State(chain.view)
    return State(chain.view.state_at(number))


def _header(chain: SoloChain, params: Params, at: int) -> StoredHeader | None:
    """The block that a tag names; the tag is required."""
    required(params, at)
    return chain.view.header(_height(chain, params, at))


def _header_by_hash(chain: SoloChain, params: Params) -> StoredHeader | None:
    number = chain.view.number_of(read_hash(params, 0))
    return None if number is None else chain.view.header(number)


def _always(value: Any) -> Method:
    return lambda chain, params: value


# -- web3, net ----------------------------------------


def client_version(chain: SoloChain, params: Params) -> str:
    return f"Gsym/v1.0.36/linux/jigap{__version__}"


def web3_sha3(chain: SoloChain, params: Params) -> str:
    return forms.data(sha3_256(read_data(params, 0)))


def net_version(chain: SoloChain, params: Params) -> str:
    return str(chain.rules.chain_id)


# -- sym: accounts ----------------------------------------


def symbase(chain: SoloChain, params: Params) -> str:
    return forms.data(chain.proposer)


def gas_price(chain: SoloChain, params: Params) -> str:
    return hex(chain.rules.gas_price_hug)


def get_balance(chain: SoloChain, params: Params) -> str:
    return hex(_state(chain, params, 1).account(read_symid(params, 0)).balance)


def get_transaction_count(chain: SoloChain, params: Params) -> str:
    symid = read_symid(params, 0)
    nonce = _state(chain, params, 1).account(symid).nonce
    if len(params) > 1 and params[1] in ("pending", "padding"):
        nonce = chain.pool.next_nonce(symid, nonce)
    return hex(nonce)


def get_deposit(chain: SoloChain, params: Params) -> Form:
    symid = read_symid(params, 0)
    return forms.deposit(symid, _state(chain, params, 1).account(symid))


def estimate_gas(chain: SoloChain, params: Params) -> str:
    asked = read_mapping(params, 0)
    to_empty = not asked.get("to") or asked["to"] == "0x"
    given = asked.get("input") or asked.get("data") or "0x"
    type_ = read_number(asked.get("type") or 0, 0)
    return hex(gas.gas_used(to_empty, type_, read_data([given], 0)))


def send_raw_transaction(chain: SoloChain, params: Params) -> str:
    return forms.data(chain.submit(read_data(params, 0)))


# -- sym: blocks and transactions ----------------------------------------


def block_number(chain: SoloChain, params: Params) -> str:
    return hex(chain.tip.header.number)


def get_block_by_number(chain: SoloChain, params: Params) -> Form | None:
    stored = _header(chain, params, 0)
    return None if stored is None else forms.block(stored, chain.view, read_flag(params, 1))


def get_block_by_hash(chain: SoloChain, params: Params) -> Form | None:
    stored = _header_by_hash(chain, params)
    return None if stored is None else forms.block(stored, chain.view, read_flag(params, 1))


def get_block_transaction_count_by_number(chain: SoloChain, params: Params) -> str | None:
    stored = _header(chain, params, 0)
    return None if stored is None else hex(stored.transaction_count)


def get_block_transaction_count_by_hash(chain: SoloChain, params: Params) -> str | None:
    stored = _header_by_hash(chain, params)
    return None if stored is None else hex(stored.transaction_count)


def get_block_receipts(chain: SoloChain, params: Params) -> list[Form] | None:
    """Ours: the receipts of a block in its order, in one call."""
    stored = _header(chain, params, 0)
    if stored is None:
        return None
    located = chain.view.transactions(stored.signed.header.number)
    return [forms.receipt(one, stored.signed.hash) for one in located]


def get_transaction_by_hash(chain: SoloChain, params: Params) -> Form | None:
    hash_ = read_hash(params, 0)
    located = chain.view.transaction(hash_)
    if located is not None:
        return forms.transaction(located, _block_hash(chain, located.number))
    waiting = chain.pool.get(hash_)
    return None if waiting is None else forms.waiting_transaction(waiting)


def get_transaction_by_number(chain: SoloChain, params: Params) -> Form | None:
    return _transaction_in(chain, _header(chain, params, 0), params)


def get_transaction_by_block(chain: SoloChain, params: Params) -> Form | None:
    return _transaction_in(chain, _header_by_hash(chain, params), params)


def _transaction_in(chain: SoloChain, stored: StoredHeader | None, params: Params) -> Form | None:
    index = read_number(required(params, 1), 1)
    if stored is None:
        return None
    located = chain.view.transaction_at(stored.signed.header.number, index)
    return None if located is None else forms.transaction(located, stored.signed.hash)


def get_transaction_receipt(chain: SoloChain, params: Params) -> Form | None:
    located = chain.view.transaction(read_hash(params, 0))
    return None if located is None else forms.receipt(located, _block_hash(chain, located.number))


def _block_hash(chain: SoloChain, number: int) -> bytes:
    stored = chain.view.header(number)
    assert stored is not None, "an indexed transaction lies in a block"
    return stored.signed.hash


def pending_transactions(chain: SoloChain, params: Params) -> list[Form]:
    return [forms.waiting_transaction(one) for one in chain.pool.content(State(chain.view))[0]]


# -- sct ----------------------------------------


def get_contract(chain: SoloChain, params: Params) -> Form | None:
    found = _state(chain, params, 1).contract(read_symid(params, 0))
    return None if found is None else forms.contract(found)


def get_contract_account(chain: SoloChain, params: Params) -> Form:
    state = _state(chain, params, 2)
    return {"balance": hex(state.token_balance(read_symid(params, 0), read_symid(params, 1)))}


def get_allowance(chain: SoloChain, params: Params) -> Form:
    state = _state(chain, params, 3)
    allowed = state.allowance(read_symid(params, 0), read_symid(params, 1), read_symid(params, 2))
    return {"balance": hex(allowed)}


# -- citizen ----------------------------------------


def get_citizen_by_symid(chain: SoloChain, params: Params) -> Form | None:
    found = _state(chain, params, 1).citizen(read_symid(params, 0))
    return None if found is None else forms.citizen_record(found)


def get_raw_citizen_by_symid(chain: SoloChain, params: Params) -> str | None:
    raw = _state(chain, params, 1).raw_citizen(read_symid(params, 0))
    return None if raw is None else forms.data(raw)


def get_citizen_by_hash(chain: SoloChain, params: Params) -> Form | None:
    hash_ = read_hash(params, 0)
    located = chain.view.citizen(hash_)
    if located is not None:
        found = chain.view.citizen_block(located.citizen_number)
        assert found is not None, "an indexed citizen lies in a citizen block"
        return forms.citizen_transaction(located, found)
    waiting = chain.pool.get_citizen(hash_)
    return None if waiting is None else forms.waiting_citizen(waiting)


def get_raw_citizen_by_hash(chain: SoloChain, params: Params) -> str | None:
    located = chain.view.citizen(read_hash(params, 0))
    return None if located is None else forms.data(located.signed.raw)


def get_citizens_by_block_number(chain: SoloChain, params: Params) -> list[Form]:
    found = _citizen_block(chain, params)
    if found is None:
        return []
    return [forms.citizen_transaction(one, found) for one in chain.view.citizens(found.number)]


def get_citizen_count(chain: SoloChain, params: Params) -> str:
    return hex(_state(chain, params, 0).citizen_count())


def get_citizen_nonce(chain: SoloChain, params: Params) -> str:
    """Ours: the nonce that the next citizen transaction of a CA must carry."""
    ca = read_symid(params, 0)
    return hex(chain.pool.next_citizen_nonce(ca, State(chain.view).citizen_nonce(ca)))


def pending_citizens(chain: SoloChain, params: Params) -> list[Form]:
    return [forms.waiting_citizen(one) for one in chain.pool.pending_citizens()]


def citizen_block_number(chain: SoloChain, params: Params) -> str:
    return hex(chain.tip.header.citizen_block_number)


def get_citizen_block_by_number(chain: SoloChain, params: Params) -> Form | None:
    found = _citizen_block(chain, params)
    return None if found is None else forms.citizen_block(found, chain.view, read_flag(params, 1))


def get_citizen_block_by_hash(chain: SoloChain, params: Params) -> Form | None:
    found = _citizen_block_by_hash(chain, params)
    return None if found is None else forms.citizen_block(found, chain.view, read_flag(params, 1))


def get_block_citizen_count_by_number(chain: SoloChain, params: Params) -> str | None:
    return _citizen_count_in(chain, _citizen_block(chain, params))


def get_block_citizen_count_by_hash(chain: SoloChain, params: Params) -> str | None:
    return _citizen_count_in(chain, _citizen_block_by_hash(chain, params))


def send_raw_citizen(chain: SoloChain, params: Params) -> str:
    return forms.data(chain.submit_citizen(read_data(params, 0)))


def _citizen_block(chain: SoloChain, params: Params) -> CitizenBlock | None:
    """The citizen block that a tag names: citizen blocks have numbers of their own."""
    tag = required(params, 0)
    if tag in ("latest", "pending"):
        return chain.view.citizen_block(chain.tip.header.citizen_block_number)
    return chain.view.citizen_block(_height(chain, params, 0))


def _citizen_block_by_hash(chain: SoloChain, params: Params) -> CitizenBlock | None:
    number = chain.view.citizen_number_of(read_hash(params, 0))
    return None if number is None else chain.view.citizen_block(number)


def _citizen_count_in(chain: SoloChain, found: CitizenBlock | None) -> str | None:
    main = chain.view.header(found.main_number) if found else None
    return None if main is None else hex(main.citizen_count)


# -- warrant: the block signer, for ever ----------------------------------------


def get_warrants(chain: SoloChain, params: Params) -> list[Form]:
    return [forms.warrant(chain.rules.chain_id, chain.proposer, chain.public_key)]


def get_warrant_block_by_number(chain: SoloChain, params: Params) -> Form | None:
    tag = required(params, 0)
    if tag not in ("latest", "pending", "earliest") and read_number(tag, 0) != 0:
        return None
    return _warrant_block(chain, params)


def get_warrant_block_by_hash(chain: SoloChain, params: Params) -> Form | None:
    if read_hash(params, 0) != forms.warrant_block_hash(chain.rules.chain_id, chain.proposer):
        return None
    return _warrant_block(chain, params)


def _warrant_block(chain: SoloChain, params: Params) -> Form:
    return forms.warrant_block(
        chain.rules.chain_id,
        chain.proposer,
        chain.public_key,
        chain.tip.header.number,
        read_flag(params, 1),
    )


# -- txpool ----------------------------------------


def txpool_status(chain: SoloChain, params: Params) -> Form:
    pending, queued = chain.pool.counts(State(chain.view))
    return {"pending": hex(pending), "queued": hex(queued)}


def txpool_content(chain: SoloChain, params: Params) -> Form:
    pending, queued = chain.pool.content(State(chain.view))
    return {
        "pending": _by_sender(pending, forms.waiting_transaction),
        "queued": _by_sender(queued, forms.waiting_transaction),
    }


def txpool_inspect(chain: SoloChain, params: Params) -> Form:
    def line(signed: transaction.SignedTransaction) -> str:
        asked = signed.transaction
        to = forms.data(asked.to) if asked.to else "contract creation"
        return f"{to}: {asked.value} hug + {asked.gas_limit} gas x {asked.gas_price} hug"

    pending, queued = chain.pool.content(State(chain.view))
    return {"pending": _by_sender(pending, line), "queued": _by_sender(queued, line)}


def _by_sender(
    waiting: Iterable[transaction.SignedTransaction],
    form: Callable[[transaction.SignedTransaction], Any],
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for signed in waiting:
        of_sender = found.setdefault(forms.data(signed.transaction.sender), {})
        of_sender[str(signed.transaction.nonce)] = form(signed)
    return found


# -- debug ----------------------------------------


def get_sct_rlp(chain: SoloChain, params: Params) -> str:
    asked = read_mapping(params, 0)
    named = asked.get("params") or {}
    if not isinstance(named, dict):
        raise refuse(0, "params is not an object")
    type_, method = (read_number(required([asked.get(name)], 0), 0) for name in ("type", "method"))
    try:
        return forms.data(template.encode_named(type_, method, named))
    except Invalid as error:
        raise refuse(0, error.message) from error


def decode_transaction_rlp(chain: SoloChain, params: Params) -> Form:
    return forms.waiting_transaction(transaction.decode(read_data(params, 0)))


def decode_citizen_rlp(chain: SoloChain, params: Params) -> Form:
    return forms.waiting_citizen(citizens.decode(read_data(params, 0)))


#: Methods that put something into the pool: their answer waits for the disk.
SUBMITTING = frozenset({"sym_sendRawTransaction", "citizen_sendRawCitizen"})

METHODS: dict[str, Method] = {
    "web3_clientVersion": client_version,
    "web3_sha3": web3_sha3,
    "net_version": net_version,
    "net_listening": _always(True),
    "net_peerCount": _always("0x0"),
    "sym_protocolVersion": _always(PROTOCOL_VERSION),
    "sym_syncing": _always(False),
    "sym_symbase": symbase,
    "sym_gasPrice": gas_price,
    "sym_accounts": _always([]),
    "sym_blockNumber": block_number,
    "sym_getBalance": get_balance,
    "sym_getTransactionCount": get_transaction_count,
    "sym_getBlockTransactionCountByHash": get_block_transaction_count_by_hash,
    "sym_getBlockTransactionCountByNumber": get_block_transaction_count_by_number,
    "sym_getCode": _always("0x"),
    "sym_call": _always("0x"),
    "sym_sendRawTransaction": send_raw_transaction,
    "sym_estimateGas": estimate_gas,
    "sym_getBlockByHash": get_block_by_hash,
    "sym_getBlockByNumber": get_block_by_number,
    "sym_getBlockReceipts": get_block_receipts,
    "sym_getTransactionByHash": get_transaction_by_hash,
    "sym_getTransactionByBlockHashAndIndex": get_transaction_by_block,
    "sym_getTransactionByBlockNumberAndIndex": get_transaction_by_number,
    "sym_getTransactionByNumberAndIndex": get_transaction_by_number,
    "sym_getTransactionReceipt": get_transaction_receipt,
    "sym_getDeposit": get_deposit,
    "sym_getReward": _always(None),
    "sym_pendingTransactions": pending_transactions,
    "sct_getContract": get_contract,
    "sct_getContractAccount": get_contract_account,
    "sct_getAllowance": get_allowance,
    "sct_getContractItem": _always(None),
    "sct_getContractItemsByCategory": _always(None),
    "sct_getVoteContract": _always(None),
    "sct_getPollContract": _always(None),
    "sct_getVoteResult": _always(None),
    "sct_getVotingPaper": _always(None),
    "citizen_getCitizenBySymID": get_citizen_by_symid,
    "citizen_getRawCitizenBySymID": get_raw_citizen_by_symid,
    "citizen_getCitizenByHash": get_citizen_by_hash,
    "citizen_getRawCitizenByHash": get_raw_citizen_by_hash,
    "citizen_getCitizensByBlockNumber": get_citizens_by_block_number,
    "citizen_getCitizenCount": get_citizen_count,
    "citizen_getCitizenNonce": get_citizen_nonce,
    "citizen_pendingCitizens": pending_citizens,
    "citizen_blockNumber": citizen_block_number,
    "citizen_getBlockByHash": get_citizen_block_by_hash,
    "citizen_getBlockByNumber": get_citizen_block_by_number,
    "citizen_getBlockCitizenCountByHash": get_block_citizen_count_by_hash,
    "citizen_getBlockCitizenCountByNumber": get_block_citizen_count_by_number,
    "citizen_sendRawCitizen": send_raw_citizen,
    "warrant_blockNumber": _always("0x0"),
    "warrant_getWarrantsByBlockHash": get_warrants,
    "warrant_getWarrantsByBlockNumber": get_warrants,
    "warrant_getWarrantsByByBlockNumber": get_warrants,
    "warrant_getBlockByHash": get_warrant_block_by_hash,
    "warrant_getBlockByNumber": get_warrant_block_by_number,
    "warrant_getRewardAddr": symbase,
    "oracle_blockNumber": _always("0x0"),
    "oracle_getOracleByHash": _always(None),
    "oracle_getRawOracleByHash": _always(None),
    "oracle_getOracleCount": _always("0x0"),
    "oracle_pendingOracles": _always([]),
    "oracle_getBlockByHash": _always(None),
    "oracle_getBlockByNumber": _always(None),
    "txpool_status": txpool_status,
    "txpool_content": txpool_content,
    "txpool_inspect": txpool_inspect,
    "debug_getSCTRlp": get_sct_rlp,
    "debug_decodeTransactionRlp": decode_transaction_rlp,
    "debug_decodeCitizenRlp": decode_citizen_rlp,
}

assert TYPE_REMIT == 0, "an estimate without a type is one of a remit"

"""JSON-RPC: the envelope, every method, and the documented errors."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.node.people import (
    ALICE,
    BOB,
    CA,
    FUNDS_HUG,
    SIGNER_KEY,
    STRANGER,
    SYM,
    call,
    create,
    genesis,
    open_chain,
    registered,
    remit,
)

from jigap.chain import gas, sct20, symid
from jigap.chain.hashing import EMPTY_TRIE, sha3_256
from jigap.chain.symid import FIRST_CA
from jigap.node import rpc
from jigap.node.genesis import BLOCK_SIGNER
from jigap.node.methods import METHODS
from jigap.node.solo import SoloChain

A, B = symid.to_hex(ALICE.symid), symid.to_hex(BOB.symid)
TOKEN = symid.to_hex(symid.contract_address(ALICE.symid, 0))
ZERO_HASH = "0x" + "00" * 32
NOW_MS = 1_800_000_000_999


def words(text: str) -> set[str]:
    return set(text.split())


class Asked:
    """A chain on disk, asked through JSON-RPC."""

    def __init__(self, chain: SoloChain) -> None:
        self.chain = chain

    def raw(self, body: bytes) -> Any:
        return json.loads(rpc.answer(self.chain, body).content)

    def whole(self, method: str, *params: Any) -> dict[str, Any]:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer: dict[str, Any] = self.raw(json.dumps(request).encode())
        return answer

    def __call__(self, method: str, *params: Any) -> Any:
        answer = self.whole(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method: str, *params: Any) -> tuple[int, str]:
        answer = self.whole(method, *params)
        assert "result" not in answer, answer
        return answer["error"]["code"], answer["error"]["message"]


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Asked]:
    chain = open_chain(tmp_path)
    yield Asked(chain)
    chain.close()


@pytest.fixture
async def told(ask: Asked) -> Asked:
    """A chain with a token, a transfer, a failed transfer and a new citizen, in two blocks."""
    chain = ask.chain
    chain.submit(create(ALICE, 0, 1000).raw)
    chain.submit_citizen(registered(STRANGER, 0).raw)
    await chain.extend(NOW_MS)
    token = bytes.fromhex(TOKEN[2:])
    chain.submit(call(ALICE, 1, token, sct20.Transfer(BOB.symid, 10)).raw)
    chain.submit(call(ALICE, 2, token, sct20.Transfer(BOB.symid, 991)).raw)
    chain.submit(call(ALICE, 3, token, sct20.Approve(BOB.symid, 5)).raw)
    await chain.extend(NOW_MS + 1)
    return ask


# -- the envelope ----------------------------------------


@pytest.mark.parametrize(
    "id_",
    ["1", "0", "-5", "99999999999999999999999999999999999999", '"2"', "null", "1.50", '"\\u00e9"'],
)
async def test_an_id_comes_back_as_it_was_written(ask: Asked, id_: str) -> None:
    body = f'{{"jsonrpc":"2.0","method":"net_version","id":{id_}}}'
    content = rpc.answer(ask.chain, body.encode()).content.decode()
    assert content == f'{{"jsonrpc":"2.0","id":{id_},"result":"7777"}}'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b'{"id":"\xff","method":"net_version"}', -32700),
        (b"nonsense", -32700),
        (b"[" * 100_000, -32700),
        (
            b'{"id":1,"method":"net_version","params":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
            -32700,
        ),
        (b'"text"', -32600),
        (b"5", -32600),
        (b"null", -32600),
        (b"[]", -32600),
        (b"{}", -32600),
        (b'{"method":"net_version"}', -32600),
        (b'{"id":{},"method":"net_version"}', -32600),
        (b'{"id":true,"method":"net_version"}', -32600),
        (b'{"id":1}', -32600),
        (b'{"id":1,"method":5}', -32600),
        (b'{"id":1,"method":"no_such"}', -32601),
        (b'{"id":1,"method":"sym_getBalance","params":"0x00"}', -32602),
        (b'{"id":1,"method":"sym_getBalance","params":{"a":1}}', -32602),
    ],
)
async def test_what_cannot_be_read_is_an_error_object(ask: Asked, body: bytes, code: int) -> None:
    answer = ask.raw(body)
    assert answer["jsonrpc"] == "2.0" and answer["error"]["code"] == code


async def test_a_batch_is_answered_in_its_order_whatever_is_in_it(ask: Asked) -> None:
    body = (
        b'[{"id":1,"method":"net_version"},5,{"id":"b","method":"no_such"},'
        b'{"id":3,"method":"sym_syncing"}]'
    )
    first, second, third, fourth = ask.raw(body)
    assert (first["id"], first["result"]) == (1, "7777")
    assert (second["id"], second["error"]["code"]) == (None, -32600)
    assert (third["id"], third["error"]["code"]) == ("b", -32601)
    assert (fourth["id"], fourth["result"]) == (3, False)


async def test_a_batch_is_bounded(ask: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    one = b'{"id":1,"method":"net_version"}'
    whole = ask.raw(b"[" + b",".join([one] * rpc.BATCH_CALLS_MAX) + b"]")
    assert len(whole) == rpc.BATCH_CALLS_MAX
    more = ask.raw(b"[" + b",".join([one] * (rpc.BATCH_CALLS_MAX + 1)) + b"]")
    assert more["error"]["code"] == -32600
    monkeypatch.setattr(rpc, "BATCH_ANSWER_BYTES_MAX", 50)
    codes = [
        answer.get("error", {}).get("code")
        for answer in ask.raw(b"[" + b",".join([one] * 4) + b"]")
    ]
    assert codes == [None, None, -32003, -32003]


async def test_a_bug_of_ours_is_an_error_object(
    ask: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "net_version", lambda chain, params: 1 // 0)
    assert ask.error("net_version") == (-32603, "internal error")


async def test_missing_and_wrong_parameters_are_named(ask: Asked) -> None:
    assert ask.error("sym_getBalance") == (-32602, "missing value for required argument 0")
    assert ask.error("sym_getBalance", "0x12") == (
        -32602,
        "invalid argument 0: expected 10 bytes, got 1",
    )
    for wrong in (5, 1.5, True, [], {}, "0x0g", "0x123"):
        assert ask.error("sym_getBalance", wrong)[0] == -32602
        assert ask.error("sym_getTransactionByHash", wrong)[0] == -32602
    for wrong in (-1, 1.5, True, [], {}, "0x", "five", "0x" + "f" * 65):
        assert ask.error("sym_getBalance", A, wrong)[0] == -32602
        assert ask.error("sym_getBlockByNumber", wrong)[0] == -32602


async def test_keys_of_others_are_not_the_nodes_affair(ask: Asked) -> None:
    for name in ("personal_newAccount", "sym_sign", "sym_sendTransaction", "citizen_sendCitizen"):
        assert ask.error(name)[0] == -32601


# -- network and accounts ----------------------------------------


async def test_says_who_it_is(ask: Asked) -> None:
    assert ask("web3_clientVersion").startswith("Gsym/")
    assert ask("net_version") == "7777"
    assert ask("net_listening") is True and ask("net_peerCount") == "0x0"
    assert ask("sym_protocolVersion") == "0x40"
    assert ask("sym_symbase", "0x00") == symid.to_hex(BLOCK_SIGNER)
    assert ask("sym_gasPrice") == "0x174876e800"
    assert ask("sym_accounts") == [] and ask("sym_syncing") is False


async def test_hashes_bytes_and_not_their_text(ask: Asked) -> None:
    assert ask("web3_sha3", "0x68656c6c6f") == "0x" + sha3_256(b"hello").hex()


@pytest.mark.parametrize("text", [A, A[2:], A.upper().replace("0X", "0x"), "0X" + A[2:].upper()])
async def test_a_symid_is_read_in_any_case(ask: Asked, text: str) -> None:
    assert ask("sym_getBalance", text, "latest") == hex(FUNDS_HUG)


async def test_balances_read_at_a_tag(told: Asked) -> None:
    now = told("sym_getBalance", A)
    assert now == told("sym_getBalance", A, "latest") == told("sym_getBalance", A, "0x2")
    assert told("sym_getBalance", A, "pending") == told("sym_getBalance", A, 2) == now
    assert (
        told("sym_getBalance", A, "earliest") == told("sym_getBalance", A, "0x0") == hex(FUNDS_HUG)
    )
    middle = int(told("sym_getBalance", A, "0x1"), 16)
    assert int(now, 16) < middle < FUNDS_HUG
    assert told.error("sym_getBalance", A, "0x3") == (-32000, "state at block 3 is not kept")
    assert told.error("sym_getBalance", A, "0x" + "f" * 30)[0] == -32000


async def test_nonces_count_what_waits_only_if_pending(told: Asked) -> None:
    told.chain.submit(remit(ALICE, 4, BOB.symid).raw)
    told.chain.submit(remit(ALICE, 6, BOB.symid).raw)
    assert told("sym_getTransactionCount", A, "latest") == "0x4"
    assert told("sym_getTransactionCount", A, "pending") == "0x5"
    assert told("sym_getTransactionCount", A, "earliest") == "0x0"


async def test_tokens_read_at_a_tag(told: Asked) -> None:
    assert told("sct_getContractAccount", TOKEN, B) == {"balance": "0xa"}
    assert told("sct_getContractAccount", TOKEN, B, "0x1") == {"balance": "0x0"}
    assert told("sct_getContractAccount", A, B, "latest") == {"balance": "0x0"}
    assert told("sct_getAllowance", TOKEN, A, B, "latest") == {"balance": "0x5"}
    assert told("sct_getAllowance", TOKEN, B, A) == {"balance": "0x0"}
    assert told("sct_getContract", TOKEN)["total"] == hex(1000)
    assert told("sct_getContract", TOKEN, "earliest") is None
    assert told("sct_getContractItem", TOKEN, "0x1", "latest") is None


async def test_deposits_are_shown(ask: Asked) -> None:
    assert ask("sym_getDeposit", A) == {"account": A, "balance": hex(FUNDS_HUG), "deposit": "0x0"}


async def test_estimates_by_the_formula(ask: Asked) -> None:
    transfer = "0xd81401d58a000200000000000600028902b5e3af16b1880000"
    assert ask("sym_estimateGas", {"to": B, "type": 1, "input": transfer}) == hex(67_240)
    assert ask("sym_estimateGas", {"to": B, "type": "0x1", "data": transfer}) == hex(67_240)
    assert ask("sym_estimateGas", {"from": A, "to": B, "value": "0x1"}) == hex(49_000)
    assert ask("sym_estimateGas", {"to": None, "type": 2}) == hex(8_000_000)
    assert ask.error("sym_estimateGas", "0x") == (-32602, "invalid argument 0: expected an object")


# -- blocks ----------------------------------------

BLOCK_KEYS = words(
    """
        activeCbNum activeObNum activeWbNum cbHash cbNum extraData gasLimit gasUsed hash
        logsBloom number obHash obNum parentHash primary receiptsRoot rewardRoot rewards
        sctRoot signInfo size stateRoot tickStamp timeStamp transactions
        transactionsRoot validatorInfos wbHash wbNum
        """
)


async def test_a_block_has_the_documented_keys_and_ours(told: Asked) -> None:
    block = told("sym_getBlockByNumber", "latest", True)
    assert set(block) == BLOCK_KEYS | {"timeMs"}
    assert block["number"] == "0x2" and block["gasLimit"] == "0xb3c36a0"
    assert block["timeMs"] == hex(NOW_MS + 1) and block["timeStamp"] == hex((NOW_MS + 1) // 1000)
    assert len(block["logsBloom"]) == 2 + 512 and len(block["signInfo"]["sign"]) == 2 + 128
    assert block["sctRoot"] == "0x" + EMPTY_TRIE.hex()
    assert block["validatorInfos"] == [symid.to_hex(BLOCK_SIGNER)]
    assert block["parentHash"] == told("sym_getBlockByNumber", 1)["hash"]
    assert block == told("sym_getBlockByHash", block["hash"], True)


async def test_a_block_signature_is_that_of_the_block_signer(told: Asked) -> None:
    stored = told.chain.view.header(2)
    assert stored is not None
    stored.signed.verify(SIGNER_KEY.public_key_hash)


async def test_a_block_lists_hashes_unless_asked_for_all(told: Asked) -> None:
    full = told("sym_getBlockByNumber", "0x2", True)["transactions"]
    plain = told("sym_getBlockByNumber", "0x2")["transactions"]
    assert plain == [one["hash"] for one in full] and len(plain) == 3
    assert told("sym_getBlockTransactionCountByNumber", "0x2") == "0x3"
    block_hash = told("sym_getBlockByNumber", "0x2")["hash"]
    assert told("sym_getBlockTransactionCountByHash", block_hash) == "0x3"


async def test_blocks_that_are_not_there_are_null(told: Asked) -> None:
    for method in (
        "sym_getBlockByNumber",
        "sym_getBlockTransactionCountByNumber",
        "sym_getBlockReceipts",
        "citizen_getBlockByNumber",
        "citizen_getBlockCitizenCountByNumber",
    ):
        assert told(method, "0x99") is None
        assert told(method, "0x" + "f" * 60) is None
    for method in (
        "sym_getBlockByHash",
        "sym_getBlockTransactionCountByHash",
        "sym_getTransactionByHash",
        "sym_getTransactionReceipt",
        "citizen_getBlockByHash",
        "citizen_getCitizenByHash",
        "citizen_getRawCitizenByHash",
        "warrant_getBlockByHash",
        "oracle_getBlockByHash",
    ):
        assert told(method, ZERO_HASH) is None
    assert told("sym_getTransactionByBlockHashAndIndex", ZERO_HASH, 0) is None


async def test_earliest_is_block_0_and_pending_the_last(told: Asked) -> None:
    assert told("sym_getBlockByNumber", "earliest", False)["number"] == "0x0"
    assert told("sym_getBlockByNumber", "pending", False)["number"] == "0x2"
    assert told("sym_blockNumber", "ignored") == "0x2"


# -- transactions and receipts ----------------------------------------


async def test_a_transaction_has_the_documented_keys(told: Asked) -> None:
    one = told("sym_getBlockByNumber", "0x1", True)["transactions"][0]
    assert set(one) == words(
        """
        blockHash blockNumber from gas gasPrice hash input nonce to transactionIndex
        type workNodes value extraData v r s
        """
    )
    assert one["to"] is None and one["type"] == "0x1" and one["from"] == A
    assert one == told("sym_getTransactionByHash", one["hash"], True)
    for index in (0, "0x0"):
        assert told("sym_getTransactionByBlockHashAndIndex", one["blockHash"], index) == one
        assert told("sym_getTransactionByBlockNumberAndIndex", "0x1", index) == one
    assert told("sym_getTransactionByBlockNumberAndIndex", "0x1", 1) is None
    assert told("sym_getTransactionByBlockNumberAndIndex", "0x1", 2**63) is None


async def test_a_waiting_transaction_has_no_block(ask: Asked) -> None:
    one = remit(ALICE, 0, BOB.symid)
    assert ask("sym_sendRawTransaction", "0x" + one.raw.hex()) == "0x" + one.hash.hex()
    waiting = ask("sym_getTransactionByHash", "0x" + one.hash.hex())
    assert waiting["blockNumber"] is None and waiting["blockHash"] == ZERO_HASH
    assert ask("sym_getTransactionReceipt", "0x" + one.hash.hex()) is None
    assert ask("sym_pendingTransactions") == [waiting]
    assert ask("txpool_status") == {"pending": "0x1", "queued": "0x0"}
    assert ask("txpool_content")["pending"] == {A: {"0": waiting}}
    assert ask("txpool_inspect")["pending"][A]["0"].startswith(B)


async def test_receipts_tell_success_failure_and_why(told: Asked) -> None:
    created, good, failed, _ = [
        told("sym_getTransactionReceipt", one)
        for number in ("0x1", "0x2")
        for one in told("sym_getBlockByNumber", number)["transactions"]
    ]
    keys = words(
        """
        blockHash blockNumber contractAddress cumulativeGasUsed from gasUsed logs
        logsBloom status to transactionHash transactionIndex
        """
    )
    assert set(created) == set(good) == keys and set(failed) == keys | {"errCode"}
    assert created["contractAddress"] == TOKEN and created["to"] is None
    assert good["contractAddress"] is None and good["to"] == TOKEN and good["logs"] == []
    assert (good["status"], failed["status"], failed["errCode"]) == ("0x1", "0x0", hex(2000))
    assert int(failed["cumulativeGasUsed"], 16) == int(good["gasUsed"], 16) + int(
        failed["gasUsed"], 16
    )
    assert told("sym_getBlockReceipts", "0x1") == [created]


async def test_sending_says_no_in_the_documented_words(told: Asked) -> None:
    send = "sym_sendRawTransaction"
    used = remit(ALICE, 0, BOB.symid).raw
    assert told.error(send, "0x" + used.hex()) == (-32000, "nonce too low")
    waiting = remit(BOB, 0, ALICE.symid)
    told(send, "0x" + waiting.raw.hex())
    assert told.error(send, "0x" + waiting.raw.hex()) == (
        -32000,
        f"known transaction: {waiting.hash.hex()}",
    )
    code, said = told.error(send, "0x" + used.hex()[:-2])
    assert code == -32000 and said.startswith("rlp: ")
    assert told.error(send, "0x" + "00" * 40_000) == (-32000, "oversized data")
    assert told.error(send, "0x")[0] == -32000
    assert told.error(send, "zz")[0] == -32602


async def test_a_submission_asks_for_the_disk_before_its_answer(ask: Asked) -> None:
    raw = "0x" + remit(ALICE, 0, BOB.symid).raw.hex()
    request = {"jsonrpc": "2.0", "id": 1, "method": "sym_sendRawTransaction", "params": [raw]}
    body = json.dumps(request).encode()
    assert rpc.answer(ask.chain, body).submitted
    assert not rpc.answer(ask.chain, body).submitted, "the second time it is refused"
    batch = json.dumps([{"id": 2, "method": "net_version"}, request | {"params": [raw]}]).encode()
    assert not rpc.answer(ask.chain, batch).submitted
    failed = json.loads(rpc.failed(batch, "disk full"))
    assert [(one["id"], one["error"]["message"]) for one in failed] == [
        (2, "disk full"),
        (1, "disk full"),
    ]


# -- citizens and warrants ----------------------------------------


async def test_a_citizen_reads_back_in_every_way(told: Asked) -> None:
    stranger = symid.to_hex(STRANGER.symid)
    one = registered(STRANGER, 0)
    record = told("citizen_getCitizenBySymID", stranger, "latest")
    assert record["ca"] == symid.to_hex(FIRST_CA) and record["status"] == "0x1"
    assert record["aKeyPubH"] == "0x" + STRANGER.key.public_key_hash.hex()
    assert told("citizen_getCitizenBySymID", stranger, "earliest") is None
    raw = told("citizen_getRawCitizenBySymID", stranger, "latest")
    assert raw == "0x" + one.transaction.record().encode().hex()

    found = told("citizen_getCitizenByHash", "0x" + one.hash.hex())
    assert found["symId"] == stranger and found["blockNumber"] == "0x1"
    assert told("citizen_getRawCitizenByHash", "0x" + one.hash.hex()) == "0x" + one.raw.hex()
    assert told("citizen_getCitizensByBlockNumber", "0x1") == [found]
    assert told("debug_decodeCitizenRlp", "0x" + one.raw.hex())["hash"] == found["hash"]


async def test_citizen_blocks_are_numbered_for_themselves(told: Asked) -> None:
    assert told("citizen_blockNumber") == "0x1"
    main = told("sym_getBlockByNumber", "latest")
    block = told("citizen_getBlockByNumber", "latest", True)
    assert (block["number"], block["relatedMbNum"]) == ("0x1", "0x1")
    assert (main["cbNum"], main["cbHash"]) == ("0x1", block["hash"])
    assert block["parentHash"] == told("citizen_getBlockByNumber", "0x0", False)["hash"]
    assert told("citizen_getBlockByHash", block["hash"], True) == block
    assert told("citizen_getBlockCitizenCountByNumber", "0x1") == "0x1"
    assert told("citizen_getBlockCitizenCountByHash", block["hash"]) == "0x1"
    count = len(genesis().accounts)
    assert told("citizen_getCitizenCount", "earliest") == hex(count)
    assert told("citizen_getCitizenCount") == hex(count + 1)
    assert len(told("citizen_getCitizensByBlockNumber", "0x0")) == count


async def test_a_ca_registers_through_the_node(ask: Asked) -> None:
    ca = symid.to_hex(CA.symid)
    one = registered(STRANGER, 0)
    assert ask("citizen_getCitizenNonce", ca) == "0x0"
    assert ask("citizen_sendRawCitizen", "0x" + one.raw.hex()) == "0x" + one.hash.hex()
    assert ask("citizen_getCitizenNonce", ca) == "0x1"
    (waiting,) = ask("citizen_pendingCitizens")
    assert waiting["blockNumber"] is None and waiting["blockHash"] == ZERO_HASH
    assert ask("citizen_getCitizenByHash", waiting["hash"]) == waiting
    late = "0x" + registered(ALICE, 5000).raw.hex()
    assert ask.error("citizen_sendRawCitizen", late) == (-32000, "nonce too high")


async def test_the_block_signer_is_the_one_warrant(told: Asked) -> None:
    (warrant,) = told("warrant_getWarrantsByBlockNumber", "0x0", False)
    assert warrant["symId"] == symid.to_hex(BLOCK_SIGNER)
    assert warrant["bKeyPub"] == "0x" + SIGNER_KEY.public_key.hex()
    block = told("warrant_getBlockByNumber", "latest", True)
    assert block["warrants"] == [warrant] and block["endMbNum"] == "0x2"
    assert told("warrant_getBlockByHash", block["hash"], True) == block
    assert told("sym_getBlockByNumber", "latest")["wbHash"] == block["hash"]
    assert told("warrant_getBlockByNumber", "0x1") is None
    assert told("warrant_getWarrantsByBlockHash", block["hash"]) == [warrant]
    assert told("warrant_blockNumber") == "0x0"


# -- debug ----------------------------------------


async def test_encodes_token_calls(ask: Asked) -> None:
    asked = {
        "type": 20,
        "method": 1,
        "params": {"to": "0x00020000000000060002", "amount": "0x2b5e3af16b1880000"},
    }
    expected = "0xd81401d58a000200000000000600028902b5e3af16b1880000"
    assert ask("debug_getSCTRlp", asked) == expected
    assert ask("debug_getSCTRlp", {"type": "0x14", "method": "0x7"}) == "0xc31407c0"
    for wrong in (
        {},
        {"type": 20},
        {"type": 99, "method": 0},
        {"type": 20, "method": 1, "params": []},
        {"type": 20, "method": 1, "params": {"to": "0x00"}},
        {"type": 20, "method": 5, "params": {"to": B, "amount": "500"}},
    ):
        assert ask.error("debug_getSCTRlp", wrong)[0] == -32602


async def test_decodes_raw_transactions(ask: Asked) -> None:
    one = remit(ALICE, 7, BOB.symid, 3 * SYM)
    decoded = ask("debug_decodeTransactionRlp", "0x" + one.raw.hex())
    assert decoded["hash"] == "0x" + one.hash.hex()
    assert (decoded["nonce"], decoded["value"]) == ("0x7", hex(3 * SYM))
    assert decoded["gasPrice"] == hex(gas.GAS_PRICE_HUG)
    assert ask.error("debug_decodeTransactionRlp", "0xc0")[0] == -32000


async def test_serves_every_method_that_a_node_must() -> None:
    """The names in bold on the public fact sheet of the protocol."""
    bold = """
        web3_clientVersion web3_sha3 net_version net_listening net_peerCount sym_protocolVersion
        sym_syncing sym_symbase sym_gasPrice sym_accounts sym_blockNumber sym_getBalance
        sym_getTransactionCount sym_getBlockTransactionCountByHash
        sym_getBlockTransactionCountByNumber sym_sendRawTransaction sym_estimateGas
        sym_getBlockByHash sym_getBlockByNumber sym_getTransactionByHash
        sym_getTransactionByBlockHashAndIndex sym_getTransactionByBlockNumberAndIndex
        sym_getTransactionReceipt sym_getDeposit sct_getContract sct_getContractAccount
        sct_getAllowance sct_getContractItem sct_getContractItemsByCategory
        citizen_getCitizenBySymID citizen_getCitizenByHash citizen_getCitizensByBlockNumber
        citizen_getCitizenCount citizen_blockNumber citizen_getBlockByNumber citizen_getBlockByHash
        citizen_sendRawCitizen citizen_getRawCitizenByHash citizen_getRawCitizenBySymID
        citizen_pendingCitizens citizen_getBlockCitizenCountByHash
        citizen_getBlockCitizenCountByNumber warrant_blockNumber warrant_getWarrantsByBlockHash
        warrant_getWarrantsByBlockNumber warrant_getBlockByNumber debug_getSCTRlp
        debug_decodeTransactionRlp
    """
    assert words(bold) <= set(METHODS)

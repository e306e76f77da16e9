"""A wallet written with symjs 1.0.6 works against our node unchanged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jigap.chain.hashing import sha3_256
from jigap.chain.symid import contract_address
from tests import processes
from tests.interop.conftest import RunJs

pytestmark = [pytest.mark.node_js, pytest.mark.e2e]

GAS_PRICE = 100_000_000_000
SENT = 5 * 10**18


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.Running]:
    data = tmp_path_factory.mktemp("node")
    running = processes.start("node", "--data", data, "--port", "0", "--dev-accounts", "2")
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def told(symjs: RunJs, node: processes.Running) -> dict[str, Any]:
    """Everything that the node told symjs in one session."""
    payer, payee = node.ready["accounts"]
    given = {
        "url": node.rpc,
        "payer": {"symid": payer["symid"], "key": payer["private_key"][2:]},
        "payee": payee["symid"],
    }
    answer: dict[str, Any] = json.loads(symjs("session.js", json.dumps(given)))
    answer["payer"], answer["payee"] = payer["symid"], payee["symid"]
    return answer


def test_connects(told: dict[str, Any]) -> None:
    assert told["connected"]["result"] is True
    assert told["connected"]["message"].startswith("Gsym/")
    assert told["netVersion"] == "7777"
    assert (told["listening"], told["peers"], told["protocol"]) == (True, "0x0", "0x40")
    assert told["syncing"] is False and told["accounts"] == []
    assert told["sha3"] == "0x" + sha3_256(b"hello").hex()


def test_reads_blocks(told: dict[str, Any]) -> None:
    assert int(told["height"], 16) >= 0
    assert told["genesis"]["number"] == "0x0"
    assert int(told["latest"]["number"], 16) >= int(told["height"], 16)
    assert told["latest"]["validatorInfos"] == [told["symbase"]]
    assert len(told["latest"]["signInfo"]["sign"]) == 2 + 128


def test_sends_sym(told: dict[str, Any]) -> None:
    receipt = told["remit"]["receipt"]
    assert receipt["status"] == "0x1" and "errCode" not in receipt
    assert receipt["gasUsed"] == hex(49_000)
    assert receipt["transactionHash"] == told["remit"]["hash"]
    assert int(told["payeeAfter"]) == int(told["payeeBefore"]) + SENT
    assert int(told["payerAfter"]) == int(told["payerBefore"]) - SENT - 49_000 * GAS_PRICE


def test_creates_a_token(told: dict[str, Any]) -> None:
    receipt = told["create"]["receipt"]
    assert receipt["status"] == "0x1"
    # The remit before it had nonce 0.
    creator = bytes.fromhex(told["payer"][2:])
    assert receipt["contractAddress"] == "0x" + contract_address(creator, 1).hex()
    assert told["contract"] == {
        "creator": told["payer"],
        "name": "Won",
        "owner": told["payer"],
        "state": "active",
        "stateCode": "0x0",
        "symbol": "WON",
        "total": hex(1000 * 10**18),
        "type": "sct20",
    }


def test_transfers_the_token(told: dict[str, Any]) -> None:
    receipt = told["transfer"]["receipt"]
    assert receipt["status"] == "0x1" and receipt["logs"] == []
    sent = bytes.fromhex(told["transaction"]["input"][2:])
    zeros = sent.count(0)
    assert receipt["gasUsed"] == hex(49_000 + 680 * (len(sent) - zeros) + 40 * zeros + 7_000)
    assert told["payerTokens"] == {"balance": hex(950 * 10**18)}
    assert told["payeeTokens"] == {"balance": hex(50 * 10**18)}
    assert told["allowance"] == {"balance": hex(10**18)}


def test_reads_why_a_call_failed(told: dict[str, Any]) -> None:
    receipt = told["overdraft"]["receipt"]
    assert receipt["status"] == "0x0"
    assert receipt["errCode"] == hex(2000)


def test_reads_the_transfer_back(told: dict[str, Any]) -> None:
    transaction, receipt = told["transaction"], told["transfer"]["receipt"]
    assert transaction["hash"] == told["transfer"]["hash"]
    assert transaction["from"] == told["payer"]
    assert transaction["blockHash"] == receipt["blockHash"] == told["block"]["hash"]
    assert told["byIndex"] == told["block"]["transactions"][0]
    assert told["count"] == str(len(told["block"]["transactions"]))
    assert told["unknownReceipt"] is None


def test_reads_deposit_citizen_and_warrant(told: dict[str, Any]) -> None:
    assert told["deposit"]["account"] == told["payer"] and told["deposit"]["deposit"] == "0x0"
    assert told["citizen"]["status"] == "0x1" and told["citizen"]["role"] == "0x1"
    assert told["warrant"]["number"] == "0x0" and len(told["warrant"]["warrants"]) == 1


def test_is_told_errors_as_errors(told: dict[str, Any]) -> None:
    assert told["staleNonce"] == {"code": -32000, "message": "nonce too low"}
    assert told["noSuchMethod"]["code"] == -32601
    assert "personal_newAccount" in told["noSuchMethod"]["message"]


def test_keeps_its_files_to_itself(node: processes.Running, told: dict[str, Any]) -> None:
    """The keys of the development accounts are for their owner only."""
    files = list(Path(node.process.args[node.process.args.index("--data") + 1]).rglob("dev-*.json"))
    assert files and all(file.stat().st_mode & 0o077 == 0 for file in files)

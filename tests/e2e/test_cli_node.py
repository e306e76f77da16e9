"""`jigap node`: a chain alone, with development accounts as development chains have."""

import json
import urllib.request

from jigap.chain.signature import PrivateKey
from tests import processes
from tests.e2e.test_cli_up import says_one_line


def rpc(url: str, method: str, *params: object):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["result"]


def test_ready_line_gives_registered_and_funded_citizens(start, tmp_path):
    node = start("node", "--data", tmp_path, "--port", "0", "--dev-accounts", "3")
    ready = node.ready
    assert set(ready) == {"ready", "rpc", "chain_id", "accounts"}
    assert ready["chain_id"] == 7777
    assert len({one["symid"] for one in ready["accounts"]}) == 3
    for account in ready["accounts"]:
        citizen = rpc(ready["rpc"], "citizen_getCitizenBySymID", account["symid"], "latest")
        key = PrivateKey(bytes.fromhex(account["private_key"][2:]))
        assert citizen["aKeyPubH"].lower().removeprefix("0x") == key.public_key_hash.hex()
        balance = rpc(ready["rpc"], "sym_getBalance", account["symid"], "latest")
        assert str(int(balance, 16)) == account["balance_hug"] != "0"
    assert node.stop() == 0
    assert node.errors == []
    again = start("node", "--data", tmp_path, "--port", "0", "--dev-accounts", "2")
    assert again.ready["accounts"] == ready["accounts"][:2]
    assert again.stop() == 0
    more = processes.run("node", "--data", tmp_path, "--port", "0", "--dev-accounts", "4")
    says_one_line(more, "3 development accounts")


def test_chain_goes_on_where_it_stopped(start, tmp_path):
    node = start("node", "--data", tmp_path, "--port", "0", JIGAP_BLOCK_INTERVAL_MS="50")
    while (height := int(rpc(node.rpc, "sym_blockNumber"), 16)) < 5:
        pass
    node.kill()
    again = start("node", "--data", tmp_path, "--port", "0")
    assert int(rpc(again.rpc, "sym_blockNumber"), 16) >= height
    assert rpc(again.rpc, "sym_getBlockByNumber", "0x0", False)["hash"]


def test_platform_chain_is_not_given_development_accounts(stopped):
    done = processes.run("node", "--data", stopped, "--port", "0", "--dev-accounts", "1")
    says_one_line(done, "without development accounts")


def test_second_node_on_one_folder_is_refused(start, tmp_path):
    start("node", "--data", tmp_path, "--port", "0")
    done = processes.run("node", "--data", tmp_path, "--port", "0")
    says_one_line(done, "another node")

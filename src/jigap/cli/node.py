"""`jigap node`: our own chain and its JSON-RPC, alone."""

import json
from typing import Annotated

import typer

from jigap import settings
from jigap.app import Folder, node_config
from jigap.cli.child import die_with_parent
from jigap.cli.failure import CommandFailed
from jigap.cli.options import Data, ParentPid
from jigap.cli.serving import run, settle_memory
from jigap.node import DevAccount, NodeConfig, RunningNode, dev_chain, run_node
from jigap.node.dev import ACCOUNTS_MAX, DEV_FILE
from jigap.settings import Settings


class DevAccountsFixed(CommandFailed):
    """A chain that exists already cannot be given other development accounts."""

    code = "dev_accounts_fixed"
    hint = "Choose an empty data folder for a new development chain."


def node(
    data: Data = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port of JSON-RPC; 0: any.")
    ] = None,
    dev_accounts: Annotated[
        int | None,
        typer.Option(
            "--dev-accounts",
            min=0,
            max=ACCOUNTS_MAX,
            metavar="K",
            help="Begin a development chain with K funded citizens and print their keys.",
        ),
    ] = None,
    parent_pid: ParentPid = None,
) -> None:
    """Run the chain until SIGTERM or Ctrl-C; its JSON-RPC listens on loopback.

    Prints one line when ready: ready, rpc, chain_id and the development accounts.
    """
    if parent_pid is not None:
        die_with_parent(parent_pid)
    given = settings.load(data, node_port=port)
    config, accounts = _chain(given, dev_accounts)
    run(run_node(config, on_ready=lambda running: _announce(running, accounts)), given.log_level)


def _chain(given: Settings, dev_accounts: int | None) -> tuple[NodeConfig, tuple[DevAccount, ...]]:
    """How to run the chain of the data folder, and the development accounts to show."""
    folder = Folder.of(given)
    kept = folder.node / DEV_FILE
    if not kept.exists():
        if not dev_accounts:
            return node_config(given), ()
        if folder.genesis.exists():
            raise DevAccountsFixed("This chain was begun without development accounts.")
    folder.make()
    chain = dev_chain(folder.node, dev_accounts or 0, chain_id=given.chain_id)
    if dev_accounts is not None and dev_accounts > len(chain.accounts):
        raise DevAccountsFixed(
            f"This chain was begun with {len(chain.accounts)} development accounts."
        )
    config = NodeConfig(
        data_dir=folder.node,
        proposer_key=chain.proposer_key,
        genesis=None if folder.genesis.exists() else chain.genesis,
        port=given.node_port,
        block_interval_ms=given.block_interval_ms,
        block_min_ms=given.block_min_ms,
    )
    return config, chain.accounts[: dev_accounts or 0]


def _announce(running: RunningNode, accounts: tuple[DevAccount, ...]) -> None:
    settle_memory()
    ready = {
        "ready": True,
        "rpc": running.rpc_url,
        "chain_id": running.chain_id,
        "accounts": [
            {
                "symid": "0x" + one.symid.hex(),
                "private_key": "0x" + one.secret.hex(),
                "balance_hug": str(one.balance_hug),
            }
            for one in accounts
        ],
    }
    print(json.dumps(ready), flush=True)

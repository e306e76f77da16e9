"""The embedded Symverse chain, and the platform's client of any chain.

``client`` is all that business code may know. The rest is the chain itself: ``state`` and
``transition`` are its pure rules, ``mempool``, ``producer`` and ``guard`` make blocks, ``store``
keeps them, ``rpc`` and ``server`` answer Symverse's JSON-RPC.
"""

from jigap.node.client import (
    ChainBlock,
    ChainCitizen,
    ChainContract,
    ChainHeader,
    ChainReceipt,
    ChainTransaction,
    NodeClient,
    NodeMalformed,
    NodeTimeout,
    NodeTrouble,
    NodeUnreachable,
    RpcError,
    Submitted,
    Tag,
)
from jigap.node.dev import DevAccount, DevChain, dev_chain
from jigap.node.genesis import (
    BLOCK_SIGNER,
    OPERATOR,
    TOKEN_OWNER,
    TREASURY,
    Genesis,
    GenesisAccount,
    platform_genesis,
)
from jigap.node.server import NodeConfig, RunningNode, run_node

__all__ = [
    "BLOCK_SIGNER",
    "OPERATOR",
    "TOKEN_OWNER",
    "TREASURY",
    "ChainBlock",
    "ChainCitizen",
    "ChainContract",
    "ChainHeader",
    "ChainReceipt",
    "ChainTransaction",
    "DevAccount",
    "DevChain",
    "Genesis",
    "GenesisAccount",
    "NodeClient",
    "NodeConfig",
    "NodeMalformed",
    "NodeTimeout",
    "NodeTrouble",
    "NodeUnreachable",
    "RpcError",
    "RunningNode",
    "Submitted",
    "Tag",
    "dev_chain",
    "platform_genesis",
    "run_node",
]
